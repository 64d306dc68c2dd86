//! Errors of the transactional map as SQL tells them.

use crate::error::{Error, SqlState};
use quorate_txn::{Error as TxnError, RetryReason};

const RETRY_HINT: &str = "The transaction might succeed if retried.";

impl From<TxnError> for Error {
    fn from(error: TxnError) -> Error {
        let told = match &error {
            TxnError::Retry(reason) => retry(reason),
            TxnError::RestartStatement => {
                Error::new(SqlState::SERIALIZATION_FAILURE, "could not serialize access due to concurrent update")
                    .with_hint(RETRY_HINT)
            }
            TxnError::LockNotAvailable { .. } => {
                Error::new(SqlState::LOCK_NOT_AVAILABLE, "could not obtain lock on row")
            }
            TxnError::Unavailable(_) => Error::new(SqlState::RANGE_UNAVAILABLE, error.to_string())
                .with_hint("Nothing was committed. Try again when a majority of the range's replicas is reachable."),
            TxnError::Ambiguous => {
                Error::new(SqlState::STATEMENT_COMPLETION_UNKNOWN, "the outcome of the commit is unknown")
                    .with_detail("The range that knows the outcome did not answer in time.")
                    .with_hint("Look at the data before you run the transaction again.")
            }
            TxnError::TooOld { .. } => Error::new(SqlState::SNAPSHOT_TOO_OLD, "snapshot too old")
                .with_detail(error.to_string())
                .with_hint("Read a newer state, or start the nodes with a longer --retention."),
            TxnError::NotYet { .. } => Error::new(SqlState::INVALID_PARAMETER_VALUE, error.to_string()),
            TxnError::TooLarge { .. } => Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, error.to_string()),
            TxnError::ReadOnly => {
                Error::new(SqlState::READ_ONLY_SQL_TRANSACTION, "cannot write in a read-only transaction")
            }
            TxnError::Finished => Error::internal("the transaction has ended already"),
            TxnError::Stopped(_) => Error::new(SqlState::IO_ERROR, error.to_string()),
        };
        told.with_source(error)
    }
}

fn retry(reason: &RetryReason) -> Error {
    let message = match reason {
        RetryReason::WriteConflict { .. } => "could not serialize access due to concurrent update",
        _ => "could not serialize access due to read/write dependencies among transactions",
    };
    let error = Error::new(SqlState::SERIALIZATION_FAILURE, message).with_hint(RETRY_HINT);
    match reason {
        RetryReason::WriteConflict { .. } => error,
        other => error.with_detail(format!("Reason: {other}.")),
    }
}

/// Whether READ COMMITTED asks to run the statement again.
pub fn wants_restart(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    matches!(source.and_then(|source| source.downcast_ref()), Some(TxnError::RestartStatement))
}
