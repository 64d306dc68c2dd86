//! Statements by name: PREPARE and the wire protocol's Parse share one set of names.

use super::{Prepared, Session};
use crate::error::{Error, SqlState};
use std::sync::Arc;

impl Session {
    /// Keeps a statement under a name, as PREPARE does.
    ///
    /// # Errors
    /// 42P05 if the name is taken.
    pub fn keep_statement(&mut self, name: &str, prepared: Arc<Prepared>) -> Result<(), Error> {
        if self.prepared.contains_key(name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Error::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message));
        }
        self.prepared.insert(name.to_owned(), prepared);
        Ok(())
    }

    /// The statement kept under a name.
    pub fn kept_statement(&self, name: &str) -> Option<&Arc<Prepared>> {
        self.prepared.get(name)
    }

    /// Lets go of a statement; whether there was one does not matter.
    pub fn forget_statement(&mut self, name: &str) {
        self.prepared.remove(name);
    }
}
