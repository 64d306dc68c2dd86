//! Writes that go to the engine together, and what follows them.

use super::event::ChangeOutcome;
use crate::range::local::{self, Position};
use crate::{Guard, Op, Outcome, RangeDescriptor, RangeId, Span};
use ahash::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tokio::sync::oneshot::Sender;

/// One engine batch in the making.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) ops: Vec<Op>,
    /// Hashes of the keys in `ops`.
    touched: HashSet<u64, RandomState>,
    hasher: RandomState,
    /// Newest applied position of each range in the batch.
    pub(super) ranges: BTreeMap<RangeId, Position>,
    pub(super) descriptors: Vec<Arc<RangeDescriptor>>,
    pub(super) replies: Vec<(Sender<Outcome>, Outcome)>,
    pub(super) changes: Vec<(Sender<ChangeOutcome>, ChangeOutcome)>,
    /// Spans to delete once the batch is written.
    pub(super) discards: Vec<(RangeId, Span)>,
    /// Whether the batch makes a range by a split: then it is durable before anything is said of the range.
    pub(super) splits: bool,
}

impl Default for Batch {
    fn default() -> Batch {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        Batch {
            ops: Vec::new(),
            touched: HashSet::with_hasher(hasher.clone()),
            hasher,
            ranges: BTreeMap::new(),
            descriptors: Vec::new(),
            replies: Vec::new(),
            changes: Vec::new(),
            discards: Vec::new(),
            splits: false,
        }
    }
}

impl Batch {
    /// Whether a guarded key may be among the writes of the batch.
    pub(super) fn has_touched(&self, guards: &[Guard]) -> bool {
        !self.ops.is_empty()
            && guards.iter().any(|guard| self.touched.contains(&self.hasher.hash_one((guard.keyspace, &*guard.key))))
    }

    /// Adds the writes of one entry, or a part of them.
    pub(super) fn extend(&mut self, ops: Vec<Op>) {
        for op in &ops {
            let (Op::Put { keyspace, key, .. } | Op::Delete { keyspace, key }) = op;
            self.touched.insert(self.hasher.hash_one((*keyspace, &**key)));
        }
        if self.ops.is_empty() {
            self.ops = ops;
        } else {
            self.ops.extend(ops);
        }
    }

    /// Deletes the data of a range that this store must not hold, after the batch.
    pub(super) fn discard(&mut self, descriptor: &RangeDescriptor) {
        self.ops.push(local::put_unfinished(descriptor.id, &descriptor.span));
        self.discards.push((descriptor.id, descriptor.span.clone()));
    }
}
