//! Volatile locks, as requests see them.

use super::world::*;
use crate::api::{LockMode, LockWait, Read, ReadResult, Reply, Request, TxnMeta};
use quorate_storage::Span;

fn lock(meta: TxnMeta, key: u8, wait: LockWait) -> Request {
    Request::Read { meta, reads: vec![Read::Get { key: vec![key] }], lock: Some((LockMode::Update, wait)) }
}

#[tokio::test(start_paused = true)]
async fn whoever_waited_goes_on_with_the_newest_value() {
    let world = World::new(1).await;
    world.put(LEFT, 0x20, "a").await;
    let (first, second) = (world.begin(1), world.begin(2));
    assert_eq!(world.ask(LEFT, lock(first, 0x20, LockWait::Wait)).await, rows(Some("a"), None));
    let waiting = world.start(LEFT, lock(second, 0x20, LockWait::Wait)).await;
    let not_available = Reply::LockNotAvailable { key: vec![0x20] };
    assert_eq!(world.ask(LEFT, lock(world.begin(3), 0x20, LockWait::NoWait)).await, not_available);
    world.pause(1000).await;
    assert!(!waiting.is_finished(), "an older holder is waited for");
    let mut txn = prepare(first, 0x20, "b");
    txn.commit_id = world.commit_id();
    let commit_id = txn.commit_id;
    assert_eq!(committed(world.ask(LEFT, Request::CommitOne(txn)).await), commit_id);
    let drawn = commit_id.0 + 1;
    assert_eq!(waiting.await.unwrap(), rows_after_waiting("b", commit_id, drawn), "an ID was drawn for it meanwhile");
    let (third, fourth) = (world.begin(3), world.begin(4));
    assert_eq!(world.ask(LEFT, lock(third, 0x21, LockWait::Wait)).await, rows(None, None), "it did not wait");
    let mut txn = prepare(third, 0x21, "c");
    txn.commit_id = world.commit_id();
    let (last, committed_at) = (txn.commit_id.0, txn.commit_id);
    committed(world.ask(LEFT, Request::CommitOne(txn)).await);
    assert_eq!(world.commit_id().0, last + 1, "nothing is drawn for nobody");
    assert_eq!(world.ask(LEFT, lock(fourth, 0x21, LockWait::Wait)).await, rows(Some("c"), Some(committed_at)));
}

#[tokio::test(start_paused = true)]
async fn an_older_transaction_takes_the_lock_and_the_younger_one_can_never_commit() {
    let world = World::new(1).await;
    let (older, younger) = (world.begin(1), world.begin(2));
    assert_eq!(world.ask(LEFT, lock(younger, 0x20, LockWait::Wait)).await, rows(None, None));
    assert_eq!(world.ask(LEFT, lock(older, 0x20, LockWait::Wait)).await, rows(None, None));
    let mut txn = prepare(younger, 0x20, "b");
    txn.commit_id = world.commit_id();
    assert_eq!(world.ask(LEFT, get(younger, 0x21)).await, Reply::Wounded);
    assert_eq!(world.ask(LEFT, Request::CommitOne(txn.clone())).await, Reply::Wounded);
    assert_eq!(world.ask(LEFT, Request::CommitOne(txn.clone())).await, Reply::Aborted, "a late copy");
    assert_eq!(world.ask(LEFT, Request::Settle { record: record(&txn) }).await, Reply::Aborted);
}

#[tokio::test(start_paused = true)]
async fn unlocking_lets_the_next_one_in_and_sends_own_waiters_home() {
    let world = World::new(1).await;
    let (first, second) = (world.begin(1), world.begin(2));
    assert_eq!(world.ask(LEFT, lock(first, 0x20, LockWait::Wait)).await, rows(None, None));
    let waiting = world.start(LEFT, lock(second, 0x20, LockWait::Wait)).await;
    assert_eq!(world.ask(LEFT, Request::Unlock { attempt: second.attempt }).await, Reply::Ok);
    assert_eq!(waiting.await.unwrap(), Reply::Wounded);
    let waiting = world.start(LEFT, lock(second, 0x20, LockWait::Wait)).await;
    assert_eq!(world.ask(LEFT, Request::Unlock { attempt: first.attempt }).await, Reply::Ok);
    assert_eq!(waiting.await.unwrap(), rows(None, None));
}

#[tokio::test(start_paused = true)]
async fn a_locking_scan_locks_what_it_finds_and_leaves_out_what_others_hold() {
    let world = World::new(1).await;
    for key in [0x20, 0x21] {
        world.put(LEFT, key, "x").await;
    }
    let (first, second) = (world.begin(1), world.begin(2));
    let scan = |meta, wait| {
        let reads = vec![Read::Scan { span: Span::new([0x20], [0x30]), limit: 0, reverse: false }];
        Request::Read { meta, reads, lock: Some((LockMode::Update, wait)) }
    };
    let found = |keys: &[u8]| {
        let pairs = keys.iter().map(|key| (vec![*key].into(), b"x".to_vec().into())).collect();
        Reply::Rows { results: vec![ReadResult::Pairs { pairs, resume: None }], newest: None, drawn: None }
    };
    assert_eq!(world.ask(LEFT, lock(first, 0x20, LockWait::Wait)).await, rows(Some("x"), None));
    assert_eq!(world.ask(LEFT, scan(second, LockWait::SkipLocked)).await, found(&[0x21]));
    let not_available = Reply::LockNotAvailable { key: vec![0x21] };
    assert_eq!(world.ask(LEFT, lock(first, 0x21, LockWait::NoWait)).await, not_available);
}

#[tokio::test(start_paused = true)]
async fn locks_of_a_lost_gateway_are_released() {
    let world = World::new(1).await;
    let mut remote = world.begin(1);
    remote.attempt.gateway = 7;
    assert_eq!(world.ask(LEFT, lock(remote, 0x20, LockWait::Wait)).await, rows(None, None));
    let waiting = world.start(LEFT, lock(world.begin(2), 0x20, LockWait::Wait)).await;
    world.pause(9_000).await;
    assert!(!waiting.is_finished());
    world.pause(2_000).await;
    assert!(waiting.is_finished());
}
