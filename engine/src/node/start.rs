//! Starting a node, step by step.

use super::dispatch::Dispatch;
use super::info::Info;
use super::late::LateTransport;
use super::leases::{self, Sink};
use super::membership::Membership;
use super::options::{Network, NodeOptions, RETENTIONS};
use super::records::NodeRecord;
use super::storage::{self, Place, storage_error};
use super::{Inner, Node, identity, threads, upkeep};
use crate::error::{Error, Result, SqlState};
use crate::session::Gateway;
use crate::sql::catalog::held::held_span;
use crossbeam::channel::unbounded;
use parking_lot::Mutex;
use quorate_net::runtime::Runtime;
use quorate_net::{Handler, NetError, PeerId, QuicTransport, Transport};
use quorate_storage::keys::{CATALOG_PREFIX, DIRECTORY_PREFIX, END_PREFIX, ORACLE_PREFIX, USER_PREFIX};
use quorate_storage::store::driver::{self, Pace};
use quorate_storage::store::{Opened, Store, StoreSettings};
use quorate_storage::{
    CATALOG_RANGE, DIRECTORY_RANGE, FIRST_USER_RANGE, NodeId, ORACLE_RANGE, RangeDescriptor, RangeId,
    ReplicaDescriptor, ReplicaId, ReplicaRole, Span, StoreHandle,
};
use quorate_txn::participant::Participants;
use quorate_txn::transaction::{Client, Observer, Setup};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The node that creates a cluster.
pub(super) const FIRST_NODE: NodeId = NodeId(1);

/// What a node is built on, once it is known who it is.
pub(super) struct Ground {
    pub(super) opened: storage::Opened,
    pub(super) id: NodeId,
    /// Whether it creates the cluster, or goes on where an earlier start had stopped.
    pub(super) founds: bool,
    /// Nodes that it was told of when it joined.
    pub(super) peers: Vec<(u64, Vec<SocketAddr>)>,
    pub(super) settings: StoreSettings,
    pub(super) runtime: Runtime,
    pub(super) observer: Option<Arc<dyn Observer>>,
    /// See [`Client::retain`].
    pub(super) retention: Option<Duration>,
    pub(super) runs: StoreRuns,
}

/// What runs the loops of the store.
pub(super) enum StoreRuns {
    Threads,
    /// Tasks, on a disk that takes this time for the log and for the engine.
    Tasks([Box<dyn Pace>; 2]),
}

/// How a node reaches others.
pub(super) enum Net {
    Quic(Network),
    Given(Attach),
}

type Attach = Box<dyn FnOnce(Arc<dyn Handler>) -> Arc<dyn Transport> + Send>;

/// Starts a real node; see the chapter in [`super`].
pub(super) async fn start(mut options: NodeOptions, runtime: Runtime) -> Result<Node> {
    if !RETENTIONS.contains(&options.retention) {
        let message = format!("a retention of {:?} is not possible", options.retention);
        let hint = "Keep rows for at least 20 s, which transactions need that are open, and at most 90 days.";
        return Err(Error::new(SqlState::CONFIG_FILE_ERROR, message).with_hint(hint));
    }
    options.network = options.network.map(Network::settled);
    let opened = storage::open(options.storage.clone(), options.cache_bytes, &runtime).await?;
    let known = opened.place.node()?;
    let (id, peers) = match (&options.join, known) {
        (_, Some(id)) => (id, Vec::new()),
        (None, None) => (FIRST_NODE, Vec::new()),
        (Some(token), None) => {
            let network = options.network.as_ref().ok_or_else(no_network)?;
            let joined = identity::join(token, network, &opened.place, &runtime).await?;
            (joined.node, joined.members)
        }
    };
    // Elections after 1 to 2 s without a leader; few wake-ups while nothing happens.
    let (heartbeat_ticks, election_ticks) = (3, 10);
    let (seed, leases) = (runtime.random_u64(), options.leases);
    let settings = StoreSettings { seed, heartbeat_ticks, election_ticks, leases, ..StoreSettings::default() };
    let founds = known.is_none() && options.join.is_none();
    let (observer, retention, runs) = (None, Some(options.retention), StoreRuns::Threads);
    let ground = Ground { opened, id, founds, peers, settings, runtime, observer, retention, runs };
    build(ground, options.network.map(Net::Quic)).await
}

