//! What a leaseholder remembers in memory about who reads and writes its range: events in, decisions out.
//!
//! ```text
//!  read cache   span or key -> greatest promised ID             a writer needs C above it
//!  latches      key -> write being proposed, readable below     until the entry is applied
//!  intents      key -> prepared attempt, readable below         until the attempt is resolved; also in the engine
//!  locks        key -> holders and queue (share, update)        until the transaction ends; only here
//!  recent       key -> newest commit ID                         answers "changed since?" without the engine
//! ```
//! Readers take no latch: a read at S enters the read cache, after which nobody can commit at or below S, and needs to
//! wait only for a write at or below S that is under way at that moment (a latch or an intent).
//!
//! A blocked request holds a [`Ticket`]; the table answers later that the ticket is woken. It then starts over, except
//! for volatile locks, which are granted in order of age.
//!
//! Invariant: a read enters the cache and a write takes its latches under one mutex hold of the participant each, so
//! that of every two one sees the other.
//! Invariant: losing all of this loses no promise: the next leader's floor is above every promise of this one.

mod cache;
mod intent;
mod latch;
mod recent;
mod volatile;

use quorate_storage::Span;
use std::ops::Bound;

pub use cache::{Promise, ReadCache};
pub use intent::{Holder, HolderId, Intents};
pub use latch::{Latch, Latches};
pub use recent::{Change, Recent};
pub use volatile::{LockTable, Owner, Wake};

/// The bounds of `span` for a map by key; an inverted span is empty.
fn bounds(span: &Span) -> (Bound<&[u8]>, Bound<&[u8]>) {
    let (start, end) = (span.start.as_slice(), span.end.as_slice());
    (Bound::Included(start), Bound::Excluded(end.max(start)))
}

/// Names a request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);
