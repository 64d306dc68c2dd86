//! The coordinator's part of three-phase commit, from the first CanCommit to the client's answer.

use super::outcome::{Abort, Coordinator};
use crate::api::{Prepare, RecordKey, Register, RegisterState, Reply, Request, TxnMeta};
use crate::commit::{Survey, Value, choose_acceptors};
use crate::error::{Error, Result, RetryReason};
use crate::oracle::CommitIds;
use crate::router::{Answer, Route};
use crate::{Attempt, Ballot, TxnId};
use futures::future::{BoxFuture, try_join_all};
use futures::stream::{FuturesUnordered, StreamExt};
use quorate_storage::Span;
use quorate_storage::mutation::planted;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long votes may take, waiting for older transactions included. Participants start recovery on their own a little
/// later than this.
const VOTING: Duration = Duration::from_millis(1_200);

/// The coordinator's ballot; its holder proposes one value.
const OWN: Ballot = Ballot { round: 0, terminator: (0, 0) };

/// What a coordinator needs to know of a transaction.
#[derive(Debug)]
pub struct Plan {
    meta: TxnMeta,
    prepares: Vec<(Arc<Route>, Prepare)>,
    reads: Vec<Span>,
    changes_catalog: bool,
    catalog_id: TxnId,
    participants: Vec<Vec<u8>>,
    acceptors: Vec<Vec<u8>>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Committed at this ID.
    Committed(TxnId),
    /// Aborted, for good.
    Aborted(Abort),
}

/// Why there are not all votes.
enum Refusal {
    /// Somebody voted no: the attempt can never commit.
    No(Abort),
    /// Somebody did not vote.
    Silent,
}

impl Plan {
    /// A plan for these participants, each with its writes and reads; `outside` was read in ranges without writes.
    /// `catalog_id` is what the transaction knew of the catalog. Names participants and acceptors in every prepare.
    pub fn new(
        meta: TxnMeta,
        mut prepares: Vec<(Arc<Route>, Prepare)>,
        outside: Vec<Span>,
        catalog_id: TxnId,
        changes_catalog: bool,
    ) -> Plan {
        let participants: Vec<Vec<u8>> = prepares.iter().map(|(_, prepare)| prepare.part_key.clone()).collect();
        let acceptors = choose_acceptors(&participants);
        for (_, prepare) in &mut prepares {
            prepare.participants.clone_from(&participants);
            prepare.acceptors.clone_from(&acceptors);
            prepare.foreign_reads = changes_catalog || !outside.is_empty();
        }
        let own = prepares.iter().flat_map(|(_, prepare)| prepare.reads.iter().cloned());
        let reads = own.chain(outside).collect();
        Plan { meta, prepares, reads, changes_catalog, catalog_id, participants, acceptors }
    }

    fn attempt(&self) -> Attempt {
        self.meta.attempt
    }

    fn survey<'a>(&'a self, replies: &'a BTreeMap<Vec<u8>, Register>) -> Survey<'a> {
        Survey { participants: &self.participants, acceptors: &self.acceptors, ballot: OWN, replies }
    }
}

impl Coordinator {
    /// Commits over several ranges (or one, after its intents were spilled).
    ///
    /// # Errors
    /// [`Error::Ambiguous`] when the deciding quorum cannot be reached.
    pub async fn commit(&self, plan: Plan) -> Result<Decision> {
        match self.vote(&plan).await {
            Ok(()) => {}
            Err(Refusal::No(abort)) => return Ok(self.aborted(&plan, abort)),
            Err(Refusal::Silent) => return self.end(&plan).await,
        }
        match self.fix_commit_id(&plan).await {
            Ok(commit_id) => self.pre_commit(&plan, commit_id).await,
            Err(abort) => self.pre_abort(&plan, abort).await,
        }
    }

    /// Phase one: everybody is asked at once; the first refusal ends it.
    async fn vote(&self, plan: &Plan) -> Result<(), Refusal> {
        let votes = plan.prepares.iter().map(|(route, prepare)| self.vote_of(route, prepare));
        match self.runtime().timeout(VOTING, try_join_all(votes)).await {
            Some(votes) => votes.map(drop),
            None => Err(Refusal::Silent),
        }
    }

