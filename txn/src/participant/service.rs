//! The participant itself: what it is made of, and the way of a request to its evaluation.

use super::convoy::Convoy;
use super::gateways::Gateways;
use super::read::Refresh;
use super::state::State;
use crate::api::{RangeRequest, Read, RecordKey, Reply, Request, TxnMeta};
use crate::columns::{Compare, ReadSpan, Whole};
use crate::commit::Message;
use crate::oracle::CommitIds;
use crate::record::Plan;
use crate::{Attempt, TxnId};
use async_trait::async_trait;
use parking_lot::Mutex;
use quorate_net::runtime::Runtime;
use quorate_storage::store::{Lease, ReplicaView};
use quorate_storage::{Engine, Error, NodeId, RangeId, Role, StoreHandle};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// Recovery, as the participant asks for it; the coordinator implements it.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Drives an attempt to its outcome and tells all participants. Returns after one try, successful or not; it will
    /// be asked again.
    async fn terminate(&self, record: RecordKey, plan: Plan) -> Ended;

    /// Which of these records of committed attempts are known to be decided, without intents, or forgotten.
    async fn ended(&self, records: Vec<RecordKey>) -> Vec<bool>;
}

/// What came of a try to end an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its outcome is on the way, or could not be learned: ask again soon.
    Perhaps,
    /// It stays prepared until its client has decided: there is no hurry.
    Held,
}

/// The oracle, as a new leader asks it; the oracle's client implements it.
#[async_trait]
pub trait Ids: Send + Sync {
    /// The largest ID handed out at some moment after the call; `None` if the oracle cannot be reached now.
    async fn newest_id(&self) -> Option<TxnId>;
    /// A commit ID above `above`, which was handed out; `None` if the oracle cannot be reached now.
    async fn commit_ids(&self, above: TxnId) -> Option<CommitIds>;

    /// Makes every ID handed out later larger than `above`; `false` if the oracle cannot be reached now.
    async fn advance_to(&self, above: TxnId) -> bool;
}

/// What participants need of the rest of the node. Weak, because the rest holds the participants.
#[derive(Default)]
pub(super) struct Seams {
    pub resolver: OnceLock<Weak<dyn Resolver>>,
    pub ids: OnceLock<Weak<dyn Ids>>,
    pub compare: OnceLock<Arc<dyn Compare>>,
}

impl std::fmt::Debug for Seams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seams").field("connected", &self.ids.get().is_some()).finish()
    }
}

/// A reply that ends the evaluation early.
pub(super) type Halt = Box<Reply>;

/// What it takes to make a [`Participant`].
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub node: NodeId,
    pub engine: Arc<dyn Engine>,
    pub store: StoreHandle,
    pub runtime: Runtime,
    pub gateways: Arc<Gateways>,
    pub convoy: Arc<Convoy>,
    pub seams: Arc<Seams>,
}

/// The leaseholder's side of transactions, for one range and one term.
#[derive(Debug)]
pub struct Participant {
    pub(super) node: NodeId,
    pub(super) range: RangeId,
    pub(super) term: u64,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) store: StoreHandle,
    pub(super) runtime: Runtime,
    pub(super) gateways: Arc<Gateways>,
    /// That of the node.
    pub(super) convoy: Arc<Convoy>,
    pub(super) seams: Arc<Seams>,
    /// What a quorum has granted to this leadership.
    pub(super) lease: Arc<Lease>,
    /// Greatest ID known to be handed out when a round started that confirmed this leadership.
    pub(super) confirmed: AtomicU64,
    /// Versions that only reads below this ID see may be gone from the engine.
    pub(super) collected: AtomicU64,
    ready: AtomicBool,
    stopped: AtomicBool,
    /// See [`State`] for what it guards and how long it is held.
    pub(super) state: Mutex<State>,
}

