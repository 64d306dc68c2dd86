//! What is stored of an execution of path FAST.

use super::super::registers::{Cell, Forgotten, History, Verdict};
use super::{ATTEMPTS, MEMBERS};

/// One state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// By member.
    pub columns: [Column; MEMBERS],
    /// The attempts of the transaction.
    pub attempts: [Attempt; ATTEMPTS],
}

/// One member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Column {
    /// What readers were promised that attempt 1 would break.
    pub promise: Promise,
    /// Its register of each attempt.
    pub registers: [Cell; ATTEMPTS],
    /// Its last answer to gateway and recoverer of each attempt.
    pub answers: [[Cell; 2]; ATTEMPTS],
    /// What these know of its forgetting.
    pub forgotten: [[Forgotten; 2]; ATTEMPTS],
    /// Whether a prepare of attempt 1 is about to be refused for a promise, where that takes two steps.
    pub refusing: bool,
    /// Of each attempt, whether a deposed leader may take it for PREPARED, where such leaders answer.
    pub voted: [bool; ATTEMPTS],
}

/// A promise at an ID above the commit ID of attempt 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// None.
    #[default]
    None,
    /// In the memory of a leader.
    Held,
    /// Given under a leadership that was confirmed afterwards: every later leader's floor is above it.
    Fixed,
}

/// One attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// How far gateway and recoverer are.
    pub phases: [Phase; 2],
    /// What was ever concluded.
    pub history: History,
}

/// How far a gateway or a recoverer is; messages of earlier phases may still arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Has sent nothing.
    #[default]
    Idle,
    /// The gateway has sent its prepares.
    Preparing,
    /// Has sent Inquire.
    Inquiring,
    /// Knows the outcome, and tells it.
    Done(Verdict),
}

impl State {
    /// Whether somebody has concluded this.
    pub fn told(&self, attempt: usize, process: usize, verdict: Verdict) -> bool {
        self.attempts[attempt].phases[process] == Phase::Done(verdict)
    }

    /// What each member answered.
    pub fn answers(&self, attempt: usize, process: usize) -> impl Iterator<Item = Cell> {
        self.columns.iter().map(move |column| column.answers[attempt][process])
    }

    /// Somebody knows the outcome.
    pub fn finish(&mut self, attempt: usize, process: usize, verdict: Verdict) {
        self.attempts[attempt].history.note(verdict);
        self.enter(attempt, process, Phase::Done(verdict));
    }

    /// Somebody enters a phase, or the same anew, and drops the answers so far; who has forgotten stays known.
    pub fn enter(&mut self, attempt: usize, process: usize, phase: Phase) {
        self.attempts[attempt].phases[process] = phase;
        for column in &mut self.columns {
            column.answers[attempt][process] = Cell::default();
            let known = &mut column.forgotten[attempt][process];
            *known = if phase == Phase::Inquiring { known.aged() } else { Forgotten::No };
        }
    }

    /// Whether somebody knows of a member that has forgotten, at least for so long.
    pub fn knows_forgotten(&self, attempt: usize, process: usize, since: Forgotten) -> bool {
        self.columns.iter().any(|column| column.forgotten[attempt][process] >= since)
    }
}
