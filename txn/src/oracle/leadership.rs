//! Whether a leadership of r2 has outlived a request, without a round of heartbeats.
//!
//! ```text
//!                    answer ────────► asker: is my own replica in term T?        one round trip: two of three voters
//!   leader, term T
//!                    in term T? ────► other voters, as many as it takes          two round trips
//! ```
//! Who leads a later term was elected by a majority. If, after a request arrived, a majority was in term T still, then no
//! such leader had been elected before: the two majorities share a voter, terms never fall, and a store
//! [publishes](quorate_storage::store::ReplicaView) a term before it sends its first message of that term. So the answer
//! contains everything that anybody had been told before the question. While members change, it takes a majority of the
//! old voters and one of the new.
//!
//! Source: the same question as that of Raft's read index (Ongaro, Consensus: Bridging Theory and Practice, 6.4), which
//! asks it by heartbeats. Reading published terms spares the threads that keep the log, on both sides.

use crate::service::{Peers, kind};
use bincode::{Decode, Encode};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use quorate_net::{Message, PeerId, codec};
use quorate_storage::mutation::planted;
use quorate_storage::store::ReplicaView;
use quorate_storage::{NodeId, ORACLE_RANGE, RangeDescriptor, ReplicaDescriptor, ReplicaId, ReplicaRole, StoreHandle};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a voter may take before others are asked too.
const HEDGE: Duration = Duration::from_millis(20);
/// How long all of them may take.
const CALL: Duration = Duration::from_secs(1);

/// A replica of r2, and a term: what was said by the leader of that term holds if the replica is in it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Witness {
    /// The replica.
    pub replica: ReplicaId,
    /// The term.
    pub term: u64,
}

impl Witness {
    /// Whether the replica is `node`'s, whose store this is, and in the term now.
    #[must_use]
    pub fn confirms(&self, node: NodeId, store: &StoreHandle) -> bool {
        let view = store.view(ORACLE_RANGE).filter(|view| view.term == self.term);
        view.and_then(|view| view.descriptor.replica_on(node).map(|member| member.replica)) == Some(self.replica)
            || planted("witness-unasked")
    }
}

/// Asks voters of r2 for their terms, on behalf of its leader.
#[derive(Debug)]
pub(super) struct Confirming {
    pub node: NodeId,
    pub peers: Peers,
    /// Who answered last: asked first. Held for a copy.
    pub prompt: Mutex<BTreeSet<NodeId>>,
}

impl Confirming {
    /// The replica of `asker`, if it and the leader of `view` are enough.
    pub fn witness(&self, view: &ReplicaView, asker: Option<NodeId>) -> Option<Witness> {
        let asker = asker.filter(|asker| *asker != self.node)?;
        let replica = view.descriptor.replica_on(asker)?.replica;
        let enough = is_majority(&view.descriptor, &[self.node, asker].into());
        enough.then_some(Witness { replica, term: view.term })
    }

    /// Whether so many voters are in the term of `view` that nobody was elected after it before this call.
    pub async fn outlived(&self, view: &ReplicaView) -> bool {
        let mut confirmed = BTreeSet::from([self.node]);
        let prompt = self.prompt.lock().clone();
        let voters = view.descriptor.replicas.iter().filter(|member| is_voter(member) && member.node != self.node);
        let (first, later): (Vec<&ReplicaDescriptor>, Vec<_>) =
            voters.partition(|member| prompt.contains(&member.node));
        let mut unasked = first.into_iter().chain(later);
        let mut likely = confirmed.clone();
        let mut asked = FuturesUnordered::new();
        loop {
            while !is_majority(&view.descriptor, &likely)
                && let Some(member) = unasked.next()
            {
                likely.insert(member.node);
                asked.push(self.is_in(*member, view.term));
            }
            if is_majority(&view.descriptor, &confirmed) {
                confirmed.remove(&self.node);
                if confirmed != prompt {
                    *self.prompt.lock() = confirmed;
                }
                return true;
            }
            match self.peers.runtime.timeout(HEDGE, asked.next()).await {
                Some(Some((node, true))) => confirmed.insert(node),
                Some(Some((node, false))) => likely.remove(&node),
                Some(None) => return false,
                None => {
                    asked.extend(unasked.by_ref().map(|member| self.is_in(*member, view.term)));
                    continue;
                }
            };
        }
    }

    async fn is_in(&self, member: ReplicaDescriptor, term: u64) -> (NodeId, bool) {
        let Some(transport) = &self.peers.transport else { return (member.node, false) };
        let witness = Witness { replica: member.replica, term };
        let message = Message { kind: kind::TERM, payload: Bytes::from(codec::encode(&witness)) };
        let answer = transport.call(PeerId(member.node.0), message, CALL).await;
        (member.node, answer.is_ok_and(|bytes| codec::decode(&bytes, bytes.len() + 1).unwrap_or(false)))
    }
}

fn is_voter(member: &ReplicaDescriptor) -> bool {
    member.role != ReplicaRole::Learner
}

/// Whether these nodes hold a majority of the voters; while members change, of the old ones and of the new ones.
fn is_majority(descriptor: &RangeDescriptor, nodes: &BTreeSet<NodeId>) -> bool {
    [ReplicaRole::Incoming, ReplicaRole::Outgoing].into_iter().all(|other_side| {
        let side = || descriptor.replicas.iter().filter(|member| is_voter(member) && member.role != other_side);
        2 * side().filter(|member| nodes.contains(&member.node)).count() > side().count()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_one_of_the_old_voters_and_of_the_new() {
        use ReplicaRole::{Incoming, Learner, Outgoing, Voter};
        let holds = |roles: &[ReplicaRole], nodes: &[u64]| {
            let member = |(at, role): (usize, &ReplicaRole)| ReplicaDescriptor {
                node: NodeId(at as u64 + 1),
                replica: ReplicaId(at as u64 + 1),
                role: *role,
            };
            let replicas = roles.iter().enumerate().map(member).collect();
            let descriptor = RangeDescriptor {
                id: ORACLE_RANGE,
                span: quorate_storage::Span::new(vec![], vec![]),
                generation: 1,
                conf_ver: 1,
                replicas,
                next_replica: ReplicaId(9),
            };
            is_majority(&descriptor, &nodes.iter().map(|node| NodeId(*node)).collect())
        };
        assert!(holds(&[Voter], &[1]));
        assert!(holds(&[Voter, Learner, Learner], &[1]), "learners do not vote");
        assert!(!holds(&[Voter, Voter], &[1]));
        assert!(holds(&[Voter, Voter, Voter], &[1, 3]));
        assert!(!holds(&[Voter; 5], &[1, 2]));
        assert!(!holds(&[Voter, Voter, Voter, Incoming], &[1, 2]), "two of the four new voters");
        assert!(holds(&[Voter, Voter, Voter, Incoming], &[1, 2, 4]));
        assert!(!holds(&[Voter, Voter, Voter, Incoming], &[1, 4]), "one of the three old voters");
        assert!(!holds(&[Voter, Outgoing, Outgoing], &[1]), "the only new voter, and one of three old ones");
    }
}
