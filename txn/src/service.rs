//! Services of fixed ranges: a gateway asks whoever leads the range.
//!
//! The oracle (r2) and the directory (r1) are not transactional: their leader answers from memory or from its engine.
//! Their ranges are known by id, so finding the leader needs no directory, or a cold start would be circular:
//!
//! ```text
//!   this node leads            answered here, by a call
//!   this node follows          the leader that its replica knows
//!   this node has no replica   the leader of the last answer; else any connected peer, which knows or answers so
//! ```
//! Invariant: asking again is harmless; no request of a service depends on being delivered once.

use crate::error::{Error, Result};
use crate::tasks::Tasks;
use bincode::{Decode, Encode};
use bytes::Bytes;
use quorate_net::{Message, PeerId, Runtime, Transport, codec};
use quorate_storage::{NodeId, RangeId, Role, StoreHandle};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Kinds of messages between gateways, participants and services.
pub mod kind {
    /// A [`crate::api::RangeRequest`]; answered by a [`crate::api::Reply`].
    pub const RANGE: u16 = 0x0201;
    /// A request to the oracle.
    pub const ORACLE: u16 = 0x0202;
    /// A request to the directory.
    pub const DIRECTORY: u16 = 0x0203;
    /// A gateway tells that it lives, so that its volatile locks stay.
    pub const ALIVE: u16 = 0x0204;
    /// Asks for an [`crate::inspect::Inspection`].
    pub const INSPECT: u16 = 0x0205;
    /// The leader of r2 asks whether a replica is still in its term: a [`crate::oracle::Witness`]; answered by a `bool`.
    pub const TERM: u16 = 0x0206;
}

/// Largest payload of a request or a reply that is decoded.
pub const MOST_BYTES: usize = 16 << 20;
/// How long a range may be without a leader before its users are told.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long one call to a service may take.
const CALL: Duration = Duration::from_secs(1);

/// What a node that was asked has to say.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Answer<T> {
    /// It leads, and this is the answer.
    Done(T),
    /// It does not lead; perhaps this node does.
    NotLeader(Option<NodeId>),
    /// It leads, but cannot answer yet.
    NotReady,
}

/// What is served by the leader of one fixed range.
pub trait Service: Send + Sync + 'static {
    /// The range.
    const RANGE: RangeId;
    /// Kind of the messages that carry requests.
    const KIND: u16;
    /// What is asked.
    type Request: Encode + Decode<()> + Send + Sync;
    /// What is answered.
    type Reply: Encode + Decode<()> + Send;

    /// Answers a request on this node.
    fn serve(&self, request: &Self::Request) -> impl Future<Output = Answer<Self::Reply>> + Send;
}

/// Waits between tries: doubling, with jitter, bounded.
#[derive(Debug)]
pub struct Backoff {
    runtime: Runtime,
    next: Duration,
    most: Duration,
}

impl Backoff {
    /// Waits of about `first`, then longer up to `most`.
    pub fn new(runtime: &Runtime, first: Duration, most: Duration) -> Backoff {
        Backoff { runtime: runtime.clone(), next: first, most }
    }

    /// The waits of a request on its way to a leader.
    pub fn for_requests(runtime: &Runtime) -> Backoff {
        Backoff::new(runtime, Duration::from_millis(2), Duration::from_millis(250))
    }

    /// Waits between half of and the whole next step.
    pub async fn wait(&mut self) {
        let step = u64::try_from(self.next.as_micros()).unwrap_or(u64::MAX).max(2);
        let jitter = self.runtime.random_u64() % (step / 2);
        self.runtime.sleep(Duration::from_micros(step / 2 + jitter)).await;
        self.next = (self.next * 2).min(self.most);
    }
}

/// Asks a service, wherever its leader is.
#[derive(Debug)]
pub struct Caller<S> {
    node: NodeId,
    service: Arc<S>,
    peers: Peers,
    hint: AtomicU64,
}

/// What it takes to reach other nodes.
#[derive(Clone)]
pub(crate) struct Peers {
    /// This node's replicas.
    pub store: StoreHandle,
    /// The way to other nodes; a node without a cluster has none.
    pub transport: Option<Arc<dyn Transport>>,
    /// Time and randomness.
    pub runtime: Runtime,
    /// What goes on behind callers' backs.
    pub tasks: Tasks,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("networked", &self.transport.is_some()).finish_non_exhaustive()
    }
}

