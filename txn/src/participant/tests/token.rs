//! The record of a commit token: who may prepare under it, and when it is closed.

use super::world::*;
use crate::api::{Prepare, RegisterState, Reply, Request};
use crate::{Attempt, TxnId};
use quorate_storage::{Keyspace, Span};

/// Attempt number `counter` of a transaction that writes `key` and whose first attempt is number 1.
fn attempt(world: &World, counter: u64, key: u8) -> Prepare {
    let mut later = prepare(world.begin(counter), key, "new");
    later.meta.attempt.birth = TxnId(10);
    later.token = Some(first(key).attempt).filter(|first| *first != later.meta.attempt);
    later.commit_id = world.commit_id();
    later.meta.read_id = TxnId(later.commit_id.0 - 1);
    later
}

fn first(key: u8) -> crate::api::RecordKey {
    let attempt = Attempt { gateway: 1, incarnation: 1, counter: 1, birth: TxnId(10) };
    crate::api::RecordKey { part_key: vec![key], attempt }
}

async fn close(world: &World, key: u8, aborted: Attempt) -> Reply {
    world.ask(LEFT, Request::CloseToken { record: first(key), aborted }).await
}

/// Each request that prepares it.
fn requests(prepare: &Prepare) -> [Request; 4] {
    let fast = Prepare { acceptors: Vec::new(), ..prepare.clone() };
    let phases = Prepare { commit_id: TxnId(0), ..prepare.clone() };
    [
        Request::CommitOne(prepare.clone()),
        Request::PrepareFast(fast),
        Request::CanCommit(phases.clone()),
        Request::Spill(phases),
    ]
}

#[tokio::test(start_paused = true)]
async fn nothing_prepares_under_a_token_that_is_closed() {
    let world = World::new(1).await;
    let never_sent = first(0x20);
    assert_eq!(world.ask(LEFT, Request::Settle { record: never_sent.clone() }).await, Reply::Aborted);
    for _ in 0..2 {
        assert_eq!(close(&world, 0x20, never_sent.attempt).await, Reply::Token(None));
    }
    for kind in 0..4 {
        let late = attempt(&world, 2 + kind as u64, 0x20);
        assert_eq!(world.ask(LEFT, requests(&late)[kind].clone()).await, Reply::Aborted);
        let header = world.leader(LEFT).await.header(&record(&late)).unwrap().unwrap();
        assert_eq!(header.core.state, RegisterState::Aborted, "others read it");
    }
    // Without a token, the same is taken.
    let other = Prepare { token: None, ..attempt(&world, 9, 0x20) };
    committed(world.ask(LEFT, Request::CommitOne(other)).await);
}

#[tokio::test(start_paused = true)]
async fn every_prepare_of_a_later_attempt_shows_that_it_is_the_newest() {
    let world = World::new(1).await;
    for kind in 0..4 {
        let key = 0x20 + kind as u8;
        let later = attempt(&world, 2, key);
        for _ in 0..2 {
            let reply = world.ask(LEFT, requests(&later)[kind].clone()).await;
            assert!(!matches!(reply, Reply::Aborted | Reply::NotReady), "{reply:?}");
        }
        let newest = Reply::Token(Some(later.meta.attempt));
        assert_eq!(close(&world, key, first(key).attempt).await, newest);
        assert_eq!(close(&world, key, later.meta.attempt).await, Reply::Token(None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_copy_of_an_older_attempt_moves_nothing_back() {
    let world = World::new(1).await;
    let older = [2, 3, 4, 5].map(|counter| attempt(&world, counter, 0x20));
    let newer = attempt(&world, 6, 0x20);
    committed(world.ask(LEFT, Request::CommitOne(newer.clone())).await);
    for (kind, older) in older.iter().enumerate() {
        assert_eq!(world.ask(LEFT, requests(older)[kind].clone()).await, Reply::Aborted);
    }
    let newest = Reply::Token(Some(newer.meta.attempt));
    assert_eq!(close(&world, 0x20, first(0x20).attempt).await, newest);
    assert_eq!(close(&world, 0x20, older[3].meta.attempt).await, newest);
    assert_eq!(committed(world.ask(LEFT, Request::CommitOne(newer.clone())).await), newer.commit_id, "a replay");
}

#[tokio::test(start_paused = true)]
async fn of_a_prepare_and_a_status_at_the_same_time_one_is_first() {
    let world = World::new(1).await;
    for kind in 0..4 {
        for (key, closes_first) in [(0x20 + kind as u8, true), (0x30 + kind as u8, false)] {
            let later = attempt(&world, 2, key);
            let request = requests(&later)[kind].clone();
            let closing = Request::CloseToken { record: first(key), aborted: first(key).attempt };
            let (closed, prepared) = if closes_first {
                tokio::join!(world.ask(LEFT, closing), world.ask(LEFT, request))
            } else {
                let (prepared, closed) = tokio::join!(world.ask(LEFT, request), world.ask(LEFT, closing));
                (closed, prepared)
            };
            let expected = if closes_first { None } else { Some(later.meta.attempt) };
            assert_eq!(closed, Reply::Token(expected));
            assert_eq!(prepared == Reply::NotReady, closes_first, "{prepared:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_are_collected_with_their_time() {
    let world = World::new(1).await;
    let leader = world.leader(LEFT).await;
    let young = attempt(&world, 2, 0x40);
    world.ask(LEFT, Request::CommitOne(attempt(&world, 2, 0x20))).await;
    assert_eq!(close(&world, 0x30, first(0x30).attempt).await, Reply::Token(None));
    let count = || world.nodes[0].engine.scan(Keyspace::Record, &Span::new([0], [0xff])).count();
    assert_eq!(count(), 3, "a marker and two tokens, neither with its first attempt's header");
    leader.collect_records(TxnId(10)).await.unwrap();
    assert_eq!(count(), 3, "born at the floor");
    leader.collect_records(TxnId(11)).await.unwrap();
    assert_eq!(count(), 0);
    for key in [0x20, 0x30] {
        assert_eq!(world.ask(LEFT, Request::Settle { record: first(key) }).await, Reply::Forgotten);
        assert_eq!(close(&world, key, first(key).attempt).await, Reply::Forgotten);
    }
    assert_eq!(world.ask(LEFT, Request::CommitOne(young)).await, Reply::Forgotten, "and nothing prepares any more");
}
