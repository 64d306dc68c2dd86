//! One group's window on the store's log, as raft-rs reads it.
//!
//! ```text
//!   begin            begin+1 .............................. last
//!   (index, term)    |---- only in the log ----|-- cached --|
//! ```
//! raft-rs asks for the term of an index many times per message and reads back every entry that it has just written,
//! to commit it and to send it. So terms are kept as runs, and the newest entries in memory until they were handed to
//! the applier.
//!
//! Invariant: the cache is a gapless tail of the log, and ends at `last`.
//! Invariant: entries appear here after the log batch that holds them is durable.

use crate::range::local::Position;
use crate::{Error, LogStore, RangeId, ReplicaId};
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes of entries that stay cached after they were handed to the applier.
const CACHE_BYTES: usize = 256 << 10;
/// What an entry costs besides its data.
const ENTRY_OVERHEAD: usize = 64;

pub(super) struct ReplicaLog {
    range: RangeId,
    log: Arc<dyn LogStore>,
    /// Only read when the group is created.
    hard_state: HardState,
    conf_state: ConfState,
    /// The position after which the log begins.
    begin: Position,
    last: u64,
    /// Runs of equal terms after `begin`: index of the first entry, term. Ascending in both.
    runs: Vec<Position>,
    cache: VecDeque<Entry>,
    cache_bytes: usize,
    /// Replicas that raft-rs wants to send a snapshot to.
    wanted: RefCell<Vec<ReplicaId>>,
    /// The first read error; the store stops on it.
    failure: Cell<Option<Error>>,
}

impl ReplicaLog {
    /// The log of `range` after `begin`, with its terms read from disk.
    pub(super) fn open(
        range: RangeId,
        log: Arc<dyn LogStore>,
        begin: Position,
        hard_state: HardState,
        conf_state: ConfState,
    ) -> Result<ReplicaLog, Error> {
        let mut opened = ReplicaLog {
            range,
            log,
            hard_state,
            conf_state,
            begin,
            last: begin.index,
            runs: Vec::new(),
            cache: VecDeque::new(),
            cache_bytes: 0,
            wanted: RefCell::new(Vec::new()),
            failure: Cell::new(None),
        };
        opened.read_terms()?;
        Ok(opened)
    }

    fn read_terms(&mut self) -> Result<(), Error> {
        let Some((_, last)) = self.log.bounds(self.range)? else {
            return Ok(());
        };
        while self.last < last {
            let entries = self.log.entries(self.range, self.last + 1, last + 1, 4 << 20)?;
            for entry in entries {
                self.note_term(entry.index, entry.term);
                self.last = entry.index;
            }
        }
        Ok(())
    }

    fn note_term(&mut self, index: u64, term: u64) {
        if self.runs.last().is_none_or(|run| run.term != term) {
            self.runs.push(Position { index, term });
        }
    }

    pub(super) fn begin(&self) -> Position {
        self.begin
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Entries that the log batch has made durable; they replace any at or after the first one's index.
    pub(super) fn appended(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.index) else {
            return;
        };
        while self.runs.last().is_some_and(|run| run.index >= first) {
            self.runs.pop();
        }
        while self.cache.back().is_some_and(|entry| entry.index >= first) {
            self.cache_bytes -= self.cache.pop_back().map_or(0, |entry| cost(&entry));
        }
        if self.cache.back().is_some_and(|entry| entry.index + 1 != first) {
            self.cache.clear();
            self.cache_bytes = 0;
        }
        for entry in entries {
            self.note_term(entry.index, entry.term);
            self.last = entry.index;
            self.cache_bytes += cost(&entry);
            self.cache.push_back(entry);
        }
    }

    /// Drops cached entries up to `handed` (given to the applier) while the cache is over its budget.
    pub(super) fn evict(&mut self, handed: u64) {
        while self.cache_bytes > CACHE_BYTES && self.cache.front().is_some_and(|entry| entry.index <= handed) {
            self.cache_bytes -= self.cache.pop_front().map_or(0, |entry| cost(&entry));
        }
    }

    /// An image replaced the log.
    pub(super) fn installed(&mut self, position: Position) {
        self.begin = position;
        self.last = position.index;
        self.runs.clear();
        self.cache.clear();
        self.cache_bytes = 0;
    }

    /// The log now begins after `index`.
    pub(super) fn truncated(&mut self, position: Position) {
        self.begin = position;
        let keep = self.runs.partition_point(|run| run.index <= position.index).saturating_sub(1);
        self.runs.drain(..keep);
    }

