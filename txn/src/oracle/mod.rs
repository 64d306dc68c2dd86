//! The timestamp oracle: one dense, ever-growing sequence of IDs, handed out by the leader of r2.
//!
//! ```text
//!             handed out                 may be handed out        never yet
//!   ──────────────────────────────┤next├───────────────────┤limit├──────────►  IDs
//!                            read_id = next - 1        replicated, raised in windows of 4 M
//! ```
//! A transaction reads at `S`, the largest ID handed out when it began; a commit takes the next one. `next` is in the
//! leader's memory only; `limit` is in the log, and no ID at or above it was ever handed out. A new leader begins at
//! the limit that it finds, after it has raised it in its own term.
//!
//! An answer must be produced after the request arrived, by a node that led at some moment in between: a group of one
//! voter knows that it does; of a larger one a majority must still be in the leader's term, which is asked once for a
//! whole batch ([`Witness`]; among three voters the asker's own replica is enough, and nobody is sent anything). A commit
//! ID that is above an S that was confirmed needs no confirmation: windows keep IDs unique, and the S was above
//! everything that was acknowledged before the transaction began.
//!
//! `catalog_id` is the newest ID allocated to a change of the catalog. It rises in the same instant in which the ID is
//! allocated, and the ID is given out only once it is replicated; so no S at or above the ID of a change is ever given
//! out without the `catalog_id` that tells of it.
//!
//! For reads in the past, `past` translates a time into the ID that was the newest then.
//!
//! Invariant: IDs strictly increase over all leaders, and no ID is given to two commits.
//! Invariant: nothing is served before the limit of this term was applied.

mod client;
mod leadership;
mod machine;
mod past;
mod service;

pub use client::{CommitIds, OracleClient, Reading};
pub use leadership::Witness;
pub use machine::{Allocation, Ask};
pub use service::OracleService;
