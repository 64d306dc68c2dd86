//! Workloads that load, run and check a database: TPC-C, and a small bank.
//!
//! ```text
//!   tpcc ──► target ──► Embedded (quorate::Database in this process)
//!    │          └─────► Postgres (any PostgreSQL URL: Quorate, PostgreSQL, ...)
//!    └─► report (text and JSON, percentiles from HDR histograms)
//! ```
//!
//! The same statements, retry rules and checks run against every target, so that figures are comparable. The library
//! prints nothing: progress and reports are values that the caller shows.
//!
//! Invariant: a latency is never averaged from percentiles; histograms are merged.
//! Invariant: a transaction counts as committed only after the target acknowledged its COMMIT.
//! Invariant: statements are never pipelined, on any target.

pub mod bank;
pub mod target;
pub mod tpcc;
