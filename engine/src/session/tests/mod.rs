//! Golden scripts: SQL and what a session answers, run against a node in memory.
//!
//! ```text
//!   -- A comment says what the block is about.
//!   a:                        the session that speaks from here on; the first use of a name connects
//!   SELECT 1, 'x'             statements up to the line of dashes
//!   ----
//!   ?column? | ?column?       then what came back, up to an empty line
//!   1 | x
//!   SELECT 1
//! ```
//! `UPDATE_GOLDEN=1` writes the answers into the scripts; review is reading the difference.

mod compat;
mod golden;
mod speed;
mod timeout;
mod two_phase;

use super::{ColumnDesc, CommandTag, CopyFormat, Gateway, Notice, ResultSink, Row, Session, StartupParams};
use crate::error::Error;
use crate::node::{Node, NodeOptions};
use crate::sql::types::TypeContext;
use async_trait::async_trait;
use std::sync::Arc;

/// A node in memory.
pub(super) async fn node() -> Node {
    Node::start(NodeOptions::memory()).await.unwrap()
}

/// A session of the role postgres.
pub(super) async fn connect(gateway: Arc<Gateway>, database: &str) -> Result<Session, Error> {
    let params =
        StartupParams { user: "postgres".into(), database: database.into(), settings: Vec::new(), process_id: 1 };
    let mut session = Session::new(gateway, params);
    session.start().await?;
    Ok(session)
}

/// Writes what comes back as lines.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) text: String,
    context: TypeContext,
    columns: Vec<ColumnDesc>,
}

impl Lines {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

#[async_trait]
impl ResultSink for Lines {
    async fn columns(&mut self, columns: &Arc<[ColumnDesc]>, context: &TypeContext) -> Result<(), Error> {
        self.context = context.clone();
        self.columns = columns.to_vec();
        let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
        self.line(&names.join(" | "));
        Ok(())
    }

    async fn rows(&mut self, rows: Vec<Row>) -> Result<(), Error> {
        for row in rows {
            let shown = |(value, column): (&crate::sql::types::Value, &ColumnDesc)| {
                let mut text = String::new();
                value.write_text(&column.ty, &self.context, &mut text);
                if value.is_null() { "NULL".to_owned() } else { text }
            };
            let values: Vec<String> = row.iter().zip(&self.columns).map(shown).collect();
            self.line(&values.join(" | "));
        }
        Ok(())
    }

    async fn complete(&mut self, tag: &CommandTag) -> Result<(), Error> {
        self.line(&tag.to_string());
        Ok(())
    }

    async fn empty(&mut self) -> Result<(), Error> {
        self.line("(empty)");
        Ok(())
    }

    async fn copy_out(&mut self, _format: CopyFormat, columns: usize) -> Result<(), Error> {
        self.line(&format!("COPY OUT of {columns} columns"));
        Ok(())
    }

    async fn copy_data(&mut self, data: Vec<u8>) -> Result<(), Error> {
        self.text.push_str(&String::from_utf8_lossy(&data));
        Ok(())
    }

    async fn notice(&mut self, notice: &Notice) -> Result<(), Error> {
        let severity = notice.severity.as_str();
        self.line(&format!("{severity}: {}", notice.message));
        Ok(())
    }
}

/// An error as a script shows it.
fn show_error(error: &Error, sql: &str) -> String {
    let code = error.sqlstate().map(|code| code.to_string()).unwrap_or_default();
    let mut out = format!("ERROR {code}: {}\n", error.message());
    if let Some(position) = error.char_position(sql) {
        out.push_str(&format!("POSITION: {position}\n"));
    }
    for (name, text) in [("DETAIL", error.detail()), ("HINT", error.hint())] {
        if let Some(text) = text {
            out.push_str(&format!("{name}: {text}\n"));
        }
    }
    out
}
