//! Ranges that split under the feet of transactions.

use super::world::{World, key};
use crate::api::{Reply, Request};
use crate::router::DirectoryRequest;
use crate::{CommitPath, Error, LockMode, LockWait, Reason, RetryReason, Scan};
use bytes::Bytes;
use quorate_storage::{NodeId, RangeDescriptor, ReplicaDescriptor, Span};

pub async fn split(world: &World, at: &[u8]) {
    let router = world.clients[0].router();
    let right = router.new_range_id().await.unwrap();
    let reply = router.send_to_key(at, || Request::Split { key: at.to_vec(), right }).await.unwrap();
    assert_eq!(reply, Reply::Ok);
}

#[tokio::test(start_paused = true)]
async fn transactions_follow_their_keys_over_a_split() {
    let world = World::new(41, 1).await;
    let (a, m) = (key(0, "a"), key(0, "m"));
    world.write(&[(&a, "1"), (&m, "1")]).await;
    let mut txn = world.begin().await;
    let lock = Some((LockMode::Update, LockWait::Wait));
    assert_eq!(txn.get(&a, lock).await.unwrap(), Some(Bytes::from_static(b"1")));
    let mut beaten = world.begin().await;
    beaten.get(&m, None).await.unwrap();
    split(&world, &m).await;
    assert_eq!(txn.get(&m, lock).await.unwrap(), Some(Bytes::from_static(b"1")));
    txn.put(a.clone(), b"2".to_vec());
    txn.put(m.clone(), b"2".to_vec());
    // The route is stale no more; but cut for one range by a gateway that did not know, it becomes two.
    assert_eq!(txn.commit().await.unwrap().path, CommitPath::Fast { participants: 2 });
    beaten.put(a.clone(), b"3".to_vec());
    assert_eq!(beaten.commit().await, Err(Error::Retry(RetryReason::ReadConflict)));
    let pairs = world.begin().await.scan(Scan::all(Span::new([0x10], [0xff]))).await.unwrap().pairs;
    assert_eq!(pairs, [(Bytes::from(a), Bytes::from_static(b"2"))]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_was_cut_before_the_split_is_cut_again() {
    let world = World::new(42, 3).await;
    let (a, m) = (key(0, "a"), key(0, "m"));
    let mut txn = world.clients[1].begin(crate::TxnOptions::default()).await.unwrap();
    assert_eq!(txn.get_many(vec![a.clone(), m.clone()], None).await.unwrap(), [None, None]);
    split(&world, &m).await;
    assert_eq!(world.value(&m).await, None, "the right half is led");
    txn.put(a.clone(), b"1".to_vec());
    txn.put(m.clone(), b"1".to_vec());
    let before = txn.attempt();
    let path = txn.commit().await.unwrap().path;
    assert_eq!(path, CommitPath::ThreePhase { participants: 2, reason: Reason::Moved });
    assert_ne!(txn.attempt(), before);
    assert_eq!(world.value(&m).await, Some(Bytes::from_static(b"1")));
    split(&world, &key(0, "c")).await;
    assert_eq!(world.write(&[(&a, "2"), (&key(0, "b"), "2")]).await.path, CommitPath::One);
}

/// The key that a range was first locked at may belong to another range in the end.
#[tokio::test(start_paused = true)]
async fn locks_are_dropped_on_both_sides_of_a_split() {
    let world = World::new(43, 1).await;
    let (a, m) = (key(0, "a"), key(0, "m"));
    world.write(&[(&a, "1"), (&m, "1")]).await;
    let lock = Some((LockMode::Update, LockWait::Wait));
    let mut first = world.begin().await;
    first.get(&m, lock).await.unwrap();
    split(&world, &m).await;
    first.get(&a, lock).await.unwrap();
    first.rollback().await;
    let mut second = world.begin().await;
    let at_once = Some((LockMode::Update, LockWait::NoWait));
    for key in [&a, &m] {
        assert_eq!(second.get(key, at_once).await.unwrap(), Some(Bytes::from_static(b"1")));
    }
}

/// What a gateway knows of a range's members outlives them, if nobody tells it.
#[tokio::test(start_paused = true)]
async fn a_range_that_has_moved_to_other_nodes_is_found_again() {
    let world = World::with_a_range_apart(47, 1).await;
    let router = world.clients[0].router();
    let there = key(2, "a");
    let known = router.locate(&there).await.unwrap().descriptor.clone();
    let here = ReplicaDescriptor { node: NodeId(1), ..known.replicas[0] };
    let stale = RangeDescriptor { replicas: vec![here], conf_ver: known.conf_ver + 1, ..known.clone() };
    assert!(router.learn([stale]));
    router.locate(&there).await.unwrap().set_leader(None);
    let current = RangeDescriptor { conf_ver: known.conf_ver + 2, ..known };
    router.ask_directory(&DirectoryRequest::Update(vec![current.clone()])).await.unwrap();
    assert_eq!(world.value(&there).await, None);
    assert_eq!(router.locate(&there).await.unwrap().descriptor, current);
}
