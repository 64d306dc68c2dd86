//! The coordinator's part of three-phase commit, from the first CanCommit to the client's answer.

use super::outcome::{Abort, Coordinator, Heard};
use super::votes::Refusal;
use crate::api::{Prepare, RecordKey, Register, Request, TxnMeta};
use crate::commit::{Survey, Value, choose_acceptors};
use crate::error::{Error, Result, RetryReason};
use crate::oracle::CommitIds;
use crate::router::Route;
use crate::trace::{Event, Phase, Recorder};
use crate::{Attempt, Ballot, ReadSpan, TxnId};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use quorate_storage::mutation::planted;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The coordinator's ballot; its holder proposes one value.
const OWN: Ballot = Ballot { round: 0, terminator: (0, 0) };

/// What a coordinator needs to know of a transaction.
#[derive(Debug)]
pub struct Plan {
    meta: TxnMeta,
    prepares: Vec<(Arc<Route>, Prepare)>,
    reads: Vec<ReadSpan>,
    changes_catalog: bool,
    catalog_id: TxnId,
    participants: Vec<Vec<u8>>,
    acceptors: Vec<Vec<u8>>,
    drawn: Option<CommitIds>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Committed at this ID.
    Committed(TxnId),
    /// Aborted, for good.
    Aborted(Abort),
}

impl Plan {
    /// A plan for these participants, each with its writes and reads, and an arbiter; `outside` was read in ranges without
    /// writes. `catalog_id` is what the transaction knew of the catalog. Names participants and acceptors in every prepare.
    pub fn new(
        meta: TxnMeta,
        (mut prepares, arbiter): (Vec<(Arc<Route>, Prepare)>, Option<(Arc<Route>, Prepare)>),
        outside: Vec<ReadSpan>,
        catalog_id: TxnId,
        changes_catalog: bool,
    ) -> Plan {
        let participants: Vec<Vec<u8>> = prepares.iter().map(|(_, prepare)| prepare.part_key.clone()).collect();
        let acceptors = choose_acceptors(&participants, arbiter.as_ref().map(|(_, prepare)| prepare.part_key.clone()));
        prepares.extend(arbiter);
        for (_, prepare) in &mut prepares {
            prepare.participants.clone_from(&participants);
            prepare.acceptors.clone_from(&acceptors);
            prepare.foreign_reads = changes_catalog || !outside.is_empty();
        }
        let own = prepares.iter().flat_map(|(_, prepare)| prepare.reads.iter().cloned());
        let reads = own.chain(outside).collect();
        Plan { meta, prepares, reads, changes_catalog, catalog_id, participants, acceptors, drawn: None }
    }

    /// The same for an attempt for which a commit ID was drawn along with its S.
    #[must_use]
    pub fn drawn(self, drawn: Option<CommitIds>) -> Plan {
        Plan { drawn, ..self }
    }

    /// The same for an attempt that the record under `held` decides.
    #[must_use]
    pub fn held(mut self, held: &[u8]) -> Plan {
        for (_, prepare) in &mut self.prepares {
            prepare.held = Some(held.to_vec());
        }
        self
    }

    fn attempt(&self) -> Attempt {
        self.meta.attempt
    }

    /// Everybody who has a register.
    fn members(&self) -> Vec<Vec<u8>> {
        self.prepares.iter().map(|(_, prepare)| prepare.part_key.clone()).collect()
    }

    fn survey<'a>(&'a self, replies: &'a BTreeMap<Vec<u8>, Register>) -> Survey<'a> {
        Survey { participants: &self.participants, acceptors: &self.acceptors, ballot: OWN, replies, word: None }
    }
}

impl Coordinator {
    /// Commits over several ranges (or one, after its intents were spilled).
    ///
    /// # Errors
    /// [`Error::Ambiguous`] when the deciding quorum cannot be reached.
    pub(crate) async fn commit(&self, plan: Plan, recorder: &Recorder) -> Result<Decision> {
        let bound = match self.votes(&plan.prepares, (Phase::CanCommit, Request::CanCommit), recorder).await {
            Ok(bound) => bound,
            Err(Refusal::No(abort)) => return Ok(self.aborted(&plan, abort)),
            Err(Refusal::Silent) => return self.end_plan(&plan, recorder).await,
        };
        self.hold(plan.attempt(), &plan.members()).await;
        match self.fix_commit_id(&plan, bound, recorder).await {
            Ok(commit_id) => self.pre_commit(&plan, commit_id, recorder).await,
            Err(abort) => self.pre_abort(&plan, abort, recorder).await,
        }
    }

    /// The first phase of an attempt that is held: everybody has voted yes, and all reads hold at the ID that is returned.
    /// The commit at that ID cannot be refused any more: intents protect the writes, promises the reads, and every
    /// later leader's floor is above it. Nothing is proposed.
    pub(crate) async fn prepare(&self, plan: &Plan, recorder: &Recorder) -> Result<TxnId, Abort> {
        match self.votes(&plan.prepares, (Phase::CanCommit, Request::CanCommit), recorder).await {
            Ok(bound) => self.fix_commit_id(plan, bound, recorder).await,
            Err(Refusal::No(abort)) => Err(abort),
            Err(Refusal::Silent) => Err(Abort::Conflict(RetryReason::Aborted)),
        }
    }

