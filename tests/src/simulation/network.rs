//! The simulated network: one [`Transport`] per node, over links that a seed makes slow, lossy and one-way.
//!
//! ```text
//!   send   cut or lost? ─► delay ─► cut meanwhile? ─► a task of the receiving process runs on_message
//!   call   the same, then on_call, then the same way back; a lost half ends in the caller's deadline
//!   bulk   likewise, chunk by chunk
//! ```
//! A message is in order on its link unless reordering is on. The work of a receiver runs as a task of its process: a
//! paused node takes messages when it goes on, a killed one never.
//!
//! Invariant: every draw comes from the network's own generator, in the order of sending.

use super::omniscient::Spoken;
use super::trace::Trace;
use super::trip::{Side, Trips};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use quorate_net::runtime::{Instant, Runtime};
use quorate_net::{ChunkSource, Handler, Message, NetError, PeerId, Transport};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long the way of a message takes when nothing is wrong.
const DELAY_US: std::ops::Range<u64> = 200..1_200;

/// What is wrong with a link, in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// Nothing arrives.
    pub cut: bool,
    /// Share of one-way messages lost; calls take a retransmission's time longer instead.
    pub loss: f64,
    /// Share of messages that arrive twice.
    pub duplicates: f64,
    /// Share of messages that take up to half a second longer and may be overtaken.
    pub reorder: f64,
    /// Added to every delay.
    pub slow: Duration,
}

/// All nodes of a world, connected.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

struct Shared {
    trace: Trace,
    spoken: Arc<Spoken>,
    state: Mutex<State>,
}

struct State {
    rng: StdRng,
    nodes: BTreeMap<PeerId, Member>,
    weather: BTreeMap<(PeerId, PeerId), Weather>,
    /// When the newest message in order arrives.
    last: BTreeMap<(PeerId, PeerId), Instant>,
    sent: u64,
    trips: Trips,
}

#[derive(Clone)]
struct Member {
    handler: Arc<dyn Handler>,
    runtime: Runtime,
    /// Tells lives of a node apart.
    life: u64,
}

/// Where and when something arrives.
struct Arrival {
    to: Member,
    at: Instant,
    again: Option<Instant>,
}

/// Why nothing arrives.
enum Loss {
    /// The sender is told at once.
    Unreachable,
    /// Nobody is told.
    Silent,
}

impl Network {
    /// A network without nodes, on which somebody listens.
    #[must_use]
    pub fn new(seed: u64, trace: Trace, spoken: Arc<Spoken>) -> Network {
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            nodes: BTreeMap::new(),
            weather: BTreeMap::new(),
            last: BTreeMap::new(),
            sent: 0,
            trips: Trips::default(),
        };
        Network { shared: Arc::new(Shared { trace, spoken, state: Mutex::new(state) }) }
    }

    /// Connects a node, in place of an earlier life of it.
    #[must_use]
    pub fn attach(&self, node: u64, life: u64, runtime: Runtime, handler: Arc<dyn Handler>) -> Arc<dyn Transport> {
        let id = PeerId(node);
        let link = Link { id, life, runtime: runtime.clone(), shared: self.shared.clone(), removed: Mutex::default() };
        self.shared.state.lock().nodes.insert(id, Member { handler, runtime, life });
        Arc::new(link)
    }

    /// Disconnects a node that died.
    pub fn detach(&self, node: u64) {
        self.shared.state.lock().nodes.remove(&PeerId(node));
    }

    /// Changes the weather from one node to another.
    pub fn set(&self, from: u64, to: u64, change: impl FnOnce(&mut Weather)) {
        change(self.shared.state.lock().weather.entry((PeerId(from), PeerId(to))).or_default());
    }

    /// Fair weather everywhere.
    pub fn heal(&self) {
        self.shared.state.lock().weather.clear();
    }

    /// Resolves when, after `left` others, a step of the commit protocol passes this side of a node.
    pub fn step(&self, node: u64, side: Side, left: u32) -> oneshot::Receiver<()> {
        self.shared.state.lock().trips.wait(PeerId(node), side, left)
    }

    /// Messages, calls and chunks sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.shared.state.lock().sent
    }
}

impl State {
    fn weather(&self, from: PeerId, to: PeerId) -> Weather {
        self.weather.get(&(from, to)).copied().unwrap_or_default()
    }

