//! Leases measured in IDs: a leader serves reads up to a bound that a quorum granted, without asking anybody.
//!
//! ```text
//!   leader of term t   bound E, granted by a quorum at moments when its terms were <= t
//!   voter              g := max of all bounds that it granted; told with its vote
//!   new leader         floor := max(g of its voters, floors and writes in its log), in the first entry of its term;
//!                      and, once that is committed, a fresh ID of the oracle
//!   read at S <= E     served; so is one at S > E after a quorum confirmed the term. No later write here at C <= S
//!   write at C         taken if C > floor and above all that was read here
//! ```
//! A deposed leader that does not know it goes on reading at S <= E, rightly: whoever was elected after it has a floor
//! of E at least. Clocks take no part. The question is what happens to that floor when the range is split, whose right
//! half is a group of fresh voters, and when the voters change.
//!
//! ```text
//!   split or change of voters:   nothing is served from its proposal until it is applied; E := 0 then, and what was
//!                                asked for before does not count
//!   right half                   inherits the floor of the log
//!   voters                       joint: {A B C} ─► majorities of both ─► {B}, or {A} ─► ... ─► {A B C}
//! ```
//! One key is read and written: that of the right half, if there is a split. Raft is modelled with its logs: an
//! election takes the votes of a smallest quorum at once, a leader copies its log to one follower at a time and hears
//! of it or not. A smallest quorum is a leader and at most one more, so that what it hears, and is granted, is known by
//! one answer. As in raft-rs, a configuration counts once it is applied.
//!
//! A leader need not have the oracle advanced above its floor: it refuses until the IDs get there. So what is found
//! here does not rest on the oracle's help.
//!
//! Bounds: three nodes; a few IDs, terms and log entries. Nodes that are alike count once.

mod node;
mod state;
mod steps;
mod voters;

pub use node::{Entry, Node};
pub use state::State;
use stateright::{Model, Property};
pub use steps::{Action, Step};

/// Nodes.
pub const NODES: usize = 3;
/// The range, or its left half; and the right half.
pub const WHOLE: usize = 0;
/// See [`WHOLE`].
pub const RIGHT: usize = 1;

/// What happens to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// A split.
    Split,
    /// Of three voters the second stays alone.
    Shrink,
    /// The first voter gets two more, which are learners before.
    Grow,
}

/// The rule that is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutant {
    /// None: the protocol as it is.
    #[default]
    None,
    /// A new leader does not look at what its voters granted.
    GrantsIgnored,
    /// A new leader takes no fresh ID of the oracle for its floor: reads that a quorum confirmed are not in any grant.
    NoFreshId,
    /// The right half does not inherit the floor.
    FloorNotOverSplit,
    /// The floor stays in the leader's memory, out of the log.
    FloorNotInLog,
    /// A leader goes on reading under its bound while it has proposed a split.
    BoundOverSplit,
    /// A leader keeps its bound over a change of voters.
    BoundOverChange,
    /// Grants that were asked for before a change of voters count after it.
    GrantOverChange,
}

/// One range, and what is wrong.
#[derive(Clone, Debug)]
pub struct Leases {
    change: Change,
    /// IDs that the oracle hands out.
    ids: u8,
    /// Highest term of the range, and of its right half.
    terms: [u8; 2],
    /// Longest log.
    entries: usize,
    mutant: Mutant,
}

impl Leases {
    /// A range to which this happens.
    pub fn new(change: Change) -> Leases {
        let (ids, terms, entries) = match change {
            Change::Nothing => (3, [3, 0], 4),
            Change::Split => (2, [2, 2], 3),
            Change::Shrink => (2, [3, 0], 5),
            Change::Grow => (2, [3, 0], 5),
        };
        Leases { change, ids, terms, entries, mutant: Mutant::None }
    }

    /// Leaves a rule out.
    pub fn without(self, mutant: Mutant) -> Leases {
        Leases { mutant, ..self }
    }
}

impl Model for Leases {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.enabled(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.act(&mut next, action);
        let next = next.representative(self.change);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Leases>> {
        let mut properties = vec![
            Property::always("no read misses a write", |_, state: &State| state.missed & state.committed == 0),
            Property::sometimes("a deposed leader reads under its bound", |_, state: &State| state.reads_deposed()),
            Property::sometimes("a later leader writes", |_, state: &State| state.later_writes()),
        ];
        if self.change != Change::Nothing {
            properties.push(Property::sometimes("a write after the change", |_, state: &State| state.wrote_changed()));
        }
        properties
    }
}
