//! Path ONE, reads, refreshes, splits.

use super::world::*;
use crate::TxnId;
use crate::api::{Base, Read, ReadResult, Reply, Request};
use quorate_storage::{RangeId, Span};
use std::sync::atomic::Ordering;

#[tokio::test(start_paused = true)]
async fn a_commit_shows_from_its_id_on_and_is_never_done_twice() {
    let world = World::new(1).await;
    let first = world.put(LEFT, 0x20, "a").await;
    let mut txn = prepare(world.begin(1), 0x20, "b");
    txn.commit_id = world.commit_id();
    let second = txn.commit_id;
    assert_eq!(committed(world.ask(LEFT, Request::CommitOne(txn.clone())).await), second);
    world.put(LEFT, 0x20, "c").await;
    assert_eq!(committed(world.ask(LEFT, Request::CommitOne(txn.clone())).await), second, "a replay is answered");
    assert_eq!(committed(world.ask(LEFT, Request::Settle { record: record(&txn) }).await), second);

    let mut reader = world.begin(2);
    for (at, value) in [(first.0 - 1, None), (first.0, Some("a")), (second.0, Some("b")), (second.0 + 1, Some("c"))] {
        reader.read_id = TxnId(at);
        assert_eq!(world.ask(LEFT, get(reader, 0x20)).await, rows(value, None));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_commits_below_a_promise_or_the_floor() {
    let world = World::new(1).await;
    let mut txn = prepare(world.begin(1), 0x20, "a");
    txn.commit_id = world.commit_id();
    let reader = world.begin(2);
    assert_eq!(world.ask(LEFT, get(reader, 0x20)).await, rows(None, None));
    let above = txn.commit_id;
    assert_eq!(world.ask(LEFT, Request::CommitOne(txn.clone())).await, Reply::NeedHigherId { above });
    txn.commit_id = TxnId(10);
    assert_eq!(world.ask(LEFT, Request::CommitOne(txn.clone())).await, Reply::NeedHigherId { above });
    txn.writes[0].key = vec![0x21];
    assert_eq!(world.ask(LEFT, Request::CommitOne(txn.clone())).await, Reply::NeedHigherId { above: TxnId(10) });
    txn.commit_id = world.commit_id();
    let own = Request::Refresh {
        meta: txn.meta,
        spans: vec![Span::new([0x20], [0x30]).into()],
        from: txn.meta.read_id,
        to: txn.commit_id,
        prepared: false,
    };
    assert_eq!(world.ask(LEFT, own).await, Reply::Ok);
    let commit_id = txn.commit_id;
    assert_eq!(committed(world.ask(LEFT, Request::CommitOne(txn)).await), commit_id, "own promises");
}

#[tokio::test(start_paused = true)]
async fn what_was_read_must_not_have_changed() {
    let world = World::new(1).await;
    let mut txn = prepare(world.begin(1), 0x20, "a");
    txn.reads = vec![Span::new([0x30], [0x40]).into()];
    let newest = world.put(LEFT, 0x35, "phantom").await;
    txn.commit_id = world.commit_id();
    let invalid = Reply::ReadInvalid { key: vec![0x35] };
    assert_eq!(world.ask(LEFT, Request::CommitOne(txn.clone())).await, invalid);
    let (from, to) = (txn.meta.read_id, txn.commit_id);
    let refresh = Request::Refresh { meta: txn.meta, spans: txn.reads.clone(), from, to, prepared: false };
    assert_eq!(world.ask(LEFT, refresh).await, invalid);
    txn.reads.clear();
    txn.writes[0].key = vec![0x35];
    let conflict = Reply::WriteConflict { key: vec![0x35], newest };
    assert_eq!(world.ask(LEFT, Request::CommitOne(txn.clone())).await, conflict);
    txn.writes[0].base = Base::NotAfter(newest);
    assert_eq!(committed(world.ask(LEFT, Request::CommitOne(txn.clone())).await), to);
}

#[tokio::test(start_paused = true)]
async fn scans_stop_at_their_limit_in_both_directions() {
    let world = World::new(1).await;
    for key in [0x20, 0x21, 0x22] {
        world.put(LEFT, key, "x").await;
    }
    let scan = |reverse| {
        let reads = vec![Read::Scan { span: Span::new([0x20], [0x30]), limit: 2, reverse }];
        Request::Read { meta: world.begin(1), reads, lock: None }
    };
    for (reverse, keys, rest) in
        [(false, [0x20, 0x21], Span::new([0x21, 0], [0x30])), (true, [0x22, 0x21], Span::new([0x20], [0x21]))]
    {
        let pairs = keys.iter().map(|key| (vec![*key].into(), b"x".to_vec().into())).collect();
        let results = vec![ReadResult::Pairs { pairs, resume: Some(rest) }];
        assert_eq!(world.ask(LEFT, scan(reverse)).await, Reply::Rows { results, newest: None, drawn: None });
    }
}

#[tokio::test(start_paused = true)]
async fn a_split_hands_its_right_half_over() {
    let world = World::new(1).await;
    world.put(LEFT, 0x20, "l").await;
    world.put(LEFT, 0x60, "r").await;
    let right = RangeId(9);
    assert_eq!(world.ask(LEFT, Request::Split { key: vec![0x50], right }).await, Reply::Ok);
    world.leader(right).await;
    assert_eq!(world.ask(LEFT, get(world.begin(1), 0x20)).await, rows(Some("l"), None));
    assert_eq!(world.ask(right, get(world.begin(1), 0x60)).await, rows(Some("r"), None));
    let Reply::EpochMismatch { descriptors } = world.ask(LEFT, get(world.begin(1), 0x60)).await else {
        panic!("the left half answered for the right one")
    };
    assert_eq!(descriptors.iter().map(|descriptor| descriptor.id).collect::<Vec<_>>(), [LEFT, right, RIGHT][..2]);
    world.put(right, 0x60, "r2").await;
    let again = Request::Split { key: vec![0x50], right: RangeId(10) };
    assert_eq!(world.ask(right, again).await, Reply::Ok, "a second try finds the split made");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_answers_what_is_confirmed_and_nothing_newer() {
    let world = World::by_rounds(3).await;
    world.put(LEFT, 0x20, "a").await;
    let old = world.leader(LEFT).await;
    let reader = world.begin(1);
    let generation = old.generation();
    let ask = |meta| {
        let old = old.clone();
        let request = crate::api::RangeRequest { range: LEFT, generation, request: get(meta, 0x20) };
        async move { old.handle(request).await }
    };
    assert_eq!(ask(reader).await, rows(Some("a"), None));
    world.cut.lock().insert(old.node);
    assert_eq!(ask(reader).await, rows(Some("a"), None), "promised before");
    let newer = world.commit_id();
    let late = ask(crate::api::TxnMeta { read_id: newer, ..reader });
    let answer = world.runtime.timeout(std::time::Duration::from_secs(5), late).await;
    assert!(matches!(answer, None | Some(Reply::NotLeader { .. })), "{answer:?}");
    let new = world.leader(LEFT).await;
    assert!(new.term() > old.term());
    let mut txn = prepare(world.begin(2), 0x20, "b");
    txn.commit_id = newer;
    assert_eq!(world.ask(LEFT, Request::CommitOne(txn)).await, Reply::NeedHigherId { above: newer }, "the floor");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_readers_push_draws_a_higher_id_before_which_they_pass() {
    let world = World::new(1).await;
    let before = world.put(LEFT, 0x20, "a").await;
    let mut txn = prepare(world.begin(1), 0x20, "b");
    (txn.commit_id, txn.catalog_id) = (world.commit_id(), Some(TxnId(0)));
    let early = world.begin(2);
    assert_eq!(world.ask(LEFT, get(early, 0x20)).await, rows(Some("a"), None));
    let drawing = world.seam.drawing.lock().await;
    let commit = world.start(LEFT, Request::CommitOne(txn.clone())).await;
    assert_eq!(world.ask(LEFT, get(world.begin(3), 0x20)).await, rows(Some("a"), None), "no later than the push");
    world.commit_id();
    let late = world.start(LEFT, get(world.begin(4), 0x20)).await;
    assert!(!late.is_finished(), "its ID may lie above the commit's");
    drop(drawing);
    let commit_id = committed(commit.await.unwrap());
    assert!(commit_id > txn.commit_id && commit_id == world.read_id());
    assert_eq!(late.await.unwrap(), rows(Some("a"), None), "below the commit");
    assert_eq!(world.ask(LEFT, get(world.begin(5), 0x20)).await, rows(Some("b"), None));
    assert_eq!(committed(world.ask(LEFT, Request::CommitOne(txn)).await), commit_id, "a replay is answered");
    assert!(before < commit_id);
}

#[tokio::test(start_paused = true)]
async fn a_pushed_commit_validates_its_reads_where_it_lands_and_knows_the_catalog() {
    let world = World::new(1).await;
    let pushed = |age: u64| {
        let mut txn = prepare(world.begin(age), 0x20, "b");
        txn.reads = vec![Span::new([0x18], [0x30]).into()];
        (txn.commit_id, txn.catalog_id) = (world.commit_id(), Some(TxnId(0)));
        txn
    };
    let mut stale = pushed(1);
    stale.meta.attempt.counter = 100;
    world.put(LEFT, 0x22, "phantom").await;
    world.ask(LEFT, get(world.begin(2), 0x20)).await;
    assert_eq!(world.ask(LEFT, Request::CommitOne(stale)).await, Reply::ReadInvalid { key: vec![0x22] });
    let txn = pushed(3);
    world.ask(LEFT, get(world.begin(4), 0x20)).await;
    committed(world.ask(LEFT, Request::CommitOne(txn)).await);

    world.seam.catalog_id.store(world.commit_id().0, Ordering::SeqCst);
    let unaware = pushed(5);
    let above = world.read_id();
    world.ask(LEFT, get(world.begin(6), 0x20)).await;
    assert_eq!(world.ask(LEFT, Request::CommitOne(unaware)).await, Reply::NeedHigherId { above });
}
