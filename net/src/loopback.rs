//! The transport between nodes of one process: a [`Hub`] instead of sockets.
//!
//! ```text
//!   send   sender ──► inbox of the receiver (bounded, in order) ──► its delivery task ──► on_message
//!   call   a task at the receiver's side runs on_call; its reply comes back if the pair is still connected
//!   bulk   likewise with on_bulk, which reads the sender's chunks through a channel of one chunk
//! ```
//!
//! The semantics are those of QUIC: one-way messages are dropped when the inbox is full, a call that was cut off on its way
//! back may have been executed, handlers finish even when nobody waits for them. There is no delay and no loss besides what a
//! test asks for with [`Hub::disconnect`]. On a current-thread runtime the order of events is a function of the program.
//!
//! Invariant: no lock is held while a handler runs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::frame::MAX_PAYLOAD;
use crate::runtime::Runtime;
use crate::transport::{ChunkSource, Handler, Message, NetError, PeerId, Transport};

/// One-way messages that wait for one receiver.
const INBOX_MESSAGES: usize = 4096;

/// Connects the nodes of one process.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: Runtime,
    /// Who is there and who is cut off. Held for a lookup only.
    net: RwLock<Net>,
}

#[derive(Default)]
struct Net {
    nodes: BTreeMap<PeerId, Node>,
    /// Pairs, smaller id first, that cannot talk.
    cuts: BTreeSet<(PeerId, PeerId)>,
}

#[derive(Clone)]
struct Node {
    handler: Arc<dyn Handler>,
    inbox: mpsc::Sender<(PeerId, Message)>,
    closed: CancellationToken,
}

fn pair(a: PeerId, b: PeerId) -> (PeerId, PeerId) {
    (a.min(b), a.max(b))
}

impl Hub {
    /// A hub without nodes.
    #[must_use]
    pub fn new(runtime: Runtime) -> Self {
        Self { shared: Arc::new(Shared { runtime, net: RwLock::default() }) }
    }

    /// Adds a node, or replaces the one with the same id, as a restart does.
    pub fn join(&self, peer: PeerId, handler: Arc<dyn Handler>) -> Arc<dyn Transport> {
        let (inbox, messages) = mpsc::channel(INBOX_MESSAGES);
        let closed = CancellationToken::new();
        self.shared.runtime.spawn(deliver(handler.clone(), messages, closed.clone()));
        let node = Node { handler, inbox, closed: closed.clone() };
        if let Some(previous) = self.shared.net.write().nodes.insert(peer, node) {
            previous.closed.cancel();
        }
        Arc::new(Loopback { id: peer, closed, shared: self.shared.clone(), forgotten: Mutex::default() })
    }

    /// Cuts a pair of nodes off from each other, in both directions.
    pub fn disconnect(&self, a: PeerId, b: PeerId) {
        self.shared.net.write().cuts.insert(pair(a, b));
    }

    /// Connects a pair again.
    pub fn connect(&self, a: PeerId, b: PeerId) {
        self.shared.net.write().cuts.remove(&pair(a, b));
    }

    /// Connects all pairs again.
    pub fn heal(&self) {
        self.shared.net.write().cuts.clear();
    }
}

async fn deliver(
    handler: Arc<dyn Handler>,
    mut messages: mpsc::Receiver<(PeerId, Message)>,
    closed: CancellationToken,
) {
    while let Some(Some((from, message))) = closed.run_until_cancelled(messages.recv()).await {
        handler.on_message(from, message);
    }
}

struct Loopback {
    id: PeerId,
    closed: CancellationToken,
    shared: Arc<Shared>,
    /// Peers taken out with `remove_peer`. Held for a lookup only.
    forgotten: Mutex<BTreeSet<PeerId>>,
}

impl Loopback {
    fn route(&self, to: PeerId) -> Result<Node, NetError> {
        if self.closed.is_cancelled() {
            return Err(NetError::Closed);
        }
        let known = !self.forgotten.lock().contains(&to);
        self.shared.route(self.id, to).filter(|_| known).ok_or(NetError::Unreachable { peer: to })
    }

