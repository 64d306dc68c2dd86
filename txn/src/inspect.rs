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
use std::time::Duration;

/// Locks, and undecided transactions, of a node that are shown.
pub(crate) const MOST: usize = 10_000;

/// What a node has to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Inspection {
    /// Locks of the ranges that it leads, and who waits for them.
    pub locks: Vec<Locked>,
    /// Undecided transactions with intents in those ranges.
    pub in_doubt: Vec<InDoubt>,
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
    /// A volatile lock in this mode; `None`: an intent of a transaction that is being committed.
    pub mode: Option<LockMode>,
    /// Whose; `None`: requests that wait for an intent, which are not told apart.
    pub attempt: Option<Attempt>,
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
