//! Collecting old versions and records, as one participant does it.

use super::world::*;
use crate::api::{Base, Prepare, RecordKey, Reply, Request};
use crate::record::{header_key, plan_key};
use crate::{Ballot, TxnId};
use quorate_storage::{Keyspace, Span};

fn count(world: &World, keyspace: Keyspace) -> usize {
    let node = &world.nodes[0];
    node.engine.scan(keyspace, &Span::new([0x10], [0x80]).in_keyspace(keyspace)).count()
}

/// A vote on path FAST that has been committed in this range.
async fn committed_here(world: &World, counter: u64, key: u8) -> Prepare {
    let mut txn = prepare(world.begin(counter), key, "new");
    txn.participants = vec![vec![key], vec![0x90]];
    txn.acceptors.clear();
    txn.commit_id = world.commit_id();
    assert!(matches!(world.ask(LEFT, Request::PrepareFast(txn.clone())).await, Reply::Register(_)));
    let do_commit = Request::DoCommit { record: record(&txn), commit_id: txn.commit_id };
    assert!(matches!(world.ask(LEFT, do_commit).await, Reply::Register(_)));
    txn
}

async fn committed_one(world: &World, counter: u64, key: u8) -> Prepare {
    let mut one = prepare(world.begin(counter), key, "a");
    (one.writes[0].base, one.commit_id) = (Base::Any, world.commit_id());
    committed(world.ask(LEFT, Request::CommitOne(one.clone())).await);
    one
}

