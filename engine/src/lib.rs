//! Quorate: a distributed transactional SQL database that lives inside your program.
//!
//! ```no_run
//! # #[tokio::main]
//! # async fn main() -> quorate::Result<()> {
//! let db = quorate::Database::open("./bank").await?; // or Database::in_memory()
//! db.execute("CREATE TABLE IF NOT EXISTS account (id INT PRIMARY KEY, balance INT NOT NULL)", ()).await?;
//! let sum: Option<i64> = db.query_one("SELECT sum(balance) FROM account", ()).await?;
//! # drop(sum);
//! db.close().await
//! # }
//! ```
//!
//! One [`Database`] is an in-memory database for a test, a durable directory on one machine, or a member of a sharded,
//! replicated cluster ([`Node`]).
//!
//! ```text
//!   server (PostgreSQL wire)   database (embedded API)         node: assembles and runs txn, storage and net
//!            └──────┬──────────────┘                             │
//!                session ──► sql ──► quorate_txn  ◄──────────────┘
//! ```
//!
//! Isolation: strict serializability by default; `REPEATABLE READ` is snapshot isolation, `READ COMMITTED` takes a
//! snapshot per statement. Durability: a commit is acknowledged after a quorum of the written ranges' replicas has
//! fsynced it.
//!
//! What it is not: a client for other servers, an ORM, or a place for clocks: nothing in here orders by time.
//!
//! Invariant: no global state; any number of nodes and databases live in one process.
//! Invariant: the library installs no logger, signal handler, panic hook or allocator, and never ends the process.
//! Invariant: SQL never sees nodes, ranges or the network; the node knows no SQL but the catalog's first rows.
//! Invariant: every error carries a SQLSTATE that PostgreSQL (or, for distributed conditions, CockroachDB) gave it.

pub mod database;
pub mod error;
pub mod node;
pub mod server;
pub mod session;
pub mod sql;

pub use database::{
    AsyncFunc, Builder, ColumnMap, Database, FromRow, FromValue, IntoValue, Isolation, Params, Row, Rows, Session,
    Statement, Transaction, TxOptions,
};
pub use error::{Error, ErrorKind, Result, SqlState};
pub use node::Node;
pub use quorate_derive::FromRow;

// The derive macro names this crate from outside, and the crate's own tests use it too.
extern crate self as quorate;