    pub(super) fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.begin.index {
            return Some(self.begin.term);
        }
        if index < self.begin.index || index > self.last {
            return None;
        }
        let run = self.runs.partition_point(|run| run.index <= index).checked_sub(1)?;
        Some(self.runs[run].term)
    }

    /// Replicas that raft-rs wanted to send a snapshot to since the last call.
    pub(super) fn take_wanted(&mut self) -> Vec<ReplicaId> {
        std::mem::take(self.wanted.get_mut())
    }

    /// The first read error, if any.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    fn read(&self, low: u64, high: u64, max: u64) -> Result<Vec<Entry>, Error> {
        let cached = self.cache.front().map_or(u64::MAX, |entry| entry.index);
        if low >= cached {
            return Ok(self.cached(low, high, max, cached));
        }
        self.log.entries(self.range, low, high.min(cached), max)
    }

    fn cached(&self, low: u64, high: u64, max: u64, first: u64) -> Vec<Entry> {
        let skip = (low - first) as usize;
        let take = (high - low) as usize;
        let mut found = Vec::with_capacity(take.min(1024));
        let mut bytes = 0;
        for entry in self.cache.iter().skip(skip).take(take) {
            bytes += cost(entry) as u64;
            if bytes > max && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        found
    }
}

fn cost(entry: &Entry) -> usize {
    entry.data.len() + entry.context.len() + ENTRY_OVERHEAD
}

impl Storage for ReplicaLog {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState { hard_state: self.hard_state.clone(), conf_state: self.conf_state.clone() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.begin.index {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        let max = max_size.into().unwrap_or(u64::MAX);
        self.read(low, high, max).map_err(|error| {
            self.failure.set(Some(error));
            raft::Error::Store(StorageError::LogTemporarilyUnavailable)
        })
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        let missing = if index < self.begin.index { StorageError::Compacted } else { StorageError::Unavailable };
        self.term_at(index).ok_or(raft::Error::Store(missing))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.begin.index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last)
    }

    /// Never a snapshot: images travel beside Raft's messages, and raft-rs probes the follower meanwhile.
    fn snapshot(&self, _request_index: u64, to: u64) -> raft::Result<Snapshot> {
        let mut wanted = self.wanted.borrow_mut();
        if !wanted.contains(&ReplicaId(to)) {
            wanted.push(ReplicaId(to));
        }
        Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{GroupAppend, LogBatch, MemoryLog};

    fn entry(index: u64, term: u64) -> Entry {
        Entry { index, term, data: vec![index as u8; 8].into(), ..Entry::default() }
    }

    fn append(window: &mut ReplicaLog, entries: Vec<Entry>) {
        let group = GroupAppend { entries: entries.clone(), ..GroupAppend::new(RangeId(4)) };
        window.log.append(LogBatch { groups: vec![group], ..LogBatch::default() }, true).unwrap();
        window.appended(entries);
    }

    fn indexes(window: &ReplicaLog, low: u64, high: u64) -> Vec<(u64, u64)> {
        window.read(low, high, u64::MAX).unwrap().iter().map(|e| (e.index, e.term)).collect()
    }

    #[test]
    fn terms_and_entries_follow_overwrites_truncation_and_reopening() {
        let log: Arc<dyn LogStore> = Arc::new(MemoryLog::new());
        let open = |begin| {
            ReplicaLog::open(RangeId(4), log.clone(), begin, HardState::default(), ConfState::default()).unwrap()
        };
        let mut window = open(Position::FIRST);
        append(&mut window, vec![entry(11, 6), entry(12, 6), entry(13, 7)]);
        append(&mut window, vec![entry(13, 8), entry(14, 8)]);
        let terms: Vec<_> = (9..=15).map(|index| window.term_at(index)).collect();
        assert_eq!(terms, [None, Some(5), Some(6), Some(6), Some(8), Some(8), None]);
        assert_eq!(indexes(&window, 12, 15), [(12, 6), (13, 8), (14, 8)]);

        window.truncated(Position { index: 12, term: 6 });
        assert_eq!((window.term_at(11), window.term_at(12), window.term_at(13)), (None, Some(6), Some(8)));
        assert_eq!(window.entries(12, 15, None, GetEntriesContext::empty(false)).unwrap_err(), compacted());

        let again = open(Position { index: 12, term: 6 });
        assert_eq!((again.last(), again.term_at(14)), (14, Some(8)));
        assert_eq!(indexes(&again, 13, 15), [(13, 8), (14, 8)]);
    }

    fn compacted() -> raft::Error {
        raft::Error::Store(StorageError::Compacted)
    }

    #[test]
    fn the_cache_keeps_what_was_not_handed_over() {
        let log = Arc::new(MemoryLog::new());
        let mut window =
            ReplicaLog::open(RangeId(4), log, Position::FIRST, HardState::default(), ConfState::default()).unwrap();
        let big = |index| Entry { data: vec![0; CACHE_BYTES].into(), ..entry(index, 6) };
        append(&mut window, vec![big(11), big(12), big(13)]);
        window.evict(11);
        assert_eq!(window.cache.front().map(|e| e.index), Some(12));
        window.evict(13);
        assert_eq!(window.cache.len(), 0);
        assert_eq!(indexes(&window, 11, 14).len(), 3);
    }
}
