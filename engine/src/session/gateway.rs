//! What all sessions of a node share, and what they may ask of the cluster around it.

use super::prepared::PlanCache;
use crate::error::{Error, SqlState};
use crate::sql::catalog::store::CatalogCache;
use crate::sql::exec::Sequences;
pub use crate::sql::exec::cluster::{ClusterInfo, NodeStatus, RangeStatus};
use quorate_net::runtime::Runtime;
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

    /// What to tell of an error: if this node stopped itself, the reason for that.
    pub(super) fn told(&self, error: Error) -> Error {
        if error.is(SqlState::RANGE_UNAVAILABLE) || error.is(SqlState::IO_ERROR) {
            return self.cluster.failure().unwrap_or(error);
        }
        match self.cluster.failure() {
            Some(failure) if error.is(SqlState::STATEMENT_COMPLETION_UNKNOWN) => {
                error.with_detail(format!("The node stopped itself: {}.", failure.message()))
            }
            _ => error,
        }
    }
}
