//! What a transaction has read: spans that must be unchanged up to its commit ID, and which columns of them it used.
//!
//! Point reads are collected apart, because most are: `k` stands for `[k, k 00)`. Spans of the same columns are merged when
//! they are asked for. The set is bounded: when it grows past [`MOST_SPANS`], columns are forgotten and neighbours are joined
//! over the gap between them, which can only make the transaction meet more conflicts, never fewer.
//!
//! Invariant: every key and span that was added is covered by the spans given out, with at least the columns it came with.

use crate::columns::{Columns, ReadSpan};
use quorate_storage::Span;

/// Spans kept before neighbours are joined.
pub const MOST_SPANS: usize = 16_384;
/// Different sets of columns that are kept apart.
const MOST_COLUMNS: usize = 64;
/// The place of all columns in [`ReadSet::columns`].
const ALL: usize = 0;

/// The spans read by a transaction.
#[derive(Clone, Debug)]
pub struct ReadSet {
    /// With the places of their columns.
    points: Vec<(Vec<u8>, usize)>,
    spans: Vec<(Span, usize)>,
    columns: Vec<Columns>,
    /// What of `spans` was read in part, joined, since [`ReadSet::settle`].
    partial: Vec<Span>,
}

impl Default for ReadSet {
    fn default() -> ReadSet {
        ReadSet { points: Vec::new(), spans: Vec::new(), columns: vec![None], partial: Vec::new() }
    }
}

impl ReadSet {
    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.spans.is_empty()
    }

    /// Notes a read of one key.
    pub fn add_point(&mut self, key: Vec<u8>, columns: &Columns) {
        let place = self.place(columns);
        self.points.push((key, place));
        self.bound();
    }

    /// Notes a read of a span.
    pub fn add_span(&mut self, span: Span, columns: &Columns) {
        if span.start < span.end {
            let place = self.place(columns);
            self.spans.push((span, place));
            self.bound();
        }
    }

    fn place(&mut self, columns: &Columns) -> usize {
        if let Some(known) = self.columns.iter().position(|known| known == columns) {
            return known;
        }
        if self.columns.len() >= MOST_COLUMNS {
            return ALL;
        }
        self.columns.push(columns.clone());
        self.columns.len() - 1
    }

    /// Puts the points in order, for [`ReadSet::was_read`].
    pub fn settle(&mut self) {
        self.points.sort_unstable();
        self.points.dedup();
        let partial = self.spans.iter().filter(|(_, columns)| *columns != ALL).map(|(span, _)| span.clone());
        self.partial = join(partial.collect());
    }

    /// Whether `key` was noted as a point, or in a span of which only some columns were used: then nothing else makes sure
    /// that a write of it replaces what was read. Call [`ReadSet::settle`] before.
    pub fn was_read(&self, key: &[u8]) -> bool {
        let point = self.points.partition_point(|(point, _)| point.as_slice() < key);
        let last = self.partial.partition_point(|span| span.start.as_slice() <= key);
        self.points.get(point).is_some_and(|(point, _)| point == key)
            || last.checked_sub(1).is_some_and(|at| self.partial[at].contains(key))
    }

    /// The spans that cover all reads, ascending and disjoint for the same columns; touching ones are joined. Point reads of
    /// keys for which `skip` holds are left out unless a span covers them.
    pub fn spans(&self, skip: impl Fn(&[u8]) -> bool) -> Vec<ReadSpan> {
        let mut all = Vec::new();
        for (place, columns) in self.columns.iter().enumerate() {
            let points = self.points.iter().filter(|(key, of)| *of == place && !skip(key));
            let points = points.map(|(key, _)| Span::point(key));
            let spans = self.spans.iter().filter(|(_, of)| *of == place).map(|(span, _)| span.clone());
            let joined = join(points.chain(spans).collect());
            all.extend(joined.into_iter().map(|span| ReadSpan { span, columns: columns.clone() }));
        }
        all
    }

    fn bound(&mut self) {
        if self.points.len() + self.spans.len() <= MOST_SPANS {
            return;
        }
        let mut spans = join(self.spans(|_| false).into_iter().map(|read| read.span).collect());
        while spans.len() > MOST_SPANS / 2 {
            spans = spans.chunks(2).map(over_gap).collect();
        }
        self.points.clear();
        self.spans = spans.into_iter().map(|span| (span, ALL)).collect();
    }
}

/// The span from the first one's start to the last one's end.
fn over_gap(neighbours: &[Span]) -> Span {
    Span::new(neighbours[0].start.clone(), neighbours[neighbours.len() - 1].end.clone())
}

/// Sorts spans and joins those that overlap or touch.
fn join(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.start <= last.end => {
                if span.end > last.end {
                    last.end = span.end;
                }
            }
            _ => joined.push(span),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(spans: &[Span]) -> Vec<ReadSpan> {
        spans.iter().cloned().map(ReadSpan::from).collect()
    }

    #[test]
    fn joins_what_overlaps_or_touches() {
        let mut reads = ReadSet::default();
        reads.add_span(Span::new(*b"d", *b"f"), &None);
        reads.add_span(Span::new(*b"a", *b"b"), &None);
        reads.add_point(b"e".to_vec(), &None);
        reads.add_span(Span::new(*b"f", *b"g"), &None);
        reads.add_point(b"x".to_vec(), &None);
        reads.add_span(Span::new(*b"z", *b"y"), &None);
        let expected = [Span::new(*b"a", *b"b"), Span::new(*b"d", *b"g"), Span::point(b"x")];
        assert_eq!(reads.spans(|_| false), plain(&expected));
        assert_eq!(reads.spans(|key| key == b"x" || key == b"e"), plain(&expected[..2]));
        reads.settle();
        assert_eq!([b"e", b"d", b"x"].map(|key| reads.was_read(key)), [true, false, true]);
    }

    #[test]
    fn columns_are_kept_apart() {
        let (mut reads, some, none): (_, Columns, Columns) = (ReadSet::default(), Some([1, 4].into()), Some([].into()));
        reads.add_point(b"a".to_vec(), &some);
        reads.add_point(b"a".to_vec(), &none);
        reads.add_span(Span::new(*b"c", *b"e"), &some);
        reads.add_span(Span::new(*b"d", *b"f"), &Some([1, 4].into()));
        reads.add_span(Span::new(*b"e", *b"g"), &None);
        let of = |span: Span, columns: &Columns| ReadSpan { span, columns: columns.clone() };
        let expected = [
            of(Span::new(*b"e", *b"g"), &None),
            of(Span::point(b"a"), &some),
            of(Span::new(*b"c", *b"f"), &some),
            of(Span::point(b"a"), &none),
        ];
        assert_eq!(reads.spans(|_| false), expected);
        reads.settle();
        assert_eq!([b"a", b"b", b"c", b"e", b"f"].map(|key| reads.was_read(key)), [true, false, true, true, false]);
    }

    #[test]
    fn is_bounded_and_still_covers() {
        let mut reads = ReadSet::default();
        for number in 0..40_000u32 {
            reads.add_point((number * 2).to_be_bytes().to_vec(), &Some([number % 90].into()));
        }
        let spans = reads.spans(|_| false);
        assert!(spans.len() <= MOST_SPANS);
        for number in 0..40_000u32 {
            let key = (number * 2).to_be_bytes();
            let covers = |read: &ReadSpan| {
                read.span.contains(&key) && read.columns.as_ref().is_none_or(|columns| columns.contains(&(number % 90)))
            };
            assert!(spans.iter().any(covers));
        }
    }
}
