//! What may happen next in three-phase commit.

use super::super::registers::{Answer, Cell, Forgotten, Verdict, ballot};
use super::{Mutant, Phase, State, ThreePhase};
use quorate_txn::TxnId;
use quorate_txn::api::RegisterState;
use quorate_txn::commit::{Decision, Message, Survey, Value};

/// One step: of a process, or a message that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A process sends CanCommit or Inquire to all.
    Start(usize),
    /// CanCommit arrives at this member, and is taken or refused.
    CanCommit(usize, bool),
    /// Inquire of this process arrives at this member.
    Inquire(usize, usize),
    /// A terminator that knows of somebody who has forgotten begins anew, as this other process.
    Again(usize, usize),
    /// A process makes its proposal.
    Decide(usize, Verdict),
    /// It arrives at this member.
    Propose(usize, usize),
    /// The outcome that this process tells arrives at this member.
    Tell(usize, usize),
    /// The floor of this member's range rises above the attempt, and what may go there goes.
    Collect(usize),
    /// This member's timer rings, where timers decide.
    Ring(usize),
}

impl ThreePhase {
    pub(super) fn enabled(&self, state: &State, actions: &mut Vec<Action>) {
        for process in 0..self.processes {
            if state.processes[process].phase == Phase::Idle {
                actions.push(Action::Start(process));
            } else {
                self.enabled_of(state, process, actions);
            }
        }
        let members = 0..self.members();
        if self.mutant == Mutant::TimersDecide {
            actions.extend(members.clone().map(Action::Ring));
        }
        let members = members.filter(|_| self.collects);
        actions.extend(members.filter(|member| self.may_go(state, *member)).map(Action::Collect));
    }

    fn enabled_of(&self, state: &State, process: usize, actions: &mut Vec<Action>) {
        let own = state.processes[process];
        for member in 0..self.members() {
            if process > 0 {
                actions.push(Action::Inquire(process, member));
            } else {
                actions.push(Action::CanCommit(member, true));
                let unheard = state.columns[member].register.is(RegisterState::None);
                actions.extend(unheard.then_some(Action::CanCommit(member, false)));
            }
            if own.sent != Verdict::Open && (process == 0 || self.surveyed.is_acceptor(member)) {
                actions.push(Action::Propose(process, member));
            }
            if own.phase == Phase::Done {
                actions.push(Action::Tell(process, member));
            }
        }
        if state.knows_forgotten(process, Forgotten::Now) {
            actions.extend(self.next_idle(state, process).map(|then| Action::Again(process, then)));
        }
        if own.phase == Phase::Asking {
            let proposals = if process == 0 { self.first_proposals(state) } else { self.proposals(state, process) };
            actions.extend(proposals.into_iter().flatten().map(|verdict| Action::Decide(process, verdict)));
        }
    }

    /// The coordinator commits when all have voted, unless a read was overwritten, and may give up at any time.
    fn first_proposals(&self, state: &State) -> [Option<Verdict>; 2] {
        let voted = state.answers(0).filter(|cell| cell.is_open()).count();
        [Some(Verdict::Abort), (voted == self.members()).then_some(Verdict::Commit(1))]
    }

    pub(super) fn proposals(&self, state: &State, process: usize) -> [Option<Verdict>; 2] {
        match self.survey(state, process, |survey| survey.decide()) {
            Decision::Propose(value) => [Some(value.into()), None],
            // The recorded reads hold at the fresh ID, or do not.
            Decision::ProposeIfReadsHold => [Some(Verdict::Commit(process as u8 + 1)), Some(Verdict::Abort)],
            Decision::Finish(_) | Decision::Wait => [None, None],
        }
    }

