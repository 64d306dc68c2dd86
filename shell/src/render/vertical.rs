//! One line per value, under a line per row.

use super::grid::{Lines, width};
use super::{Palette, Renderer, Shown};
use crate::client::{Column, Row};
use std::io::{self, Write};

/// Rows one below the other.
#[derive(Debug)]
pub struct Vertical {
    palette: Palette,
    columns: Vec<Column>,
    rows: usize,
}

impl Vertical {
    pub(super) fn new(palette: Palette) -> Vertical {
        Vertical { palette, columns: Vec::new(), rows: 0 }
    }
}

impl Renderer for Vertical {
    fn begin(&mut self, columns: Vec<Column>, _: &mut dyn Write) -> io::Result<()> {
        self.columns = columns;
        self.rows = 0;
        Ok(())
    }

    fn row(&mut self, row: Row, out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        writeln!(out, "{}", self.palette.dim(&format!("-[ RECORD {} ]{}", self.rows, "-".repeat(12))))?;
        let most = self.columns.iter().map(|column| width(&column.name)).max().unwrap_or(0);
        for (column, cell) in self.columns.iter().zip(&row) {
            let space = " ".repeat(most - width(&column.name));
            let head = self.palette.head(&column.name);
            let Some(text) = cell else {
                writeln!(out, "{head}{space} | {}", self.palette.dim("NULL"))?;
                continue;
            };
            let lines = Lines::of(text);
            writeln!(out, "{head}{space} | {}", lines.line(0))?;
            for at in 1..lines.height() {
                writeln!(out, "{} | {}", " ".repeat(most), lines.line(at))?;
            }
        }
        Ok(())
    }

    fn end(&mut self, _: &mut dyn Write) -> io::Result<Shown> {
        Ok(Shown::all(self.rows))
    }
}
