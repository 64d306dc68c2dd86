//! Transactions that are held: they survive everybody, and are ended by their record alone.

use super::world::{World, key, poll_some};
use crate::api::{Reply, Request};
use crate::held::{Held, Stage};
use crate::{Attempt, CommitProtocol, Error, Finish, Hold, RetryReason, Transaction, TxnOptions};
use bytes::Bytes;
use quorate_net::PeerId;
use quorate_storage::Span;
use std::time::Duration;

/// Records lie in a system range.
const NAME: &[u8] = b"\x03bx";
/// More than a record that was left behind is left alone, and more than silence lasts before recovery.
const LONG: Duration = Duration::from_secs(45);

fn value(text: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(text.as_bytes()))
}

async fn world(seed: u64, nodes: u64) -> World {
    let world = World::new(seed, nodes).await;
    for client in world.clients.clone() {
        world.runtime.spawn(async move { client.look_after_held(Span::new([0x03], [0x10])).await });
    }
    world
}

/// A transaction that writes `text` under `k` in the first `ranges` ranges.
async fn writing(world: &World, ranges: usize, text: &str) -> Transaction {
    let mut txn = world.begin().await;
    for range in 0..ranges {
        txn.put(key(range, "k"), text.as_bytes().to_vec());
    }
    txn
}

async fn prepared(world: &World, ranges: usize, text: &str) -> Attempt {
    let mut txn = writing(world, ranges, text).await;
    assert!(matches!(txn.hold(NAME, Vec::new()).await, Ok(Hold::Prepared(_))));
    txn.attempt()
}

async fn record(world: &World) -> Option<Held> {
    world.clients[0].held(NAME).await.unwrap()
}

/// What can be read of `k` in the first `ranges` ranges, past what is undecided; `None` if that takes long.
async fn values(world: &World, ranges: usize) -> Option<Vec<Option<Bytes>>> {
    world.write(&[(&key(0, "later"), "")]).await;
    let read = async {
        let mut found = Vec::new();
        for range in 0..ranges {
            found.push(world.value(&key(range, "k")).await);
        }
        found
    };
    world.runtime.timeout(Duration::from_secs(4), read).await
}

