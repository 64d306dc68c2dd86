//! The world that the tests run in: nodes on a hub, each with a store that is driven by a task.

use crate::api::{Base, Prepare, Request, Write};
use crate::commit::choose_acceptors;
use crate::participant::Participants;
use crate::router::Server;
use crate::{Client, Setup, Transaction, TxnId, TxnOptions};
use async_trait::async_trait;
use bytes::Bytes;
use quorate_net::runtime::JoinHandle;
use quorate_net::{ChunkStream, Handler, Hub, Message, PeerId, Runtime, Transport};
use quorate_storage::engine::MemoryEngine;
use quorate_storage::log::MemoryLog;
use quorate_storage::store::driver::{self, Inbox};
use quorate_storage::store::{Applier, Event, Opened, RaftMessage, Store, StoreSettings};
use quorate_storage::{
    NodeId, RangeDescriptor, RangeId, ReplicaDescriptor, ReplicaId, ReplicaRole, Span, StoreHandle, codec,
};
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

const RAFT: u16 = 1;

pub struct World {
    pub hub: Hub,
    pub runtime: Runtime,
    pub clients: Vec<Client>,
}

struct Receiver {
    store: StoreHandle,
    server: OnceLock<Server>,
}

#[async_trait]
impl Handler for Receiver {
    fn on_message(&self, from: PeerId, message: Message) {
        let messages: Vec<RaftMessage> = codec::decode(&message.payload).unwrap();
        self.store.try_send(Event::Messages { from: NodeId(from.0), messages });
    }

    async fn on_call(&self, _from: PeerId, message: Message) -> Bytes {
        self.server.get().unwrap().serve(message.kind, &message.payload).await.unwrap()
    }

    async fn on_bulk(&self, _: PeerId, _: u16, _: Bytes, _: &mut dyn ChunkStream) -> Bytes {
        Bytes::new()
    }
}

/// System ranges, then user ranges that begin at 10, 40 and 80; their ids lie above those of later splits. All on the
/// first `nodes` nodes, but the last `apart` of them on one node each, behind those.
fn ranges(nodes: u64, apart: u64) -> Vec<RangeDescriptor> {
    let member = |n: u64| ReplicaDescriptor { node: NodeId(n), replica: ReplicaId(n), role: ReplicaRole::Voter };
    let bounds: [u8; 7] = [0x01, 0x02, 0x03, 0x10, 0x40, 0x80, 0xff];
    bounds
        .windows(2)
        .zip([1, 2, 3, 4, 1_005, 1_006])
        .map(|(bounds, id)| RangeDescriptor {
            id: RangeId(id),
            span: Span::new([bounds[0]], [bounds[1]]),
            generation: 1,
            conf_ver: 1,
            replicas: match [4, 1_005, 1_006].iter().rev().position(|user| *user == id) {
                Some(from_last) if (from_last as u64) < apart => vec![member(nodes + apart - from_last as u64)],
                _ => (1..=nodes).map(member).collect(),
            },
            next_replica: ReplicaId(nodes + apart + 1),
        })
        .collect()
}

impl World {
    /// `nodes` nodes, all ranges on each, all of them led.
    pub async fn new(seed: u64, nodes: u64) -> World {
        World::form(seed, nodes, 0).await
    }

    /// `nodes` nodes that hold all ranges but the last, and one behind them that holds that one alone.
    pub async fn with_a_range_apart(seed: u64, nodes: u64) -> World {
        World::form(seed, nodes, 1).await
    }

    /// A node with the system ranges, and behind it one for each user range.
    pub async fn with_all_ranges_apart(seed: u64) -> World {
        World::form(seed, 1, 3).await
    }

    /// Cuts a node off from all others.
    pub fn cut_off(&self, node: u64) {
        for other in (1..=self.clients.len() as u64).filter(|other| *other != node) {
            self.hub.disconnect(PeerId(node), PeerId(other));
        }
    }

    async fn form(seed: u64, nodes: u64, apart: u64) -> World {
        let runtime = Runtime::seeded(seed);
        let hub = Hub::new(runtime.clone());
        let all = 1..=nodes + apart;
        let ranges = ranges(nodes, apart);
        let clients: Vec<_> = all.map(|node| start(&hub, &runtime, NodeId(node), &ranges, seed)).collect();
        // There is no directory that knows them.
        for client in &clients {
            client.router().learn(ranges.clone());
        }
        let world = World { hub, runtime, clients };
        for range in 0..3 {
            assert_eq!(world.value(&key(range, "")).await, None);
        }
        world
    }

