//! Sessions: what a client talks to, without the wire. The PostgreSQL listener, the embedded API and the shell all drive
//! a [`Session`]; it owns the transaction state and decides what is run again.
//!
//! ```text
//!             begin                     error inside                         statement outside a block:
//!   Idle ─────────────► Open ─────────────────────► Failed                   implicit transaction, committed at its end
//!    ▲                   │ commit / rollback          │ commit = rollback    (or at `sync`, inside a pipeline); run again
//!    └───────────────────┴────────────────────────────┘                      after 40001 while no row has left
//!
//!   simple(text)  ─► statements one by one ─┐
//!   prepare(text) ─► Prepared               ├─► plan (cached) ─► run ─► Execution: rows in batches, tag
//!   execute(Prepared, values) ──────────────┘
//! ```
//!
//! How the callers use it:
//!
//! * *Embedded*: [`Session::prepare`], [`Session::execute`], then [`Session::fetch`] until it says that it is done.
//! * *Simple protocol*: [`Session::simple`] with a [`ResultSink`]; if it returns a [`CopyIn`], feed it with
//!   [`Session::copy_data`] and end it with [`Session::copy_done`] or [`Session::copy_fail`].
//! * *Extended protocol*: as embedded, with [`ExecuteMode::Pipelined`] when messages other than Sync follow, and
//!   [`Session::sync`] at Sync. A portal is an [`Execution`] that the server keeps; fetching with a limit suspends it.
//!
//! Invariant: a statement outside a block that fails leaves nothing behind.
//! Invariant: nothing is run again after a row of it has left the session.
//! Invariant: in the Failed state only the end of the block (or of a savepoint) is accepted.

mod block;
mod cancel;
mod cluster;
mod command;
mod commit_trace;
mod copy;
mod execution;
mod gateway;
mod named;
mod prepared;
mod result;
mod simple;
mod state;
mod two_phase;

pub use cancel::CancelHandle;
pub use copy::CopyIn;
pub use execution::{ExecuteMode, Execution};
pub use gateway::{ClusterInfo, Gateway, NodeStatus, RangeStatus};
pub use prepared::Prepared;
pub use result::{ColumnDesc, CommandTag, CopyFormat, Fetch, Notice, ResultSink, Row, Severity};
pub use state::{Session, StartupParams, TransactionStatus};

#[cfg(test)]
mod tests;
