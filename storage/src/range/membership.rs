//! Membership of a range: who votes, who learns, and how that changes.
//!
//! ```text
//!   change            role before   joint configuration          after leaving it
//!   AddLearner(n)     -             Learner                      Learner
//!   Promote(n)        Learner       Incoming (new majority)      Voter
//!   Remove(n)         Voter         Outgoing (old majority)      gone
//!   Remove(n)         Learner       gone                         gone
//! ```
//! A change that touches voters passes through a joint configuration, in which both majorities must agree; it is left
//! automatically by whoever leads then. A single change of a learner needs none. raft-rs' `ConfState` is derived from
//! the descriptor and is stored nowhere else.
//!
//! Invariant: a replica id is given out once per range.
//! Invariant: a change applies only to the `conf_ver` that it was made for.

use super::{RangeDescriptor, ReplicaDescriptor, ReplicaRole};
use crate::{NodeId, ReplicaId};
use bincode::{Decode, Encode};
use raft::eraftpb::{ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState};

/// One step of a [`MemberChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ReplicaChange {
    /// A new replica on this node receives the log, without a vote.
    AddLearner(NodeId),
    /// The learner on this node becomes a voter.
    Promote(NodeId),
    /// The replica on this node leaves the range and deletes its data.
    Remove(NodeId),
}

/// A membership change as it is proposed: all steps together, or none.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MemberChange {
    /// The `conf_ver` of the descriptor that the change was made for.
    pub conf_ver: u64,
    /// The steps.
    pub changes: Vec<ReplicaChange>,
}

/// Why a membership change is refused; nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefusal {
    /// The descriptor changed: read it again.
    #[error("the range has another membership by now")]
    Stale,
    /// Another change is under way: wait for it.
    #[error("another membership change is under way")]
    Busy,
    /// The learner has not caught up: promote it later.
    #[error("the replica on {0} has not caught up")]
    Behind(NodeId),
    /// The node leads the range: transfer its leadership first.
    #[error("{0} leads the range")]
    Leads(NodeId),
    /// The node holds a replica already.
    #[error("{0} holds a replica already")]
    Present(NodeId),
    /// The node holds no replica that the step applies to.
    #[error("{0} holds no such replica")]
    Absent(NodeId),
    /// No step, several steps of learners only, or nobody would vote any more.
    #[error("the steps do not form one change")]
    Malformed,
}

impl RangeDescriptor {
    /// Whether two majorities must agree at present.
    pub fn is_joint(&self) -> bool {
        self.replicas.iter().any(|replica| matches!(replica.role, ReplicaRole::Incoming | ReplicaRole::Outgoing))
    }

    /// The replica with this id, if it is a member.
    pub fn replica(&self, id: ReplicaId) -> Option<&ReplicaDescriptor> {
        self.replicas.iter().find(|replica| replica.replica == id)
    }

    /// Smallest replica id that `node` may hold from now on, once an older one is removed there.
    pub fn smallest_on(&self, node: NodeId) -> ReplicaId {
        self.replica_on(node).map_or(self.next_replica, |member| member.replica)
    }

    /// The descriptor after `change` was entered. Pure: every replica computes the same.
    ///
    /// # Errors
    /// The reason why the change does not fit this descriptor.
    pub fn enter(&self, change: &MemberChange) -> Result<RangeDescriptor, ChangeRefusal> {
        if change.conf_ver != self.conf_ver {
            return Err(ChangeRefusal::Stale);
        }
        if self.is_joint() {
            return Err(ChangeRefusal::Busy);
        }
        let mut next = self.clone();
        for step in &change.changes {
            next.take(*step)?;
        }
        let votes = next.replicas.iter().any(|r| matches!(r.role, ReplicaRole::Voter | ReplicaRole::Incoming));
        if !votes || change.changes.is_empty() || (!next.is_joint() && change.changes.len() > 1) {
            return Err(ChangeRefusal::Malformed);
        }
        next.conf_ver += 1;
        next.replicas.sort_by_key(|replica| replica.node);
        Ok(next)
    }

    fn take(&mut self, step: ReplicaChange) -> Result<(), ChangeRefusal> {
        let at = |node: NodeId| self.replicas.iter().position(|replica| replica.node == node);
        match step {
            ReplicaChange::AddLearner(node) => {
                if at(node).is_some() {
                    return Err(ChangeRefusal::Present(node));
                }
                let replica = self.next_replica;
                self.next_replica = ReplicaId(replica.0 + 1);
                self.replicas.push(ReplicaDescriptor { node, replica, role: ReplicaRole::Learner });
            }
            ReplicaChange::Promote(node) => {
                let at = at(node).ok_or(ChangeRefusal::Absent(node))?;
                if self.replicas[at].role != ReplicaRole::Learner {
                    return Err(ChangeRefusal::Absent(node));
                }
                self.replicas[at].role = ReplicaRole::Incoming;
            }
            ReplicaChange::Remove(node) => {
                let at = at(node).ok_or(ChangeRefusal::Absent(node))?;
                match self.replicas[at].role {
                    ReplicaRole::Voter => self.replicas[at].role = ReplicaRole::Outgoing,
                    ReplicaRole::Learner => {
                        self.replicas.remove(at);
                    }
                    ReplicaRole::Incoming | ReplicaRole::Outgoing => return Err(ChangeRefusal::Malformed),
                }
            }
        }
        Ok(())
    }

