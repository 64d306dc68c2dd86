//! The store: all replicas of one node, and what each event does to them.
//!
//! Events only change memory; [`Store::process`] then makes it durable and lets effects out. A group that an event
//! touched is in `dirty`; nothing ever scans all groups but a tick.

use super::event::{ApplyResult, ApplyTask, EffectSink, Event, Notice, RangeChange, Results, RoleChange};
use super::lease::Said;
use super::message::{RaftBody, RaftMessage, from_wire};
use super::peer::Peer;
use super::validate::{MAX_NUMBER, Verdict, judge};
use super::{ChangeOutcome, StoreSettings, Views};
use crate::range::local::Position;
use crate::{Engine, Error, LogStore, NodeId, Outcome, RangeDescriptor, RangeId, ReplicaId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Messages kept for a replica that is being created.
const KEPT_MESSAGES: usize = 16;

/// Replicas whose nodes a replica remembers.
const MAX_ADDRESSES: usize = 256;

/// All replicas of one node. Owned by one loop; see the module for what goes in and out.
pub struct Store {
    pub(super) node: NodeId,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) log: Arc<dyn LogStore>,
    pub(super) settings: StoreSettings,
    pub(super) views: Arc<Views>,
    results: Arc<Results>,
    pub(super) peers: BTreeMap<RangeId, Peer>,
    /// Groups that something happened to since the last pass.
    pub(super) dirty: BTreeSet<RangeId>,
    /// Replicas that the applier was asked to create, with the messages that came for them.
    creating: BTreeMap<RangeId, (ReplicaId, Vec<(NodeId, RaftMessage)>)>,
    /// Replicas that the applier is deleting.
    removing: BTreeSet<RangeId>,
    pub(super) tasks: Vec<ApplyTask>,
    /// Messages by destination.
    pub(super) outbox: BTreeMap<NodeId, Vec<RaftMessage>>,
    pub(super) notices: Vec<Notice>,
    /// Why the store stopped.
    stopped: bool,
    serial: u64,
    pub(super) ticks: u64,
    /// Bytes appended to the log since the last checkpoint began.
    pub(super) log_bytes: u64,
    pub(super) checkpointing: bool,
    /// G: no bound above it is acknowledged.
    pub(super) granted: u64,
    /// What every replica may have granted before the store was opened.
    pub(super) restored: u64,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("node", &self.node).field("ranges", &self.peers.len()).finish_non_exhaustive()
    }
}

