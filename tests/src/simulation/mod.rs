//! The whole cluster in one thread, under virtual time, from one seed.
//!
//! ```text
//!   run      one plan: world, workload, faults, rest, checkers
//!     world      complete nodes: how they start, die and come back
//!       network    every link: delay, loss, duplicates, cuts          behind net::Transport
//!       disk       what a crash leaves, how fsyncs fail               behind storage::{Engine, LogStore}
//!       trip     steps of the commit protocol on the links, for faults to strike at
//!       client     SQL sessions inside the nodes' processes
//!     fault      what goes wrong, planned from the seed
//!     omniscient what no node sees: every batch, every message
//!     trace      what happened, as a hash and as a story (story: messages in words)
//!     witnessed  every transaction                                    behind txn::Observer
//!     state      every version on the disks in the end
//! ```
//! The nodes are the code that ships, from the SQL session to log and engine. Only what stands below the seams is
//! simulated: sockets, files, threads, clocks.
//!
//! Invariant: two runs of one plan have the same trace hash.

mod client;
mod disk;
pub mod fault;
mod mutations;
mod network;
mod omniscient;
mod run;
mod state;
mod story;
mod trace;
mod trip;
mod witnessed;
mod world;

pub use disk::{Disk, Trouble};
pub use mutations::{MUTATIONS, Mutation};
pub use network::{Network, Weather};
pub use omniscient::{Omniscient, Spoken};
pub use run::{Plan, Report, run};
pub use state::State;
pub use trace::Trace;
pub use witnessed::{Witness, Witnessed};
pub use world::World;
