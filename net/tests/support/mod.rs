//! Nodes for the tests of the real transport: loopback sockets, real certificates, a handler that echoes.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use quorate_net::{
    ChunkStream, ClusterAuthority, ClusterId, Handler, Identity, JoinHandler, Message, NetError, PeerId, QuicTransport,
    Runtime, Transport,
};
use tokio::sync::mpsc;

/// Long enough for any loopback exchange on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Answered at once with the payload.
pub const ECHO: u16 = 1;
/// Answered with the payload, after the task has been rescheduled once.
pub const ECHO_LATER: u16 = 2;
/// Never answered.
pub const SILENCE: u16 = 3;
/// A bulk transfer that is answered before its end.
pub const EARLY: u16 = 4;

pub fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

pub fn authority(cluster: u8) -> ClusterAuthority {
    ClusterAuthority::create(ClusterId([cluster; 16]), Runtime::real().wall()).unwrap()
}

pub fn identity(authority: &ClusterAuthority, node: u64) -> Identity {
    authority.issue(node, Runtime::real().wall()).unwrap()
}

/// Hands one-way messages to the test; answers calls by their kind; answers transfers with their length.
pub struct Echo {
    messages: mpsc::UnboundedSender<(PeerId, Message)>,
}

#[async_trait]
impl Handler for Echo {
    fn on_message(&self, from: PeerId, message: Message) {
        self.messages.send((from, message)).expect("the test keeps the receiver");
    }

    async fn on_call(&self, _: PeerId, message: Message) -> Bytes {
        match message.kind {
            ECHO => {}
            ECHO_LATER => tokio::task::yield_now().await,
            _ => futures::future::pending().await,
        }
        message.payload
    }

    async fn on_bulk(&self, _: PeerId, kind: u16, header: Bytes, chunks: &mut dyn ChunkStream) -> Bytes {
        if kind == EARLY {
            return Bytes::from_static(b"enough");
        }
        let mut bytes = 0u64;
        let mut sum = 0u64;
        loop {
            match chunks.next().await {
                Ok(Some(chunk)) => {
                    bytes += chunk.len() as u64;
                    sum += chunk.iter().map(|byte| u64::from(*byte)).sum::<u64>();
                }
                Ok(None) => return format!("{}: {bytes} bytes, sum {sum}", String::from_utf8_lossy(&header)).into(),
                Err(error) => return error.to_string().into(),
            }
        }
    }
}

pub struct Node {
    pub transport: Arc<QuicTransport>,
    pub messages: mpsc::UnboundedReceiver<(PeerId, Message)>,
}

impl Node {
    pub fn start(identity: Identity) -> Self {
        Self::start_at(any_port(), identity, None).unwrap()
    }

    pub fn start_at(
        address: SocketAddr,
        identity: Identity,
        join: Option<Arc<dyn JoinHandler>>,
    ) -> Result<Self, NetError> {
        let (sender, messages) = mpsc::unbounded_channel();
        let handler = Arc::new(Echo { messages: sender });
        let transport = QuicTransport::bind(address, identity, handler, join, Runtime::real())?;
        Ok(Self { transport, messages })
    }

    pub fn address(&self) -> SocketAddr {
        self.transport.local_addr()
    }

    /// Makes `other`, which is node `id`, known to this node.
    pub fn knows(&self, id: u64, other: &Node) {
        self.transport.set_peer(PeerId(id), vec![other.address()]);
    }

    pub async fn ask(&self, to: u64, kind: u16, payload: impl Into<Bytes>) -> Result<Bytes, NetError> {
        self.transport.call(PeerId(to), Message { kind, payload: payload.into() }, PATIENCE).await
    }
}

/// Nodes 1 and 2 of one cluster that know each other.
pub fn pair() -> (Node, Node) {
    let authority = authority(1);
    let (one, two) = (Node::start(identity(&authority, 1)), Node::start(identity(&authority, 2)));
    one.knows(2, &two);
    two.knows(1, &one);
    (one, two)
}
