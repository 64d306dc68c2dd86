//! Whole-system tests.
//!
//! ```text
//!   tests/tidy.rs       the rules of the house: arrows between modules, heads, banned words
//!   tests/cluster.rs    nodes in one process: bank under crashes and restarts, membership, splits
//! ```
//! Tests that start real processes live beside the binary, in `shell/tests`.

pub mod cluster;
pub mod tidy;
