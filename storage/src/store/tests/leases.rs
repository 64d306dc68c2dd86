//! Bounds of reads: granted by a quorum, told with votes, kept over a crash, taken away while the range changes.

use super::world::*;
use crate::log::LogStore;
use crate::range::{Admin, ChangeRefusal, MemberChange, ReplicaChange};
use crate::store::event::{ChangeOutcome, Event};
use crate::store::lease::Said;
use crate::store::{Lease, RaftBody, Role, StoreSettings};
use crate::{Command, NodeId, Outcome, RangeId, ReplicaDescriptor, ReplicaId, ReplicaRole};
use std::sync::Arc;
use tokio::sync::oneshot::channel;

/// What the newest leader is granted, and who that is.
fn lease(world: &mut World) -> (NodeId, Arc<Lease>) {
    let leader = world.elect(R);
    let view = world.nodes[&leader].handle.view(R).unwrap();
    (leader, world.nodes[&leader].handle.lease(R, view.term).unwrap())
}

/// A read at `id` that the bound does not cover: a round.
fn read(world: &mut World, leader: NodeId, lease: &Lease, id: u64) {
    lease.saw(id);
    let (reply, _answer) = channel();
    world.give(leader, vec![Event::Confirm { range: R, term: lease.term(), reply }]);
}

fn others(world: &World, leader: NodeId) -> [NodeId; 2] {
    let others: Vec<NodeId> = world.nodes.keys().copied().filter(|id| *id != leader).collect();
    others.try_into().unwrap()
}

/// The greatest bound that heartbeats under way ask for.
fn asked(world: &World) -> u64 {
    let raft = world.queue.iter().filter_map(|(_, _, parcel)| match parcel {
        Parcel::Raft(messages) => Some(messages),
        Parcel::Image(_) => None,
    });
    let grants = raft.flatten().filter_map(|message| match message.body {
        RaftBody::Heartbeat { grant, .. } => Some(grant),
        _ => None,
    });
    grants.max().unwrap()
}

/// Messages are delivered, but `lagging` applies nothing.
fn run_without_applying(world: &mut World, lagging: NodeId) {
    for _ in 0..40 {
        world.deliver();
        let ids: Vec<NodeId> = world.nodes.keys().copied().filter(|id| *id != lagging).collect();
        for id in ids {
            world.nodes.get_mut(&id).unwrap().apply_one();
            world.give(id, vec![]);
        }
    }
}

/// Of three voters one leads, with a bound of 1,064 that it and `with` have granted, and nobody hears the leader any more.
/// `alone` granted nothing, and leads next.
fn handed_over(crashes: bool) -> (World, Arc<Lease>, Arc<Lease>) {
    let mut world = World::new(3, &[1, 2, 3], settings());
    let (leader, old) = lease(&mut world);
    let [with, alone] = others(&world, leader);
    world.cut.insert(alone);
    read(&mut world, leader, &old, 1_000);
    world.settle();
    assert_eq!(old.bound(), 1_064);
    world.cut = [leader].into();
    if crashes {
        world.crash(with, 0);
    }
    for _ in 0..200 {
        world.give(alone, vec![Event::Campaign { range: R }]);
        world.tick(1);
        if world.nodes[&alone].handle.view(R).unwrap().role == Role::Leader {
            let (now, new) = lease(&mut world);
            assert_eq!(now, alone);
            return (world, old, new);
        }
    }
    panic!("{alone} was not elected");
}

#[test]
fn one_round_brings_a_bound_and_heartbeats_keep_it_ahead() {
    let mut world = World::new(3, &[1, 2, 3], settings());
    let (leader, lease) = lease(&mut world);
    assert_eq!((lease.voted(), lease.bound()), (0, 0));
    read(&mut world, leader, &lease, 1_000);
    world.settle();
    assert_eq!(lease.bound(), 1_064);
    for node in world.nodes.values() {
        assert_eq!(node.log.granted().unwrap(), 1_064 + (1 << 20), "durable before it is acknowledged");
    }
    world.tick(20);
    assert_eq!(lease.bound(), 1_064, "a range that is not read asks for nothing");
    for seen in [1_100, 1_200, 1_300] {
        lease.saw(seen);
        world.tick(2);
    }
    assert_eq!(lease.bound(), 1_500, "two heartbeats ahead");
    world.cut = others(&world, leader).into();
    read(&mut world, leader, &lease, 5_000);
    world.tick(4);
    assert_eq!(lease.bound(), 1_500, "no quorum, nothing new");
    world.tick(40);
    assert_eq!(lease.bound(), 0, "it leads no more");
}

