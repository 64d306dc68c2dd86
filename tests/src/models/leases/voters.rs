//! Who votes and grants, before, during and after a change.

use super::node::{Kind, Node};
use super::{Change, Leases, NODES};

/// The voters as a replica has applied them.
pub const BEFORE: u8 = 0;
/// Majorities of both are asked.
pub const JOINT: u8 = 1;
/// The change is over.
pub const AFTER: u8 = 2;

/// All nodes.
const ALL: u8 = 0b111;

impl Leases {
    /// The configuration that this replica has applied.
    pub(super) fn configuration(&self, node: &Node) -> u8 {
        let has = |kind| node.done().iter().any(|entry| entry.kind() == kind);
        if has(Kind::Leave) {
            AFTER
        } else if has(Kind::Joint) {
            JOINT
        } else {
            BEFORE
        }
    }

    /// Whether this node is a voter.
    pub(super) fn is_voter(&self, configuration: u8, n: usize) -> bool {
        let (before, after) = self.voters();
        let voters = [before, before | after, after][usize::from(configuration)];
        voters >> n & 1 == 1
    }

    /// Whether this set of nodes is a quorum.
    pub(super) fn is_quorum(&self, configuration: u8, set: u8) -> bool {
        let (before, after) = self.voters();
        let majority = |voters: u8| (set & voters).count_ones() > voters.count_ones() / 2;
        (configuration == AFTER || majority(before)) && (configuration == BEFORE || majority(after))
    }

    /// The smallest quorums with this node.
    pub(super) fn quorums(&self, configuration: u8, n: usize) -> impl Iterator<Item = u8> {
        let is_quorum = move |set: u8| self.is_quorum(configuration, set);
        let smaller = move |set: u8| {
            (0..NODES).filter(move |other| *other != n && set >> other & 1 == 1).map(move |other| set & !(1 << other))
        };
        (0..=ALL).filter(move |set| set >> n & 1 == 1 && is_quorum(*set) && !smaller(*set).any(is_quorum))
    }

    fn voters(&self) -> (u8, u8) {
        match self.change {
            Change::Nothing | Change::Split => (ALL, ALL),
            Change::Shrink => (ALL, 0b010),
            Change::Grow => (0b001, ALL),
        }
    }
}

/// The nodes of a set.
pub fn members(set: u8) -> impl Iterator<Item = usize> {
    (0..NODES).filter(move |n| set >> n & 1 == 1)
}
