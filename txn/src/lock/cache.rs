//! The read cache: the greatest ID promised to a reader of each key.
//!
//! Points are kept by a hash of the key and spans as a step function over the keyspace. Two generations bound both:
//! when the young one is full, it becomes the old one, and what the old one held is folded into one low-water mark
//! that counts for every key. Each step only ever raises what a writer must exceed (two keys with one hash share their
//! promises), so forgetting costs a writer another ID, never a wrong answer.
//!
//! A promise remembers who made it, because an attempt that promised its own reads at C must still be able to write
//! at C. Own promises above the ID of a write are not ignored: they may hide another attempt's promise below.

use crate::{Attempt, TxnId};
use quorate_storage::Span;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// Points of a generation before it is full.
const MAX_POINTS: usize = 32 << 10;
/// Steps of a generation before it is full.
const MAX_STEPS: usize = 8 << 10;

/// A promise that nobody commits at or below `id` any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// The ID.
    pub id: TxnId,
    /// The attempt that was promised it, if it was only one.
    pub by: Option<Attempt>,
}

impl Promise {
    /// Whether `attempt` may write at `at`.
    pub fn allows(self, at: TxnId, attempt: Attempt) -> bool {
        self.id < at || (self.id == at && self.by == Some(attempt))
    }

    fn merge(self, other: Promise) -> Promise {
        match self.id.cmp(&other.id) {
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Equal if self.by == other.by => self,
            std::cmp::Ordering::Equal => Promise { id: self.id, by: None },
        }
    }
}

/// Promised IDs of a range's keys, since this leader's floor.
#[derive(Debug)]
pub struct ReadCache {
    hasher: ahash::RandomState,
    low: TxnId,
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    points: HashMap<u64, Promise, ahash::RandomState>,
    spans: Steps,
    greatest: TxnId,
}

impl Default for ReadCache {
    fn default() -> Self {
        ReadCache {
            hasher: ahash::RandomState::with_seeds(0x51, 0x0c, 0xa7, 0x3e),
            low: TxnId(0),
            young: Generation::new(),
            old: Generation::new(),
        }
    }
}

impl ReadCache {
    /// Promises `key` at `id` to `attempt`.
    pub fn promise_key(&mut self, key: &[u8], id: TxnId, attempt: Attempt) {
        let promise = Promise { id, by: Some(attempt) };
        let hash = self.hasher.hash_one(key);
        let entry = self.young.points.entry(hash).or_default();
        *entry = entry.merge(promise);
        self.raised(id);
    }

    /// Promises every key of `span`, also absent ones, at `id` to `attempt`.
    pub fn promise_span(&mut self, span: &Span, id: TxnId, attempt: Attempt) {
        self.young.spans.raise(span, Promise { id, by: Some(attempt) });
        self.raised(id);
    }

    /// What has been promised about `key`.
    pub fn promised(&self, key: &[u8]) -> Promise {
        let hash = self.hasher.hash_one(key);
        let low = Promise { id: self.low, by: None };
        low.merge(self.young.promised(key, hash)).merge(self.old.promised(key, hash))
    }

    fn raised(&mut self, id: TxnId) {
        self.young.greatest = self.young.greatest.max(id);
        if self.young.points.len() >= MAX_POINTS || self.young.spans.0.len() >= MAX_STEPS {
            self.low = self.low.max(self.old.greatest);
            self.old = std::mem::replace(&mut self.young, Generation::new());
        }
    }
}

impl Generation {
    fn new() -> Generation {
        Generation {
            points: HashMap::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4)),
            spans: Steps::default(),
            greatest: TxnId(0),
        }
    }

    fn promised(&self, key: &[u8], hash: u64) -> Promise {
        self.points.get(&hash).copied().unwrap_or_default().merge(self.spans.at(key))
    }
}

/// A step function from keys to promises: disjoint steps by their first key.
#[derive(Debug, Default)]
struct Steps(BTreeMap<Vec<u8>, Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    end: Vec<u8>,
    promise: Promise,
}