    fn survey<T>(&self, state: &State, process: usize, ask: impl FnOnce(&Survey<'_>) -> T) -> T {
        self.surveyed.survey(self.ballot(process), state.answers(process), ask)
    }

    pub(super) fn act(&self, state: &mut State, action: Action) {
        match action {
            Action::Start(process) => state.processes[process].phase = Phase::Asking,
            Action::CanCommit(member, yes) => self.can_commit(state, member, yes),
            Action::Inquire(process, member) => {
                let message = Message::Inquire { ballot: ballot(self.ballot(process)) };
                self.ask(state, process, member, message);
            }
            Action::Again(process, then) => {
                state.begin_anew(process, then);
                if self.mutant == Mutant::ForgottenIsAborted {
                    state.finish(then, Verdict::Abort);
                }
            }
            Action::Decide(process, verdict) => {
                state.processes[process].sent = verdict;
                state.enter(process, Phase::Proposing);
            }
            Action::Propose(process, member) => {
                if let Some(value) = state.processes[process].sent.value() {
                    let message = proposal(self.ballot(process), value);
                    self.ask(state, process, member, message);
                }
            }
            Action::Tell(process, member) => {
                let outcome = state.processes[process].done.told();
                if let Some(outcome) = outcome {
                    self.deliver(state, member, outcome);
                }
            }
            Action::Collect(member) => self.collect(state, member),
            Action::Ring(member) => self.ring(state, member),
        }
    }

    fn can_commit(&self, state: &mut State, member: usize, yes: bool) {
        let column = &mut state.columns[member];
        if column.register.is(RegisterState::None) {
            if !yes {
                self.deliver(state, member, Message::Settle);
            } else {
                column.register = Cell::vote(0);
            }
        }
        if state.processes[0].phase != Phase::Asking {
            return;
        }
        let register = state.columns[member].register;
        if register.is_open() {
            state.columns[member].answers[0] = Cell::vote(0);
        } else if register.is(RegisterState::Aborted)
            || register == Cell::FORGOTTEN && self.mutant == Mutant::ForgottenTold
        {
            state.finish(0, Verdict::Abort);
        }
    }

    /// A message that is answered: the process concludes as soon as it can.
    fn ask(&self, state: &mut State, process: usize, member: usize, message: Message) {
        let answer = self.deliver(state, member, message);
        let phase = state.processes[process].phase;
        if process > 0
            && matches!(phase, Phase::Asking | Phase::Proposing)
            && self.concludes(state, process, member, answer)
        {
            state.finish(process, Verdict::Abort);
            return;
        }
        match (phase, answer) {
            (Phase::Asking, Answer::Register(cell)) if process > 0 => {
                state.columns[member].answers[process] = cell;
                if let Decision::Finish(value) = self.survey(state, process, |survey| survey.decide()) {
                    state.finish(process, value.into());
                }
            }
            (Phase::Proposing, Answer::Register(cell)) => self.proposed(state, process, member, cell),
            _ => {}
        }
    }

    fn next_idle(&self, state: &State, process: usize) -> Option<usize> {
        (process + 1..self.processes).find(|other| state.processes[*other].phase == Phase::Idle)
    }

    /// Takes note of who has forgotten; whether that, and a register still undecided, says that the attempt is aborted.
    fn concludes(&self, state: &mut State, process: usize, member: usize, answer: Answer) -> bool {
        let none = Answer::Register(Cell::default());
        let forgotten = answer == Answer::Forgotten || answer == none && self.mutant == Mutant::NoneIsForgotten;
        // Later is when it proposes, or begins anew.
        let later = state.processes[process].phase == Phase::Asking || self.next_idle(state, process).is_some();
        if forgotten && later {
            state.columns[member].forgotten[process].note();
        }
        let at_once = self.mutant == Mutant::OrderIgnored;
        let open = matches!(answer, Answer::Register(cell) if cell.is_open());
        let open = open || at_once && state.answers(process).any(Cell::is_open);
        open && state.knows_forgotten(process, if at_once { Forgotten::Now } else { Forgotten::Before })
    }

    /// An answer to a proposal. A refusal that does not end it is forgotten: it will lead nowhere.
    fn proposed(&self, state: &mut State, process: usize, member: usize, cell: Cell) {
        let Some(value) = state.processes[process].sent.value() else { return };
        let before = std::mem::replace(&mut state.columns[member].answers[process], cell);
        let known =
            self.survey(state, process, |survey| survey.outcome().or_else(|| survey.accepted(value).then_some(value)));
        if let Some(value) = known {
            state.finish(process, value.into());
        } else if cell.accepted() != Some(self.ballot(process)) {
            state.columns[member].answers[process] = before;
        }
    }

    fn deliver(&self, state: &mut State, member: usize, message: Message) -> Answer {
        let register = &mut state.columns[member].register;
        let answer = register.take(message);
        match answer {
            Answer::Register(cell) => state.history.note(cell.verdict()),
            Answer::Corrupt => state.history.torn = true,
            Answer::Forgotten => {}
        }
        answer
    }

    /// Whether a floor above the attempt lets this register go. Of a commit, the others are asked whether they have
    /// ended too, which is also so where there is no register.
    fn may_go(&self, state: &State, member: usize) -> bool {
        let ended = || self.registers(state).all(|register| !register.is_open());
        match state.columns[member].register.state() {
            Some(RegisterState::None | RegisterState::Aborted) => true,
            Some(RegisterState::Committed) => self.mutant == Mutant::CollectedUnasked || ended(),
            _ => false,
        }
    }

    fn collect(&self, state: &mut State, member: usize) {
        let fenced = self.mutant != Mutant::Unfenced;
        state.columns[member].register = if fenced { Cell::FORGOTTEN } else { Cell::default() };
    }

    fn ring(&self, state: &mut State, member: usize) {
        let register = state.columns[member].register;
        match register.state() {
            Some(RegisterState::Prepared) => self.deliver(state, member, Message::DoAbort),
            Some(RegisterState::PreCommit) => {
                let commit_id = TxnId(register.commit_id().into());
                self.deliver(state, member, Message::DoCommit { commit_id })
            }
            _ => return,
        };
    }

    pub(super) fn registers(&self, state: &State) -> impl Iterator<Item = Cell> {
        state.columns[..self.members()].iter().map(|column| column.register)
    }
}

fn proposal(number: u8, value: Value) -> Message {
    let ballot = ballot(number);
    match value {
        Value::Commit(commit_id) => Message::PreCommit { ballot, commit_id },
        Value::Abort => Message::PreAbort { ballot },
    }
}