#[test]
fn a_bound_needs_a_quorum_and_one_voter_needs_none() {
    let mut world = World::new(3, &[1, 2, 3], settings());
    let (leader, lease_of_three) = lease(&mut world);
    world.cut = others(&world, leader).into();
    read(&mut world, leader, &lease_of_three, 1_000);
    world.settle();
    assert_eq!(lease_of_three.bound(), 0);

    let mut world = World::new(1, &[1], settings());
    let (leader, lease) = lease(&mut world);
    read(&mut world, leader, &lease, 1_000);
    world.tick(4);
    assert_eq!((lease.bound(), world.node(1).log.granted().unwrap()), (0, 0));
}

#[test]
fn leases_can_be_left_out() {
    let mut world = World::new(3, &[1, 2, 3], StoreSettings { leases: false, ..settings() });
    let (leader, lease) = lease(&mut world);
    read(&mut world, leader, &lease, 1_000);
    world.tick(10);
    assert_eq!((lease.bound(), world.node(1).log.granted().unwrap()), (0, 0));
}

#[test]
fn the_votes_tell_of_the_bound() {
    let (_world, old, new) = handed_over(false);
    assert!(new.term() > old.term());
    assert_eq!(new.voted(), 1_064, "its own bound was never asked for");
}

#[test]
fn a_voter_that_was_restarted_tells_of_what_it_may_have_granted() {
    let (_world, _old, new) = handed_over(true);
    assert_eq!(new.voted(), 1_064 + (1 << 20));
}

#[test]
fn members_change_only_once_the_floor_is_in_the_log() {
    let (mut world, _old, new) = handed_over(false);
    let out = world.elect(R);
    let out = others(&world, out)[0];
    let refused = world.change(&[ReplicaChange::Remove(out)]);
    assert_eq!(refused, ChangeOutcome::Refused(ChangeRefusal::Busy));
    new.keep_floor();
    assert!(matches!(world.change(&[ReplicaChange::Remove(out)]), ChangeOutcome::Applied(_)));
}

#[test]
fn a_split_takes_the_bound_away_until_its_leader_has_applied_it() {
    let mut world = World::new(3, &[1, 2, 3], settings());
    let (leader, lease) = lease(&mut world);
    read(&mut world, leader, &lease, 1_000);
    world.settle();
    let admin = Some(Admin::Split { key: key("m"), right: RangeId(9) });
    let command = Command { admin, ..world.command(leader, R, vec![]) };
    let mut answer = world.start(leader, R, command);
    assert_eq!(lease.bound(), 0);
    read(&mut world, leader, &lease, 1_001);
    run_without_applying(&mut world, leader);
    read(&mut world, leader, &lease, 1_002);
    run_without_applying(&mut world, leader);
    assert_eq!(lease.bound(), 0, "applied by others, not by the leader");
    world.settle();
    assert!(matches!(answer.try_recv().unwrap(), Outcome::Applied { .. }));
    assert_eq!(lease.bound(), 0, "what was asked for before");
    read(&mut world, leader, &lease, 1_003);
    world.settle();
    assert_eq!(lease.bound(), 1_067);
}

