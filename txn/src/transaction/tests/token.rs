//! Clients that ask by a commit token how a commit ended: after it, before it, and while it is under way.

use super::ranges::split;
use super::world::{World, key, poll_some};
use crate::{Client, CommitProtocol, Error, RetryReason, Transaction, TxnId, TxnOptions, TxnStatus};
use quorate_net::PeerId;
use std::pin::pin;
use std::time::Duration;

/// A transaction that writes in the first `ranges` ranges.
async fn writing(client: &Client, ranges: usize, protocol: CommitProtocol, name: &str) -> Transaction {
    let mut txn = client.begin(TxnOptions::default()).await.unwrap();
    txn.set_commit_protocol(protocol);
    for range in 0..ranges {
        txn.put(key(range, name), b"new".to_vec());
    }
    txn
}

const WAYS: [(usize, CommitProtocol); 3] =
    [(1, CommitProtocol::Auto), (3, CommitProtocol::OneRound), (3, CommitProtocol::ThreePhase)];

#[tokio::test(start_paused = true)]
async fn what_was_committed_is_so_and_what_was_not_never_will_be() {
    let world = World::new(71, 3).await;
    for (ranges, protocol) in WAYS {
        let mut txn = writing(&world.clients[0], ranges, protocol, "a").await;
        let token = txn.token().unwrap().to_string().parse().unwrap();
        let commit_id = txn.commit().await.unwrap().commit_id.unwrap();
        assert_eq!(world.clients[1].status(&token).await, Ok(TxnStatus::Committed(commit_id)));
        let mut never = writing(&world.clients[0], ranges, protocol, "b").await;
        let token = never.token().unwrap();
        assert_eq!(world.clients[2].status(&token).await, Ok(TxnStatus::Aborted));
        assert_eq!(never.commit().await, Err(Error::Retry(RetryReason::Aborted)));
        assert_eq!(world.value(&key(0, "b")).await, None);
        assert_eq!(world.clients[1].status(&token).await, Ok(TxnStatus::Aborted));
    }
    assert_eq!(world.begin().await.token(), None, "nothing is written");
    let mut made_up = writing(&world.clients[0], 1, CommitProtocol::Auto, "c").await.token().unwrap();
    made_up.first.birth = TxnId(u64::MAX);
    assert!(matches!(world.clients[0].status(&made_up).await, Err(Error::NotYet { .. })));
}

/// A transaction of node 2, which does not know that the first range was split at the second key.
async fn behind_a_split(world: &World, names: [&str; 2]) -> Transaction {
    let keys = names.map(|name| key(0, name));
    let mut txn = world.clients[1].begin(TxnOptions::default()).await.unwrap();
    txn.get_many(keys.to_vec(), None).await.unwrap();
    split(world, &keys[1]).await;
    assert_eq!(world.value(&keys[1]).await, None, "the right half is led");
    for key in keys {
        txn.put(key, b"new".to_vec());
    }
    txn
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_is_found_by_the_token_of_the_first() {
    let world = World::new(72, 3).await;
    let mut txn = behind_a_split(&world, ["a", "m"]).await;
    let token = txn.token().unwrap();
    let commit_id = txn.commit().await.unwrap().commit_id.unwrap();
    assert_ne!(txn.attempt(), token.first);
    assert_eq!(world.clients[2].status(&token).await, Ok(TxnStatus::Committed(commit_id)));
}

/// Asks in the middle of a commit, after any number of its steps, while it goes on. How often it was committed, and not.
async fn asked_at_every_step(world: &World, mut begin: impl AsyncFnMut(usize) -> Transaction) -> (usize, usize) {
    let (mut committed, mut aborted) = (0, 0);
    for polls in 1.. {
        let mut txn = begin(polls).await;
        let token = txn.token().unwrap();
        let mut commit = pin!(txn.commit());
        if poll_some(&mut commit, polls).await.is_some() {
            return (committed, aborted);
        }
        // Both go on: a commit that nobody polls would keep its latches.
        let (status, told) = tokio::join!(world.clients[2].status(&token), commit);
        let (status, told) = (status.unwrap(), told.map(|committed| committed.commit_id.unwrap()));
        match status {
            TxnStatus::Committed(id) => assert_eq!(told, Ok(id), "after {polls} polls"),
            TxnStatus::Aborted => assert!(matches!(told, Err(Error::Retry(_))), "after {polls} polls: {told:?}"),
            TxnStatus::Expired => panic!("after {polls} polls"),
        }
        committed += usize::from(told.is_ok());
        aborted += usize::from(told.is_err());
        assert_eq!(world.clients[1].status(&token).await, Ok(status), "it is final");
        assert_eq!(world.value(&token.anchor).await.is_some(), told.is_ok());
    }
    unreachable!()
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_the_middle_of_a_commit_holds() {
    let world = World::new(73, 3).await;
    for (ranges, protocol) in WAYS {
        let begin = async |polls| writing(&world.clients[0], ranges, protocol, &format!("{protocol:?}{polls}")).await;
        let (committed, aborted) = asked_at_every_step(&world, begin).await;
        assert!(committed + aborted >= 1, "{protocol:?}: {committed} committed, {aborted} aborted");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_between_two_attempts_holds() {
    let world = World::new(74, 3).await;
    let begin = async |polls| behind_a_split(&world, [&format!("{polls:02}a"), &format!("{polls:02}m")]).await;
    let (committed, aborted) = asked_at_every_step(&world, begin).await;
    assert!(committed + aborted >= 2, "{committed} committed, {aborted} aborted");
}

#[tokio::test(start_paused = true)]
async fn nobody_guesses_while_those_who_know_are_away() {
    let world = World::with_a_range_apart(75, 3).await;
    let mut txn = writing(&world.clients[3], 3, CommitProtocol::OneRound, "a").await;
    let token = crate::CommitToken { anchor: key(2, "a"), ..txn.token().unwrap() };
    for node in 1..=3 {
        world.hub.disconnect(PeerId(4), PeerId(node));
    }
    assert_eq!(world.clients[0].status(&token).await, Err(Error::Ambiguous));
    world.hub.heal();
    assert_eq!(world.clients[0].status(&token).await, Ok(TxnStatus::Aborted));
    assert!(txn.commit().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_token_expires_with_the_records_of_its_time() {
    let world = World::new(76, 1).await;
    world.clients[0].retain(Some(Duration::from_secs(600)));
    let mut txn = writing(&world.clients[0], 1, CommitProtocol::Auto, "a").await;
    let token = txn.token().unwrap();
    txn.commit().await.unwrap();
    drop(txn);
    assert!(matches!(world.clients[0].status(&token).await, Ok(TxnStatus::Committed(_))));
    for _ in 0..10 {
        world.write(&[(&key(1, "later"), "")]).await;
        world.runtime.sleep(Duration::from_secs(15)).await;
    }
    assert_eq!(world.clients[0].status(&token).await, Ok(TxnStatus::Expired));
}