    async fn vote_of(&self, route: &Arc<Route>, prepare: &Prepare) -> Result<(), Refusal> {
        let delivery = self.router.send(route, || Request::CanCommit(prepare.clone())).await;
        let no = |reason| Err(Refusal::No(Abort::Conflict(reason)));
        match delivery.answer {
            Answer::Reply(Reply::Register(register)) => match register.state {
                RegisterState::Prepared | RegisterState::PreCommit | RegisterState::PreAbort => Ok(()),
                RegisterState::Aborted => no(RetryReason::Aborted),
                _ => Err(Refusal::Silent),
            },
            Answer::Reply(Reply::Aborted) => no(RetryReason::Aborted),
            Answer::Reply(Reply::ReadInvalid { .. }) => no(RetryReason::ReadConflict),
            Answer::Reply(Reply::WriteConflict { newest, .. }) => no(RetryReason::WriteConflict { newest }),
            Answer::Reply(Reply::Wounded) => no(RetryReason::Wounded),
            // The generation only rises, so this prepare can never be taken; unless an earlier copy of it was.
            Answer::Moved if !delivery.in_doubt => Err(Refusal::No(Abort::Moved)),
            Answer::Moved | Answer::Unavailable => Err(Refusal::Silent),
            Answer::Reply(other) => {
                tracing::warn!(attempt = %prepare.meta.attempt, reply = ?other, "no vote");
                Err(Refusal::Silent)
            }
        }
    }

    /// Between the phases: a fresh commit ID at which everything that was read is still valid.
    async fn fix_commit_id(&self, plan: &Plan) -> Result<TxnId, Abort> {
        let aborted = |error: Error| match error {
            Error::Retry(reason) => Abort::Conflict(reason),
            _ => Abort::Conflict(RetryReason::Aborted),
        };
        let ids = self.commit_ids(plan).await.map_err(aborted)?;
        if ids.catalog_id > plan.catalog_id && !plan.changes_catalog {
            return Err(Abort::Conflict(RetryReason::ReadConflict));
        }
        let (from, reads) = (plan.meta.read_id, plan.reads.clone());
        match self.refresh(plan.meta, reads, from, ids.commit_id, true).await {
            _ if planted("commit-unrefreshed") => Ok(ids.commit_id),
            Ok(true) => Ok(ids.commit_id),
            Ok(false) => Err(Abort::Conflict(RetryReason::ReadConflict)),
            Err(error) => Err(aborted(error)),
        }
    }

    async fn commit_ids(&self, plan: &Plan) -> Result<CommitIds> {
        if plan.changes_catalog { self.oracle.catalog_commit_id().await } else { self.oracle.fresh_commit_id().await }
    }

    /// Phase two: the outcome is COMMIT once a quorum of acceptors has accepted.
    async fn pre_commit(&self, plan: &Plan, commit_id: TxnId) -> Result<Decision> {
        let make = move |record| Request::PreCommit { record, ballot: OWN, commit_id };
        match self.propose(plan, Value::Commit(commit_id), make).await {
            Some(Value::Commit(commit_id)) => {
                self.spread(plan.attempt(), plan.participants.clone(), Some(commit_id));
                Ok(Decision::Committed(commit_id))
            }
            Some(Value::Abort) => Ok(self.aborted(plan, Abort::Conflict(RetryReason::Aborted))),
            None => self.end(plan).await,
        }
    }

    /// Everybody voted yes, but the commit must not be: a quorum that accepted the abort makes it final.
    async fn pre_abort(&self, plan: &Plan, abort: Abort) -> Result<Decision> {
        let make = |record| Request::PreAbort { record, ballot: OWN };
        match self.propose(plan, Value::Abort, make).await {
            Some(Value::Abort) => Ok(self.aborted(plan, abort)),
            Some(Value::Commit(commit_id)) => Ok(Decision::Committed(commit_id)),
            None => self.end(plan).await,
        }
    }

    /// Proposes to every participant; the outcome as soon as it is known, `None` if somebody else interferes. Proposals
    /// that are still under way then go on by themselves.
    async fn propose(
        &self,
        plan: &Plan,
        value: Value,
        make: impl Fn(RecordKey) -> Request + Clone + Send + Sync + 'static,
    ) -> Option<Value> {
        let attempt = plan.attempt();
        let mut waiting: FuturesUnordered<BoxFuture<'static, (Vec<u8>, Option<Register>)>> = FuturesUnordered::new();
        for part_key in plan.participants.iter().cloned() {
            let (coordinator, make) = (self.clone(), make.clone());
            waiting.push(Box::pin(async move {
                let record = RecordKey { part_key, attempt };
                let register = coordinator.ask_register(&record, make).await;
                (record.part_key, register)
            }));
        }
        let mut replies = BTreeMap::new();
        let mut known = None;
        while let Some((part_key, register)) = waiting.next().await {
            if let Some(register) = register {
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
        self.spread(plan.attempt(), plan.participants.clone(), None);
        Decision::Aborted(abort)
    }

    /// Becomes a terminator of the own attempt.
    async fn end(&self, plan: &Plan) -> Result<Decision> {
        match self.terminate(plan.attempt(), &plan.participants, &plan.acceptors).await {
            Some(Value::Commit(commit_id)) => Ok(Decision::Committed(commit_id)),
            Some(Value::Abort) => Ok(Decision::Aborted(Abort::Conflict(RetryReason::Aborted))),
            None => Err(Error::Ambiguous),
        }
    }
}
