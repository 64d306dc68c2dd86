//! What must be so in every state of three-phase commit.

use super::super::registers::{Cell, Verdict};
use super::{Action, Phase, State, ThreePhase};
use quorate_txn::api::RegisterState;
use quorate_txn::commit::quorum;

impl ThreePhase {
    /// Once somebody has it committed, a quorum holds that, and goes on holding it until it is collected.
    pub(super) fn commit_lies_in_a_quorum(&self, state: &State) -> bool {
        let committed = state.history.committed;
        let holds = |register: Cell| {
            let commits = register.is(RegisterState::PreCommit) || register.is(RegisterState::Committed);
            register == Cell::FORGOTTEN || commits && register.commit_id() == committed
        };
        let acceptors = || (0..self.members()).filter(|member| self.surveyed.is_acceptor(*member));
        let holding = acceptors().filter(|member| holds(state.columns[*member].register)).count();
        committed == 0 || holding >= quorum(acceptors().count())
    }

    /// Nobody proposes a commit while a register may still refuse it.
    pub(super) fn commit_is_voted(&self, state: &State) -> bool {
        state.processes.iter().all(|process| !process.sent.is_commit())
            || self.registers(state).all(|register| !register.is(RegisterState::None))
    }

    /// One more terminator would end the attempt now, even if any one group of a majority of three were away; unless
    /// all whom it reaches have forgotten the attempt. It asks twice if it must.
    pub(super) fn recovery_ends(&self, state: &State) -> bool {
        let last = self.processes - 1;
        if state.processes[last].phase != Phase::Idle {
            return true;
        }
        let spare = if self.members() > 2 { self.members() } else { 0 };
        self.ends(state, last, None) && (0..spare).all(|away| self.ends(state, last, Some(away)))
    }

    fn ends(&self, state: &State, process: usize, away: Option<usize>) -> bool {
        let mut state = state.clone();
        let reached = || (0..self.members()).filter(|member| Some(*member) != away);
        self.act(&mut state, Action::Start(process));
        for _ in 0..2 {
            for member in reached() {
                self.act(&mut state, Action::Inquire(process, member));
            }
            if state.processes[process].phase != Phase::Asking || self.proposals(&state, process)[0].is_some() {
                break;
            }
            state.enter(process, Phase::Asking);
        }
        if let (Phase::Asking, [Some(verdict), _]) = (state.processes[process].phase, self.proposals(&state, process)) {
            self.act(&mut state, Action::Decide(process, verdict));
            for member in reached().filter(|member| self.surveyed.is_acceptor(*member)) {
                self.act(&mut state, Action::Propose(process, member));
            }
        }
        let known = |member: usize| state.columns[member].register != Cell::FORGOTTEN;
        state.processes[process].phase == Phase::Done || !reached().any(known)
    }

    /// Committed, and collected everywhere.
    pub(super) fn is_over(&self, state: &State) -> bool {
        state.history.committed != 0 && self.registers(state).all(|register| register == Cell::FORGOTTEN)
    }

    /// A terminator aborts what the coordinator was about to commit.
    pub(super) fn overtaken(state: &State) -> bool {
        state.processes[1].sent == Verdict::Abort && state.processes[0].sent.is_commit()
    }
}
