//! One-round commit over several ranges, as one participant sees it.

use super::world::*;
use crate::api::{Prepare, RegisterState, Reply, Request, TxnMeta};
use crate::{Ballot, TxnId};

/// A vote for a commit at a fresh ID.
fn fast(world: &World, meta: TxnMeta, key: u8) -> Prepare {
    let mut prepare = prepare(meta, key, "new");
    prepare.participants = vec![vec![key], vec![0x90]];
    prepare.acceptors.clear();
    prepare.commit_id = world.commit_id();
    prepare
}

fn state(reply: Reply) -> RegisterState {
    match reply {
        Reply::Register(register) => register.state,
        other => panic!("not a register: {other:?}"),
    }
}

async fn vote(world: &World, prepare: &Prepare) -> Reply {
    world.ask(LEFT, Request::PrepareFast(prepare.clone())).await
}

#[tokio::test(start_paused = true)]
async fn readers_wait_from_the_commit_id_on_until_the_outcome_is_known() {
    let world = World::new(1).await;
    world.put(LEFT, 0x20, "old").await;
    let below = world.begin(9);
    let txn = fast(&world, world.begin(1), 0x20);
    let Reply::Register(register) = vote(&world, &txn).await else { panic!("no vote") };
    assert!(register.is_fast() && register.commit_id == txn.commit_id);
    assert_eq!(world.ask(LEFT, get(below, 0x20)).await, rows(Some("old"), None));
    let above = world.start(LEFT, get(world.begin(10), 0x20)).await;
    assert!(!above.is_finished());
    // Nothing but the outcome changes a vote.
    let ballot = Ballot { round: 7, terminator: (1, 2) };
    for request in [
        Request::Inquire { record: record(&txn), ballot },
        Request::PreAbort { record: record(&txn), ballot },
        Request::PreCommit { record: record(&txn), ballot, commit_id: txn.commit_id },
        Request::PrepareFast(txn.clone()),
    ] {
        let Reply::Register(now) = world.ask(LEFT, request).await else { panic!("no register") };
        assert!(now.is_fast() && now.promised == Ballot::default());
    }
    let do_commit = Request::DoCommit { record: record(&txn), commit_id: txn.commit_id };
    assert_eq!(state(world.ask(LEFT, do_commit).await), RegisterState::Committed);
    assert_eq!(above.await.unwrap(), rows(Some("new"), None));
    assert_eq!(state(vote(&world, &txn).await), RegisterState::Committed, "a late copy");
}

#[tokio::test(start_paused = true)]
async fn a_promise_refuses_for_ever_and_writes_nothing() {
    let world = World::new(3).await;
    let mut txn = fast(&world, world.begin(1), 0x20);
    txn.writes[0].base = crate::api::Base::Any;
    let reader = world.begin(2);
    world.ask(LEFT, get(reader, 0x20)).await;
    let refusal = Reply::NeedHigherId { above: reader.read_id };
    assert_eq!(vote(&world, &txn).await, refusal);
    let leader = world.leader(LEFT).await;
    assert_eq!(leader.header(&record(&txn)).unwrap(), None);
    // The next leader has forgotten the promise; its floor has not.
    let old = world.nodes.iter().find(|node| node.participants.get(LEFT).is_some()).unwrap().id;
    world.cut.lock().insert(old);
    assert!(matches!(vote(&world, &txn).await, Reply::NeedHigherId { .. }));
}

