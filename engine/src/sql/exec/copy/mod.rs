//! COPY's two layouts: bytes that come in any pieces to fields of text, and back.
//!
//! ```text
//!   text   fields between delimiters (tab), rows between newlines; \N is NULL; \t \n \\ \x41 \101 are escapes;
//!          a line of only \. ends the data
//!   csv    RFC 4180: quoted fields may hold delimiters and newlines; "" is a quote; an unquoted NULL string is NULL
//! ```
//! Invariant: what is buffered is at most the unfinished line, and that is bounded by `MAX_LINE`.

mod csv;
mod text;

use crate::error::{Error, SqlState};
pub use crate::sql::parser::CopyFormat as Layout;

/// Longest line that COPY takes.
const MAX_LINE: usize = 64 << 20;

/// One line's fields; `None` is NULL.
pub type Fields = Vec<Option<String>>;

/// Cuts incoming bytes into lines and lines into fields.
#[derive(Debug)]
pub struct Decoder {
    layout: Layout,
    buffer: Vec<u8>,
    scanned: usize,
    in_quotes: bool,
    header_due: bool,
    ended: bool,
    /// Number of the line being read, from 1; for error messages.
    pub line: u64,
}

impl Decoder {
    /// A decoder at the beginning of the data.
    pub fn new(layout: Layout) -> Decoder {
        let header_due = layout.header;
        Decoder { layout, buffer: Vec::new(), scanned: 0, in_quotes: false, header_due, ended: false, line: 0 }
    }

    /// Takes a piece of the data and appends the rows that it completes to `rows`.
    pub fn feed(&mut self, data: &[u8], rows: &mut Vec<Fields>) -> Result<(), Error> {
        if self.ended {
            return Ok(());
        }
        self.buffer.extend_from_slice(data);
        let buffer = std::mem::take(&mut self.buffer);
        let mut start = 0;
        while let Some(end) = self.line_end(&buffer) {
            let line = buffer[start..end].strip_suffix(b"\r").unwrap_or(&buffer[start..end]);
            self.take_line(line, rows)?;
            start = end + 1;
            if self.ended {
                return Ok(());
            }
        }
        self.scanned -= start;
        self.buffer = buffer;
        self.buffer.drain(..start);
        if self.buffer.len() > MAX_LINE {
            return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "line of COPY data is too long"));
        }
        Ok(())
    }

    /// The data are complete: a last line may lack its newline.
    pub fn finish(&mut self, rows: &mut Vec<Fields>) -> Result<(), Error> {
        if self.in_quotes {
            return Err(bad("unterminated CSV quoted field"));
        }
        let line = std::mem::take(&mut self.buffer);
        self.scanned = 0;
        if line.is_empty() || self.ended {
            return Ok(());
        }
        self.take_line(line.strip_suffix(b"\r").unwrap_or(&line), rows)
    }

    fn line_end(&mut self, buffer: &[u8]) -> Option<usize> {
        while let Some(&byte) = buffer.get(self.scanned) {
            let at = self.scanned;
            self.scanned += 1;
            match byte {
                b'\n' if !self.in_quotes => return Some(at),
                byte if self.layout.csv && byte == self.layout.quote => self.in_quotes = !self.in_quotes,
                _ => {}
            }
        }
        None
    }

    fn take_line(&mut self, line: &[u8], rows: &mut Vec<Fields>) -> Result<(), Error> {
        self.line += 1;
        if std::mem::take(&mut self.header_due) {
            return Ok(());
        }
        if line == b"\\." {
            self.ended = true;
            return Ok(());
        }
        let fields = if self.layout.csv { csv::split(line, &self.layout)? } else { text::split(line, &self.layout)? };
        rows.push(fields);
        Ok(())
    }
}