/// Cuts every node off once, long enough for others to lead its ranges.
async fn everybody_is_cut_off_once(world: &World, nodes: u64) {
    for node in 1..=nodes {
        for other in (1..=nodes).filter(|other| *other != node) {
            world.hub.disconnect(PeerId(node), PeerId(other));
        }
        world.runtime.sleep(Duration::from_secs(8)).await;
        world.hub.heal();
        world.runtime.sleep(Duration::from_secs(2)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_outlives_silence_and_leaders_and_is_committed_from_another_node() {
    for ranges in [1, 3] {
        let world = world(71, 3).await;
        let attempt = prepared(&world, ranges, "new").await;
        everybody_is_cut_off_once(&world, 3).await;
        world.runtime.sleep(LONG).await;
        let Some(Held { stage: Stage::Prepared(commit_id), .. }) = record(&world).await else { panic!() };
        assert_eq!(values(&world, ranges).await, None, "whoever reads what it wrote waits");
        let newer = world.write(&[(&key(2, "other"), "1")]).await.commit_id.unwrap();
        assert!(newer > commit_id);
        assert_eq!(world.clients[2].end_held(NAME, attempt, true).await, Ok(Finish::Done));
        assert_eq!(values(&world, ranges).await, Some(vec![value("new"); ranges]));
        assert_eq!(record(&world).await, None);
        assert_eq!(world.clients[1].end_held(NAME, attempt, true).await, Ok(Finish::Unknown));
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_rolled_back_and_its_name_is_free() {
    let world = world(72, 3).await;
    let attempt = prepared(&world, 3, "new").await;
    let mut second = writing(&world, 0, "").await;
    assert_eq!(second.hold(NAME, Vec::new()).await, Ok(Hold::NameTaken));
    assert_eq!(world.clients[1].end_held(NAME, attempt, false).await, Ok(Finish::Done));
    assert_eq!(values(&world, 3).await, Some(vec![None; 3]));
    assert_eq!(world.clients[1].end_held(NAME, attempt, true).await, Ok(Finish::Unknown));
    let next = prepared(&world, 0, "").await;
    assert_eq!(world.clients[1].end_held(NAME, attempt, true).await, Ok(Finish::Unknown), "another has the name");
    assert_eq!(world.clients[1].end_held(NAME, next, true).await, Ok(Finish::Done));
}

/// Who prepares dies: afterwards it is prepared, with everything locked, or nothing is left.
#[tokio::test(start_paused = true)]
async fn who_prepares_may_die_at_any_step() {
    let (mut gone, mut kept) = (0, 0);
    for polls in 1.. {
        let world = world(73, 3).await;
        let mut txn = writing(&world, 3, "new").await;
        let finished = poll_some(&mut std::pin::pin!(txn.hold(NAME, Vec::new())), polls).await;
        drop(txn);
        world.runtime.sleep(LONG).await;
        match record(&world).await {
            Some(Held { stage: Stage::Prepared(_), attempt, .. }) => {
                kept += 1;
                assert_eq!(values(&world, 3).await, None);
                assert_eq!(world.clients[1].end_held(NAME, attempt, true).await, Ok(Finish::Done));
                assert_eq!(values(&world, 3).await, Some(vec![value("new"); 3]));
            }
            Some(other) => panic!("after {polls} polls: {other:?}"),
            None => {
                gone += 1;
                assert!(finished.is_none(), "what was acknowledged is lost");
                assert_eq!(values(&world, 3).await, Some(vec![None; 3]), "after {polls} polls");
            }
        }
        if finished.is_some() {
            break;
        }
    }
    assert!(gone >= 3 && kept >= 1, "{gone} are gone, {kept} were kept");
}

/// Who commits dies: it is still prepared, or committed everywhere, and then the record goes.
async fn who_ends_it_may_die(seed: u64, commit: bool) -> usize {
    let mut decided = 0;
    for polls in 1.. {
        let world = world(seed, 3).await;
        let attempt = prepared(&world, 3, "new").await;
        let finished = poll_some(&mut std::pin::pin!(world.clients[1].end_held(NAME, attempt, commit)), polls).await;
        let is_decided = match record(&world).await.map(|held| held.stage) {
            Some(Stage::Prepared(_)) => false,
            Some(Stage::Committing(_)) => commit,
            Some(Stage::Preparing) => panic!(),
            None => true,
        };
        world.runtime.sleep(LONG).await;
        if is_decided {
            decided += usize::from(finished.is_none());
            let outcome = if commit { value("new") } else { None };
            assert_eq!(values(&world, 3).await, Some(vec![outcome; 3]), "after {polls} polls");
            assert_eq!(record(&world).await, None);
        } else if let Some(Held { stage: Stage::Prepared(_), .. }) = record(&world).await {
            assert!(finished.is_none());
            assert_eq!(values(&world, 3).await, None);
        }
        if finished.is_some() {
            break;
        }
    }
    decided
}

#[tokio::test(start_paused = true)]
async fn who_commits_may_die_at_any_step() {
    assert!(who_ends_it_may_die(74, true).await >= 1);
}

#[tokio::test(start_paused = true)]
async fn who_rolls_back_may_die_at_any_step() {
    assert!(who_ends_it_may_die(75, false).await >= 1);
}

/// What it read holds at its ID; others write that later, and it is committed all the same.
#[tokio::test(start_paused = true)]
async fn what_it_read_may_be_overwritten_behind_it() {
    let world = world(76, 3).await;
    world.write(&[(&key(1, "read"), "old")]).await;
    let mut txn = writing(&world, 1, "new").await;
    assert_eq!(txn.get(&key(1, "read"), None).await.unwrap(), value("old"));
    let Ok(Hold::Prepared(commit_id)) = txn.hold(NAME, Vec::new()).await else { panic!() };
    let attempt = txn.attempt();
    drop(txn);
    let overwritten = world.write(&[(&key(1, "read"), "young")]).await.commit_id.unwrap();
    assert!(overwritten > commit_id);
    assert_eq!(world.clients[2].end_held(NAME, attempt, true).await, Ok(Finish::Done));
    assert_eq!(values(&world, 1).await, Some(vec![value("new")]));

    let mut late = writing(&world, 1, "late").await;
    late.get(&key(1, "read"), None).await.unwrap();
    world.write(&[(&key(1, "read"), "younger")]).await;
    let refused = Err(Error::Retry(RetryReason::ReadConflict));
    assert_eq!(late.hold(NAME, Vec::new()).await, refused);
    assert_eq!(record(&world).await, None);
}

/// A transaction that is prepared itself must not wait for one that may be held for days.
#[tokio::test(start_paused = true)]
async fn others_that_are_prepared_give_up_instead_of_waiting() {
    let world = world(77, 3).await;
    for protocol in [CommitProtocol::ThreePhase, CommitProtocol::OneRound] {
        let mut writer = world.begin().await;
        let mut reader = world.clients[1].begin(TxnOptions::default()).await.unwrap();
        reader.get(&key(0, "k"), None).await.unwrap();
        let held = prepared(&world, 2, "held").await;
        for txn in [&mut writer, &mut reader] {
            txn.set_commit_protocol(protocol);
            txn.put(key(2, "k"), b"other".to_vec());
            txn.put(key(0, "mine"), b"other".to_vec());
        }
        writer.put(key(0, "k"), b"other".to_vec());
        for mut txn in [writer, reader] {
            let began = world.runtime.now();
            let result = world.runtime.timeout(Duration::from_secs(5), txn.commit()).await;
            assert!(matches!(result, Some(Err(Error::Retry(_)))), "{protocol:?}: {result:?}");
            assert!(world.runtime.now() - began < Duration::from_secs(3));
        }
        assert_eq!(world.clients[0].end_held(NAME, held, false).await, Ok(Finish::Done));
        assert_eq!(values(&world, 3).await, Some(vec![None; 3]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_is_not_split_through_it() {
    let world = world(78, 1).await;
    let mut txn = writing(&world, 1, "new").await;
    txn.put(key(0, "z"), b"new".to_vec());
    assert!(matches!(txn.hold(NAME, Vec::new()).await, Ok(Hold::Prepared(_))));
    let (router, began) = (world.clients[0].router(), world.runtime.now());
    let right = router.new_range_id().await.unwrap();
    for (at, refused) in [("m", true), ("zz", false)] {
        let at = key(0, at);
        let reply = router.send_to_key(&at, || Request::Split { key: at.clone(), right }).await.unwrap();
        assert_eq!(matches!(reply, Reply::LockNotAvailable { .. }), refused, "{reply:?}");
    }
    assert!(world.runtime.now() - began < Duration::from_secs(1), "nobody waits for it");
}