    /// Between the phases: a commit ID not below `bound` at which everything that was read is still valid.
    async fn fix_commit_id(&self, plan: &Plan, bound: TxnId, recorder: &Recorder) -> Result<TxnId, Abort> {
        let aborted = |error: Error| match error {
            Error::Retry(reason) => Abort::Conflict(reason),
            Error::TooOld { floor, .. } => Abort::TooOld { floor },
            _ => Abort::Conflict(RetryReason::Aborted),
        };
        let at = recorder.now();
        let ids = self.commit_ids(plan, bound).await.map_err(aborted)?;
        recorder.note(at, Event::CommitId(ids.commit_id));
        if ids.catalog_id > plan.catalog_id && !plan.changes_catalog {
            return Err(Abort::Conflict(RetryReason::ReadConflict));
        }
        let (from, reads) = (plan.meta.read_id, plan.reads.clone());
        let (at, spans) = (recorder.now(), reads.len());
        let refreshed = self.refresh(plan.meta, reads, from, ids.commit_id, true).await;
        if spans > 0 {
            recorder.note(at, Event::Refreshed { spans, valid: matches!(refreshed, Ok(true)) });
        }
        match refreshed {
            _ if planted("commit-unrefreshed") => Ok(ids.commit_id),
            Ok(true) => Ok(ids.commit_id),
            Ok(false) => Err(Abort::Conflict(RetryReason::ReadConflict)),
            Err(error) => Err(aborted(error)),
        }
    }

    /// A commit ID above S, which was confirmed, and not below `bound`: so above everything that was acknowledged before the
    /// transaction began, and that the participants had promised when they voted.
    async fn commit_ids(&self, plan: &Plan, bound: TxnId) -> Result<CommitIds> {
        let above = plan.meta.read_id.max(TxnId(bound.0.saturating_sub(1)));
        match plan.drawn.filter(|drawn| drawn.commit_id > above) {
            _ if plan.changes_catalog => self.oracle.catalog_commit_id(above).await,
            Some(drawn) => Ok(drawn),
            None => self.oracle.commit_id(above).await,
        }
    }

    /// Phase two: the outcome is COMMIT once a quorum of acceptors has accepted.
    async fn pre_commit(&self, plan: &Plan, commit_id: TxnId, recorder: &Recorder) -> Result<Decision> {
        let make = move |record| Request::PreCommit { record, ballot: OWN, commit_id };
        match self.propose(plan, Value::Commit(commit_id), make, recorder).await {
            Some(Value::Commit(commit_id)) => {
                self.spread(plan.attempt(), plan.members(), Some(commit_id));
                Ok(Decision::Committed(commit_id))
            }
            Some(Value::Abort) => Ok(self.aborted(plan, Abort::Conflict(RetryReason::Aborted))),
            None => self.end_plan(plan, recorder).await,
        }
    }

    /// Everybody voted yes, but the commit must not be: a quorum that accepted the abort makes it final.
    async fn pre_abort(&self, plan: &Plan, abort: Abort, recorder: &Recorder) -> Result<Decision> {
        let make = |record| Request::PreAbort { record, ballot: OWN };
        match self.propose(plan, Value::Abort, make, recorder).await {
            Some(Value::Abort) => Ok(self.aborted(plan, abort)),
            Some(Value::Commit(commit_id)) => Ok(Decision::Committed(commit_id)),
            None => self.end_plan(plan, recorder).await,
        }
    }

    /// Proposes to everybody; the outcome as soon as it is known, `None` if somebody else interferes. Proposals
    /// that are still under way then go on by themselves.
    async fn propose(
        &self,
        plan: &Plan,
        value: Value,
        make: impl Fn(RecordKey) -> Request + Clone + Send + Sync + 'static,
        recorder: &Recorder,
    ) -> Option<Value> {
        recorder.round();
        let attempt = plan.attempt();
        let phase = if matches!(value, Value::Commit(_)) { Phase::PreCommit } else { Phase::PreAbort };
        let mut waiting: FuturesUnordered<BoxFuture<'static, (Vec<u8>, Option<Heard>)>> = FuturesUnordered::new();
        for part_key in plan.members() {
            let (coordinator, make, recorder) = (self.clone(), make.clone(), recorder.clone());
            waiting.push(Box::pin(async move {
                let record = RecordKey { part_key, attempt };
                let register = coordinator.ask_register(&record, make, Some((phase, &recorder))).await;
                (record.part_key, register)
            }));
        }
        let mut replies = BTreeMap::new();
        let mut known = None;
        while let Some((part_key, register)) = waiting.next().await {
            if let Some(Heard::Register(register)) = register {
                replies.insert(part_key, register);
            }
            let survey = plan.survey(&replies);
            known = survey.outcome().or_else(|| survey.accepted(value).then_some(value));
            if known.is_some() {
                break;
            }
        }
        if !waiting.is_empty() {
            self.router.tasks().spawn(waiting.for_each(|_| std::future::ready(())));
        }
        known
    }

    /// The attempt is aborted: tells everybody.
    fn aborted(&self, plan: &Plan, abort: Abort) -> Decision {
        self.spread(plan.attempt(), plan.members(), None);
        Decision::Aborted(abort)
    }

    async fn end_plan(&self, plan: &Plan, recorder: &Recorder) -> Result<Decision> {
        self.end(plan.attempt(), (&plan.participants, &plan.acceptors), recorder).await
    }

    /// Becomes a terminator of the own attempt.
    pub(super) async fn end(
        &self,
        attempt: Attempt,
        (participants, acceptors): (&[Vec<u8>], &[Vec<u8>]),
        recorder: &Recorder,
    ) -> Result<Decision> {
        let at = recorder.now();
        let decision = match self.terminate(attempt, participants, acceptors).await {
            Some(Value::Commit(commit_id)) => Decision::Committed(commit_id),
            Some(Value::Abort) => Decision::Aborted(Abort::Conflict(RetryReason::Aborted)),
            None => return Err(Error::Ambiguous),
        };
        let commit_id = if let Decision::Committed(commit_id) = decision { Some(commit_id) } else { None };
        recorder.note(at, Event::Terminated { commit_id });
        Ok(decision)
    }
}
