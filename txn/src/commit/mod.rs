//! Commit over several ranges as data in, data out: the register of one participant, and what recovery decides.
//!
//! Every participant range holds one register per attempt. All transitions are Raft entries, so a register is
//! linearizable and forgets nothing. How an attempt commits is fixed in its prepare and never changes: FAST when the
//! commit ID comes with the prepare, three-phase commit when it is chosen after the votes.
//!
//! ```text
//!  message \ state   NONE      PENDING   PREPARED      PRECOMMIT      PREABORT       COMMITTED   ABORTED
//!  CanCommit         PREPARED  PREPARED  =             =              =              =           =
//!                    or ABORTED (a NO vote, durably)
//!  Inquire(b)        ABORTED   ABORTED   promise b     promise b      promise b      =           =
//!  PreCommit(b, C)   =         =         PRECOMMIT if b >= promised, else =          =           =
//!  PreAbort(b)       =         =         PREABORT  if b >= promised, else =          =           =
//!  DoCommit(C)       corrupt   corrupt   COMMITTED     COMMITTED      COMMITTED      = (same C)  corrupt
//!  DoAbort           ABORTED   ABORTED   ABORTED       ABORTED        ABORTED        =           =
//!  Settle            ABORTED   ABORTED   =             =              =              =           =
//! ```
//! `=` keeps the register. The answer to every message is the register afterwards: a proposal was accepted exactly if
//! the register holds it at the proposal's ballot.
//!
//! **FAST.** The register of a participant goes from NONE to PREPARED(C) or to ABORTED, whichever comes first in its log,
//! and never back; it keeps every Inquire, PreCommit and PreAbort as it is. The outcome is the AND over the registers:
//! COMMIT at C once all participants are PREPARED, ABORT once one of them is ABORTED or can never be PREPARED (it has
//! promised readers an ID above C, or holds a newer version). Neither can follow the other, so recovery needs no
//! ballots, only an answer of every participant; this is "one consensus per participant" of Gray and Lamport (Consensus
//! on Transaction Commit, 2006) with Raft as the consensus.
//!
//! **Three-phase commit.** A quorum is a majority of the acceptors. The outcome is COMMIT once a quorum accepted PreCommit at one ballot, and
//! ABORT once a quorum accepted PreAbort at one ballot, or any participant is ABORTED (it never voted yes, or the
//! decision had been made).
//!
//! **Held.** An attempt that its client holds has all votes and nobody proposes, until the record under its name
//! ([`crate::held`]) says what. Then every proposal carries that; PREPARED alone never means COMMIT here, nor ABORT.
//!
//! Invariant: a ballot carries one value, ever; after PreAbort(b) a register refuses PreCommit(b).
//! Invariant: a register never leaves COMMITTED or ABORTED.
//! Invariant: a FAST register leaves PREPARED only with the outcome: by DoCommit at its own ID when all participants are
//! PREPARED, by DoAbort when one never will be.
//! Invariant: PreCommit is refused only for its ballot, never for reads: those were refreshed before it was sent.

mod decide;
mod register;

pub use decide::{Decision, Survey, Value, choose_acceptors, quorum, wants_arbiter};
pub use register::{Core, Message, Step, step};
