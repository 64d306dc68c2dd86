//! What comes out of a session: columns, rows, tags, notices.

use crate::error::Error;
pub use crate::sql::exec::{Notice, Row, Severity};
use crate::sql::types::{Type, TypeContext};
use async_trait::async_trait;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// One column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDesc {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: Type,
    /// OID of the table and number of the column (from 1) that it comes from; zeros for computed columns.
    pub origin: (u32, i16),
}

/// What a finished statement did, as drivers parse it: `INSERT 0 3`, `SELECT 5`, `CREATE TABLE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTag {
    /// The verb.
    pub verb: Cow<'static, str>,
    /// Rows returned or changed, for verbs that count.
    pub rows: Option<u64>,
}

impl CommandTag {
    /// A tag without a count.
    pub fn new(verb: impl Into<Cow<'static, str>>) -> CommandTag {
        CommandTag { verb: verb.into(), rows: None }
    }

    /// A tag with a count.
    pub fn counted(verb: impl Into<Cow<'static, str>>, rows: u64) -> CommandTag {
        CommandTag { verb: verb.into(), rows: Some(rows) }
    }

    /// Rows changed by INSERT, UPDATE, DELETE and COPY; 0 for all others.
    pub fn affected(&self) -> u64 {
        match self.verb.as_ref() {
            "INSERT" | "UPDATE" | "DELETE" | "COPY" => self.rows.unwrap_or(0),
            _ => 0,
        }
    }
}

impl fmt::Display for CommandTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.verb.as_ref(), self.rows) {
            ("INSERT", Some(rows)) => write!(f, "INSERT 0 {rows}"),
            (verb, Some(rows)) => write!(f, "{verb} {rows}"),
            (verb, None) => f.write_str(verb),
        }
    }
}

/// Some rows of an execution.
#[derive(Debug, Default)]
pub struct Fetch {
    /// The rows, at most as many as were asked for.
    pub rows: Vec<Row>,
    /// Whether the statement has ended: no rows follow, and [`super::Execution::tag`] is final.
    pub done: bool,
}

/// Layout of COPY data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    /// PostgreSQL's text format.
    Text,
    /// CSV.
    Csv,
}

/// Where the results of [`super::Session::simple`] go, statement by statement:
/// `columns rows* complete | complete | empty | copy_out data* complete`.
#[async_trait]
pub trait ResultSink: Send {
    /// A result with these columns begins; `context` says how its values are written as text.
    async fn columns(&mut self, columns: &Arc<[ColumnDesc]>, context: &TypeContext) -> Result<(), Error>;
    /// Rows of the current result. May wait for a slow client; nothing is latched meanwhile.
    async fn rows(&mut self, rows: Vec<Row>) -> Result<(), Error>;
    /// The statement is done.
    async fn complete(&mut self, tag: &CommandTag) -> Result<(), Error>;
    /// The text held no statement.
    async fn empty(&mut self) -> Result<(), Error>;
    /// Data of COPY TO STDOUT with so many columns begin.
    async fn copy_out(&mut self, format: CopyFormat, columns: usize) -> Result<(), Error>;
    /// Data of COPY TO STDOUT: whole lines.
    async fn copy_data(&mut self, data: Vec<u8>) -> Result<(), Error>;
    /// A notice, at the moment when it is due.
    async fn notice(&mut self, notice: &Notice) -> Result<(), Error>;
    /// The token of the COMMIT that comes next, if the session tells tokens: it must have left before this returns. Who
    /// drives the session in its own process learns it from the error of the commit, and needs nothing here.
    async fn token(&mut self, token: &str) -> Result<(), Error> {
        tracing::trace!(token, "about to commit");
        Ok(())
    }
}
