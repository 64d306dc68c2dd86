//! What is stored of an execution of three-phase commit.

use super::super::registers::{Cell, Forgotten, History, Verdict};
use super::{MEMBERS, PROCESSES};

/// One state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// By member: its register, and what it answered.
    pub columns: [Column; MEMBERS],
    /// The coordinator, and the terminators.
    pub processes: [Process; PROCESSES],
    /// What was ever concluded.
    pub history: History,
}

/// One member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Column {
    /// Its register.
    pub register: Cell,
    /// Its last answer to each process, as far as that still matters to it.
    pub answers: [Cell; PROCESSES],
    /// What each process knows of its forgetting.
    pub forgotten: [Forgotten; PROCESSES],
}

/// A coordinator or terminator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Process {
    /// How far it is.
    pub phase: Phase,
    /// What it proposed.
    pub sent: Verdict,
    /// What it concluded, told the client, and tells the members.
    pub done: Verdict,
}

/// How far a process is; messages of earlier phases may still arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Has sent nothing.
    #[default]
    Idle,
    /// Has sent CanCommit or Inquire.
    Asking,
    /// Has proposed.
    Proposing,
    /// Has begun anew, as another process with a ballot of its own.
    Over,
    /// Knows the outcome.
    Done,
}

impl State {
    /// Whether a process has concluded this.
    pub fn concluded(&self, process: usize, verdict: Verdict) -> bool {
        self.processes[process].done == verdict
    }

    /// What each member answered to a process.
    pub fn answers(&self, process: usize) -> impl Iterator<Item = Cell> {
        self.columns.iter().map(move |column| column.answers[process])
    }

    /// A process knows the outcome.
    pub fn finish(&mut self, process: usize, verdict: Verdict) {
        self.history.note(verdict);
        self.processes[process].done = verdict;
        self.enter(process, Phase::Done);
    }

    /// A process enters a phase and drops the answers to the one before; who has forgotten stays known.
    pub fn enter(&mut self, process: usize, phase: Phase) {
        self.processes[process].phase = phase;
        for column in &mut self.columns {
            column.answers[process] = Cell::default();
            let known = &mut column.forgotten[process];
            *known = if matches!(phase, Phase::Done | Phase::Over) { Forgotten::No } else { known.aged() };
        }
    }

    /// A terminator begins anew, as process `then`.
    pub fn begin_anew(&mut self, process: usize, then: usize) {
        for column in &mut self.columns {
            column.forgotten[then] = column.forgotten[process].aged();
        }
        self.enter(process, Phase::Over);
        self.enter(then, Phase::Asking);
    }

    /// Whether a process knows of a member that has forgotten, at least for so long.
    pub fn knows_forgotten(&self, process: usize, since: Forgotten) -> bool {
        self.columns.iter().any(|column| column.forgotten[process] >= since)
    }
}
