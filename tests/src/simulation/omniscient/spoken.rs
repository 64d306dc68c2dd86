//! What nodes say to each other, held against the disks at the moment of sending.
//!
//! ```text
//!   AppendReply{index}         the entry is durable on the sender's disk, or applied by an image
//!   VoteReply (granted)        the term is durable on the sender's disk
//!   Append, Heartbeat{commit}  the entry is durable on a quorum of the voters
//!   anything of a replica      the sender has not removed that replica
//!   an oracle's answer         its commit IDs were never given out before
//! ```

use super::{MOST, Omniscient};
use crate::simulation::disk::Disk;
use bytes::Bytes;
use parking_lot::Mutex;
use quorate_net::{Message, PeerId, codec};
use quorate_storage::range::local::FIRST_INDEX;
use quorate_storage::store::{RaftBody, RaftMessage};
use quorate_storage::{NodeId, RangeId, ReplicaRole};
use quorate_txn::oracle::{Allocation, Ask};
use quorate_txn::service::{Answer, kind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sees every message of a world before it leaves.
#[derive(Debug)]
pub struct Spoken {
    omniscient: Arc<Omniscient>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By node, from node 1 on.
    disks: Vec<Disk>,
    /// The newest index of each range that was found on a quorum.
    committed: BTreeMap<RangeId, u64>,
    /// Commit IDs that were given out: first and end.
    given: BTreeMap<u64, u64>,
    findings: Vec<String>,
}

impl Spoken {
    /// Nothing was said yet.
    #[must_use]
    pub fn new(omniscient: Arc<Omniscient>) -> Spoken {
        Spoken { omniscient, state: Mutex::default() }
    }

    /// The next node has this disk.
    pub fn joins(&self, disk: Disk) {
        self.state.lock().disks.push(disk);
    }

    /// A message is about to leave.
    pub fn says(&self, from: PeerId, message: &Message) {
        if message.kind != quorate::node::RAFT_MESSAGE {
            return;
        }
        let mut state = self.state.lock();
        match quorate_storage::codec::decode::<Vec<RaftMessage>>(&message.payload) {
            Ok(messages) => messages.iter().for_each(|message| state.raft(&self.omniscient, from.0, message)),
            Err(error) => state.found(format!("n{from} sends Raft messages that nobody can read: {error}")),
        }
    }

    /// An answer is about to leave.
    pub fn answers(&self, from: PeerId, question: &Message, answer: &Bytes) {
        if question.kind != kind::ORACLE {
            return;
        }
        let ask = codec::decode::<Ask>(&question.payload, question.payload.len() + 1);
        let answer = codec::decode::<Answer<Allocation>>(answer, answer.len() + 1);
        if let (Ok(ask), Ok(Answer::Done(given))) = (ask, answer) {
            self.state.lock().gives(from.0, &ask, &given);
        }
    }

    /// Everything that contradicts the rules above, in words.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().findings)
    }
}

impl State {
    fn found(&mut self, finding: String) {
        if self.findings.len() < MOST {
            self.findings.push(finding);
        }
    }

    fn raft(&mut self, omniscient: &Omniscient, from: u64, message: &RaftMessage) {
        let (range, term) = (message.range, message.term);
        let tombstone = omniscient.tombstone(from, range);
        if tombstone.is_some_and(|smallest| message.from < smallest) {
            self.found(format!("n{from} has removed {} of {range}, which speaks: {message:?}", message.from));
        }
        match message.body {
            RaftBody::AppendReply { index, reject: None, .. } if !self.holds(omniscient, from, range, index) => {
                self.found(format!("n{from} acknowledges entry {index} of {range}, which is not durable there"));
            }
            RaftBody::VoteReply { pre: false, reject: false, .. } if !self.has_term(from, range, term) => {
                self.found(format!("n{from} votes in term {term} of {range}, which is not durable there"));
            }
            RaftBody::Append { commit, .. } | RaftBody::Heartbeat { commit, .. } => {
                self.committed(omniscient, from, range, commit);
            }
            _ => {}
        }
    }

    fn disk(&self, node: u64) -> Option<&Disk> {
        self.disks.get(usize::try_from(node).ok()?.checked_sub(1)?)
    }

    /// Whether a node would still have an entry after a crash. What lies before a range's first entry is no entry.
    fn holds(&self, omniscient: &Omniscient, node: u64, range: RangeId, index: u64) -> bool {
        index <= FIRST_INDEX
            || self.disk(node).is_some_and(|disk| disk.durable_last(range) >= index)
            || omniscient.applied(node, range) >= index
    }

    fn has_term(&self, node: u64, range: RangeId, term: u64) -> bool {
        self.disk(node).is_some_and(|disk| disk.durable_term(range) >= term)
    }

    fn committed(&mut self, omniscient: &Omniscient, leader: u64, range: RangeId, commit: u64) {
        if self.committed.get(&range).is_some_and(|known| *known >= commit) {
            return;
        }
        let Some(voters) = omniscient.voters(leader, range) else { return };
        let holding = voters.iter().filter(|node| self.holds(omniscient, node.0, range, commit)).count();
        if holding * 2 > voters.len() {
            self.committed.insert(range, commit);
        } else {
            self.found(format!(
                "n{leader} calls entry {commit} of {range} committed, which is durable on {holding} of {} voters",
                voters.len()
            ));
        }
    }

    fn gives(&mut self, from: u64, ask: &Ask, given: &Allocation) {
        let count = if ask.catalog { 1 } else { u64::from(ask.commits) };
        let (first, end) = (given.first_commit.0, given.first_commit.0 + count);
        if count == 0 {
            return;
        }
        let before = self.given.range(..end).next_back().map(|(first, end)| (*first, *end));
        if let Some((known, _)) = before.filter(|(_, before)| *before > first) {
            self.found(format!("n{from} gives out the IDs {first}..{end}, though those from {known} on were given out"));
        }
        self.given.insert(first, end);
    }
}

impl Omniscient {
    fn applied(&self, node: u64, range: RangeId) -> u64 {
        self.replicas.lock().here(node, range).map_or(0, |here| here.local.applied.index)
    }

    fn tombstone(&self, node: u64, range: RangeId) -> Option<quorate_storage::ReplicaId> {
        self.replicas.lock().here(node, range)?.local.tombstone
    }

    /// The nodes of the voters that `node` knows, unless their set is about to change.
    fn voters(&self, node: u64, range: RangeId) -> Option<Vec<NodeId>> {
        let replicas = self.replicas.lock();
        let descriptor = replicas.here(node, range)?.local.descriptor.as_ref()?;
        let mut voters = Vec::new();
        for replica in &descriptor.replicas {
            match replica.role {
                ReplicaRole::Voter => voters.push(replica.node),
                ReplicaRole::Learner => {}
                ReplicaRole::Incoming | ReplicaRole::Outgoing => return None,
            }
        }
        Some(voters)
    }
}
