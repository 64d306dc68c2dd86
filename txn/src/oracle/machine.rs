//! The oracle's state at the leader, as calls in, values out.
//!
//! ```text
//!   start(limit found) ─► propose limit + WINDOW ─► limit_applied ─► allocate ... ─► renewal ─► limit_applied ...
//! ```
//! Invariant: `next` never exceeds `limit`, and `limit` is what the log holds in this term.

use super::Witness;
use crate::TxnId;
use bincode::{Decode, Encode};
use quorate_storage::NodeId;

/// IDs reserved by one log entry.
pub const WINDOW: u64 = 4 << 20;

/// What a gateway wants: nothing but S, or also commit IDs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Ask {
    /// How many commit IDs.
    pub commits: u32,
    /// Whether the commit ID becomes the catalog ID (then one is allocated).
    pub catalog: bool,
    /// Whether leadership must be confirmed after the request arrived. Every S needs it; a commit ID does not if it
    /// turns out to be above a confirmed S.
    pub confirm: bool,
    /// The node that asks, if it will confirm the leadership itself as far as its own replica can.
    pub asker: Option<NodeId>,
    /// Makes every later ID larger than this one.
    pub above: Option<TxnId>,
    /// Asks for the ID that was the largest handed out at this time (microseconds since 1970) instead of now.
    pub as_of: Option<u64>,
}

/// What the oracle gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Allocation {
    /// The largest ID handed out before this request: an S. If one of the past was asked for, that one; 0 if the time lies
    /// before all that is remembered.
    pub read_id: TxnId,
    /// The first of the commit IDs asked for; they are consecutive.
    pub first_commit: TxnId,
    /// The newest ID of a change of the catalog.
    pub catalog_id: TxnId,
    /// What the asker must find to be so before it uses any of this.
    pub witness: Option<Witness>,
}

/// IDs of one term of leadership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    next: u64,
    limit: u64,
    catalog_id: u64,
    serving: bool,
}

impl Machine {
    /// A new leader that found this limit and catalog ID in its state. It serves after [`Machine::limit_applied`].
    pub fn start(limit: u64, catalog_id: u64) -> Machine {
        let next = limit.max(1);
        Machine { next, limit: next, catalog_id, serving: false }
    }

    /// The limit to write next so that a whole window is free, and IDs above `above` can be handed out.
    pub fn next_limit(&self, above: u64) -> u64 {
        self.next.max(above.saturating_add(1)).saturating_add(WINDOW)
    }

    /// The log holds this limit, in this term.
    pub fn limit_applied(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
        self.serving = true;
    }

    /// No ID at or below `above` will be handed out from now on. The limit must be applied first.
    pub fn advance(&mut self, above: u64) {
        assert!(above < self.limit, "the caller raised the limit beyond the ID before");
        self.next = self.next.max(above + 1);
    }

    /// Half of the window is used up.
    pub fn wants_renewal(&self) -> bool {
        self.limit - self.next < WINDOW / 2
    }

    /// Hands out; `None` if the limit is in the way. A catalog change becomes visible in later answers at once.
    pub fn allocate(&mut self, ask: &Ask) -> Option<Allocation> {
        let count = if ask.catalog { 1 } else { u64::from(ask.commits) };
        if !self.serving || self.limit - self.next < count {
            return None;
        }
        let first = self.next;
        self.next += count;
        if ask.catalog {
            self.catalog_id = first;
        }
        Some(Allocation {
            read_id: TxnId(first - 1),
            first_commit: TxnId(first),
            catalog_id: TxnId(self.catalog_id),
            witness: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commits(commits: u32) -> Ask {
        Ask { commits, ..Ask::default() }
    }

    fn given(read_id: u64, catalog_id: u64) -> Option<Allocation> {
        let first_commit = TxnId(read_id + 1);
        Some(Allocation { read_id: TxnId(read_id), first_commit, catalog_id: TxnId(catalog_id), witness: None })
    }

    #[test]
    fn serves_only_after_its_limit_and_hands_out_densely() {
        let mut machine = Machine::start(0, 0);
        assert_eq!(machine.allocate(&commits(0)), None);
        assert_eq!(machine.next_limit(0), 1 + WINDOW);
        machine.limit_applied(1 + WINDOW);
        assert_eq!(machine.allocate(&commits(0)), given(0, 0));
        assert_eq!(machine.allocate(&commits(3)), given(0, 0));
        assert_eq!(machine.allocate(&commits(1)), given(3, 0));
        assert_eq!(machine.allocate(&commits(0)), given(4, 0));
    }

    #[test]
    fn the_next_leader_begins_where_no_id_was_given() {
        let mut first = Machine::start(0, 0);
        first.limit_applied(first.next_limit(0));
        let last = first.allocate(&commits(1_000)).unwrap().first_commit.0 + 999;
        let mut second = Machine::start(1 + WINDOW, 0);
        second.limit_applied(second.next_limit(0));
        assert!(second.allocate(&commits(1)).unwrap().first_commit.0 > last);
    }

    #[test]
    fn stops_at_the_limit_and_renews_before() {
        let mut machine = Machine::start(0, 0);
        machine.limit_applied(1 + WINDOW);
        assert!(!machine.wants_renewal());
        let half = u32::try_from(WINDOW / 2 + 1).unwrap();
        machine.allocate(&commits(half)).unwrap();
        assert!(machine.wants_renewal());
        assert_eq!(machine.allocate(&commits(half)), None);
        machine.limit_applied(machine.next_limit(0));
        assert_eq!(machine.allocate(&commits(half)), given(WINDOW / 2 + 1, 0));
    }

    #[test]
    fn a_late_renewal_never_lowers_the_limit_and_advancing_skips() {
        let mut machine = Machine::start(0, 0);
        machine.limit_applied(machine.next_limit(9_000_000));
        machine.limit_applied(1 + WINDOW);
        machine.advance(9_000_000);
        assert_eq!(machine.allocate(&commits(1)), given(9_000_000, 0));
    }

    #[test]
    fn a_catalog_change_shows_in_every_later_answer() {
        let mut machine = Machine::start(0, 5);
        machine.limit_applied(machine.next_limit(0));
        assert_eq!(machine.allocate(&commits(1)), given(0, 5));
        assert_eq!(machine.allocate(&Ask { catalog: true, ..Ask::default() }), given(1, 2));
        assert_eq!(machine.allocate(&commits(0)), given(2, 2));
    }
}
