//! What nodes say to each other, held against the disks at the moment of sending.
//!
//! ```text
//!   AppendReply{index}         the entry is durable on the sender's disk, or applied by an image
//!   VoteReply (granted)        the term is durable on the sender's disk
//!   Vote, VoteReply (granted)  the sender does not say in public that it is in an earlier term
//!   HeartbeatReply{granted}    the bound is durable on the sender's disk
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
use quorate_storage::{NodeId, RangeId, ReplicaRole, StoreHandle};
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
    /// Of nodes that run.
    stores: BTreeMap<u64, StoreHandle>,
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

    /// What a node says in public, from now on; `None` while it starts.
    pub fn lives(&self, node: u64, store: Option<StoreHandle>) {
        let stores = &mut self.state.lock().stores;
        match store {
            Some(store) => stores.insert(node, store),
            None => stores.remove(&node),
        };
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
        let votes = matches!(
            message.body,
            RaftBody::Vote { pre: false, .. } | RaftBody::VoteReply { pre: false, reject: false, .. }
        );
        let public = self.stores.get(&from).and_then(|store| store.view(range)).map_or(0, |view| view.term);
        // Without a term in public it confirms none.
        if votes && public > 0 && public < term {
            self.found(format!("n{from} votes in term {term} of {range}, and tells others that it is in {public}"));
        }
        match message.body {
            RaftBody::AppendReply { index, reject: None, .. } if !self.holds(omniscient, from, range, index) => {
                self.found(format!("n{from} acknowledges entry {index} of {range}, which is not durable there"));
            }
            RaftBody::VoteReply { pre: false, reject: false, .. } if !self.has_term(from, range, term) => {
                self.found(format!("n{from} votes in term {term} of {range}, which is not durable there"));
            }
            RaftBody::HeartbeatReply { granted, .. } if granted > self.granted(from) => {
                self.found(format!("n{from} acknowledges the bound {granted} of {range}, which is not durable there"));
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

    /// The greatest bound of reads that a node would still take itself to have granted after a crash.
    fn granted(&self, node: u64) -> u64 {
        self.disk(node).map_or(0, Disk::durable_granted)
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
            self.found(format!(
                "n{from} gives out the IDs {first}..{end}, though those from {known} on were given out"
            ));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Trace;
    use quorate_storage::log::{Entry, GroupAppend, HardState, LogBatch};
    use quorate_storage::range::local::{Position, put_applied, put_descriptor, put_tombstone};
    use quorate_storage::range::{RangeDescriptor, ReplicaDescriptor};
    use quorate_storage::{ReplicaId, Span};
    use quorate_txn::TxnId;

    const RANGE: RangeId = RangeId(4);

    /// Three nodes with a replica each, that have entry 11 of term 6 in their logs: node 1 durably, node 2 on its way.
    #[tokio::main(flavor = "current_thread")]
    async fn cluster() -> (Spoken, Vec<Disk>) {
        let omniscient = Arc::new(Omniscient::new(Trace::new(false)));
        let spoken = Spoken::new(omniscient.clone());
        let member =
            |node| ReplicaDescriptor { node: NodeId(node), replica: ReplicaId(node), role: ReplicaRole::Voter };
        let descriptor = RangeDescriptor {
            id: RANGE,
            span: Span::new("a", "z"),
            generation: 1,
            conf_ver: 1,
            replicas: (1..=3).map(member).collect(),
            next_replica: ReplicaId(4),
        };
        let disks: Vec<Disk> = (1..=3).map(|node| Disk::new(node, node, omniscient.clone())).collect();
        for disk in &disks {
            let ops = vec![put_descriptor(&descriptor), put_applied(RANGE, Position::FIRST)];
            disk.engine().write(ops).unwrap();
            spoken.joins(disk.clone());
        }
        for disk in &disks[..2] {
            let entries = vec![Entry { index: FIRST_INDEX + 1, term: 6, ..Entry::default() }];
            let hard_state = Some(HardState { term: 6, ..HardState::default() });
            let batch = LogBatch {
                groups: vec![GroupAppend { entries, hard_state, ..GroupAppend::new(RANGE) }],
                ..LogBatch::default()
            };
            disk.log().append(batch, true).unwrap();
        }
        disks[0].settle();
        (spoken, disks)
    }

    fn say(spoken: &Spoken, node: u64, body: RaftBody) -> Vec<String> {
        let (range, to, from) = (RANGE, ReplicaId(node % 3 + 1), ReplicaId(node));
        let messages = vec![RaftMessage { range, to, from, term: 6, body }];
        let payload = quorate_storage::codec::encode(&messages).into();
        spoken.says(PeerId(node), &Message { kind: quorate::node::RAFT_MESSAGE, payload });
        spoken.take()
    }

    #[track_caller]
    fn finds(found: &[String], what: &str) {
        assert!(found.iter().any(|finding| finding.contains(what)), "not {what:?}: {found:?}");
    }

    #[test]
    fn acknowledged_is_durable() {
        let (spoken, disks) = cluster();
        let acknowledge = |index| RaftBody::AppendReply { index, commit: 0, reject: None };
        let vote = || RaftBody::VoteReply { pre: false, reject: false, commit: 0, commit_term: 0, granted: 0 };
        let none = Vec::<String>::new();
        assert_eq!(say(&spoken, 1, acknowledge(11)), none);
        assert_eq!(say(&spoken, 1, vote()), none);
        assert_eq!(say(&spoken, 3, acknowledge(FIRST_INDEX)), none, "the range began there");
        finds(&say(&spoken, 1, acknowledge(12)), "n1 acknowledges entry 12");
        finds(&say(&spoken, 2, acknowledge(11)), "n2 acknowledges entry 11");
        finds(&say(&spoken, 2, vote()), "n2 votes in term 6");
        let refuses = RaftBody::AppendReply { index: 11, commit: 0, reject: Some((10, 5)) };
        assert_eq!(say(&spoken, 2, refuses), none);
        disks[1].settle();
        assert_eq!(say(&spoken, 2, acknowledge(11)), none);

        let grant = |granted| RaftBody::HeartbeatReply { commit: 0, round: None, granted };
        disks[1].log().append(LogBatch { granted: Some(70), ..LogBatch::default() }, true).unwrap();
        finds(&say(&spoken, 2, grant(70)), "n2 acknowledges the bound 70");
        disks[1].settle();
        assert_eq!(say(&spoken, 2, grant(70)), none);
        finds(&say(&spoken, 2, grant(71)), "n2 acknowledges the bound 71");
    }

    #[test]
    fn committed_is_durable_on_a_quorum() {
        let (spoken, disks) = cluster();
        let beat = |commit| RaftBody::Heartbeat { commit, round: None, grant: 0 };
        finds(&say(&spoken, 1, beat(11)), "durable on 1 of 3 voters");
        disks[1].settle();
        assert_eq!(say(&spoken, 1, beat(11)), Vec::<String>::new());
        finds(&say(&spoken, 1, beat(12)), "durable on 0 of 3 voters");
    }

    #[test]
    fn removed_replicas_are_silent() {
        let (spoken, disks) = cluster();
        disks[2].engine().write(vec![put_tombstone(RANGE, ReplicaId(4))]).unwrap();
        finds(&say(&spoken, 3, RaftBody::TimeoutNow), "n3 has removed");
        assert_eq!(say(&spoken, 1, RaftBody::TimeoutNow), Vec::<String>::new());
    }

    #[test]
    fn no_id_is_given_out_twice() {
        let (spoken, _) = cluster();
        let give = |commits, first| {
            let payload = codec::encode(&Ask { commits, ..Ask::default() });
            let given = Allocation {
                read_id: TxnId(first - 1),
                first_commit: TxnId(first),
                catalog_id: TxnId(0),
                witness: None,
            };
            let question = Message { kind: kind::ORACLE, payload: payload.into() };
            spoken.answers(PeerId(1), &question, &codec::encode(&Answer::Done(given)).into());
            spoken.take()
        };
        assert_eq!(give(3, 10), Vec::<String>::new());
        assert_eq!(give(0, 11), Vec::<String>::new(), "no commit ID was asked for");
        assert_eq!(give(2, 13), Vec::<String>::new());
        finds(&give(1, 12), "were given out");
        finds(&give(9, 5), "were given out");
    }
}
