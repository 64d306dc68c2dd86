//! The way into the map: what a node needs to run transactions, put together.

use super::handle::Transaction;
use super::held::Recovery;
use super::observer::{Observer, Watch};
use super::options::{Isolation, TxnOptions};
use crate::coordinator::Coordinator;
use crate::error::{Error, Result};
use crate::inspect::{Commits, Inspection, Open};
use crate::oracle::{OracleClient, OracleService, Reading};
use crate::participant::{Alive, Ids, Participants, Resolver};
use crate::router::{DirectoryService, Router, Server};
use crate::service::Peers;
use crate::tasks::Tasks;
use crate::{Attempt, CommitPath, CommitToken, StartId, TxnId, TxnStatus};
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
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    node: NodeId,
    incarnation: u64,
    attempts: AtomicU64,
    coordinator: Coordinator,
    server: Server,
    pub(super) participants: Arc<Participants>,
    /// What participants ask of this node; they hold it weakly.
    resolver: Arc<dyn Resolver>,
    ids: Arc<dyn Ids>,
    commits: Arc<Commits>,
    /// Held for moments only.
    locking: Mutex<Locking>,
    open: Arc<Open>,
    observer: Option<Arc<dyn Observer>>,
}

/// The attempts of this gateway that hold volatile locks, or may.
///
/// A request for a lock that is delivered late or twice can lock for an attempt that is over, and nobody would ever unlock
/// it. So ranges are told now and then which attempts may hold something: another one of those that were there by then holds
/// nothing any more, also while an older one goes on.
#[derive(Default)]
struct Locking {
    active: BTreeSet<u64>,
    /// The attempts last told of are below it; none of the others among them may begin to lock.
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
        let peers = Peers { store: store.clone(), transport, runtime, tasks };
        let oracle = OracleService::new(node, peers.clone(), Arc::clone(&engine));
        let oracle = OracleClient::new(node, oracle, peers.clone());
        let directory = DirectoryService::new(store.clone(), engine);
        let router = Arc::new(Router::new(node, peers, Arc::clone(&participants), directory));
        let services = (Arc::clone(oracle.service()), Arc::clone(router.directory_service()));
        let commits = Arc::new(Commits::default());
        let open = Arc::new(Open::default());
        let shown = (Arc::clone(&commits), Arc::clone(&open));
        let server = Server::new((node, store), Arc::clone(&participants), services.0, services.1, shown);
        let ids = Arc::new(oracle.clone());
        let coordinator = Coordinator::new(router, oracle);
        let shared = Arc::new_cyclic(|client| Shared {
            node,
            incarnation,
            attempts: AtomicU64::new(1),
            resolver: Arc::new(Recovery { coordinator: coordinator.clone(), client: client.clone() }),
            ids,
            coordinator,
            server,
            participants,
            commits,
            locking: Mutex::default(),
            open,
            observer,
        });
        Client { shared }
    }

    /// Gives the node's participants what they need of it: recovery and fresh IDs. They serve nothing before.
    pub fn connect_participants(&self) {
        let Shared { participants, resolver, ids, .. } = &*self.shared;
        participants.connect(Arc::downgrade(resolver), Arc::downgrade(ids));
    }

    /// Tells all nodes now and then that this gateway lives while its transactions hold locks there, which of its attempts
    /// are over, and what its oldest transaction may still read; for ever. The node runs it as a task.
    pub async fn run(&self) {
        // The oldest transaction at the announcement before: one that ends sooner than that need not be known of.
        let mut before = None;
        loop {
            self.router().runtime().sleep(ANNOUNCE).await;
            let (locking, active, news) = self.locking();
            let oldest = self.shared.open.oldest();
            if news || (oldest.is_some() && oldest == before) {
                let alive = Alive {
                    gateway: self.shared.node,
                    incarnation: self.shared.incarnation,
                    locking,
                    active,
                    oldest: oldest.map(|(birth, _)| birth),
                };
                self.router().announce(alive).await;
            }
            before = oldest;
        }
    }

    /// Attempts below the first hold no locks, now and for ever, but for the ones that follow; and whether anything was
    /// locked since the last call.
    fn locking(&self) -> (u64, Vec<u64>, bool) {
        let mut locking = self.shared.locking.lock();
        locking.floor = self.shared.attempts.load(Ordering::Relaxed);
        let active: Vec<u64> = locking.active.iter().copied().collect();
        let news = std::mem::take(&mut locking.news) || !active.is_empty();
        (locking.floor, active, news)
    }

    /// `attempt` is about to ask for its first lock; the answer is the attempt that shall ask, a new one if that was told
    /// to be over.
    pub(super) fn begin_locking(&self, attempt: Attempt) -> Attempt {
        let mut locking = self.shared.locking.lock();
        let attempt = if attempt.counter < locking.floor { self.next_attempt(attempt.birth) } else { attempt };
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
        let watch = self.watch(options, false);
        if options.draws_commit_id {
            let (reading, drawn) = self.oracle().read_and_commit_id().await?;
            let mut txn = self.begin_reading(options, reading, watch);
            txn.drawn = Some(drawn);
            return Ok(txn);
        }
        let reading = self.oracle().read_id().await?;
        Ok(self.begin_reading(options, reading, watch))
    }

    /// Begins a transaction that sees the state as of `read_id` and writes nothing.
    ///
    /// # Errors
    /// [`Error::NotYet`] if that ID has not been handed out; [`Error::Unavailable`] when the oracle cannot be reached. What
    /// is too old shows at the first read: [`Error::TooOld`].
    pub async fn begin_as_of(&self, read_id: TxnId) -> Result<Transaction> {
        let options = TxnOptions { isolation: Isolation::Snapshot, read_only: true, ..TxnOptions::default() };
        let watch = self.watch(options, true);
        // A promise above what was handed out would be in the way of every commit until the oracle comes there.
        let newest = self.oracle().read_id().await?;
        if read_id > newest.read_id {
            return Err(Error::NotYet { read_id, newest: newest.read_id });
        }
        // Below the newest change of the catalog, the catalog is that of no known change, but of this very ID.
        let catalog_id = if newest.catalog_id <= read_id { newest.catalog_id } else { read_id };
        Ok(self.begin_reading(options, Reading { read_id, catalog_id }, watch))
    }

    /// How the transaction of a token ended, for ever: what is undecided is ended by this call.
    ///
    /// # Errors
    /// [`Error::Ambiguous`] when those that decide cannot be reached; ask again later. [`Error::NotYet`] if it is no token of
    /// this cluster.
    pub async fn status(&self, token: &CommitToken) -> Result<TxnStatus> {
        let newest = self.oracle().read_id().await.map_err(|_| Error::Ambiguous)?.read_id;
        if token.first.birth > newest {
            // What would be written about it could not be collected before that ID is old.
            return Err(Error::NotYet { read_id: token.first.birth, newest });
        }
        self.coordinator().status(token).await
    }

    /// How long versions are kept after they were replaced or deleted, and the times of IDs remembered: by the ranges and
    /// the oracle that this node leads. `None`: versions for ever, times not at all.
    pub fn retain(&self, retention: Option<Duration>) {
        self.shared.participants.retain(retention);
        self.oracle().service().retain(retention);
    }

    fn watch(&self, options: TxnOptions, in_past: bool) -> Option<Box<Watch>> {
        self.shared.observer.clone().map(|observer| Watch::begin(observer, options.isolation, in_past))
    }

    fn begin_reading(&self, options: TxnOptions, reading: Reading, watch: Option<Box<Watch>>) -> Transaction {
        let attempt = self.next_attempt(reading.read_id);
        self.shared.open.begins(attempt);
        let start = options.start.unwrap_or(StartId { read_id: reading.read_id, first: attempt });
        Transaction::new(self.clone(), options, attempt, start, reading, watch)
    }

    /// The open transactions of this gateway.
    pub(super) fn open(&self) -> &Open {
        &self.shared.open
    }

    /// A transaction was committed.
    pub(super) fn committed(&self, path: CommitPath) {
        self.shared.commits.count(path);
    }

    /// What each node that can be reached has to show, this one first.
    pub async fn inspect(&self) -> Vec<(NodeId, Inspection)> {
        let mut all = vec![(self.shared.node, self.shared.server.inspect())];
        all.extend(self.router().inspect_others().await);
        all
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

    /// A new attempt of a transaction that began at `birth`.
    pub(super) fn next_attempt(&self, birth: TxnId) -> Attempt {
        let counter = self.shared.attempts.fetch_add(1, Ordering::Relaxed);
        Attempt { gateway: self.shared.node.0, incarnation: self.shared.incarnation, counter, birth }
    }
}
