//! A coordinator that dies between two phases: how long its locks stay, and what becomes of the transaction, with every
//! range in reach and with one that is not.

use super::world::{World, key, vote};
use crate::api::{RecordKey, Reply, Request};
use crate::{Ballot, CommitProtocol};
use bytes::Bytes;
use std::time::Duration;

/// What the coordinator had reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// Path FAST: all participants voted.
    Voted,
    /// Three-phase commit: all participants voted.
    CanCommit,
    /// And all accepted the commit.
    PreCommit,
}

/// A transaction that writes `name` in all three ranges, left behind by its coordinator.
async fn leave(world: &World, reached: Reached, name: &str) {
    let (client, txn) = (&world.clients[0], world.begin().await);
    let participants: Vec<Vec<u8>> = (0..3).map(|range| key(range, name)).collect();
    let commit_id = client.oracle().fresh_commit_id().await.unwrap().commit_id;
    let fast = (reached == Reached::Voted).then_some(commit_id);
    for (at, part_key) in participants.iter().enumerate() {
        let request = vote(&txn, &participants, at, fast);
        let voted = client.router().send_to_key(part_key, || request.clone()).await;
        assert!(matches!(voted, Ok(Reply::Register(_))));
    }
    if reached == Reached::PreCommit {
        let commit_id = client.oracle().fresh_commit_id().await.unwrap().commit_id;
        for part_key in participants {
            let record = RecordKey { part_key: part_key.clone(), attempt: txn.attempt() };
            let make = || Request::PreCommit { record: record.clone(), ballot: Ballot::default(), commit_id };
            assert!(matches!(client.router().send_to_key(&part_key, make).await, Ok(Reply::Register(_))));
        }
    }
}

/// Waits until `name` can be read in these ranges, past everything undecided; then what it is, and how long that took.
async fn read(world: &World, ranges: &[usize], name: &str) -> (Vec<Option<Bytes>>, Duration) {
    world.write(&[(&key(0, "later"), "")]).await;
    let began = world.runtime.now();
    for range in ranges {
        world.value(&key(*range, name)).await;
    }
    let took = world.runtime.now() - began;
    let mut values = Vec::new();
    for range in ranges {
        values.push(world.value(&key(*range, name)).await);
    }
    (values, took)
}

fn new() -> Option<Bytes> {
    Some(Bytes::from_static(b"new"))
}

#[tokio::test(start_paused = true)]
async fn its_locks_are_gone_within_three_seconds() {
    let world = World::new(61, 3).await;
    for (reached, name) in [(Reached::Voted, "a"), (Reached::CanCommit, "b"), (Reached::PreCommit, "c")] {
        leave(&world, reached, name).await;
        let (values, took) = read(&world, &[0, 1, 2], name).await;
        assert_eq!(values, [new(), new(), new()], "{reached:?}");
        println!("{reached:?}: locked for {took:?}");
        assert!(took < Duration::from_secs(3), "{reached:?}: {took:?}");
    }
}

/// The last range's only node is cut off. A majority decides three-phase commit; one-round commit needs everybody.
#[tokio::test(start_paused = true)]
async fn with_a_range_cut_off_three_phases_free_the_others_and_one_round_waits() {
    for (reached, expected) in [(Reached::CanCommit, None), (Reached::PreCommit, new())] {
        let world = World::with_a_range_apart(62, 3).await;
        leave(&world, reached, "a").await;
        world.cut_off(4);
        let (values, took) = read(&world, &[0, 1], "a").await;
        println!("{reached:?}, a range cut off: locked for {took:?}");
        assert_eq!(values, [expected.clone(), expected.clone()], "{reached:?}");
        assert!(took < Duration::from_secs(4), "{reached:?}: {took:?}");
        world.hub.heal();
        assert_eq!(read(&world, &[0, 1, 2], "a").await.0, vec![expected; 3], "{reached:?}");
    }
    let world = World::with_a_range_apart(63, 3).await;
    leave(&world, Reached::Voted, "a").await;
    world.cut_off(4);
    assert!(world.runtime.timeout(Duration::from_secs(30), read(&world, &[0, 1], "a")).await.is_none());
    world.hub.heal();
    let (values, took) = read(&world, &[0, 1, 2], "a").await;
    println!("{:?}: locked for {took:?} after the range is back", Reached::Voted);
    assert_eq!(values, [new(), new(), new()]);
}

/// Two ranges decide with an arbiter: one of them can be lost.
#[tokio::test(start_paused = true)]
async fn with_one_of_two_ranges_cut_off_the_arbiter_frees_the_other() {
    let world = World::with_a_range_apart(64, 3).await;
    let brake = world.clients[0].coordinator().brake();
    brake.pull();
    let mut txn = world.begin().await;
    txn.set_commit_protocol(CommitProtocol::ThreePhase);
    for range in [0, 2] {
        txn.put(key(range, "a"), b"new".to_vec());
    }
    let held = tokio::select! {
        ended = txn.commit() => panic!("not held: {ended:?}"),
        held = brake.held() => held,
    };
    assert!(held.is_some());
    drop(txn);
    world.cut_off(4);
    let (values, took) = read(&world, &[0], "a").await;
    assert_eq!(values, [None], "a quorum without the other knows of no proposal");
    assert!(took < Duration::from_secs(4), "{took:?}");
    world.hub.heal();
    assert_eq!(read(&world, &[0, 2], "a").await.0, [None, None]);
    // The arbiter has heard of it, and forgets it with the others.
    world.runtime.sleep(Duration::from_secs(3)).await;
    let in_doubt: Vec<_> = world.clients[0].inspect().await.into_iter().flat_map(|(_, all)| all.in_doubt).collect();
    assert_eq!(in_doubt, []);
}