/// Puts a node together.
pub(super) async fn build(ground: Ground, net: Option<Net>) -> Result<Node> {
    let Ground { opened, id, founds, peers, settings, runtime, observer, retention, runs } = ground;
    let engine = opened.engine.clone();
    let mut store = Store::open(id, engine.clone(), opened.log, settings).map_err(storage_error)?;
    if let Some(kept) = opened.kept {
        kept.forget();
    }
    if founds && store.handle.all_views().is_empty() {
        store.store.bootstrap(&first_ranges(id)).map_err(storage_error)?;
    }

    let handle = store.handle.clone();
    let late = Arc::new(LateTransport::default());
    let participants = Arc::new(Participants::new(id, engine.clone(), handle.clone(), runtime.clone()));
    participants.compare_with(Arc::new(crate::sql::row::RowCompare));
    let (sink, notices) = Sink::new(late.clone());
    let tasks = Tasks { stop: CancellationToken::new(), tracker: TaskTracker::new(), runtime: runtime.clone() };
    let threads = match runs {
        StoreRuns::Threads => run_threads(id, store, sink)?,
        StoreRuns::Tasks(pace) => run_tasks(id, store, sink, pace, &tasks),
    };
    let transport = net.is_some().then(|| late.clone() as Arc<dyn Transport>);
    let client = Client::new(Setup {
        node: id,
        store: handle.clone(),
        engine: engine.clone(),
        participants: participants.clone(),
        transport,
        runtime: runtime.clone(),
        observer,
    });
    client.connect_participants();
    client.retain(retention);

    tasks.spawn(upkeep::ticks(handle.clone(), runtime.clone()));
    let (transport, store) = (late.clone(), handle.clone());
    let leases = leases::Leases { engine, store, transport, tasks: tasks.clone(), runtime: runtime.clone() };
    tasks.spawn(leases.run(notices, participants.clone()));
    tasks.spawn(run_participants(participants.clone()));
    tasks.spawn(run_client(client.clone()));
    tasks.spawn(look_after_held(client.clone()));

    let membership = Membership::new(client.clone(), runtime.clone());
    let info = Arc::new(Info::default());
    let dispatch = Arc::new(Dispatch::default());
    let mut cluster_name = None;
    let net = match net {
        None => None,
        Some(Net::Given(attach)) => {
            if founds {
                let joined_at = runtime.wall();
                let first = NodeRecord { id, node_addresses: Vec::new(), sql_address: None, joined_at };
                membership.found(None, &first).await?;
            }
            let transport = attach(dispatch.clone());
            late.bind(transport.clone());
            Some(Bound { transport, advertised: Vec::new() })
        }
        Some(Net::Quic(network)) => {
            let bound =
                open_network(&network, id, &opened.place, &membership, dispatch.clone(), &late, &runtime).await?;
            if id == FIRST_NODE {
                cluster_name = membership.cluster().await?.map(|cluster| cluster.name);
            }
            Some(bound)
        }
    };
    if let Some(net) = &net {
        peers.into_iter().for_each(|(peer, addresses)| net.transport.set_peer(PeerId(peer), addresses));
    }
    let gateway = Arc::new(Gateway::new(client.clone(), runtime.clone(), info.clone()));
    let inner = Arc::new(Inner {
        id,
        runtime,
        store: handle.clone(),
        participants,
        router: client.router().clone(),
        membership,
        gateway,
        advertised: net.as_ref().map(|net| net.advertised.clone()).unwrap_or_default(),
        transport: net.map(|net| net.transport),
        cluster_name,
        founded: founds,
        members: AtomicUsize::new(1),
        stop: tasks.stop.clone(),
        tasks: tasks.tracker.clone(),
        threads: Mutex::new(threads),
        directory: Mutex::default(),
    });
    info.complete(&inner);
    dispatch.complete(handle, client.server().clone());
    if founds {
        crate::sql::catalog::store::bootstrap(&client).await?;
        // Last: a start that did not come so far is done again.
        opened.place.set_node(id)?;
    }
    *inner.directory.lock() = opened.place.into_directory();
    tasks.spawn(upkeep::placement(Arc::downgrade(&inner)));
    tasks.spawn(upkeep::address_book(Arc::downgrade(&inner)));
    Ok(Node { inner })
}

/// Spawns tasks that end with the node.
#[derive(Clone)]
pub(super) struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
    runtime: Runtime,
}

impl Tasks {
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let tracked = self.tracker.track_future(async move {
            stop.run_until_cancelled(task).await;
        });
        drop(self.runtime.spawn(tracked));
    }
}

