//! What is stored of an execution: both halves' replicas, the oracle, and what reads missed.

use super::node::{Entry, Kind, Lead, Node};
use super::{Change, NODES, RIGHT, WHOLE};

/// One state. Sets of IDs are bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The ID that the oracle hands out next.
    pub next: u8,
    /// IDs at or below some read that it did not see written.
    pub missed: u8,
    /// IDs at which a write was committed.
    pub committed: u8,
    /// Replicas of the range or its left half, and of its right half.
    pub groups: [[Node; NODES]; 2],
}

impl State {
    /// The first node leads the range in term 1, and everybody knows. The right half begins in that term too, once it
    /// exists.
    pub fn new() -> State {
        let mut groups = [[Node { term: 1, ..Node::default() }; NODES]; 2];
        groups[WHOLE][0].lead = Lead { leads: true, ..Lead::default() };
        State { next: 1, missed: 0, committed: 0, groups }
    }

    /// The state that stands for all that differ by the numbers of like nodes, or by what nobody will look at.
    pub fn representative(mut self, change: Change) -> State {
        for n in 0..NODES {
            let split = self.has_right(n);
            self.groups[WHOLE][n].forget(split);
            self.groups[RIGHT][n].forget(false);
        }
        let mut order = [0, 1, 2];
        let key = |n: &usize| self.groups.map(|nodes| nodes[*n]);
        match change {
            Change::Nothing | Change::Split => order.sort_by_key(key),
            Change::Shrink if key(&0) > key(&2) => order = [2, 1, 0],
            Change::Grow if key(&1) > key(&2) => order = [0, 2, 1],
            Change::Shrink | Change::Grow => {}
        }
        let groups = self.groups.map(|nodes| order.map(|n| nodes[n]));
        State { groups, ..self }
    }

    /// Whether a leader may read at an ID of the oracle although a later one has begun.
    pub fn reads_deposed(&self) -> bool {
        let leaders = || self.groups[WHOLE].iter().filter(|node| node.is_ready());
        let late = leaders().map(|node| node.term).max();
        leaders().any(|node| late > Some(node.term) && node.lead.bound > 0 && node.lead.bound < self.next)
    }

    /// Whether a leader of a later term than the first has committed a write.
    pub fn later_writes(&self) -> bool {
        let done = self.groups[WHOLE].iter().flat_map(Node::done);
        let mut writes = done.filter(|entry| matches!(entry.kind(), Kind::Write(_)));
        writes.any(|entry| entry.term() > 1)
    }

    /// Whether a write was committed in the right half, or behind the change of voters.
    pub fn wrote_changed(&self) -> bool {
        let wrote = |entries: &[Entry]| Node::writes(entries) != 0;
        self.groups[RIGHT].iter().any(|node| wrote(node.done()))
            || self.groups[WHOLE].iter().any(|node| {
                let left = node.done().iter().position(|entry| entry.kind() == Kind::Leave);
                left.is_some_and(|at| wrote(&node.done()[at..]))
            })
    }

    /// Whether the right half exists at this node.
    pub fn has_right(&self, n: usize) -> bool {
        !self.groups[RIGHT][n].entries().is_empty()
    }

    /// Whether this group holds the key at this node: the whole range until the node has applied a split.
    pub fn has_key(&self, group: usize, n: usize) -> bool {
        group == RIGHT || !self.has_right(n)
    }

    /// The writes that a replica has applied; a right half began with those of the whole range.
    pub fn seen(&self, group: usize, n: usize) -> u8 {
        let inherited = if group == RIGHT { Node::writes(self.groups[WHOLE][n].done()) } else { 0 };
        inherited | Node::writes(self.groups[group][n].done())
    }
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}