impl Steps {
    fn at(&self, key: &[u8]) -> Promise {
        match self.0.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back() {
            Some((_, step)) if key < step.end.as_slice() => step.promise,
            _ => Promise::default(),
        }
    }

    fn raise(&mut self, span: &Span, promise: Promise) {
        if span.start >= span.end {
            return;
        }
        if let Some(step) = self.0.get_mut(&span.start)
            && step.end == span.end
        {
            step.promise = step.promise.merge(promise);
            return;
        }
        self.cut(&span.start);
        self.cut(&span.end);
        let inside: Vec<Vec<u8>> =
            self.0.range::<[u8], _>(super::bounds(span)).map(|(start, _)| start.clone()).collect();
        let mut raised = Raised { steps: Vec::with_capacity(inside.len() + 1), at: span.start.clone() };
        for start in inside {
            let Some(step) = self.0.remove(&start) else { continue };
            raised.up_to(start, promise);
            let merged = step.promise.merge(promise);
            raised.up_to(step.end, merged);
        }
        raised.up_to(span.end.clone(), promise);
        self.0.extend(raised.steps);
    }

    /// Makes `key` a border between steps.
    fn cut(&mut self, key: &[u8]) {
        let Some((_, step)) = self.0.range_mut::<[u8], _>((Bound::Unbounded, Bound::Excluded(key))).next_back() else {
            return;
        };
        if key < step.end.as_slice() {
            let right = Step { end: std::mem::replace(&mut step.end, key.to_vec()), promise: step.promise };
            self.0.insert(key.to_vec(), right);
        }
    }
}

/// New steps from left to right; neighbours with the same promise become one.
struct Raised {
    steps: Vec<(Vec<u8>, Step)>,
    at: Vec<u8>,
}

impl Raised {
    fn up_to(&mut self, end: Vec<u8>, promise: Promise) {
        if self.at >= end {
            return;
        }
        let start = std::mem::replace(&mut self.at, end.clone());
        match self.steps.last_mut() {
            Some((_, last)) if last.promise == promise => last.end = end,
            _ => self.steps.push((start, Step { end, promise })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attempt(counter: u64) -> Attempt {
        Attempt { gateway: 1, incarnation: 1, counter, birth: TxnId(1) }
    }

    #[test]
    fn own_promise_is_ignored_only_at_its_own_id() {
        let mut cache = ReadCache::default();
        cache.promise_key(b"k", TxnId(10), attempt(1));
        let promise = cache.promised(b"k");
        assert!(promise.allows(TxnId(10), attempt(1)));
        assert!(!promise.allows(TxnId(9), attempt(1)), "a late duplicate must not slip below");
        assert!(!promise.allows(TxnId(10), attempt(2)));
        cache.promise_span(&Span::new("a", "z"), TxnId(10), attempt(2));
        assert!(!cache.promised(b"k").allows(TxnId(10), attempt(1)), "shared now");
    }

    #[test]
    fn forgotten_promises_count_for_every_key() {
        let mut cache = ReadCache::default();
        cache.promise_key(b"k", TxnId(5), attempt(1));
        for n in 0..2 * MAX_POINTS as u64 {
            cache.promise_key(&n.to_be_bytes(), TxnId(4), attempt(1));
        }
        assert_eq!(cache.promised(b"k"), Promise { id: TxnId(5), by: None });
        assert_eq!(cache.promised(b"other").id, TxnId(5));
    }

    proptest! {
        #[test]
        fn steps_equal_a_map_per_key(spans in prop::collection::vec((0u8..20, 1u8..8, 1u64..6, 1u64..3), 1..40)) {
            let mut steps = Steps::default();
            let mut model = [Promise::default(); 32];
            for (start, len, id, by) in spans {
                let promise = Promise { id: TxnId(id), by: Some(attempt(by)) };
                steps.raise(&Span::new([start], [start + len]), promise);
                for entry in &mut model[start as usize..(start + len) as usize] {
                    *entry = entry.merge(promise);
                }
            }
            for (key, expected) in model.iter().enumerate() {
                prop_assert_eq!(steps.at(&[key as u8]), *expected);
            }
        }
    }
}
