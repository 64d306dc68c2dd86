//! The oracle over three nodes: whose answer holds.

use super::world::*;
use crate::oracle::{Ask, Witness};
use crate::service::{Answer, Service as _, kind};
use quorate_net::codec;
use quorate_storage::{NodeId, ReplicaId};
use std::time::Duration;

/// Whether a node says that its replica of r2 is this one, and in this term.
async fn confirms(world: &World, node: u64, witness: Witness) -> bool {
    let server = world.clients[node as usize - 1].server();
    let answer = server.serve(kind::TERM, &codec::encode(&witness)).await.unwrap();
    codec::decode(&answer, answer.len() + 1).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_answer_holds_while_the_asker_is_in_the_term_of_the_one_who_gave_it() {
    let world = World::new(31, 3).await;
    let mut given = Vec::new();
    for (node, asker) in [(1, 2), (2, 3), (3, 1)] {
        let ask = Ask { confirm: true, asker: Some(NodeId(asker)), ..Ask::default() };
        if let Answer::Done(answer) = world.clients[node as usize - 1].oracle().service().serve(&ask).await {
            given.push((node, asker, answer.witness.expect("two of three are enough")));
        }
    }
    let [(leader, asker, witness)] = given[..] else { panic!("one node leads: {given:?}") };
    assert_eq!(witness.replica, ReplicaId(asker));
    assert!(confirms(&world, asker, witness).await);
    assert!(!confirms(&world, leader, witness).await, "that is another replica");
    assert!(!confirms(&world, asker, Witness { term: witness.term - 1, ..witness }).await);

    // Its own answers are confirmed by others, whom it asks.
    let alone = Ask { confirm: true, asker: Some(NodeId(leader)), ..Ask::default() };
    let oracle = world.clients[leader as usize - 1].oracle();
    assert!(matches!(oracle.service().serve(&alone).await, Answer::Done(answer) if answer.witness.is_none()));

    world.cut_off(leader);
    let cut_off = oracle.service().serve(&alone).await;
    assert_eq!(cut_off, Answer::NotReady, "nobody confirms what it says");
    world.runtime.sleep(Duration::from_secs(10)).await;
    let later = world.clients[asker as usize - 1].oracle().fresh_commit_id().await.unwrap();
    assert!(later.commit_id.0 > 0, "another node leads");
    assert!(!confirms(&world, asker, witness).await, "there is a later term");
}

/// Somebody may ask for the past while a new leader begins: its term begins once.
#[tokio::test(start_paused = true)]
async fn a_term_begins_once() {
    let world = World::new(33, 1).await;
    let oracle = world.clients[0].oracle();
    for change in 0..3 {
        oracle.service().forget_term();
        let (first, past) = tokio::join!(oracle.fresh_commit_id(), oracle.read_id_at(0));
        assert_eq!(past, Ok(None), "before all that is remembered");
        let next = oracle.fresh_commit_id().await.unwrap();
        assert!(next.commit_id > first.unwrap().commit_id, "an ID was given out twice at change {change}");
    }
}

/// Who leads and who asks are a majority of three; who leads and asks, asks somebody else if the first is silent.
#[tokio::test(start_paused = true)]
async fn a_dead_node_delays_nobody_who_asks_the_oracle() {
    let world = World::new(32, 3).await;
    let mut leader = 0;
    for node in 1..=3 {
        let ask = Ask::default();
        if let Answer::Done(_) = world.clients[node as usize - 1].oracle().service().serve(&ask).await {
            leader = node;
        }
    }
    let dead = leader % 3 + 1;
    world.cut_off(dead);
    for node in (1..=3).filter(|node| *node != dead) {
        let began = world.runtime.now();
        world.clients[node as usize - 1].oracle().read_id().await.unwrap();
        let took = world.runtime.now() - began;
        assert!(took < Duration::from_millis(100), "node {node} of {leader}'s cluster waited {took:?}");
    }
}
