//! Where replicas and leaders should be: a pure decision, and the loop that carries it out.
//!
//! ```text
//!   for each range that this node leads, one step at a time:
//!     fewer voters + learners than min(3, nodes)   add a learner on the live node with the fewest replicas
//!     a learner                                    promote it (refused until it has caught up: later again)
//!   leaders of user ranges                         hand one over while a live voter leads at least two fewer
//! ```
//! System ranges stay where they are led: the oracle, the catalog and the directory are wanted near each other.
//!
//! A node knows the leaders only of ranges that it has replicas of, so another may lead more than it seems. Who would
//! be handed a leader is therefore asked first, and the decision made again with the answer. Without that, two nodes
//! that each believe the other idle pass one leader back and forth for ever; with it, each transfer lowers the sum of
//! the squares of all counts.
//!
//! Invariant: a decision reads descriptors, liveness and told counts only; the store refuses what does not fit any more.

use quorate_storage::range::{MemberChange, ReplicaChange};
use quorate_storage::{FIRST_USER_RANGE, NodeId, RangeDescriptor, RangeId, ReplicaRole};
use std::collections::{BTreeMap, BTreeSet};

/// How many replicas a range has when there are enough nodes.
pub(crate) const REPLICATION_FACTOR: usize = 3;

/// What the decision looks at.
pub(crate) struct Situation {
    /// This node.
    pub(crate) node: NodeId,
    /// All members that answer, this node among them.
    pub(crate) live: BTreeSet<NodeId>,
    /// How many members there are.
    pub(crate) members: usize,
    /// Every range that this node knows: descriptor and leader.
    pub(crate) ranges: Vec<(RangeDescriptor, Option<NodeId>)>,
    /// How many user ranges other nodes lead by their own account, as far as they were asked.
    pub(crate) told: BTreeMap<NodeId, usize>,
}

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Change the membership of a range.
    Change(RangeId, MemberChange),
    /// Hand the leadership of a range to a node.
    Transfer(RangeId, NodeId),
}

/// What this node should do now.
pub(crate) fn decide(situation: &Situation) -> Vec<Step> {
    let led = || situation.ranges.iter().filter(|(_, leader)| *leader == Some(situation.node));
    let mut load = replicas_per_node(situation);
    let mut steps = Vec::new();
    for (range, _) in led() {
        if let Some(change) = grow(range, situation, &mut load) {
            let change = MemberChange { conf_ver: range.conf_ver, changes: vec![change] };
            steps.push(Step::Change(range.id, change));
        }
    }
    if steps.is_empty() {
        steps.extend(spread(situation));
    }
    steps
}

fn replicas_per_node(situation: &Situation) -> BTreeMap<NodeId, usize> {
    let mut load: BTreeMap<NodeId, usize> = situation.live.iter().map(|node| (*node, 0)).collect();
    for replica in situation.ranges.iter().flat_map(|(range, _)| &range.replicas) {
        if let Some(count) = load.get_mut(&replica.node) {
            *count += 1;
        }
    }
    load
}

/// The next step of a range that is below its replication factor.
fn grow(range: &RangeDescriptor, situation: &Situation, load: &mut BTreeMap<NodeId, usize>) -> Option<ReplicaChange> {
    if range.is_joint() {
        return None;
    }
    let learner = range.replicas.iter().find(|replica| replica.role == ReplicaRole::Learner);
    if let Some(learner) = learner {
        return situation.live.contains(&learner.node).then_some(ReplicaChange::Promote(learner.node));
    }
    if range.replicas.len() >= REPLICATION_FACTOR.min(situation.members) {
        return None;
    }
    let candidates = load.iter().filter(|(node, _)| range.replica_on(**node).is_none());
    let chosen = candidates.min_by_key(|(node, count)| (**count, **node)).map(|(node, _)| *node)?;
    *load.entry(chosen).or_default() += 1;
    Some(ReplicaChange::AddLearner(chosen))
}

