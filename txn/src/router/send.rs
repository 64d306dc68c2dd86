//! Sends a request to the leaseholder of a range, wherever it is.

use super::cache::{Cache, Route};
use super::directory::{DirectoryReply, DirectoryRequest, DirectoryService};
use crate::api::{RangeRequest, Reply, Request};
use crate::columns::ReadSpan;
use crate::error::{Error, Result};
use crate::inspect::Inspection;
use crate::participant::{Alive, Participants};
use crate::service::{Backoff, Caller, MOST_BYTES, PATIENCE, Peers, kind};
use crate::tasks::Tasks;
use bytes::Bytes;
use futures::future::join_all;
use parking_lot::RwLock;
use quorate_net::{Message, NetError, PeerId, Runtime, Transport, codec};
use quorate_storage::mutation::planted;
use quorate_storage::{NodeId, RangeDescriptor, RangeId, ReplicaRole, Role, Span};
use std::sync::Arc;
use std::time::Duration;

/// How long a call to a participant may take before it is sent again.
const CALL: Duration = Duration::from_secs(5);
/// The same for reads that wait for volatile locks.
const LOCKING_CALL: Duration = Duration::from_secs(60);

/// How long a node may take to hear that this gateway lives.
const ANNOUNCING: Duration = Duration::from_secs(1);

/// Refusals of a descriptor, without a newer one, after which the keys are located anew: the replica that answers may
/// have to catch up first.
const MOST_MISMATCHES: usize = 3;

/// Refusals in a row after which somebody else is asked where the range is: all its replicas may have moved.
const MOST_REFUSALS: usize = 8;
/// How long the directory may take to say so.
const ASKING: Duration = Duration::from_secs(1);

/// What became of a request.
#[derive(Debug)]
pub struct Delivery {
    /// The leaseholder's answer, or why there is none.
    pub answer: Answer,
    /// Whether an earlier, unanswered try may still take effect.
    pub in_doubt: bool,
    /// Calls made to other nodes.
    pub calls: u32,
}

/// How a request ended.
#[derive(Debug)]
pub enum Answer {
    /// The leaseholder answered. Never `NotLeader`, `NotReady` or `EpochMismatch`.
    Reply(Reply),
    /// The range is another one now; what is known about it has been replaced. Locate the keys again.
    Moved,
    /// No leaseholder answered for [`PATIENCE`].
    Unavailable,
}

/// Finds ranges and sends to them. One per node.
#[derive(Debug)]
pub struct Router {
    node: NodeId,
    peers: Peers,
    participants: Arc<Participants>,
    directory: Caller<DirectoryService>,
    /// Held for one lookup or change.
    cache: RwLock<Cache>,
}

impl Router {
    /// A router with an empty cache.
    pub(crate) fn new(
        node: NodeId,
        peers: Peers,
        participants: Arc<Participants>,
        directory: DirectoryService,
    ) -> Router {
        let directory = Caller::new(node, Arc::new(directory), peers.clone());
        Router { node, peers, participants, directory, cache: RwLock::default() }
    }

    /// This node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Time and randomness.
    pub fn runtime(&self) -> &Runtime {
        &self.peers.runtime
    }

    /// The way to other nodes, if there are any.
    pub(super) fn transport(&self) -> Option<&Arc<dyn Transport>> {
        self.peers.transport.as_ref()
    }

