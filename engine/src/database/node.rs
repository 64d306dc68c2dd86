//! A member of a cluster in the caller's process, and its database handle.

use super::handle::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::node::{JoinToken, Network, Node, NodeOptions};
use quorate_storage::Span;
use quorate_storage::keys::{DIRECTORY_PREFIX, END_PREFIX};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Pause between looks at the ranges.
const REPLICA_POLL: Duration = Duration::from_millis(20);

/// Choices for starting a [`Node`]; begun by [`Node::builder`] or [`Node::in_memory`].
#[derive(Clone, Debug)]
pub struct NodeBuilder {
    options: NodeOptions,
    network: Network,
    token: Option<String>,
}

impl Node {
    /// A cluster member with its data in a directory. On an empty directory, without a token, it begins a new cluster.
    ///
    /// ```no_run
    /// # async fn example() -> quorate::Result<()> {
    /// use quorate::Node;
    /// let first = Node::builder("node1").start().await?;
    /// let token = first.create_join_token().await?;
    /// let second = Node::builder("node2").join(token.to_string()).start().await?;
    /// second.db().execute("CREATE TABLE t (a INT PRIMARY KEY)", ()).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn builder(directory: impl Into<PathBuf>) -> NodeBuilder {
        NodeBuilder::new(NodeOptions::directory(directory))
    }

    /// A cluster member with its data in memory.
    #[must_use]
    pub fn in_memory() -> NodeBuilder {
        NodeBuilder::new(NodeOptions::memory())
    }

    /// The database through this node. Closing the handle does not stop the node.
    #[must_use]
    pub fn db(&self) -> Database {
        Database::on(self, false, "root".to_owned(), "postgres".to_owned())
    }

    /// Waits until every range has `count` voting replicas, so that the cluster survives the loss of a minority of them.
    ///
    /// # Errors
    /// The ranges cannot be read now.
    pub async fn wait_for_replicas(&self, count: usize) -> Result<()> {
        let gateway = self.gateway();
        let everything = Span::new([DIRECTORY_PREFIX], [END_PREFIX]);
        loop {
            let ranges = gateway.cluster.ranges(&everything).await?;
            if !ranges.is_empty() && ranges.iter().all(|range| range.voters.len() >= count) {
                return Ok(());
            }
            gateway.runtime.sleep(REPLICA_POLL).await;
        }
    }
}

impl NodeBuilder {
    fn new(options: NodeOptions) -> NodeBuilder {
        NodeBuilder { options, network: Network::loopback(), token: None }
    }

    /// Joins the cluster that made this token. A node that has joined before needs none.
    #[must_use]
    pub fn join(self, token: impl Into<String>) -> NodeBuilder {
        NodeBuilder { token: Some(token.into()), ..self }
    }

    /// UDP address for other nodes; a free loopback port by default.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> NodeBuilder {
        self.network.listen = address;
        self
    }

    /// An address by which other nodes reach this one, if not the one that it listens on.
    #[must_use]
    pub fn advertise(mut self, address: SocketAddr) -> NodeBuilder {
        self.network.advertise.push(address);
        self
    }

    /// Bytes of the disk engine's block cache.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> NodeBuilder {
        self.options.cache_bytes = bytes;
        self
    }

    /// How long the ranges that this node leads keep rows after they were changed or deleted, for `AS OF SYSTEM TIME` and
    /// long transactions; an hour by default.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> NodeBuilder {
        self.options.retention = retention;
        self
    }

    /// Starts the node.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a damaged token; else as [`Node::start`].
    pub async fn start(self) -> Result<Node> {
        let mut options = self.options.with_network(self.network);
        if let Some(token) = self.token {
            let token: JoinToken = token
                .parse()
                .map_err(|error| Error::of_kind(ErrorKind::Config, format!("{error}")).with_source(error))?;
            options = options.joining(token);
        }
        Node::start(options).await
    }
}
