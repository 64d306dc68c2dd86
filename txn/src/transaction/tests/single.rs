//! One gateway, few transactions: what each operation promises.

use super::world::{World, key};
use crate::trace::{Event, Phase, Said};
use crate::{
    CommitPath, CommitProtocol, Error, Isolation, LockMode, LockWait, Reason, RetryReason, Scan, Transaction, TxnId,
    TxnOptions,
};
use bytes::Bytes;
use quorate_storage::Span;

async fn names(txn: &mut Transaction, mut scan: Scan) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let page = txn.scan(scan.clone()).await.unwrap();
        names.extend(page.pairs.iter().map(|(key, _)| String::from_utf8_lossy(&key[1..]).into_owned()));
        match (page.resume, scan.limit) {
            (Some(rest), None) => scan.span = rest,
            _ => return names,
        }
    }
}

async fn begin(world: &World, isolation: Isolation) -> Transaction {
    world.clients[0].begin(TxnOptions { isolation, ..TxnOptions::default() }).await.unwrap()
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test(start_paused = true)]
async fn one_range_commits_by_one_proposal_and_several_in_one_round() {
    let world = World::new(1, 1).await;
    let (a, b) = (key(0, "a"), key(1, "b"));
    let one = world.write(&[(&a, "1")]).await;
    assert_eq!((one.path, one.trace.rounds), (CommitPath::One, 1));
    let many = world.write(&[(&a, "2"), (&b, "2")]).await;
    assert_eq!((many.path, many.trace.rounds), (CommitPath::Fast { participants: 2 }, 1));
    let mut txn = world.begin().await;
    txn.set_commit_protocol(CommitProtocol::ThreePhase);
    txn.put(a.clone(), b"2".to_vec());
    txn.put(b.clone(), b"2".to_vec());
    let three = txn.commit().await.unwrap();
    assert_eq!(three.path, CommitPath::ThreePhase { participants: 2, reason: Reason::Requested });
    assert_eq!(three.trace.rounds, 2);
    let phases: Vec<Phase> = three
        .trace
        .steps
        .iter()
        .filter_map(|step| match &step.event {
            Event::Answered { phase, index, said: Said::Register(_), .. } if *index > 0 => Some(*phase),
            _ => None,
        })
        .collect();
    let votes = [Phase::CanCommit; 3];
    assert_eq!((&phases[..3], phases[3]), (&votes[..], Phase::PreCommit), "both ranges and their arbiter");
    assert!(one.commit_id < many.commit_id);
    let mut txn = world.begin().await;
    assert_eq!(assert_send(txn.get(&a, None)).await.unwrap(), Some(Bytes::from_static(b"2")));
    let both = assert_send(txn.get_many(vec![b, key(2, "none"), a], None)).await.unwrap();
    assert_eq!(both, [Some(Bytes::from_static(b"2")), None, Some(Bytes::from_static(b"2"))]);
    let read = assert_send(txn.commit()).await.unwrap();
    assert_eq!((read.path, read.trace.rounds, read.trace.messages), (CommitPath::ReadOnly, 0, 0));
    assert_eq!(txn.get(b"x", None).await, Err(Error::Finished));
}

#[tokio::test(start_paused = true)]
async fn scans_cross_ranges_both_ways_and_see_own_writes() {
    let world = World::new(2, 1).await;
    let keys = [key(0, "a"), key(0, "b"), key(1, "c"), key(2, "d"), key(2, "e")];
    world.write(&keys.each_ref().map(|key| (key.as_slice(), "v"))).await;
    let all = Span::new([0x10], [0xff]);
    let mut txn = world.begin().await;
    txn.delete(keys[1].clone());
    let mark = txn.mark();
    txn.delete(keys[2].clone());
    txn.put(key(1, "x"), b"new".to_vec());
    let forward = Scan::all(all.clone());
    let backward = Scan { reverse: true, ..forward.clone() };
    assert_eq!(names(&mut txn, forward.clone()).await, ["a", "x", "d", "e"]);
    assert_eq!(names(&mut txn, backward.clone()).await, ["e", "d", "x", "a"]);
    txn.rollback_to(mark);
    assert_eq!(names(&mut txn, forward.clone()).await, ["a", "c", "d", "e"]);
    let limited = Scan { limit: Some(3), ..forward.clone() };
    let page = assert_send(txn.scan(limited)).await.unwrap();
    assert_eq!(page.pairs.len(), 3);
    let rest = Scan::all(page.resume.unwrap());
    assert_eq!(names(&mut txn, rest).await, ["e"]);
    assert_eq!(names(&mut txn, Scan { limit: Some(2), ..backward }).await, ["e", "d"]);
    txn.rollback().await;
    assert_eq!(names(&mut world.begin().await, forward).await, ["a", "b", "c", "d", "e"]);
}

