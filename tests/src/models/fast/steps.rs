//! What may happen next on path FAST.

use super::super::registers::{Answer, Cell, Verdict, ballot};
use super::{Fast, GATEWAY, Mutant, Phase, Promise, RECOVERER, State};
use quorate_txn::api::RegisterState;
use quorate_txn::commit::{Decision, Message};

/// One step; attempts, processes and members by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The gateway sends the prepares of an attempt.
    Begin(usize),
    /// A prepare arrives, and is taken or refused by its member.
    Prepare(usize, usize, bool),
    /// The gateway waits for votes no longer.
    Silence(usize),
    /// A recoverer sends its inquiries.
    Recover(usize),
    /// The inquiry of a process arrives.
    Inquire(usize, usize, usize),
    /// The outcome that a process tells arrives.
    Tell(usize, usize, usize),
    /// A member promises a reader an ID above that of attempt 1.
    Promise(usize),
    /// A member's range changes its leader.
    Lead(usize),
    /// The floor of a member's range rises above an attempt, and what may go there goes.
    Collect(usize, usize),
}

impl Fast {
    pub(super) fn enabled(&self, state: &State, actions: &mut Vec<Action>) {
        for member in 0..self.participants {
            let column = &state.columns[member];
            match column.promise {
                Promise::None if !column.registers[0].is(RegisterState::None) => {}
                Promise::None => actions.push(Action::Promise(member)),
                Promise::Held => actions.push(Action::Lead(member)),
                Promise::Fixed => {}
            }
        }
        for attempt in 0..self.attempts {
            match state.attempts[attempt].phases[GATEWAY] {
                Phase::Idle if attempt == 0 || state.told(attempt - 1, GATEWAY, Verdict::Abort) => {
                    actions.push(Action::Begin(attempt));
                }
                Phase::Idle => {}
                _ => self.enabled_of(state, attempt, actions),
            }
        }
    }

    fn enabled_of(&self, state: &State, attempt: usize, actions: &mut Vec<Action>) {
        let [gateway, recoverer] = state.attempts[attempt].phases;
        actions.extend((gateway == Phase::Preparing).then_some(Action::Silence(attempt)));
        actions.extend((recoverer == Phase::Idle).then_some(Action::Recover(attempt)));
        for member in 0..self.participants {
            actions.extend([true, false].map(|yes| Action::Prepare(attempt, member, yes)));
            for process in [GATEWAY, RECOVERER] {
                match state.attempts[attempt].phases[process] {
                    Phase::Idle | Phase::Preparing => {}
                    Phase::Inquiring => actions.push(Action::Inquire(attempt, process, member)),
                    Phase::Clearing | Phase::Done(_) => actions.push(Action::Tell(attempt, process, member)),
                }
            }
            if self.may_go(state, attempt, member) {
                actions.push(Action::Collect(attempt, member));
            }
        }
    }

    pub(super) fn act(&self, state: &mut State, action: Action) {
        match action {
            Action::Begin(attempt) => state.enter(attempt, GATEWAY, Phase::Preparing),
            Action::Prepare(attempt, member, yes) => self.prepare(state, attempt, member, yes),
            Action::Silence(attempt) if self.mutant == Mutant::AbortedUnasked => {
                state.finish(attempt, GATEWAY, Verdict::Abort);
            }
            Action::Silence(attempt) => state.enter(attempt, GATEWAY, Phase::Inquiring),
            Action::Recover(attempt) => state.enter(attempt, RECOVERER, Phase::Inquiring),
            Action::Inquire(attempt, process, member) => self.inquire(state, attempt, process, member),
            Action::Tell(attempt, process, member) => {
                let told = match state.attempts[attempt].phases[process] {
                    Phase::Done(verdict) => verdict.told(),
                    _ => None,
                };
                self.deliver(state, attempt, member, told.unwrap_or(Message::DoAbort));
            }
            Action::Promise(member) => state.columns[member].promise = Promise::Held,
            Action::Lead(member) => state.columns[member].promise = Promise::None,
            Action::Collect(attempt, member) => {
                let register = &mut state.columns[member].registers[attempt];
                let kept = self.mutant == Mutant::CollectedAboveFloor && register.is_decided();
                *register = if kept { Cell::default() } else { Cell::OLD };
            }
        }
    }

    fn prepare(&self, state: &mut State, attempt: usize, member: usize, yes: bool) {
        let column = &mut state.columns[member];
        if column.registers[attempt].is(RegisterState::None) {
            let held = (0..self.attempts).any(|other| other != attempt && column.registers[other].is_open());
            if !yes {
                self.deliver(state, attempt, member, Message::Settle);
            } else if attempt == 0 && column.promise != Promise::None {
                self.refuse(state, member);
            } else if !held {
                column.registers[attempt] = Cell::vote(attempt as u8 + 1);
                self.note_unanimity(state, attempt);
            }
        }
        if state.attempts[attempt].phases[GATEWAY] == Phase::Preparing {
            self.voted(state, attempt, member);
        }
    }

