//! The seam of the network: what a node may ask of it, and what it asks of a node.
//!
//! ```text
//!             direction     delivery                      order            flow
//!   Raft      one way       best effort, may be dropped   per peer         bounded queue, drops when full
//!   Request   and reply     at most once per call         none             bounded queue, fails when full
//!   Bulk      and answer    at most once per transfer     of its chunks    its own stream, waits for the receiver
//! ```
//!
//! [`Transport`] has two implementations: [`crate::QuicTransport`] and the in-process one of [`crate::Hub`].
//! A [`Handler`] is the node that receives.
//!
//! Invariant: after an error for which [`NetError::maybe_delivered`] is false, the peer has not seen the request.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::identity::IdentityError;

/// Names a peer; opaque here, a node id above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The classes of traffic; each has streams of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// One-way messages of consensus.
    Raft,
    /// Calls and their replies.
    Request,
    /// Transfers of many chunks.
    Bulk,
}

/// A kind, which the layer above defines, and bytes, which only it understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What the payload is.
    pub kind: u16,
    /// The payload.
    pub payload: Bytes,
}

/// Sends to peers.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Sends one way, best effort: dropped when there is no connection or the peer's queue is full. Never waits.
    fn send(&self, to: PeerId, message: Message);

    /// Asks and waits for the reply, at most for `deadline`.
    async fn call(&self, to: PeerId, message: Message, deadline: Duration) -> Result<Bytes, NetError>;

    /// Sends chunks over a stream of their own and returns the receiver's answer. There is no deadline: a receiver that
    /// lives may take as long as it needs.
    async fn send_bulk(
        &self,
        to: PeerId,
        kind: u16,
        header: Bytes,
        chunks: &mut dyn ChunkSource,
    ) -> Result<Bytes, NetError>;

    /// Makes a peer known, or changes its addresses, and keeps a connection to it from now on.
    fn set_peer(&self, peer: PeerId, addresses: Vec<SocketAddr>);

    /// Forgets a peer and closes its connection. Forgetting is no ban: a peer with a valid certificate may connect again.
    fn remove_peer(&self, peer: PeerId);

    /// Every known peer, in order, and whether there is a connection to it.
    fn reachable(&self) -> Vec<(PeerId, bool)>;

    /// The round-trip time to a connected peer.
    fn round_trip(&self, peer: PeerId) -> Option<Duration>;

    /// Where this node listens.
    fn local_addr(&self) -> SocketAddr;

    /// Closes all connections and waits until no task and no socket is left.
    async fn close(&self);
}

/// Receives from peers. Requests may arrive twice, late, or out of order.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Takes a one-way message. Runs on the task that reads the stream and must not block.
    fn on_message(&self, from: PeerId, message: Message);

    /// Answers a call. The first poll runs on the task that reads the stream, so what is ready at once costs no task.
    /// The future is dropped only when the transport closes, not when the caller's deadline passes.
    async fn on_call(&self, from: PeerId, message: Message) -> Bytes;

    /// Takes a bulk transfer and answers it; it may answer before it has read all chunks.
    async fn on_bulk(&self, from: PeerId, kind: u16, header: Bytes, chunks: &mut dyn ChunkStream) -> Bytes;
}

/// The chunks of a bulk transfer: where a sender takes them from, and where a receiver reads them.
#[async_trait]
pub trait ChunkSource: Send {
    /// The next chunk; `None` after the last one. A sender that fails gives [`NetError::Cancelled`].
    async fn next(&mut self) -> Result<Option<Bytes>, NetError>;
}

pub use ChunkSource as ChunkStream;

/// Chunks that lie in memory.
#[derive(Debug, Clone, Default)]
pub struct ChunkList(VecDeque<Bytes>);

impl FromIterator<Bytes> for ChunkList {
    fn from_iter<I: IntoIterator<Item = Bytes>>(chunks: I) -> Self {
        Self(chunks.into_iter().collect())
    }
}

#[async_trait]
impl ChunkSource for ChunkList {
    async fn next(&mut self) -> Result<Option<Bytes>, NetError> {
        Ok(self.0.pop_front())
    }
}

/// What went wrong, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// There is no connection to the peer and none could be made. Not delivered; try another replica, or later.
    #[error("node {peer} cannot be reached")]
    Unreachable {
        /// The peer.
        peer: PeerId,
    },
    /// A queue on the way is full. Not delivered; try again after a pause.
    #[error("node {peer} is overloaded")]
    Busy {
        /// The peer.
        peer: PeerId,
    },
    /// The deadline passed after the request was sent. Perhaps delivered.
    #[error("no answer within the deadline")]
    Deadline,
    /// The connection was lost before the answer came. Perhaps delivered.
    #[error("the connection to node {peer} was lost")]
    Lost {
        /// The peer.
        peer: PeerId,
    },
    /// The peer, or the check of its certificate, said no. Not executed; trying again does not help.
    #[error("refused: {0}")]
    Refused(String),
    /// The payload exceeds what a frame can carry. Not sent.
    #[error("a message of {length} bytes is more than the limit of {limit}")]
    TooLarge {
        /// Bytes of the payload.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// This transport is closed.
    #[error("the transport is closed")]
    Closed,
    /// The sender of a bulk transfer gave up.
    #[error("the transfer was cancelled: {0}")]
    Cancelled(String),
    /// The socket cannot be opened.
    #[error("cannot listen on {address}/udp")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// This node's own certificate or key does not work.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl NetError {
    /// Whether the peer may have received, and executed, the request.
    #[must_use]
    pub fn maybe_delivered(&self) -> bool {
        matches!(self, NetError::Deadline | NetError::Lost { .. })
    }
}
