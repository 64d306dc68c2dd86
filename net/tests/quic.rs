//! The transport over real sockets, between honest nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

mod support;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use quorate_net::{ChunkList, ChunkSource, Message, NetError, PeerId, Transport};
use support::{EARLY, ECHO, ECHO_LATER, Node, PATIENCE, SILENCE, authority, identity, pair};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_call_each_other() {
    let (one, two) = pair();
    assert_eq!(one.ask(2, ECHO, "to two").await.unwrap(), "to two");
    assert_eq!(two.ask(1, ECHO_LATER, "to one").await.unwrap(), "to one");
    assert_eq!(one.transport.reachable(), [(PeerId(2), true)]);
    assert!(one.transport.round_trip(PeerId(2)).is_some());
    one.transport.close().await;
    two.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_answers_over_the_connection_of_its_caller() {
    let authority = authority(1);
    let (one, two) = (Node::start(identity(&authority, 1)), Node::start(identity(&authority, 2)));
    one.knows(2, &two);
    one.ask(2, ECHO, "hello").await.unwrap();
    assert_eq!(two.ask(1, ECHO, "two was never told where one is").await.unwrap().len(), 31);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_in_order() {
    let (one, mut two) = pair();
    one.ask(2, ECHO, "connect").await.unwrap();
    for kind in 0..100 {
        one.transport.send(PeerId(2), Message { kind, payload: Bytes::from(vec![7; 5000]) });
    }
    for kind in 0..100 {
        let (from, message) = tokio::time::timeout(PATIENCE, two.messages.recv()).await.unwrap().unwrap();
        assert_eq!((from, message.kind, message.payload.len()), (PeerId(1), kind, 5000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_in_both_directions() {
    let (one, two) = pair();
    let ask = |node: &Node, to, index: usize| {
        let kind = [ECHO, ECHO_LATER][index % 2];
        let transport = node.transport.clone();
        let payload = Bytes::from(index.to_string().repeat(1 + index % 300));
        tokio::spawn(async move {
            let message = Message { kind, payload: payload.clone() };
            assert_eq!(transport.call(PeerId(to), message, PATIENCE).await.unwrap(), payload);
        })
    };
    let calls: Vec<_> = (0..1000).flat_map(|index| [ask(&one, 2, index), ask(&two, 1, index)]).collect();
    for call in calls {
        call.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_calls_pass_and_larger_ones_are_refused_before_sending() {
    let (one, _two) = pair();
    let large = Bytes::from(vec![1; quorate_net::frame::MAX_PAYLOAD]);
    assert_eq!(one.ask(2, ECHO, large.clone()).await.unwrap(), large);
    let larger = one.ask(2, ECHO, vec![1; quorate_net::frame::MAX_PAYLOAD + 1]).await.unwrap_err();
    assert!(matches!(larger, NetError::TooLarge { .. }) && !larger.maybe_delivered());
    assert_eq!(one.ask(2, ECHO, "still connected").await.unwrap(), "still connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_never_answers_ends_in_the_deadline() {
    let (one, _two) = pair();
    one.ask(2, ECHO, "connect").await.unwrap();
    let message = Message { kind: SILENCE, payload: Bytes::new() };
    let silence = one.transport.call(PeerId(2), message, Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(silence, NetError::Deadline) && silence.maybe_delivered());
    assert_eq!(one.ask(2, ECHO, "others are served").await.unwrap(), "others are served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_unreachable() {
    let authority = authority(1);
    let (one, two) = (Node::start(identity(&authority, 1)), Node::start(identity(&authority, 2)));
    assert!(matches!(one.ask(2, ECHO, "x").await, Err(NetError::Unreachable { peer: PeerId(2) })));
    one.knows(2, &two);
    one.ask(2, ECHO, "x").await.unwrap();
    one.transport.remove_peer(PeerId(2));
    assert!(matches!(one.ask(2, ECHO, "x").await, Err(NetError::Unreachable { peer: PeerId(2) })));
    assert_eq!(one.transport.reachable(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_peer_is_connected_again() {
    let authority = authority(1);
    let (one, two) = (Node::start(identity(&authority, 1)), Node::start(identity(&authority, 2)));
    let address = two.address();
    one.knows(2, &two);
    one.ask(2, ECHO, "before").await.unwrap();
    let waiting = one.transport.call(PeerId(2), Message { kind: SILENCE, payload: Bytes::new() }, PATIENCE);
    let (lost, ()) = tokio::join!(waiting, two.transport.close());
    assert!(lost.unwrap_err().maybe_delivered());

    let again = Node::start_at(address, identity(&authority, 2), None).expect("closing has released the port");
    let answer = tokio::time::timeout(PATIENCE, async {
        loop {
            match one.ask(2, ECHO, "after").await {
                Ok(answer) => return answer,
                Err(error) => assert!(!error.maybe_delivered(), "{error}"),
            }
        }
    });
    assert_eq!(answer.await.unwrap(), "after");
    again.transport.close().await;
}

/// A node that dies without a word leaves a connection that its peer believes in; the restarted node must disown it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_and_restarted_peer_resets_old_connections() {
    let authority = authority(1);
    let one = Node::start(identity(&authority, 1));
    let two_identity = identity(&authority, 2);
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let two = doomed.spawn({
        let identity = two_identity.clone();
        async move { Node::start(identity) }
    });
    let two = two.await.unwrap();
    let address = two.address();
    one.knows(2, &two);
    one.ask(2, ECHO, "before").await.unwrap();
    tokio::task::spawn_blocking(move || doomed.shutdown_timeout(PATIENCE)).await.unwrap();
    drop(two);

    let again = Node::start_at(address, two_identity, None).unwrap();
    let message = Message { kind: ECHO, payload: Bytes::new() };
    let before_idle_timeout = Duration::from_secs(4);
    let lost = one.transport.call(PeerId(2), message, before_idle_timeout).await.unwrap_err();
    assert!(matches!(lost, NetError::Lost { .. }), "{lost}");
    assert_eq!(one.ask(2, ECHO, "after").await.unwrap(), "after");
    again.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_megabytes_in_bulk_beside_calls() {
    let (one, _two) = pair();
    one.ask(2, ECHO, "connect").await.unwrap();
    let mut chunks: ChunkList = (0..20u8).map(|index| Bytes::from(vec![index; 1_000_000])).collect();
    let bulk = one.transport.send_bulk(PeerId(2), 9, Bytes::from_static(b"image"), &mut chunks);
    let calls = async {
        for _ in 0..50 {
            one.ask(2, ECHO, "beside").await.unwrap();
        }
    };
    let (answer, ()) = tokio::join!(bulk, calls);
    assert_eq!(answer.unwrap(), "image: 20000000 bytes, sum 190000000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_may_answer_before_the_end() {
    let (one, _two) = pair();
    let mut chunks: ChunkList = (0..200).map(|_| Bytes::from(vec![1; 1_000_000])).collect();
    let answer = one.transport.send_bulk(PeerId(2), EARLY, Bytes::new(), &mut chunks).await;
    assert_eq!(answer.unwrap(), "enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_fails_cancels_the_transfer() {
    struct Broken(u32);
    #[async_trait]
    impl ChunkSource for Broken {
        async fn next(&mut self) -> Result<Option<Bytes>, NetError> {
            self.0 += 1;
            match self.0 {
                1..3 => Ok(Some(Bytes::from_static(b"chunk"))),
                _ => Err(NetError::Cancelled("the disk is gone".to_owned())),
            }
        }
    }
    let (one, _two) = pair();
    let cancelled = one.transport.send_bulk(PeerId(2), 9, Bytes::new(), &mut Broken(0)).await;
    assert!(matches!(cancelled, Err(NetError::Cancelled(_))));
    assert_eq!(one.ask(2, ECHO, "still connected").await.unwrap(), "still connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_transport_says_so() {
    let (one, _two) = pair();
    one.ask(2, ECHO, "connect").await.unwrap();
    one.transport.close().await;
    let closed = one.ask(2, ECHO, "x").await.unwrap_err();
    assert!(matches!(closed, NetError::Closed), "{closed}");
}
