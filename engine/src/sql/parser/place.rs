//! Lines and columns of sqlparser's tokens as byte offsets of the text.

use sqlparser::tokenizer::{Location, Span};

/// Finds byte offsets in one text. Nothing is computed before it is asked for: only errors need places.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    sql: &'a str,
}

impl<'a> Places<'a> {
    /// Places in this text.
    pub fn new(sql: &'a str) -> Places<'a> {
        Places { sql }
    }

    /// The byte offset of a location; the length of the text for one behind its end.
    pub fn offset(&self, location: Location) -> usize {
        let mut line_start = 0;
        for _ in 1..location.line {
            match self.sql[line_start..].find('\n') {
                Some(at) => line_start += at + 1,
                None => return self.sql.len(),
            }
        }
        let columns = location.column.saturating_sub(1) as usize;
        match self.sql[line_start..].char_indices().nth(columns) {
            Some((at, _)) => line_start + at,
            None => self.sql.len(),
        }
    }

    /// Byte offsets `[start, end)` of a span; `None` for a node without place.
    pub fn span(&self, span: Span) -> Option<(usize, usize)> {
        (span != Span::empty()).then(|| (self.offset(span.start), self.offset(span.end)))
    }

    /// The text at `[start, end)`.
    pub fn text(&self, start: usize, end: usize) -> &'a str {
        self.sql.get(start..end).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let places = Places::new("é x\n  y");
        assert_eq!(places.offset(Location::new(1, 3)), 3);
        assert_eq!(places.offset(Location::new(2, 3)), 7);
        assert_eq!(places.offset(Location::new(9, 1)), 8);
    }
}
