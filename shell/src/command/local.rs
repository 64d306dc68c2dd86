//! Nodes in this process: one alone, or a cluster over loopback.
//!
//! ```text
//!   Alone      one node, no network                                       quorate sql, quorate sql DIR
//!   Cluster    n nodes, each with QUIC on a loopback port of its own      quorate demo, quorate bench
//! ```
//! The first node of a cluster makes tokens, with which the others join, as nodes on other machines would.

use crate::client::GatewaySource;
use quorate::error::Result;
use quorate::node::{MemoryStorage, Network, Node, NodeOptions, Storage};
use quorate::server::{Listener, ServerOptions};
use quorate::session::Gateway;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long sessions may finish when a node is stopped.
const GRACE: Duration = Duration::from_secs(2);
/// Between two looks at the replicas.
const SETTLE_PAUSE: Duration = Duration::from_millis(50);
/// Where the addresses of a cluster with directories are kept, so that its nodes find each other again.
const ADDRESSES: &str = "addresses";

/// One node without a network.
pub struct Alone {
    node: Node,
    description: String,
}

impl Alone {
    /// Opens a directory, or memory.
    pub async fn open(directory: Option<&Path>) -> Result<Alone> {
        let (options, description) = match directory {
            Some(path) => (NodeOptions::directory(path), format!("directory {}", path.display())),
            None => (NodeOptions::memory(), "in memory".to_owned()),
        };
        Ok(Alone { node: Node::start(options).await?, description })
    }

    /// Makes everything durable and stops.
    pub async fn close(&self) -> Result<()> {
        self.node.shutdown().await
    }
}

impl GatewaySource for Alone {
    fn gateway(&self) -> Option<Arc<Gateway>> {
        Some(self.node.gateway())
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

/// A place of the cluster, with its node if that runs.
struct Slot {
    storage: Storage,
    /// Kept over restarts, so that other nodes find it.
    address: SocketAddr,
    running: Option<Running>,
}

struct Running {
    node: Node,
    listener: Option<Listener>,
}

/// What is known of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// Its number, from 1.
    pub number: usize,
    /// Whether it runs.
    pub running: bool,
    /// Where nodes reach it.
    pub address: SocketAddr,
    /// Where clients reach it, if it runs and listens.
    pub sql: Option<SocketAddr>,
}

/// Where the nodes of a cluster keep their data.
#[derive(Clone, Debug)]
pub enum Keep {
    /// In memory that survives the restart of a node, but not the process.
    Memory,
    /// In `DIR/n1`, `DIR/n2`, ...
    Directory(PathBuf),
}

/// A cluster in this process.
pub struct Cluster {
    /// Held for moments only, never while a node starts or stops.
    slots: Mutex<Vec<Slot>>,
    listens: bool,
    /// The node, from 0, that sessions were sent to last.
    current: AtomicUsize,
}

impl Cluster {
    /// Starts `count` nodes; with `listens`, each accepts SQL clients on a free loopback port (the first on 7432 if it can).
    pub async fn start(count: usize, keep: &Keep, listens: bool) -> Result<Cluster> {
        let addresses = known_addresses(keep, count);
        let slots = Mutex::new(slots(count, keep, &addresses));
        let cluster = Cluster { slots, listens, current: AtomicUsize::new(0) };
        let first = cluster.start_node(0, None).await?;
        let joins = (1..count).map(|at| {
            let (cluster, first) = (&cluster, &first);
            async move {
                let token = if cluster.is_member(at) { None } else { Some(first.create_join_token().await?) };
                cluster.start_node(at, token).await
            }
        });
        futures::future::try_join_all(joins).await?;
        cluster.keep_addresses(keep)?;
        Ok(cluster)
    }

    async fn start_node(&self, at: usize, token: Option<quorate::node::JoinToken>) -> Result<Node> {
        let (storage, address) = {
            let slots = self.slots();
            (slots[at].storage.clone(), slots[at].address)
        };
        let mut options = NodeOptions { storage, ..NodeOptions::memory() };
        options.network = Some(Network { listen: address, ..Network::loopback() });
        options.join = token;
        let node = Node::start(options).await?;
        let listener = if self.listens { Some(listen(&node, at).await?) } else { None };
        node.announce(listener.as_ref().map(|listener| listener.local_addr().to_string())).await?;
        let mut slots = self.slots();
        slots[at].address = node.node_address().unwrap_or(address);
        slots[at].running = Some(Running { node: node.clone(), listener });
        Ok(node)
    }

    /// Whether the node of this place has joined before.
    fn is_member(&self, at: usize) -> bool {
        match &self.slots()[at].storage {
            Storage::Directory(path) => path.join("identity").is_dir(),
            _ => false,
        }
    }

