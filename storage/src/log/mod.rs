//! The Raft log of a store: entries and hard states of all its groups, in one sequence of files.
//!
//! One [`LogBatch`] carries what many groups have to say and costs one write and one fsync. When [`LogStore::append`]
//! has returned, the batch is durable; if the process dies before, all of it or none of it is found again.
//!
//! Invariant: nothing is acknowledged to anybody (vote, append, client) before `append` returned.

use crate::{Error, RangeId};
pub use raft::eraftpb::{Entry, HardState};

mod check;
mod disk;
mod memory;
mod tail;
#[cfg(test)]
mod tests;
mod torn;
pub use disk::{DiskLog, LogSettings};
pub use memory::MemoryLog;

/// What the groups of one store append together.
#[derive(Clone, Debug, Default)]
pub struct LogBatch {
    /// One element per group that has something to write.
    pub groups: Vec<GroupAppend>,
    /// The new [`LogStore::granted`], if it changed.
    pub granted: Option<u64>,
}

/// One group's part of a [`LogBatch`].
#[derive(Clone, Debug)]
pub struct GroupAppend {
    /// Whose log.
    pub range: RangeId,
    /// New entries, ascending and gapless; they replace any entry with an index >= the first one's.
    pub entries: Vec<Entry>,
    /// The new hard state, if it changed.
    pub hard_state: Option<HardState>,
    /// Entries with an index below this are dropped (they are covered by a checkpoint or an image).
    pub truncate_to: Option<u64>,
    /// Forget everything of this group first (an image replaced it, or the replica was removed).
    pub reset: bool,
}

impl GroupAppend {
    /// An empty append for `range`.
    pub fn new(range: RangeId) -> GroupAppend {
        GroupAppend { range, entries: Vec::new(), hard_state: None, truncate_to: None, reset: false }
    }
}

/// The log of one store.
pub trait LogStore: Send + Sync + std::fmt::Debug + 'static {
    /// Appends and fsyncs, or fails for good: after an error the log is poisoned and the node must stop.
    /// `sync = false` leaves out the fsync; only truncations may use it.
    fn append(&self, batch: LogBatch, sync: bool) -> Result<(), Error>;

    /// Entries `[low, high)` of a group, at most about `max_bytes` but at least one.
    /// Fails with [`Error::LogGap`] if the range is not held.
    fn entries(&self, range: RangeId, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, Error>;

    /// Index of the first and last entry held, or `None` if the group's log is empty.
    fn bounds(&self, range: RangeId) -> Result<Option<(u64, u64)>, Error>;

    /// The hard state last appended.
    fn hard_state(&self, range: RangeId) -> Result<Option<HardState>, Error>;

    /// The greatest bound of reads that any group of this store may have acknowledged; 0 if none was appended.
    fn granted(&self) -> Result<u64, Error>;

    /// Every group with anything in the log.
    fn groups(&self) -> Result<Vec<RangeId>, Error>;

    /// Reclaims files whose entries are all truncated. Called now and then, outside the append path. Returns groups
    /// whose oldest entries pin old files and should be checkpointed and truncated.
    fn purge(&self) -> Result<Vec<RangeId>, Error>;
}
