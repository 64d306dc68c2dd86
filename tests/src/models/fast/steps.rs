//! What may happen next on path FAST.

use super::super::registers::{Answer, Cell, Forgotten, Verdict, ballot};
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
    /// The inquiry of a process arrives where a deposed leader is, if that answers.
    InquireDeposed(usize, usize, usize),
    /// The inquiry of a process arrives at a register that is NONE while the floor is being raised.
    InquireRaising(usize, usize, usize),
    /// A process that knows of somebody who has forgotten asks anew.
    Again(usize, usize),
    /// The outcome that a process tells arrives.
    Tell(usize, usize, usize),
    /// A member promises a reader an ID above that of attempt 1.
    Promise(usize),
    /// A prepare of attempt 1 is found to be below a promise, and waits for the leadership to be confirmed.
    Block(usize),
    /// It is refused.
    Refuse(usize),
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
                Promise::None if !self.may_promise(column.registers[0]) => {}
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
        for process in [GATEWAY, RECOVERER] {
            let news = |column: &super::Column| column.forgotten[attempt][process] == Forgotten::Now;
            if state.columns.iter().any(news) {
                actions.push(Action::Again(attempt, process));
            }
        }
        for member in 0..self.participants {
            if self.mutant == Mutant::RefusedBelowFloor && attempt == 0 {
                let column = &state.columns[member];
                let blocked = column.promise != Promise::None && column.registers[0] != Cell::FORGOTTEN;
                actions.extend((blocked && gateway == Phase::Preparing).then_some(Action::Block(member)));
                actions.extend(column.refusing.then_some(Action::Refuse(member)));
            }
            actions.extend([true, false].map(|yes| Action::Prepare(attempt, member, yes)));
            for process in [GATEWAY, RECOVERER] {
                match state.attempts[attempt].phases[process] {
                    Phase::Idle | Phase::Preparing => {}
                    Phase::Inquiring => {
                        actions.push(Action::Inquire(attempt, process, member));
                        if self.mutant == Mutant::InquiredUnconfirmed && state.columns[member].voted[attempt] {
                            actions.push(Action::InquireDeposed(attempt, process, member));
                        }
                        let none = state.columns[member].registers[attempt].is(RegisterState::None);
                        if self.mutant == Mutant::ForgottenTooSoon && none {
                            actions.push(Action::InquireRaising(attempt, process, member));
                        }
                    }
                    Phase::Done(_) => actions.push(Action::Tell(attempt, process, member)),
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
                if let Some(told) = told {
                    self.deliver(state, attempt, member, told);
                }
            }
            Action::Promise(member) => state.columns[member].promise = Promise::Held,
            Action::Lead(member) => state.columns[member].promise = Promise::None,
            Action::Block(member) => state.columns[member].refusing = true,
            Action::Refuse(member) => {
                state.columns[member].refusing = false;
                let register = state.columns[member].registers[0];
                if register.is(RegisterState::None) || register == Cell::FORGOTTEN {
                    self.refuse(state, member);
                }
            }
            Action::InquireDeposed(attempt, process, member) => {
                self.answered(state, (attempt, process, member), Answer::Register(Cell::vote(attempt as u8 + 1)));
            }
            Action::InquireRaising(attempt, process, member) => {
                self.answered(state, (attempt, process, member), Answer::Forgotten);
            }
            Action::Again(attempt, process) if self.mutant == Mutant::ForgottenIsAborted => {
                state.finish(attempt, process, Verdict::Abort);
            }
            Action::Again(attempt, process) => state.enter(attempt, process, Phase::Inquiring),
            Action::Collect(attempt, member) => self.collect(state, attempt, member),
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
                column.voted[attempt] = self.mutant == Mutant::InquiredUnconfirmed;
                self.note_unanimity(state, attempt);
            }
        } else if state.attempts[attempt].phases[GATEWAY] == Phase::Preparing {
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
        let told = register == Cell::FORGOTTEN && self.mutant == Mutant::ForgottenTold;
        if register.is(RegisterState::Aborted) || told {
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
        self.answered(state, (attempt, process, member), answer);
    }

    fn answered(&self, state: &mut State, (attempt, process, member): (usize, usize, usize), answer: Answer) {
        match answer {
            Answer::Register(cell) => state.columns[member].answers[attempt][process] = cell,
            Answer::Forgotten => state.columns[member].forgotten[attempt][process].note(),
            Answer::Corrupt => return,
        }
        let since = if self.mutant == Mutant::OrderIgnored { Forgotten::Now } else { Forgotten::Before };
        let open = state.answers(attempt, process).any(Cell::is_open);
        if open && state.knows_forgotten(attempt, process, since) {
            state.finish(attempt, process, Verdict::Abort);
            return;
        }
        let answers = state.answers(attempt, process);
        if let Decision::Finish(value) = self.members.survey(process as u8 + 1, answers, |survey| survey.decide()) {
            state.finish(attempt, process, value.into());
        }
    }

    fn deliver(&self, state: &mut State, attempt: usize, member: usize, message: Message) -> Answer {
        let answer = state.columns[member].registers[attempt].take(message);
        let history = &mut state.attempts[attempt].history;
        match answer {
            Answer::Register(cell) => history.note(cell.verdict()),
            Answer::Corrupt => history.torn = true,
            Answer::Forgotten => {}
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

    /// Whether a floor above the attempt lets this register go. Of a commit, the others are asked whether they have
    /// ended too, which is also so where there is no register.
    fn may_go(&self, state: &State, attempt: usize, member: usize) -> bool {
        let ended = || self.registers(state, attempt).all(|register| !register.is_open());
        match state.columns[member].registers[attempt].state() {
            Some(RegisterState::None | RegisterState::Aborted) => true,
            Some(RegisterState::Committed) => self.mutant == Mutant::CollectedUnasked || ended(),
            _ => false,
        }
    }

    /// A floor above attempt 2 is above attempt 1.
    fn collect(&self, state: &mut State, attempt: usize, member: usize) {
        let fenced = self.mutant != Mutant::Unfenced;
        let registers = &mut state.columns[member].registers;
        registers[attempt] = if fenced { Cell::FORGOTTEN } else { Cell::default() };
        for register in registers[..attempt].iter_mut().filter(|register| fenced && register.is(RegisterState::None)) {
            *register = Cell::FORGOTTEN;
        }
    }

    /// A promise above attempt 1 waits for its intents. It matters as long as the attempt could be prepared.
    fn may_promise(&self, register: Cell) -> bool {
        register.is(RegisterState::None) || self.mutant == Mutant::RefusedBelowFloor && register.is_decided()
    }

    fn registers(&self, state: &State, attempt: usize) -> impl Iterator<Item = Cell> {
        state.columns[..self.participants].iter().map(move |column| column.registers[attempt])
    }

    pub(super) fn all_forgotten(&self, state: &State) -> bool {
        self.registers(state, 0).all(|register| register == Cell::FORGOTTEN)
    }

    /// A recoverer that has not begun would end any attempt now, unless all have forgotten it. It asks twice if it
    /// must.
    pub(super) fn recovery_ends(&self, state: &State) -> bool {
        (0..self.attempts).all(|attempt| {
            let [gateway, recoverer] = state.attempts[attempt].phases;
            gateway == Phase::Idle || recoverer != Phase::Idle || self.ends(state.clone(), attempt)
        })
    }

    fn ends(&self, mut state: State, attempt: usize) -> bool {
        self.act(&mut state, Action::Recover(attempt));
        for _ in 0..2 {
            for member in 0..self.participants {
                if state.attempts[attempt].phases[RECOVERER] == Phase::Inquiring {
                    self.act(&mut state, Action::Inquire(attempt, RECOVERER, member));
                }
            }
            if state.attempts[attempt].phases[RECOVERER] == Phase::Inquiring {
                state.enter(attempt, RECOVERER, Phase::Inquiring);
            }
        }
        let known = |register: Cell| register != Cell::FORGOTTEN;
        state.attempts[attempt].phases[RECOVERER] != Phase::Inquiring || !self.registers(&state, attempt).any(known)
    }
}
