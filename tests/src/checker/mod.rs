//! Checkers: pure judges of what a run left behind.
//!
//! ```text
//!   witness      every transaction, replayed in the order of its ID      trusts our IDs, sees everything
//!   replicas     all replicas of a range hold the same bytes
//! ```
//! What clients saw is judged by the workloads themselves, which know no IDs.

pub mod replicas;
pub mod witness;
