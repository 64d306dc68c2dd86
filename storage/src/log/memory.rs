//! The Raft log in memory, for `Database::in_memory()`, tests and simulation.
//!
//! An append with `sync` is durable when it returns, as on disk. A truncation without `sync` waits and joins the next
//! append; a crash loses it, and the entries it covered are found again: see [`MemoryLog::crash`].
//!
//! Invariant: what [`LogStore`] readers see does not depend on whether a truncation has been written.

use super::check::{check_append, only_truncates, select};
use super::{GroupAppend, LogBatch, LogStore};
use crate::{Error, RangeId};
use parking_lot::RwLock;
use raft::eraftpb::{Entry, HardState};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

/// One group's part of the log.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Ascending and gapless.
    entries: VecDeque<Entry>,
    hard_state: Option<HardState>,
    /// Entries below this are hidden from readers; the truncation is not written yet.
    hidden_below: u64,
}

impl Group {
    /// First and last index that are not hidden.
    fn bounds(&self) -> Option<(u64, u64)> {
        let last = self.entries.back()?.index;
        let first = self.entries.front()?.index.max(self.hidden_below);
        (first <= last).then_some((first, last))
    }

    fn append(&mut self, group: GroupAppend) {
        if group.reset {
            *self = Group::default();
        }
        self.truncate();
        if let Some(first) = group.entries.first() {
            while self.entries.back().is_some_and(|last| last.index >= first.index) {
                self.entries.pop_back();
            }
        }
        self.entries.extend(group.entries);
        self.hidden_below = group.truncate_to.unwrap_or(0);
        self.truncate();
        if group.hard_state.is_some() {
            self.hard_state = group.hard_state;
        }
    }

    /// Writes the waiting truncation.
    fn truncate(&mut self) {
        while self.entries.front().is_some_and(|first| first.index < self.hidden_below) {
            self.entries.pop_front();
        }
        self.hidden_below = 0;
    }

    fn is_empty(&self) -> bool {
        self.hard_state.is_none() && self.entries.is_empty()
    }
}

/// A [`LogStore`] in memory.
#[derive(Debug, Default)]
pub struct MemoryLog {
    /// Guards all groups. Held for one append or one read.
    groups: RwLock<BTreeMap<RangeId, Group>>,
    granted: AtomicU64,
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> MemoryLog {
        MemoryLog::default()
    }

    /// What a restart finds after the process died now: everything that was appended with `sync`, without the
    /// truncations that were not.
    pub fn crash(&self) -> MemoryLog {
        let mut groups = self.groups.read().clone();
        for group in groups.values_mut() {
            group.hidden_below = 0;
        }
        MemoryLog { groups: RwLock::new(groups), granted: AtomicU64::new(self.granted.load(Ordering::SeqCst)) }
    }

    fn read<T>(&self, range: RangeId, read: impl FnOnce(&Group) -> T) -> Option<T> {
        self.groups.read().get(&range).map(read)
    }
}

impl LogStore for MemoryLog {
    fn append(&self, batch: LogBatch, sync: bool) -> Result<(), Error> {
        let mut groups = self.groups.write();
        for group in &batch.groups {
            let bounds = groups.get(&group.range).and_then(Group::bounds);
            check_append(group, bounds)?;
        }
        let hide_only = !sync && only_truncates(&batch);
        for group in batch.groups {
            let to = group.truncate_to.unwrap_or(0);
            if !hide_only {
                groups.entry(group.range).or_default().append(group);
            } else if let Some(held) = groups.get_mut(&group.range) {
                held.hidden_below = held.hidden_below.max(to);
            }
        }
        groups.retain(|_, group| !group.is_empty());
        if let Some(granted) = batch.granted {
            self.granted.store(granted, Ordering::SeqCst);
        }
        Ok(())
    }

    fn entries(&self, range: RangeId, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, Error> {
        let gap = Error::LogGap { range, low, high };
        let groups = self.groups.read();
        let Some(group) = groups.get(&range) else {
            return if low < high { Err(gap) } else { Ok(Vec::new()) };
        };
        select(&group.entries, group.bounds(), low, high, max_bytes).ok_or(gap)
    }

    fn bounds(&self, range: RangeId) -> Result<Option<(u64, u64)>, Error> {
        Ok(self.read(range, Group::bounds).flatten())
    }

    fn hard_state(&self, range: RangeId) -> Result<Option<HardState>, Error> {
        Ok(self.read(range, |group| group.hard_state.clone()).flatten())
    }

    fn granted(&self) -> Result<u64, Error> {
        Ok(self.granted.load(Ordering::SeqCst))
    }

    fn groups(&self) -> Result<Vec<RangeId>, Error> {
        Ok(self.groups.read().keys().copied().collect())
    }

    fn purge(&self) -> Result<Vec<RangeId>, Error> {
        let mut groups = self.groups.write();
        groups.values_mut().for_each(Group::truncate);
        groups.retain(|_, group| !group.is_empty());
        Ok(Vec::new())
    }
}
