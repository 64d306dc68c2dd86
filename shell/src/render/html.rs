//! Tables of HTML.

use super::{Renderer, Shown};
use crate::client::{Column, Kind, Row};
use std::io::{self, Write};

/// One `<table>` per result.
#[derive(Debug, Default)]
pub struct Html {
    columns: Vec<Column>,
    rows: usize,
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Renderer for Html {
    fn begin(&mut self, columns: Vec<Column>, out: &mut dyn Write) -> io::Result<()> {
        self.columns = columns;
        self.rows = 0;
        let heads: String = self.columns.iter().map(|column| format!("<th>{}</th>", escape(&column.name))).collect();
        writeln!(out, "<table>\n  <tr>{heads}</tr>")
    }

    fn row(&mut self, row: Row, out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        out.write_all(b"  <tr>")?;
        for (column, cell) in self.columns.iter().zip(&row) {
            let align = if column.kind == Kind::Number { " align=\"right\"" } else { "" };
            write!(out, "<td{align}>{}</td>", escape(cell.as_deref().unwrap_or_default()))?;
        }
        out.write_all(b"</tr>\n")
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<Shown> {
        writeln!(out, "</table>")?;
        Ok(Shown::all(self.rows))
    }
}
