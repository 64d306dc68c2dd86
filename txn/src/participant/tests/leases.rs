//! Reads under a bound: without a message, right even at a leader that is deposed, and the floor of the next one.

use super::world::*;
use crate::TxnId;
use crate::api::{RangeRequest, Reply, Request, TxnMeta};
use crate::participant::Participant;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Reads at a participant that is held to lead.
async fn read(at: &Arc<Participant>, meta: TxnMeta) -> Reply {
    let request = RangeRequest { range: LEFT, generation: at.generation(), request: get(meta, 0x20) };
    at.handle(request).await
}

#[tokio::test(start_paused = true)]
async fn a_read_under_the_bound_sends_nothing() {
    let world = World::new(3).await;
    world.put(LEFT, 0x20, "a").await;
    let leader = world.leader(LEFT).await;
    let reader = world.begin(1);
    let (began, now) = (world.sent.load(Ordering::SeqCst), world.runtime.now());
    assert_eq!(read(&leader, TxnMeta { read_id: world.commit_id(), ..reader }).await, rows(Some("a"), None));
    assert!(world.sent.load(Ordering::SeqCst) > began && world.runtime.now() > now, "the first one needs a round");
    let (began, now) = (world.sent.load(Ordering::SeqCst), world.runtime.now());
    for _ in 0..50 {
        assert_eq!(read(&leader, TxnMeta { read_id: world.commit_id(), ..reader }).await, rows(Some("a"), None));
    }
    assert_eq!((world.sent.load(Ordering::SeqCst), world.runtime.now()), (began, now));
    // A heartbeat moves the bound on, and the range is read on without a round.
    for _ in 0..20 {
        world.pause(30).await;
        let now = world.runtime.now();
        for _ in 0..40 {
            read(&leader, TxnMeta { read_id: world.commit_id(), ..reader }).await;
        }
        assert_eq!(world.runtime.now(), now);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deposed_leader_reads_under_its_bound_and_the_next_one_writes_above() {
    let world = World::new(3).await;
    let old = world.leader(LEFT).await;
    let reader = TxnMeta { read_id: world.commit_id(), ..world.begin(1) };
    assert_eq!(read(&old, reader).await, rows(None, None));
    let bound = old.lease.bound();
    assert_eq!(bound, reader.read_id.0 + 64);
    world.cut.lock().insert(old.node);
    // Handed out after the leader was cut off, in no round of it.
    let late = TxnMeta { read_id: world.commit_id(), ..reader };
    assert_eq!(read(&old, late).await, rows(None, None), "under the bound");
    let above = read(&old, TxnMeta { read_id: TxnId(bound + 1), ..reader });
    let above = world.runtime.timeout(Duration::from_secs(5), above).await;
    assert!(matches!(above, None | Some(Reply::NotLeader { .. })), "{above:?}");

    let new = world.leader(LEFT).await;
    assert!(new.term() > old.term());
    assert!(world.read_id() >= TxnId(bound), "the oracle has skipped to the floor");
    let mut txn = prepare(world.begin(2), 0x20, "b");
    txn.commit_id = late.read_id;
    let refused = Reply::NeedHigherId { above: TxnId(bound) };
    assert_eq!(world.ask(LEFT, Request::CommitOne(txn.clone())).await, refused);
    txn.commit_id = TxnId(bound);
    assert_eq!(world.ask(LEFT, Request::CommitOne(txn)).await, refused);
    world.put(LEFT, 0x20, "c").await;
}

#[tokio::test(start_paused = true)]
async fn the_floor_of_a_bound_goes_into_the_log_and_over_a_split() {
    let world = World::new(3).await;
    let old = world.leader(LEFT).await;
    read(&old, TxnMeta { read_id: world.commit_id(), ..world.begin(1) }).await;
    let bound = TxnId(old.lease.bound());
    world.cut.lock().insert(old.node);
    world.leader(LEFT).await;
    let right = quorate_storage::RangeId(9);
    assert_eq!(world.ask(LEFT, Request::Split { key: vec![0x50], right }).await, Reply::Ok);
    let leader = world.leader(right).await;
    assert!(leader.stored_floor(crate::participant::FLOOR).unwrap() >= bound);
    assert_eq!(leader.lease.voted(), 0, "nobody has granted anything for the right half");
}
