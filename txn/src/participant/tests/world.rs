//! A few nodes with real stores in memory, driven inline by one task; an oracle that counts.

use crate::api::{Base, Prepare, RangeRequest, Read, ReadResult, RecordKey, Reply, Request, TxnMeta, Write};
use crate::oracle::CommitIds;
use crate::participant::{Ended, Ids, Participant, Participants, Resolver};
use crate::record::Plan;
use crate::{Attempt, StartId, TxnId};
use async_trait::async_trait;
use parking_lot::Mutex;
use quorate_net::runtime::Runtime;
use quorate_storage::engine::MemoryEngine;
use quorate_storage::log::MemoryLog;
use quorate_storage::store::{Event, Opened, Store, StoreSettings, driver};
use quorate_storage::{Engine, NodeId, RangeDescriptor, RangeId, ReplicaDescriptor, ReplicaId, ReplicaRole, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Keys from 10 to 80, and from 80 on.
pub const LEFT: RangeId = RangeId(4);
pub const RIGHT: RangeId = RangeId(5);

/// The oracle, and the recovery that was asked for.
#[derive(Default)]
pub struct Seam {
    next: AtomicU64,
    /// Who holds it keeps commit IDs from being drawn by participants.
    pub drawing: tokio::sync::Mutex<()>,
    /// The newest change of the catalog.
    pub catalog_id: AtomicU64,
    pub terminated: Mutex<Vec<RecordKey>>,
    /// Records elsewhere that are said to need no more questions.
    pub ended: Mutex<Vec<RecordKey>>,
}

#[async_trait]
impl Ids for Seam {
    async fn newest_id(&self) -> Option<TxnId> {
        Some(TxnId(self.next.load(Ordering::SeqCst)))
    }

    async fn commit_ids(&self, _above: TxnId) -> Option<CommitIds> {
        let _turn = self.drawing.lock().await;
        let commit_id = TxnId(self.next.fetch_add(1, Ordering::SeqCst) + 1);
        Some(CommitIds { commit_id, catalog_id: TxnId(self.catalog_id.load(Ordering::SeqCst)) })
    }

    async fn advance_to(&self, above: TxnId) -> bool {
        self.next.fetch_max(above.0, Ordering::SeqCst);
        true
    }
}

#[async_trait]
impl Resolver for Seam {
    async fn terminate(&self, record: RecordKey, plan: Plan) -> Ended {
        self.terminated.lock().push(record);
        if plan.held.is_some() { Ended::Held } else { Ended::Perhaps }
    }

    async fn ended(&self, records: Vec<RecordKey>) -> Vec<bool> {
        records.iter().map(|record| self.ended.lock().contains(record)).collect()
    }
}

pub struct Node {
    pub id: NodeId,
    pub engine: Arc<dyn Engine>,
    pub participants: Arc<Participants>,
}

pub struct World {
    pub nodes: Vec<Node>,
    pub seam: Arc<Seam>,
    pub runtime: Runtime,
    /// Nodes that hear and say nothing.
    pub cut: Arc<Mutex<BTreeSet<NodeId>>>,
    /// How many Raft messages left.
    pub sent: Arc<AtomicU64>,
}

impl World {
    /// `count` nodes that all hold both ranges; node 1 leads if it is alone.
    pub async fn new(count: u64) -> World {
        World::form(count, true).await
    }

    /// The same without leases: every new ID that is read costs a round.
    pub async fn by_rounds(count: u64) -> World {
        World::form(count, false).await
    }

    async fn form(count: u64, leases: bool) -> World {
        let runtime = Runtime::seeded(1);
        let seam = Arc::new(Seam::default());
        let cut = Arc::new(Mutex::new(BTreeSet::new()));
        let sent = Arc::new(AtomicU64::new(0));
        let mut nodes = Vec::new();
        let mut stores = BTreeMap::new();
        for id in 1..=count {
            let (node, opened) = open(NodeId(id), count, leases, &runtime);
            let resolver: Arc<dyn Resolver> = seam.clone();
            let ids: Arc<dyn Ids> = seam.clone();
            node.participants.connect(Arc::downgrade(&resolver), Arc::downgrade(&ids));
            stores.insert(node.id, (opened, node.participants.clone()));
            nodes.push(node);
        }
        seam.next.store(10, Ordering::SeqCst);
        tokio::spawn(drive(stores, cut.clone(), sent.clone()));
        let world = World { nodes, seam, runtime, cut, sent };
        for range in [LEFT, RIGHT] {
            world.leader(range).await;
        }
        world
    }

    /// Until a node's participant of the range is ready.
    pub async fn leader(&self, range: RangeId) -> Arc<Participant> {
        for _ in 0..1000 {
            let ready = |node: &Node| node.participants.get(range).filter(|participant| participant.is_ready());
            let live = self.nodes.iter().filter(|node| !self.cut.lock().contains(&node.id));
            if let Some(leader) = live.filter_map(ready).max_by_key(|leader| leader.term()) {
                return leader;
            }
            self.runtime.sleep(Duration::from_millis(10)).await;
        }
        panic!("{range} has no leader");
    }

    /// The oracle's newest ID.
    pub fn read_id(&self) -> TxnId {
        TxnId(self.seam.next.load(Ordering::SeqCst))
    }

    /// A new ID.
    pub fn commit_id(&self) -> TxnId {
        TxnId(self.seam.next.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// A transaction that begins now; `counter` is its age too.
    pub fn begin(&self, counter: u64) -> TxnMeta {
        let attempt = Attempt { gateway: 1, incarnation: 1, counter, birth: self.read_id() };
        TxnMeta { attempt, start: StartId { read_id: TxnId(counter), first: attempt }, read_id: self.read_id() }
    }

    pub async fn ask(&self, range: RangeId, request: Request) -> Reply {
        let leader = self.leader(range).await;
        leader.handle(RangeRequest { range, generation: leader.generation(), request }).await
    }

    /// As [`World::ask`], in the background.
    pub async fn start(&self, range: RangeId, request: Request) -> tokio::task::JoinHandle<Reply> {
        let leader = self.leader(range).await;
        let request = RangeRequest { range, generation: leader.generation(), request };
        let handle = tokio::spawn(async move { leader.handle(request).await });
        self.pause(5).await;
        handle
    }

    pub async fn pause(&self, milliseconds: u64) {
        self.runtime.sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Commits `key = value` as a transaction of its own.
    pub async fn put(&self, range: RangeId, key: u8, value: &str) -> TxnId {
        let mut prepare = prepare(self.begin(u64::MAX / 2 + u64::from(key)), key, value);
        prepare.meta.attempt.counter += self.read_id().0 << 10;
        prepare.commit_id = self.commit_id();
        prepare.writes[0].base = Base::Any;
        let commit_id = prepare.commit_id;
        assert_eq!(committed(self.ask(range, Request::CommitOne(prepare)).await), commit_id);
        commit_id
    }
}

impl Participant {
    /// Latches a key, as a write under way does.
    pub(super) fn hold_latch(&self, key: &[u8]) {
        let latch = crate::lock::Latch { attempt: Attempt::default(), at: TxnId(u64::MAX) };
        self.state.lock().latches.take(key.to_vec(), latch);
    }

    pub(super) fn drop_latch(&self, key: &[u8]) {
        self.state.lock().unlatch(vec![key.to_vec()], None);
    }

    pub(super) fn generation(&self) -> u64 {
        self.store.view(self.range).unwrap().descriptor.generation
    }
}

/// The commit ID of a commit in one range.
#[track_caller]
pub fn committed(reply: Reply) -> TxnId {
    match reply {
        Reply::Committed { commit_id, .. } => commit_id,
        other => panic!("not committed: {other:?}"),
    }
}

pub fn record(prepare: &Prepare) -> RecordKey {
    RecordKey { part_key: prepare.part_key.clone(), attempt: prepare.meta.attempt }
}

/// A prepare that writes one key, read at the transaction's S.
pub fn prepare(meta: TxnMeta, key: u8, value: &str) -> Prepare {
    let write = Write { key: vec![key], value: Some(value.as_bytes().to_vec()), base: Base::NotAfter(meta.read_id) };
    Prepare {
        meta,
        part_key: vec![key],
        commit_id: TxnId(0),
        writes: vec![write],
        reads: Vec::new(),
        participants: vec![vec![key]],
        acceptors: vec![vec![key]],
        foreign_reads: false,
        catalog_id: None,
        token: None,
        held: None,
    }
}

pub fn get(meta: TxnMeta, key: u8) -> Request {
    Request::Read { meta, reads: vec![Read::Get { key: vec![key] }], lock: None }
}

pub fn rows(value: Option<&str>, newest: Option<TxnId>) -> Reply {
    let value = value.map(|value| value.as_bytes().to_vec().into());
    Reply::Rows { results: vec![ReadResult::Value(value)], newest, drawn: None }
}

/// As [`rows`], of a read that waited for a lock: with the ID that was drawn for it.
pub fn rows_after_waiting(value: &str, newest: TxnId, drawn: u64) -> Reply {
    let drawn = CommitIds { commit_id: TxnId(drawn), catalog_id: TxnId(0) };
    let value = Some(value.as_bytes().to_vec().into());
    Reply::Rows { results: vec![ReadResult::Value(value)], newest: Some(newest), drawn: Some(drawn) }
}

fn descriptor(id: RangeId, start: u8, end: u8, nodes: u64) -> RangeDescriptor {
    let replica = |node| ReplicaDescriptor { node: NodeId(node), replica: ReplicaId(node), role: ReplicaRole::Voter };
    RangeDescriptor {
        id,
        span: Span::new([start], [end]),
        generation: 1,
        conf_ver: 1,
        replicas: (1..=nodes).map(replica).collect(),
        next_replica: ReplicaId(nodes + 1),
    }
}

fn open(id: NodeId, nodes: u64, leases: bool, runtime: &Runtime) -> (Node, Opened) {
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let settings = StoreSettings { seed: 7, heartbeat_ticks: 1, election_ticks: 4, leases, ..StoreSettings::default() };
    let mut opened = Store::open(id, engine.clone(), Arc::new(MemoryLog::new()), settings).unwrap();
    opened.store.bootstrap(&[descriptor(LEFT, 0x10, 0x80, nodes), descriptor(RIGHT, 0x80, 0xff, nodes)]).unwrap();
    let store = opened.handle.clone();
    let participants = Arc::new(Participants::new(id, engine.clone(), store, runtime.clone()));
    (Node { id, engine, participants }, opened)
}

/// Drives all stores for ever: a round every millisecond, a tick every ten.
async fn drive(
    mut stores: BTreeMap<NodeId, (Opened, Arc<Participants>)>,
    cut: Arc<Mutex<BTreeSet<NodeId>>>,
    count: Arc<AtomicU64>,
) {
    for (_, participants) in stores.values() {
        let participants = participants.clone();
        tokio::spawn(async move { participants.run().await });
    }
    let mut mail: Vec<(NodeId, Event)> = Vec::new();
    for round in 0u64.. {
        let mut sent = Vec::new();
        for (id, (opened, participants)) in &mut stores {
            let mut events = opened.inbox.drain();
            if round % 10 == 0 {
                events.push(Event::Tick);
            }
            let (own, others) = std::mem::take(&mut mail).into_iter().partition(|(to, _)| to == id);
            mail = others;
            let own: Vec<(NodeId, Event)> = own;
            events.extend(own.into_iter().map(|(_, event)| event));
            let effects = driver::step(&mut opened.store, &mut opened.applier, events).unwrap();
            for (to, messages) in effects.messages {
                count.fetch_add(1, Ordering::SeqCst);
                if !cut.lock().contains(id) && !cut.lock().contains(&to) {
                    sent.push((to, Event::Messages { from: *id, messages }));
                }
            }
            for change in effects.roles {
                participants.on_role(change.range);
            }
        }
        mail.extend(sent);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
