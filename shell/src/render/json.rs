//! JSON: an array of objects per result, or one object per line. Numbers, booleans and JSON values stay what they are;
//! everything else is a string, NULL is null.

use super::{Renderer, Shown};
use crate::client::{Column, Kind, Row};
use std::io::{self, Write};

/// Objects with one field per column.
#[derive(Debug)]
pub struct Json {
    lines: bool,
    columns: Vec<Column>,
    rows: usize,
}

impl Json {
    pub(super) fn array() -> Json {
        Json { lines: false, columns: Vec::new(), rows: 0 }
    }

    pub(super) fn lines() -> Json {
        Json { lines: true, ..Json::array() }
    }
}

/// A value as JSON text.
fn value(text: &str, kind: Kind) -> String {
    match kind {
        Kind::Bool if text == "t" => "true".to_owned(),
        Kind::Bool if text == "f" => "false".to_owned(),
        // NaN and Infinity are no numbers of JSON.
        Kind::Number if text.parse::<serde_json::Number>().is_ok() => text.to_owned(),
        Kind::Json => match serde_json::from_str::<serde_json::Value>(text) {
            Ok(json) => json.to_string(),
            Err(_) => string(text),
        },
        _ => string(text),
    }
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Renderer for Json {
    fn begin(&mut self, columns: Vec<Column>, out: &mut dyn Write) -> io::Result<()> {
        self.columns = columns;
        self.rows = 0;
        if self.lines { Ok(()) } else { out.write_all(b"[") }
    }

    fn row(&mut self, row: Row, out: &mut dyn Write) -> io::Result<()> {
        if !self.lines {
            out.write_all(if self.rows > 0 { b",\n " } else { b"" })?;
        }
        self.rows += 1;
        out.write_all(b"{")?;
        for (at, (column, cell)) in self.columns.iter().zip(&row).enumerate() {
            let text = cell.as_deref().map_or_else(|| "null".to_owned(), |text| value(text, column.kind));
            let comma = if at > 0 { "," } else { "" };
            write!(out, "{comma}{}:{text}", string(&column.name))?;
        }
        out.write_all(if self.lines { b"}\n" } else { b"}" })
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<Shown> {
        if !self.lines {
            out.write_all(b"]\n")?;
        }
        Ok(Shown::all(self.rows))
    }
}
