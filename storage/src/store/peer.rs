//! One replica: its raft-rs node, and who waits for what it does.
//!
//! ```text
//!   created ──► uninitialized (votes, holds nothing) ──image──► initialized ──► removed
//!   bootstrap, split ────────────────────────────────────────────────┘
//! ```
//! Leadership is tracked here: `lead` is set in the step that wins a term and cleared in the step that loses it. What
//! waits for a lost term is answered at once: proposals as ambiguous, confirmations with no.
//!
//! Invariant: everything in `waiting` was appended in the term of `lead`, in index order.
//! Invariant: while an image is being installed, the raft-rs node is not touched.

use super::event::{ApplyEntry, ApplyTask, Waiting, answer};
use super::handle::Role;
use super::lease::Grants;
use super::message::{round_from, round_to};
use super::replica_log::ReplicaLog;
use super::settings::StoreSettings;
use crate::range::MAX_COMMAND_BYTES;
use crate::range::image::Image;
use crate::range::local::Position;
use crate::{Command, Error, LogStore, NodeId, Outcome, RangeDescriptor, RangeId, ReplicaId, codec};
use raft::eraftpb::{Entry, EntryType, HardState};
use raft::{RawNode, Ready, StateRole};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::oneshot::Sender;

/// What a replica is made of when it is created or found on disk.
pub(super) struct PeerStart {
    pub(super) range: RangeId,
    pub(super) replica: ReplicaId,
    /// One life of one replica on this store; never used again.
    pub(super) serial: u64,
    /// `None` for an uninitialized replica.
    pub(super) descriptor: Option<Arc<RangeDescriptor>>,
    pub(super) applied: Position,
    /// The position after which the log begins.
    pub(super) begin: Position,
}

/// A term in which this replica leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lead {
    pub(super) term: u64,
    /// Index of the term's first entry.
    pub(super) start: u64,
}

/// Leadership confirmations on their way.
#[derive(Default)]
struct Confirms {
    /// For the next round.
    queued: Vec<Sender<bool>>,
    /// Rounds under way, oldest first.
    rounds: VecDeque<(u64, Vec<Sender<bool>>)>,
    next: u64,
}

/// An image on its way to a replica: the log after `index` is kept for it.
pub(super) struct Pin {
    pub(super) index: u64,
    /// The tick at which the pin ends, once the image was taken.
    pub(super) until: Option<u64>,
}

/// An image on its way into this replica.
pub(super) enum Incoming {
    /// Stepped into raft-rs; its `Ready` comes next.
    Stepped(Box<Image>),
    /// The applier installs it; the `Ready` waits.
    Installing(Box<Ready>, Arc<RangeDescriptor>, Position),
}

pub(super) struct Peer {
    pub(super) range: RangeId,
    pub(super) replica: ReplicaId,
    pub(super) serial: u64,
    pub(super) node: RawNode<ReplicaLog>,
    pub(super) descriptor: Option<Arc<RangeDescriptor>>,
    /// Which node holds which replica: from the descriptor, and learned from senders that it does not name.
    pub(super) addresses: BTreeMap<ReplicaId, NodeId>,
    pub(super) lead: Option<Lead>,
    pub(super) published: (u64, Role),
    /// The term in which this replica led when the last pass ended: its messages may leave before the next fsync.
    pub(super) led: Option<u64>,
    pub(super) images: BTreeMap<ReplicaId, Pin>,
    pub(super) incoming: Option<Incoming>,
    /// Index of the newest membership change that this life of the replica has applied.
    pub(super) conf_index: u64,
    pub(super) grants: Grants,
    waiting: VecDeque<(Position, Waiting)>,
    confirms: Confirms,
    seed: u64,
    attempts: u64,
    election_ticks: u64,
}

impl Peer {
    /// The term and role of a view that tells neither.
    pub(super) const UNPUBLISHED: (u64, Role) = (0, Role::Follower(None));

    /// `restored` is what it may have granted in an earlier life.
    pub(super) fn new(
        start: PeerStart,
        log: &Arc<dyn LogStore>,
        settings: &StoreSettings,
        restored: u64,
    ) -> Result<Peer, Error> {
        let descriptor = start.descriptor;
        let conf_state = descriptor.as_ref().map(|descriptor| descriptor.conf_state()).unwrap_or_default();
        let hard_state = hard_state(log.as_ref(), start.range, start.applied, start.begin)?;
        let window = ReplicaLog::open(start.range, log.clone(), start.begin, hard_state, conf_state)?;
        let config = config(settings, start.replica, start.applied.index);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node = RawNode::new(&config, window, &logger)
            .map_err(|error| Error::Damaged(format!("the Raft state of {} is not usable: {error}", start.range)))?;
        let mut peer = Peer {
            range: start.range,
            replica: start.replica,
            serial: start.serial,
            node,
            descriptor: None,
            addresses: BTreeMap::new(),
            lead: None,
            published: Peer::UNPUBLISHED,
            led: None,
            images: BTreeMap::new(),
            incoming: None,
            conf_index: 0,
            grants: Grants::new(start.range, restored, settings),
            waiting: VecDeque::new(),
            confirms: Confirms::default(),
            seed: settings.seed ^ start.range.0.rotate_left(32) ^ start.replica.0,
            attempts: 0,
            election_ticks: settings.election_ticks as u64,
        };
        if let Some(descriptor) = descriptor {
            peer.set_descriptor(descriptor);
        }
        peer.observe();
        Ok(peer)
    }

