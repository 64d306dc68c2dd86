//! Starting a node, step by step.

use super::dispatch::Dispatch;
use super::info::Info;
use super::late::LateTransport;
use super::leases::{self, Sink};
use super::membership::Membership;
use super::options::{Network, NodeOptions};
use super::storage::{self, Place, storage_error};
use super::{Inner, Node, identity, threads, upkeep};
use crate::error::{Error, Result, SqlState};
use crate::session::Gateway;
use crossbeam::channel::unbounded;
use parking_lot::Mutex;
use quorate_net::runtime::Runtime;
use quorate_net::{NetError, PeerId, QuicTransport, Transport};
use quorate_storage::keys::{CATALOG_PREFIX, DIRECTORY_PREFIX, END_PREFIX, ORACLE_PREFIX, USER_PREFIX};
use quorate_storage::store::{Opened, Store, StoreSettings, driver};
use quorate_storage::{
    CATALOG_RANGE, DIRECTORY_RANGE, FIRST_USER_RANGE, NodeId, ORACLE_RANGE, RangeDescriptor, RangeId,
    ReplicaDescriptor, ReplicaId, ReplicaRole, Span, StoreHandle,
};
use quorate_txn::participant::Participants;
use quorate_txn::transaction::{Client, Setup};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The node that creates a cluster.
const FIRST_NODE: NodeId = NodeId(1);

/// Starts a node; see the chapter in [`super`].
pub(super) async fn start(mut options: NodeOptions, runtime: Runtime) -> Result<Node> {
    options.network = options.network.map(Network::settled);
    let opened = storage::open(options.storage.clone(), options.cache_bytes).await?;
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
    let settings =
        StoreSettings { seed: runtime.random_u64(), heartbeat_ticks, election_ticks, ..StoreSettings::default() };
    let engine = opened.engine.clone();
    let mut store = Store::open(id, engine.clone(), opened.log, settings).map_err(storage_error)?;
    if let Some(kept) = opened.kept {
        kept.forget();
    }
    let founded = known.is_none() && options.join.is_none();
    if founded && store.handle.all_views().is_empty() {
        store.store.bootstrap(&first_ranges(id)).map_err(storage_error)?;
    }
    if founded {
        opened.place.set_node(id)?;
    }

    let handle = store.handle.clone();
    let late = Arc::new(LateTransport::default());
    let participants = Arc::new(Participants::new(id, engine.clone(), handle.clone(), runtime.clone()));
    let (sink, notices) = Sink::new(late.clone());
    let threads = run_threads(id, store, sink)?;
    let transport = options.network.is_some().then(|| late.clone() as Arc<dyn Transport>);
    let client = Client::new(Setup {
        node: id,
        store: handle.clone(),
        engine: engine.clone(),
        participants: participants.clone(),
        transport,
        runtime: runtime.clone(),
    });
    client.connect_participants();

    let tasks = Tasks { stop: CancellationToken::new(), tracker: TaskTracker::new(), runtime: runtime.clone() };
    tasks.spawn(upkeep::ticks(handle.clone(), runtime.clone()));
    let leases = leases::Leases { engine, store: handle.clone(), transport: late.clone(), tasks: tasks.clone() };
    tasks.spawn(leases.run(notices, participants.clone()));
    tasks.spawn(run_participants(participants.clone()));
    tasks.spawn(run_client(client.clone()));

    let membership = Membership::new(client.clone(), runtime.clone());
    let info = Arc::new(Info::default());
    let dispatch = Arc::new(Dispatch::default());
    let net = match &options.network {
        Some(network) => {
            let place = &opened.place;
            Some(open_network(network, id, place, &membership, dispatch.clone(), &late, &runtime).await?)
        }
        None => None,
    };
    if let Some(net) = &net {
        peers.into_iter().for_each(|(peer, addresses)| net.transport.set_peer(PeerId(peer), addresses));
    }
    let gateway = Arc::new(Gateway::new(client.clone(), runtime.clone(), info.clone()));
    let cluster_name = match (&net, founded || known.is_some() && id == FIRST_NODE) {
        (Some(_), true) => membership.cluster().await?.map(|cluster| cluster.name),
        _ => None,
    };
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
        founded,
        members: AtomicUsize::new(1),
        stop: tasks.stop.clone(),
        tasks: tasks.tracker.clone(),
        threads: Mutex::new(threads),
        directory: Mutex::new(opened.place.into_directory()),
    });
    info.complete(&inner);
    dispatch.complete(handle, client.server().clone());
    if founded {
        crate::sql::catalog::store::bootstrap(&client).await?;
    }
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

struct Net {
    transport: Arc<QuicTransport>,
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
) -> Result<Net> {
    let identity = match place.identity()? {
        Some(identity) => identity,
        None => identity::found(id, place, membership, runtime).await?,
    };
    let join = Arc::new(membership.clone());
    let transport = QuicTransport::bind(network.listen, identity, dispatch, Some(join), runtime.clone())
        .map_err(|error| network_error(network.listen, &error))?;
    late.bind(transport.clone());
    let advertised = identity::addresses(network, transport.local_addr());
    Ok(Net { transport, advertised: advertised.iter().map(SocketAddr::to_string).collect() })
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
