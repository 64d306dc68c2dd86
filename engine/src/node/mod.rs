//! A node: storage, Raft, transactions and network put together and kept running.
//!
//! ```text
//!   Node::start
//!     1  open the data directory (or memory)             storage.rs
//!     2  join a cluster by token, if asked to            identity.rs
//!     3  open the store; a new cluster gets r1..r4       bootstrap
//!     4  threads: Raft loop, apply loop; tasks: ticks, leases, placement, address book
//!     5  network, then the gateway for sessions
//!
//!   raft thread ──Notice──► leases task ──► participants      (a led range and term has one participant)
//!        ▲                                                     images task per wanted image
//!        └── Event ── dispatch ◄── peers
//! ```
//!
//! Invariant: only this module knows all layers; it holds no protocol logic of its own.
//! Invariant: every task and thread of a node ends before [`Node::shutdown`] returns.

mod dispatch;
mod identity;
mod images;
mod info;
mod late;
mod leases;
mod membership;
mod options;
mod placement;
mod records;
mod simulated;
mod start;
mod storage;
mod threads;
mod upkeep;

pub use images::RAFT as RAFT_MESSAGE;
pub use membership::TokenStatus;
pub use options::{MemoryStorage, Network, NodeOptions, Storage};
pub use quorate_net::token::JoinToken;
pub use simulated::Simulated;

use crate::error::{Error, Result};
use crate::session::Gateway;
use membership::Membership;
use parking_lot::Mutex;
use quorate_net::Transport;
use quorate_net::runtime::Runtime;
use quorate_storage::store::Event;
use quorate_storage::{DataDir, NodeId, StoreHandle};
use quorate_txn::participant::Participants;
use quorate_txn::router::Router;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A running member of a cluster (or a cluster of its own). Clones are handles on the same node.
///
/// ```
/// # async fn example() -> quorate::Result<()> {
/// use quorate::node::{Node, NodeOptions};
/// let node = Node::start(NodeOptions::memory()).await?;
/// assert_eq!(node.id(), 1);
/// node.shutdown().await
/// # }
/// ```
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

/// What the tasks of a node share.
pub(crate) struct Inner {
    pub(crate) id: NodeId,
    pub(crate) runtime: Runtime,
    pub(crate) store: StoreHandle,
    pub(crate) participants: Arc<Participants>,
    pub(crate) router: Arc<Router>,
    pub(crate) membership: Membership,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) transport: Option<Arc<dyn Transport>>,
    /// `HOST:PORT` of this node for other nodes, as told to them.
    pub(crate) advertised: Vec<String>,
    cluster_name: Option<String>,
    founded: bool,
    /// How many nodes the cluster has, as last read.
    pub(crate) members: AtomicUsize,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Taken by the first shutdown; held for moments only.
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Unlocks the directory when the node is gone.
    directory: Mutex<Option<DataDir>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts a node inside the caller's tokio runtime.
    ///
    /// # Errors
    /// The data directory is in use, newer or damaged; the address is taken; the join was refused.
    pub async fn start(options: NodeOptions) -> Result<Node> {
        start::start(options, Runtime::real()).await
    }

    /// The node's id; 1 is the node that created the cluster.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.inner.id.0
    }

    /// The cluster's name for people; none while the node is alone without a network.
    #[must_use]
    pub fn cluster_name(&self) -> Option<&str> {
        self.inner.cluster_name.as_deref()
    }

    /// Whether this start created the data.
    #[must_use]
    pub fn is_new_cluster(&self) -> bool {
        self.inner.founded
    }

    /// What sessions of this node share.
    #[must_use]
    pub fn gateway(&self) -> Arc<Gateway> {
        self.inner.gateway.clone()
    }

    /// Where the node listens for other nodes, if it does.
    #[must_use]
    pub fn node_address(&self) -> Option<SocketAddr> {
        self.inner.transport.as_ref().map(|transport| transport.local_addr())
    }

    /// Tells the cluster where clients reach this node (`HOST:PORT`), and where nodes do.
    ///
    /// # Errors
    /// The catalog cannot be written now.
    pub async fn announce(&self, sql_address: Option<String>) -> Result<()> {
        let addresses: Vec<SocketAddr> =
            self.inner.advertised.iter().filter_map(|address| address.parse().ok()).collect();
        self.inner.membership.announce(self.inner.id, &addresses, sql_address).await
    }

    /// Makes a token with which one more node can join (valid one hour, one use).
    ///
    /// # Errors
    /// The node has no network, or the catalog cannot be written now.
    pub async fn create_join_token(&self) -> Result<JoinToken> {
        self.inner.membership.create_token(self.inner.advertised.clone()).await
    }

    /// Whether any token made before may still be used.
    ///
    /// # Errors
    /// The catalog cannot be read now.
    pub async fn has_valid_token(&self) -> Result<bool> {
        Ok(self.inner.membership.tokens().await?.iter().any(|token| token.state == "valid"))
    }

    /// The node's store, for tools that look below SQL.
    #[must_use]
    pub fn store(&self) -> &StoreHandle {
        &self.inner.store
    }

    /// Holds the next commit over several ranges that this node coordinates, between its votes and its outcome, until
    /// [`Node::release_commits`]: to watch what the others do then.
    pub fn hold_next_commit(&self) {
        self.inner.gateway.client.coordinator().brake().pull();
    }

    /// The transaction that is held, as soon as one is; `None` once nothing is to be held.
    pub async fn held_commit(&self) -> Option<String> {
        let held = self.inner.gateway.client.coordinator().brake().held().await;
        held.map(|attempt| attempt.to_string())
    }

    /// What is held goes on.
    pub fn release_commits(&self) {
        self.inner.gateway.client.coordinator().brake().release();
    }

    /// How long the ranges that this node leads keep rows after they were changed or deleted, from now on
    /// ([`NodeOptions::retention`]); `None`: for ever.
    pub fn retain(&self, retention: Option<std::time::Duration>) {
        self.inner.gateway.client.retain(retention);
    }

    /// Why the node stopped itself, if it did: a failed or full disk (58030, 53100), damage (XX001).
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.inner.store.failure().map(storage::storage_error)
    }

    /// Resolves when the node has stopped itself after a failure.
    pub async fn failed(&self) -> Error {
        storage::storage_error(self.inner.store.failed().await)
    }

    /// Hands leaderships over, makes the engine durable, and ends every task and thread of the node.
    ///
    /// # Errors
    /// The failure that had stopped the store before.
    pub async fn shutdown(&self) -> Result<()> {
        self.inner.hand_over().await;
        self.stop().await;
        match self.failure() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Stops at once, as a crash of the process would: nothing is handed over.
    pub async fn kill(&self) {
        self.stop().await;
    }

    async fn stop(&self) {
        let inner = &self.inner;
        inner.stop.cancel();
        inner.participants.close();
        inner.gateway.client.close().await;
        if let Some(transport) = &inner.transport {
            transport.close().await;
        }
        inner.store.send(Event::Shutdown);
        let threads = std::mem::take(&mut *inner.threads.lock());
        let joined = inner.runtime.blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
        if joined.await != Some(true) {
            tracing::error!("a storage thread panicked");
        }
        inner.tasks.close();
        inner.tasks.wait().await;
        drop(inner.directory.lock().take());
    }
}

#[cfg(test)]
mod tests;
