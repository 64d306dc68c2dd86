//! Joining with a token, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use quorate_net::{
    ClusterAuthority, Identity, JoinError, JoinHandler, JoinReply, JoinRequest, JoinToken, NodeKey, Runtime, Transport,
    join, token,
};
use support::{ECHO, Node, any_port, authority, identity};

/// Admits the holder of one token as node 2.
struct Door {
    authority: ClusterAuthority,
    id: [u8; 6],
    secret_hash: [u8; 32],
}

#[async_trait]
impl JoinHandler for Door {
    async fn on_join(&self, request: JoinRequest) -> Result<JoinReply, String> {
        if request.token_id != self.id || token::secret_hash(&request.secret) != self.secret_hash {
            return Err("this token is not known".to_owned());
        }
        let certificate = self.authority.sign(&request.csr_der, 2, Runtime::real().wall());
        Ok(JoinReply {
            node: 2,
            cluster: self.authority.cluster(),
            cluster_name: "amber-fox".to_owned(),
            certificate_pem: certificate.map_err(|error| error.to_string())?,
            ca_pem: self.authority.certificate_pem().to_owned(),
            members: vec![(1, request.advertise)],
        })
    }
}

/// Node 1, which admits the holder of the token.
fn member() -> (Node, JoinToken) {
    let authority = authority(1);
    let identity = identity(&authority, 1);
    let mut token = JoinToken::draw(vec![], authority.pin().unwrap(), &Runtime::real());
    let door = Door { id: token.id, secret_hash: token.secret_hash(), authority };
    let node = Node::start_at(any_port(), identity, Some(Arc::new(door))).unwrap();
    token.addresses.push(node.address().to_string());
    (node, token)
}

async fn request(token: &JoinToken, key: &NodeKey) -> Result<JoinReply, JoinError> {
    let advertise = vec!["10.0.0.2:7433".parse().unwrap()];
    join::request(token, key.csr_der().unwrap(), advertise, &Runtime::real()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_admits_a_node() {
    let (one, token) = member();
    let token: JoinToken = token.to_string().parse().unwrap();
    let key = NodeKey::generate().unwrap();
    let reply = request(&token, &key).await.unwrap();
    assert_eq!((reply.node, reply.cluster_name.as_str()), (2, "amber-fox"));
    assert_eq!(reply.members, [(1, vec!["10.0.0.2:7433".parse().unwrap()])]);

    let identity = Identity::from_pem(&reply.certificate_pem, &key.pem(), &reply.ca_pem).unwrap();
    assert_eq!((identity.cluster(), identity.node()), (reply.cluster, reply.node));
    let two = Node::start(identity);
    two.knows(1, &one);
    assert_eq!(two.ask(1, ECHO, "admitted").await.unwrap(), "admitted");
    two.transport.close().await;
    one.transport.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_another_cluster_never_sees_the_secret() {
    let (_one, mut token) = member();
    token.pin[0] ^= 1;
    let wrong = request(&token, &NodeKey::generate().unwrap()).await.unwrap_err();
    assert!(matches!(wrong, JoinError::WrongCluster(_)), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_refused_with_the_cluster_s_reason() {
    let (_one, mut token) = member();
    token.secret[0] ^= 1;
    let refused = request(&token, &NodeKey::generate().unwrap()).await.unwrap_err();
    assert_eq!(refused.to_string(), "this token is not known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_key_is_not_proved_is_refused() {
    let (_one, token) = member();
    let refused = join::request(&token, b"nonsense".to_vec(), vec![], &Runtime::real()).await.unwrap_err();
    assert!(matches!(refused, JoinError::Refused(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_address_is_tried_when_the_first_is_another_cluster() {
    let (_one, mut token) = member();
    let stranger = Node::start(identity(&authority(2), 1));
    token.addresses.insert(0, stranger.address().to_string());
    assert_eq!(request(&token, &NodeKey::generate().unwrap()).await.unwrap().node, 2);
}
