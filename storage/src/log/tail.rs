//! The newest entries of every group, kept in memory because Raft reads what was just appended: to send it, to apply it.
//!
//! ```text
//!   groups   r1: [7 8 9]   r2: [41]        each a gapless suffix of the group's log
//!   order    r1/7 r1/8 r2/41 r1/9          in order of append; the oldest is evicted first
//! ```
//! Entries that leave a group early (overwritten, truncated) keep their place in `order` until it is their turn, so the
//! bytes counted are never less than the bytes held.
//!
//! Invariant: what is held of a group ends with the group's last entry.

use super::GroupAppend;
use super::check::entry_bytes;
use crate::RangeId;
use raft::eraftpb::Entry;
use std::collections::{BTreeMap, VecDeque};

/// Recent entries of all groups, bounded in bytes.
#[derive(Debug)]
pub struct Tail {
    groups: BTreeMap<RangeId, VecDeque<Entry>>,
    order: VecDeque<(RangeId, u64, u64)>,
    bytes: u64,
    limit: u64,
}

impl Tail {
    /// An empty tail that holds at most `limit` bytes.
    pub fn new(limit: u64) -> Tail {
        Tail { groups: BTreeMap::new(), order: VecDeque::new(), bytes: 0, limit }
    }

    /// The entries held of `range`: ascending and gapless.
    pub fn entries(&self, range: RangeId) -> Option<&VecDeque<Entry>> {
        self.groups.get(&range)
    }

    /// Takes over what was appended.
    pub fn append(&mut self, group: GroupAppend) {
        let range = group.range;
        if group.reset {
            self.groups.remove(&range);
        }
        if let Some(first) = group.entries.first().map(|entry| entry.index) {
            let held = self.groups.entry(range).or_default();
            while held.back().is_some_and(|last| last.index >= first) {
                held.pop_back();
            }
            if held.back().is_some_and(|last| last.index + 1 != first) {
                held.clear();
            }
            for entry in group.entries {
                let bytes = entry_bytes(&entry);
                self.order.push_back((range, entry.index, bytes));
                self.bytes += bytes;
                held.push_back(entry);
            }
        }
        if let Some(to) = group.truncate_to {
            self.truncate(range, to);
        }
        self.evict();
    }

    /// Drops the entries of `range` with an index below `to`.
    pub fn truncate(&mut self, range: RangeId, to: u64) {
        let Some(held) = self.groups.get_mut(&range) else {
            return;
        };
        while held.front().is_some_and(|first| first.index < to) {
            held.pop_front();
        }
        if held.is_empty() {
            self.groups.remove(&range);
        }
    }

    fn evict(&mut self) {
        while self.bytes > self.limit {
            let Some((range, index, bytes)) = self.order.pop_front() else {
                return;
            };
            self.bytes -= bytes;
            self.truncate(range, index + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(range: u64, first: u64, count: u64) -> GroupAppend {
        let entry = |index| Entry { index, data: vec![7; 68].into(), ..Entry::default() };
        GroupAppend { entries: (first..first + count).map(entry).collect(), ..GroupAppend::new(RangeId(range)) }
    }

    fn held(tail: &Tail, range: u64) -> Vec<u64> {
        tail.entries(RangeId(range)).into_iter().flatten().map(|entry| entry.index).collect()
    }

    #[test]
    fn the_oldest_appends_leave_first_across_groups() {
        let mut tail = Tail::new(400);
        tail.append(append(1, 1, 2));
        tail.append(append(2, 9, 1));
        tail.append(append(1, 3, 1));
        assert_eq!((held(&tail, 1), held(&tail, 2)), (vec![1, 2, 3], vec![9]));
        tail.append(append(1, 4, 2));
        assert_eq!((held(&tail, 1), held(&tail, 2)), (vec![3, 4, 5], vec![9]));
        tail.append(append(1, 6, 1));
        assert_eq!((held(&tail, 1), held(&tail, 2)), (vec![3, 4, 5, 6], vec![]));
    }

    #[test]
    fn overwritten_and_truncated_entries_leave_at_once() {
        let mut tail = Tail::new(10_000);
        tail.append(append(1, 1, 5));
        tail.append(append(1, 4, 1));
        assert_eq!(held(&tail, 1), [1, 2, 3, 4]);
        tail.truncate(RangeId(1), 3);
        assert_eq!(held(&tail, 1), [3, 4]);
        tail.append(append(1, 9, 1));
        assert_eq!(held(&tail, 1), [9]);
        tail.append(GroupAppend { reset: true, ..GroupAppend::new(RangeId(1)) });
        assert_eq!(held(&tail, 1), [0; 0]);
    }
}