    pub(super) fn set_descriptor(&mut self, descriptor: Arc<RangeDescriptor>) {
        self.addresses = descriptor.replicas.iter().map(|member| (member.replica, member.node)).collect();
        self.descriptor = Some(descriptor);
    }

    /// Whether this replica is the range's only voter.
    pub(super) fn votes_alone(&self) -> bool {
        self.node.raft.prs().is_singleton() && self.node.raft.promotable()
    }

    pub(super) fn is_installing(&self) -> bool {
        matches!(self.incoming, Some(Incoming::Installing(..)))
    }

    pub(super) fn applied(&self) -> u64 {
        self.node.raft.raft_log.applied
    }

    pub(super) fn term(&self) -> u64 {
        self.node.raft.term
    }

    /// The node of the leader, if one is known.
    pub(super) fn leader(&self) -> Option<NodeId> {
        self.addresses.get(&ReplicaId(self.node.raft.leader_id)).copied()
    }

    pub(super) fn role(&self) -> Role {
        match self.lead {
            Some(lead) if self.applied() >= lead.start => Role::Leader,
            Some(_) => Role::Candidate,
            None => Role::Follower(self.leader()),
        }
    }

    /// To be called after everything that may change raft-rs' state: tracks leadership, and replaces the election
    /// timeout that raft-rs has drawn from the process's generator.
    pub(super) fn observe(&mut self) {
        let raft = &self.node.raft;
        let leads = (raft.state == StateRole::Leader).then_some(raft.term);
        if self.lead.map(|lead| lead.term) != leads {
            self.resign();
            let start = raft_last(&self.node);
            self.lead = leads.map(|term| Lead { term, start });
            leads.into_iter().for_each(|term| self.grants.begin(term));
        }
        self.watch_members();
        let timeout = self.timeout();
        self.node.raft.set_randomized_election_timeout(timeout);
    }

    /// A function of state that every run of the same seed passes through, so that it does not matter how often
    /// raft-rs drew one of its own.
    fn timeout(&self) -> usize {
        let mixed = mix(self.seed ^ mix(self.term() ^ self.attempts.rotate_left(32)));
        (self.election_ticks + mixed % self.election_ticks) as usize
    }

    /// Answers everything that waits for leadership.
    pub(super) fn resign(&mut self) {
        self.lead = None;
        self.grants.end();
        self.images.clear();
        for (_, waiting) in self.waiting.drain(..) {
            waiting.ambiguous();
        }
        let confirms = std::mem::take(&mut self.confirms);
        let rounds = confirms.rounds.into_iter().flat_map(|(_, replies)| replies);
        for reply in rounds.chain(confirms.queued) {
            answer(reply, false);
        }
        self.confirms.next = confirms.next;
    }

    /// One tick; whether there may be something to process.
    pub(super) fn tick(&mut self) -> bool {
        if self.is_installing() {
            return false;
        }
        let leads = self.lead.is_some();
        if !leads && self.votes_alone() {
            self.campaign();
            return true;
        }
        let something = self.node.tick();
        if something && !leads {
            self.attempts += 1;
        }
        if something {
            self.observe();
        }
        if self.lead.is_some() {
            self.tick_lease();
        }
        something
    }

    /// Whether this is a replica without a vote that has missed its leader for two more election timeouts. One that
    /// votes would campaign, and learn from the answers if it was removed.
    pub(super) fn hears_nobody(&self) -> bool {
        let elapsed = self.node.raft.election_elapsed as u64;
        !self.node.raft.promotable() && elapsed > 0 && elapsed.is_multiple_of(2 * self.election_ticks)
    }

    /// Tries to win a term. The only voter wins in this step, which raft-rs allows only once its whole log is
    /// durable; it tries again at the next tick.
    pub(super) fn campaign(&mut self) {
        let durable = self.node.raft.raft_log.persisted == raft_last(&self.node);
        if self.is_installing() || self.lead.is_some() || (self.votes_alone() && !durable) {
            return;
        }
        self.attempts += 1;
        if let Err(error) = self.node.campaign() {
            tracing::debug!(range = %self.range, %error, "campaign refused");
        }
        self.observe();
    }