impl Store {
    pub(super) fn new(
        node: NodeId,
        engine: Arc<dyn Engine>,
        log: Arc<dyn LogStore>,
        settings: StoreSettings,
        (views, results): (Arc<Views>, Arc<Results>),
    ) -> Store {
        Store {
            node,
            engine,
            log,
            settings,
            views,
            results,
            peers: BTreeMap::new(),
            dirty: BTreeSet::new(),
            creating: BTreeMap::new(),
            removing: BTreeSet::new(),
            tasks: Vec::new(),
            outbox: BTreeMap::new(),
            notices: Vec::new(),
            stopped: false,
            serial: 0,
            ticks: 0,
            log_bytes: 0,
            checkpointing: false,
            granted: 0,
            restored: 0,
        }
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Whether the loop should end.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Takes one event. After a failure everything is answered with "stopped".
    pub fn handle(&mut self, event: Event) {
        let results = self.results.take();
        self.on_results(results);
        if self.stopped {
            return;
        }
        match event {
            Event::Propose { range, command, reply } => match self.touch(range) {
                Some(peer) => peer.propose(command, reply),
                None => super::event::answer(reply, Outcome::NotLeader { leader: None }),
            },
            Event::Confirm { range, term, reply } => match self.touch(range) {
                Some(peer) => peer.confirm(term, reply),
                None => super::event::answer(reply, false),
            },
            Event::Messages { from, messages } => {
                messages.into_iter().for_each(|message| self.on_message(from, message));
            }
            Event::Tick => self.on_tick(),
            Event::ChangeReplicas { range, change, reply } => match self.touch(range) {
                Some(peer) => peer.change_replicas(&change, reply),
                None => super::event::answer(reply, ChangeOutcome::NotLeader { leader: None }),
            },
            Event::TransferLeader { range, to } => {
                if let Some(peer) = self.touch(range) {
                    peer.transfer_leader(to);
                }
            }
            Event::Campaign { range } => {
                if let Some(peer) = self.touch(range) {
                    peer.campaign();
                }
            }
            Event::ImageOffered { header, reply } => self.on_image_offered(&header, reply),
            Event::ImageArrived { image, reply } => self.on_image(image, reply),
            Event::ImageSent { range, to, ok } => self.on_image_sent(range, to, ok),
            // It was looked at already.
            Event::Applied => {}
            Event::Unreachable { node } => self.on_unreachable(node),
            Event::Removed { descriptor } => self.on_removed(descriptor),
            Event::Failed(cause) => self.poison(&cause),
            Event::Shutdown => self.stop(),
        }
    }

    /// The peer of a range, marked as dirty; `None` if there is none, or while it takes an image in.
    pub(super) fn touch(&mut self, range: RangeId) -> Option<&mut Peer> {
        let peer = self.peers.get_mut(&range).filter(|peer| !peer.is_installing())?;
        self.dirty.insert(range);
        Some(peer)
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.peers.values().for_each(|peer| peer.grants.lease.end());
        self.peers.clear();
        self.creating.clear();
        self.tasks.clear();
        self.outbox.clear();
    }

    /// Remembers the first failure and answers everybody; nothing durable happens any more.
    pub(super) fn poison(&mut self, error: &Error) {
        self.views.fail(error);
        if !self.stopped {
            tracing::error!(node = %self.node, %error, "the store stops");
        }
        self.stop();
    }

    /// The failure that stopped the store, if one did.
    pub fn failure(&self) -> Option<Error> {
        self.views.failure()
    }

    fn on_tick(&mut self) {
        self.ticks += 1;
        let ticks = self.ticks;
        for (range, peer) in &mut self.peers {
            if peer.tick() {
                self.dirty.insert(*range);
            }
            if peer.hears_nobody() {
                ask_membership(&mut self.outbox, peer, self.node);
            }
            if !peer.images.is_empty() {
                peer.images.retain(|_, pin| pin.until.is_none_or(|until| until > ticks));
            }
        }
    }

    fn on_unreachable(&mut self, node: NodeId) {
        for (range, peer) in &mut self.peers {
            if peer.lead.is_none() || peer.is_installing() {
                continue;
            }
            let found = peer.addresses.iter().find(|(_, at)| **at == node).map(|(replica, _)| *replica);
            if let Some(replica) = found {
                peer.node.report_unreachable(replica.0);
                self.dirty.insert(*range);
            }
        }
    }

    pub(super) fn on_message(&mut self, from: NodeId, message: RaftMessage) {
        let range = message.range;
        if self.removing.contains(&range) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&range) else {
            return self.want_replica(from, message);
        };
        if let RaftBody::Gone { descriptor } = message.body {
            if message.to == peer.replica && descriptor.id == range {
                self.on_removed(descriptor);
            }
            return;
        }
        if message.to > peer.replica && message.to.0 < MAX_NUMBER {
            // Ids grow, and a node holds one replica of a range: a newer one means that ours was removed.
            let smallest = message.to;
            return self.destroy(range, smallest);
        }
        if peer.is_installing() {
            return;
        }
        match judge(peer, from, &message) {
            Verdict::Drop(reason) => tracing::debug!(%range, %from, reason, "message dropped"),
            Verdict::SenderGone => self.tell_gone(from, &message),
            Verdict::Step => self.step(from, message),
        }
    }

    fn step(&mut self, from: NodeId, mut message: RaftMessage) {
        let Some(peer) = self.touch(message.range) else { return };
        if peer.addresses.len() < MAX_ADDRESSES {
            // The sender may be a member since a change that this replica has not applied yet.
            peer.addresses.entry(message.from).or_insert(from);
        }
        if peer.descriptor.is_none() {
            // The leader may remember what this replica held before an image was cut short.
            if let RaftBody::Heartbeat { commit, .. } = &mut message.body {
                *commit = 0;
            }
        }
        let (term, said) = (message.term, Said::by(message.from, &message.body));
        let Some(raft) = from_wire(message) else { return };
        peer.before_step(term, &said);
        if let Err(error) = peer.node.step(raft) {
            tracing::debug!(range = %peer.range, %error, "message refused");
        }
        peer.observe();
        peer.after_step(term, &said);
    }

