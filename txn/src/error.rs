//! Why an operation on the map failed, by what the caller does next.
//!
//! ```text
//!  Retry             nothing was committed: run the whole transaction again, with the same start id   40001
//!  RestartStatement  READ COMMITTED: undo the statement's writes, `restart_statement`, run it again   (never shown)
//!  LockNotAvailable  NOWAIT or lock_timeout: the statement fails                                      55P03
//!  Unavailable       a range has had no leader for a while; nothing was committed                     58C00
//!  Ambiguous         the commit may or may not have happened, and the range that knows is away        40003
//!  TooOld            the versions that it would read are collected                                    72000
//!  NotYet            a read at an ID that has not been handed out                                     22023
//!  TooLarge          one key or value does not fit into a proposal                                    54000
//!  ReadOnly          a write in a read-only transaction                                               25006
//!  Finished          the transaction has ended already: a fault of the caller
//!  Stopped           this node's store stopped; the text says why
//! ```
//! Invariant: `Retry` and `Unavailable` mean that the attempt is not and will never be committed.

use crate::TxnId;
use quorate_storage::RangeId;

/// Why an operation on the map failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing of the attempt was committed; run the whole transaction again (SQLSTATE 40001).
    #[error("could not serialize access: {0}")]
    Retry(RetryReason),
    /// READ COMMITTED met a newer version under a lock that it now holds: undo the statement's writes, call
    /// [`crate::Transaction::restart_statement`], run the statement again. Never leaves the session.
    #[error("the statement must run again")]
    RestartStatement,
    /// A lock is held by another transaction, and the caller does not wait (SQLSTATE 55P03).
    #[error("could not obtain lock")]
    LockNotAvailable {
        /// The key.
        key: Vec<u8>,
    },
    /// No leader answered for a while; nothing was committed (SQLSTATE 58C00).
    #[error("range {} cannot be reached", .0.map_or_else(|| "of the key".to_owned(), |range| range.to_string()))]
    Unavailable(Option<RangeId>),
    /// The commit may or may not have happened, and who knows is away (SQLSTATE 40003).
    #[error("the outcome of the commit is unknown")]
    Ambiguous,
    /// What the transaction would read was collected as garbage; nothing was committed (SQLSTATE 72000).
    #[error("snapshot too old: {read_id} is below {floor}, where the history that is kept begins")]
    TooOld {
        /// Where it reads.
        read_id: TxnId,
        /// Where it could read.
        floor: TxnId,
    },
    /// A read in the future (SQLSTATE 22023).
    #[error("transaction ID {read_id} has not been handed out yet; the newest is {newest}")]
    NotYet {
        /// Where it would read.
        read_id: TxnId,
        /// The largest ID handed out.
        newest: TxnId,
    },
    /// One key and its value are larger than a proposal may be (SQLSTATE 54000).
    #[error("a key with its value takes {size} bytes; the limit is {limit}")]
    TooLarge {
        /// Bytes of key and value.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A write in a transaction that was begun read-only (SQLSTATE 25006).
    #[error("cannot write in a read-only transaction")]
    ReadOnly,
    /// The transaction has been committed or rolled back already.
    #[error("the transaction has ended")]
    Finished,
    /// The store stopped, or an answer made no sense; for people.
    #[error("{0}")]
    Stopped(String),
}

/// What another transaction did so that this attempt could not commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryReason {
    /// It overwrote something that this attempt had read.
    #[error("a value read by this transaction was changed by another one")]
    ReadConflict,
    /// It wrote, at `newest`, a key that this attempt writes (or locks, at snapshot isolation).
    #[error("could not serialize access due to concurrent update")]
    WriteConflict {
        /// The newer version.
        newest: TxnId,
    },
    /// It is older and took this attempt's locks.
    #[error("an older transaction needed a lock held by this one")]
    Wounded,
    /// The attempt was aborted by recovery, or by a reader that waited for too long.
    #[error("the attempt was aborted before it could be decided")]
    Aborted,
}

impl Error {
    /// Whether the whole transaction may simply be run again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Retry(_))
    }
}

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
