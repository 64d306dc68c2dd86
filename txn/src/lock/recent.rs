//! Recent writes: answers most "has this changed since?" questions of refreshes without reading the engine.
//!
//! Two generations bound it, as in the read cache; below the low-water mark it knows nothing.

use crate::TxnId;
use quorate_storage::Span;
use std::collections::BTreeMap;

/// Keys of a generation before it is full.
const MAX_KEYS: usize = 16 << 10;

/// What the recent writes say about a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing was written in the interval.
    No,
    /// This key was.
    Yes(Vec<u8>),
    /// Ask the engine.
    Unknown,
}

/// Newest commit IDs of recently written keys.
#[derive(Debug)]
pub struct Recent {
    /// Writes at or below it are not known.
    low: TxnId,
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    keys: BTreeMap<Vec<u8>, TxnId>,
    greatest: TxnId,
}

impl Recent {
    /// Knows every write above `floor`, from now on.
    pub fn new(floor: TxnId) -> Recent {
        Recent { low: floor, young: Generation::default(), old: Generation::default() }
    }

    /// Notes that `key` got a version at `id`.
    pub fn wrote(&mut self, key: Vec<u8>, id: TxnId) {
        let newest = self.young.keys.entry(key).or_default();
        *newest = id.max(*newest);
        self.young.greatest = self.young.greatest.max(id);
        if self.young.keys.len() >= MAX_KEYS {
            self.low = self.low.max(self.old.greatest);
            self.old = std::mem::take(&mut self.young);
        }
    }

    /// Whether a key of `span` got a version in `(from, to]`.
    pub fn changed(&self, span: &Span, from: TxnId, to: TxnId) -> Change {
        if from < self.low {
            return Change::Unknown;
        }
        let mut answer = Change::No;
        for generation in [&self.young, &self.old].into_iter().filter(|generation| generation.greatest > from) {
            for (key, &newest) in generation.keys.range::<[u8], _>(super::bounds(span)) {
                if newest > to {
                    answer = Change::Unknown;
                } else if newest > from {
                    return Change::Yes(key.clone());
                }
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_it_saw_and_nothing_else() {
        let mut recent = Recent::new(TxnId(10));
        recent.wrote(b"b".to_vec(), TxnId(15));
        let all = Span::new("a", "c");
        assert_eq!(recent.changed(&all, TxnId(9), TxnId(20)), Change::Unknown);
        assert_eq!(recent.changed(&all, TxnId(10), TxnId(20)), Change::Yes(b"b".to_vec()));
        assert_eq!(recent.changed(&all, TxnId(15), TxnId(20)), Change::No);
        assert_eq!(recent.changed(&all, TxnId(10), TxnId(14)), Change::Unknown, "an older version may lie between");
        assert_eq!(recent.changed(&Span::new("c", "d"), TxnId(10), TxnId(20)), Change::No);
    }

    #[test]
    fn forgetting_raises_the_low_water_mark() {
        let mut recent = Recent::new(TxnId(0));
        for n in 1..=MAX_KEYS as u64 {
            recent.wrote(n.to_be_bytes().to_vec(), TxnId(n));
        }
        let first = Span::point(&1u64.to_be_bytes());
        assert_eq!(recent.changed(&first, TxnId(0), TxnId(9)), Change::Yes(1u64.to_be_bytes().to_vec()));
        for n in 1..=MAX_KEYS as u64 {
            recent.wrote((n << 20).to_be_bytes().to_vec(), TxnId(100_000 + n));
        }
        assert_eq!(recent.changed(&first, TxnId(0), TxnId(9)), Change::Unknown);
    }
}
