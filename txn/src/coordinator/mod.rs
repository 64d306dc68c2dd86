//! Drives commits over several range groups, and ends what other coordinators left behind.
//!
//! One round when nothing speaks against it (`fast`), else three-phase commit:
//!
//! ```text
//!   coordinator        participants (each register is replicated state of its range)
//!   1 CanCommit  ────► NONE ──► PREPARED   yes            any NO: ABORT, durable at who refused
//!   2 C := oracle      (all yes)                          reads are refreshed at C; failure: PreAbort
//!     PreCommit  ────► PRECOMMIT(C)                       a quorum of acceptors: the outcome is COMMIT, client answered
//!   3 DoCommit   ────► COMMITTED(C), intents are versions (behind the client's back, until acknowledged)
//! ```
//! The decision lies in a majority of the acceptors: an odd number of participants up to five, or two or four of them and an
//! *arbiter*, a group that votes and decides with them but holds nothing (`arbiter`). So the loss of any one group out of
//! two keeps nobody waiting who can be reached. When a coordinator falls silent, anybody may *terminate* the attempt under a ballot of its own:
//! Inquire fences lower ballots at every register, [`crate::commit::Survey`] reads the answers, PreCommit or PreAbort at a
//! quorum fixes the outcome, DoCommit or DoAbort spreads it. The coordinator's own ballot is 0; it proposes one value.
//!
//! A transaction that read in ranges where it does not write, or that changes the catalog, is marked `foreign_reads`:
//! recovery does not commit it on its own (nobody could refresh those reads, or tell the oracle of the change).
//!
//! An attempt that is *held* stops after the first phase, at a commit ID where all reads hold: its record ([`crate::held`])
//! has the word, whoever drives it.
//!
//! Invariant: PreCommit is sent only after every participant has voted yes and all reads were refreshed at C.
//! Invariant: COMMIT or ABORT is told to a client only when a quorum of PRECOMMIT / PREABORT, a decided register, or a
//! durable NO says so.
//! Invariant: a timer starts recovery or resends; it never decides.

mod arbiter;
mod brake;
mod fast;
mod held;
mod outcome;
mod status;
mod terminate;
mod three_phase;
mod votes;

pub use brake::Brake;
pub(crate) use outcome::unexpected;
pub use outcome::{Abort, Coordinator};
pub use three_phase::{Decision, Plan};