    /// Tells a removed replica that it is one, if it asks for votes or for this. Only a leader can be sure of it;
    /// others pass the question on, once.
    fn tell_gone(&mut self, from: NodeId, message: &RaftMessage) {
        let Some(peer) = self.peers.get(&message.range) else {
            return;
        };
        let node = match message.body {
            RaftBody::Vote { .. } => from,
            RaftBody::AskMembership { node } => node,
            _ => return,
        };
        let (to, leader) = (message.from, ReplicaId(peer.node.raft.leader_id));
        let (node, to, from, body) = match (&peer.descriptor, peer.leader()) {
            (Some(descriptor), _) if peer.members_settled() => {
                (node, to, peer.replica, RaftBody::Gone { descriptor: descriptor.as_ref().clone() })
            }
            (_, Some(at)) if leader != peer.replica && node == from => {
                (at, leader, to, RaftBody::AskMembership { node })
            }
            _ => return,
        };
        let reply = RaftMessage { range: message.range, to, from, term: peer.term(), body };
        self.outbox.entry(node).or_default().push(reply);
    }

    /// A message for a range that this store does not hold: the applier decides whether a replica may be created.
    fn want_replica(&mut self, from: NodeId, message: RaftMessage) {
        let (range, replica) = (message.range, message.to);
        let invites =
            matches!(message.body, RaftBody::Append { .. } | RaftBody::Heartbeat { .. } | RaftBody::Vote { .. });
        if !invites || !(1..MAX_NUMBER).contains(&replica.0) || message.from.0 == 0 || self.awaits_split(range) {
            return;
        }
        let (wanted, messages) = self.creating.entry(range).or_insert_with(|| {
            self.tasks.push(ApplyTask::Create { range, replica });
            (replica, Vec::new())
        });
        if *wanted == replica && messages.len() < KEPT_MESSAGES {
            messages.push((from, message));
        }
    }

    /// Whether the log holds entries of a range that the engine does not know: the engine lost the split that made it,
    /// and will apply it again. Until then the replica must not vote, for it would deny entries that it acknowledged.
    pub(super) fn awaits_split(&mut self, range: RangeId) -> bool {
        match self.log.bounds(range) {
            Ok(bounds) => bounds.is_some(),
            Err(error) => {
                self.poison(&error);
                true
            }
        }
    }

    fn on_created(&mut self, range: RangeId, replica: Option<ReplicaId>) -> Result<(), Error> {
        let Some((_, messages)) = self.creating.remove(&range) else {
            return Ok(());
        };
        if let (Some(replica), false) = (replica, self.peers.contains_key(&range)) {
            let serial = self.next_serial();
            let (applied, begin) = (Position::default(), Position::default());
            self.insert_peer(super::peer::PeerStart { range, replica, serial, descriptor: None, applied, begin })?;
        }
        if self.peers.contains_key(&range) {
            messages.into_iter().for_each(|(from, message)| self.on_message(from, message));
        }
        Ok(())
    }

    /// Takes note of what the applier did.
    pub(super) fn on_results(&mut self, results: Vec<ApplyResult>) {
        for result in results {
            if !self.stopped {
                self.on_applied(result);
            }
        }
    }

    fn on_applied(&mut self, result: ApplyResult) {
        let done = match result {
            ApplyResult::Entries { range, serial, applied, changes, .. } => {
                self.on_entries(range, serial, applied, changes)
            }
            ApplyResult::Created { range, replica } => self.on_created(range, replica),
            ApplyResult::Installed { range, serial } => self.on_installed(range, serial),
            ApplyResult::Destroyed { range } => self.on_destroyed(range),
            ApplyResult::Checkpointed { durable, pinned } => self.on_checkpointed(durable, &pinned),
        };
        if let Err(error) = done {
            self.poison(&error);
        }
    }