    /// Cuts one node after the other off from the rest, each for a few seconds.
    pub fn cut_off_in_turn(&self) -> JoinHandle<()> {
        let (hub, runtime, count) = (self.hub.clone(), self.runtime.clone(), self.clients.len() as u64);
        self.runtime.spawn(async move {
            for node in (1..=count).cycle() {
                runtime.sleep(Duration::from_millis(20 + runtime.random_u64() % 500)).await;
                for other in (1..=count).filter(|other| *other != node) {
                    hub.disconnect(PeerId(node), PeerId(other));
                }
                runtime.sleep(Duration::from_millis(1_500 + runtime.random_u64() % 4_000)).await;
                hub.heal();
            }
        })
    }

    pub async fn begin(&self) -> Transaction {
        self.clients[0].begin(TxnOptions::default()).await.unwrap()
    }

    pub async fn value(&self, key: &[u8]) -> Option<Bytes> {
        self.begin().await.get(key, None).await.unwrap()
    }

    /// Commits these values in one transaction.
    pub async fn write(&self, pairs: &[(&[u8], &str)]) -> crate::Committed {
        let mut txn = self.begin().await;
        for (key, value) in pairs {
            txn.put(key.to_vec(), value.as_bytes().to_vec());
        }
        txn.commit().await.unwrap()
    }
}

fn start(hub: &Hub, runtime: &Runtime, node: NodeId, ranges: &[RangeDescriptor], seed: u64) -> Client {
    let engine = Arc::new(MemoryEngine::new());
    let settings = StoreSettings { seed, ..StoreSettings::default() };
    let opened = Store::open(node, engine.clone(), Arc::new(MemoryLog::new()), settings).unwrap();
    let Opened { mut store, applier, inbox, handle } = opened;
    let own = |range: &&RangeDescriptor| range.replicas.iter().any(|replica| replica.node == node);
    store.bootstrap(&ranges.iter().filter(own).cloned().collect::<Vec<_>>()).unwrap();
    let receiver = Arc::new(Receiver { store: handle.clone(), server: OnceLock::new() });
    let transport = hub.join(PeerId(node.0), receiver.clone());
    let participants = Arc::new(Participants::new(node, engine.clone(), handle.clone(), runtime.clone()));
    let client = Client::new(Setup {
        observer: None,
        node,
        store: handle.clone(),
        engine,
        participants: participants.clone(),
        transport: Some(transport.clone()),
        runtime: runtime.clone(),
    });
    client.connect_participants();
    assert!(receiver.server.set(client.server().clone()).is_ok());
    runtime.spawn(drive(store, applier, inbox, transport, participants.clone()));
    runtime.spawn(async move { participants.run().await });
    let ticking = runtime.clone();
    runtime.spawn(async move {
        loop {
            ticking.sleep(Duration::from_millis(50)).await;
            handle.try_send(Event::Tick);
        }
    });
    client
}

async fn drive(
    mut store: Store,
    mut applier: Applier,
    mut inbox: Inbox,
    transport: Arc<dyn Transport>,
    participants: Arc<Participants>,
) {
    loop {
        let effects = driver::step(&mut store, &mut applier, inbox.drain()).unwrap();
        for (to, messages) in effects.messages {
            transport.send(PeerId(to.0), Message { kind: RAFT, payload: codec::encode(&messages).into() });
        }
        for change in effects.roles {
            participants.on_role(change.range);
        }
        inbox.ready().await;
    }
}

/// A key in the user range number `range` (0..3).
pub fn key(range: usize, name: &str) -> Vec<u8> {
    [&[[0x10u8, 0x40, 0x80][range]], name.as_bytes()].concat()
}

/// Polls `future` `polls` times; its output, if it has ended.
pub async fn poll_some<F: Future>(future: &mut std::pin::Pin<&mut F>, mut polls: usize) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The request for the vote of one of `participants`, which are all acceptors, in a transaction that writes "new" there;
/// `fast`: the commit ID, if it is to commit in one round.
pub fn vote(txn: &Transaction, participants: &[Vec<u8>], at: usize, fast: Option<TxnId>) -> Request {
    let part_key = participants[at].clone();
    let prepare = Prepare {
        meta: txn.meta(),
        part_key: part_key.clone(),
        commit_id: fast.unwrap_or_default(),
        writes: vec![Write { key: part_key, value: Some(b"new".to_vec()), base: Base::Any }],
        reads: Vec::new(),
        participants: participants.to_vec(),
        acceptors: if fast.is_some() { Vec::new() } else { choose_acceptors(participants, None) },
        foreign_reads: false,
        catalog_id: None,
        token: None,
        held: None,
    };
    if fast.is_some() { Request::PrepareFast(prepare) } else { Request::CanCommit(prepare) }
}