/// One user range to hand over, if a live voter leads at least two fewer than this node.
fn spread(situation: &Situation) -> Option<Step> {
    let mut leads: BTreeMap<NodeId, usize> = situation.live.iter().map(|node| (*node, 0)).collect();
    let user = || situation.ranges.iter().filter(|(range, _)| range.id >= FIRST_USER_RANGE);
    for leader in user().filter_map(|(_, leader)| *leader) {
        *leads.entry(leader).or_default() += 1;
    }
    leads.extend(&situation.told);
    let mine = leads.get(&situation.node).copied().unwrap_or(0);
    for (range, _) in user().filter(|(range, leader)| *leader == Some(situation.node) && !range.is_joint()) {
        let voters = range.replicas.iter().filter(|replica| replica.role == ReplicaRole::Voter);
        let least = voters
            .filter(|replica| situation.live.contains(&replica.node))
            .min_by_key(|replica| (leads.get(&replica.node).copied().unwrap_or(0), replica.node))?;
        if leads.get(&least.node).copied().unwrap_or(0) + 2 <= mine {
            return Some(Step::Transfer(range.id, least.node));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_storage::{ReplicaDescriptor, ReplicaId, Span};

    fn range(id: u64, replicas: &[(u64, ReplicaRole)]) -> RangeDescriptor {
        let replica = |(node, role): &(u64, ReplicaRole)| ReplicaDescriptor {
            node: NodeId(*node),
            replica: ReplicaId(*node),
            role: *role,
        };
        RangeDescriptor {
            id: RangeId(id),
            span: Span::new([id as u8], [id as u8 + 1]),
            generation: 1,
            conf_ver: 5,
            replicas: replicas.iter().map(replica).collect(),
            next_replica: ReplicaId(9),
        }
    }

    fn situation(live: &[u64], members: usize, ranges: Vec<(RangeDescriptor, u64)>) -> Situation {
        let ranges = ranges.into_iter().map(|(range, leader)| (range, Some(NodeId(leader)))).collect();
        let live = live.iter().copied().map(NodeId).collect();
        Situation { node: NodeId(1), live, members, ranges, told: BTreeMap::new() }
    }

    use ReplicaRole::{Learner, Voter};

    #[test]
    fn a_range_grows_to_as_many_replicas_as_there_are_nodes() {
        let change = |change| vec![Step::Change(RangeId(4), MemberChange { conf_ver: 5, changes: vec![change] })];
        let one = range(4, &[(1, Voter)]);
        assert_eq!(decide(&situation(&[1], 1, vec![(one.clone(), 1)])), vec![]);
        assert_eq!(decide(&situation(&[1, 2], 2, vec![(one, 1)])), change(ReplicaChange::AddLearner(NodeId(2))));
        let learning = range(4, &[(1, Voter), (2, Learner)]);
        assert_eq!(
            decide(&situation(&[1, 2, 3], 3, vec![(learning.clone(), 1)])),
            change(ReplicaChange::Promote(NodeId(2)))
        );
        assert_eq!(decide(&situation(&[1, 3], 3, vec![(learning, 1)])), vec![], "a dead learner is not promoted");
        let three = range(4, &[(1, Voter), (2, Voter), (3, Voter)]);
        assert_eq!(decide(&situation(&[1, 2, 3, 4], 4, vec![(three, 1)])), vec![]);
    }

    #[test]
    fn replicas_go_to_the_emptiest_node() {
        let ranges = vec![(range(4, &[(1, Voter)]), 1), (range(5, &[(1, Voter), (2, Voter)]), 2)];
        let steps = decide(&situation(&[1, 2, 3], 3, ranges));
        assert!(matches!(&steps[..], [Step::Change(RangeId(4), change)]
            if change.changes == [ReplicaChange::AddLearner(NodeId(3))]));
    }

    #[test]
    fn user_ranges_spread_their_leaders_and_system_ranges_stay() {
        let all = [(1, Voter), (2, Voter)];
        let system = (1..=3).map(|id| (range(id, &all), 1));
        let even: Vec<_> = system.clone().chain([(range(4, &all), 1)]).collect();
        assert_eq!(decide(&situation(&[1, 2], 2, even)), vec![]);
        let uneven: Vec<_> = system.chain([(range(4, &all), 1), (range(5, &all), 1)]).collect();
        let mut uneven = situation(&[1, 2], 2, uneven);
        assert_eq!(decide(&uneven), vec![Step::Transfer(RangeId(4), NodeId(2))]);
        uneven.told.insert(NodeId(2), 1);
        assert_eq!(decide(&uneven), vec![], "it leads a range that this node has no replica of");
    }
}
