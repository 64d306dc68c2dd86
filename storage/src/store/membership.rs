//! Changing who holds a range, from the store's side: proposing, applying, handing leadership over, leaving.
//!
//! The descriptor is the truth, changed in the engine when the entry is applied; raft-rs' configuration follows it.
//! One change at a time: none while one is unapplied or the configuration is joint, none before this term's first
//! entry is applied (Ongaro's bug of single-server changes), nor before the log holds the floor that the votes told of.
//!
//! ```text
//!   joint {1,2,3}+{1,4,5}   1 leads, commits leave-joint, tells 2 and 3, dies before it tells 4 and 5
//!   4 and 5 still need a majority of {1,2,3}: 2 and 3 must go on answering votes, though they know they are out
//! ```
//! So a replica that has applied its own removal stays, without a vote of its own, and asks the members now and then.
//! It goes when a leader answers whose majority knows the change to be raft-committed, durably (the pass that hands a
//! membership entry to the applier writes the commit index).
//!
//! Invariant: a removed replica deletes itself only when no majority can need its vote any more.

use super::Store;
use super::event::{ChangeOutcome, Waiting, answer};
use super::handle::Role;
use super::peer::{Peer, raft_last};
use crate::range::{ChangeRefusal, MemberChange, ReplicaChange, raft_change};
use crate::{Error, NodeId, RangeDescriptor, RangeId, ReplicaId, ReplicaRole, codec};
use raft::ProgressState;
use raft::eraftpb::ConfChangeV2;
use std::sync::Arc;
use tokio::sync::oneshot::Sender;

/// How many entries a replica may be behind and still count as keeping up.
const KEEPS_UP: u64 = 1000;

impl Peer {
    /// Proposes a membership change.
    pub(super) fn change_replicas(&mut self, change: &MemberChange, reply: Sender<ChangeOutcome>) {
        if self.lead.is_none() {
            return answer(reply, ChangeOutcome::NotLeader { leader: self.leader() });
        }
        match self.propose_change(change) {
            Ok(()) => self.wait(Waiting::Change(reply)),
            Err(refusal) => answer(reply, ChangeOutcome::Refused(refusal)),
        }
    }

    fn propose_change(&mut self, change: &MemberChange) -> Result<(), ChangeRefusal> {
        let Some(before) = self.descriptor.clone() else {
            return Err(ChangeRefusal::Busy);
        };
        let raft = &self.node.raft;
        let ready = self.role() == Role::Leader && self.grants.is_floor_kept();
        if !ready || raft.has_pending_conf() || raft.lead_transferee.is_some() {
            return Err(ChangeRefusal::Busy);
        }
        let after = before.enter(change)?;
        for step in &change.changes {
            self.check_step(&before, *step)?;
        }
        let raft = raft_change(&before, &after);
        self.node.propose_conf_change(codec::encode(change), raft).map_err(|_| ChangeRefusal::Busy)?;
        self.watch_members();
        Ok(())
    }

    fn check_step(&self, before: &RangeDescriptor, step: ReplicaChange) -> Result<(), ChangeRefusal> {
        match step {
            ReplicaChange::Remove(node) if before.replica_on(node).is_some_and(|r| r.replica == self.replica) => {
                Err(ChangeRefusal::Leads(node))
            }
            ReplicaChange::Promote(node) => {
                let replica = before.replica_on(node).map(|member| member.replica);
                let ready = replica.is_some_and(|replica| self.keeps_up(replica));
                if ready { Ok(()) } else { Err(ChangeRefusal::Behind(node)) }
            }
            _ => Ok(()),
        }
    }

    /// Whether a follower receives the log and is near its end.
    fn keeps_up(&self, replica: ReplicaId) -> bool {
        let last = raft_last(&self.node);
        self.node
            .raft
            .prs()
            .get(replica.0)
            .is_some_and(|progress| progress.state == ProgressState::Replicate && progress.matched + KEEPS_UP >= last)
    }

    /// Hands leadership to the best of the remaining voters: raft-rs cannot lead a group that it is no member of.
    fn step_down(&mut self, remaining: &RangeDescriptor) {
        let matched = |id: u64| self.node.raft.prs().get(id).map_or(0, |progress| progress.matched);
        let voters = remaining.conf_state().voters;
        let next = voters.into_iter().max_by_key(|id| (matched(*id), std::cmp::Reverse(*id)));
        if let Some(next) = next {
            self.node.raft.send_timeout_now(next);
        }
        let term = self.term();
        self.node.raft.become_follower(term, raft::INVALID_ID);
        self.observe();
    }

    /// Whether this replica leads, and a majority of the voters knows its membership to be raft-committed.
    pub(super) fn members_settled(&self) -> bool {
        let (Some(lead), Some(descriptor)) = (self.lead, &self.descriptor) else {
            return false;
        };
        let known = lead.start.max(self.conf_index);
        if descriptor.is_joint() || self.applied() < known {
            return false;
        }
        let progress = self.node.raft.prs();
        let knows = |id: &u64| {
            *id == self.replica.0 || progress.get(*id).is_some_and(|progress| progress.committed_index >= known)
        };
        let voters = descriptor.conf_state().voters;
        voters.iter().filter(|id| knows(id)).count() * 2 > voters.len()
    }

    /// Hands leadership to `node`, if its replica votes and keeps up; otherwise nothing happens.
    pub(super) fn transfer_leader(&mut self, node: NodeId) {
        let Some(descriptor) = self.descriptor.as_ref().filter(|_| self.lead.is_some()) else {
            return;
        };
        let votes = [ReplicaRole::Voter, ReplicaRole::Incoming];
        let target = descriptor.replica_on(node).filter(|member| votes.contains(&member.role));
        if let Some(replica) = target.map(|member| member.replica).filter(|replica| self.keeps_up(*replica)) {
            self.node.transfer_leader(replica.0);
            self.observe();
        }
    }
}

impl Store {
    /// Makes raft-rs follow a descriptor that was applied by the entry at `index`.
    pub(super) fn on_members(
        &mut self,
        range: RangeId,
        index: u64,
        change: &ConfChangeV2,
        descriptor: Arc<RangeDescriptor>,
    ) -> Result<(), Error> {
        let Some(peer) = self.touch(range) else { return Ok(()) };
        if peer.lead.is_some() && descriptor.replica(peer.replica).is_none() {
            peer.step_down(&descriptor);
        }
        let state = peer.node.apply_conf_change(change);
        let follows = state.as_ref().is_ok_and(|state| same_members(state, &descriptor));
        if !follows {
            return Err(Error::Damaged(format!("{range}: membership {state:?} does not follow {descriptor:?}")));
        }
        peer.conf_index = index;
        peer.set_descriptor(descriptor);
        peer.observe();
        Ok(())
    }
}

fn same_members(state: &raft::eraftpb::ConfState, descriptor: &RangeDescriptor) -> bool {
    let expected = descriptor.conf_state();
    let same = |left: &[u64], right: &[u64]| {
        let (mut left, mut right) = (left.to_vec(), right.to_vec());
        left.sort_unstable();
        right.sort_unstable();
        left == right
    };
    same(&state.voters, &expected.voters)
        && same(&state.voters_outgoing, &expected.voters_outgoing)
        && same(&state.learners, &expected.learners)
}
