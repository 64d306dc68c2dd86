//! Many Raft groups driven by one loop: events in, effects out.
//!
//! ```text
//!   StoreHandle ─┐                    ┌─► EffectSink::send      one envelope per destination node
//!   network ─────┼─ Event ─► Store ───┼─► EffectSink::notice    role changes, images wanted, replicas gone
//!   ticks ───────┤   handle  process  └─► ApplyTask ─► Applier ─► one engine batch ─► wake the proposers
//!   Applier ─────┘                                        └──── Results: an Event rings if somebody waits for them
//! ```
//!
//! One pass of [`Store::process`] over the groups that something happened to:
//!
//! 1. a `Ready` of each; a leader's appends leave at once, before its own fsync (Raft thesis 10.2.1);
//! 2. one [`crate::log::LogBatch`] of all groups, one fsync;
//! 3. `advance_append`: votes and acknowledgements leave, raft-committed entries go to the [`Applier`].
//!
//! The [`Applier`] owns all writes to the engine. It runs beside the loop (its own thread, or inline in simulation)
//! and reports back; only when the store has looked may the group count the entries as applied.
//!
//! What raft-rs gets wrong for us is handled here: election timeouts are set from our seed after every step (it draws
//! them from `thread_rng`); ReadIndex requests wait until the term's first entry is applied (it drops them silently);
//! proposals are appended by a leader only (its followers would forward them); messages are checked before they are
//! stepped (it panics on nonsense).
//!
//! A leader that is read asks its voters for a bound of IDs, up to which it may promise reads without a round ([`Lease`]).
//!
//! Invariant: the store opens no socket, reads no clock and starts no thread.
//! Invariant: a proposal is answered once, after its effect is in the engine and in the views, and is never proposed
//! again.
//! Invariant: after an error of log or engine the store answers nothing but "stopped".

mod applier;
mod batch;
mod checkpoint;
mod core;
pub mod driver;
mod event;
mod handle;
mod images;
mod lease;
mod lifecycle;
mod membership;
mod message;
mod open;
mod peer;
mod process;
mod replica_log;
mod settings;
mod validate;
mod views;

#[cfg(test)]
mod tests;

pub use applier::Applier;
pub use core::Store;
pub use driver::Inbox;
pub use event::{ApplyResult, ApplyTask, ChangeOutcome, EffectSink, Effects, Event, ImageRequest, Notice, RoleChange};
pub use handle::{ReplicaView, Role, StoreHandle};
pub use lease::Lease;
pub use message::{RaftBody, RaftEntry, RaftMessage};
pub use open::Opened;
pub use settings::StoreSettings;
pub use views::Views;