    /// What goes on behind callers' backs.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.peers.tasks
    }

    /// The directory of this node, to serve requests of others.
    pub fn directory_service(&self) -> &Arc<DirectoryService> {
        self.directory.service()
    }

    /// The route of the range that holds `key`.
    pub async fn locate(&self, key: &[u8]) -> Result<Arc<Route>> {
        if let Some(route) = self.cache.read().holding(key) {
            return Ok(Arc::clone(route));
        }
        self.find(
            |cache| cache.holding(key).cloned(),
            |span| span.contains(key),
            DirectoryRequest::Holding(key.to_vec()),
        )
        .await
    }

    /// The route of the range that holds the largest keys below `end`.
    pub async fn locate_below(&self, end: &[u8]) -> Result<Arc<Route>> {
        let touches = |span: &Span| span.start.as_slice() < end && end <= span.end.as_slice();
        self.find(|cache| cache.below(end).cloned(), touches, DirectoryRequest::Below(end.to_vec())).await
    }

    async fn find(
        &self,
        cached: impl Fn(&Cache) -> Option<Arc<Route>>,
        matches: impl Fn(&Span) -> bool,
        question: DirectoryRequest,
    ) -> Result<Arc<Route>> {
        let start = self.runtime().now();
        let mut backoff = Backoff::for_requests(self.runtime());
        loop {
            if let Some(route) = cached(&self.cache.read()) {
                return Ok(route);
            }
            let views = self.peers.store.all_views();
            if let Some(view) = views.iter().find(|view| matches(&view.descriptor.span)) {
                self.learn([RangeDescriptor::clone(&view.descriptor)]);
            } else if let DirectoryReply::Found(found) = self.directory.ask(&question).await? {
                self.learn(found);
            }
            if let Some(route) = cached(&self.cache.read()) {
                return Ok(route);
            }
            if self.runtime().now() - start > PATIENCE || self.peers.is_over() {
                return Err(Error::Unavailable(None));
            }
            backoff.wait().await;
        }
    }

    /// The parts of `reads`, each with the range that it lies in; in order.
    pub async fn cut(&self, reads: Vec<ReadSpan>) -> Result<Vec<(Arc<Route>, ReadSpan)>> {
        let mut parts = Vec::with_capacity(reads.len());
        for ReadSpan { span: mut rest, columns } in reads {
            while rest.start < rest.end {
                let route = self.locate(&rest.start).await?;
                if rest.end <= route.descriptor.span.end {
                    parts.push((route, ReadSpan { span: rest, columns }));
                    break;
                }
                let end = route.descriptor.span.end.clone();
                parts.push((route, ReadSpan { span: Span::new(rest.start, end.clone()), columns: columns.clone() }));
                rest.start = end;
            }
        }
        Ok(parts)
    }

    /// Takes descriptors into the cache where they are newer; whether any was.
    pub fn learn(&self, descriptors: impl IntoIterator<Item = RangeDescriptor>) -> bool {
        let mut cache = self.cache.write();
        descriptors.into_iter().filter(|descriptor| cache.insert(descriptor.clone())).count() > 0
    }

    /// Asks the directory.
    pub async fn ask_directory(&self, request: &DirectoryRequest) -> Result<DirectoryReply> {
        self.directory.ask(request).await
    }

    /// Sends a request that is addressed by a key (a record's, say) and follows the key over splits.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no leaseholder answers, or none keeps the key for [`PATIENCE`].
    pub async fn send_to_key(&self, key: &[u8], make: impl Fn() -> Request) -> Result<Reply> {
        let (range, delivery) = self.deliver_to_key(key, make).await?;
        match delivery.answer {
            Answer::Reply(reply) => Ok(reply),
            Answer::Moved | Answer::Unavailable => Err(Error::Unavailable(Some(range))),
        }
    }

    /// As [`Router::send_to_key`], with the range that answered in the end.
    pub(crate) async fn deliver_to_key(&self, key: &[u8], make: impl Fn() -> Request) -> Result<(RangeId, Delivery)> {
        let start = self.runtime().now();
        loop {
            let route = self.locate(key).await?;
            let delivery = self.send(&route, &make).await;
            if !matches!(delivery.answer, Answer::Moved) || self.runtime().now() - start >= PATIENCE {
                return Ok((route.descriptor.id, delivery));
            }
        }
    }

    /// Sends what `make` makes until a leaseholder has answered it.
    pub async fn send(&self, route: &Arc<Route>, make: impl Fn() -> Request) -> Delivery {
        let mut tries = Tries::default();
        loop {
            let request = || RangeRequest {
                range: route.descriptor.id,
                generation: route.descriptor.generation,
                request: make(),
            };
            let reply = if let Some(participant) = self.participants.get(route.descriptor.id) {
                Ok(participant.handle(request()).await)
            } else {
                match self.target(route, tries.count) {
                    Some(node) => {
                        tries.calls += 1;
                        self.call(node, &request()).await
                    }
                    None => Ok(Reply::NotReady),
                }
            };
            let answer = match self.judge(route, &mut tries, reply) {
                Some(answer) => Some(answer),
                None if tries.count.is_multiple_of(MOST_REFUSALS) && Box::pin(self.is_outdated(route)).await => {
                    Some(Answer::Moved)
                }
                None => tries.pause(&self.peers).await,
            };
            if let Some(answer) = answer {
                return Delivery { answer, in_doubt: tries.in_doubt, calls: tries.calls };
            }
        }
    }

    /// The answer, if it is one; otherwise notes what a refusal teaches.
    fn judge(&self, route: &Arc<Route>, tries: &mut Tries, reply: Result<Reply, NetError>) -> Option<Answer> {
        tries.count += 1;
        match reply {
            Ok(Reply::NotLeader { leader, maybe_applied }) => {
                tries.in_doubt |= maybe_applied;
                tries.hurry = leader.is_some() && leader != route.leader();
                route.not_leader(leader, self.runtime().now());
            }
            Ok(Reply::NotReady) => {}
            Ok(Reply::EpochMismatch { descriptors }) => {
                let learned = self.learn(descriptors);
                self.cache.write().evict(route);
                if learned || tries.count > MOST_MISMATCHES {
                    return Some(Answer::Moved);
                }
            }
            Ok(reply) => return Some(Answer::Reply(reply)),
            Err(NetError::Deadline) => {
                tries.in_doubt = true;
                tries.slow = true;
            }
            Err(error) => {
                tries.in_doubt |= error.maybe_delivered();
                route.unreachable(self.runtime().now());
            }
        }
        None
    }

    /// Whether something else is known by now of a range that nobody seems to lead, here or by the directory.
    async fn is_outdated(&self, route: &Arc<Route>) -> bool {
        let start = &route.descriptor.span.start;
        if let Some(view) = self.peers.store.view(route.descriptor.id) {
            self.learn([RangeDescriptor::clone(&view.descriptor)]);
        }
        let question = DirectoryRequest::Holding(start.clone());
        let asked = self.runtime().timeout(ASKING, self.directory.ask(&question)).await;
        if let Some(Ok(DirectoryReply::Found(found))) = asked {
            self.learn(found);
        }
        !self.cache.read().holding(start).is_some_and(|known| Arc::ptr_eq(known, route))
    }

    /// Whom to ask when this node does not serve the range.
    pub(super) fn target(&self, route: &Route, count: usize) -> Option<NodeId> {
        if count < 2 {
            match self.peers.store.view(route.descriptor.id).map(|view| view.role) {
                Some(Role::Leader | Role::Candidate) => return None,
                Some(Role::Follower(Some(leader))) => return Some(leader),
                Some(Role::Follower(None)) | None => {}
            }
        }
        if let Some(leader) = route.leader().filter(|leader| *leader != self.node) {
            return Some(leader);
        }
        let others: Vec<NodeId> = route
            .descriptor
            .replicas
            .iter()
            .filter(|replica| replica.node != self.node && replica.role != ReplicaRole::Learner)
            .map(|replica| replica.node)
            .collect();
        others.get(count.checked_rem(others.len())?).copied()
    }

    async fn call(&self, node: NodeId, request: &RangeRequest) -> Result<Reply, NetError> {
        let Some(transport) = &self.peers.transport else { return Ok(Reply::NotReady) };
        let message = Message { kind: kind::RANGE, payload: Bytes::from(codec::encode(request)) };
        let bytes = transport.call(PeerId(node.0), message, call_deadline(&request.request)).await?;
        let reply = codec::decode(&bytes, MOST_BYTES);
        Ok(reply.unwrap_or_else(|error| Reply::Failed(format!("the answer of {node} cannot be read: {error}"))))
    }

    /// Tells this node and those connected that this gateway lives, and what it needs of them.
    pub async fn announce(&self, alive: Alive) {
        let alive = if planted("late-locks") { Alive { locking: 0, ..alive } } else { alive };
        self.participants.heard(alive.clone());
        let Some(transport) = &self.peers.transport else { return };
        let payload = Bytes::from(codec::encode(&alive));
        let connected = transport.reachable().into_iter().filter(|(_, connected)| *connected);
        let calls = connected
            .map(|(peer, _)| transport.call(peer, Message { kind: kind::ALIVE, payload: payload.clone() }, ANNOUNCING));
        for lost in join_all(calls).await.into_iter().filter_map(Result::err) {
            tracing::trace!(%lost, "a node does not know that this gateway lives");
        }
    }

    /// What the other nodes that are connected have to show.
    pub async fn inspect_others(&self) -> Vec<(NodeId, Inspection)> {
        let Some(transport) = &self.peers.transport else { return Vec::new() };
        let connected = transport.reachable().into_iter().filter(|(_, connected)| *connected);
        let ask = connected.map(|(peer, _)| async move {
            let message = Message { kind: kind::INSPECT, payload: Bytes::new() };
            let bytes = transport.call(peer, message, ANNOUNCING).await.ok()?;
            Some((NodeId(peer.0), codec::decode(&bytes, MOST_BYTES).ok()?))
        });
        join_all(ask).await.into_iter().flatten().collect()
    }

    /// Whether this node serves the range.
    pub fn is_local(&self, range: RangeId) -> bool {
        self.participants.get(range).is_some()
    }

    /// The id of a range that does not exist yet.
    pub async fn new_range_id(&self) -> Result<RangeId> {
        match self.directory.ask(&DirectoryRequest::NewRange).await? {
            DirectoryReply::NewRange(id) => Ok(id),
            other => Err(Error::Stopped(format!("the directory answered {other:?}"))),
        }
    }
}

