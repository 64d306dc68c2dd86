//! A transport that is bound after the layers above it were built.
//!
//! A node that founds a cluster needs transactions to write its authority, the authority to get a certificate, and the
//! certificate to open its socket. Until then nobody is reachable.

use async_trait::async_trait;
use bytes::Bytes;
use quorate_net::{ChunkSource, Message, NetError, PeerId, Transport};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Delegates to the transport once there is one.
#[derive(Default)]
pub(crate) struct LateTransport {
    bound: OnceLock<Arc<dyn Transport>>,
}

impl LateTransport {
    pub(crate) fn bind(&self, transport: Arc<dyn Transport>) {
        let fresh = self.bound.set(transport).is_ok();
        assert!(fresh, "a node binds its transport once, while it starts");
    }
}

#[async_trait]
impl Transport for LateTransport {
    fn send(&self, to: PeerId, message: Message) {
        if let Some(transport) = self.bound.get() {
            transport.send(to, message);
        }
    }

    async fn call(&self, to: PeerId, message: Message, deadline: Duration) -> Result<Bytes, NetError> {
        match self.bound.get() {
            Some(transport) => transport.call(to, message, deadline).await,
            None => Err(NetError::Unreachable { peer: to }),
        }
    }

    async fn send_bulk(
        &self,
        to: PeerId,
        kind: u16,
        header: Bytes,
        chunks: &mut dyn ChunkSource,
    ) -> Result<Bytes, NetError> {
        match self.bound.get() {
            Some(transport) => transport.send_bulk(to, kind, header, chunks).await,
            None => Err(NetError::Unreachable { peer: to }),
        }
    }

    fn set_peer(&self, peer: PeerId, addresses: Vec<SocketAddr>) {
        if let Some(transport) = self.bound.get() {
            transport.set_peer(peer, addresses);
        }
    }

    fn remove_peer(&self, peer: PeerId) {
        if let Some(transport) = self.bound.get() {
            transport.remove_peer(peer);
        }
    }

    fn reachable(&self) -> Vec<(PeerId, bool)> {
        self.bound.get().map(|transport| transport.reachable()).unwrap_or_default()
    }

    fn round_trip(&self, peer: PeerId) -> Option<Duration> {
        self.bound.get().and_then(|transport| transport.round_trip(peer))
    }

    fn local_addr(&self) -> SocketAddr {
        let none = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        self.bound.get().map_or(none, |transport| transport.local_addr())
    }

    async fn close(&self) {
        if let Some(transport) = self.bound.get() {
            transport.close().await;
        }
    }
}