impl Peers {
    /// Whether this node was closed or its store failed: nobody waits for an answer any more.
    pub fn is_over(&self) -> bool {
        self.tasks.is_closed() || self.store.failure().is_some()
    }

    /// The connected peer number `try_number`, counted round.
    pub fn any(&self, try_number: usize) -> Option<NodeId> {
        let connected: Vec<PeerId> =
            self.transport.as_ref()?.reachable().into_iter().filter(|peer| peer.1).map(|peer| peer.0).collect();
        connected.get(try_number.checked_rem(connected.len())?).map(|peer| NodeId(peer.0))
    }
}

enum Target {
    Here,
    Node(NodeId),
    Nobody,
}

impl<S: Service> Caller<S> {
    /// Asks `service` here or elsewhere.
    pub(crate) fn new(node: NodeId, service: Arc<S>, peers: Peers) -> Caller<S> {
        Caller { node, service, peers, hint: AtomicU64::new(0) }
    }

    /// The service of this node.
    pub fn service(&self) -> &Arc<S> {
        &self.service
    }

    /// The node that asks.
    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// Its replicas.
    pub(crate) fn store(&self) -> &StoreHandle {
        &self.peers.store
    }

    /// What goes on behind callers' backs.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.peers.tasks
    }

    /// Asks until a leader has answered.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when none did for [`PATIENCE`]; [`Error::Stopped`] when the answer is nonsense.
    pub async fn ask(&self, request: &S::Request) -> Result<S::Reply> {
        let runtime = &self.peers.runtime;
        let start = runtime.now();
        let mut backoff = Backoff::for_requests(runtime);
        let mut tries = 0;
        loop {
            let answer = match self.target(tries) {
                Target::Here => self.service.serve(request).await,
                Target::Node(node) => self.call(node, request).await?,
                Target::Nobody => Answer::NotReady,
            };
            tries += 1;
            match answer {
                Answer::Done(reply) => return Ok(reply),
                Answer::NotLeader(Some(leader)) if leader != self.node && tries % 4 != 0 => {
                    self.hint.store(leader.0, Ordering::Relaxed);
                    continue;
                }
                Answer::NotLeader(_) => self.hint.store(0, Ordering::Relaxed),
                Answer::NotReady => {}
            }
            if runtime.now() - start > PATIENCE || self.peers.is_over() {
                return Err(Error::Unavailable(Some(S::RANGE)));
            }
            backoff.wait().await;
        }
    }

    fn target(&self, tries: usize) -> Target {
        match self.peers.store.view(S::RANGE).map(|view| view.role) {
            Some(Role::Leader) => return Target::Here,
            Some(Role::Follower(Some(leader))) if tries < 2 => return Target::Node(leader),
            _ => {}
        }
        match self.hint.load(Ordering::Relaxed) {
            0 => self.peers.any(tries).map_or(Target::Nobody, Target::Node),
            hint => Target::Node(NodeId(hint)),
        }
    }

    async fn call(&self, node: NodeId, request: &S::Request) -> Result<Answer<S::Reply>> {
        let Some(transport) = &self.peers.transport else {
            return Ok(Answer::NotReady);
        };
        let message = Message { kind: S::KIND, payload: Bytes::from(codec::encode(request)) };
        match transport.call(PeerId(node.0), message, CALL).await {
            Ok(bytes) => codec::decode(&bytes, MOST_BYTES)
                .map_err(|error| Error::Stopped(format!("the answer of {node} cannot be read: {error}"))),
            Err(_) => Ok(Answer::NotLeader(None)),
        }
    }
}

/// Answers an encoded request to a service of this node; `None` if the bytes are not one.
pub async fn serve_encoded<S: Service>(service: &S, payload: &[u8]) -> Option<Bytes> {
    let request: S::Request = codec::decode(payload, MOST_BYTES).ok()?;
    Some(Bytes::from(codec::encode(&service.serve(&request).await)))
}
