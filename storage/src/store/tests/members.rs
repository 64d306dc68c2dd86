//! Growing, shrinking, leaving.

use super::world::*;
use crate::range::{ChangeRefusal, ReplicaChange, local};
use crate::store::event::{ChangeOutcome, Event};
use crate::{NodeId, ReplicaId, ReplicaRole};

fn roles(world: &World, node: u64) -> Vec<(u64, ReplicaRole)> {
    let view = world.nodes[&NodeId(node)].handle.view(R).unwrap();
    view.descriptor.replicas.iter().map(|member| (member.replica.0, member.role)).collect()
}

#[test]
fn one_replica_grows_to_three_and_shrinks_to_two() {
    let mut world = World::new(3, &[1], settings());
    for n in 0..50 {
        world.write(R, vec![put(&format!("k{n}"), "v")]);
    }
    world.grow(2);
    world.grow(3);
    assert_eq!(roles(&world, 3), [(1, ReplicaRole::Voter), (2, ReplicaRole::Voter), (3, ReplicaRole::Voter)]);
    world.write(R, vec![put("after", "1")]);
    world.assert_equal(R, 3);

    assert_eq!(world.leader(R), Some(NodeId(1)));
    let own = world.change(&[ReplicaChange::Remove(NodeId(1))]);
    assert_eq!(own, ChangeOutcome::Refused(ChangeRefusal::Leads(NodeId(1))));
    world.give(NodeId(1), vec![Event::TransferLeader { range: R, to: NodeId(3) }]);
    world.settle();
    assert!(matches!(world.change(&[ReplicaChange::Remove(NodeId(1))]), ChangeOutcome::Applied(_)));
    world.tick(200);
    assert_eq!(roles(&world, 2), [(2, ReplicaRole::Voter), (3, ReplicaRole::Voter)]);
    assert_eq!(world.node(1).removed, [R]);
    let state = local::load(world.node(1).engine.as_ref(), R).unwrap();
    assert_eq!(state, local::LocalState { tombstone: Some(ReplicaId(4)), ..Default::default() });
    assert_eq!(world.node(1).data(&descriptor(&[1]).span), []);
    world.assert_equal(R, 2);

    world.grow(1);
    assert_eq!(roles(&world, 1).last(), Some(&(3, ReplicaRole::Voter)));
    assert!(roles(&world, 1).contains(&(4, ReplicaRole::Voter)), "a returning node has a new replica id");
    world.assert_equal(R, 3);
}

#[test]
fn a_voter_is_replaced_through_one_joint_change() {
    let mut world = World::new(4, &[1, 2, 3], settings());
    world.write(R, vec![put("a", "1")]);
    let leader = world.elect(R);
    let out = world.nodes.keys().copied().find(|id| *id != leader && id.0 != 4).unwrap();
    assert!(matches!(world.change(&[ReplicaChange::AddLearner(NodeId(4))]), ChangeOutcome::Applied(_)));
    world.tick(10);
    let steps = [ReplicaChange::Promote(NodeId(4)), ReplicaChange::Remove(out)];
    let ChangeOutcome::Applied(joint) = world.change(&steps) else { panic!("the change was refused") };
    assert!(joint.is_joint());
    world.tick(200);
    let members: Vec<NodeId> =
        world.nodes[&leader].handle.view(R).unwrap().descriptor.replicas.iter().map(|r| r.node).collect();
    assert!(members.contains(&NodeId(4)) && !members.contains(&out) && members.len() == 3);
    assert_eq!(world.nodes[&out].removed, [R]);
    world.write(R, vec![put("a", "2")]);
    world.assert_equal(R, 3);
}

#[test]
fn a_joint_change_survives_the_loss_of_its_leader() {
    for seed in 0..10 {
        let mut world = World::new(4, &[1, 2, 3], crate::store::StoreSettings { seed, ..settings() });
        world.write(R, vec![put("a", "1")]);
        let leader = world.elect(R);
        let out = world.nodes.keys().copied().find(|id| *id != leader && id.0 != 4).unwrap();
        world.change(&[ReplicaChange::AddLearner(NodeId(4))]);
        world.tick(10);
        let conf_ver = world.nodes[&leader].handle.view(R).unwrap().descriptor.conf_ver;
        let changes = vec![ReplicaChange::Promote(NodeId(4)), ReplicaChange::Remove(out)];
        let change = crate::range::MemberChange { conf_ver, changes };
        let (reply, _answer) = tokio::sync::oneshot::channel();
        world.give(leader, vec![Event::ChangeReplicas { range: R, change, reply }]);
        for _ in 0..world.random(12) {
            world.deliver();
            let ids: Vec<NodeId> = world.nodes.keys().copied().collect();
            for id in ids {
                world.nodes.get_mut(&id).unwrap().apply_one();
                world.give(id, vec![]);
            }
        }
        world.crash(leader, 0);
        world.cut.insert(leader);
        world.tick(100);
        world.cut.clear();
        world.tick(200);
        world.write(R, vec![put("a", "2")]);
        let now = world.elect(R);
        let found = world.nodes[&now].handle.view(R).unwrap().descriptor;
        assert!(!found.is_joint(), "seed {seed}: {found:?}");
        world.assert_equal(R, 3);
    }
}

#[test]
fn a_replica_that_missed_its_removal_learns_of_it() {
    let mut world = World::new(3, &[1, 2, 3], settings());
    world.write(R, vec![put("a", "1")]);
    let leader = world.elect(R);
    let out = world.nodes.keys().copied().find(|id| *id != leader).unwrap();
    world.cut.insert(out);
    assert!(matches!(world.change(&[ReplicaChange::Remove(out)]), ChangeOutcome::Applied(_)));
    world.tick(50);
    assert!(world.nodes[&out].handle.view(R).is_some());
    world.cut.clear();
    world.tick(100);
    assert_eq!(world.nodes[&out].removed, [R]);
    world.assert_equal(R, 2);
}

#[test]
fn changes_are_refused_while_they_cannot_be_made() {
    let mut world = World::new(2, &[1], settings());
    world.elect(R);
    let absent = world.change(&[ReplicaChange::Promote(NodeId(2))]);
    assert_eq!(absent, ChangeOutcome::Refused(ChangeRefusal::Absent(NodeId(2))));
    world.cut.insert(NodeId(2));
    assert!(matches!(world.change(&[ReplicaChange::AddLearner(NodeId(2))]), ChangeOutcome::Applied(_)));
    let behind = world.change(&[ReplicaChange::Promote(NodeId(2))]);
    assert_eq!(behind, ChangeOutcome::Refused(ChangeRefusal::Behind(NodeId(2))));
}
