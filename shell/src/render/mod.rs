//! Results and errors as text.
//!
//! ```text
//!   Renderer ─► grid        box, table, markdown: widths are known when all rows are
//!            ─► delimited   csv, tsv, raw: row by row
//!            ─► json        json, jsonl: row by row
//!            ─► vertical    one line per value
//!            ─► html, insert
//! ```
//! A renderer takes `begin row* end` for each result and writes into what it is given.
//!
//! Invariant: only [`Style::max_rows`] shortens a result, and only if a person reads it.

mod color;
mod delimited;
mod error;
mod grid;
mod html;
mod insert;
mod json;
mod vertical;

pub use color::Palette;
pub use error::{Layout, error_text, notice_text};
pub use grid::{Lines, width};

use crate::client::{Column, Row};
use clap::ValueEnum;
use std::io::{self, Write};

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Boxes of lines with types.
    Box,
    /// psql's tables.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// Tab-separated values with a header; tabs, newlines and backslashes escaped.
    Tsv,
    /// One array of objects per result.
    Json,
    /// One object per line.
    Jsonl,
    /// Tables of Markdown.
    Markdown,
    /// Tables of HTML.
    Html,
    /// One line per value.
    Vertical,
    /// INSERT statements.
    Insert,
    /// Values only, separated by `|`.
    Raw,
}

impl Format {
    /// Whether the output is for people: tags and row counts stand between the results.
    pub fn is_for_people(self) -> bool {
        matches!(self, Format::Box | Format::Table | Format::Vertical)
    }

    /// The format of that name.
    pub fn by_name(name: &str) -> Option<Format> {
        match name {
            "column" | "aligned" => Some(Format::Table),
            "line" | "expanded" => Some(Format::Vertical),
            "tabs" => Some(Format::Tsv),
            "list" | "unaligned" => Some(Format::Raw),
            other => <Format as ValueEnum>::from_str(other, true).ok(),
        }
    }
}

/// Details of the display.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The format.
    pub format: Format,
    /// Colours, or none.
    pub palette: Palette,
    /// Most rows of a box; none: all.
    pub max_rows: Option<usize>,
    /// Columns of the terminal: a grid that is wider becomes vertical.
    pub width: Option<usize>,
}

/// One result on its way out.
pub trait Renderer: Send {
    /// A result with these columns begins.
    fn begin(&mut self, columns: Vec<Column>, out: &mut dyn Write) -> io::Result<()>;
    /// A row of it.
    fn row(&mut self, row: Row, out: &mut dyn Write) -> io::Result<()>;
    /// The result is complete.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<Shown>;
}

/// How much of a result was shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Rows of the result.
    pub rows: usize,
    /// Rows written.
    pub shown: usize,
}

impl Shown {
    fn all(rows: usize) -> Shown {
        Shown { rows, shown: rows }
    }
}

/// A renderer of the style.
pub fn renderer(style: &Style) -> Box<dyn Renderer> {
    match style.format {
        Format::Box | Format::Table | Format::Markdown => Box::new(grid::Grid::new(*style)),
        Format::Csv | Format::Tsv | Format::Raw => Box::new(delimited::Delimited::new(style.format)),
        Format::Json => Box::new(json::Json::array()),
        Format::Jsonl => Box::new(json::Json::lines()),
        Format::Html => Box::new(html::Html::default()),
        Format::Vertical => Box::new(vertical::Vertical::new(style.palette)),
        Format::Insert => Box::new(insert::Insert::default()),
    }
}

/// Writes a whole result.
pub fn write_result(style: &Style, columns: Vec<Column>, rows: Vec<Row>, out: &mut dyn Write) -> io::Result<Shown> {
    let mut renderer = renderer(style);
    renderer.begin(columns, out)?;
    for row in rows {
        renderer.row(row, out)?;
    }
    renderer.end(out)
}

#[cfg(test)]
mod tests;
