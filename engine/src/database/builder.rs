//! How a database is opened.

use super::handle::Database;
use crate::error::Result;
use crate::node::{Node, NodeOptions};
use std::path::PathBuf;
use std::time::Duration;

/// Choices for opening a [`Database`]; begun by [`Database::builder`].
#[derive(Clone, Debug)]
pub struct Builder {
    directory: Option<PathBuf>,
    cache_bytes: Option<u64>,
    retention: Option<Duration>,
    user: String,
    database: String,
}

impl Default for Builder {
    fn default() -> Builder {
        let (user, database) = ("root".to_owned(), "postgres".to_owned());
        Builder { directory: None, cache_bytes: None, retention: None, user, database }
    }
}

impl Builder {
    /// Keeps the data in a directory; without it they are in memory only.
    #[must_use]
    pub fn directory(self, path: impl Into<PathBuf>) -> Builder {
        Builder { directory: Some(path.into()), ..self }
    }

    /// Bytes of the disk engine's block cache.
    #[must_use]
    pub fn cache_bytes(self, bytes: u64) -> Builder {
        Builder { cache_bytes: Some(bytes), ..self }
    }

    /// How long rows are kept after they were changed or deleted, for `AS OF SYSTEM TIME` and long transactions; an hour
    /// by default.
    #[must_use]
    pub fn retention(self, retention: Duration) -> Builder {
        Builder { retention: Some(retention), ..self }
    }

    /// The role that statements run as; `root` by default.
    #[must_use]
    pub fn user(self, user: impl Into<String>) -> Builder {
        Builder { user: user.into(), ..self }
    }

    /// The SQL database that statements run in; `postgres` by default.
    #[must_use]
    pub fn database(self, database: impl Into<String>) -> Builder {
        Builder { database: database.into(), ..self }
    }

    /// Opens the database.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn open(self) -> Result<Database> {
        let mut options = match self.directory {
            Some(path) => NodeOptions::directory(path),
            None => NodeOptions::memory(),
        };
        options.cache_bytes = self.cache_bytes.unwrap_or(options.cache_bytes);
        options.retention = self.retention.unwrap_or(options.retention);
        let node = Node::start(options).await?;
        Ok(Database::on(&node, true, self.user, self.database))
    }
}
