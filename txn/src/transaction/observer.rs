//! Watching transactions: what each read, wrote and was told, as its gateway saw it.
//!
//! A checker that sees every transaction can replay them in the order of their IDs and compare every read. The product
//! installs no observer; then nothing is recorded.
//!
//! Invariant: every transaction that began is reported once, also one whose task was dropped.

use super::options::Isolation;
use crate::{Attempt, Columns, TxnId};
use bytes::Bytes;
use quorate_storage::Span;
use std::sync::Arc;

/// Is told of every transaction of a node.
pub trait Observer: Send + Sync {
    /// A transaction is about to ask for its S. The answer is its place in the observer's real-time order, and comes back
    /// in [`Observed::began`].
    fn begins(&self) -> u64;

    /// A transaction has ended.
    fn ended(&self, transaction: Observed);
}

/// A transaction that has ended.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What [`Observer::begins`] answered.
    pub began: u64,
    /// Its isolation level.
    pub isolation: Isolation,
    /// Whether it was asked to see a state of the past.
    pub in_past: bool,
    /// Every attempt to commit, oldest first; at most one of them was committed.
    pub attempts: Vec<Attempt>,
    /// What it read from ranges; own writes are not seen here.
    pub reads: Vec<ObservedRead>,
    /// What it wanted to write, by key; `None` deletes.
    pub writes: Vec<(Vec<u8>, Option<Bytes>)>,
    /// What its client was told.
    pub end: End,
}

/// One answer of a range.
#[derive(Clone, Debug)]
pub struct ObservedRead {
    /// S at that moment.
    pub read_id: TxnId,
    /// Where it was read.
    pub span: Span,
    /// All pairs there.
    pub pairs: Vec<(Vec<u8>, Bytes)>,
    /// What of their values was used.
    pub columns: Columns,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Committed; at this ID, if it wrote.
    Committed(Option<TxnId>),
    /// Not committed, and never will be.
    Aborted,
    /// The client does not know.
    Unknown,
}

/// What has been seen of a transaction so far.
pub(super) struct Watch {
    observer: Arc<dyn Observer>,
    seen: Observed,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.seen.fmt(f)
    }
}

impl Watch {
    pub(super) fn begin(observer: Arc<dyn Observer>, isolation: Isolation, in_past: bool) -> Box<Watch> {
        let seen = Observed {
            began: observer.begins(),
            isolation,
            in_past,
            attempts: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            end: End::Aborted,
        };
        Box::new(Watch { observer, seen })
    }

    pub(super) fn read(&mut self, read_id: TxnId, span: Span, pairs: Vec<(Vec<u8>, Bytes)>, columns: Columns) {
        self.seen.reads.push(ObservedRead { read_id, span, pairs, columns });
    }

    /// An attempt to commit begins: until it ends otherwise, nobody knows how.
    pub(super) fn commits(&mut self, attempt: Attempt, writes: impl Iterator<Item = (Vec<u8>, Option<Bytes>)>) {
        self.seen.attempts.push(attempt);
        self.seen.writes = writes.collect();
        self.seen.end = End::Unknown;
    }

    pub(super) fn ends(&mut self, end: End) {
        self.seen.end = end;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let seen = Observed {
            attempts: std::mem::take(&mut self.seen.attempts),
            reads: std::mem::take(&mut self.seen.reads),
            writes: std::mem::take(&mut self.seen.writes),
            ..self.seen.clone()
        };
        self.observer.ended(seen);
    }
}
