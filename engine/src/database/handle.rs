//! [`Database`]: the front door.

use super::builder::Builder;
use super::call::{Call, decode_all, decode_opt, no_row, statement_methods};
use super::from_row::FromRow;
use super::params::Params;
use super::pool::Pool;
use super::retry::TxOptions;
use super::rows::Rows;
use super::session::Session;
use super::statement::{Statement, ToStatement};
use super::transaction::Transaction;
use crate::error::Result;
use crate::node::Node;
use std::path::Path;
use std::sync::Arc;

/// A database: in memory, in a directory, or a member of a cluster. Clones share it.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> quorate::Result<()> {
/// use quorate::Database;
///
/// let db = Database::in_memory().await?;
/// db.execute("CREATE TABLE account (id INT PRIMARY KEY, owner TEXT NOT NULL)", ()).await?;
/// db.execute("INSERT INTO account VALUES ($1, $2)", (1, "Ann")).await?;
/// let owner: String = db.query_one("SELECT owner FROM account WHERE id = $1", (1,)).await?;
/// assert_eq!(owner, "Ann");
/// db.close().await
/// # }
/// ```
#[derive(Clone)]
pub struct Database {
    pub(super) pool: Arc<Pool>,
}

impl Database {
    /// Opens the database in a directory, which is created if it does not exist. Every commit is on disk when it returns.
    ///
    /// # Errors
    /// The directory is in use, newer than this release, or damaged.
    pub async fn open(path: impl AsRef<Path>) -> Result<Database> {
        Database::builder().directory(path.as_ref()).open().await
    }

    /// Opens an empty database that lives in this process and ends with it.
    ///
    /// # Errors
    /// None that a caller can do something about.
    pub async fn in_memory() -> Result<Database> {
        Database::builder().open().await
    }

    /// Chooses more than [`Database::open`] does.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A handle that owns its node (`owned`) or borrows it.
    pub(super) fn on(node: &Node, owned: bool, user: String, database: String) -> Database {
        Database { pool: Arc::new(Pool::new(node, owned, user, database)) }
    }

    /// Begins a transaction with the default options; see [`Database::transaction`] for one that repeats itself.
    ///
    /// # Errors
    /// The database is closed or cannot be reached.
    pub async fn begin(&self) -> Result<Transaction> {
        self.begin_with(&TxOptions::default()).await
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// As [`Database::begin`].
    pub async fn begin_with(&self, options: &TxOptions) -> Result<Transaction> {
        Transaction::begin(self.call().await?, options, 1).await
    }

    /// A session of its own: its calls share settings and prepared statements.
    ///
    /// # Errors
    /// The database is closed or cannot be reached.
    pub async fn session(&self) -> Result<Session> {
        Ok(Session::new(self.pool.take().await?))
    }

    /// The node underneath, if this handle opened one.
    #[must_use]
    pub fn node(&self) -> Option<Node> {
        self.pool.node()
    }

    /// Ends all use of the database and, if this handle opened it, stops its node: everything is on disk, and no thread,
    /// task or file handle is left. The database is closed for all clones; closing twice does nothing.
    ///
    /// # Errors
    /// The failure that had stopped the database before.
    pub async fn close(&self) -> Result<()> {
        self.pool.close().await
    }

    pub(super) async fn call(&self) -> Result<Call> {
        Ok(Call { line: self.pool.take().await?, home: Some(self.pool.clone()) })
    }

    fn note<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome
    }
}

statement_methods!(Database);

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}
