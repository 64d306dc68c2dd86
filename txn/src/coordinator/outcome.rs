//! What coordinator and terminator share: sending to registers, refreshing reads, spreading the outcome.

use super::brake::Brake;
use crate::api::{RecordKey, Register, RegisterState, Reply, Request, TxnMeta};
use crate::error::{Error, Result, RetryReason};
use crate::oracle::OracleClient;
use crate::router::{Answer, Route, Router};
use crate::service::Backoff;
use crate::trace::{Phase, Recorder};
use crate::{Attempt, ReadSpan, TxnId, TxnStatus};
use futures::future::{join_all, try_join_all};
use quorate_net::Runtime;
use std::sync::Arc;
use std::time::Duration;

/// Longest pause between two tries to tell a participant the outcome.
const SLOWEST_SPREAD: Duration = Duration::from_secs(2);
/// Tries to tell a participant the outcome; after that its own recovery learns it.
const MOST_SPREADS: usize = 100;

/// Why an attempt was aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abort {
    /// Run the transaction again; all its values may differ.
    Conflict(RetryReason),
    /// A range was split or moved meanwhile: cut the same writes again and commit them as a new attempt.
    Moved,
    /// The commit ID was too low for what readers have been promised, or for who holds a key: commit the same writes as a
    /// new attempt, above this ID.
    Pushed {
        /// The greatest ID met.
        above: TxnId,
    },
    /// It would need versions that are collected.
    TooOld {
        /// Where the history that is kept begins.
        floor: TxnId,
    },
}

/// What a participant says of its register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// How it stands.
    Register(Register),
    /// There is none and never will be. This is not NONE, which may become PREPARED.
    Forgotten,
}

/// Drives commits and recoveries from one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Coordinator {
    pub(super) router: Arc<Router>,
    pub(super) oracle: OracleClient,
    pub(super) brake: Arc<Brake>,
}

impl Coordinator {
    /// A coordinator that sends through `router`.
    pub fn new(router: Arc<Router>, oracle: OracleClient) -> Coordinator {
        Coordinator { router, oracle, brake: Arc::default() }
    }

    /// Holds commits of this gateway, to be watched.
    pub fn brake(&self) -> &Brake {
        &self.brake
    }

    /// The router that it sends through.
    pub fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// The oracle that it asks.
    pub fn oracle(&self) -> &OracleClient {
        &self.oracle
    }

    pub(super) fn runtime(&self) -> &Runtime {
        self.router.runtime()
    }

    /// Moves the validity of reads from `from` to `to`. `Ok(false)`: something was overwritten in between.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when a range is away; [`Error::Retry`] when the attempt was wounded.
    pub async fn refresh(
        &self,
        meta: TxnMeta,
        spans: Vec<ReadSpan>,
        from: TxnId,
        to: TxnId,
        prepared: bool,
    ) -> Result<bool> {
        let mut left = spans;
        while !left.is_empty() {
            let parts = group(self.router.cut(std::mem::take(&mut left)).await?);
            let refresh_part = |(route, spans): (Arc<Route>, Vec<ReadSpan>)| async move {
                let make = || Request::Refresh { meta, spans: spans.clone(), from, to, prepared };
                match self.router.send(&route, make).await.answer {
                    Answer::Reply(Reply::Ok) => Ok((true, Vec::new())),
                    Answer::Reply(Reply::ReadInvalid { .. }) => Ok((false, Vec::new())),
                    Answer::Reply(Reply::Wounded) => Err(Error::Retry(RetryReason::Wounded)),
                    Answer::Reply(Reply::TooOld { floor }) => Err(Error::TooOld { read_id: from, floor }),
                    Answer::Reply(other) => Err(unexpected(&other)),
                    Answer::Moved => Ok((true, spans)),
                    Answer::Unavailable => Err(Error::Unavailable(Some(route.descriptor.id))),
                }
            };
            for (valid, moved) in try_join_all(parts.into_iter().map(refresh_part)).await? {
                if !valid {
                    return Ok(false);
                }
                left.extend(moved);
            }
        }
        Ok(true)
    }

    /// Sends a request to a register; `None` if the range cannot be reached or answered something else.
    pub(super) async fn ask_register(
        &self,
        record: &RecordKey,
        make: impl Fn(RecordKey) -> Request,
        story: Option<(Phase, &Recorder)>,
    ) -> Option<Heard> {
        let at = story.map(|(_, recorder)| recorder.now()).unwrap_or_default();
        let (range, delivery) = self.router.deliver_to_key(&record.part_key, || make(record.clone())).await.ok()?;
        if let Some((phase, recorder)) = story {
            recorder.answered(at, phase, (range, &record.part_key), &delivery);
        }
        match delivery.answer {
            Answer::Reply(Reply::Register(register)) => Some(Heard::Register(register)),
            Answer::Reply(Reply::Committed { commit_id, .. }) => {
                Some(Heard::Register(register(RegisterState::Committed, commit_id)))
            }
            Answer::Reply(Reply::Aborted) => Some(Heard::Register(register(RegisterState::Aborted, TxnId(0)))),
            Answer::Reply(Reply::Forgotten) => Some(Heard::Forgotten),
            Answer::Reply(other) => {
                tracing::warn!(attempt = %record.attempt, reply = ?other, "a register answered something else");
                None
            }
            Answer::Moved | Answer::Unavailable => None,
        }
    }

