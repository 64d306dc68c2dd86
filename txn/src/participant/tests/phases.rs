//! Three-phase commit, as one participant sees it.

use super::world::*;
use crate::api::{LockMode, Register, RegisterState, Reply, Request, Write};
use crate::participant::service::Participant;
use crate::{Ballot, TxnId};
use quorate_storage::{RangeId, Span};
use std::sync::Arc;
use std::time::Duration;

fn state(reply: Reply) -> RegisterState {
    match reply {
        Reply::Register(register) => register.state,
        other => panic!("not a register: {other:?}"),
    }
}

async fn prepared(world: &World, key: u8, counter: u64) -> (crate::api::Prepare, Register) {
    let txn = prepare(world.begin(counter), key, "new");
    let Reply::Register(register) = world.ask(LEFT, Request::CanCommit(txn.clone())).await else { panic!("no vote") };
    assert_eq!(register.state, RegisterState::Prepared);
    (txn, register)
}

#[tokio::test(start_paused = true)]
async fn readers_wait_for_a_prepared_key_only_from_its_lower_bound_on() {
    let world = World::new(1).await;
    world.put(LEFT, 0x20, "old").await;
    let before = world.begin(9);
    world.ask(LEFT, get(before, 0x20)).await;
    let (txn, register) = prepared(&world, 0x20, 1).await;
    assert_eq!(register.min_c, TxnId(before.read_id.0 + 1));
    assert_eq!(world.ask(LEFT, get(before, 0x20)).await, rows(Some("old"), None));

    world.commit_id();
    let between = world.begin(10);
    let passes_later = world.start(LEFT, get(between, 0x20)).await;
    let commit_id = world.commit_id();
    let after = world.start(LEFT, get(world.begin(11), 0x20)).await;
    assert!(!passes_later.is_finished() && !after.is_finished());
    let ballot = Ballot::default();
    let pre_commit = Request::PreCommit { record: record(&txn), ballot, commit_id };
    assert_eq!(state(world.ask(LEFT, pre_commit).await), RegisterState::PreCommit);
    assert_eq!(passes_later.await.unwrap(), rows(Some("old"), None), "below the commit ID now");
    assert!(!after.is_finished());
    let do_commit = Request::DoCommit { record: record(&txn), commit_id };
    for _ in 0..2 {
        assert_eq!(state(world.ask(LEFT, do_commit.clone()).await), RegisterState::Committed);
    }
    assert_eq!(after.await.unwrap(), rows(Some("new"), None));
    assert_eq!(state(world.ask(LEFT, Request::CanCommit(txn)).await), RegisterState::Committed, "a late copy");
    assert_eq!(world.ask(LEFT, get(between, 0x20)).await, rows(Some("old"), None));
}

#[tokio::test(start_paused = true)]
async fn a_no_vote_is_for_ever() {
    let world = World::new(1).await;
    let txn = prepare(world.begin(1), 0x20, "new");
    let newest = world.put(LEFT, 0x20, "other").await;
    let conflict = Reply::WriteConflict { key: vec![0x20], newest };
    assert_eq!(world.ask(LEFT, Request::CanCommit(txn.clone())).await, conflict);
    assert_eq!(state(world.ask(LEFT, Request::CanCommit(txn.clone())).await), RegisterState::Aborted);
    let inquire = Request::Inquire { record: record(&txn), ballot: Ballot { round: 1, terminator: (1, 1) } };
    assert_eq!(state(world.ask(LEFT, inquire).await), RegisterState::Aborted);
}

