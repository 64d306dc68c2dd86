//! Rows that the cluster keeps about itself in the catalog range: nodes, join tokens, the certificate authority.
//!
//! ```text
//!  key                         value
//!  03 f0 'c'                   ClusterRecord: id, name, CA certificate and key (readable by member nodes only)
//!  03 f0 'n' node id (8, BE)   NodeRecord
//!  03 f0 'i'                   the node id that the next joiner gets (8, BE)
//!  03 f0 't' token id (6)      TokenRecord
//! ```
//! They are ordinary transactional keys, so that a join and the use of its token are one transaction.

use crate::error::{Error, Result, SqlState};
use bincode::{Decode, Encode};
use quorate_net::codec;
use quorate_storage::{NodeId, Span, keys::CATALOG_PREFIX};
use std::net::SocketAddr;

/// Second byte of these rows, above everything that SQL descriptors use.
const CLUSTER_SPACE: u8 = 0xf0;
/// Bound on one record's encoding.
const MAX_RECORD: usize = 64 << 10;

/// What every member knows of the cluster.
#[derive(Clone, Encode, Decode)]
pub(crate) struct ClusterRecord {
    pub(crate) cluster: [u8; 16],
    pub(crate) name: String,
    pub(crate) ca_certificate_pem: String,
    pub(crate) ca_key_pem: String,
}

/// A member node.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct NodeRecord {
    pub(crate) id: NodeId,
    /// Where other nodes reach it.
    pub(crate) node_addresses: Vec<String>,
    /// Where clients reach it, if it listens.
    pub(crate) sql_address: Option<String>,
    /// Unix time of admission, microseconds.
    pub(crate) joined_at: u64,
}

/// A join token; its secret is kept as a hash.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct TokenRecord {
    pub(crate) secret_hash: [u8; 32],
    /// Unix time, microseconds.
    pub(crate) expires_at: u64,
    pub(crate) used_by: Option<NodeId>,
    pub(crate) revoked: bool,
}

pub(crate) fn cluster_key() -> Vec<u8> {
    vec![CATALOG_PREFIX, CLUSTER_SPACE, b'c']
}

pub(crate) fn next_node_key() -> Vec<u8> {
    vec![CATALOG_PREFIX, CLUSTER_SPACE, b'i']
}

pub(crate) fn node_key(node: NodeId) -> Vec<u8> {
    let mut key = vec![CATALOG_PREFIX, CLUSTER_SPACE, b'n'];
    key.extend_from_slice(&node.0.to_be_bytes());
    key
}

pub(crate) fn nodes_span() -> Span {
    Span::prefix(&[CATALOG_PREFIX, CLUSTER_SPACE, b'n'])
}

pub(crate) fn token_key(id: &[u8]) -> Vec<u8> {
    let mut key = vec![CATALOG_PREFIX, CLUSTER_SPACE, b't'];
    key.extend_from_slice(id);
    key
}

pub(crate) fn tokens_span() -> Span {
    Span::prefix(&[CATALOG_PREFIX, CLUSTER_SPACE, b't'])
}

/// Encodes a record of this module.
pub(crate) fn encode<T: Encode>(record: &T) -> Vec<u8> {
    codec::encode(record)
}

/// Decodes a record of this module; damage is an internal error, never a panic.
pub(crate) fn decode<T: Decode<()>>(bytes: &[u8], what: &str) -> Result<T> {
    codec::decode(bytes, MAX_RECORD)
        .map_err(|error| Error::new(SqlState::DATA_CORRUPTED, format!("{what} record cannot be read: {error}")))
}

impl NodeRecord {
    /// The addresses that parse (they were checked when they were written).
    pub(crate) fn socket_addresses(&self) -> Vec<SocketAddr> {
        self.node_addresses.iter().filter_map(|address| address.parse().ok()).collect()
    }
}