    /// Attempt 1 is refused for ever and nothing is written.
    fn refuse(&self, state: &mut State, member: usize) {
        if self.mutant != Mutant::RefusedUnconfirmed {
            state.columns[member].promise = Promise::Fixed;
        }
        if state.attempts[0].phases[GATEWAY] == Phase::Preparing {
            state.finish(0, GATEWAY, Verdict::Abort);
        }
    }

    fn voted(&self, state: &mut State, attempt: usize, member: usize) {
        let register = state.columns[member].registers[attempt];
        if register.is(RegisterState::Aborted) {
            state.finish(attempt, GATEWAY, Verdict::Abort);
        } else if register.is_open() {
            state.columns[member].answers[attempt][GATEWAY] = register;
            let votes = state.answers(attempt, GATEWAY);
            if self.members.survey(0, votes, |survey| survey.unanimous()) {
                state.finish(attempt, GATEWAY, Verdict::Commit(register.commit_id()));
            }
        }
    }

    fn inquire(&self, state: &mut State, attempt: usize, process: usize, member: usize) {
        let number = process as u8 + 1;
        let answer = self.deliver(state, attempt, member, Message::Inquire { ballot: ballot(number) });
        match answer {
            Answer::Register(cell) => {
                state.columns[member].answers[attempt][process] = cell;
                let answers = state.answers(attempt, process);
                if let Decision::Finish(value) = self.members.survey(number, answers, |survey| survey.decide()) {
                    state.finish(attempt, process, value.into());
                }
            }
            Answer::TooOld if self.mutant == Mutant::TooOldTold => state.finish(attempt, process, Verdict::Abort),
            Answer::TooOld => state.enter(attempt, process, Phase::Clearing),
            Answer::Corrupt => {}
        }
    }

    fn deliver(&self, state: &mut State, attempt: usize, member: usize, message: Message) -> Answer {
        let answer = state.columns[member].registers[attempt].take(message);
        let history = &mut state.attempts[attempt].history;
        match answer {
            Answer::Register(cell) => history.note(cell.verdict()),
            Answer::Corrupt => history.torn = true,
            Answer::TooOld => {}
        }
        answer
    }

    /// All PREPARED is a commit, whether anybody knows it or not.
    fn note_unanimity(&self, state: &mut State, attempt: usize) {
        let registers = state.columns.iter().map(|column| column.registers[attempt]);
        if self.members.survey(0, registers, |survey| survey.unanimous()) {
            state.attempts[attempt].history.note(Verdict::Commit(attempt as u8 + 1));
        }
    }

    /// Whether the floor may make a register OLD: nothing is there, or everybody knows the outcome. A floor above
    /// attempt 2 is above attempt 1.
    fn may_go(&self, state: &State, attempt: usize, member: usize) -> bool {
        let registers = state.columns[member].registers;
        let register = registers[attempt];
        let heard = || self.registers(state, attempt).all(|other| other == Cell::OLD || other.is_decided());
        let alone = attempt == 0 || !registers[0].is(RegisterState::None);
        alone && register.is(RegisterState::None)
            || register.is_decided() && (self.mutant == Mutant::CollectedUnheard || heard())
    }

    fn registers(&self, state: &State, attempt: usize) -> impl Iterator<Item = Cell> {
        state.columns[..self.participants].iter().map(move |column| column.registers[attempt])
    }

    pub(super) fn all_old(&self, state: &State) -> bool {
        self.registers(state, 0).all(|register| register == Cell::OLD)
    }

    /// A recoverer that has not begun would end any attempt now.
    pub(super) fn recovery_ends(&self, state: &State) -> bool {
        (0..self.attempts).all(|attempt| {
            let [gateway, recoverer] = state.attempts[attempt].phases;
            gateway == Phase::Idle || recoverer != Phase::Idle || self.ends(state.clone(), attempt)
        })
    }

    fn ends(&self, mut state: State, attempt: usize) -> bool {
        self.act(&mut state, Action::Recover(attempt));
        for member in 0..self.participants {
            if state.attempts[attempt].phases[RECOVERER] == Phase::Inquiring {
                self.act(&mut state, Action::Inquire(attempt, RECOVERER, member));
            }
        }
        state.attempts[attempt].phases[RECOVERER] != Phase::Inquiring
    }
}
