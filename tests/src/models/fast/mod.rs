//! Path FAST with its recovery, a second attempt, and the collection of registers.
//!
//! ```text
//!   gateway     PrepareFast(n, C=n) to all ─► all PREPARED: told committed
//!        │             ├─► refused for ever, or ABORTED: told aborted, attempt n+1
//!        │             └─► silence: Inquire ─► Survey::decide ─► told what the registers say
//!   recoverer   Inquire ─► Survey::decide ─► DoCommit / DoAbort
//!   range       promises a reader an ID above C=1 · changes its leader
//!               attempt floor: NONE, ABORTED, and COMMITTED where all have ended, become FORGOTTEN
//! ```
//! A promise refuses attempt 1 for ever once the leadership that gave it was confirmed after it. Until then it is held
//! in the memory of a leader and goes with it, and a copy of the same prepare might be taken. Attempt 2 writes the same
//! keys, so it is laid only where attempt 1 holds nothing.
//!
//! Forgotten is no vote and no outcome: the attempt may have been committed and collected everywhere. Whoever inquires
//! keeps in mind who answered so, and asks all again. A register that it then finds undecided proves that these were
//! ABORTED or never voted.
//!
//! Bounds: two attempts, one recoverer each. Members are alike: states that differ by their order count once.

mod state;
mod steps;

use super::registers::{Members, Verdict};
use quorate_storage::mutation::plant;
pub use state::{Attempt, Column, Phase, Promise, State};
use stateright::{Model, Property};
pub use steps::Action;

/// Most participants.
pub const MEMBERS: usize = 3;
/// Attempts of the transaction.
pub const ATTEMPTS: usize = 2;
/// The gateway's part of an attempt, and its recoverer.
pub const GATEWAY: usize = 0;
/// See [`GATEWAY`].
pub const RECOVERER: usize = 1;

/// The rule that is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutant {
    /// None: the protocol as it is.
    #[default]
    None,
    /// A gateway that misses a vote takes the attempt for aborted.
    AbortedUnasked,
    /// Recovery commits when all that answered are PREPARED.
    DecidedWithoutAll,
    /// A register that is COMMITTED is collected before the others have ended.
    CollectedUnasked,
    /// A register is made again where one was collected: above the floor, or below it.
    Unfenced,
    /// Who inquires takes a member that has forgotten the attempt for ABORTED, whatever the others say.
    ForgottenIsAborted,
    /// It does so once a register is undecided, which may have been read before that answer.
    OrderIgnored,
    /// A leader that was deposed answers inquiries, with the vote that it knows of.
    InquiredUnconfirmed,
    /// A register that is NONE answers Forgotten while the floor is being raised, which may fail.
    ForgottenTooSoon,
    /// The gateway takes Forgotten for a refusal for ever.
    ForgottenTold,
    /// A refusal for a promise does not look whether the floor has passed the attempt meanwhile.
    RefusedBelowFloor,
    /// A leader refuses for a promise of its own without confirming that it still leads.
    RefusedUnconfirmed,
}

/// A transaction over so many ranges, and what is wrong.
#[derive(Clone, Debug)]
pub struct Fast {
    participants: usize,
    attempts: usize,
    mutant: Mutant,
    members: Members,
}

impl Fast {
    /// Two or three participants, one or two attempts.
    pub fn new(participants: usize, attempts: usize) -> Fast {
        Fast { participants, attempts, mutant: Mutant::None, members: Members::new(participants, false) }
    }

    /// Leaves a rule out.
    pub fn without(self, mutant: Mutant) -> Fast {
        Fast { mutant, ..self }
    }

    fn plant(&self) {
        let wholly = self.mutant != Mutant::DecidedWithoutAll;
        plant(if wholly { "" } else { "fast-decided-without-all" });
    }
}

impl Model for Fast {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.enabled(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.plant();
        let mut next = state.clone();
        self.act(&mut next, action);
        next.columns[..self.participants].sort_unstable();
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Fast>> {
        let mut properties = vec![
            Property::always("one outcome", |_, state: &State| {
                state.attempts.iter().all(|attempt| !attempt.history.torn)
            }),
            Property::always("applied once", |_, state: &State| {
                state.attempts.iter().filter(|attempt| attempt.history.committed != 0).count() <= 1
            }),
            Property::always("a recovery that reaches all ends it", Fast::recovery_ends),
            Property::sometimes("the gateway commits", |_, state: &State| state.told(0, GATEWAY, Verdict::Commit(1))),
            Property::sometimes("a recoverer commits what the gateway was not told", |_, state: &State| {
                state.told(0, RECOVERER, Verdict::Commit(1)) && !state.told(0, GATEWAY, Verdict::Commit(1))
            }),
            Property::sometimes("a commit is collected everywhere", |model: &Fast, state: &State| {
                state.attempts[0].history.committed != 0 && model.all_forgotten(state)
            }),
        ];
        if self.attempts > 1 {
            let second = |_: &Fast, state: &State| state.told(1, GATEWAY, Verdict::Commit(2));
            properties.push(Property::sometimes("the second attempt commits", second));
        }
        properties
    }
}
