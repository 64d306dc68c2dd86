//! The words of the transactional map's front: how a transaction begins, what a scan asks, how a commit ended.

use crate::api::{LockMode, LockWait};
use crate::trace::{CommitPath, CommitTrace};
use crate::{StartId, TxnId};
use bytes::Bytes;
use quorate_storage::Span;

/// What a transaction is protected from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// Strict serializability: reads are valid at the commit ID, and real time is respected.
    #[default]
    Serializable,
    /// Snapshot isolation (REPEATABLE READ): one S, the first committer wins on written keys.
    Snapshot,
    /// A new S per statement.
    ReadCommitted,
}

/// How transactions that write in several ranges are to be committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CommitProtocol {
    /// In one round if nothing speaks against it.
    #[default]
    Auto,
    /// In one round whenever that is possible at all: not if the catalog changes, or too much is written.
    OneRound,
    /// By three-phase commit.
    ThreePhase,
}

/// How a transaction begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxnOptions {
    /// Isolation level.
    pub isolation: Isolation,
    /// Refuses writes, and skips the book-keeping that only writers need.
    pub read_only: bool,
    /// Draws the commit ID along with S, in one request to the oracle: for one statement that writes and is committed right
    /// after it. A writer that waits long is likely to need another one in the end.
    pub draws_commit_id: bool,
    /// Age kept from an earlier attempt of the same transaction.
    pub start: Option<StartId>,
}

/// A read of many keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where.
    pub span: Span,
    /// At most so many pairs.
    pub limit: Option<u64>,
    /// Descending key order.
    pub reverse: bool,
    /// Volatile lock on the rows found.
    pub lock: Option<(LockMode, LockWait)>,
}

impl Scan {
    /// All pairs of `span`, ascending, without locks.
    pub fn all(span: Span) -> Scan {
        Scan { span, limit: None, reverse: false, lock: None }
    }
}

/// Some pairs of a scan, in scan order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys and values.
    pub pairs: Vec<(Bytes, Bytes)>,
    /// What is left of the span if the page was cut short (by the limit, or by the size of a reply); `None` when the
    /// span is exhausted. A page with `resume` may hold fewer pairs than the limit, but holds at least one.
    pub resume: Option<Span>,
}

/// A position in a transaction's buffered writes, for statements and savepoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub(super) usize);

/// How a transaction was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The ID of its writes; `None` if it wrote nothing.
    pub commit_id: Option<TxnId>,
    /// The way taken.
    pub path: CommitPath,
    /// What happened on it.
    pub trace: CommitTrace,
}