    /// Tells every participant the outcome, behind the caller's back, until each has acknowledged it.
    pub fn spread(&self, attempt: Attempt, participants: Vec<Vec<u8>>, commit_id: Option<TxnId>) {
        let coordinator = self.clone();
        let spreading = async move {
            coordinator.tell_all(attempt, participants, commit_id).await;
        };
        self.router.tasks().spawn(spreading);
    }

    /// Tells every participant the outcome; whether all have acknowledged it.
    pub(super) async fn tell_all(
        &self,
        attempt: Attempt,
        participants: Vec<Vec<u8>>,
        commit_id: Option<TxnId>,
    ) -> bool {
        let tell = |part_key| self.tell(RecordKey { part_key, attempt }, commit_id);
        join_all(participants.into_iter().map(tell)).await.into_iter().all(|told| told)
    }

    async fn tell(&self, record: RecordKey, commit_id: Option<TxnId>) -> bool {
        let mut backoff = Backoff::new(self.runtime(), Duration::from_millis(20), SLOWEST_SPREAD);
        let make = || match commit_id {
            Some(commit_id) => Request::DoCommit { record: record.clone(), commit_id },
            None => Request::DoAbort { record: record.clone() },
        };
        for _ in 0..MOST_SPREADS {
            match self.router.send_to_key(&record.part_key, make).await {
                Ok(Reply::Failed(text)) => {
                    tracing::error!(attempt = %record.attempt, text, "a participant refused the outcome");
                }
                Ok(_) => return true,
                Err(_) => {}
            }
            backoff.wait().await;
        }
        false
    }

    /// Which of these records their ranges have nothing more to ask about; see [`Request::Ended`].
    pub(crate) async fn ask_ended(&self, records: Vec<RecordKey>) -> Vec<bool> {
        let mut ended = vec![false; records.len()];
        let mut parts = Vec::with_capacity(records.len());
        for (at, record) in records.into_iter().enumerate() {
            if let Ok(route) = self.router.locate(&record.part_key).await {
                parts.push((route, (at, record)));
            }
        }
        let ask = |(route, asked): (Arc<Route>, Vec<(usize, RecordKey)>)| async move {
            let make = || Request::Ended { records: asked.iter().map(|(_, record)| record.clone()).collect() };
            match self.router.send(&route, make).await.answer {
                Answer::Reply(Reply::Ended(answers)) => asked.iter().map(|(at, _)| *at).zip(answers).collect(),
                _ => Vec::new(),
            }
        };
        for (at, answer) in join_all(group(parts).into_iter().map(ask)).await.into_iter().flatten() {
            ended[at] = answer;
        }
        ended
    }

    /// The final outcome of a one-range attempt: `Some(C)` if it was committed; `None` if it was not and never will be.
    ///
    /// # Errors
    /// [`Error::Ambiguous`] when the range cannot be reached.
    pub async fn settle(&self, record: RecordKey) -> Result<Option<TxnId>> {
        match self.outcome(record).await? {
            TxnStatus::Committed(commit_id) => Ok(Some(commit_id)),
            TxnStatus::Aborted => Ok(None),
            TxnStatus::Expired => Err(Error::Ambiguous),
        }
    }
}

/// Joins the parts that go to the same range; order of ranges is kept.
fn group<T>(parts: Vec<(Arc<Route>, T)>) -> Vec<(Arc<Route>, Vec<T>)> {
    let mut groups: Vec<(Arc<Route>, Vec<T>)> = Vec::new();
    for (route, part) in parts {
        match groups.iter_mut().find(|(known, _)| known.descriptor.id == route.descriptor.id) {
            Some((_, members)) => members.push(part),
            None => groups.push((route, vec![part])),
        }
    }
    groups
}

/// An answer that does not fit its request: the participant failed, or is of another release.
pub(crate) fn unexpected(reply: &Reply) -> Error {
    match reply {
        Reply::Failed(text) => Error::Stopped(text.clone()),
        other => Error::Stopped(format!("a range gave an answer that does not fit: {other:?}")),
    }
}

/// A register of which no more is known.
pub(super) fn register(state: RegisterState, commit_id: TxnId) -> Register {
    Register {
        state,
        promised: crate::Ballot::default(),
        accepted: crate::Ballot::default(),
        commit_id,
        min_c: TxnId(0),
        participants: Vec::new(),
        acceptors: Vec::new(),
        foreign_reads: false,
        held: false,
        reads: Vec::new(),
        read_id: TxnId(0),
        start: crate::StartId::default(),
        index: 0,
    }
}
