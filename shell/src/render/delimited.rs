//! Values with separators between them: CSV (RFC 4180), TSV (as COPY writes it), and raw.

use super::{Format, Renderer, Shown};
use crate::client::{Column, Row};
use std::borrow::Cow;
use std::io::{self, Write};

/// One line per row.
#[derive(Debug)]
pub struct Delimited {
    format: Format,
    rows: usize,
}

impl Delimited {
    pub(super) fn new(format: Format) -> Delimited {
        Delimited { format, rows: 0 }
    }

    fn line<'a>(&self, values: impl Iterator<Item = Option<&'a str>>, out: &mut dyn Write) -> io::Result<()> {
        let (separator, quote): (&str, fn(&str) -> Cow<'_, str>) = match self.format {
            Format::Csv => (",", csv),
            Format::Tsv => ("\t", tsv),
            _ => ("|", |text| Cow::Borrowed(text)),
        };
        for (at, value) in values.enumerate() {
            if at > 0 {
                out.write_all(separator.as_bytes())?;
            }
            match value {
                Some(text) => out.write_all(quote(text).as_bytes())?,
                None if self.format == Format::Tsv => out.write_all(b"\\N")?,
                None => {}
            }
        }
        out.write_all(b"\n")
    }
}

/// Quotes what could be mistaken; the empty string too, because nothing at all is NULL.
fn csv(text: &str) -> Cow<'_, str> {
    if text.is_empty() || text.contains(['"', ',', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}

fn tsv(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', '\t', '\n', '\r']) {
        return Cow::Borrowed(text);
    }
    let escaped = text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
    Cow::Owned(escaped)
}

impl Renderer for Delimited {
    fn begin(&mut self, columns: Vec<Column>, out: &mut dyn Write) -> io::Result<()> {
        self.rows = 0;
        if self.format == Format::Raw {
            return Ok(());
        }
        self.line(columns.iter().map(|column| Some(column.name.as_str())), out)
    }

    fn row(&mut self, row: Row, out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        self.line(row.iter().map(Option::as_deref), out)
    }

    fn end(&mut self, _: &mut dyn Write) -> io::Result<Shown> {
        Ok(Shown::all(self.rows))
    }
}
