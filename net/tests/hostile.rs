//! The transport against strangers, liars and noise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint};
use quorate_net::frame::{Batch, FrameHeader, HELLO, MAX_FRAME};
use quorate_net::quic::NODE_PROTOCOL;
use quorate_net::{Identity, NetError, PeerId, Runtime, Transport, codec};
use support::{ECHO, Node, PATIENCE, any_port, authority, identity, pair};

/// A connection made by hand, with the certificate of `identity`.
async fn connect(identity: &Identity, to: SocketAddr, name: &str) -> Result<Connection, ConnectionError> {
    let tls = identity.client_config(NODE_PROTOCOL, &Runtime::real()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = Endpoint::client(any_port()).unwrap();
    endpoint.connect_with(config, to, name).unwrap().await
}

fn name(identity: &Identity, node: u64) -> String {
    format!("node-{node}.{}.quorate", identity.cluster())
}

async fn closed(connection: &Connection) -> ConnectionError {
    tokio::time::timeout(PATIENCE, connection.closed()).await.expect("the node closes the connection")
}

/// Sends bytes on the first stream of a fresh connection of node 9 and returns why node 1 closed it.
async fn refusal_of(bytes: Bytes) -> String {
    let authority = authority(1);
    let one = Node::start(identity(&authority, 1));
    let nine = identity(&authority, 9);
    let connection = connect(&nine, one.address(), &name(&nine, 1)).await.unwrap();
    let (mut send, _recv) = connection.open_bi().await.unwrap();
    send.write_chunk(bytes).await.unwrap();
    match closed(&connection).await {
        ConnectionError::ApplicationClosed(close) => String::from_utf8_lossy(&close.reason).into_owned(),
        other => panic!("{other}"),
    }
}

fn hello(class: u8) -> Bytes {
    let mut batch = Batch::default();
    batch.push(&FrameHeader { flags: HELLO, ..FrameHeader::default() }, codec::encode(&(1u16, class, 7u64)).into());
    batch.take().concat().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_cluster_is_refused() {
    let one = Node::start(identity(&authority(1), 1));
    let foreign = Node::start(identity(&authority(2), 2));
    foreign.knows(1, &one);
    let refused = foreign.ask(1, ECHO, "x").await.unwrap_err();
    assert!(matches!(refused, NetError::Refused(_)) && !refused.maybe_delivered(), "{refused}");
    one.knows(2, &foreign);
    assert!(matches!(one.ask(2, ECHO, "x").await, Err(NetError::Refused(_))));
    assert_eq!(one.transport.reachable(), [(PeerId(2), false)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_cluster_with_the_right_names_is_refused() {
    let one = Node::start(identity(&authority(1), 1));
    let impostor = Node::start(identity(&authority(1), 2));
    impostor.knows(1, &one);
    assert!(matches!(impostor.ask(1, ECHO, "x").await, Err(NetError::Refused(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_than_the_one_dialled_is_refused() {
    let authority = authority(1);
    let (one, three) = (Node::start(identity(&authority, 1)), Node::start(identity(&authority, 3)));
    one.knows(2, &three);
    let refused = one.ask(2, ECHO, "x").await.unwrap_err();
    assert!(matches!(refused, NetError::Refused(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_certificate_is_refused() {
    let authority = authority(1);
    let (one, nine) = (Node::start(identity(&authority, 1)), identity(&authority, 9));
    let mut tls = nine.client_config(NODE_PROTOCOL, &Runtime::real()).unwrap();
    tls.client_auth_cert_resolver = Arc::new(NoCertificate);
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = Endpoint::client(any_port()).unwrap();
    let connection = endpoint.connect_with(config, one.address(), &name(&nine, 1)).unwrap().await.unwrap();
    let reason = closed(&connection).await.to_string();
    assert!(reason.contains("no certificate was shown"), "{reason}");
}

#[derive(Debug)]
struct NoCertificate;

impl rustls::client::ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_frame_closes_the_connection() {
    let length = u32::try_from(MAX_FRAME + 1).unwrap().to_le_bytes();
    let reason = refusal_of(Bytes::copy_from_slice(&length)).await;
    assert_eq!(reason, "a frame of 16777217 bytes is more than the limit of 16777216");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_no_lane_closes_the_connection() {
    assert_eq!(refusal_of(Bytes::from_static(&[3, 0, 0, 0])).await, "a frame of 3 bytes is too short for its header");
    assert_eq!(refusal_of(hello(1)).await, "a lane of class 1 where Raft was expected");
    let mut other_version = hello(0).to_vec();
    other_version[19] = 9;
    assert_eq!(refusal_of(other_version.into()).await, "the peer speaks version 9, this node 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_an_open_lane_closes_the_connection() {
    let authority = authority(1);
    let one = Node::start(identity(&authority, 1));
    let nine = identity(&authority, 9);
    let connection = connect(&nine, one.address(), &name(&nine, 1)).await.unwrap();
    let (mut raft, _keep) = connection.open_bi().await.unwrap();
    raft.write_chunk(hello(0)).await.unwrap();
    let (mut request, _keep) = connection.open_bi().await.unwrap();
    request.write_chunk(hello(1)).await.unwrap();
    request.write_chunk(Bytes::from(vec![0xff; 100])).await.unwrap();
    let reason = closed(&connection).await.to_string();
    assert!(reason.contains("a frame of 4294967295 bytes"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_datagrams_change_nothing() {
    let (one, two) = pair();
    one.ask(2, ECHO, "before").await.unwrap();
    let socket = std::net::UdpSocket::bind(any_port()).unwrap();
    for length in 1..600usize {
        let noise: Vec<u8> = (0..length * 2).map(|index| (index * 31 + length * 7) as u8).collect();
        socket.send_to(&noise, two.address()).unwrap();
    }
    assert_eq!(one.ask(2, ECHO, "after").await.unwrap(), "after");
}