/// Only a confirmed leader may refuse for ever: another one may have taken a copy of the same prepare.
#[tokio::test(start_paused = true)]
async fn a_leader_that_was_deposed_refuses_nothing() {
    let world = World::new(3).await;
    let mut txn = fast(&world, world.begin(1), 0x20);
    txn.commit_id = TxnId(500);
    let old = world.leader(LEFT).await;
    let generation = old.generation();
    world.cut.lock().insert(world.nodes.iter().find(|node| node.participants.get(LEFT).is_some()).unwrap().id);
    // A commit that will never be promises its reads, which no quorum has heard of.
    let mut lost = prepare(world.begin(2), 0x30, "x");
    lost.reads = vec![quorate_storage::Span::new([0x20], [0x21]).into()];
    lost.commit_id = TxnId(600);
    let ask = |request| {
        let (old, request) = (old.clone(), crate::api::RangeRequest { range: LEFT, generation, request });
        tokio::spawn(async move { old.handle(request).await })
    };
    let under_way = ask(Request::CommitOne(lost));
    world.pause(3).await;
    let refused = ask(Request::PrepareFast(txn.clone()));
    world.pause(3).await;
    assert_eq!(state(vote(&world, &txn).await), RegisterState::Prepared, "the new leader knows of no promise");
    assert!(matches!(refused.await.unwrap(), Reply::NotLeader { .. }));
    assert!(matches!(under_way.await.unwrap(), Reply::NotLeader { maybe_applied: true, .. }));
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_smaller_commit_ids_only() {
    let world = World::new(1).await;
    let mut low = fast(&world, world.begin(9), 0x20);
    let mut middle = fast(&world, world.begin(8), 0x20);
    let mut high = fast(&world, world.begin(7), 0x20);
    for txn in [&mut low, &mut middle, &mut high] {
        txn.writes[0].base = crate::api::Base::Any;
    }
    assert_eq!(state(vote(&world, &middle).await), RegisterState::Prepared);
    assert_eq!(vote(&world, &low).await, Reply::NeedHigherId { above: middle.commit_id });
    let waits = world.start(LEFT, Request::PrepareFast(high.clone())).await;
    assert!(!waits.is_finished());
    assert_eq!(state(world.ask(LEFT, Request::DoAbort { record: record(&middle) }).await), RegisterState::Aborted);
    assert_eq!(state(waits.await.unwrap()), RegisterState::Prepared);
    // The way is free now, but the refusal stays.
    world.ask(LEFT, Request::DoAbort { record: record(&high) }).await;
    assert_eq!(state(vote(&world, &low).await), RegisterState::Aborted);
}

#[tokio::test(start_paused = true)]
async fn it_never_waits_for_an_attempt_without_a_commit_id() {
    let world = World::new(1).await;
    let holder = prepare(world.begin(1), 0x20, "held");
    assert_eq!(state(world.ask(LEFT, Request::CanCommit(holder.clone())).await), RegisterState::Prepared);
    let mut txn = fast(&world, world.begin(2), 0x20);
    txn.writes[0].base = crate::api::Base::Any;
    assert!(matches!(vote(&world, &txn).await, Reply::NeedHigherId { .. }));
    world.ask(LEFT, Request::DoAbort { record: record(&holder) }).await;
    assert_eq!(state(vote(&world, &txn).await), RegisterState::Aborted, "durably");
    // The other way round there is no circle either.
    let free = fast(&world, world.begin(4), 0x30);
    assert_eq!(state(vote(&world, &free).await), RegisterState::Prepared);
    let mut other = prepare(world.begin(3), 0x30, "later");
    other.writes[0].base = crate::api::Base::Any;
    let waits = world.start(LEFT, Request::CanCommit(other)).await;
    assert!(!waits.is_finished());
    world.ask(LEFT, Request::DoCommit { record: record(&free), commit_id: free.commit_id }).await;
    assert_eq!(state(waits.await.unwrap()), RegisterState::Prepared);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_must_hold_at_the_commit_id() {
    let world = World::new(1).await;
    let mut stale = fast(&world, world.begin(1), 0x20);
    stale.reads = vec![quorate_storage::Span::new([0x40], [0x50]).into()];
    let mut fresh = fast(&world, world.begin(2), 0x30);
    fresh.reads = stale.reads.clone();
    let mut stale_late = stale.clone();
    let newer = world.put(LEFT, 0x44, "other").await;
    // A version above the commit ID does not matter; one below it does.
    assert_eq!(state(vote(&world, &fresh).await), RegisterState::Prepared);
    stale_late.commit_id = world.commit_id();
    assert!(newer < stale_late.commit_id);
    assert_eq!(vote(&world, &stale_late).await, Reply::ReadInvalid { key: vec![0x44] });
}

#[tokio::test(start_paused = true)]
async fn who_inquires_first_wins() {
    let world = World::new(1).await;
    let txn = fast(&world, world.begin(1), 0x20);
    let ballot = Ballot { round: 1, terminator: (1, 2) };
    let inquire = Request::Inquire { record: record(&txn), ballot };
    assert_eq!(state(world.ask(LEFT, inquire).await), RegisterState::Aborted);
    assert_eq!(state(vote(&world, &txn).await), RegisterState::Aborted);
    assert_eq!(world.ask(LEFT, get(world.begin(2), 0x20)).await, rows(None, None));
}
