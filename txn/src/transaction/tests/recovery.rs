//! A coordinator that dies after any number of steps leaves an outcome that is the same everywhere.

use super::world::{World, key, poll_some};
use crate::{CommitPath, CommitProtocol, Reason};
use bytes::Bytes;
use std::pin::pin;
use std::time::Duration;

async fn dies_after(
    world: &World,
    protocol: CommitProtocol,
    polls: usize,
    keys: &[Vec<u8>],
) -> (bool, Vec<Option<Bytes>>) {
    let value = polls.to_string();
    let mut txn = world.begin().await;
    txn.set_commit_protocol(protocol);
    for key in keys {
        txn.put(key.clone(), value.clone().into_bytes());
    }
    let finished = poll_some(&mut pin!(txn.commit()), polls).await;
    drop(txn);
    if let Some(result) = &finished {
        let participants = keys.len();
        let path = match protocol {
            CommitProtocol::ThreePhase => CommitPath::ThreePhase { participants, reason: Reason::Requested },
            _ => CommitPath::Fast { participants },
        };
        assert_eq!(result.clone().unwrap().path, path);
    }
    // Participants wait for a second or two before they recover, and a reader below the commit ID need not wait.
    world.runtime.sleep(Duration::from_secs(5)).await;
    world.write(&[(&key(0, "later"), "")]).await;
    let mut values = Vec::new();
    for key in keys {
        values.push(world.value(key).await.filter(|found| **found == *value.as_bytes()));
    }
    (finished.is_some(), values)
}

async fn every_step(seed: u64, nodes: u64, ranges: usize, protocol: CommitProtocol) {
    let world = World::new(seed, nodes).await;
    let keys: Vec<Vec<u8>> = (0..ranges).map(|range| key(range, "k")).collect();
    let (mut unfinished, mut committed) = (0, 0);
    for polls in 1.. {
        let (finished, values) = dies_after(&world, protocol, polls, &keys).await;
        assert!(values.iter().all(|value| *value == values[0]), "after {polls} polls: {values:?}");
        assert!(!finished || values[0].is_some(), "what was acknowledged is lost");
        unfinished += usize::from(!finished);
        committed += usize::from(!finished && values[0].is_some());
        if finished {
            break;
        }
    }
    let steps = if protocol == CommitProtocol::ThreePhase { 2 } else { 1 };
    assert!(unfinished >= steps && committed >= 1, "{unfinished} were abandoned, {committed} of them committed");
}

#[tokio::test(start_paused = true)]
async fn two_ranges_on_one_node() {
    every_step(21, 1, 2, CommitProtocol::OneRound).await;
    every_step(23, 1, 2, CommitProtocol::ThreePhase).await;
}

#[tokio::test(start_paused = true)]
async fn three_ranges_on_three_nodes() {
    every_step(22, 3, 3, CommitProtocol::OneRound).await;
    every_step(24, 3, 3, CommitProtocol::ThreePhase).await;
}
