//! Versions: what a read at an ID sees, and what a commit writes.
//!
//! ```text
//!            Data                      History
//!  key a     a -> 70 | "a3"            a·!40 -> "a2"    a·!12 -> "a1"
//!  key b     b -> 55 | tombstone       b·!20 -> "b1"
//!
//!  read at 50:   a -> "a2"   b -> "b1"          read at 60:   a -> "a2"   b -> absent
//! ```
//! The newest version lies under the plain key with its ID in front, so that reading current data is one exact get and
//! never steps over old versions. A commit replaces it and moves it to History in the same batch; a reader that finds
//! a version above its ID in Data therefore finds the one it wants in History, whatever happens in between.
//!
//! Only committed versions are in here; intents have a keyspace of their own.
//!
//! Old versions, and tombstones that are the newest version for long, are garbage once nobody may read so far back.
//!
//! Invariant: a key that ever had a version has one in Data (a tombstone after a delete, until that is garbage).
//! Invariant: Data holds the greatest ID of a key; History holds the others.

mod collect;
mod read;
mod version;
mod write;

pub use collect::{Garbage, Sweep};
pub use read::{Limits, Scanned, changed_in, newest, read_at, scan_at};
pub use version::{Version, decode_history, decode_newest, encode_newest, history_id, newest_id};
pub use write::Batch;

#[cfg(test)]
mod tests;
