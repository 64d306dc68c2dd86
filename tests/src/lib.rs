//! Whole-system tests.
//!
//! ```text
//!   tests/tidy.rs       the rules of the house: arrows between modules, heads, banned words
//!   tests/bank.rs       nodes in one process, real time: a bank under crashes and restarts
//!   tests/models.rs     the commit protocol, every state of it
//!     models            what a coordinator, a recoverer, a leader may do, over the product's registers
//!   tests/simulated.rs  the whole cluster in one thread under virtual time, from seeds
//!     simulation        worlds, networks, disks, faults: how a run is made
//!     workload          what clients do, and what must hold
//!     checker           what judges a run; `simulation` itself watches every register of every replica
//!   bin/simulate.rs     the same for people: any seeds, workloads and faults; `.ci/nightly` runs it for an hour
//! ```
//! Bugs can be planted in the code (feature `mutations` of `quorate-storage`); `simulation::MUTATIONS` lists them with a
//! seed that finds each, and the tests check that it does. [`pitfalls`] tells which bugs of other systems are covered.
//!
//! Tests that start real processes live beside the binary, in `shell/tests`; `faults` there plays these workloads too.

pub mod checker;
pub mod cluster;
pub mod models;
pub mod pitfalls;
pub mod simulation;
pub mod tidy;
pub mod workload;
