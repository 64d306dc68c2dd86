//! Proposals, guards, confirmations, elections and splits.

use super::world::*;
use crate::keys::local_key;
use crate::range::local::FLOOR;
use crate::store::event::Event;
use crate::store::{Role, StoreSettings};
use crate::{Command, Expect, Guard, Keyspace, NodeId, Op, Outcome, RangeId};
use tokio::sync::oneshot::{Receiver, channel};

fn guard(name: &str, expect: Expect) -> Guard {
    Guard { keyspace: Keyspace::Data, key: key(name), expect }
}

fn confirm(world: &mut World, node: NodeId, term: u64) -> Receiver<bool> {
    let (reply, answer) = channel();
    world.give(node, vec![Event::Confirm { range: R, term, reply }]);
    answer
}

#[test]
fn a_single_voter_leads_at_once_and_answers_after_apply() {
    let mut world = World::new(1, &[1], settings());
    world.settle();
    let one = NodeId(1);
    assert_eq!(world.leader(R), Some(one));
    let roles: Vec<Role> = world.node(1).roles.iter().map(|change| change.role.clone()).collect();
    assert_eq!(roles, [Role::Candidate, Role::Leader]);

    let command = world.command(one, R, vec![put("a", "1")]);
    let term = command.term;
    assert_eq!(world.propose(one, R, command), Outcome::Applied { index: 12 });
    assert_eq!(world.value(one, "a").as_deref(), Some("1"));
    assert_eq!(world.nodes[&one].handle.view(R).unwrap().applied, 12);

    let mut answer = confirm(&mut world, one, term);
    assert_eq!(answer.try_recv(), Ok(true));
    let mut stale = confirm(&mut world, one, term - 1);
    assert_eq!(stale.try_recv(), Ok(false));
}

