//! Counters that everybody raises: no acknowledged step is lost, none is made twice, and whoever begins after an
//! acknowledgement sees it. Steps of unknown outcome are asked for by their commit tokens.

use super::world::{World, key};
use crate::{Client, CommitToken, Error, LockMode, LockWait, TxnOptions, TxnStatus};
use parking_lot::Mutex;
use std::sync::Arc;

const COUNTERS: usize = 2;

/// Steps acknowledged, and the tokens of steps of unknown outcome, over all clients.
#[derive(Clone, Debug, Default)]
struct Known {
    done: u64,
    unknown: Vec<CommitToken>,
}

fn number(bytes: Option<bytes::Bytes>) -> u64 {
    bytes.map_or(0, |bytes| u64::from_be_bytes(bytes.as_ref().try_into().unwrap()))
}

/// Raises all counters by one; they lie in different ranges when `ranges` says so. Gives what was there before.
async fn raise(client: &Client, keys: &[Vec<u8>], lock: bool, known: &Mutex<Known>) -> Result<(), Error> {
    let least = known.lock().done;
    let mut txn = client.begin(TxnOptions::default()).await?;
    let lock = lock.then_some((LockMode::Update, LockWait::Wait));
    for key in keys {
        let now = number(txn.get(key, lock).await?);
        assert!(now >= least, "{least} were acknowledged before a reader that saw {now}");
        txn.put(key.clone(), (now + 1).to_be_bytes().to_vec());
    }
    let token = txn.token();
    let ended = txn.commit().await.map(drop);
    if ended == Err(Error::Ambiguous) {
        known.lock().unknown.extend(token);
    }
    ended
}

async fn run(seed: u64, nodes: u64, ranges: usize, lock: bool) {
    let world = World::new(seed, nodes).await;
    let keys: Vec<Vec<u8>> = (0..COUNTERS).map(|counter| key(counter % ranges, &format!("{counter}"))).collect();
    let known = Arc::new(Mutex::new(Known::default()));
    let nemesis = (nodes > 1).then(|| world.cut_off_in_turn());
    let mut clients = tokio::task::JoinSet::new();
    for client in world.clients.iter().cycle().take(4) {
        let (client, keys, known) = (client.clone(), keys.clone(), known.clone());
        clients.spawn(async move {
            for _ in 0..120 {
                match raise(&client, &keys, lock, &known).await {
                    Ok(()) => known.lock().done += 1,
                    Err(Error::Ambiguous | Error::Retry(_) | Error::Unavailable(_)) => {}
                    Err(error) => panic!("seed {seed}: {error}"),
                }
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    if let Some(nemesis) = nemesis {
        nemesis.abort();
    }
    world.hub.heal();
    world.runtime.sleep(std::time::Duration::from_secs(10)).await;
    let known = known.lock().clone();
    let mut found = 0;
    for token in &known.unknown {
        found += u64::from(world.clients[0].status(token).await.unwrap() != TxnStatus::Aborted);
    }
    let last = number(world.value(&keys[0]).await);
    assert_eq!(last, number(world.value(&keys[COUNTERS - 1]).await), "seed {seed}");
    assert_eq!(last, known.done + found, "seed {seed}: {known:?}");
    assert!(known.done > 20, "seed {seed}: {known:?}");
}

#[tokio::test(start_paused = true)]
async fn count_exactly_on_one_node() {
    run(51, 1, 1, false).await;
    run(52, 1, 2, true).await;
}

#[tokio::test(start_paused = true)]
async fn count_exactly_while_nodes_are_cut_off() {
    for seed in 60..64 {
        run(seed, 3, 1 + seed as usize % 2, seed % 4 < 2).await;
    }
}
