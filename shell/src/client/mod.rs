//! One session with a database, wherever it is: in this process (`embedded`) or behind a socket (`wire`).
//!
//! ```text
//!                     ┌─ Embedded   quorate::session::Session                       Receive
//!   Connection::run ──┤                                            columns row* complete | notice | copy_out
//!                     └─ Wire       messages of the PostgreSQL protocol
//! ```
//! Both hand over values as text, the way the server writes them, together with the type of each column. Statements
//! come one at a time; results go to a [`Receive`] while they arrive, so that nothing has to be held.
//!
//! Invariant: after an error of a statement the connection can be used, unless [`Connection::is_closed`].
//! Invariant: `rows` of one result never follow `complete` of it.

mod address;
mod column;
mod embedded;
mod error;
mod place;
mod wire;
mod wire_io;

pub use address::{Address, is_url};
pub use column::{Column, Kind};
pub use embedded::{Embedded, GatewaySource, LocalConnector};
pub use error::{ErrorKind, SqlError};
pub use place::{NodeFile, Place};
pub use wire::{RemoteConnector, Wire};

use async_trait::async_trait;
use quorate::session::CancelHandle;
use std::io;

/// One row: text as the server writes it; none for NULL.
pub type Row = Vec<Option<String>>;

/// A message beside the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `NOTICE`, `WARNING`, ...
    pub severity: String,
    /// One line.
    pub message: String,
    /// Facts beyond it.
    pub detail: Option<String>,
    /// A suggestion.
    pub hint: Option<String>,
}

/// Takes the results of a statement. An error (the pipe is closed, the disk is full) ends the statement.
pub trait Receive: Send {
    /// A result with these columns begins.
    fn columns(&mut self, columns: Vec<Column>) -> io::Result<()>;
    /// One row of it.
    fn row(&mut self, row: Row) -> io::Result<()>;
    /// The statement is done; `tag` says what it did (`INSERT 0 1`).
    fn complete(&mut self, tag: &str) -> io::Result<()>;
    /// Data of COPY TO STDOUT.
    fn copy_out(&mut self, data: &[u8]) -> io::Result<()>;
    /// A notice.
    fn notice(&mut self, notice: Notice) -> io::Result<()>;
}

/// What the connection waits for after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// The next statement.
    Done,
    /// Data of COPY FROM STDIN.
    CopyIn,
}

/// Where the session stands, as the prompt shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Outside of a transaction block.
    #[default]
    Idle,
    /// Inside of one.
    Open,
    /// Inside of one that failed.
    Failed,
    /// A commit has an unknown outcome.
    Unknown,
}

/// Cancels what a connection runs.
#[derive(Clone, Debug)]
pub enum Canceller {
    /// In this process.
    Local(CancelHandle),
    /// By a second connection.
    Remote(wire::CancelKey),
}

impl Canceller {
    /// Asks; the statement then fails with 57014.
    pub async fn cancel(&self) {
        match self {
            Canceller::Local(handle) => handle.cancel(),
            Canceller::Remote(key) => key.cancel().await,
        }
    }
}

/// One session.
#[async_trait]
pub trait Connection: Send {
    /// Runs one statement.
    async fn run(&mut self, sql: &str, out: &mut dyn Receive) -> Result<Flow, SqlError>;
    /// Hands over data of COPY FROM STDIN; lines may be cut anywhere.
    async fn copy_data(&mut self, data: &[u8]) -> Result<(), SqlError>;
    /// The data are complete.
    async fn copy_done(&mut self, out: &mut dyn Receive) -> Result<Flow, SqlError>;
    /// Gives the COPY up.
    async fn copy_fail(&mut self, reason: &str) -> Result<(), SqlError>;
    /// Where the session stands.
    fn status(&self) -> Status;
    /// Cancels what runs, from another task.
    fn canceller(&self) -> Canceller;
    /// Whether nothing can be run any more.
    fn is_closed(&self) -> bool;
    /// The database of the session.
    fn database(&self) -> &str;
    /// The role of the session.
    fn user(&self) -> &str;
    /// Ends the session in good order.
    async fn close(&mut self);
}

/// Makes sessions: the first, and others after `\c` or a lost connection.
#[async_trait]
pub trait Connector: Send + Sync {
    /// A new session with `database`, or with the one of the target.
    async fn connect(&self, database: Option<&str>) -> Result<Box<dyn Connection>, SqlError>;
    /// The target for people: `in memory`, `./bank`, `127.0.0.1:7432`.
    fn describe(&self) -> String;
}

/// Rows of a query that is small.
pub async fn fetch(connection: &mut dyn Connection, sql: &str) -> Result<Vec<Row>, SqlError> {
    let mut rows = Rows::default();
    match connection.run(sql, &mut rows).await? {
        Flow::Done => Ok(rows.rows),
        Flow::CopyIn => {
            connection.copy_fail("no data").await?;
            Ok(rows.rows)
        }
    }
}

/// Keeps columns and rows.
#[derive(Debug, Default)]
pub struct Rows {
    /// Columns of the last result.
    pub columns: Vec<Column>,
    /// Rows of all results.
    pub rows: Vec<Row>,
}

impl Receive for Rows {
    fn columns(&mut self, columns: Vec<Column>) -> io::Result<()> {
        self.columns = columns;
        Ok(())
    }

    fn row(&mut self, row: Row) -> io::Result<()> {
        self.rows.push(row);
        Ok(())
    }

    fn complete(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn copy_out(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn notice(&mut self, notice: Notice) -> io::Result<()> {
        tracing::debug!(message = notice.message, "notice");
        Ok(())
    }
}
