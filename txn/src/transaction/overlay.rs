//! A transaction's buffered writes, laid over what it reads.
//!
//! ```text
//!  stored    a=1        c=3   d=4              pairs that the ranges return
//!  overlay         b=2  c=9   d=deleted        newest write per key, with the base that it assumes
//!  seen      a=1   b=2  c=9                    in scan order, either direction
//!  journal   (b, none) (c, none) (d, d=5)      what each write replaced: a mark is a position in it
//! ```
//! Invariant: undoing to a mark restores exactly the writes that were there when the mark was taken.

use crate::api::{Base, Blob};
use bytes::Bytes;
use quorate_storage::Span;
use std::collections::BTreeMap;
use std::ops::Bound;

/// The write of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffered {
    /// The new value, `None` to delete.
    pub value: Option<Bytes>,
    /// What must still be newest at commit.
    pub base: Base,
}

/// Buffered writes by key, with an undo journal.
#[derive(Debug, Default)]
pub struct Overlay {
    writes: BTreeMap<Bytes, Buffered>,
    journal: Vec<(Bytes, Option<Buffered>)>,
}

impl Overlay {
    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// All writes, ascending by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Buffered)> {
        self.writes.iter()
    }

    /// The write of `key`.
    pub fn get(&self, key: &[u8]) -> Option<&Buffered> {
        if self.writes.is_empty() { None } else { self.writes.get(key) }
    }

    /// Buffers a write; the base of an earlier write of the same key stays.
    pub fn write(&mut self, key: Vec<u8>, value: Option<Bytes>, base: Base) {
        let key = Bytes::from(key);
        let before = self.writes.get(&key).cloned();
        let base = before.as_ref().map_or(base, |earlier| earlier.base);
        self.writes.insert(key.clone(), Buffered { value, base });
        self.journal.push((key, before));
    }

    /// The journal's length: a mark.
    pub fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Undoes the writes since `mark`.
    pub fn undo(&mut self, mark: usize) {
        while self.journal.len() > mark {
            match self.journal.pop() {
                Some((key, Some(before))) => drop(self.writes.insert(key, before)),
                Some((key, None)) => drop(self.writes.remove(&key)),
                None => return,
            }
        }
    }

    /// How many stored pairs of `span` the overlay hides at most: what a limited read asks for in addition.
    pub fn deletes_in(&self, span: &Span) -> usize {
        self.range(span).filter(|(_, write)| write.value.is_none()).count()
    }

    /// What a scan of `span` sees when the ranges returned `stored` for it, in the order of the scan.
    pub fn merge(&self, span: &Span, reverse: bool, stored: Vec<(Blob, Blob)>) -> Vec<(Bytes, Bytes)> {
        let stored = stored.into_iter().map(|(key, value)| (Bytes::from(key), Bytes::from(value)));
        if self.writes.is_empty() {
            return stored.collect();
        }
        let written = self.range(span);
        if reverse {
            merge_ordered(stored, written.rev(), |left, right| left > right)
        } else {
            merge_ordered(stored, written, |left, right| left < right)
        }
    }

    fn range(&self, span: &Span) -> impl DoubleEndedIterator<Item = (&Bytes, &Buffered)> {
        let bounds = (Bound::Included(span.start.as_slice()), Bound::Excluded(span.end.as_slice()));
        let inside = (span.start < span.end).then(|| self.writes.range::<[u8], _>(bounds));
        inside.into_iter().flatten()
    }
}

/// Merges two ordered sequences; a write hides the stored pair of the same key.
fn merge_ordered<'a>(
    stored: impl Iterator<Item = (Bytes, Bytes)>,
    written: impl Iterator<Item = (&'a Bytes, &'a Buffered)>,
    before: impl Fn(&Bytes, &Bytes) -> bool,
) -> Vec<(Bytes, Bytes)> {
    let mut seen = Vec::with_capacity(stored.size_hint().0);
    let mut written = written.peekable();
    for (key, value) in stored {
        while let Some((own, write)) = written.next_if(|(own, _)| before(own, &key)) {
            push(&mut seen, own, write);
        }
        match written.next_if(|(own, _)| **own == key) {
            Some((own, write)) => push(&mut seen, own, write),
            None => seen.push((key, value)),
        }
    }
    for (own, write) in written {
        push(&mut seen, own, write);
    }
    seen
}

fn push(seen: &mut Vec<(Bytes, Bytes)>, key: &Bytes, write: &Buffered) {
    if let Some(value) = &write.value {
        seen.push((key.clone(), value.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn small_key() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(0u8..3, 1..3)
    }

    proptest! {
        #[test]
        fn merges_and_undoes_like_a_map(
            stored in proptest::collection::btree_map(small_key(), 0u8..9, 0..8),
            writes in proptest::collection::vec((small_key(), proptest::option::of(0u8..9)), 0..12),
            undo_from in 0usize..12,
            start in small_key(),
            end in small_key(),
            reverse: bool,
        ) {
            let mut overlay = Overlay::default();
            let mut model = stored.clone();
            let mut kept = Vec::new();
            for (at, (key, value)) in writes.into_iter().enumerate() {
                if at < undo_from {
                    match value {
                        Some(value) => drop(model.insert(key.clone(), value)),
                        None => drop(model.remove(&key)),
                    }
                    kept.push(());
                }
                overlay.write(key, value.map(|value| Bytes::from(vec![value])), Base::Any);
            }
            overlay.undo(kept.len());
            let span = Span::new(start, end);
            let mut pairs: Vec<_> = stored
                .iter()
                .filter(|(key, _)| span.contains(key))
                .map(|(key, value)| (Blob::from(key.clone()), Blob::from(vec![*value])))
                .collect();
            let mut expected: Vec<_> = model
                .iter()
                .filter(|(key, _)| span.contains(key))
                .map(|(key, value)| (Bytes::from(key.clone()), Bytes::from(vec![*value])))
                .collect();
            if reverse {
                pairs.reverse();
                expected.reverse();
            }
            prop_assert_eq!(overlay.merge(&span, reverse, pairs), expected);
        }
    }

    #[test]
    fn the_first_base_of_a_key_stays() {
        let mut overlay = Overlay::default();
        overlay.write(b"k".to_vec(), None, Base::NotAfter(crate::TxnId(7)));
        overlay.write(b"k".to_vec(), Some(Bytes::from_static(b"v")), Base::Any);
        let expected = Buffered { value: Some(Bytes::from_static(b"v")), base: Base::NotAfter(crate::TxnId(7)) };
        assert_eq!(overlay.get(b"k"), Some(&expected));
        overlay.undo(1);
        assert_eq!(overlay.get(b"k").map(|write| write.value.clone()), Some(None));
    }
}