    /// Runs `work` at the receiver's side; the answer arrives unless the pair was cut meanwhile.
    async fn answer(
        &self,
        to: PeerId,
        receiver: &Node,
        work: impl Future<Output = Bytes> + Send + 'static,
    ) -> Result<Bytes, NetError> {
        let (reply, answer) = oneshot::channel();
        let closed = receiver.closed.clone();
        self.shared.runtime.spawn(async move {
            if let Some(bytes) = closed.run_until_cancelled(work).await
                && reply.send(bytes).is_err()
            {
                tracing::trace!("nobody waits for the answer any more");
            }
        });
        let answer = self.closed.run_until_cancelled(answer).await;
        match answer {
            Some(Ok(bytes)) if self.shared.route(self.id, to).is_some() => Ok(bytes),
            _ => Err(NetError::Lost { peer: to }),
        }
    }
}

impl Shared {
    fn route(&self, from: PeerId, to: PeerId) -> Option<Node> {
        let net = self.net.read();
        let node = net.nodes.get(&to).filter(|node| !node.closed.is_cancelled())?;
        (!net.cuts.contains(&pair(from, to))).then(|| node.clone())
    }
}

#[async_trait]
impl Transport for Loopback {
    fn send(&self, to: PeerId, message: Message) {
        if let Err(error) = check_length(&message.payload) {
            return tracing::warn!(%to, kind = message.kind, %error, "dropped a message");
        }
        let sent = self.route(to).map(|node| node.inbox.try_send((self.id, message)).is_ok());
        if !matches!(sent, Ok(true)) {
            tracing::trace!(%to, "dropped a message");
        }
    }

    async fn call(&self, to: PeerId, message: Message, deadline: Duration) -> Result<Bytes, NetError> {
        check_length(&message.payload)?;
        let node = self.route(to)?;
        let (from, handler) = (self.id, node.handler.clone());
        let work = async move { handler.on_call(from, message).await };
        let answer = self.shared.runtime.timeout(deadline, self.answer(to, &node, work)).await;
        answer.unwrap_or(Err(NetError::Deadline))
    }

    async fn send_bulk(
        &self,
        to: PeerId,
        kind: u16,
        header: Bytes,
        chunks: &mut dyn ChunkSource,
    ) -> Result<Bytes, NetError> {
        check_length(&header)?;
        let node = self.route(to)?;
        let (from, handler) = (self.id, node.handler.clone());
        let (sender, receiver) = mpsc::channel(1);
        let mut received = Received { chunks: receiver, ended: false, peer: from };
        let work = async move { handler.on_bulk(from, kind, header, &mut received).await };
        let (pumped, answer) = futures::join!(pump(chunks, sender), self.answer(to, &node, work));
        pumped?;
        answer
    }

    fn set_peer(&self, peer: PeerId, _addresses: Vec<SocketAddr>) {
        self.forgotten.lock().remove(&peer);
    }

    fn remove_peer(&self, peer: PeerId) {
        self.forgotten.lock().insert(peer);
    }

    fn reachable(&self) -> Vec<(PeerId, bool)> {
        let peers: Vec<PeerId> = self.shared.net.read().nodes.keys().copied().collect();
        let forgotten = self.forgotten.lock().clone();
        let known = peers.into_iter().filter(|peer| *peer != self.id && !forgotten.contains(peer));
        known.map(|peer| (peer, self.route(peer).is_ok())).collect()
    }

    fn round_trip(&self, peer: PeerId) -> Option<Duration> {
        self.route(peer).ok().map(|_| Duration::ZERO)
    }

    /// An address that no packet goes to; the port is the id, as far as it fits.
    fn local_addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, u16::try_from(self.id.0).unwrap_or(u16::MAX)).into()
    }

    async fn close(&self) {
        self.closed.cancel();
    }
}

/// Moves chunks to the receiver until the source ends or the receiver has heard enough.
async fn pump(chunks: &mut dyn ChunkSource, to: mpsc::Sender<Option<Bytes>>) -> Result<(), NetError> {
    while let Some(chunk) = chunks.next().await? {
        if to.send(Some(chunk)).await.is_err() {
            return Ok(());
        }
    }
    if to.send(None).await.is_err() {
        tracing::trace!("the receiver did not wait for the end of the transfer");
    }
    Ok(())
}

struct Received {
    chunks: mpsc::Receiver<Option<Bytes>>,
    ended: bool,
    peer: PeerId,
}

#[async_trait]
impl ChunkSource for Received {
    async fn next(&mut self) -> Result<Option<Bytes>, NetError> {
        if self.ended {
            return Ok(None);
        }
        let chunk = self.chunks.recv().await.ok_or(NetError::Lost { peer: self.peer })?;
        self.ended = chunk.is_none();
        Ok(chunk)
    }
}