#[tokio::test(start_paused = true)]
async fn versions_below_the_floor_go_and_reads_there_are_refused() {
    let world = World::new(1).await;
    let leader = world.leader(LEFT).await;
    world.put(LEFT, 0x20, "a").await;
    let early = world.begin(1);
    world.put(LEFT, 0x20, "b").await;
    let late = world.begin(2);
    world.put(LEFT, 0x20, "c").await;
    leader.collect_history(late.read_id).await.unwrap();
    assert_eq!(count(&world, Keyspace::History), 1, "the second version is seen at the floor");
    let floor = late.read_id;
    assert_eq!(world.ask(LEFT, get(early, 0x20)).await, Reply::TooOld { floor });
    assert_eq!(world.ask(LEFT, get(late, 0x20)).await, rows(Some("b"), None));
    let spans = vec![crate::ReadSpan { span: Span::point(&[0x30]), columns: None }];
    let (from, to) = (early.read_id, world.read_id());
    let refresh = Request::Refresh { meta: early, spans, from, to, prepared: false };
    assert_eq!(world.ask(LEFT, refresh).await, Reply::TooOld { floor });
    // What a write assumes of below the floor cannot be told any more: a deletion may have gone.
    let mut stale = prepare(world.begin(3), 0x30, "x");
    stale.writes[0].base = Base::NotAfter(early.read_id);
    stale.commit_id = world.commit_id();
    assert_eq!(world.ask(LEFT, Request::CommitOne(stale.clone())).await, Reply::TooOld { floor });
    stale.commit_id = TxnId(0);
    assert_eq!(world.ask(LEFT, Request::CanCommit(stale)).await, Reply::TooOld { floor });
    // And nobody commits below it.
    let mut low = prepare(world.begin(4), 0x30, "x");
    (low.writes[0].base, low.commit_id) = (Base::Any, floor);
    assert!(matches!(world.ask(LEFT, Request::CommitOne(low)).await, Reply::NeedHigherId { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_row_leaves_nothing() {
    let world = World::new(1).await;
    let leader = world.leader(LEFT).await;
    world.put(LEFT, 0x20, "a").await;
    let mut delete = prepare(world.begin(1), 0x20, "");
    (delete.writes[0].value, delete.commit_id) = (None, world.commit_id());
    delete.writes[0].base = Base::Any;
    committed(world.ask(LEFT, Request::CommitOne(delete)).await);
    assert_eq!((count(&world, Keyspace::Data), count(&world, Keyspace::History)), (1, 1));
    leader.collect_history(world.read_id()).await.unwrap();
    assert_eq!((count(&world, Keyspace::Data), count(&world, Keyspace::History)), (0, 0));
    world.put(LEFT, 0x20, "again").await;
    assert_eq!(world.ask(LEFT, get(world.begin(2), 0x20)).await, rows(Some("again"), None));
}

#[tokio::test(start_paused = true)]
async fn what_is_prepared_keeps_what_it_has_read() {
    let world = World::new(1).await;
    let leader = world.leader(LEFT).await;
    world.put(LEFT, 0x20, "a").await;
    let mut txn = prepare(world.begin(world.read_id().0), 0x30, "x");
    txn.participants = vec![vec![0x30], vec![0x90]];
    txn.acceptors.clone_from(&txn.participants);
    assert!(matches!(world.ask(LEFT, Request::CanCommit(txn.clone())).await, Reply::Register(_)));
    world.put(LEFT, 0x20, "b").await;
    world.put(LEFT, 0x20, "c").await;
    leader.collect_history(world.read_id()).await.unwrap();
    assert_eq!(count(&world, Keyspace::History), 2);
    world.ask(LEFT, Request::DoAbort { record: record(&txn) }).await;
    leader.collect_history(world.read_id()).await.unwrap();
    assert_eq!(count(&world, Keyspace::History), 0);
}

#[tokio::test(start_paused = true)]
async fn a_record_goes_and_is_never_made_again() {
    let world = World::new(1).await;
    let leader = world.leader(LEFT).await;
    let one = committed_one(&world, 1, 0x20).await;
    let horizon = world.commit_id();
    let young = prepare(world.begin(2), 0x40, "b");
    assert_eq!(world.ask(LEFT, Request::Settle { record: record(&young) }).await, Reply::Aborted);
    leader.collect_records(horizon).await.unwrap();
    let left: Vec<_> = world.nodes[0]
        .engine
        .scan(Keyspace::Record, &Span::new([0], [0xff]))
        .map(|pair| pair.unwrap().0.to_vec())
        .collect();
    assert_eq!(left, [header_key(&record(&young))], "the young one stays");
    // A late copy of anything finds that it is late.
    for request in [
        Request::CommitOne(one.clone()),
        Request::CanCommit(one.clone()),
        Request::PrepareFast(one.clone()),
        Request::Spill(one.clone()),
        Request::Settle { record: record(&one) },
        Request::Inquire { record: record(&one), ballot: Ballot::default() },
        Request::DoCommit { record: record(&one), commit_id: one.commit_id },
        Request::DoAbort { record: record(&one) },
    ] {
        assert_eq!(world.ask(LEFT, request).await, Reply::Forgotten);
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_over_several_ranges_is_forgotten_once_all_have_it() {
    let world = World::new(1).await;
    let leader = world.leader(LEFT).await;
    let txn = committed_here(&world, 1, 0x20).await;
    let horizon = world.commit_id();
    leader.collect_records(horizon).await.unwrap();
    assert_eq!(count(&world, Keyspace::Record), 2, "header and the names of those to ask");
    world.seam.ended.lock().push(RecordKey { part_key: vec![0x90], attempt: txn.meta.attempt });
    leader.collect_records(horizon).await.unwrap();
    assert_eq!(count(&world, Keyspace::Record), 0);
    let keys = [header_key(&record(&txn)), plan_key(&record(&txn))];
    assert!(keys.iter().all(|key| world.nodes[0].engine.get(Keyspace::Record, key).unwrap().is_none()));
}

#[tokio::test(start_paused = true)]
async fn others_are_told_when_nothing_is_open_here() {
    let world = World::new(1).await;
    let mut open = prepare(world.begin(1), 0x20, "x");
    open.participants = vec![vec![0x20], vec![0x90]];
    open.acceptors.clone_from(&open.participants);
    assert!(matches!(world.ask(LEFT, Request::CanCommit(open.clone())).await, Reply::Register(_)));
    let decided = committed_here(&world, 2, 0x30).await;
    let unknown = prepare(world.begin(3), 0x40, "x");
    let records = [&open, &decided, &unknown].map(record).to_vec();
    assert_eq!(world.ask(LEFT, Request::Ended { records }).await, Reply::Ended(vec![false, true, true]));
}

#[tokio::test(start_paused = true)]
async fn floors_survive_their_leader_and_splits() {
    let world = World::new(1).await;
    let leader = world.leader(LEFT).await;
    for key in [0x20, 0x60] {
        world.put(LEFT, key, "a").await;
        world.put(LEFT, key, "b").await;
    }
    let early = TxnId(world.read_id().0 - 1);
    let floor = world.read_id();
    leader.collect_history(floor).await.unwrap();
    let split = Request::Split { key: vec![0x50], right: quorate_storage::RangeId(9) };
    assert_eq!(world.ask(LEFT, split).await, Reply::Ok);
    let stale = crate::api::TxnMeta { read_id: early, ..world.begin(1) };
    let right = quorate_storage::RangeId(9);
    assert_eq!(world.ask(right, get(stale, 0x60)).await, Reply::TooOld { floor });
    assert_eq!(world.ask(LEFT, get(stale, 0x20)).await, Reply::TooOld { floor });
}

#[tokio::test(start_paused = true)]
async fn nothing_is_forgotten_while_the_floor_only_rises() {
    let world = World::new(1).await;
    let leader = world.leader(LEFT).await;
    let one = committed_one(&world, 1, 0x20).await;
    let late = prepare(world.begin(2), 0x40, "b");
    let horizon = world.commit_id();
    // A latch that was taken before keeps the floor from rising.
    leader.hold_latch(&[0x60]);
    let collecting = leader.clone();
    let collecting = tokio::spawn(async move { collecting.collect_records(horizon).await });
    world.pause(5).await;
    let inquire = Request::Inquire { record: record(&late), ballot: Ballot::default() };
    let asked = world.start(LEFT, inquire).await;
    assert!(!asked.is_finished(), "a copy of its prepare might still be taken, if the floor does not rise");
    let known = Request::Settle { record: record(&one) };
    assert_eq!(committed(world.ask(LEFT, known).await), one.commit_id, "what there is, is told");
    leader.drop_latch(&[0x60]);
    collecting.await.unwrap().unwrap();
    assert_eq!(asked.await.unwrap(), Reply::Forgotten);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_says_nothing_of_what_may_be_decided_elsewhere() {
    let world = World::new(3).await;
    let leader = world.leader(LEFT).await;
    let mut txn = prepare(world.begin(1), 0x20, "new");
    txn.participants = vec![vec![0x20], vec![0x90]];
    txn.acceptors.clear();
    txn.commit_id = world.commit_id();
    assert!(matches!(world.ask(LEFT, Request::PrepareFast(txn.clone())).await, Reply::Register(_)));
    let request = Request::Inquire { record: record(&txn), ballot: Ballot { round: 1, terminator: (1, 1) } };
    world.cut.lock().insert(leader.node);
    let request = crate::api::RangeRequest { range: LEFT, generation: leader.generation(), request };
    assert!(matches!(leader.handle(request.clone()).await, Reply::NotLeader { .. }));
    let next = world.leader(LEFT).await;
    assert!(matches!(next.handle(request).await, Reply::Register(register) if register.is_fast()));
}
