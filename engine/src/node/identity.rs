//! How a node gets its certificate: from its own new cluster, or by joining one.

use super::membership::{self, Membership};
use super::options::Network;
use super::records::NodeRecord;
use super::storage::Place;
use crate::error::{Error, Result, SqlState};
use quorate_net::identity::{ClusterAuthority, ClusterId, Identity, NodeKey};
use quorate_net::join::{self, JoinError};
use quorate_net::runtime::Runtime;
use quorate_net::token::JoinToken;
use quorate_storage::NodeId;
use std::net::SocketAddr;

/// What a joiner has learned.
pub(super) struct Joined {
    pub(super) node: NodeId,
    pub(super) members: Vec<(u64, Vec<SocketAddr>)>,
}

/// Joins the token's cluster and keeps the identity received. The token is used up afterwards.
pub(super) async fn join(token: &JoinToken, network: &Network, place: &Place, runtime: &Runtime) -> Result<Joined> {
    let advertise = addresses(network, network.listen);
    if advertise.iter().any(|address| address.port() == 0) {
        return Err(Error::new(SqlState::CONFIG_FILE_ERROR, "a joining node needs a fixed node address"));
    }
    let key = NodeKey::generate().map_err(membership::identity_error)?;
    let csr = key.csr_der().map_err(membership::identity_error)?;
    let reply = join::request(token, csr, advertise, runtime).await.map_err(join_error)?;
    let identity = Identity::from_pem(&reply.certificate_pem, &key.pem(), &reply.ca_pem);
    place.set_identity(&identity.map_err(membership::identity_error)?)?;
    place.set_node(NodeId(reply.node))?;
    tracing::info!(node = reply.node, cluster = reply.cluster_name, "joined the cluster");
    Ok(Joined { node: NodeId(reply.node), members: reply.members })
}

/// The identity of the only node of a cluster: the authority is made if there is none yet.
pub(super) async fn found(node: NodeId, place: &Place, members: &Membership, runtime: &Runtime) -> Result<Identity> {
    let identity = match members.cluster().await? {
        Some(cluster) => {
            ClusterAuthority::from_pem(ClusterId(cluster.cluster), &cluster.ca_certificate_pem, &cluster.ca_key_pem)
                .and_then(|authority| authority.issue(node.0, runtime.wall()))
                .map_err(membership::identity_error)?
        }
        None => {
            let (cluster, identity) = membership::new_cluster(node, runtime)?;
            let first =
                NodeRecord { id: node, node_addresses: Vec::new(), sql_address: None, joined_at: runtime.wall() };
            members.found(Some(&cluster), &first).await?;
            identity
        }
    };
    place.set_identity(&identity)?;
    Ok(identity)
}

/// What others are told: the advertised addresses, or the one bound.
pub(super) fn addresses(network: &Network, bound: SocketAddr) -> Vec<SocketAddr> {
    if network.advertise.is_empty() {
        return vec![bound];
    }
    let with_port = |address: &SocketAddr| match address.port() {
        0 => SocketAddr::new(address.ip(), bound.port()),
        _ => *address,
    };
    network.advertise.iter().map(with_port).collect()
}

fn join_error(error: JoinError) -> Error {
    let hint = match &error {
        JoinError::Unreachable(_) => "Check that a node of the cluster runs at the token's address.",
        JoinError::WrongCluster(_) => "Copy the whole join line of the cluster that this node shall join.",
        JoinError::Refused(_) | JoinError::Lost => "Make a new token with: quorate cluster token create",
        _ => "Start the node again.",
    };
    Error::new(SqlState::CONNECTION_FAILURE, error.to_string()).with_hint(hint)
}