/// Appends one line.
pub fn encode_line(layout: &Layout, fields: &[Option<String>], out: &mut Vec<u8>) {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(layout.delimiter);
        }
        match field {
            None => out.extend_from_slice(layout.null.as_bytes()),
            Some(field) if layout.csv => csv::write(field, layout, fields.len() == 1, out),
            Some(field) => text::write(field, layout, out),
        }
    }
    out.push(b'\n');
}

fn bad(message: &'static str) -> Error {
    Error::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

fn utf8(bytes: Vec<u8>) -> Result<String, Error> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(at).copied().unwrap_or_default();
        Error::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            format!("invalid byte sequence for encoding \"UTF8\": 0x{byte:02x}"),
        )
    })?;
    if text.contains('\0') {
        return Err(Error::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\": 0x00",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(layout: Layout, pieces: &[&str]) -> Vec<Fields> {
        let mut decoder = Decoder::new(layout);
        let mut rows = Vec::new();
        for piece in pieces {
            decoder.feed(piece.as_bytes(), &mut rows).unwrap();
        }
        decoder.finish(&mut rows).unwrap();
        rows
    }

    proptest! {
        /// Where the pieces end makes no difference, and no bytes are too strange.
        #[test]
        fn any_bytes_are_fields_or_an_error(data in data(), cut: prop::sample::Index, csv: bool) {
            let read = |pieces: &[&[u8]]| {
                let mut decoder = Decoder::new(if csv { Layout::csv() } else { Layout::text() });
                let mut rows = Vec::new();
                for piece in pieces {
                    decoder.feed(piece, &mut rows)?;
                }
                decoder.finish(&mut rows)?;
                Ok::<_, Error>(rows)
            };
            let (head, tail) = data.split_at(cut.index(data.len() + 1));
            match (read(&[&data]), read(&[head, tail])) {
                (Ok(whole), Ok(pieces)) => prop_assert_eq!(whole, pieces),
                (whole, pieces) => prop_assert!(whole.is_err() && pieces.is_err()),
            }
        }
    }

    fn data() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![prop::sample::select(b"\t\n\r\\\"',.Nx1a".to_vec()), any::<u8>()];
        prop::collection::vec(byte, 0..40)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn text_lines_may_be_cut_anywhere() {
        let rows = decode(Layout::text(), &["1\ta\\", "tb\t\\N\n2\t", "\\x41\\101\\\\\t", "x"]);
        assert_eq!(rows, [vec![some("1"), some("a\tb"), None], vec![some("2"), some("AA\\"), some("x")]]);
        assert_eq!(decode(Layout::text(), &["1\n\\.\n2\n"]), [vec![some("1")]]);
    }

    #[test]
    fn csv_quotes_hold_newlines_and_delimiters() {
        let mut layout = Layout::csv();
        layout.header = true;
        let rows = decode(layout, &["a,b\n1,\"x,\n\"", "\"y\"\r\n2,\n3,\"\"\n"]);
        assert_eq!(rows, [vec![some("1"), some("x,\n\"y")], vec![some("2"), None], vec![some("3"), some("")]]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for layout in [Layout::text(), Layout::csv()] {
            let fields = vec![some("a\tb\n\\,\"c\""), None, some(""), some("\\N"), some("plain")];
            let mut out = Vec::new();
            encode_line(&layout, &fields, &mut out);
            let mut rows = Vec::new();
            Decoder::new(layout.clone()).feed(&out, &mut rows).unwrap();
            assert_eq!(rows, [fields]);
        }
    }

    #[test]
    fn bad_bytes_are_refused() {
        let mut decoder = Decoder::new(Layout::text());
        let error = decoder.feed(b"\xff\n", &mut Vec::new()).unwrap_err();
        assert_eq!(error.message(), "invalid byte sequence for encoding \"UTF8\": 0xff");
        let mut decoder = Decoder::new(Layout::csv());
        decoder.feed(b"\"a\n", &mut Vec::new()).unwrap();
        assert_eq!(decoder.finish(&mut Vec::new()).unwrap_err().message(), "unterminated CSV quoted field");
    }
}