#[test]
fn a_change_of_members_takes_the_bound_away_until_its_leader_has_applied_it() {
    let mut world = World::new(4, &[1, 2, 3], settings());
    let (leader, lease) = lease(&mut world);
    world.grow(4);
    read(&mut world, leader, &lease, 1_000);
    world.settle();
    assert_eq!(lease.bound(), 1_064);
    let out = world.nodes.keys().copied().find(|id| *id != leader).unwrap();
    let conf_ver = world.nodes[&leader].handle.view(R).unwrap().descriptor.conf_ver;
    let change = MemberChange { conf_ver, changes: vec![ReplicaChange::Remove(out)] };
    let (reply, mut answer) = channel();
    world.give(leader, vec![Event::ChangeReplicas { range: R, change, reply }]);
    assert_eq!(lease.bound(), 0);
    run_without_applying(&mut world, leader);
    read(&mut world, leader, &lease, 1_001);
    assert_eq!(asked(&world), 0);
    run_without_applying(&mut world, leader);
    assert_eq!(lease.bound(), 0);
    world.settle();
    assert!(matches!(answer.try_recv().unwrap(), ChangeOutcome::Applied(_)));
    world.tick(10);
    read(&mut world, leader, &lease, 1_002);
    world.settle();
    assert_eq!(lease.bound(), 1_066);
}

#[test]
fn nothing_counts_that_is_not_durable_or_of_another_term() {
    let mut world = World::new(3, &[1, 2, 3], settings());
    let (leader, lease) = lease(&mut world);
    let [one, other] = others(&world, leader);
    let term = lease.term();
    let voter = world.node(one.0).store.peers.get_mut(&R).unwrap();
    voter.after_step(term - 1, &Said::Grant(900));
    let mut said = |term: u64, granted: u64, durable: u64| {
        voter.after_step(term, &Said::Grant(granted));
        let mut replies = [term, term - 1].map(|of| {
            let mut reply = RaftBody::HeartbeatReply { commit: 0, round: None, granted: 0 };
            voter.speak(of, &mut reply, durable);
            reply
        });
        replies.sort_by_key(|reply| format!("{reply:?}"));
        replies
    };
    let reply = |granted| RaftBody::HeartbeatReply { commit: 0, round: None, granted };
    assert_eq!(said(term, 0, 5_000), [reply(0), reply(0)], "granted to an earlier term");
    assert_eq!(said(term, 1_000, 400), [reply(0), reply(400)], "durable up to there; an earlier term is told nothing");

    lease.saw(1_000);
    let peer = world.node(leader.0).store.peers.get_mut(&R).unwrap();
    peer.ask_for_bound();
    peer.after_step(term - 1, &Said::Granted(ReplicaId(other.0), 2_000));
    peer.count_grants(5_000);
    assert_eq!(lease.bound(), 0, "an answer of an earlier term");
    peer.after_step(term, &Said::Granted(ReplicaId(other.0), 2_000));
    peer.count_grants(500);
    assert_eq!(lease.bound(), 500, "its own grant is not durable");
    peer.count_grants(5_000);
    assert_eq!(lease.bound(), 1_064, "never more than it asked for");
}

#[test]
fn a_joint_membership_needs_both_majorities() {
    let mut world = World::new(3, &[1, 2, 3], settings());
    let (leader, lease) = lease(&mut world);
    let [stays, goes] = others(&world, leader);
    let peer = world.node(leader.0).store.peers.get_mut(&R).unwrap();
    let mut joint = peer.descriptor.as_ref().unwrap().as_ref().clone();
    for member in joint.replicas.iter_mut().filter(|member| member.node == goes) {
        member.role = ReplicaRole::Outgoing;
    }
    let comes = ReplicaDescriptor { node: NodeId(4), replica: ReplicaId(4), role: ReplicaRole::Incoming };
    joint.replicas.push(comes);
    peer.set_descriptor(Arc::new(joint));
    lease.saw(1_000);
    peer.ask_for_bound();
    peer.after_step(lease.term(), &Said::Granted(ReplicaId(4), 1_064));
    peer.count_grants(5_000);
    assert_eq!(lease.bound(), 0, "a majority of the new voters only");
    peer.after_step(lease.term(), &Said::Granted(ReplicaId(goes.0), 900));
    peer.count_grants(5_000);
    assert_eq!(lease.bound(), 900);
    peer.after_step(lease.term(), &Said::Granted(ReplicaId(stays.0), 1_064));
    peer.count_grants(5_000);
    assert_eq!(lease.bound(), 1_064);
}
