//! What a transaction has read: spans that must be unchanged up to its commit ID.
//!
//! Point reads are collected apart, because most are: `k` stands for `[k, k 00)`. Spans are merged when they are asked
//! for. The set is bounded: when it grows past [`MOST_SPANS`] neighbours are joined over the gap between them, which
//! can only make the transaction meet more conflicts, never fewer.
//!
//! Invariant: every key and span that was added is covered by the spans given out.

use quorate_storage::Span;

/// Spans kept before neighbours are joined.
pub const MOST_SPANS: usize = 16_384;

/// The spans read by a transaction.
#[derive(Clone, Debug, Default)]
pub struct ReadSet {
    points: Vec<Vec<u8>>,
    spans: Vec<Span>,
}

impl ReadSet {
    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.spans.is_empty()
    }

    /// Notes a read of one key.
    pub fn add_point(&mut self, key: Vec<u8>) {
        self.points.push(key);
        self.bound();
    }

    /// Notes a read of a span.
    pub fn add_span(&mut self, span: Span) {
        if span.start < span.end {
            self.spans.push(span);
            self.bound();
        }
    }

    /// Puts the points in order, for [`ReadSet::has_point`].
    pub fn settle(&mut self) {
        self.points.sort_unstable();
        self.points.dedup();
    }

    /// Whether `key` was noted as a point. Call [`ReadSet::settle`] before.
    pub fn has_point(&self, key: &[u8]) -> bool {
        self.points.binary_search_by(|point| point.as_slice().cmp(key)).is_ok()
    }

    /// The disjoint spans that cover all reads, ascending; touching ones are joined. Point reads of keys for which
    /// `skip` holds are left out unless a span covers them.
    pub fn spans(&self, skip: impl Fn(&[u8]) -> bool) -> Vec<Span> {
        let points = self.points.iter().filter(|key| !skip(key)).map(|key| Span::point(key));
        join(points.chain(self.spans.iter().cloned()).collect())
    }

    fn bound(&mut self) {
        if self.points.len() + self.spans.len() <= MOST_SPANS {
            return;
        }
        let mut spans = self.spans(|_| false);
        while spans.len() > MOST_SPANS / 2 {
            spans = spans.chunks(2).map(over_gap).collect();
        }
        self.points.clear();
        self.spans = spans;
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

    #[test]
    fn joins_what_overlaps_or_touches() {
        let mut reads = ReadSet::default();
        reads.add_span(Span::new(*b"d", *b"f"));
        reads.add_span(Span::new(*b"a", *b"b"));
        reads.add_point(b"e".to_vec());
        reads.add_span(Span::new(*b"f", *b"g"));
        reads.add_point(b"x".to_vec());
        reads.add_span(Span::new(*b"z", *b"y"));
        let expected = [Span::new(*b"a", *b"b"), Span::new(*b"d", *b"g"), Span::point(b"x")];
        assert_eq!(reads.spans(|_| false), expected);
        assert_eq!(reads.spans(|key| key == b"x" || key == b"e"), expected[..2]);
        reads.settle();
        assert_eq!([b"e", b"d", b"x"].map(|key| reads.has_point(key)), [true, false, true]);
    }

    #[test]
    fn is_bounded_and_still_covers() {
        let mut reads = ReadSet::default();
        for number in 0..40_000u32 {
            reads.add_point((number * 2).to_be_bytes().to_vec());
        }
        let spans = reads.spans(|_| false);
        assert!(spans.len() <= MOST_SPANS);
        for number in 0..40_000u32 {
            let key = (number * 2).to_be_bytes();
            assert!(spans.iter().any(|span| span.contains(&key)));
        }
    }
}