#[test]
fn guards_see_earlier_entries_of_the_same_batch() {
    let mut world = World::new(1, &[1], settings());
    let one = world.elect(R);
    let base = world.command(one, R, vec![]);
    let with = |guards: Vec<Guard>, ops: Vec<Op>| Command { guards, ops, ..base.clone() };
    let commands = [
        with(vec![guard("a", Expect::Absent)], vec![put("a", "v1:x")]),
        with(vec![guard("a", Expect::Absent)], vec![put("a", "lost")]),
        with(vec![guard("b", Expect::Absent), guard("a", Expect::Equals(b"v1:y".to_vec()))], vec![put("a", "lost")]),
        with(vec![guard("a", Expect::StartsWith(b"v1".to_vec()))], vec![put("a", "v2:z")]),
        Command { generation: 2, ..with(vec![], vec![put("a", "lost")]) },
        Command { term: 99, ..with(vec![], vec![put("a", "lost")]) },
    ];
    let (mut events, mut answers) = (Vec::new(), Vec::new());
    for command in commands {
        let (reply, answer) = channel();
        events.push(Event::Propose { range: R, command, reply });
        answers.push(answer);
    }
    world.give(one, events);
    world.settle();
    let outcomes: Vec<Outcome> = answers.iter_mut().map(|answer| answer.try_recv().unwrap()).collect();
    let expected = [
        Outcome::Applied { index: 12 },
        Outcome::GuardFailed { guard: 0 },
        Outcome::GuardFailed { guard: 1 },
        Outcome::Applied { index: 15 },
        Outcome::GenerationMismatch(Box::new(descriptor(&[1]))),
        Outcome::NotLeader { leader: None },
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(world.value(one, "a").as_deref(), Some("v2:z"));
}

#[test]
fn three_replicas_elect_replicate_and_confirm() {
    let mut world = World::new(3, &[1, 2, 3], settings());
    let leader = world.elect(R);
    for n in 0..20 {
        world.write(R, vec![put(&format!("k{n}"), "v")]);
    }
    let term = world.nodes[&leader].handle.view(R).unwrap().term;
    let (mut first, mut second) = (confirm(&mut world, leader, term), confirm(&mut world, leader, term));
    assert!(first.try_recv().is_err(), "confirmed before a quorum answered");
    world.settle();
    assert_eq!((first.try_recv(), second.try_recv()), (Ok(true), Ok(true)));
    let follower = world.nodes.keys().copied().find(|id| *id != leader).unwrap();
    let command = world.command(follower, R, vec![put("x", "y")]);
    assert_eq!(world.propose(follower, R, command), Outcome::NotLeader { leader: Some(leader) });
    world.assert_equal(R, 3);
}

#[test]
fn a_leader_without_a_quorum_says_so() {
    let mut world = World::new(3, &[1, 2, 3], settings());
    let leader = world.elect(R);
    world.write(R, vec![put("a", "1")]);
    let term = world.nodes[&leader].handle.view(R).unwrap().term;
    world.cut.insert(leader);
    let command = world.command(leader, R, vec![put("a", "2")]);
    let mut proposal = world.start(leader, R, command);
    let mut confirmed = confirm(&mut world, leader, term);
    world.tick(45);
    assert_eq!(proposal.try_recv(), Ok(Outcome::Ambiguous));
    assert_eq!(confirmed.try_recv(), Ok(false));
    let next = world.elect(R);
    assert_ne!(next, leader);
    world.write(R, vec![put("a", "3")]);
    world.cut.clear();
    world.assert_equal(R, 3);
    assert_eq!(world.value(leader, "a").as_deref(), Some("3"));
}

#[test]
fn the_same_seed_replays_the_same_run() {
    let run = |seed| {
        let mut world = World::new(3, &[1, 2, 3], StoreSettings { seed, ..settings() });
        for _ in 0..4 {
            let leader = world.elect(R);
            world.write(R, vec![put("a", "1")]);
            world.cut = [leader].into();
            world.tick(60);
        }
        let roles = world.nodes.values().map(|node| node.roles.clone()).collect::<Vec<_>>();
        format!("{roles:?}")
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn leadership_is_handed_over_on_request() {
    let mut world = World::new(3, &[1, 2, 3], settings());
    let leader = world.elect(R);
    world.write(R, vec![put("a", "1")]);
    let to = world.nodes.keys().copied().find(|id| *id != leader).unwrap();
    world.give(leader, vec![Event::TransferLeader { range: R, to }]);
    world.settle();
    assert_eq!(world.leader(R), Some(to));
}

#[test]
fn a_split_gives_both_sides_and_inherits_floors() {
    let mut world = World::new(3, &[1, 2, 3], settings());
    let floor = [FLOOR, b"id"].concat();
    let put_floor = Op::Put { keyspace: Keyspace::Local, key: local_key(R, &floor), value: b"77".to_vec() };
    world.write(R, vec![put("a", "1"), put("x", "1"), put_floor]);
    let right = RangeId(9);
    assert!(matches!(world.split("m", right), Outcome::Applied { .. }));
    let leader = world.elect(right);
    assert_eq!(leader, world.elect(R), "the leader of the left side campaigns for the right one");
    let (left, view) = (world.nodes[&leader].handle.view(R).unwrap(), world.nodes[&leader].handle.view(right).unwrap());
    assert_eq!((left.descriptor.generation, view.descriptor.generation), (2, 2));
    assert_eq!((left.descriptor.span.end.clone(), view.descriptor.span.start.clone()), (key("m"), key("m")));
    let stale = Command { generation: 1, ..world.command(leader, R, vec![put("a", "lost")]) };
    assert!(matches!(world.propose(leader, R, stale), Outcome::GenerationMismatch(_)));
    assert!(matches!(world.split("z", RangeId(10)), Outcome::GenerationMismatch(_)), "the key is not inside");
    world.write(R, vec![put("a", "2")]);
    world.write(right, vec![put("x", "2")]);
    world.assert_equal(R, 3);
    world.assert_equal(right, 3);
    for node in world.nodes.values() {
        let inherited = node.engine.scan(Keyspace::Local, &crate::Span::point(&local_key(right, &floor)));
        assert_eq!(inherited.count(), 1);
    }
    for id in [1, 2, 3] {
        world.crash(NodeId(id), 0);
    }
    world.write(R, vec![put("b", "3")]);
    world.write(right, vec![put("y", "3")]);
    world.assert_equal(R, 3);
    world.assert_equal(right, 3);
    assert_eq!(world.value(leader, "x").as_deref(), Some("2"));
}

use crate::engine::Engine;
