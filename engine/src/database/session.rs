//! A session of its own.

use super::call::{Call, decode_all, decode_opt, no_row, statement_methods};
use super::from_row::FromRow;
use super::line::Line;
use super::params::Params;
use super::rows::Rows;
use super::statement::{Statement, ToStatement};
use crate::error::Result;
use crate::session::{CancelHandle, Notice, TransactionStatus};
use std::sync::Arc;

/// A session: its calls share settings, prepared statements and the transaction block, and take turns. Dropping it rolls
/// back what is open.
pub struct Session {
    line: Arc<Line>,
}

impl Session {
    pub(super) fn new(line: Arc<Line>) -> Session {
        Session { line }
    }

    /// Cancels what the session runs, from another task.
    #[must_use]
    pub fn cancel_handle(&self) -> CancelHandle {
        self.line.cancel_handle()
    }

    /// Notices that came up since the last call of this method.
    ///
    /// # Errors
    /// A call was cancelled halfway.
    pub async fn notices(&self) -> Result<Vec<Notice>> {
        Ok(self.line.lock().await?.notices())
    }

    /// Where the session stands.
    ///
    /// # Errors
    /// A call was cancelled halfway.
    pub async fn transaction_status(&self) -> Result<TransactionStatus> {
        Ok(self.line.lock().await?.status())
    }

    async fn call(&self) -> Result<Call> {
        Ok(Call { line: self.line.clone(), home: None })
    }

    fn note<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome
    }
}

statement_methods!(Session);

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