fn check_length(payload: &Bytes) -> Result<(), NetError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(NetError::TooLarge { length: payload.len(), limit: MAX_PAYLOAD });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ChunkList;

    /// Echoes calls of kind 1, never answers others, keeps messages, counts bulk bytes.
    #[derive(Default)]
    struct Echo {
        seen: Mutex<Vec<(PeerId, u16)>>,
    }

    #[async_trait]
    impl Handler for Echo {
        fn on_message(&self, from: PeerId, message: Message) {
            self.seen.lock().push((from, message.kind));
        }

        async fn on_call(&self, _: PeerId, message: Message) -> Bytes {
            match message.kind {
                1 => message.payload,
                _ => futures::future::pending().await,
            }
        }

        async fn on_bulk(&self, _: PeerId, _: u16, _: Bytes, chunks: &mut dyn crate::transport::ChunkStream) -> Bytes {
            let mut total = 0u64;
            loop {
                match chunks.next().await {
                    Ok(Some(chunk)) => total += chunk.len() as u64,
                    Ok(None) => return Bytes::copy_from_slice(&total.to_le_bytes()),
                    Err(_) => return Bytes::from_static(b"broken"),
                }
            }
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn message(kind: u16) -> Message {
        Message { kind, payload: Bytes::from_static(b"ping") }
    }

    fn hub() -> (Hub, Arc<dyn Transport>, Arc<Echo>) {
        let hub = Hub::new(Runtime::seeded(1));
        let echo = Arc::new(Echo::default());
        let one = hub.join(PeerId(1), Arc::new(Echo::default()));
        hub.join(PeerId(2), echo.clone());
        (hub, one, echo)
    }

    #[tokio::test]
    async fn calls_and_messages_arrive_in_order() {
        let (_hub, one, echo) = hub();
        one.send(PeerId(2), message(7));
        one.send(PeerId(2), message(8));
        assert_eq!(one.call(PeerId(2), message(1), SECOND).await.unwrap(), "ping");
        assert_eq!(*echo.seen.lock(), [(PeerId(1), 7), (PeerId(1), 8)]);
        assert_eq!(one.reachable(), [(PeerId(2), true)]);
    }

    #[tokio::test]
    async fn a_cut_pair_cannot_talk_until_healed() {
        let (hub, one, _) = hub();
        hub.disconnect(PeerId(2), PeerId(1));
        let cut = one.call(PeerId(2), message(1), SECOND).await.unwrap_err();
        assert!(matches!(cut, NetError::Unreachable { peer: PeerId(2) }) && !cut.maybe_delivered());
        assert_eq!(one.reachable(), [(PeerId(2), false)]);
        hub.heal();
        assert_eq!(one.call(PeerId(2), message(1), SECOND).await.unwrap(), "ping");
    }

    #[tokio::test]
    async fn a_silent_peer_ends_in_the_deadline() {
        let (_hub, one, _) = hub();
        let silent = one.call(PeerId(2), message(2), Duration::from_millis(5)).await.unwrap_err();
        assert!(matches!(silent, NetError::Deadline) && silent.maybe_delivered());
    }

    #[tokio::test]
    async fn a_closed_node_is_gone() {
        let (hub, one, _) = hub();
        let two = hub.join(PeerId(2), Arc::new(Echo::default()));
        two.close().await;
        assert!(matches!(two.call(PeerId(1), message(1), SECOND).await, Err(NetError::Closed)));
        assert!(matches!(one.call(PeerId(2), message(1), SECOND).await, Err(NetError::Unreachable { .. })));
    }

    #[tokio::test]
    async fn bulk_arrives_whole_or_not_at_all() {
        let (_hub, one, _) = hub();
        let mut chunks: ChunkList = (0..10).map(|_| Bytes::from(vec![0; 1000])).collect();
        let answer = one.send_bulk(PeerId(2), 1, Bytes::new(), &mut chunks).await.unwrap();
        assert_eq!(answer, 10_000u64.to_le_bytes().as_slice());

        struct Broken;
        #[async_trait]
        impl ChunkSource for Broken {
            async fn next(&mut self) -> Result<Option<Bytes>, NetError> {
                Err(NetError::Cancelled("disk".into()))
            }
        }
        let broken = one.send_bulk(PeerId(2), 1, Bytes::new(), &mut Broken).await;
        assert!(matches!(broken, Err(NetError::Cancelled(_))));
    }
}
