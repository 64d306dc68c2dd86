//! Asking every participant at once; the first refusal ends it.

use super::outcome::{Abort, Coordinator};
use crate::TxnId;
use crate::api::{Prepare, RegisterState, Reply, Request};
use crate::error::RetryReason;
use crate::router::{Answer, Delivery, Route};
use crate::trace::{Phase, Recorder};
use futures::future::try_join_all;
use std::sync::Arc;
use std::time::Duration;

/// How long votes may take, waiting for other transactions included. Participants start recovery on their own a little
/// later than this.
const VOTING: Duration = Duration::from_millis(1_200);

/// Why there are not all votes.
pub(super) enum Refusal {
    /// Somebody voted no: the attempt can never commit.
    No(Abort),
    /// Somebody did not vote.
    Silent,
}

impl Coordinator {
    /// Sends each prepare, in the request that `make` makes of it, and waits until all have voted yes. Returns the greatest
    /// of the lower bounds that they set for the commit ID.
    pub(super) async fn votes<'a>(
        &'a self,
        prepares: &'a [(Arc<Route>, Prepare)],
        (phase, make): (Phase, fn(Prepare) -> Request),
        recorder: &'a Recorder,
    ) -> Result<TxnId, Refusal> {
        recorder.round();
        let vote = |(route, prepare): &'a (Arc<Route>, Prepare)| async move {
            let at = recorder.now();
            let delivery = self.router.send(route, || make(prepare.clone())).await;
            recorder.answered(at, phase, (route.descriptor.id, &prepare.part_key), &delivery);
            vote_in(delivery, prepare)
        };
        // Those that have a way to go leave first: what is evaluated here keeps none of them waiting.
        let (here, away): (Vec<_>, Vec<_>) =
            prepares.iter().partition(|(route, _)| self.router.is_local(route.descriptor.id));
        match self.runtime().timeout(VOTING, try_join_all(away.into_iter().chain(here).map(vote))).await {
            Some(votes) => votes.map(|bounds| bounds.into_iter().max().unwrap_or_default()),
            None => Err(Refusal::Silent),
        }
    }
}

/// What an answer to a prepare means.
fn vote_in(delivery: Delivery, prepare: &Prepare) -> Result<TxnId, Refusal> {
    let no = |reason| Err(Refusal::No(Abort::Conflict(reason)));
    match delivery.answer {
        Answer::Reply(Reply::Register(register)) => match register.state {
            RegisterState::Prepared | RegisterState::PreCommit | RegisterState::PreAbort => Ok(register.min_c),
            RegisterState::Aborted => no(RetryReason::Aborted),
            _ => Err(Refusal::Silent),
        },
        Answer::Reply(Reply::Aborted) => no(RetryReason::Aborted),
        Answer::Reply(Reply::ReadInvalid { .. }) => no(RetryReason::ReadConflict),
        Answer::Reply(Reply::WriteConflict { newest, .. }) => no(RetryReason::WriteConflict { newest }),
        Answer::Reply(Reply::NeedHigherId { above }) => Err(Refusal::No(Abort::Pushed { above })),
        Answer::Reply(Reply::Wounded) => no(RetryReason::Wounded),
        Answer::Reply(Reply::TooOld { floor }) => Err(Refusal::No(Abort::TooOld { floor })),
        // An earlier copy may have been taken, committed by recovery and forgotten.
        Answer::Reply(Reply::Forgotten) => Err(Refusal::Silent),
        // The generation only rises, so this prepare can never be taken; unless an earlier copy of it was.
        Answer::Moved if !delivery.in_doubt => Err(Refusal::No(Abort::Moved)),
        Answer::Moved | Answer::Unavailable => Err(Refusal::Silent),
        Answer::Reply(other) => {
            tracing::warn!(attempt = %prepare.meta.attempt, reply = ?other, "no vote");
            Err(Refusal::Silent)
        }
    }
}
