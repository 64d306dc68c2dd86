//! Grids: boxes, psql's tables, Markdown.
//!
//! ```text
//!   ┌────┬───────┐      id | owner        | id | owner |
//!   │ id │ owner │     ----+-------       |---:|-------|
//!   │int8│ text  │       1 | Ann          |  1 | Ann   |
//!   ├────┼───────┤
//!   │  1 │ Ann   │
//!   └────┴───────┘
//! ```
//! All rows are held, because widths depend on them; a box for a person keeps the first [`Style::max_rows`] only. A box
//! that is wider than the terminal is written one value per line instead.

use super::{Format, Renderer, Shown, Style, vertical};
use crate::client::{Column, Kind, Row};
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// A result whose rows are collected.
pub struct Grid {
    style: Style,
    columns: Vec<Column>,
    rows: Vec<Row>,
    total: usize,
}

impl Grid {
    pub(super) fn new(style: Style) -> Grid {
        Grid { style, columns: Vec::new(), rows: Vec::new(), total: 0 }
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| width(&column.name)).collect();
        if self.style.format == Format::Box {
            for (most, column) in widths.iter_mut().zip(&self.columns) {
                // The type may touch the lines of the box, which is two columns wider than its values.
                *most = (*most).max(width(&column.type_name).saturating_sub(2));
            }
        }
        if self.style.format == Format::Markdown {
            widths.iter_mut().for_each(|most| *most = (*most).max(1));
        }
        for row in &self.rows {
            for (most, cell) in widths.iter_mut().zip(row) {
                let wide = match self.style.format {
                    Format::Markdown => width(&markdown(self.text(cell))),
                    _ => Lines::of(self.text(cell)).width(),
                };
                *most = (*most).max(wide);
            }
        }
        widths
    }

    /// The text of a value; NULL is visible in boxes only, as in psql.
    fn text<'a>(&self, cell: &'a Option<String>) -> &'a str {
        match cell {
            Some(text) => text,
            None if self.style.format == Format::Box => "NULL",
            None => "",
        }
    }

    fn write_box(&self, widths: &[usize], out: &mut dyn Write) -> io::Result<()> {
        let palette = self.style.palette;
        let line = |left: char, cross: char, right: char| {
            let bars: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
            palette.dim(&format!("{left}{}{right}", bars.join(&cross.to_string())))
        };
        let bar = palette.dim("│");
        writeln!(out, "{}", line('┌', '┬', '┐'))?;
        let heads = self.columns.iter().zip(widths).map(|(column, width)| {
            let head = pad(&column.name, *width, column.kind == Kind::Number);
            format!(" {} ", palette.head(&head))
        });
        writeln!(out, "{bar}{}{bar}", heads.collect::<Vec<_>>().join(&bar))?;
        let types =
            self.columns.iter().zip(widths).map(|(column, width)| palette.dim(&center(&column.type_name, width + 2)));
        writeln!(out, "{bar}{}{bar}", types.collect::<Vec<_>>().join(&bar))?;
        if !self.rows.is_empty() {
            writeln!(out, "{}", line('├', '┼', '┤'))?;
        }
        for row in &self.rows {
            for cells in self.lines(row, widths) {
                let cells: Vec<String> = cells.iter().map(|cell| format!(" {cell} ")).collect();
                writeln!(out, "{bar}{}{bar}", cells.join(&bar))?;
            }
        }
        writeln!(out, "{}", line('└', '┴', '┘'))
    }

    fn write_table(&self, widths: &[usize], out: &mut dyn Write) -> io::Result<()> {
        let heads =
            self.columns.iter().zip(widths).map(|(column, width)| format!(" {} ", center(&column.name, *width)));
        writeln!(out, "{}", heads.collect::<Vec<_>>().join("|"))?;
        let bars: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        writeln!(out, "{}", bars.join("+"))?;
        for row in &self.rows {
            for cells in self.lines(row, widths) {
                let line = cells.iter().map(|cell| format!(" {cell} ")).collect::<Vec<_>>().join("|");
                writeln!(out, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }

    fn write_markdown(&self, widths: &[usize], out: &mut dyn Write) -> io::Result<()> {
        let cells = |texts: Vec<String>| format!("| {} |", texts.join(" | "));
        let heads = self.columns.iter().zip(widths).map(|(column, width)| pad(&column.name, *width, false));
        writeln!(out, "{}", cells(heads.collect()))?;
        let bars = self.columns.iter().zip(widths).map(|(column, width)| {
            let right = column.kind == Kind::Number;
            format!("{}{}", "-".repeat(width + 2 - usize::from(right)), if right { ":" } else { "" })
        });
        writeln!(out, "|{}|", bars.collect::<Vec<_>>().join("|"))?;
        for row in &self.rows {
            let texts =
                row.iter().zip(&self.columns).zip(widths).map(|((cell, column), width)| {
                    pad(&markdown(self.text(cell)), *width, column.kind == Kind::Number)
                });
            writeln!(out, "{}", cells(texts.collect()))?;
        }
        Ok(())
    }

    /// The lines that one row takes, padded; values with newlines take several.
    fn lines(&self, row: &Row, widths: &[usize]) -> Vec<Vec<String>> {
        let cells: Vec<Lines> = row.iter().map(|cell| Lines::of(self.text(cell))).collect();
        let height = cells.iter().map(Lines::height).max().unwrap_or(1);
        (0..height)
            .map(|at| {
                row.iter()
                    .zip(&cells)
                    .zip(self.columns.iter().zip(widths))
                    .map(|((cell, lines), (column, width))| {
                        let text = pad(lines.line(at), *width, column.kind == Kind::Number);
                        if cell.is_none() { self.style.palette.dim(&text) } else { text }
                    })
                    .collect()
            })
            .collect()
    }
}

impl Renderer for Grid {
    fn begin(&mut self, columns: Vec<Column>, _: &mut dyn Write) -> io::Result<()> {
        self.columns = columns;
        Ok(())
    }

    fn row(&mut self, row: Row, _: &mut dyn Write) -> io::Result<()> {
        self.total += 1;
        if self.style.max_rows.is_none_or(|most| self.rows.len() < most) {
            self.rows.push(row);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<Shown> {
        let widths = self.widths();
        let total: usize = widths.iter().map(|width| width + 3).sum::<usize>() + 1;
        let too_wide = self.style.width.is_some_and(|most| total > most);
        match self.style.format {
            Format::Box if too_wide && !self.rows.is_empty() => self.write_vertical(out)?,
            Format::Box => self.write_box(&widths, out)?,
            Format::Markdown => self.write_markdown(&widths, out)?,
            _ => self.write_table(&widths, out)?,
        }
        Ok(Shown { rows: self.total, shown: self.rows.len() })
    }
}

impl Grid {
    fn write_vertical(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let mut instead = vertical::Vertical::new(self.style.palette);
        instead.begin(self.columns.clone(), out)?;
        for row in &self.rows {
            instead.row(row.clone(), out)?;
        }
        instead.end(out).map(|_| ())
    }
}

/// The lines of a value, safe to show: control characters become visible.
pub struct Lines {
    lines: Vec<String>,
}

impl Lines {
    /// Cuts the text at its newlines.
    pub fn of(text: &str) -> Lines {
        Lines { lines: text.split('\n').map(visible).collect() }
    }

    /// Columns of the widest line.
    pub fn width(&self) -> usize {
        self.lines.iter().map(|line| width(line)).max().unwrap_or(0)
    }

    /// How many there are.
    pub fn height(&self) -> usize {
        self.lines.len()
    }

    /// One of them; empty beyond the last.
    pub fn line(&self, at: usize) -> &str {
        self.lines.get(at).map_or("", String::as_str)
    }
}

/// A value as a cell of a Markdown table.
fn markdown(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', "<br>")
}

/// Replaces what would move the cursor or change the terminal.
fn visible(line: &str) -> String {
    if !line.chars().any(char::is_control) {
        return line.to_owned();
    }
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => shown.push_str("    "),
            '\r' => shown.push_str("\\r"),
            c if c.is_control() => shown.push_str(&format!("\\x{:02X}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

/// Columns that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

fn pad(text: &str, to: usize, right: bool) -> String {
    let space = " ".repeat(to.saturating_sub(width(text)));
    if right { format!("{space}{text}") } else { format!("{text}{space}") }
}

fn center(text: &str, to: usize) -> String {
    let space = to.saturating_sub(width(text));
    format!("{}{text}{}", " ".repeat(space / 2), " ".repeat(space - space / 2))
}

impl std::fmt::Debug for Grid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grid").field("rows", &self.total).finish_non_exhaustive()
    }
}