#[tokio::test(start_paused = true)]
async fn serializable_refuses_what_was_overwritten() {
    let world = World::new(3, 1).await;
    let (a, b, c) = (key(0, "a"), key(1, "b"), key(2, "c"));
    world.write(&[(&a, "1"), (&b, "1")]).await;
    // Write skew over two ranges: each reads both and writes one.
    let (mut first, mut second) = (world.begin().await, world.begin().await);
    for txn in [&mut first, &mut second] {
        assert!(txn.get(&a, None).await.unwrap().is_some() && txn.get(&b, None).await.unwrap().is_some());
    }
    first.put(a.clone(), b"2".to_vec());
    second.put(b.clone(), b"2".to_vec());
    first.commit().await.unwrap();
    assert_eq!(second.commit().await, Err(Error::Retry(RetryReason::ReadConflict)));
    // A phantom: the reader saw an empty span.
    let mut reader = world.begin().await;
    assert!(names(&mut reader, Scan::all(Span::new([0x80], [0xff]))).await.is_empty());
    world.write(&[(&c, "1")]).await;
    reader.put(a.clone(), b"3".to_vec());
    assert_eq!(reader.commit().await, Err(Error::Retry(RetryReason::ReadConflict)));
    // What was read before being written.
    let mut late = world.begin().await;
    assert!(late.get(&c, None).await.unwrap().is_some());
    let newest = world.write(&[(&c, "2")]).await.commit_id.unwrap();
    late.put(c.clone(), b"3".to_vec());
    assert_eq!(late.commit().await, Err(Error::Retry(RetryReason::WriteConflict { newest })));
    assert_eq!(world.value(&c).await, Some(Bytes::from_static(b"2")));
}

