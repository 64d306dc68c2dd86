//! The transport over QUIC.
//!
//! ```text
//!   Core ─── Peer (per known node: addresses, dial task, the current link)
//!             └── Link (per connection: two lanes, calls that wait, the tasks that read and write)
//!                  ├── lane Raft      bidirectional stream 1    Outbox ─► writer task        reader task ─► on_message
//!                  ├── lane Request   bidirectional stream 2    Outbox ─► writer task        reader task ─► on_call, replies
//!                  └── bulk           a stream per transfer     its own task, lower priority
//! ```
//!
//! **Connecting.** Every node dials every peer of which it knows an address, so two connections may come up at once; both ends
//! then keep the one that the node with the lower id dialled and let the other one run dry. The dialler opens both lanes with
//! a HELLO frame (version, class, incarnation); the acceptor answers on the Raft lane, which also tells the dialler that its
//! certificate was accepted. The incarnation is a random number per process: when it differs, the peer has restarted, and the
//! newer connection wins at once. A node that was killed recognises, by keys derived from its identity, packets of its former
//! life and resets those connections, so that peers need not wait for the idle timeout.
//!
//! **Reconnecting** is the dial task's work: at once after a loss, then with back-off and jitter. A call to a peer without a
//! connection wakes the dial task, waits for the next attempt and fails with it.
//!
//! **Batching.** Senders encode into an outbox; its writer takes all that has gathered and writes it in one go.
//!
//! Invariant: a connection serves nothing before the peer's certificate named a node of this cluster.
//! Invariant: bytes that are no frames close the connection, with one warning, and nothing else.
//! Invariant: after [`Transport::close`] no task and no socket is left.

mod accept;
mod bulk;
mod calls;
mod core;
mod lane;
mod link;
mod outbox;
mod peer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use self::core::Core;
use crate::frame::MAX_PAYLOAD;
use crate::identity::Identity;
use crate::join::JoinHandler;
use crate::runtime::Runtime;
use crate::transport::{ChunkSource, Handler, Message, NetError, PeerId, Transport};

/// The protocol name of node traffic in TLS.
pub const NODE_PROTOCOL: &[u8] = b"quorate/1";

/// One node's end of the network. Dropping it without [`Transport::close`] closes it in the background.
pub struct QuicTransport {
    core: Arc<Core>,
}

impl QuicTransport {
    /// Binds the node's UDP socket and serves peers, and with a `join_handler` also nodes that want to join.
    ///
    /// # Errors
    /// When the address is taken, or the identity does not work.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn bind(
        address: SocketAddr,
        identity: Identity,
        handler: Arc<dyn Handler>,
        join_handler: Option<Arc<dyn JoinHandler>>,
        runtime: Runtime,
    ) -> Result<Arc<Self>, NetError> {
        let core = Core::bind(address, identity, handler, join_handler, runtime)?;
        core.spawn(accept::run(core.clone()));
        Ok(Arc::new(Self { core }))
    }
}

impl Drop for QuicTransport {
    fn drop(&mut self) {
        self.core.shut();
    }
}

#[async_trait]
impl Transport for QuicTransport {
    fn send(&self, to: PeerId, message: Message) {
        if let Err(error) = check_length(&message.payload) {
            return tracing::warn!(%to, kind = message.kind, %error, "dropped a message");
        }
        let kind = message.kind;
        let sent = self.core.peer(to).and_then(|peer| peer.link()).is_some_and(|link| link.send(message).is_ok());
        if !sent {
            tracing::trace!(%to, kind, "dropped a message");
        }
    }

    async fn call(&self, to: PeerId, message: Message, deadline: Duration) -> Result<Bytes, NetError> {
        check_length(&message.payload)?;
        let peer = self.core.peer(to).ok_or(NetError::Unreachable { peer: to })?;
        let Some(link) = peer.link() else {
            return self.core.call_after_connecting(&peer, message, deadline).await;
        };
        link.call(message, deadline, &self.core.runtime).await
    }

    async fn send_bulk(
        &self,
        to: PeerId,
        kind: u16,
        header: Bytes,
        chunks: &mut dyn ChunkSource,
    ) -> Result<Bytes, NetError> {
        check_length(&header)?;
        let peer = self.core.peer(to).ok_or(NetError::Unreachable { peer: to })?;
        let link = match peer.link() {
            Some(link) => link,
            None => self.core.connected(&peer).await?,
        };
        bulk::send(&link, kind, header, chunks).await
    }

    fn set_peer(&self, peer: PeerId, addresses: Vec<SocketAddr>) {
        self.core.set_peer(peer, addresses);
    }

    fn remove_peer(&self, peer: PeerId) {
        self.core.remove_peer(peer);
    }

    fn reachable(&self) -> Vec<(PeerId, bool)> {
        self.core.peers().iter().map(|peer| (peer.id, peer.link().is_some())).collect()
    }

    fn round_trip(&self, peer: PeerId) -> Option<Duration> {
        Some(self.core.peer(peer)?.link()?.connection.rtt())
    }

    fn local_addr(&self) -> SocketAddr {
        self.core.local
    }

    async fn close(&self) {
        self.core.close().await;
    }
}

fn check_length(payload: &Bytes) -> Result<(), NetError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(NetError::TooLarge { length: payload.len(), limit: MAX_PAYLOAD });
    }
    Ok(())
}
