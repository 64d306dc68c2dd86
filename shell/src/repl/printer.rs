//! Takes the results of one statement and writes them in the shell's style.

use crate::client::{Column, Notice, Receive, Row};
use crate::render::{Palette, Renderer, Shown, Style, notice_text, renderer};
use std::io::{self, Write};

/// Results of one statement on their way to the output.
pub struct Printer<'a> {
    style: Style,
    errors: Palette,
    out: &'a mut (dyn Write + Send),
    current: Option<Box<dyn Renderer>>,
    /// How much of the last result was shown; none if there was no result.
    pub shown: Option<Shown>,
    /// What the statement did.
    pub tag: Option<String>,
}

impl<'a> Printer<'a> {
    /// A printer for the next statement; notices go to standard error.
    pub fn new(style: Style, errors: Palette, out: &'a mut (dyn Write + Send)) -> Printer<'a> {
        Printer { style, errors, out, current: None, shown: None, tag: None }
    }
}

impl Receive for Printer<'_> {
    fn columns(&mut self, columns: Vec<Column>) -> io::Result<()> {
        let mut next = renderer(&self.style);
        next.begin(columns, self.out)?;
        self.current = Some(next);
        Ok(())
    }

    fn row(&mut self, row: Row) -> io::Result<()> {
        match &mut self.current {
            Some(renderer) => renderer.row(row, self.out),
            None => Ok(()),
        }
    }

    fn complete(&mut self, tag: &str) -> io::Result<()> {
        if let Some(mut renderer) = self.current.take() {
            self.shown = Some(renderer.end(self.out)?);
        }
        self.tag = Some(tag.to_owned());
        Ok(())
    }

    fn copy_out(&mut self, data: &[u8]) -> io::Result<()> {
        self.out.write_all(data)
    }

    fn notice(&mut self, notice: Notice) -> io::Result<()> {
        self.out.flush()?;
        io::stderr().write_all(notice_text(&notice, self.errors).as_bytes())
    }
}
