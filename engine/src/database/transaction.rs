//! A transaction on a line of its own.
//!
//! ```text
//!  begin ─► open ── commit ──► committed (the line goes back to its pool)
//!            │  ╲── rollback, drop ──► rolled back
//!            ╰ a statement fails: nothing but rollback is left; the first failure is kept, so that one that the caller
//!              swallowed still decides whether the transaction is run again
//! ```

use super::call::{Call, decode_all, decode_opt, no_row, statement_methods};
use super::from_row::FromRow;
use super::params::Params;
use super::retry::TxOptions;
use super::rows::Rows;
use super::statement::{Statement, ToStatement};
use crate::error::{Error, ErrorKind, Result, SqlState};
use crate::session::TransactionStatus;
use parking_lot::Mutex;

const ABORTED: &str = "current transaction is aborted, commands ignored until end of transaction block";
const ENDED: &str = "the transaction was ended by a statement of its own";

/// A transaction. Its calls take turns; it ends with [`Transaction::commit`] or [`Transaction::rollback`], and dropping it
/// rolls back.
pub struct Transaction {
    call: Call,
    attempt: u32,
    /// The first failure of a statement. Held for moments only.
    failure: Mutex<Option<Failure>>,
    guard: Guard,
}

/// Why a transaction cannot commit.
#[derive(Clone)]
struct Failure {
    sqlstate: Option<SqlState>,
    message: String,
}

/// Complains about a transaction that nobody ended.
struct Guard {
    over: bool,
}

impl Transaction {
    pub(super) async fn begin(call: Call, options: &TxOptions, attempt: u32) -> Result<Transaction> {
        call.line.lock().await?.run(options.begin_statement(), Vec::new()).await?;
        Ok(Transaction { call, attempt, failure: Mutex::new(None), guard: Guard { over: false } })
    }

    /// Which attempt of its closure this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Makes everything durable and visible.
    ///
    /// # Errors
    /// Nothing was committed, unless the error [is ambiguous](Error::is_ambiguous).
    pub async fn commit(mut self) -> Result<()> {
        self.guard.over = true;
        let outcome = self.try_commit().await;
        self.call.end();
        outcome
    }

    /// Undoes everything.
    ///
    /// # Errors
    /// The database cannot be reached; nothing will be committed in any case.
    pub async fn rollback(mut self) -> Result<()> {
        self.guard.over = true;
        let outcome = self.call.line.lock().await?.run("ROLLBACK", Vec::new()).await;
        self.call.end();
        outcome.map(|_| ())
    }

    /// Whether a statement failed in a way that running the whole transaction again may cure.
    pub(super) fn failed_retryably(&self) -> bool {
        self.failure.lock().as_ref().is_some_and(|failure| failure.sqlstate.is_some_and(SqlState::is_retryable))
    }

    /// The first failure, as an error.
    pub(super) fn failure(&self) -> Option<Error> {
        let failure = self.failure.lock().clone()?;
        Some(match failure.sqlstate {
            Some(sqlstate) if sqlstate.is_retryable() => Error::new(sqlstate, failure.message),
            _ => Error::new(SqlState::IN_FAILED_SQL_TRANSACTION, ABORTED)
                .with_detail(format!("A statement failed before: {}.", failure.message)),
        })
    }

    async fn try_commit(&self) -> Result<()> {
        let mut inner = self.call.line.lock().await?;
        let failure = self.failure().or_else(|| match inner.status() {
            TransactionStatus::Open => None,
            TransactionStatus::Failed => Some(Error::new(SqlState::IN_FAILED_SQL_TRANSACTION, ABORTED)),
            TransactionStatus::Idle => Some(Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, ENDED)),
        });
        let Some(failure) = failure else { return inner.run("COMMIT", Vec::new()).await.map(|_| ()) };
        if inner.status() != TransactionStatus::Idle {
            inner.run("ROLLBACK", Vec::new()).await?;
        }
        Err(failure)
    }

    async fn call(&self) -> Result<Call> {
        Ok(Call { line: self.call.line.clone(), home: None })
    }

    /// Remembers the first failure.
    pub(super) fn note<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome
            && !matches!(error.kind(), ErrorKind::Params | ErrorKind::Decode)
        {
            let mut failure = self.failure.lock();
            failure.get_or_insert_with(|| Failure { sqlstate: error.sqlstate(), message: error.message().to_owned() });
        }
        outcome
    }
}

statement_methods!(Transaction);

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.over {
            tracing::warn!("a transaction was dropped without commit or rollback; it is rolled back");
        }
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