    /// Decides what becomes of something sent now. `reliable`: losses are repaired by the transport, and cost time.
    fn route(&mut self, from: PeerId, to: PeerId, reliable: bool) -> Result<Arrival, Loss> {
        self.sent += 1;
        let weather = self.weather(from, to);
        let Some(member) = self.nodes.get(&to).cloned() else { return Err(Loss::Unreachable) };
        if weather.cut {
            return Err(if self.rng.random_bool(0.5) { Loss::Unreachable } else { Loss::Silent });
        }
        let mut delay = Duration::from_micros(self.rng.random_range(DELAY_US)) + weather.slow;
        if weather.loss > 0.0 && self.rng.random_bool(weather.loss) {
            if !reliable {
                return Err(Loss::Silent);
            }
            delay += Duration::from_millis(self.rng.random_range(20..200));
        }
        let overtakes = weather.reorder > 0.0 && self.rng.random_bool(weather.reorder);
        if overtakes {
            delay += Duration::from_millis(self.rng.random_range(0..500));
        }
        let mut at = Instant::now() + delay;
        if !overtakes {
            let last = self.last.entry((from, to)).or_insert(at);
            at = at.max(*last);
            *last = at;
        }
        let twice = weather.duplicates > 0.0 && self.rng.random_bool(weather.duplicates);
        let again = twice.then(|| at + Duration::from_millis(self.rng.random_range(0..300)));
        Ok(Arrival { to: member, at, again })
    }
}

impl Shared {
    fn passes(&self, node: PeerId, side: Side, request: &Message) {
        self.state.lock().trips.passes(node, side, request);
    }

    /// Whether something on its way may still arrive: the link was not cut meanwhile, the receiver is the same process.
    fn arrives(&self, from: PeerId, to: PeerId, life: u64) -> bool {
        let state = self.state.lock();
        !state.weather(from, to).cut && state.nodes.get(&to).is_some_and(|member| member.life == life)
    }
}

async fn until(at: Instant) {
    tokio::time::sleep_until(at).await;
}

struct Link {
    id: PeerId,
    life: u64,
    runtime: Runtime,
    shared: Arc<Shared>,
    /// Peers taken out with `remove_peer`.
    removed: Mutex<BTreeSet<PeerId>>,
}

impl Link {
    /// Whether this is still the node's own life.
    fn is_open(&self) -> bool {
        self.shared.state.lock().nodes.get(&self.id).is_some_and(|member| member.life == self.life)
    }

    fn route(&self, to: PeerId, reliable: bool) -> Result<Arrival, Loss> {
        if self.removed.lock().contains(&to) || !self.is_open() {
            return Err(Loss::Unreachable);
        }
        self.shared.state.lock().route(self.id, to, reliable)
    }

    fn deliver(&self, to: PeerId, message: Message, arrival: &Arrival, at: Instant) {
        let (from, shared, life) = (self.id, self.shared.clone(), arrival.to.life);
        let handler = arrival.to.handler.clone();
        drop(arrival.to.runtime.spawn(async move {
            until(at).await;
            if shared.arrives(from, to, life) {
                shared
                    .trace
                    .event("message", [from.0, to.0], &message.payload, || story("message", from, to, &message));
                handler.on_message(from, message);
            }
        }));
    }

    /// Runs `on_call` at the receiver and brings its answer back; `reply` is dropped if either way is lost.
    fn ask(&self, to: PeerId, message: Message, arrival: &Arrival, at: Instant, reply: oneshot::Sender<Bytes>) {
        let (from, shared, life) = (self.id, self.shared.clone(), arrival.to.life);
        let (handler, caller) = (arrival.to.handler.clone(), self.runtime.clone());
        drop(arrival.to.runtime.spawn(async move {
            until(at).await;
            if !shared.arrives(from, to, life) {
                return;
            }
            shared.trace.event("call", [from.0, to.0], &message.payload, || story("call", from, to, &message));
            let question = message.clone();
            shared.passes(to, Side::Receives, &question);
            let answer = handler.on_call(from, message).await;
            shared.spoken.answers(to, &question, &answer);
            shared.passes(to, Side::Answers, &question);
            let back = shared.state.lock().route(to, from, true);
            let Ok(back) = back else { return };
            drop(caller.spawn(async move {
                until(back.at).await;
                if shared.arrives(to, from, back.to.life) {
                    shared.passes(from, Side::Hears, &question);
                    let kind = question.kind;
                    let message = Message { kind, payload: answer };
                    shared
                        .trace
                        .event("answer", [to.0, from.0], &message.payload, || story("answer", to, from, &message));
                    // A caller whose deadline has passed is gone.
                    drop(reply.send(message.payload));
                }
            }));
        }));
    }
}

fn story(what: &str, from: PeerId, to: PeerId, message: &Message) -> String {
    format!("n{from} ─► n{to}  {what:<8} {}", super::story::describe(what, message))
}

