//! The participant: what the leaseholder of a range does for transactions.
//!
//! One [`Participant`] lives for one range and one Raft term of this node's leadership.
//!
//! ```text
//!  start   leader, first entry of the term applied
//!          └► fresh oracle ID ─► floor entry applied ─► intents indexed ─► ready       (before: NotReady)
//!
//!  read    term, generation, bounds ─► promise at S allowed? ─► mutex: blocked? no: enter read cache ─► engine
//!  write   mutex: blocked? promised? no: latch ─► validate against the engine ─► propose guards + batch ─► applied
//! ```
//!
//! A promise at S is allowed at once when S is at most `confirmed`: the greatest ID known to be handed out when a
//! round started that confirmed this leadership. Every leader elected after that round takes, as its floor, an oracle
//! ID drawn after its own first entry, which is above `confirmed`; so it refuses whatever would break the promise.
//! Otherwise the read joins the next round. A range with one voter needs no round: nobody else can be elected.
//!
//! A split is evaluated alone: new requests wait from its evaluation until this replica has applied it, because from
//! its commit on another node may lead the right half.
//!
//! A request whose caller goes away while its entry is under way is finished by a task, so that latches are never
//! released before the outcome is known.
//!
//! Lock order: inside the participant's mutex only that of [`Gateways`] is taken; nothing is awaited and no engine is
//! read under it.
//!
//! Invariant: what a read returned stays the state at its ID: no later write at or below it (floor, read cache).
//! Invariant: latches are held until the entry is applied, or this participant has stopped serving.
//! Invariant: a refused CanCommit has left an ABORTED register behind.

mod admit;
mod collect;
mod commit_one;
mod confirm;
mod convoy;
mod gateways;
mod horizon;
mod housekeeping;
mod locked_read;
mod prepare;
mod propose;
mod read;
mod registers;
mod registry;
mod service;
mod split;
mod start;
mod state;
mod token;
mod wait;

pub use gateways::{Alive, Gateways};
pub use registry::Participants;
pub use service::{Ended, Ids, Participant, Resolver};
pub use start::{ATTEMPT_FLOOR, FLOOR, HISTORY_FLOOR};

#[cfg(test)]
mod tests;