    fn keep_addresses(&self, keep: &Keep) -> Result<()> {
        let Keep::Directory(directory) = keep else { return Ok(()) };
        let lines: Vec<String> = self.slots().iter().map(|slot| slot.address.to_string()).collect();
        std::fs::write(directory.join(ADDRESSES), lines.join("\n"))?;
        Ok(())
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All nodes, by number.
    pub fn states(&self) -> Vec<NodeState> {
        let slots = self.slots();
        let states = slots.iter().enumerate().map(|(at, slot)| NodeState {
            number: at + 1,
            running: slot.running.is_some(),
            address: slot.address,
            sql: slot.running.as_ref().and_then(|running| Some(running.listener.as_ref()?.local_addr())),
        });
        states.collect()
    }

    /// Whether sessions were sent to node `number` last.
    pub fn is_current(&self, number: usize) -> bool {
        self.current.load(Ordering::Relaxed) + 1 == number
    }

    /// Node `number`, if it runs.
    pub fn node(&self, number: usize) -> Option<Node> {
        self.slots().get(number - 1)?.running.as_ref().map(|running| running.node.clone())
    }

    /// The nodes that run.
    pub fn nodes(&self) -> Vec<Node> {
        self.slots().iter().filter_map(|slot| Some(slot.running.as_ref()?.node.clone())).collect()
    }

    /// Waits until every range has three voters, or as many as there are nodes; false if that takes longer than
    /// `patience`.
    pub async fn settle(&self, patience: Duration) -> bool {
        let wanted = self.voters();
        let Some(node) = self.nodes().into_iter().next() else { return false };
        let settled = async {
            // What cannot be read now is read again: a node that goes takes leaderships with it.
            while node.wait_for_replicas(wanted).await.is_err() {
                tokio::time::sleep(SETTLE_PAUSE).await;
            }
        };
        tokio::time::timeout(patience, settled).await.is_ok()
    }

    /// How many replicas of a range vote once the cluster has settled.
    pub fn voters(&self) -> usize {
        self.slots().len().min(3)
    }

    /// Starts node `number` again; false if it runs.
    pub async fn restart(&self, number: usize) -> Result<bool> {
        if self.slots()[number - 1].running.is_some() {
            return Ok(false);
        }
        self.start_node(number - 1, None).await?;
        Ok(true)
    }

    /// Stops node `number` in good order; false if it does not run.
    pub async fn stop(&self, number: usize) -> Result<bool> {
        let Some(running) = self.take(number) else { return Ok(false) };
        if let Some(listener) = running.listener {
            listener.shutdown(GRACE).await;
        }
        running.node.shutdown().await?;
        Ok(true)
    }

    /// Ends node `number` as a crash would: what was not synced is lost. False if it does not run.
    pub async fn kill(&self, number: usize) -> bool {
        let Some(running) = self.take(number) else { return false };
        drop(running.listener);
        running.node.kill().await;
        if let Storage::Held(memory) = &self.slots()[number - 1].storage {
            memory.crash();
        }
        true
    }

    /// Stops all nodes, the last first.
    pub async fn shutdown(&self) -> Result<()> {
        let count = self.slots().len();
        let mut outcome = Ok(());
        for number in (1..=count).rev() {
            outcome = self.stop(number).await.map(|_| ()).and(outcome);
        }
        outcome
    }

    fn take(&self, number: usize) -> Option<Running> {
        self.slots()[number - 1].running.take()
    }
}

impl GatewaySource for Cluster {
    fn gateway(&self) -> Option<Arc<Gateway>> {
        let slots = self.slots();
        let at = slots.iter().position(|slot| slot.running.is_some())?;
        self.current.store(at, Ordering::Relaxed);
        slots[at].running.as_ref().map(|running| running.node.gateway())
    }

    fn describe(&self) -> String {
        let running = self.states().iter().filter(|state| state.running).count();
        format!("{running} of {} nodes in this process", self.slots().len())
    }
}

fn slots(count: usize, keep: &Keep, addresses: &[SocketAddr]) -> Vec<Slot> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (0..count)
        .map(|at| Slot {
            storage: match keep {
                Keep::Memory => Storage::Held(Arc::new(MemoryStorage::with_crashes())),
                Keep::Directory(directory) => Storage::Directory(directory.join(format!("n{}", at + 1))),
            },
            address: addresses.get(at).copied().unwrap_or(any),
            running: None,
        })
        .collect()
}

/// The addresses that the nodes had when they ran before.
fn known_addresses(keep: &Keep, count: usize) -> Vec<SocketAddr> {
    let Keep::Directory(directory) = keep else { return Vec::new() };
    let text = std::fs::read_to_string(directory.join(ADDRESSES)).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).take(count).collect()
}

/// The first node takes the usual port if it is free.
async fn listen(node: &Node, at: usize) -> Result<Listener> {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if at == 0
        && let Ok(listener) = Listener::bind(local(7432), node.gateway(), ServerOptions::default()).await
    {
        return Ok(listener);
    }
    Listener::bind(local(0), node.gateway(), ServerOptions::default()).await
}
