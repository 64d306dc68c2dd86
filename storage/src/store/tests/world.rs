//! The world that the tests run in. Every node has an engine and a log that can crash; envelopes wait in a queue until
//! the test delivers them; applying may lag behind.

use crate::engine::{Engine, MemoryEngine};
use crate::log::MemoryLog;
use crate::range::image::{ImageReader, ImageWriter};
use crate::range::{Admin, MemberChange, ReplicaChange};
use crate::store::event::*;
use crate::store::{Applier, Opened, RaftMessage, Role, Store, StoreHandle, StoreSettings};
use crate::{
    Command, Keyspace, NodeId, Op, Outcome, RangeDescriptor, RangeId, ReplicaDescriptor, ReplicaId, ReplicaRole, Span,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::sync::oneshot::{Receiver, channel};

pub const R: RangeId = RangeId(4);

pub fn settings() -> StoreSettings {
    StoreSettings { checkpoint_bytes: 1 << 20, keep_entries: 0, ..StoreSettings::default() }
}

pub fn descriptor(nodes: &[u64]) -> RangeDescriptor {
    let member = |n: &u64| ReplicaDescriptor { node: NodeId(*n), replica: ReplicaId(*n), role: ReplicaRole::Voter };
    RangeDescriptor {
        id: R,
        span: Span::new([0x10], [0xff]),
        generation: 1,
        conf_ver: 1,
        replicas: nodes.iter().map(member).collect(),
        next_replica: ReplicaId(nodes.iter().max().map_or(1, |n| n + 1)),
    }
}

pub fn key(text: &str) -> Vec<u8> {
    [&[0x10], text.as_bytes()].concat()
}

pub fn put(name: &str, value: &str) -> Op {
    Op::Put { keyspace: Keyspace::Data, key: key(name), value: value.into() }
}

pub struct Node {
    pub store: Store,
    pub applier: Applier,
    pub handle: StoreHandle,
    pub engine: Arc<MemoryEngine>,
    pub log: Arc<MemoryLog>,
    /// Work that the applier has not got to.
    pub tasks: VecDeque<Vec<ApplyTask>>,
    /// Every role change seen, oldest first.
    pub roles: Vec<RoleChange>,
    pub removed: Vec<RangeId>,
}

impl Node {
    pub fn open(id: NodeId, engine: MemoryEngine, log: MemoryLog, settings: StoreSettings) -> Node {
        let (engine, log) = (Arc::new(engine), Arc::new(log));
        let Opened { store, applier, handle, .. } = Store::open(id, engine.clone(), log.clone(), settings).unwrap();
        let (tasks, roles, removed) = (VecDeque::new(), Vec::new(), Vec::new());
        Node { store, applier, handle, engine, log, tasks, roles, removed }
    }

    pub fn apply_one(&mut self) -> bool {
        let Some(tasks) = self.tasks.pop_front() else {
            return false;
        };
        let results = self.applier.apply(tasks).unwrap();
        self.store.on_results(results);
        true
    }

    pub fn data(&self, span: &Span) -> Vec<(Keyspace, Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        for keyspace in Keyspace::BY_KEY {
            for pair in self.engine.scan(keyspace, &span.in_keyspace(keyspace)) {
                let (key, value) = pair.unwrap();
                found.push((keyspace, key.to_vec(), value.to_vec()));
            }
        }
        found
    }
}

pub enum Parcel {
    Raft(Vec<RaftMessage>),
    Image(ImageRequest),
}

pub struct World {
    pub nodes: BTreeMap<NodeId, Node>,
    pub queue: VecDeque<(NodeId, NodeId, Parcel)>,
    /// Nodes whose traffic is lost.
    pub cut: BTreeSet<NodeId>,
    pub settings: StoreSettings,
    seed: u64,
}

impl World {
    /// A range on the first `members` of `count` nodes.
    pub fn new(count: u64, members: &[u64], settings: StoreSettings) -> World {
        let seed = settings.seed;
        let mut world = World { nodes: BTreeMap::new(), queue: VecDeque::new(), cut: BTreeSet::new(), settings, seed };
        for id in (1..=count).map(NodeId) {
            let mut node = Node::open(id, MemoryEngine::with_crashes(), MemoryLog::new(), world.settings.clone());
            node.store.bootstrap(&[descriptor(members)]).unwrap();
            world.nodes.insert(id, node);
        }
        world
    }

    /// The next number of the world's generator (xorshift64*).
    pub fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.seed;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % below
    }

    pub fn node(&mut self, id: u64) -> &mut Node {
        self.nodes.get_mut(&NodeId(id)).unwrap()
    }

    /// Gives events to a node and lets it process them; applying is left for later.
    pub fn give(&mut self, id: NodeId, events: Vec<Event>) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let mut effects = Effects::default();
        events.into_iter().for_each(|event| node.store.handle(event));
        let tasks = node.store.process(&mut effects).unwrap();
        if !tasks.is_empty() {
            node.tasks.push_back(tasks);
        }
        node.roles.extend(effects.roles);
        node.removed.extend(effects.removed);
        for (to, messages) in effects.messages {
            self.queue.push_back((id, to, Parcel::Raft(messages)));
        }
        for request in effects.images_wanted {
            self.queue.push_back((id, request.node, Parcel::Image(request)));
        }
    }

    /// Delivers the oldest parcel; `false` if there is none.
    pub fn deliver(&mut self) -> bool {
        let Some((from, to, parcel)) = self.queue.pop_front() else {
            return false;
        };
        let lost = self.cut.contains(&from) || self.cut.contains(&to) || !self.nodes.contains_key(&to);
        match parcel {
            Parcel::Raft(messages) if !lost => {
                let messages = messages.iter().map(|m| crate::codec::decode(&crate::codec::encode(m)).unwrap());
                self.give(to, vec![Event::Messages { from, messages: messages.collect() }]);
            }
            Parcel::Raft(_) => self.give(from, vec![Event::Unreachable { node: to }]),
            Parcel::Image(request) => {
                let ok = !lost && self.send_image(from, &request);
                self.give(from, vec![Event::ImageSent { range: request.range, to: request.to, ok }]);
            }
        }
        true
    }

    fn send_image(&mut self, from: NodeId, request: &ImageRequest) -> bool {
        let Some(sender) = self.nodes.get(&from) else {
            return false;
        };
        let opened = ImageReader::open(sender.engine.view(), request.range, request.from, request.to, request.term);
        let Some(mut reader) = opened.unwrap() else {
            return false;
        };
        let mut writer = ImageWriter::new(64 << 20);
        while let Some(chunk) = reader.next_chunk().unwrap() {
            let begins = writer.header().is_none();
            let image = writer.push(&chunk).unwrap();
            if let Some(header) = writer.header().filter(|_| begins) {
                let (reply, mut answer) = channel();
                self.give(request.node, vec![Event::ImageOffered { header: Box::new(header.clone()), reply }]);
                if !answer.try_recv().unwrap() {
                    return false;
                }
            }
            if let Some(image) = image {
                let (reply, mut answer) = channel();
                self.give(request.node, vec![Event::ImageArrived { image: Box::new(image), reply }]);
                return answer.try_recv().unwrap();
            }
        }
        panic!("an image ended without its end");
    }

    /// Loses a parcel; the sender of an image is told.
    pub fn lose(&mut self, from: NodeId, parcel: Parcel) {
        if let Parcel::Image(request) = parcel {
            self.give(from, vec![Event::ImageSent { range: request.range, to: request.to, ok: false }]);
        }
    }

    /// Loses the oldest parcel.
    pub fn lose_first(&mut self) {
        if let Some((from, _, parcel)) = self.queue.pop_front() {
            self.lose(from, parcel);
        }
    }

    /// Delivers and applies until nothing moves.
    pub fn settle(&mut self) {
        loop {
            let mut moved = self.deliver();
            let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
            for id in ids {
                while self.nodes.get_mut(&id).is_some_and(Node::apply_one) {
                    self.give(id, vec![]);
                    moved = true;
                }
                if self.nodes.get(&id).is_some_and(|node| !node.store.dirty.is_empty()) {
                    self.give(id, vec![]);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    pub fn tick(&mut self, times: usize) {
        for _ in 0..times {
            let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
            ids.into_iter().for_each(|id| self.give(id, vec![Event::Tick]));
            self.settle();
        }
    }

    /// The node that leads `range` with the highest term, if one does.
    pub fn leader(&self, range: RangeId) -> Option<NodeId> {
        let views = self.nodes.iter().filter_map(|(id, node)| Some((*id, node.handle.view(range)?)));
        let leaders = views.filter(|(_, view)| view.role == Role::Leader);
        leaders.max_by_key(|(_, view)| view.term).map(|(id, _)| id)
    }

    /// Ticks until somebody reachable leads `range`.
    pub fn elect(&mut self, range: RangeId) -> NodeId {
        for _ in 0..400 {
            self.settle();
            if let Some(leader) = self.leader(range).filter(|leader| !self.cut.contains(leader)) {
                return leader;
            }
            self.tick(1);
        }
        panic!("nobody leads {range}\n{}", self.dump());
    }

    pub fn command(&self, leader: NodeId, range: RangeId, ops: Vec<Op>) -> Command {
        let view = self.nodes[&leader].handle.view(range).unwrap();
        Command { generation: view.descriptor.generation, term: view.term, guards: vec![], ops, admin: None }
    }

    /// Proposes at `leader`; the answer comes later.
    pub fn start(&mut self, leader: NodeId, range: RangeId, command: Command) -> Receiver<Outcome> {
        let (reply, answer) = channel();
        self.give(leader, vec![Event::Propose { range, command, reply }]);
        answer
    }

    /// Proposes at `leader` and runs until nothing moves.
    pub fn propose(&mut self, leader: NodeId, range: RangeId, command: Command) -> Outcome {
        let mut answer = self.start(leader, range, command);
        self.settle();
        answer.try_recv().unwrap()
    }

    /// Writes at whoever leads; the write must succeed.
    pub fn write(&mut self, range: RangeId, ops: Vec<Op>) {
        let leader = self.elect(range);
        let command = self.command(leader, range, ops);
        let outcome = self.propose(leader, range, command);
        assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    }

    pub fn split(&mut self, at: &str, right: RangeId) -> Outcome {
        let leader = self.elect(R);
        let admin = Some(Admin::Split { key: key(at), right });
        let command = Command { admin, ..self.command(leader, R, vec![]) };
        self.propose(leader, R, command)
    }

    pub fn change(&mut self, changes: &[ReplicaChange]) -> ChangeOutcome {
        let leader = self.elect(R);
        let conf_ver = self.nodes[&leader].handle.view(R).unwrap().descriptor.conf_ver;
        let change = MemberChange { conf_ver, changes: changes.to_vec() };
        let (reply, mut answer) = channel();
        self.give(leader, vec![Event::ChangeReplicas { range: R, change, reply }]);
        self.settle();
        answer.try_recv().unwrap()
    }

    /// Adds a replica on `node`: learner, image, vote.
    pub fn grow(&mut self, node: u64) {
        let added = self.change(&[ReplicaChange::AddLearner(NodeId(node))]);
        assert!(matches!(added, ChangeOutcome::Applied(_)), "{added:?}");
        self.tick(10);
        let promoted = self.change(&[ReplicaChange::Promote(NodeId(node))]);
        assert!(matches!(promoted, ChangeOutcome::Applied(_)), "{promoted:?}");
        self.tick(10);
    }

    /// The process dies: what was not durable is lost, except the first `keep` engine batches.
    pub fn crash(&mut self, id: NodeId, keep: usize) {
        let node = self.nodes.remove(&id).unwrap();
        let engine = node.engine.crash(keep);
        let log = node.log.crash();
        drop(node);
        for _ in 0..self.queue.len() {
            match self.queue.pop_front() {
                Some((from, to, parcel)) if from == id || to == id => self.lose(from, parcel),
                kept => self.queue.extend(kept),
            }
        }
        self.nodes.insert(id, Node::open(id, engine, log, self.settings.clone()));
        self.give(id, vec![]);
    }

    /// Asserts that all initialized replicas of `range` are equal, and how many there are.
    pub fn assert_equal(&mut self, range: RangeId, replicas: usize) {
        self.tick(30);
        let views: Vec<_> = self.nodes.values().filter_map(|node| Some((node, node.handle.view(range)?))).collect();
        assert_eq!(views.len(), replicas, "replicas of {range}\n{}", self.dump());
        let (first, view) = &views[0];
        for (node, other) in &views {
            assert_eq!(other.descriptor, view.descriptor, "{}", self.dump());
            assert_eq!(other.applied, view.applied, "{}", self.dump());
            assert_eq!(node.data(&view.descriptor.span), first.data(&view.descriptor.span));
        }
    }

    /// The state of every group, for a failing test.
    fn dump(&self) -> String {
        let mut lines = Vec::new();
        for (id, node) in &self.nodes {
            let local = crate::range::local::load_all(node.engine.as_ref()).unwrap();
            for (range, state) in local {
                let bounds = crate::log::LogStore::bounds(node.log.as_ref(), range);
                lines.push(format!("{id} {range} {:?} {:?} {bounds:?}", state.replica, state.tombstone));
            }
            for (range, peer) in &node.store.peers {
                let (raft, log) = (&peer.node.raft, &peer.node.raft.raft_log);
                let (replica, state, term) = (peer.replica, raft.state, raft.term);
                let (last, commit, applied) = (log.last_index(), log.committed, log.applied);
                let what = peer.descriptor.as_ref().map(|d| (d.generation, d.conf_ver));
                lines.push(format!(
                    "{id} {range} {replica} {what:?} {state:?} {term} {last} {commit} {applied} {}",
                    peer.is_installing()
                ));
                if peer.lead.is_some() {
                    lines.extend(raft.prs().iter().map(|(id, progress)| format!("    p{id} {progress:?}")));
                }
            }
        }
        lines.join("\n")
    }

    pub fn value(&self, node: NodeId, name: &str) -> Option<String> {
        let value = self.nodes[&node].engine.get(Keyspace::Data, &key(name)).unwrap()?;
        Some(String::from_utf8(value.to_vec()).unwrap())
    }
}
