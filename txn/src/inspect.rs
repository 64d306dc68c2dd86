//! What a node shows of itself to people: who holds which locks, which transactions are undecided, how it committed.
//!
//! Every node answers for the ranges that it leads and for its own gateway; whoever asks puts the answers together. They
//! are of no one moment, and nothing is decided by them.

use crate::api::{LockMode, RecordKey, RegisterState};
use crate::trace::CommitPath;
use crate::{Attempt, TxnId};
use bincode::{Decode, Encode};
use parking_lot::Mutex;
use quorate_storage::RangeId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Locks, and undecided transactions, of a node that are shown.
pub(crate) const MOST: usize = 10_000;
/// Characters of a statement that are shown.
const MOST_TEXT: usize = 1_000;

/// What a node has to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Inspection {
    /// Locks of the ranges that it leads, and who waits for them.
    pub locks: Vec<Locked>,
    /// Undecided transactions with intents in those ranges.
    pub in_doubt: Vec<InDoubt>,
    /// What the open transactions of its gateway are at.
    pub sessions: Vec<Work>,
    /// Commits of its gateway since it started, by the way taken and the reason for it.
    pub commits: Vec<(String, Option<String>, u64)>,
}

/// A lock, or somebody who waits for one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Locked {
    /// The range.
    pub range: RangeId,
    /// The key.
    pub key: Vec<u8>,
    /// A volatile lock in this mode; `None`: an intent of a transaction that is being committed, or somebody waiting for it.
    pub mode: Option<LockMode>,
    /// Whose.
    pub attempt: Attempt,
    /// Whether it is held; else it is waited for.
    pub granted: bool,
}

/// An attempt that holds intents and is not decided yet, or not everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct InDoubt {
    /// The range.
    pub range: RangeId,
    /// Its record there.
    pub record: RecordKey,
    /// The register.
    pub state: RegisterState,
    /// The commit ID, if one is known.
    pub commit_id: Option<TxnId>,
    /// How many keys it holds in the range.
    pub keys: u64,
    /// How long nothing was heard of it.
    pub silence: Duration,
    /// Whether recovery is under way.
    pub recovering: bool,
}

/// What an open transaction is at.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Work {
    /// Its attempt.
    pub attempt: Attempt,
    /// The number of its session.
    pub session: i32,
    /// The statement that runs, or ran last.
    pub statement: String,
}

/// The transactions of a gateway that have begun and not ended.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// By the ID at which they began and the counter of their first attempt. Held for one change or lookup.
    transactions: Mutex<BTreeMap<(TxnId, u64), Working>>,
}

#[derive(Clone, Debug)]
struct Working {
    attempt: Attempt,
    /// Session and statement, as far as they were told.
    at: Option<(i32, Arc<str>)>,
}

impl Open {
    /// A transaction begins with this attempt.
    pub fn begins(&self, first: Attempt) {
        self.transactions.lock().insert((first.birth, first.counter), Working { attempt: first, at: None });
    }

    /// It goes on as this attempt.
    pub fn goes_on(&self, first: Attempt, attempt: Attempt) {
        if let Some(working) = self.transactions.lock().get_mut(&(first.birth, first.counter)) {
            working.attempt = attempt;
        }
    }

    /// It runs a statement for a session.
    pub fn works_on(&self, first: Attempt, session: i32, statement: Arc<str>) {
        if let Some(working) = self.transactions.lock().get_mut(&(first.birth, first.counter)) {
            working.at = Some((session, statement));
        }
    }

    /// It has ended.
    pub fn ended(&self, first: Attempt) {
        self.transactions.lock().remove(&(first.birth, first.counter));
    }

    /// The oldest one: where it began, and its first attempt's counter.
    pub fn oldest(&self) -> Option<(TxnId, u64)> {
        self.transactions.lock().keys().next().copied()
    }

    /// What those are at that told it.
    pub fn list(&self) -> Vec<Work> {
        let all = self.transactions.lock();
        let work = |working: &Working| {
            let (session, statement) = working.at.as_ref()?;
            let statement = statement.chars().take(MOST_TEXT).collect();
            Some(Work { attempt: working.attempt, session: *session, statement })
        };
        all.values().filter_map(work).take(MOST).collect()
    }
}

/// Commits of a gateway, counted.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    /// By way and reason. Held for one addition.
    counts: Mutex<BTreeMap<(&'static str, Option<&'static str>), u64>>,
}

impl Commits {
    /// One more.
    pub fn count(&self, path: CommitPath) {
        let way = match path {
            CommitPath::ReadOnly => ("read only", None),
            CommitPath::One => ("one range", None),
            CommitPath::Fast { .. } => ("one round", None),
            CommitPath::ThreePhase { reason, .. } => ("three-phase", Some(reason.word())),
        };
        *self.counts.lock().entry(way).or_default() += 1;
    }

    /// All of them.
    pub fn list(&self) -> Vec<(String, Option<String>, u64)> {
        let counts = self.counts.lock();
        counts.iter().map(|((way, reason), count)| ((*way).to_owned(), reason.map(str::to_owned), *count)).collect()
    }
}