impl Participant {
    pub(super) fn new(parts: Parts, range: RangeId, lease: Arc<Lease>) -> Participant {
        let Parts { node, engine, store, runtime, gateways, convoy, seams } = parts;
        Participant {
            node,
            range,
            term: lease.term(),
            engine,
            store,
            runtime,
            gateways,
            convoy,
            seams,
            lease,
            confirmed: AtomicU64::new(0),
            collected: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            state: Mutex::new(State::new()),
        }
    }

    /// The reply to a failure of the engine. The store stops with it, so that a replica with whole data may lead.
    pub(super) fn failed(&self, error: Error) -> Halt {
        self.store.fail(error);
        Box::new(Reply::NotLeader { leader: None, maybe_applied: false })
    }

    /// Who can take values apart.
    pub(super) fn compare(&self) -> &dyn Compare {
        self.seams.compare.get().map_or(&Whole, |compare| compare.as_ref())
    }

    /// The term of this leadership.
    pub fn term(&self) -> u64 {
        self.term
    }

    /// Whether it serves requests.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.is_stopped()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub(super) fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// The term is over: nothing is answered any more, and whoever waits is told so.
    pub fn step_down(&self) {
        self.stopped.store(true, Ordering::Release);
        self.state.lock().stop();
    }

    /// Answers one request.
    pub async fn handle(self: &Arc<Self>, request: RangeRequest) -> Reply {
        match self.evaluate(request).await {
            Ok(reply) => reply,
            Err(halt) => *halt,
        }
    }

    async fn evaluate(self: &Arc<Self>, request: RangeRequest) -> Result<Reply, Halt> {
        let view = self.current(request.generation)?;
        if !self.is_ready() {
            return Err(Box::new(if self.is_stopped() { *self.not_leader(false) } else { Reply::NotReady }));
        }
        if !is_well_formed(&request.request) {
            return Err(malformed());
        }
        if !covers(&view, &request.request) {
            return Err(self.epoch_mismatch(&view));
        }
        match request.request {
            Request::Read { meta, reads, lock: None } => self.read(&view, meta, &reads).await,
            Request::Read { meta, reads, lock: Some((mode, wait)) } => {
                self.gateways.heard(meta.attempt);
                self.read_locked(&view, meta, &reads, mode, wait).await
            }
            Request::Refresh { meta, spans, from, to, prepared } => {
                let refresh = Refresh { meta, spans: &spans, from, to, prepared };
                self.refresh(&view, refresh).await
            }
            Request::Unlock { attempt } => {
                self.state.lock().unlock(attempt);
                Ok(Reply::Ok)
            }
            // What is proposed is on the heap: reads, which are many, shall be small.
            Request::CommitOne(prepare) => Box::pin(self.commit_one(&view, prepare)).await,
            Request::CanCommit(prepare) => Box::pin(self.can_commit(&view, prepare)).await,
            Request::PrepareFast(prepare) => Box::pin(self.prepare_fast(&view, prepare)).await,
            Request::Spill(prepare) => Box::pin(self.spill(&view, prepare)).await,
            Request::Split { key, right } => Box::pin(self.split(&view, key, right)).await,
            Request::Ended { records } => self.ended(&records).await,
            Request::CloseToken { record, aborted } => Box::pin(self.close_token(&view, &record, aborted)).await,
            other => match register_message(other) {
                Some((record, message)) => Box::pin(self.transition(&view, &record, message)).await,
                None => Err(malformed()),
            },
        }
    }

    /// The published view, if this leadership still serves requests of `generation`.
    pub(super) fn current(&self, generation: u64) -> Result<ReplicaView, Halt> {
        let Some(view) = self.store.view(self.range) else {
            return Err(self.not_leader(false));
        };
        if view.term != self.term || view.role != Role::Leader || self.is_stopped() {
            return Err(self.not_leader(false));
        }
        if view.descriptor.generation != generation {
            return Err(self.epoch_mismatch(&view));
        }
        Ok(view)
    }

