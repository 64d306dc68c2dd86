//! The participant: what the leaseholder of a range does for transactions.
//!
//! One [`Participant`] lives for one range and one Raft term of this node's leadership.
//!
//! ```text
//!  start   leader, first entry of the term applied
//!          └► fresh oracle ID ─► oracle beyond the floor ─► floor entry applied ─► intents indexed ─► ready
//!                                                                                       (before: NotReady)
//!
//!  read    term, generation, bounds ─► promise at S allowed? ─► mutex: blocked? no: enter read cache ─► engine
//!  write   mutex: blocked? promised? no: latch ─► validate against the engine ─► propose guards + batch ─► applied
//! ```
//!
//! A promise at S is allowed at once when S is at most the bound of the [lease](quorate_storage::store::Lease): a quorum of
//! voters has granted it to this term, and tells of it whomever it elects later. Or when S is at most `confirmed`: the
//! greatest ID known to be handed out when a round started that confirmed this leadership. Every leader elected after that
//! takes as its floor the greatest of what its voters granted, what its log holds, and an oracle ID drawn after its own
//! first entry, which is above `confirmed`; so it refuses whatever would break the promise. Otherwise the read joins the
//! next round, which asks for a bound ahead of it as well. A range with one voter needs neither: nobody else can be
//! elected.
//!
//! Whether a promise is allowed is asked before it enters the read cache. Nothing is lost by that order: later leaders
//! refuse by their floor, and writes of this one are held against the cache under the mutex that the promise enters it
//! under. A bound that is taken away in between does not matter, since S had been handed out before.
//!
//! A split is evaluated alone: new requests wait from its evaluation until this replica has applied it, because from
//! its commit on another node may lead the right half, with a floor that knows nothing of bounds granted to the left. A
//! change of members takes the bound away in the store; reads go on by rounds.
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
mod ahead;
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