    /// Appends the command if this replica leads in its term.
    pub(super) fn propose(&mut self, command: Command, reply: Sender<Outcome>) {
        if self.lead.is_none_or(|lead| lead.term != command.term) || self.node.raft.lead_transferee.is_some() {
            return answer(reply, Outcome::NotLeader { leader: self.leader().filter(|_| self.lead.is_none()) });
        }
        let data = codec::encode(&command);
        if data.len() > MAX_COMMAND_BYTES {
            return answer(reply, Outcome::TooLarge);
        }
        let splits = command.admin.is_some();
        if splits {
            self.node.skip_bcast_commit(false);
        }
        match self.node.propose(Vec::new(), data) {
            Ok(()) => {
                if splits {
                    self.splits();
                }
                self.wait(Waiting::Command(command, reply));
            }
            Err(error) => {
                tracing::debug!(range = %self.range, %error, "proposal refused");
                answer(reply, Outcome::NotLeader { leader: None });
            }
        }
    }

    /// Remembers who waits for the entry that was appended last.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        let position = Position { index: raft_last(&self.node), term: self.term() };
        self.waiting.push_back((position, waiting));
    }

    pub(super) fn confirm(&mut self, term: u64, reply: Sender<bool>) {
        if self.lead.is_some_and(|lead| lead.term == term) {
            self.confirms.queued.push(reply);
        } else {
            answer(reply, false);
        }
    }

    /// Begins one read round for all queued confirmations, if raft-rs would not drop it.
    pub(super) fn begin_confirm(&mut self) {
        if self.confirms.queued.is_empty() || self.role() != Role::Leader {
            return;
        }
        let round = self.confirms.next;
        self.confirms.next += 1;
        let queued = std::mem::take(&mut self.confirms.queued);
        self.confirms.rounds.push_back((round, queued));
        self.ask_for_bound();
        self.node.read_index(round_to(Some(round)).to_vec());
    }

    /// A quorum answered this round, and with it every earlier one.
    pub(super) fn end_confirm(&mut self, context: &[u8]) {
        let Some(round) = round_from(context) else { return };
        while let Some((_, replies)) = self.confirms.rounds.pop_front_if(|(begun, _)| *begun <= round) {
            for reply in replies {
                answer(reply, true);
            }
        }
    }

    /// Raft-committed entries as work for the applier, each with whoever waits for it.
    pub(super) fn hand_over(&mut self, entries: Vec<Entry>) -> Option<ApplyTask> {
        let last = entries.last()?.index;
        let entries = entries.into_iter().map(|entry| self.with_waiting(entry)).collect();
        self.node.mut_store().evict(last);
        let awaited = match self.lead {
            Some(_) => self.role() == Role::Candidate,
            None => self.votes_alone(),
        };
        Some(ApplyTask::Entries { range: self.range, serial: self.serial, entries, awaited })
    }

    fn with_waiting(&mut self, entry: Entry) -> ApplyEntry {
        let position = Position { index: entry.index, term: entry.term };
        let mut found = None;
        while let Some((at, waiting)) = self.waiting.pop_front_if(|(at, _)| at.index <= position.index) {
            if at == position {
                found = Some(waiting);
            } else {
                waiting.ambiguous();
            }
        }
        let change = entry.get_entry_type() != EntryType::EntryNormal;
        let data = if change { entry.context } else { entry.data };
        ApplyEntry { position, change, data, waiting: found }
    }
}

/// Index of the last entry of a node's log, durable or not.
pub(super) fn raft_last(node: &RawNode<ReplicaLog>) -> u64 {
    node.raft.raft_log.last_index()
}

fn config(settings: &StoreSettings, replica: ReplicaId, applied: u64) -> raft::Config {
    raft::Config {
        id: replica.0,
        election_tick: settings.election_ticks,
        heartbeat_tick: settings.heartbeat_ticks,
        applied,
        max_size_per_msg: settings.max_message_bytes,
        max_inflight_msgs: settings.max_inflight,
        check_quorum: true,
        pre_vote: true,
        batch_append: true,
        skip_bcast_commit: true,
        max_uncommitted_size: settings.max_uncommitted_bytes,
        max_committed_size_per_ready: 16 << 20,
        ..raft::Config::default()
    }
}

/// The hard state to start with. The commit index is written lazily, so what is applied may be ahead of it; a replica
/// that was just created has none.
fn hard_state(log: &dyn LogStore, range: RangeId, applied: Position, begin: Position) -> Result<HardState, Error> {
    let mut state = log.hard_state(range)?.unwrap_or_default();
    if state.term < begin.term {
        state = HardState { term: begin.term, ..HardState::default() };
    }
    state.commit = if begin.index == 0 { 0 } else { state.commit.max(applied.index) };
    Ok(state)
}

/// The finalizer of splitmix64.
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
