//! INSERT statements that make the result again, in a table called `result`.

use super::{Renderer, Shown};
use crate::client::{Column, Kind, Row};
use std::io::{self, Write};

/// One statement per row.
#[derive(Debug, Default)]
pub struct Insert {
    columns: Vec<Column>,
    rows: usize,
}

/// A name as SQL text, quoted where it has to be.
pub fn quoted(name: &str) -> String {
    quorate::sql::catalog::quote_ident(name)
}

fn literal(text: &str, kind: Kind) -> String {
    match kind {
        Kind::Number if text.parse::<serde_json::Number>().is_ok() => text.to_owned(),
        Kind::Bool => (text == "t").to_string(),
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

impl Renderer for Insert {
    fn begin(&mut self, columns: Vec<Column>, _: &mut dyn Write) -> io::Result<()> {
        self.columns = columns;
        self.rows = 0;
        Ok(())
    }

    fn row(&mut self, row: Row, out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        let names: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        let values: Vec<String> = self
            .columns
            .iter()
            .zip(&row)
            .map(|(column, cell)| cell.as_deref().map_or("NULL".to_owned(), |text| literal(text, column.kind)))
            .collect();
        writeln!(out, "INSERT INTO result ({}) VALUES ({});", names.join(", "), values.join(", "))
    }

    fn end(&mut self, _: &mut dyn Write) -> io::Result<Shown> {
        Ok(Shown::all(self.rows))
    }
}
