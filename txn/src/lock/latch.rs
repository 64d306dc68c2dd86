//! Latches: writes that are being evaluated or proposed, held from evaluation until apply.

use crate::{Attempt, TxnId};
use quorate_storage::Span;
use std::collections::BTreeMap;

/// A write under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latch {
    /// Whose.
    pub attempt: Attempt,
    /// Its versions will carry at least this ID: readers below pass.
    pub at: TxnId,
}

/// Latched keys. A request takes all its latches at once or none, so that nobody waits while holding some.
#[derive(Debug, Default)]
pub struct Latches {
    /// With the number of each.
    held: BTreeMap<Vec<u8>, (Latch, u64)>,
    /// How many were ever taken.
    taken: u64,
}

impl Latches {
    /// Whether `key` is latched at all.
    pub fn is_held(&self, key: &[u8]) -> bool {
        self.held.contains_key(key)
    }

    /// Whether nothing is latched.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether a read of `key` at `at` must wait.
    pub fn blocks_key(&self, key: &[u8], at: TxnId) -> bool {
        self.held.get(key).is_some_and(|(latch, _)| latch.at <= at)
    }

    /// A key of `span` for which a read of `attempt` at `at` must wait.
    pub fn blocks_span(&self, span: &Span, at: TxnId, attempt: Attempt) -> Option<&[u8]> {
        let mut inside = self.held.range::<[u8], _>(super::bounds(span));
        let found = inside.find(|(_, (latch, _))| latch.at <= at && latch.attempt != attempt);
        found.map(|(key, _)| key.as_slice())
    }

    /// Latches `key`, which the caller has seen free.
    pub fn take(&mut self, key: Vec<u8>, latch: Latch) {
        let before = self.held.insert(key, (latch, self.taken));
        self.taken += 1;
        assert!(before.is_none(), "latches are taken under the mutex under which the key was seen free");
    }

    /// How many latches were ever taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether all of the first `count` latches ever taken are released.
    pub fn are_released(&self, count: u64) -> bool {
        self.held.values().all(|(_, number)| *number >= count)
    }

    /// Unlatches `key`.
    pub fn release(&mut self, key: &[u8]) {
        self.held.remove(key);
    }
}