#[async_trait]
impl Transport for Link {
    fn send(&self, to: PeerId, message: Message) {
        self.shared.spoken.says(self.id, &message);
        let Ok(arrival) = self.route(to, false) else {
            return self.shared.trace.note(|| format!("n{} ─✕ n{to}  message lost", self.id));
        };
        if let Some(again) = arrival.again {
            self.deliver(to, message.clone(), &arrival, again);
        }
        self.deliver(to, message, &arrival, arrival.at);
    }

    async fn call(&self, to: PeerId, message: Message, deadline: Duration) -> Result<Bytes, NetError> {
        self.shared.passes(self.id, Side::Sends, &message);
        let (reply, answer) = oneshot::channel();
        match self.route(to, true) {
            Err(Loss::Unreachable) => {
                // Even to find that out takes a moment; who tries again without a pause gets nowhere.
                self.runtime.sleep(Duration::from_millis(1)).await;
                return Err(NetError::Unreachable { peer: to });
            }
            Err(Loss::Silent) => {
                self.runtime.sleep(deadline).await;
                return Err(NetError::Deadline);
            }
            Ok(arrival) => {
                if let Some(again) = arrival.again {
                    let (nobody, _) = oneshot::channel();
                    self.ask(to, message.clone(), &arrival, again, nobody);
                }
                self.ask(to, message, &arrival, arrival.at, reply);
            }
        }
        match self.runtime.timeout(deadline, answer).await {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(_)) => Err(NetError::Lost { peer: to }),
            None => Err(NetError::Deadline),
        }
    }

    async fn send_bulk(
        &self,
        to: PeerId,
        kind: u16,
        header: Bytes,
        chunks: &mut dyn ChunkSource,
    ) -> Result<Bytes, NetError> {
        let lost = NetError::Lost { peer: to };
        let Ok(arrival) = self.route(to, true) else { return Err(lost) };
        let (from, shared, life) = (self.id, self.shared.clone(), arrival.to.life);
        let (handler, caller) = (arrival.to.handler.clone(), self.runtime.clone());
        let (sender, receiver) = mpsc::channel(1);
        let (reply, answer) = oneshot::channel();
        drop(arrival.to.runtime.spawn(async move {
            until(arrival.at).await;
            let mut received = Received { chunks: receiver, from };
            shared.trace.event("bulk", [from.0, to.0], &[], || format!("n{from} ─► n{to}  bulk     kind {kind:#06x}"));
            let answer = handler.on_bulk(from, kind, header, &mut received).await;
            let Ok(back) = shared.state.lock().route(to, from, true) else { return };
            drop(caller.spawn(async move {
                until(back.at).await;
                if shared.arrives(to, from, back.to.life) {
                    drop(reply.send(answer));
                }
            }));
        }));
        loop {
            let chunk = chunks.next().await?;
            let Ok(arrival) = self.route(to, true) else { return Err(lost) };
            until(arrival.at).await;
            if !self.shared.arrives(from, to, life) {
                return Err(lost);
            }
            let last = chunk.is_none();
            // A receiver that has heard enough no longer listens; its answer tells why.
            if sender.send(chunk).await.is_err() || last {
                break;
            }
        }
        drop(sender);
        answer.await.map_err(|_| lost)
    }

    fn set_peer(&self, peer: PeerId, _: Vec<SocketAddr>) {
        self.removed.lock().remove(&peer);
    }

    fn remove_peer(&self, peer: PeerId) {
        self.removed.lock().insert(peer);
    }

    fn reachable(&self) -> Vec<(PeerId, bool)> {
        let state = self.shared.state.lock();
        let removed = self.removed.lock();
        let ways = |peer: PeerId| !state.weather(self.id, peer).cut && !state.weather(peer, self.id).cut;
        let others = state.nodes.keys().filter(|peer| **peer != self.id && !removed.contains(peer));
        others.map(|peer| (*peer, ways(*peer))).collect()
    }

    fn round_trip(&self, peer: PeerId) -> Option<Duration> {
        let state = self.shared.state.lock();
        let cut = state.weather(self.id, peer).cut || state.weather(peer, self.id).cut;
        (state.nodes.contains_key(&peer) && !cut).then_some(Duration::from_millis(1))
    }

    fn local_addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, u16::try_from(self.id.0).unwrap_or(u16::MAX)).into()
    }

    async fn close(&self) {
        let mut state = self.shared.state.lock();
        if state.nodes.get(&self.id).is_some_and(|member| member.life == self.life) {
            state.nodes.remove(&self.id);
        }
    }
}

struct Received {
    chunks: mpsc::Receiver<Option<Bytes>>,
    from: PeerId,
}

#[async_trait]
impl ChunkSource for Received {
    async fn next(&mut self) -> Result<Option<Bytes>, NetError> {
        self.chunks.recv().await.ok_or(NetError::Lost { peer: self.from })
    }
}