#[tokio::test(start_paused = true)]
async fn snapshot_lets_the_first_committer_win_and_allows_skew() {
    let world = World::new(4, 1).await;
    let (a, b) = (key(0, "a"), key(1, "b"));
    world.write(&[(&a, "1"), (&b, "1")]).await;
    let (mut first, mut second) = (begin(&world, Isolation::Snapshot).await, begin(&world, Isolation::Snapshot).await);
    first.get(&b, None).await.unwrap();
    second.get(&a, None).await.unwrap();
    first.put(a.clone(), b"2".to_vec());
    second.put(b.clone(), b"2".to_vec());
    first.commit().await.unwrap();
    second.commit().await.unwrap();
    let (mut first, mut second) = (begin(&world, Isolation::Snapshot).await, begin(&world, Isolation::Snapshot).await);
    first.put(a.clone(), b"3".to_vec());
    second.put(a.clone(), b"4".to_vec());
    let newest = first.commit().await.unwrap().commit_id.unwrap();
    assert_eq!(second.commit().await, Err(Error::Retry(RetryReason::WriteConflict { newest })));
    // A parent row that must stay.
    let mut child = begin(&world, Isolation::Snapshot).await;
    child.get(&a, None).await.unwrap();
    child.must_stay_valid(Span::point(&a), &None);
    child.put(b.clone(), b"child".to_vec());
    let mut parent = world.begin().await;
    parent.delete(a.clone());
    parent.commit().await.unwrap();
    assert_eq!(child.commit().await, Err(Error::Retry(RetryReason::ReadConflict)));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_for_a_lock_goes_on_with_the_newest_value() {
    let world = World::new(5, 1).await;
    let (a, b) = (key(0, "a"), key(1, "b"));
    world.write(&[(&a, "1"), (&b, "1")]).await;
    let wait = Some((LockMode::Update, LockWait::Wait));
    let mut older = world.begin().await;
    let mut younger = world.begin().await;
    let mut committed = begin(&world, Isolation::ReadCommitted).await;
    younger.get(&b, None).await.unwrap();
    older.get(&a, wait).await.unwrap();
    let no_wait = Some((LockMode::Update, LockWait::NoWait));
    assert!(matches!(younger.get(&a, no_wait).await, Err(Error::LockNotAvailable { .. })));
    older.put(a.clone(), b"2".to_vec());
    let (ended, waited) = tokio::join!(
        async {
            world.runtime.sleep(std::time::Duration::from_millis(10)).await;
            older.commit().await
        },
        younger.get(&a, wait),
    );
    ended.unwrap();
    assert_eq!(waited.unwrap(), Some(Bytes::from_static(b"2")));
    younger.put(a.clone(), b"3".to_vec());
    younger.commit().await.unwrap();
    assert_eq!(committed.get(&a, wait).await, Err(Error::RestartStatement));
    committed.restart_statement().await.unwrap();
    assert_eq!(committed.get(&a, wait).await.unwrap(), Some(Bytes::from_static(b"3")));
    committed.put(a.clone(), b"4".to_vec());
    committed.commit().await.unwrap();
    assert_eq!(world.value(&a).await, Some(Bytes::from_static(b"4")));
}

#[tokio::test(start_paused = true)]
async fn a_first_lock_moves_s_to_what_it_was_granted_on() {
    let world = World::new(6, 1).await;
    let (a, b) = (key(0, "a"), key(1, "b"));
    world.write(&[(&b, "1")]).await;
    let wait = Some((LockMode::Update, LockWait::Wait));
    let mut txn = world.begin().await;
    let mut unwise = world.begin().await;
    let newest = world.write(&[(&a, "1"), (&b, "2")]).await.commit_id.unwrap();
    world.write(&[(&b, "3")]).await;
    assert_eq!(txn.get(&a, wait).await.unwrap(), Some(Bytes::from_static(b"1")));
    assert_eq!(txn.read_id(), newest);
    assert_eq!(txn.get(&b, None).await.unwrap(), Some(Bytes::from_static(b"2")), "all reads are of one state");
    txn.put(a.clone(), b"2".to_vec());
    let conflict = Error::Retry(RetryReason::ReadConflict);
    assert_eq!(txn.commit().await, Err(conflict.clone()), "it was not the newest");

    assert_eq!(unwise.get(&a, wait).await.unwrap(), Some(Bytes::from_static(b"1")));
    let mut ddl = world.begin().await;
    ddl.put(key(2, "table"), b"new".to_vec());
    ddl.changes_catalog();
    ddl.commit().await.unwrap();
    assert_eq!(unwise.commit().await, Err(conflict), "it read rows of another catalog, perhaps");
}

/// The commit ID of one write is drawn with its S: one request to the oracle. It is used as long as nothing has passed it.
#[tokio::test(start_paused = true)]
async fn a_commit_id_that_was_drawn_early_is_used_if_nothing_has_passed_it() {
    let world = World::new(12, 1).await;
    let options = TxnOptions { draws_commit_id: true, ..TxnOptions::default() };
    let begin = async || world.clients[0].begin(options).await.unwrap();
    let lock = Some((LockMode::Update, LockWait::Wait));
    let (a, b) = (key(0, "a"), key(1, "b"));

    let mut early = begin().await;
    let id = TxnId(early.read_id().0 + 1);
    let later = world.write(&[(&b, "1")]).await.commit_id.unwrap();
    assert!(later > id, "the ID was drawn before");
    early.put(a.clone(), b"1".to_vec());
    assert_eq!(early.commit().await.unwrap().commit_id, Some(id));

    let mut several = begin().await;
    let id = TxnId(several.read_id().0 + 1);
    world.write(&[(&key(2, "c"), "1")]).await;
    several.set_commit_protocol(CommitProtocol::ThreePhase);
    several.put(a.clone(), b"1".to_vec());
    several.put(b.clone(), b"1".to_vec());
    let committed = several.commit().await.unwrap();
    assert!(matches!(committed.path, CommitPath::ThreePhase { participants: 2, .. }));
    assert_eq!(committed.commit_id, Some(id));

    let mut outvoted = begin().await;
    world.write(&[(&key(2, "c"), "2")]).await;
    let reader = world.begin().await.read_id();
    assert_eq!(world.value(&a).await, Some(Bytes::from_static(b"1")));
    outvoted.set_commit_protocol(CommitProtocol::ThreePhase);
    outvoted.put(a.clone(), b"1".to_vec());
    outvoted.put(b.clone(), b"1".to_vec());
    assert!(outvoted.commit().await.unwrap().commit_id.unwrap() > reader, "one vote came with a bound above the ID");

    let mut overtaken = begin().await;
    let newer = world.write(&[(&a, "2")]).await.commit_id.unwrap();
    assert_eq!(overtaken.get(&a, lock).await.unwrap(), Some(Bytes::from_static(b"2")), "the lock was granted on it");
    overtaken.put(a.clone(), b"3".to_vec());
    assert!(overtaken.commit().await.unwrap().commit_id.unwrap() > newer);

    let mut promised = begin().await;
    world.write(&[(&b, "2")]).await;
    let reader = world.begin().await.read_id();
    assert_eq!(world.value(&a).await, Some(Bytes::from_static(b"3")));
    promised.put(a.clone(), b"4".to_vec());
    assert!(promised.commit().await.unwrap().commit_id.unwrap() > reader, "readers were promised what they saw");

    let mut beaten = begin().await;
    assert_eq!(beaten.get(&a, None).await.unwrap(), Some(Bytes::from_static(b"4")));
    world.write(&[(&a, "5")]).await;
    beaten.put(a.clone(), b"6".to_vec());
    assert!(matches!(beaten.commit().await, Err(Error::Retry(RetryReason::WriteConflict { .. }))));
}

#[tokio::test(start_paused = true)]
async fn older_transactions_wound_younger_ones() {
    let world = World::new(6, 1).await;
    let (a, b) = (key(0, "a"), key(0, "b"));
    let wait = Some((LockMode::Update, LockWait::Wait));
    let (mut older, mut younger) = (world.begin().await, world.begin().await);
    older.get(&a, wait).await.unwrap();
    younger.get(&b, wait).await.unwrap();
    let (blocked, got) = tokio::join!(younger.get(&a, wait), older.get(&b, wait));
    assert_eq!(blocked, Err(Error::Retry(RetryReason::Wounded)));
    assert_eq!(got, Ok(None));
    older.put(b.clone(), b"1".to_vec());
    older.commit().await.unwrap();
    let options = TxnOptions { start: Some(younger.start_id()), ..TxnOptions::default() };
    younger.rollback().await;
    let mut again = world.clients[0].begin(options).await.unwrap();
    assert_eq!(again.start_id(), younger.start_id());
    assert_eq!(again.get(&b, wait).await.unwrap(), Some(Bytes::from_static(b"1")));
}

#[tokio::test(start_paused = true)]
async fn large_transactions_go_down_in_chunks() {
    let world = World::new(7, 1).await;
    let mut txn = world.begin().await;
    for number in 0..60 {
        txn.put(key(number % 2, &format!("{number:03}")), vec![number as u8; 100_000]);
    }
    let reason = Reason::Size;
    assert_eq!(txn.commit().await.unwrap().path, CommitPath::ThreePhase { participants: 2, reason });
    let mut txn = world.begin().await;
    for number in 0..30 {
        txn.put(key(2, &format!("{number:03}")), vec![number as u8; 100_000]);
    }
    assert_eq!(txn.commit().await.unwrap().path, CommitPath::ThreePhase { participants: 1, reason });
    let all = names(&mut world.begin().await, Scan::all(Span::new([0x10], [0xff]))).await;
    assert_eq!(all.len(), 90);
    let mut txn = world.begin().await;
    txn.put(key(0, "huge"), vec![0; 9 << 20]);
    assert!(matches!(txn.commit().await, Err(Error::TooLarge { .. })));
    let mut txn = world.clients[0].begin(TxnOptions { read_only: true, ..TxnOptions::default() }).await.unwrap();
    txn.delete(key(0, "000"));
    assert_eq!(txn.commit().await, Err(Error::ReadOnly));
}

#[tokio::test(start_paused = true)]
async fn a_catalog_change_ends_transactions_that_were_planned_before_it() {
    let world = World::new(8, 1).await;
    let (a, b) = (key(0, "a"), key(1, "b"));
    let mut planned = world.begin().await;
    let mut ddl = world.begin().await;
    ddl.changes_catalog();
    ddl.put(vec![0x03, 1], b"table".to_vec());
    let commit_id = ddl.commit().await.unwrap().commit_id.unwrap();
    planned.put(a.clone(), b"1".to_vec());
    assert_eq!(planned.commit().await, Err(Error::Retry(RetryReason::ReadConflict)));
    let mut fresh = world.begin().await;
    assert_eq!(fresh.catalog_id(), commit_id);
    fresh.put(a.clone(), b"1".to_vec());
    fresh.put(b.clone(), b"1".to_vec());
    fresh.commit().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_closed_node_lets_nobody_wait() {
    let world = World::new(4, 3).await;
    let client = &world.clients[0];
    let waiting = client.begin(TxnOptions::default());
    let (waited, ()) = tokio::join!(waiting, client.close());
    let later = client.begin(TxnOptions::default());
    let later = tokio::time::timeout(std::time::Duration::from_secs(60), later).await.unwrap();
    for answer in [waited, later] {
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_past_is_read_as_it_was_and_never_the_future() {
    let world = World::new(1, 1).await;
    let a = key(0, "a");
    let first = world.write(&[(&a, "1")]).await.commit_id.unwrap();
    world.write(&[(&a, "2")]).await;
    let client = &world.clients[0];
    let mut past = client.begin_as_of(first).await.unwrap();
    assert_eq!(past.get(&a, None).await.unwrap(), Some(Bytes::from_static(b"1")));
    past.put(a.clone(), b"3".to_vec());
    assert_eq!(past.commit().await, Err(Error::ReadOnly));
    let newest = client.begin(TxnOptions::default()).await.unwrap().read_id();
    let future = crate::TxnId(newest.0 + 1);
    assert_eq!(client.begin_as_of(future).await.unwrap_err(), Error::NotYet { read_id: future, newest });
    let mut now = client.begin_as_of(newest).await.unwrap();
    assert_eq!(now.get(&a, None).await.unwrap(), Some(Bytes::from_static(b"2")));
}

#[tokio::test(start_paused = true)]
async fn times_are_translated_by_this_leader_and_by_the_next() {
    let world = World::new(1, 1).await;
    let client = &world.clients[0];
    client.retain(Some(std::time::Duration::from_secs(600)));
    let a = key(0, "a");
    let mut written = Vec::new();
    for n in 0..4 {
        world.runtime.sleep(std::time::Duration::from_secs(7)).await;
        written.push(world.write(&[(&a, &n.to_string())]).await.commit_id.unwrap());
        world.runtime.sleep(std::time::Duration::from_secs(1)).await;
        let at = client.oracle().read_id_at(world.runtime.wall()).await.unwrap().unwrap();
        assert!(at >= written[n], "what was told is there");
        let before = client.oracle().read_id_at(world.runtime.wall() - 4_000_000).await.unwrap();
        assert!(before.is_none_or(|before| before < written[n]), "{before:?} {written:?}");
    }
    assert_eq!(client.oracle().read_id_at(1).await.unwrap(), None, "before all that is remembered");
}

#[tokio::test(start_paused = true)]
async fn old_versions_are_collected_but_not_under_an_open_transaction() {
    let world = World::new(1, 1).await;
    let client = &world.clients[0];
    let a = key(0, "a");
    world.write(&[(&a, "1")]).await;
    // Long enough for its gateway to tell of an open transaction: the least that a node accepts.
    client.retain(Some(std::time::Duration::from_secs(20)));
    let running = client.clone();
    let announcing = tokio::spawn(async move { running.run().await });
    let mut open = client.begin_as_of(world.begin().await.read_id()).await.unwrap();
    world.write(&[(&a, "2")]).await;
    let stale = world.begin().await.read_id();
    world.write(&[(&a, "3")]).await;
    world.runtime.sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(open.get(&a, None).await.unwrap(), Some(Bytes::from_static(b"1")), "it may still be read");
    drop(open);
    world.runtime.sleep(std::time::Duration::from_secs(60)).await;
    let mut past = client.begin_as_of(stale).await.unwrap();
    assert!(matches!(past.get(&a, None).await, Err(Error::TooOld { .. })));
    assert_eq!(world.begin().await.get(&a, None).await.unwrap(), Some(Bytes::from_static(b"3")));
    announcing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_is_held_shows_and_goes_on() {
    let world = World::new(1, 1).await;
    let client = world.clients[0].clone();
    let (a, b) = (key(0, "a"), key(1, "b"));
    client.coordinator().brake().pull();
    let mut txn = world.begin().await;
    txn.set_commit_protocol(CommitProtocol::ThreePhase);
    txn.put(a.clone(), b"1".to_vec());
    txn.put(b.clone(), b"1".to_vec());
    let attempt = txn.attempt();
    let committing = tokio::spawn(async move { txn.commit().await.map(|committed| committed.commit_id) });
    assert_eq!(client.coordinator().brake().held().await, Some(attempt));
    world.runtime.sleep(std::time::Duration::from_secs(10)).await;
    let shown = client.inspect().await.remove(0).1;
    let in_doubt: Vec<_> = shown.in_doubt.iter().map(|held| held.record.attempt).collect();
    assert_eq!(in_doubt, [attempt; 3], "both ranges and their arbiter");
    assert!(shown.locks.iter().all(|lock| lock.granted && lock.attempt == attempt && lock.mode.is_none()));
    client.coordinator().brake().release();
    assert!(committing.await.unwrap().unwrap().is_some());
    world.runtime.sleep(std::time::Duration::from_secs(1)).await;
    let shown = client.inspect().await.remove(0).1;
    assert_eq!((shown.in_doubt.len(), shown.locks.len()), (0, 0));
    assert!(
        shown.commits.contains(&("three-phase".to_owned(), Some("requested".to_owned()), 1)),
        "{:?}",
        shown.commits
    );
}
