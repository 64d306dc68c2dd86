//! The gateway's side of a transaction: reads at S, buffered writes, commit.
//!
//! ```text
//!   begin       S := oracle                                      attempt := (gateway, incarnation, counter)
//!   get, scan   stored state at S, under the overlay of buffered writes; noted in the read set
//!   lock        granted on a version newer than S: earlier reads are refreshed and S moves up (SERIALIZABLE),
//!               or the transaction gives up (snapshot), or the statement starts again (READ COMMITTED)
//!   put         into the overlay
//!   commit      nothing written: done.   one range: C := oracle, CommitOne.   several: PrepareFast at C, or three-phase
//!               commit (which way and why: `path`)
//! ```
//! What is checked at commit:
//!
//! ```text
//!                    reads valid at C                       writes
//!   SERIALIZABLE     all                                    what was read before being written: unchanged since S
//!   snapshot         those that must stay valid             nothing newer than S (the first committer wins)
//!   READ COMMITTED   those that must stay valid             nothing newer than the S of the statement that wrote
//! ```
//! `hold` stops after the votes and leaves the rest to whoever knows the name (`held`).
//!
//! Volatile locks only make conflicts rarer: everything is validated again at commit, so their loss harms nobody.
//!
//! Invariant: [`Error::Retry`](crate::Error::Retry) is returned only when the attempt is not and will never be
//! committed; a commit whose outcome cannot be learned is [`Error::Ambiguous`](crate::Error::Ambiguous).
//! Invariant: an attempt commits once: a commit that must be sent anew with other contents is a new attempt, after the
//! old one was made ABORTED.

mod client;
mod commit;
mod handle;
mod held;
mod observer;
mod options;
mod overlay;
mod path;
mod read;
mod reads;

pub use client::{Client, Setup};
pub use handle::Transaction;
pub use held::{Finish, Hold};
pub use observer::{End, Observed, ObservedRead, Observer};
pub use options::{CommitProtocol, Committed, Isolation, Mark, Page, Scan, TxnOptions};

#[cfg(test)]
mod tests;
