//! The story of one commit: which way it took and why, what each participant said and when. For people, and for tests that
//! count rounds.
//!
//! ```text
//!   Attempt(way) ─ CommitId ─ Refreshed ─ Answer of each participant ... ─ (the next attempt) ─ the client's answer
//! ```
//! Whoever drives the commit notes each step when it ends; steps that ran side by side overlap in time.
//!
//! Invariant: nothing reads it to decide anything.

use crate::api::{RegisterState, Reply};
use crate::router::{Answer, Delivery, Suspicion};
use crate::{Attempt, TxnId};
use parking_lot::Mutex;
use quorate_net::Runtime;
use quorate_net::runtime::Instant;
use quorate_storage::RangeId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Ways to commit (protocol chapters in [`crate::commit`] and [`crate::coordinator`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommitPath {
    /// Nothing was written.
    ReadOnly,
    /// One range, one proposal.
    One,
    /// Several ranges, one Raft round in each.
    Fast {
        /// Ranges written.
        participants: usize,
    },
    /// Three-phase commit over so many ranges.
    ThreePhase {
        /// Ranges written.
        participants: usize,
        /// Why one round would not do.
        reason: Reason,
    },
}

/// Why a transaction was committed by three-phase commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It writes too much, or in too many ranges, for one round.
    Size,
    /// One of its ranges may soon be out of reach.
    Suspicious(RangeId, Suspicion),
    /// Readers or other writers refused its commit ID again and again.
    Pushed,
    /// An earlier attempt met a range that had been split or moved.
    Moved,
    /// It changes the catalog, which recovery must not do on its own.
    Catalog,
    /// The session asked for it: `SET commit_protocol = 'three_phase'`.
    Requested,
}

impl Reason {
    /// In a word, for counting.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Size => "size",
            Reason::Suspicious(..) => "suspicion",
            Reason::Pushed => "pushed",
            Reason::Moved => "moved",
            Reason::Catalog => "catalog",
            Reason::Requested => "requested",
        }
    }
}

/// How a commit came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitTrace {
    /// What happened, in the order in which it ended.
    pub steps: Vec<Step>,
    /// Raft rounds before the answer, one after the other: those of several ranges at once count once.
    pub rounds: u32,
    /// Messages to other nodes and their answers before the answer, without those of Raft itself and of the oracle.
    pub messages: u32,
    /// From COMMIT to the answer.
    pub took: Duration,
}

/// Something that happened on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it began, since COMMIT.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// What it was.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An attempt began.
    Attempt {
        /// Its name.
        attempt: Attempt,
        /// The way chosen.
        path: CommitPath,
    },
    /// The oracle gave a commit ID.
    CommitId(TxnId),
    /// Reads were asked to hold at the commit ID.
    Refreshed {
        /// How many spans.
        spans: usize,
        /// Whether they do.
        valid: bool,
    },
    /// A participant answered.
    Answered {
        /// What it was asked.
        phase: Phase,
        /// Its range.
        range: RangeId,
        /// Its record's key.
        part_key: Vec<u8>,
        /// What it said.
        said: Said,
        /// Raft index of the entry that made it so; 0 if nothing was written.
        index: u64,
    },
    /// Not everybody answered: every register was asked, under a ballot of this node's own.
    Terminated {
        /// The commit ID, or none after an abort.
        commit_id: Option<TxnId>,
    },
}

/// What a participant is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Commit in this range alone.
    CommitOne,
    /// Vote for a commit at an ID.
    PrepareFast,
    /// Lay a chunk of intents.
    Spill,
    /// Vote.
    CanCommit,
    /// Accept the commit.
    PreCommit,
    /// Accept the abort.
    PreAbort,
}

/// What a participant said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Its register is this now.
    Register(RegisterState),
    /// No, because of this.
    Refused(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Size => write!(f, "it writes more than fits into one round"),
            Reason::Suspicious(range, Suspicion::LeaderChanged) => {
                write!(f, "the leader of {range} was lost or changed a moment ago")
            }
            Reason::Suspicious(range, Suspicion::UnderReplicated) => write!(f, "{range} has no voter to spare"),
            Reason::Suspicious(range, Suspicion::Far) => write!(f, "the leader of {range} is far away"),
            Reason::Pushed => write!(f, "its commit ID was refused again and again"),
            Reason::Moved => write!(f, "a range was split or moved meanwhile"),
            Reason::Catalog => write!(f, "it changes the catalog"),
            Reason::Requested => write!(f, "the session asked for it"),
        }
    }
}

impl fmt::Display for CommitPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommitPath::ReadOnly => write!(f, "read-only"),
            CommitPath::One => write!(f, "ONE: one range, one round"),
            CommitPath::Fast { participants } => write!(f, "FAST: {participants} ranges, one round"),
            CommitPath::ThreePhase { participants: 1, reason } => write!(f, "3PC: one range, because {reason}"),
            CommitPath::ThreePhase { participants, reason } => {
                write!(f, "3PC: {participants} ranges, because {reason}")
            }
        }
    }
}

/// Notes steps. Clones note into the same story.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    runtime: Runtime,
    began: Instant,
    /// Held for one step.
    trace: Arc<Mutex<CommitTrace>>,
}

impl Recorder {
    /// A story that begins now.
    pub fn new(runtime: &Runtime) -> Recorder {
        Recorder { runtime: runtime.clone(), began: runtime.now(), trace: Arc::default() }
    }

    /// Time since the story began.
    pub fn now(&self) -> Duration {
        self.runtime.now().saturating_duration_since(self.began)
    }

    /// Something that began at `at` has ended.
    pub fn note(&self, at: Duration, event: Event) {
        let took = self.now().saturating_sub(at);
        self.trace.lock().steps.push(Step { at, took, event });
    }

    /// A participant answered, or did not.
    pub fn answered(&self, at: Duration, phase: Phase, part: (RangeId, &[u8]), delivery: &Delivery) {
        let (said, index) = said(&delivery.answer);
        let event = Event::Answered { phase, range: part.0, part_key: part.1.to_vec(), said, index };
        self.trace.lock().messages += 2 * delivery.calls;
        self.note(at, event);
    }

    /// Entries were written that the answer waits for.
    pub fn round(&self) {
        self.trace.lock().rounds += 1;
    }

    /// The whole story.
    pub fn finish(self) -> CommitTrace {
        let took = self.now();
        CommitTrace { took, ..std::mem::take(&mut *self.trace.lock()) }
    }
}

fn said(answer: &Answer) -> (Said, u64) {
    match answer {
        Answer::Moved => (Said::Refused("the range was split or moved"), 0),
        Answer::Unavailable => (Said::Refused("no answer"), 0),
        Answer::Reply(reply) => match reply {
            Reply::Register(register) => (Said::Register(register.state), register.index),
            Reply::Committed { index, .. } => (Said::Register(RegisterState::Committed), *index),
            Reply::Aborted => (Said::Register(RegisterState::Aborted), 0),
            Reply::ReadInvalid { .. } => (Said::Refused("something read has changed"), 0),
            Reply::WriteConflict { .. } => (Said::Refused("a row to be written has changed"), 0),
            Reply::NeedHigherId { .. } => (Said::Refused("the commit ID is too low"), 0),
            Reply::Wounded => (Said::Refused("an older transaction took its locks"), 0),
            _ => (Said::Refused("failed"), 0),
        },
    }
}