    pub(super) fn not_leader(&self, maybe_applied: bool) -> Halt {
        let leader = match self.store.view(self.range).map(|view| view.role) {
            Some(Role::Follower(leader)) => leader,
            _ => None,
        };
        Box::new(Reply::NotLeader { leader, maybe_applied })
    }

    /// This range's descriptor and those of its neighbours on the right that are here.
    pub(super) fn epoch_mismatch(&self, view: &ReplicaView) -> Halt {
        let mut descriptors = vec![(*view.descriptor).clone()];
        for other in self.store.all_views() {
            if other.descriptor.span.start == view.descriptor.span.end {
                descriptors.push((*other.descriptor).clone());
            }
        }
        Box::new(Reply::EpochMismatch { descriptors })
    }
}

fn malformed() -> Halt {
    Box::new(Reply::Failed("a malformed request".into()))
}

/// The record that a request is for, and the message to its register.
fn register_message(request: Request) -> Option<(RecordKey, Message)> {
    Some(match request {
        Request::Inquire { record, ballot } => (record, Message::Inquire { ballot }),
        Request::PreCommit { record, ballot, commit_id } => (record, Message::PreCommit { ballot, commit_id }),
        Request::PreAbort { record, ballot } => (record, Message::PreAbort { ballot }),
        Request::DoCommit { record, commit_id } => (record, Message::DoCommit { commit_id }),
        Request::DoAbort { record } => (record, Message::DoAbort),
        Request::Settle { record } => (record, Message::Settle),
        _ => return None,
    })
}

/// Whether spans have their start first and writes ascend without doubles.
fn is_well_formed(request: &Request) -> bool {
    let spans_ok = |reads: &[ReadSpan]| reads.iter().all(|read| read.span.start <= read.span.end);
    match request {
        Request::Read { reads, .. } => reads.iter().all(|read| match read {
            Read::Get { .. } => true,
            Read::Scan { span, .. } => span.start <= span.end,
        }),
        Request::Refresh { spans, .. } => spans_ok(spans),
        Request::CommitOne(prepare)
        | Request::CanCommit(prepare)
        | Request::PrepareFast(prepare)
        | Request::Spill(prepare) => {
            spans_ok(&prepare.reads) && prepare.writes.is_sorted_by(|before, after| before.key < after.key)
        }
        _ => true,
    }
}

/// Whether the range holds every key that the request names.
fn covers(view: &ReplicaView, request: &Request) -> bool {
    let range = &view.descriptor.span;
    match request {
        Request::Read { reads, .. } => reads.iter().all(|read| match read {
            Read::Get { key } => range.contains(key),
            Read::Scan { span, .. } => range.covers(span),
        }),
        Request::Refresh { spans, .. } => spans.iter().all(|read| range.covers(&read.span)),
        Request::Unlock { .. } => true,
        Request::CommitOne(prepare)
        | Request::CanCommit(prepare)
        | Request::PrepareFast(prepare)
        | Request::Spill(prepare) => {
            range.contains(&prepare.part_key)
                && prepare.writes.iter().all(|write| range.contains(&write.key))
                && prepare.reads.iter().all(|read| range.covers(&read.span))
        }
        Request::Inquire { record, .. }
        | Request::PreCommit { record, .. }
        | Request::PreAbort { record, .. }
        | Request::DoCommit { record, .. }
        | Request::DoAbort { record }
        | Request::Settle { record }
        | Request::CloseToken { record, .. } => range.contains(&record.part_key),
        Request::Split { key, .. } => range.contains(key),
        Request::Ended { records } => records.iter().all(|record| range.contains(&record.part_key)),
    }
}

impl TxnMeta {
    /// The owner of volatile locks taken for it.
    pub(super) fn owner(&self) -> crate::lock::Owner {
        crate::lock::Owner { attempt: self.attempt, start: self.start }
    }
}

/// Whether `attempt` runs in this node's own gateway.
pub(super) fn is_local(node: NodeId, attempt: Attempt) -> bool {
    attempt.gateway == node.0
}
