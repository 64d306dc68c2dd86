//! What a workload needs of a database: connections that run statements one after the other.

use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;

mod embedded;
mod postgres;
mod value;
pub use embedded::Embedded;
pub use postgres::{Postgres, Protocol};
pub use value::{Cell, Decimal, Param, Row};

/// A statement of a workload, with `$1`-style parameters. Prepared once per connection where the protocol can.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    /// Unique in its workload; indexes the caches of connections.
    pub id: usize,
    /// The text.
    pub sql: &'static str,
}

/// Why a statement failed, by what the driver does next.
#[derive(Debug, Clone)]
pub struct TargetError {
    /// The SQLSTATE, or `08006` if the connection is gone.
    pub sqlstate: String,
    /// Text for people.
    pub message: String,
}

impl TargetError {
    /// An error with this SQLSTATE.
    pub fn new(sqlstate: impl Into<String>, message: impl Into<String>) -> TargetError {
        TargetError { sqlstate: sqlstate.into(), message: message.into() }
    }

    /// Whether the whole transaction may run again: serialization failure or deadlock.
    pub fn is_retryable(&self) -> bool {
        matches!(self.sqlstate.as_str(), "40001" | "40P01")
    }

    /// Whether a COMMIT that failed so may have taken effect.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self.sqlstate.as_str(), "40003" | "08007" | "08006" | "08000")
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sqlstate, self.message)
    }
}

impl std::error::Error for TargetError {}

/// Isolation level of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// The default.
    #[default]
    Serializable,
    /// Snapshot isolation.
    RepeatableRead,
    /// A new snapshot per statement.
    ReadCommitted,
}

impl Isolation {
    /// SQL words after `ISOLATION LEVEL`.
    pub fn sql(self) -> &'static str {
        match self {
            Isolation::Serializable => "SERIALIZABLE",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::ReadCommitted => "READ COMMITTED",
        }
    }

    /// The SQL word that opens a transaction of this level.
    pub fn begin(self) -> &'static str {
        match self {
            Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            Isolation::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            Isolation::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }
}

impl std::str::FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Isolation, String> {
        match text.to_ascii_lowercase().replace(['-', '_'], " ").as_str() {
            "serializable" | "ser" => Ok(Isolation::Serializable),
            "repeatable read" | "rr" | "snapshot" => Ok(Isolation::RepeatableRead),
            "read committed" | "rc" => Ok(Isolation::ReadCommitted),
            _ => Err(format!("\"{text}\" is no isolation level: serializable, repeatable-read or read-committed")),
        }
    }
}

/// A database under test.
#[async_trait::async_trait]
pub trait Target: Send + Sync {
    /// A new connection; `index` spreads connections over several nodes.
    async fn connect(&self, index: usize) -> Result<Box<dyn Connection>, TargetError>;

    /// One line for reports.
    fn describe(&self) -> String;
}

/// One session.
#[async_trait::async_trait]
pub trait Connection: Send {
    /// Runs a statement with parameters; rows of a query, nothing of others.
    async fn run(&mut self, statement: &'static Statement, params: &[Param]) -> Result<Vec<Row>, TargetError>;

    /// Runs text without parameters (transaction control, DDL, bulk INSERT).
    async fn batch(&mut self, sql: &str) -> Result<(), TargetError>;

    /// Runs a query given as text.
    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, TargetError>;

    /// From now on the token of every COMMIT is put there before that is carried out, if the target tells it.
    async fn tell_tokens(&mut self, _to: LastToken) -> Result<(), TargetError> {
        Ok(())
    }
}

/// The token of the COMMIT that was begun last: held for a copy.
pub type LastToken = Arc<Mutex<Option<String>>>;
