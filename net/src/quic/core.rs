//! What all tasks of one transport share: identity, socket, peers, and the count of tasks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLock;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, ConnectionError, Endpoint};
use rustls::pki_types::CertificateDer;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::NODE_PROTOCOL;
use super::lane::Lane;
use super::link::{self, CloseCode, Link};
use super::peer::{Installed, Peer};
use crate::endpoint::{CountedRuntime, endpoint_config, open_socket, server_config, transport_config};
use crate::identity::{Identity, IdentityError, name_of};
use crate::join::{JOIN_PROTOCOL, JoinHandler};
use crate::runtime::Runtime;
use crate::transport::{Handler, Message, NetError, PeerId};

/// How long a surplus connection still carries what was sent on it.
const RETIREMENT: Duration = Duration::from_secs(10);
/// How long closing waits for the peers to hear of it, and for the tasks.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const JOINERS: usize = 16;

/// The shared part of a transport.
pub(super) struct Core {
    pub(super) id: PeerId,
    /// Drawn at random per process.
    pub(super) incarnation: u64,
    pub(super) local: SocketAddr,
    pub(super) runtime: Runtime,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) join_handler: Option<Arc<dyn JoinHandler>>,
    pub(super) join_slots: Semaphore,
    pub(super) closed: CancellationToken,
    identity: Identity,
    client: quinn::ClientConfig,
    tasks: TaskTracker,
    /// Gone after closing. Held for a clone only.
    endpoint: RwLock<Option<Endpoint>>,
    /// Held for a lookup or an insertion only; a peer's own locks may be taken inside, never the other way round.
    peers: RwLock<BTreeMap<PeerId, Arc<Peer>>>,
}

impl Core {
    pub(super) fn bind(
        address: SocketAddr,
        identity: Identity,
        handler: Arc<dyn Handler>,
        join_handler: Option<Arc<dyn JoinHandler>>,
        runtime: Runtime,
    ) -> Result<Arc<Self>, NetError> {
        let bind_error = |source| NetError::Bind { address, source };
        let tasks = TaskTracker::new();
        let counted = Arc::new(CountedRuntime { runtime: runtime.clone(), tasks: tasks.clone() });
        let (client, server) = quic_configs(&identity, &runtime)?;
        let socket = open_socket(address).map_err(bind_error)?;
        let endpoint = Endpoint::new(endpoint_config(&identity, &runtime), Some(server), socket, counted);
        let endpoint = endpoint.map_err(bind_error)?;
        Ok(Arc::new(Self {
            id: PeerId(identity.node()),
            incarnation: runtime.random_u64(),
            local: endpoint.local_addr().map_err(bind_error)?,
            runtime,
            handler,
            join_handler,
            join_slots: Semaphore::new(JOINERS),
            closed: CancellationToken::new(),
            identity,
            client,
            tasks,
            endpoint: RwLock::new(Some(endpoint)),
            peers: RwLock::default(),
        }))
    }

