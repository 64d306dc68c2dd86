//! The way into the map: what a node needs to run transactions, put together.

use super::handle::Transaction;
use super::observer::{Observer, Watch};
use super::options::TxnOptions;
use crate::coordinator::Coordinator;
use crate::error::Result;
use crate::oracle::{OracleClient, OracleService};
use crate::participant::{Ids, Participants, Resolver};
use crate::router::{DirectoryService, Router, Server};
use crate::service::Peers;
use crate::tasks::Tasks;
use crate::{Attempt, StartId};
use parking_lot::Mutex;
use quorate_net::{Runtime, Transport};
use quorate_storage::{Engine, NodeId, StoreHandle};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often other nodes hear that a gateway with locks lives; they wait three times as long.
const ANNOUNCE: Duration = Duration::from_secs(3);

/// What a [`Client`] is made of.
pub struct Setup {
    /// This node.
    pub node: NodeId,
    /// Its store.
    pub store: StoreHandle,
    /// The store's engine.
    pub engine: Arc<dyn Engine>,
    /// The ranges that it leads.
    pub participants: Arc<Participants>,
    /// The way to other nodes; a node without a cluster has none.
    pub transport: Option<Arc<dyn Transport>>,
    /// Time and randomness.
    pub runtime: Runtime,
    /// Who watches the transactions of this gateway, if anybody does.
    pub observer: Option<Arc<dyn Observer>>,
}

/// The way into the map; one per node, cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    node: NodeId,
    incarnation: u64,
    attempts: AtomicU64,
    coordinator: Coordinator,
    server: Server,
    participants: Arc<Participants>,
    /// What participants ask of this node; they hold it weakly.
    resolver: Arc<dyn Resolver>,
    ids: Arc<dyn Ids>,
    /// Held for moments only.
    locking: Mutex<Locking>,
    observer: Option<Arc<dyn Observer>>,
}

/// The attempts of this gateway that hold volatile locks, or may.
///
/// A request for a lock that is delivered late or twice can lock for an attempt that is over, and nobody would ever unlock
/// it. So ranges are told the floor now and then: an attempt below it holds nothing any more.
#[derive(Default)]
struct Locking {
    active: BTreeSet<u64>,
    /// The floor last told; no attempt below it may begin to lock.
    floor: u64,
    /// Whether anything was locked since.
    news: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("node", &self.node)
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Puts a gateway together. Its incarnation is drawn at random.
    pub fn new(setup: Setup) -> Client {
        let Setup { node, store, engine, participants, transport, runtime, observer } = setup;
        let incarnation = runtime.random_u64();
        let tasks = Tasks::new(runtime.clone());
        let oracle = OracleService::new(store.clone(), Arc::clone(&engine), tasks.clone());
        let peers = Peers { store: store.clone(), transport, runtime, tasks };
        let oracle = OracleClient::new(node, oracle, peers.clone());
        let directory = DirectoryService::new(store.clone(), engine);
        let router = Arc::new(Router::new(node, peers, Arc::clone(&participants), directory));
        let services = (Arc::clone(oracle.service()), Arc::clone(router.directory_service()));
        let server = Server::new(store, Arc::clone(&participants), services.0, services.1);
        let ids = Arc::new(oracle.clone());
        let coordinator = Coordinator::new(router, oracle);
        let shared = Shared {
            node,
            incarnation,
            attempts: AtomicU64::new(1),
            resolver: Arc::new(coordinator.clone()),
            ids,
            coordinator,
            server,
            participants,
            locking: Mutex::default(),
            observer,
        };
        Client { shared: Arc::new(shared) }
    }

    /// Gives the node's participants what they need of it: recovery and fresh IDs. They serve nothing before.
    pub fn connect_participants(&self) {
        let Shared { participants, resolver, ids, .. } = &*self.shared;
        participants.connect(Arc::downgrade(resolver), Arc::downgrade(ids));
    }

    /// Tells all nodes now and then that this gateway lives while its transactions hold locks there, and which of its
    /// attempts are over; for ever. The node runs it as a task.
    pub async fn run(&self) {
        loop {
            self.router().runtime().sleep(ANNOUNCE).await;
            if let Some(floor) = self.locking_floor() {
                self.router().announce(self.shared.incarnation, floor).await;
            }
        }
    }

    /// The attempts below it hold no locks, now and for ever; `None` if nothing was locked since the last call.
    fn locking_floor(&self) -> Option<u64> {
        let mut locking = self.shared.locking.lock();
        let next = self.shared.attempts.load(Ordering::Relaxed);
        locking.floor = locking.active.first().copied().unwrap_or(next);
        let news = std::mem::take(&mut locking.news) || !locking.active.is_empty();
        news.then_some(locking.floor)
    }

    /// `attempt` is about to ask for its first lock; the answer is the attempt that shall ask, a new one if that was told
    /// to be over.
    pub(super) fn begin_locking(&self, attempt: Attempt) -> Attempt {
        let mut locking = self.shared.locking.lock();
        let attempt = if attempt.counter < locking.floor { self.next_attempt() } else { attempt };
        locking.active.insert(attempt.counter);
        locking.news = true;
        attempt
    }

    /// `attempt` holds no lock any more, except where its unlocking or a late request is still on its way.
    pub(super) fn end_locking(&self, attempt: Attempt) {
        self.shared.locking.lock().active.remove(&attempt.counter);
    }

    /// Ends everything that goes on behind callers' backs, before the node closes. What is asked for later is
    /// [`crate::Error::Unavailable`].
    pub async fn close(&self) {
        self.router().tasks().close().await;
    }

    /// Begins a transaction at a fresh S: it sees everything that was acknowledged before this call.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] when the oracle cannot be reached.
    pub async fn begin(&self, options: TxnOptions) -> Result<Transaction> {
        let watch = self.shared.observer.clone().map(|observer| Watch::begin(observer, options.isolation));
        let reading = self.oracle().read_id().await?;
        let attempt = self.next_attempt();
        let start = options.start.unwrap_or(StartId { read_id: reading.read_id, first: attempt });
        Ok(Transaction::new(self.clone(), options, attempt, start, reading, watch))
    }

    /// The timestamp oracle.
    pub fn oracle(&self) -> &OracleClient {
        self.shared.coordinator.oracle()
    }

    /// Finds ranges; also the way to the directory.
    pub fn router(&self) -> &Arc<Router> {
        self.shared.coordinator.router()
    }

    /// Drives commits; ends attempts of silent coordinators.
    pub fn coordinator(&self) -> &Coordinator {
        &self.shared.coordinator
    }

    /// Answers calls of other nodes.
    pub fn server(&self) -> &Server {
        &self.shared.server
    }

    /// Random number of this process, part of all its attempts.
    pub fn incarnation(&self) -> u64 {
        self.shared.incarnation
    }

    pub(super) fn next_attempt(&self) -> Attempt {
        let counter = self.shared.attempts.fetch_add(1, Ordering::Relaxed);
        Attempt { gateway: self.shared.node.0, incarnation: self.shared.incarnation, counter }
    }
}
