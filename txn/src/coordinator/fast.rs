//! Path FAST: several ranges in one Raft round.
//!
//! ```text
//!   gateway      C := oracle, reads elsewhere are promised at C
//!   1 PrepareFast(C) ──► NONE ──► PREPARED(C)    all of them: the outcome is COMMIT, client answered
//!                                 refused        for ever: the outcome is ABORT
//!   2 DoCommit(C) / DoAbort                      behind the client's back, until acknowledged
//! ```
//! Nobody decides: the outcome is what the registers say together. A coordinator that misses a vote therefore does not
//! abort; it inquires like any other terminator, which makes the missing register ABORTED if it is still NONE.
//!
//! Invariant: DoAbort is sent only after a participant has refused for ever, or is ABORTED.

use super::outcome::{Abort, Coordinator};
use super::three_phase::Decision;
use super::votes::Refusal;
use crate::api::{Prepare, Request};
use crate::error::{Result, RetryReason};
use crate::router::Route;
use crate::trace::{Phase, Recorder};
use crate::{Attempt, TxnId};
use quorate_storage::mutation::planted;
use std::sync::Arc;

impl Coordinator {
    /// Commits at `commit_id` over the ranges of `prepares`, where all reads of other ranges have been promised.
    ///
    /// # Errors
    /// [`Error::Ambiguous`] when a participant cannot be reached.
    pub(crate) async fn commit_fast(
        &self,
        attempt: Attempt,
        mut prepares: Vec<(Arc<Route>, Prepare)>,
        commit_id: TxnId,
        recorder: &Recorder,
    ) -> Result<Decision> {
        let participants: Vec<Vec<u8>> = prepares.iter().map(|(_, prepare)| prepare.part_key.clone()).collect();
        for (_, prepare) in &mut prepares {
            prepare.commit_id = commit_id;
            prepare.participants.clone_from(&participants);
            prepare.acceptors.clear();
        }
        match self.votes(&prepares, (Phase::PrepareFast, Request::PrepareFast), recorder).await {
            Ok(_) => {
                self.hold(attempt, &participants).await;
                self.spread(attempt, participants, Some(commit_id));
                Ok(Decision::Committed(commit_id))
            }
            Err(Refusal::No(abort)) => {
                self.spread(attempt, participants, None);
                Ok(Decision::Aborted(abort))
            }
            Err(Refusal::Silent) if planted("fast-aborted-unasked") => {
                self.spread(attempt, participants, None);
                Ok(Decision::Aborted(Abort::Conflict(RetryReason::Aborted)))
            }
            Err(Refusal::Silent) => self.end(attempt, (&participants, &[]), recorder).await,
        }
    }
}
