//! The cluster as SQL sessions of this node see it.

use super::Inner;
use super::records::NodeRecord;
use super::storage::storage_error;
use crate::error::{Error, Result, SqlState};
use crate::session::{ClusterInfo, NodeStatus, RangeStatus};
use crate::sql::catalog::held::{PreparedTransaction, held_span, prepared};
use async_trait::async_trait;
use quorate_net::PeerId;
use quorate_storage::{NodeId, RangeDescriptor, ReplicaRole, Role, Span};
use quorate_txn::api::{Reply, Request};
use quorate_txn::inspect::Inspection;
use quorate_txn::router::{DirectoryReply, DirectoryRequest};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The node behind [`ClusterInfo`]; completed when the node is whole.
#[derive(Default)]
pub(crate) struct Info {
    node: OnceLock<std::sync::Weak<Inner>>,
}

impl Info {
    pub(crate) fn complete(&self, node: &Arc<Inner>) {
        let fresh = self.node.set(Arc::downgrade(node)).is_ok();
        assert!(fresh, "a node completes its information once, while it starts");
    }

    fn node(&self) -> Result<Arc<Inner>> {
        let node = self.node.get().and_then(std::sync::Weak::upgrade);
        node.ok_or_else(|| Error::new(SqlState::ADMIN_SHUTDOWN, "the node is not running"))
    }
}

#[async_trait]
impl ClusterInfo for Info {
    fn node_id(&self) -> u64 {
        self.node.get().and_then(std::sync::Weak::upgrade).map_or(0, |node| node.id.0)
    }

    async fn nodes(&self) -> Result<Vec<NodeStatus>> {
        let node = self.node()?;
        let mut records = node.membership.nodes().await?;
        if records.is_empty() {
            // A node alone, without a network, is not written down anywhere.
            records.push(NodeRecord { id: node.id, node_addresses: Vec::new(), sql_address: None, joined_at: 0 });
        }
        let ranges = node.known_ranges().await?;
        let live = node.live_nodes();
        let count = |of: &dyn Fn(&RangeDescriptor, Option<NodeId>) -> bool| {
            ranges.iter().filter(|(range, leader)| of(range, *leader)).count() as u64
        };
        Ok(records
            .into_iter()
            .map(|record| NodeStatus {
                id: record.id.0,
                address: record.node_addresses.join(","),
                sql_address: record.sql_address,
                live: live.contains(&record.id),
                replicas: count(&|range, _| range.replica_on(record.id).is_some()),
                leases: count(&|_, leader| leader == Some(record.id)),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            })
            .collect())
    }

    async fn ranges(&self, span: &Span) -> Result<Vec<RangeStatus>> {
        let known = self.node()?.known_ranges().await?;
        Ok(known.into_iter().filter(|(range, _)| range.span.overlaps(span)).map(status).collect())
    }

    fn failure(&self) -> Option<Error> {
        self.node().ok()?.store.failure().map(storage_error)
    }

    async fn split_at(&self, key: Vec<u8>) -> Result<()> {
        self.node()?.split_at(key).await
    }

    async fn create_join_token(&self) -> Result<String> {
        let node = self.node()?;
        let token = node.membership.create_token(node.advertised.clone()).await?;
        Ok(token.to_string())
    }

    async fn join_tokens(&self) -> Result<Vec<(String, String, u64)>> {
        let tokens = self.node()?.membership.tokens().await?;
        Ok(tokens.into_iter().map(|token| (token.id, token.state, token.expires_at)).collect())
    }

    async fn prepared(&self) -> Result<Vec<PreparedTransaction>> {
        prepared(&self.node()?.gateway.client.all_held(&held_span()).await?)
    }

    async fn inspect(&self) -> Result<Vec<(u64, Inspection)>> {
        let shown = self.node()?.gateway.client.inspect().await;
        Ok(shown.into_iter().map(|(node, shown)| (node.0, shown)).collect())
    }

    async fn revoke_join_token(&self, id: &str) -> Result<bool> {
        let bytes: Option<Vec<u8>> = (0..id.len())
            .step_by(2)
            .map(|at| id.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect();
        match bytes {
            Some(bytes) => self.node()?.membership.revoke_token(&bytes).await,
            None => Ok(false),
        }
    }
}

fn status((range, leader): (RangeDescriptor, Option<NodeId>)) -> RangeStatus {
    let with = |learner: bool| {
        let mut nodes: Vec<u64> = range
            .replicas
            .iter()
            .filter(|replica| (replica.role == ReplicaRole::Learner) == learner)
            .map(|replica| replica.node.0)
            .collect();
        nodes.sort_unstable();
        nodes
    };
    RangeStatus {
        id: range.id.0,
        leaseholder: leader.map(|node| node.0),
        voters: with(false),
        learners: with(true),
        span: range.span,
    }
}

impl Inner {
    /// Members that answer now, this node among them.
    pub(crate) fn live_nodes(&self) -> std::collections::BTreeSet<NodeId> {
        let peers = self.transport.as_ref().map(|transport| transport.reachable()).unwrap_or_default();
        let live = peers.into_iter().filter(|(_, connected)| *connected).map(|(PeerId(id), _)| NodeId(id));
        live.chain([self.id]).collect()
    }

    /// Every range of the cluster by key, with its leader as far as this node knows.
    pub(crate) async fn known_ranges(&self) -> Result<Vec<(RangeDescriptor, Option<NodeId>)>> {
        let mut known: BTreeMap<_, _> = BTreeMap::new();
        let mut from = Vec::new();
        loop {
            let reply = self.router.ask_directory(&DirectoryRequest::List(from.clone())).await?;
            let DirectoryReply::Found(found) = reply else { break };
            let Some(last) = found.last() else { break };
            from.clone_from(&last.span.end);
            known.extend(found.into_iter().map(|range| (range.span.start.clone(), (range, None))));
        }
        for view in self.store.all_views() {
            let leader = match view.role {
                Role::Leader | Role::Candidate => Some(self.id),
                Role::Follower(leader) => leader,
            };
            known.insert(view.descriptor.span.start.clone(), ((*view.descriptor).clone(), leader));
        }
        Ok(known.into_values().collect())
    }

    /// Makes `key` the first key of a range.
    pub(crate) async fn split_at(&self, key: Vec<u8>) -> Result<()> {
        let route = self.router.locate(&key).await?;
        if route.descriptor.span.start == key {
            return Ok(());
        }
        let right = self.router.new_range_id().await?;
        match self.router.send_to_key(&key, || Request::Split { key: key.clone(), right }).await? {
            Reply::Ok => Ok(()),
            Reply::LockNotAvailable { .. } => Err(Error::new(
                SqlState::OBJECT_IN_USE,
                "a prepared transaction has written on both sides of the split",
            )
            .with_hint("Finish it first: see pg_prepared_xacts and quorate.in_doubt.")),
            other => {
                let message = format!("the range was not split: {other:?}");
                Err(Error::new(SqlState::RANGE_UNAVAILABLE, message)
                    .with_hint("Look at SHOW RANGES and SHOW NODES, and try again."))
            }
        }
    }
}
