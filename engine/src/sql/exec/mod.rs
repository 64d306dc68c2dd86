//! Execution: plans to rows and effects.
//!
//! ```text
//!   Plan ──compile──► Program (steps, shared by executions)          Env: parameters, outer rows, session facts
//!                        │                                             ▲ sync: eval, function, aggregate
//!                        ▼                                             │
//!                     Operator tree ──next() once per batch──► Context { txn, env } ──► txn::Transaction
//!                        │
//!                        ├─► dml    rows to keys and values, constraints, foreign keys
//!                        ├─► ddl    descriptors, index builds
//!                        └─► copy   bytes to rows and back
//! ```
//! Operators are pulled: `next` gives a batch of rows or the end. A batch is what one page of a scan gives, so that the
//! cost of an asynchronous call is paid once for many rows.
//!
//! Invariant: evaluating an expression never waits and never reads the map.
//! Invariant: an execution owns everything that it needs besides the transaction, so that a portal can be suspended.

mod aggregate;
pub mod cluster;
pub mod copy;
mod ddl;
mod dml;
mod env;
mod eval;
mod function;
mod keys;
mod notice;
mod operator;
mod operator_kernel;
mod program;
mod regexes;
mod run;
mod sequence;
pub mod settings;
mod txn_error;
mod virtual_tables;

pub use ddl::{CatalogChange, DdlContext, run_ddl};
pub use dml::Inserter;
pub use env::{Effects, Env, Facts, SessionSequences, pg_to_wall, wall_to_pg};
pub use keys::ScanLayout;
pub use notice::{Notice, Severity};
pub use program::Program;
pub use run::{Context, Outcome, Run};
pub use sequence::{Sequences, retry};
pub use txn_error::wants_restart;

/// One row: as many values as there are columns.
pub type Row = Vec<crate::sql::types::Value>;
