//! Checkers: pure judges of what a run left behind.
//!
//! ```text
//!   witness      every transaction, replayed in the order of its ID      trusts our IDs, sees everything
//!   replicas     all replicas of a range hold the same bytes
//!   list_append  cycles between transactions              what clients saw, no IDs
//!   register     linearizability of single rows           likewise
//! ```
//! Other things that clients saw are judged by the workloads themselves, which know no IDs.

pub mod list_append;
pub mod register;
pub mod replicas;
pub mod witness;
