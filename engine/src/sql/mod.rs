//! SQL over the transactional map: from text to rows.
//!
//! ```text
//!   text ─► parser ─► binder ─► plan ─► optimizer ─► exec ─► rows
//!            │          │                              │
//!        Statement   catalog (descriptors)        txn::Transaction
//!                   types: values, casts, kernels     row: keys and row format
//! ```
//!
//! Each arrow is a function over plain data; only `exec` is asynchronous, and it pulls once per batch of rows.
//!
//! Invariant: nothing in here knows of nodes, ranges or the network.
//! Invariant: what parses and is not implemented is refused with 0A000; nothing is ignored silently.

pub mod binder;
pub mod catalog;
pub mod exec;
pub mod optimizer;
pub mod parser;
pub mod plan;
pub mod row;
pub mod types;
