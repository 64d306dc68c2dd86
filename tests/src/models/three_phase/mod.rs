//! Three-phase commit with its recovery: one coordinator, two or three terminators, messages lost, doubled and late.
//!
//! ```text
//!   coordinator (ballot 0)     CanCommit ─► all voted yes ─► PreCommit(0, C=1) ─► quorum ─► told, DoCommit
//!                                     │                 └──► PreAbort(0) ───────► quorum ─► told, DoAbort
//!                                     └─ a NO: told, DoAbort
//!   terminators (ballots 1 ..) Inquire(b) ─► Survey::decide ─► PreCommit(b, C=b+1) / PreAbort(b) ─► quorum ─► told
//!   range                      attempt floor: NONE, ABORTED, and COMMITTED where all have ended, become FORGOTTEN
//! ```
//! The coordinator gives up early too (PreAbort before all have voted): the product inquires instead, the protocol
//! allows both. Two participants decide together; three or four by the majority of three; two with an arbiter by the
//! majority of the three. An arbiter is a group without keys that the same CanCommit prepares.
//!
//! Forgotten is no vote and no outcome: the attempt may have been committed and collected everywhere. A terminator
//! keeps in mind who answered so. A register that it then finds undecided, in a later ask, proves that these were
//! ABORTED or never voted.
//!
//! Bounds: a ballot per terminator (one that tries again is one more, with what it knew of who has forgotten); commit
//! IDs are 1 and ballot + 1, for only their being different matters. Members of one kind are alike: states that differ
//! by their order count once.

mod claims;
mod state;
mod steps;

use super::registers::{Members, Verdict};
use quorate_storage::mutation::plant;
pub use state::{Column, Phase, Process, State};
use stateright::{Model, Property};
pub use steps::Action;

/// Most members of an attempt.
pub const MEMBERS: usize = 4;
/// A coordinator and at most three terminators.
pub const PROCESSES: usize = 4;

/// The rule that is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutant {
    /// None: the protocol as it is.
    #[default]
    None,
    /// Textbook three-phase commit: who voted yes aborts by a timer, who accepted a commit commits by one.
    TimersDecide,
    /// A register accepts proposals below the ballot that it promised.
    FenceIgnored,
    /// Recovery goes on without a quorum, and concludes without one.
    NoQuorum,
    /// Recovery takes the votes of the participants for all votes: the arbiter may not have voted yet.
    ArbiterUnasked,
    /// A terminator uses the ballot of another, here of the coordinator.
    BallotShared,
    /// A register that is COMMITTED is collected before the others have ended.
    CollectedUnasked,
    /// A register is made again where one was collected: above the floor, or below it.
    Unfenced,
    /// A terminator takes a member that has forgotten the attempt for ABORTED, whatever the others say.
    ForgottenIsAborted,
    /// It does so once a register is undecided, which may have been read before that answer.
    OrderIgnored,
    /// A member that answers a proposal with NONE counts as one that has forgotten.
    NoneIsForgotten,
    /// The coordinator takes Forgotten for a NO.
    ForgottenTold,
}

impl Mutant {
    /// The product's name for the bug, if the product's line is the one that is missed.
    fn planted(self) -> &'static str {
        match self {
            Mutant::FenceIgnored => "fence-ignored",
            Mutant::NoQuorum => "decided-without-quorum",
            Mutant::ArbiterUnasked => "arbiter-unasked",
            _ => "",
        }
    }
}

/// Who takes part, and what is wrong.
#[derive(Clone, Debug)]
pub struct ThreePhase {
    participants: usize,
    arbiter: bool,
    collects: bool,
    processes: usize,
    mutant: Mutant,
    surveyed: Members,
}

impl ThreePhase {
    /// Two to four participants, and terminators of whom there are two or three.
    pub fn new(participants: usize, terminators: usize) -> ThreePhase {
        let (processes, surveyed) = (terminators + 1, Members::new(participants, false));
        ThreePhase { participants, arbiter: false, collects: true, processes, mutant: Mutant::None, surveyed }
    }

    /// Adds an arbiter.
    pub fn arbitrated(self) -> ThreePhase {
        ThreePhase { arbiter: true, surveyed: Members::new(self.participants, true), ..self }
    }

    /// Keeps all registers: no floor rises.
    pub fn keeping(self) -> ThreePhase {
        ThreePhase { collects: false, ..self }
    }

    /// Leaves a rule out.
    pub fn without(self, mutant: Mutant) -> ThreePhase {
        ThreePhase { mutant, ..self }
    }

    fn members(&self) -> usize {
        self.participants + usize::from(self.arbiter)
    }

    /// The first so many members are alike.
    fn alike(&self) -> usize {
        self.participants.min(MEMBERS - 1)
    }

    fn ballot(&self, process: usize) -> u8 {
        let shared = self.mutant == Mutant::BallotShared && process > 0;
        process as u8 - u8::from(shared)
    }
}

impl Model for ThreePhase {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        plant(self.mutant.planted());
        self.enabled(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        plant(self.mutant.planted());
        let mut next = state.clone();
        self.act(&mut next, action);
        next.columns[..self.alike()].sort_unstable();
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<ThreePhase>> {
        let mut properties = vec![
            Property::always("one outcome", |_, state: &State| !state.history.torn),
            Property::always("a commit lies in a quorum", ThreePhase::commit_lies_in_a_quorum),
            Property::always("a commit is proposed after every vote", ThreePhase::commit_is_voted),
            Property::always("one more recovery ends it", ThreePhase::recovery_ends),
            Property::sometimes("the coordinator commits", |_, state: &State| state.concluded(0, Verdict::Commit(1))),
            Property::sometimes("a terminator commits at its own ID", |_, state: &State| {
                state.concluded(2, Verdict::Commit(3)) && !state.processes[0].sent.is_commit()
            }),
            Property::sometimes("a terminator finishes the coordinator's commit", |_, state: &State| {
                state.concluded(2, Verdict::Commit(1)) && state.processes[0].done == Verdict::Open
            }),
            Property::sometimes("a terminator aborts what all have voted for", |_, state: &State| {
                ThreePhase::overtaken(state)
            }),
        ];
        if self.collects {
            properties.push(Property::sometimes("a commit is collected everywhere", ThreePhase::is_over));
        }
        properties
    }
}