    /// Runs a counted task.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(self.tasks.track_future(future));
    }

    /// `future`, cut short when the transport closes.
    pub(super) fn until_closed<F>(&self, future: F) -> impl Future<Output = ()> + Send + 'static
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let closed = self.closed.clone();
        async move { closed.run_until_cancelled(future).await.unwrap_or_default() }
    }

    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint.read().clone()
    }

    pub(super) fn peer(&self, id: PeerId) -> Option<Arc<Peer>> {
        self.peers.read().get(&id).cloned()
    }

    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        self.peers.read().values().cloned().collect()
    }

    fn peer_or_new(&self, id: PeerId) -> Arc<Peer> {
        self.peer(id).unwrap_or_else(|| {
            let mut peers = self.peers.write();
            peers.entry(id).or_insert_with(|| Peer::new(id, self.closed.child_token())).clone()
        })
    }

    pub(super) fn set_peer(self: &Arc<Self>, id: PeerId, addresses: Vec<SocketAddr>) {
        if id == self.id || addresses.is_empty() {
            return;
        }
        let peer = self.peer_or_new(id);
        *peer.addresses.lock() = addresses;
        peer.keep_connected(self);
    }

    pub(super) fn remove_peer(&self, id: PeerId) {
        let removed = self.peers.write().remove(&id);
        if let Some(peer) = removed {
            peer.gone.cancel();
            if let Some(link) = peer.link() {
                link.close(CloseCode::Removed, "the node was removed");
            }
        }
    }

    /// Waits for a link to the peer, at most until the next attempt fails.
    pub(super) async fn connected(&self, peer: &Peer) -> Result<Arc<Link>, NetError> {
        if self.closed.is_cancelled() {
            return Err(NetError::Closed);
        }
        let connected = peer.gone.run_until_cancelled(peer.connected()).await;
        connected.unwrap_or(Err(NetError::Unreachable { peer: peer.id }))
    }

    /// A call for which there is no connection yet.
    pub(super) async fn call_after_connecting(
        &self,
        peer: &Peer,
        message: Message,
        deadline: Duration,
    ) -> Result<Bytes, NetError> {
        let end = self.runtime.now() + deadline;
        let link = self.runtime.timeout(deadline, self.connected(peer)).await;
        let link = link.unwrap_or(Err(NetError::Unreachable { peer: peer.id }))?;
        let left = end.saturating_duration_since(self.runtime.now());
        link.call(message, left, &self.runtime).await
    }

    /// Dials an address at which `peer` should listen.
    pub(super) fn connect(&self, peer: PeerId, address: SocketAddr) -> Result<quinn::Connecting, String> {
        let endpoint = self.endpoint().ok_or("the transport is closed")?;
        let name = self.identity.server_name(peer.0);
        endpoint.connect_with(self.client.clone(), address, &name).map_err(|error| error.to_string())
    }

    /// The node that the other end of a connection has proved to be.
    pub(super) fn peer_of(&self, connection: &Connection) -> Result<PeerId, String> {
        let chain = connection.peer_identity().and_then(|chain| chain.downcast::<Vec<CertificateDer<'_>>>().ok());
        let chain = chain.ok_or("no certificate was shown")?;
        let certificate = chain.first().ok_or("no certificate was shown")?;
        let (cluster, node) = name_of(certificate).map_err(|error| error.to_string())?;
        if cluster != self.identity.cluster() {
            return Err(format!("the certificate is of cluster {cluster}"));
        }
        if node == self.id.0 {
            return Err(format!("the certificate is of this node itself, node {node}"));
        }
        Ok(PeerId(node))
    }

    /// Takes a new link into use.
    pub(super) fn install(self: &Arc<Self>, link: &Arc<Link>, raft: Lane, request: Lane) {
        let peer = self.peer_or_new(link.ends.peer);
        link::run(self, link, raft, request);
        match peer.install(link) {
            Installed::First => {
                tracing::info!(peer = %peer.id, address = %link.connection.remote_address(), "connected to a node");
            }
            Installed::Restarted(former) => {
                tracing::info!(peer = %peer.id, "a node has restarted");
                former.close(CloseCode::Retired, "the node has restarted");
            }
            Installed::Surplus(surplus) => self.spawn(retire(self.runtime.clone(), surplus)),
        }
    }

    /// Notes that a link has ended.
    pub(super) fn lost(&self, link: &Arc<Link>, error: &ConnectionError) {
        if let Some(peer) = self.peer(link.ends.peer)
            && peer.uninstall(link)
        {
            tracing::info!(peer = %peer.id, reason = %error, "lost the connection to a node");
        }
    }

    /// Begins to close: no new work, all connections told.
    pub(super) fn shut(&self) {
        self.closed.cancel();
        for link in self.peers().iter().filter_map(|peer| peer.link()) {
            link.close(CloseCode::Shut, "the node stops");
        }
        if let Some(endpoint) = self.endpoint() {
            endpoint.close((CloseCode::Shut as u32).into(), b"the node stops");
        }
    }

    /// Closes, and waits until the last task, and with it the socket, is gone.
    pub(super) async fn close(&self) {
        self.shut();
        let endpoint = self.endpoint.write().take();
        if let Some(endpoint) = endpoint
            && self.runtime.timeout(CLOSE_TIMEOUT, endpoint.wait_idle()).await.is_none()
        {
            tracing::debug!("some peers did not confirm the end of their connections");
        }
        self.tasks.close();
        if self.runtime.timeout(CLOSE_TIMEOUT, self.tasks.wait()).await.is_none() {
            tracing::warn!(tasks = self.tasks.len(), "the transport closed, but some of its tasks still run");
        }
    }
}

/// Lets a surplus connection run dry.
async fn retire(runtime: Runtime, link: Arc<Link>) {
    if runtime.timeout(RETIREMENT, link.connection.closed()).await.is_none() {
        link.close(CloseCode::Retired, "another connection took over");
    }
}

fn quic_configs(
    identity: &Identity,
    runtime: &Runtime,
) -> Result<(quinn::ClientConfig, quinn::ServerConfig), IdentityError> {
    let unusable = |error: quinn::crypto::rustls::NoInitialCipherSuite| rustls::Error::General(error.to_string());
    let server = identity.server_config(&[NODE_PROTOCOL, JOIN_PROTOCOL], runtime)?;
    let server = server_config(Arc::new(QuicServerConfig::try_from(server).map_err(unusable)?));
    let client = identity.client_config(NODE_PROTOCOL, runtime)?;
    let mut client = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(client).map_err(unusable)?));
    client.transport_config(Arc::new(transport_config()));
    Ok((client, server))
}