    /// The descriptor after the joint configuration was left; `None` if it is not joint.
    pub fn leave(&self) -> Option<RangeDescriptor> {
        if !self.is_joint() {
            return None;
        }
        let mut next = self.clone();
        next.conf_ver += 1;
        next.replicas.retain(|replica| replica.role != ReplicaRole::Outgoing);
        for replica in &mut next.replicas {
            if replica.role == ReplicaRole::Incoming {
                replica.role = ReplicaRole::Voter;
            }
        }
        Some(next)
    }

    /// The configuration as raft-rs wants it.
    pub fn conf_state(&self) -> ConfState {
        let with = |roles: &[ReplicaRole]| -> Vec<u64> {
            self.replicas.iter().filter(|r| roles.contains(&r.role)).map(|r| r.replica.0).collect()
        };
        let voters = with(&[ReplicaRole::Voter, ReplicaRole::Incoming]);
        let mut state = ConfState { voters, learners: with(&[ReplicaRole::Learner]), ..Default::default() };
        if self.is_joint() {
            state.voters_outgoing = with(&[ReplicaRole::Voter, ReplicaRole::Outgoing]);
            state.auto_leave = true;
        }
        state
    }
}

/// The change from `before` to `after` (an [`RangeDescriptor::enter`] of it) as raft-rs applies it.
pub fn raft_change(before: &RangeDescriptor, after: &RangeDescriptor) -> ConfChangeV2 {
    let mut singles = Vec::new();
    for replica in &after.replicas {
        let kind = match (before.replica(replica.replica), replica.role) {
            (None, _) => ConfChangeType::AddLearnerNode,
            (Some(_), ReplicaRole::Incoming) => ConfChangeType::AddNode,
            (Some(_), ReplicaRole::Outgoing) => ConfChangeType::RemoveNode,
            _ => continue,
        };
        singles.push(single(replica.replica, kind));
    }
    for replica in &before.replicas {
        if after.replica(replica.replica).is_none() {
            singles.push(single(replica.replica, ConfChangeType::RemoveNode));
        }
    }
    let mut change = ConfChangeV2::default();
    if after.is_joint() {
        change.set_transition(ConfChangeTransition::Implicit);
    }
    change.set_changes(singles.into());
    change
}

fn single(replica: ReplicaId, kind: ConfChangeType) -> ConfChangeSingle {
    let mut single = ConfChangeSingle { node_id: replica.0, ..Default::default() };
    single.set_change_type(kind);
    single
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RangeId, Span};

    fn three() -> RangeDescriptor {
        let member = |n| ReplicaDescriptor { node: NodeId(n), replica: ReplicaId(n), role: ReplicaRole::Voter };
        RangeDescriptor {
            id: RangeId(4),
            span: Span::new("a", "z"),
            generation: 1,
            conf_ver: 5,
            replicas: vec![member(1), member(2), member(3)],
            next_replica: ReplicaId(4),
        }
    }

    fn enter(from: &RangeDescriptor, changes: &[ReplicaChange]) -> Result<RangeDescriptor, ChangeRefusal> {
        from.enter(&MemberChange { conf_ver: from.conf_ver, changes: changes.to_vec() })
    }

    #[test]
    fn replacing_a_voter_passes_through_a_joint_configuration() {
        let learning = enter(&three(), &[ReplicaChange::AddLearner(NodeId(9))]).unwrap();
        assert_eq!(learning.conf_state().learners, [4]);
        let steps = [ReplicaChange::Promote(NodeId(9)), ReplicaChange::Remove(NodeId(2))];
        let joint = enter(&learning, &steps).unwrap();
        let state = joint.conf_state();
        assert_eq!((state.voters, state.voters_outgoing), (vec![1, 3, 4], vec![1, 2, 3]));
        assert!(state.auto_leave);
        assert_eq!(raft_change(&learning, &joint).get_changes().len(), 2);
        assert_eq!(enter(&joint, &[ReplicaChange::Remove(NodeId(1))]), Err(ChangeRefusal::Busy));
        let after = joint.leave().unwrap();
        assert_eq!(after.conf_state().voters, [1, 3, 4]);
        assert_eq!((after.conf_ver, after.next_replica), (8, ReplicaId(5)));
        assert_eq!(after.leave(), None);
    }

    #[test]
    fn changes_that_do_not_fit_are_refused() {
        let one = RangeDescriptor { replicas: three().replicas[..1].to_vec(), ..three() };
        assert_eq!(enter(&one, &[ReplicaChange::Remove(NodeId(1))]), Err(ChangeRefusal::Malformed));
        assert_eq!(enter(&three(), &[]), Err(ChangeRefusal::Malformed));
        assert_eq!(enter(&three(), &[ReplicaChange::AddLearner(NodeId(2))]), Err(ChangeRefusal::Present(NodeId(2))));
        assert_eq!(enter(&three(), &[ReplicaChange::Promote(NodeId(2))]), Err(ChangeRefusal::Absent(NodeId(2))));
        let stale = MemberChange { conf_ver: 4, changes: vec![ReplicaChange::Remove(NodeId(2))] };
        assert_eq!(three().enter(&stale), Err(ChangeRefusal::Stale));
    }
}