#[tokio::test(start_paused = true)]
async fn an_inquiry_kills_what_has_not_arrived_yet() {
    let world = World::new(1).await;
    let txn = prepare(world.begin(1), 0x20, "new");
    let inquire = Request::Inquire { record: record(&txn), ballot: Ballot { round: 1, terminator: (1, 1) } };
    assert_eq!(state(world.ask(LEFT, inquire).await), RegisterState::Aborted);
    assert_eq!(state(world.ask(LEFT, Request::CanCommit(txn)).await), RegisterState::Aborted);
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_for_a_prepared_key_and_a_prepared_one_only_for_older_ones() {
    let world = World::new(1).await;
    let (txn, register) = prepared(&world, 0x20, 5).await;
    let (mut one, two) = (prepare(world.begin(6), 0x20, "one"), prepare(world.begin(7), 0x20, "two"));
    one.commit_id = world.commit_id();
    let waiting = world.start(LEFT, Request::CommitOne(one.clone())).await;
    let younger = world.start(LEFT, Request::CanCommit(two)).await;
    let older = world.ask(LEFT, Request::CanCommit(prepare(world.begin(4), 0x20, "x"))).await;
    assert_eq!(older, Reply::WriteConflict { key: vec![0x20], newest: register.min_c });
    let refresh = |counter, prepared| {
        let (meta, spans) = (world.begin(counter), vec![Span::new([0x20], [0x21]).into()]);
        Request::Refresh { meta, spans, from: meta.read_id, to: world.read_id(), prepared }
    };
    assert_eq!(world.ask(LEFT, refresh(3, true)).await, Reply::ReadInvalid { key: vec![0x20] });
    let patient = world.start(LEFT, refresh(3, false)).await;
    assert!(!waiting.is_finished() && !younger.is_finished() && !patient.is_finished());
    assert_eq!(state(world.ask(LEFT, Request::DoAbort { record: record(&txn) }).await), RegisterState::Aborted);
    assert_eq!(patient.await.unwrap(), Reply::Ok);
    let (one, two) = (waiting.await.unwrap(), younger.await.unwrap());
    let Reply::Committed { commit_id, .. } = one else { panic!("{one:?}") };
    assert_eq!(two, Reply::WriteConflict { key: vec![0x20], newest: commit_id });
}

#[tokio::test(start_paused = true)]
async fn large_writes_come_in_chunks_and_leave_in_chunks() {
    let world = World::new(1).await;
    let meta = world.begin(1);
    let chunk = |low: u16, high: u16| {
        let mut chunk = prepare(meta, 0x20, "");
        let write = |n: u16| Write { key: [&[0x20], &n.to_be_bytes()[..]].concat(), ..chunk.writes[0].clone() };
        chunk.writes = (low..high).map(write).collect();
        chunk
    };
    for _ in 0..2 {
        assert_eq!(state(world.ask(LEFT, Request::Spill(chunk(0, 3000))).await), RegisterState::Pending);
    }
    let last = chunk(3000, 5000);
    assert_eq!(state(world.ask(LEFT, Request::CanCommit(last.clone())).await), RegisterState::Prepared);
    let commit_id = world.commit_id();
    let reader = world.start(LEFT, get(world.begin(2), 0x20)).await;
    assert!(reader.is_finished(), "the key itself is free");
    let done = world.ask(LEFT, Request::DoCommit { record: record(&last), commit_id }).await;
    assert_eq!(state(done), RegisterState::Committed);
    let engine = world.nodes[0].engine.as_ref();
    let span = Span::new([0x20], [0x21]);
    assert_eq!(engine.scan(quorate_storage::Keyspace::Data, &span).count(), 5000);
    assert_eq!(engine.scan(quorate_storage::Keyspace::Lock, &span).count(), 0);
    assert_eq!(engine.scan(quorate_storage::Keyspace::Record, &span).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_vote_whose_caller_went_away_is_finished() {
    let world = World::new(1).await;
    let txn = prepare(world.begin(1), 0x20, "new");
    let abandoned = world.leader(LEFT).await;
    {
        let request = crate::api::RangeRequest { range: LEFT, generation: 1, request: Request::CanCommit(txn.clone()) };
        let mut vote = Box::pin(abandoned.handle(request));
        assert!(futures::poll!(vote.as_mut()).is_pending());
    }
    world.pause(20).await;
    assert!(abandoned.state.lock().latches.is_empty());
    assert_eq!(state(world.ask(LEFT, Request::CanCommit(txn)).await), RegisterState::Prepared);
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_knows_the_intents_and_has_silent_ones_recovered() {
    let world = World::new(3).await;
    let (txn, register) = prepared(&world, 0x20, 1).await;
    let old: Arc<Participant> = world.leader(LEFT).await;
    world.cut.lock().insert(old.node);
    world.commit_id();
    let reader = world.start(LEFT, get(world.begin(2), 0x20)).await;
    let new = world.leader(LEFT).await;
    assert!(new.term() > old.term());
    {
        let state = new.state.lock();
        let holder = state.intents.get(&record(&txn)).unwrap();
        assert_eq!((holder.keys.clone(), holder.min_c), (vec![vec![0x20]], register.min_c));
    }
    assert!(!reader.is_finished());
    let asked = || world.seam.terminated.lock().contains(&record(&txn));
    assert!(!asked());
    world.pause(3_000).await;
    assert!(asked());
}

#[tokio::test(start_paused = true)]
async fn a_split_waits_for_attempts_on_both_sides() {
    let world = World::new(1).await;
    let mut both = prepare(world.begin(1), 0x20, "l");
    let right_write = Write { key: vec![0x60], ..both.writes[0].clone() };
    both.writes.push(right_write);
    assert_eq!(state(world.ask(LEFT, Request::CanCommit(both.clone())).await), RegisterState::Prepared);
    let (moving, _) = prepared(&world, 0x61, 2).await;
    let right = RangeId(9);
    let split = world.start(LEFT, Request::Split { key: vec![0x50], right }).await;
    let reader = world.start(LEFT, get(world.begin(3), 0x21)).await;
    assert!(!split.is_finished() && !reader.is_finished());
    let commit_id = world.commit_id();
    world.ask(LEFT, Request::DoCommit { record: record(&both), commit_id }).await;
    assert_eq!(split.await.unwrap(), Reply::Ok);
    assert!(matches!(reader.await.unwrap(), Reply::EpochMismatch { .. }), "it came with the old generation");
    let commit_id = world.commit_id();
    let done = world.ask(right, Request::DoCommit { record: record(&moving), commit_id }).await;
    assert_eq!(state(done), RegisterState::Committed, "its record and intents moved together");
    assert_eq!(world.ask(right, get(world.begin(4), 0x61)).await, rows(Some("new"), None));
}

#[tokio::test(start_paused = true)]
async fn a_prepare_does_not_wait_for_volatile_locks() {
    let world = World::new(1).await;
    let reads = vec![crate::api::Read::Get { key: vec![0x20] }];
    let lock = Some((LockMode::Update, crate::api::LockWait::Wait));
    world.ask(LEFT, Request::Read { meta: world.begin(1), reads, lock }).await;
    prepared(&world, 0x20, 2).await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_travels_with_the_next_entry() {
    let world = World::new(1).await;
    let mut took = Vec::new();
    for (counter, key) in [(1, 0x20), (2, 0x21), (3, 0x22)] {
        let (txn, _) = prepared(&world, key, counter).await;
        let commit_id = world.commit_id();
        let began = world.runtime.now();
        let outcome = world.ask(LEFT, Request::DoCommit { record: record(&txn), commit_id });
        let meanwhile = async {
            world.pause(1).await;
            match counter {
                1 => {}
                2 => drop(world.put(RIGHT, 0x90, "another entry").await),
                _ => assert_eq!(world.ask(LEFT, get(world.begin(9), key)).await, rows(Some("new"), None)),
            }
        };
        let (outcome, ()) = tokio::join!(outcome, meanwhile);
        assert_eq!(state(outcome), RegisterState::Committed);
        took.push(world.runtime.now() - began);
    }
    assert!(took[0] >= Duration::from_millis(5), "alone it lingers: {took:?}");
    assert!(took[1] < took[0] && took[2] < took[0], "with company, or when a reader waits: {took:?}");
}