    fn on_entries(
        &mut self,
        range: RangeId,
        serial: u64,
        applied: Position,
        changes: Vec<RangeChange>,
    ) -> Result<(), Error> {
        // The replica may be gone, or taking an image in: what it has split off is here to stay.
        let current = self.peers.get(&range).is_some_and(|peer| peer.serial == serial && !peer.is_installing());
        for change in changes {
            match change {
                RangeChange::Members { index, raft, descriptor } if current => {
                    self.on_members(range, index, &raft, descriptor)?;
                }
                RangeChange::Members { .. } => {}
                RangeChange::Split { left, right } => {
                    let leads = current && self.on_shrunk(range, left);
                    self.on_split_off(right, leads)?;
                }
            }
        }
        let Some(peer) = self.touch(range).filter(|_| current) else { return Ok(()) };
        peer.node.advance_apply_to(applied.index);
        peer.observe();
        if peer.votes_alone() && peer.lead.is_none() {
            peer.campaign();
        }
        Ok(())
    }

    /// A range was cut, this is what is left of it; whether this replica leads it.
    fn on_shrunk(&mut self, range: RangeId, left: Arc<RangeDescriptor>) -> bool {
        let Some(peer) = self.touch(range) else { return false };
        peer.node.skip_bcast_commit(true);
        peer.set_descriptor(left);
        peer.lead.is_some()
    }

    /// The right side of a cut, if this store may hold it: its replica may replace an uninitialized one.
    fn on_split_off(&mut self, right: Option<Arc<RangeDescriptor>>, leads: bool) -> Result<(), Error> {
        let Some(right) = right.filter(|right| !self.removing.contains(&right.id)) else { return Ok(()) };
        let range = right.id;
        let Some(replica) = right.replica_on(self.node).map(|member| member.replica) else { return Ok(()) };
        self.insert_new(right, replica)?;
        if leads && let Some(peer) = self.touch(range) {
            peer.campaign();
        }
        Ok(())
    }

    /// A descriptor not older than ours: if it leaves our replica out, the replica goes.
    fn on_removed(&mut self, descriptor: RangeDescriptor) {
        let Some(peer) = self.peers.get(&descriptor.id) else {
            return;
        };
        let older = peer.descriptor.as_ref().is_some_and(|ours| ours.is_newer_than(&descriptor));
        let excluded = descriptor.replica(peer.replica).is_none() && peer.replica < descriptor.next_replica;
        if !older && excluded && !peer.is_installing() {
            self.destroy(descriptor.id, descriptor.smallest_on(self.node));
        }
    }

    /// Removes a replica: from memory now, from the engine and the log when the applier gets to it.
    pub(super) fn destroy(&mut self, range: RangeId, smallest: ReplicaId) {
        if let Some(mut peer) = self.peers.remove(&range) {
            peer.resign();
        }
        self.dirty.remove(&range);
        self.views.remove(range);
        self.removing.insert(range);
        self.tasks.push(ApplyTask::Destroy { range, smallest });
    }

    fn on_destroyed(&mut self, range: RangeId) -> Result<(), Error> {
        self.reset_log(range)?;
        self.removing.remove(&range);
        self.notices.push(Notice::Removed(range));
        Ok(())
    }

    /// Publishes a replica's role if it changed.
    pub(super) fn publish_role(&mut self, range: RangeId) {
        let Some(peer) = self.peers.get_mut(&range) else { return };
        let now = (peer.term(), peer.role());
        let Some(descriptor) = peer.descriptor.clone().filter(|_| now != peer.published) else {
            return;
        };
        peer.published = now.clone();
        let lease = peer.lead.map(|_| peer.grants.lease.clone());
        let (term, role) = now;
        self.views.set_role(range, term, role.clone(), lease);
        self.notices.push(Notice::Role(RoleChange { range, term, role, descriptor }));
    }

    /// Hands out what passes have gathered.
    pub(super) fn flush<S: EffectSink>(&mut self, sink: &mut S) {
        for (to, messages) in std::mem::take(&mut self.outbox) {
            sink.send(to, messages);
        }
        for notice in self.notices.drain(..) {
            sink.notice(notice);
        }
    }
}

/// Asks everybody whom a replica without a vote knows whether it is still a member.
fn ask_membership(outbox: &mut BTreeMap<NodeId, Vec<RaftMessage>>, peer: &Peer, node: NodeId) {
    for (to, at) in peer.addresses.iter().filter(|(to, _)| **to != peer.replica) {
        let (range, from, term) = (peer.range, peer.replica, peer.term().max(1));
        let message = RaftMessage { range, to: *to, from, term, body: RaftBody::AskMembership { node } };
        outbox.entry(*at).or_default().push(message);
    }
}