async fn run_participants(participants: Arc<Participants>) {
    participants.run().await;
}

async fn run_client(client: Client) {
    client.run().await;
}

async fn look_after_held(client: Client) {
    client.look_after_held(held_span()).await;
}

/// A network that is open.
struct Bound {
    transport: Arc<dyn Transport>,
    /// What others are told.
    advertised: Vec<String>,
}

async fn open_network(
    network: &Network,
    id: NodeId,
    place: &Place,
    membership: &Membership,
    dispatch: Arc<Dispatch>,
    late: &LateTransport,
    runtime: &Runtime,
) -> Result<Bound> {
    let identity = match place.identity()? {
        Some(identity) => identity,
        None => identity::found(id, place, membership, runtime).await?,
    };
    let join = Arc::new(membership.clone());
    let transport = QuicTransport::bind(network.listen, identity, dispatch, Some(join), runtime.clone())
        .map_err(|error| network_error(network.listen, &error))?;
    late.bind(transport.clone());
    let advertised = identity::addresses(network, transport.local_addr());
    Ok(Bound { transport, advertised: advertised.iter().map(SocketAddr::to_string).collect() })
}

fn run_threads(id: NodeId, opened: Opened, mut sink: Sink) -> Result<Vec<JoinHandle<()>>> {
    let Opened { store, applier, inbox, handle } = opened;
    let (to_apply, tasks) = unbounded();
    let raft = threads::spawn(id.0, "raft", move || {
        if let Err(error) = driver::raft_loop(store, inbox, &to_apply, &mut sink) {
            tracing::error!(node = %id, %error, "the store stopped");
        }
    });
    let apply = threads::spawn(id.0, "apply", move || {
        if let Err(error) = driver::apply_loop(applier, &tasks, &handle) {
            tracing::error!(node = %id, %error, "applying stopped");
        }
    });
    let failed = |error: std::io::Error| Error::new(SqlState::SYSTEM_ERROR, format!("cannot start a thread: {error}"));
    Ok(vec![raft.map_err(failed)?, apply.map_err(failed)?])
}

fn run_tasks(
    id: NodeId,
    opened: Opened,
    mut sink: Sink,
    [mut log_pace, mut engine_pace]: [Box<dyn Pace>; 2],
    tasks: &Tasks,
) -> Vec<JoinHandle<()>> {
    let Opened { store, applier, inbox, handle } = opened;
    let (to_apply, work) = tokio::sync::mpsc::unbounded_channel();
    tasks.spawn(async move {
        if let Err(error) = driver::raft_task(store, inbox, to_apply, &mut sink, log_pace.as_mut()).await {
            tracing::error!(node = %id, %error, "the store stopped");
        }
    });
    tasks.spawn(async move {
        if let Err(error) = driver::apply_task(applier, work, handle, engine_pace.as_mut()).await {
            tracing::error!(node = %id, %error, "applying stopped");
        }
    });
    Vec::new()
}

/// The ranges of a new cluster, all on its first node.
fn first_ranges(node: NodeId) -> Vec<RangeDescriptor> {
    let range = |id: RangeId, start: u8, end: u8| RangeDescriptor {
        id,
        span: Span::new([start], [end]),
        generation: 1,
        conf_ver: 1,
        replicas: vec![ReplicaDescriptor { node, replica: ReplicaId(1), role: ReplicaRole::Voter }],
        next_replica: ReplicaId(2),
    };
    vec![
        range(DIRECTORY_RANGE, DIRECTORY_PREFIX, ORACLE_PREFIX),
        range(ORACLE_RANGE, ORACLE_PREFIX, CATALOG_PREFIX),
        range(CATALOG_RANGE, CATALOG_PREFIX, USER_PREFIX),
        range(FIRST_USER_RANGE, USER_PREFIX, END_PREFIX),
    ]
}

fn no_network() -> Error {
    Error::new(SqlState::CONFIG_FILE_ERROR, "a node that joins a cluster needs a network")
}

fn network_error(address: SocketAddr, error: &NetError) -> Error {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Error::new(SqlState::CONNECTION_FAILURE, format!("{error}{cause}"))
        .with_hint(format!("Another process may use {address}; choose another one with --node-addr 127.0.0.1:0"))
}

/// Tells the store one thing; used where a stopped store needs no answer.
pub(super) fn tell(store: &StoreHandle, event: quorate_storage::store::Event) {
    if !store.send(event) {
        tracing::debug!("the store has stopped");
    }
}
