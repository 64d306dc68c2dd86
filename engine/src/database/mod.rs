//! The embedded API: SQL in the caller's process and tokio runtime, without a socket.
//!
//! ```text
//!  Database ──► pool of lines ──► Line ──► session::Session         one call = one statement in its own transaction
//!     │ begin, transaction            ▲
//!     ├──► Transaction ───────────────┤      a line of its own until commit
//!     ├──► Session ───────────────────┘      a line of its own, for SET and temporary state
//!     └──► Rows ──────────────────────┘      keeps its line until the last row, or gives the query up when dropped
//!
//!  parameters   Params (tuples, arrays, slices, ()) ─► Value ─► fitted to the types that the statement wants
//!  rows         Row, tuples, scalars, #[derive(FromRow)]    columns are looked up once per result
//! ```
//!
//! A line is a session with the statements that it has prepared, by text. Lines are pooled; a call takes one, and gives it
//! back when it stands outside of a transaction. Point statements run on the caller's task from end to end.
//!
//! **Cancelling.** Dropping the future of a call cancels the statement: a pooled line is thrown away, which rolls back; a
//! [`Transaction`] can only be rolled back after it.
//!
//! **Retries.** [`Database::transaction`] runs its closure again after SQLSTATE 40001, 40P01 and their like; single
//! statements are run again by the session. Of a commit whose answer is lost it finds out the outcome; one whose outcome
//! cannot be found out ([`crate::Error::is_ambiguous`], with [`crate::Error::txn_token`]) is never run again, unless [`TxOptions::idempotent`] allows it.
//!
//! Invariant: nothing global; two databases in one process know nothing of each other.
//! Invariant: a line in the pool stands outside of a transaction, with its settings as they were at its start.
//! Invariant: nothing of an earlier attempt of a transaction closure is left when the next begins.

mod builder;
mod call;
mod from_row;
mod from_value;
mod handle;
mod line;
mod node;
mod params;
mod pool;
mod retry;
mod row;
mod rows;
mod session;
mod statement;
mod transaction;

pub use builder::Builder;
pub use from_row::{ColumnMap, FromRow};
pub use from_value::FromValue;
pub use handle::Database;
pub use node::NodeBuilder;
pub use params::{IntoValue, Params};
pub use retry::{AsyncFunc, Isolation, RetryHook, TxOptions};
pub use row::{ColumnIndex, Row};
pub use rows::Rows;
pub use session::Session;
pub use statement::{Statement, ToStatement};
pub use transaction::Transaction;

#[cfg(test)]
mod tests;