/// The story of one request.
#[derive(Debug, Default)]
struct Tries {
    count: usize,
    calls: u32,
    in_doubt: bool,
    /// A new leader was named: ask it at once.
    hurry: bool,
    /// The last try ended at its deadline: the leaseholder is at work (waiting for a lock, say), not away.
    slow: bool,
    waiting: Option<(quorate_net::runtime::Instant, Backoff)>,
}

impl Tries {
    /// Waits before the next try, or gives up.
    async fn pause(&mut self, peers: &Peers) -> Option<Answer> {
        if peers.is_over() {
            return Some(Answer::Unavailable);
        }
        let runtime = &peers.runtime;
        if std::mem::take(&mut self.slow) {
            self.waiting = None;
            return None;
        }
        let (since, backoff) = self.waiting.get_or_insert_with(|| (runtime.now(), Backoff::for_requests(runtime)));
        if runtime.now() - *since > PATIENCE {
            return Some(Answer::Unavailable);
        }
        if !std::mem::take(&mut self.hurry) || self.count.is_multiple_of(8) {
            backoff.wait().await;
        }
        None
    }
}

fn call_deadline(request: &Request) -> Duration {
    match request {
        Request::Read { lock: Some(_), .. } => LOCKING_CALL,
        _ => CALL,
    }
}
