//! What all sessions of a node share, and what they may ask of the cluster around it.

use super::prepared::PlanCache;
use crate::error::Error;
use crate::sql::catalog::store::CatalogCache;
use crate::sql::exec::Sequences;
use async_trait::async_trait;
use quorate_net::runtime::Runtime;
use quorate_storage::Span;
use std::sync::Arc;

/// The way from sessions to the rest of a node. One per node, shared by its sessions.
pub struct Gateway {
    /// Begins transactions.
    pub client: quorate_txn::Client,
    /// The newest catalog that this node has seen.
    pub catalog: CatalogCache,
    /// Time, sleeping, randomness.
    pub runtime: Runtime,
    /// Nodes and ranges.
    pub cluster: Arc<dyn ClusterInfo>,
    /// Plans of statements sent as text.
    pub(super) plans: PlanCache,
    /// Blocks of sequence values.
    pub(super) sequences: Arc<Sequences>,
}

impl Gateway {
    /// The gateway of a node.
    pub fn new(client: quorate_txn::Client, runtime: Runtime, cluster: Arc<dyn ClusterInfo>) -> Gateway {
        Gateway {
            client,
            catalog: CatalogCache::new(),
            runtime,
            cluster,
            plans: PlanCache::default(),
            sequences: Arc::default(),
        }
    }
}

/// A node as `SHOW NODES` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its id.
    pub id: u64,
    /// Where other nodes reach it.
    pub address: String,
    /// Where SQL clients reach it, if it listens.
    pub sql_address: Option<String>,
    /// Whether it answered lately.
    pub live: bool,
    /// Replicas that it holds.
    pub replicas: u64,
    /// Ranges that it leads.
    pub leases: u64,
    /// Its release.
    pub version: String,
}

/// A range as `SHOW RANGES` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeStatus {
    /// Its id.
    pub id: u64,
    /// Its keys.
    pub span: Span,
    /// The node that leads it, if one is known.
    pub leaseholder: Option<u64>,
    /// The nodes that hold its replicas.
    pub replicas: Vec<u64>,
    /// Those of `replicas` that do not vote.
    pub learners: Vec<u64>,
}

/// The cluster as sessions see it; implemented by the node, which SQL never sees.
#[async_trait]
pub trait ClusterInfo: Send + Sync {
    /// The id of this node.
    fn node_id(&self) -> u64;
    /// All nodes, by id.
    async fn nodes(&self) -> Result<Vec<NodeStatus>, Error>;
    /// The ranges that share a key with `span`, by key.
    async fn ranges(&self, span: &Span) -> Result<Vec<RangeStatus>, Error>;
    /// Makes `key` the first key of a range. Nothing happens if it is already.
    async fn split_at(&self, key: Vec<u8>) -> Result<(), Error>;
    /// Makes a one-time token with which a node can join.
    async fn create_join_token(&self) -> Result<String, Error>;
    /// Id (hexadecimal), state and expiry (Unix time, microseconds) of every token.
    async fn join_tokens(&self) -> Result<Vec<(String, String, u64)>, Error>;
    /// Makes a token useless; `false` if there is none with this id.
    async fn revoke_join_token(&self, id: &str) -> Result<bool, Error>;
}
