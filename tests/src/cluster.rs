//! Three nodes in this process, on memory that survives a node, over real QUIC.

use quorate::node::{MemoryStorage, Network, Node, NodeOptions, Storage};
use quorate_bench::target::{Connection, Embedded, Target};
use std::sync::Arc;
use std::time::Duration;

/// One place of a cluster: what stays when its node dies.
struct Place {
    storage: Arc<MemoryStorage>,
    network: Network,
    node: Option<Node>,
}

/// A cluster whose nodes can be crashed and started again.
pub struct Cluster {
    places: Vec<Place>,
}

impl Cluster {
    /// Starts `count` nodes and waits until every range has `min(3, count)` voters.
    pub async fn start(count: usize) -> quorate::Result<Cluster> {
        let mut cluster = Cluster { places: Vec::new() };
        for _ in 0..count {
            let storage = Arc::new(MemoryStorage::with_crashes());
            let network = Network::loopback();
            let mut options = NodeOptions { storage: Storage::Held(storage.clone()), ..NodeOptions::memory() }
                .with_network(network.clone());
            if let Some(first) = cluster.places.first().and_then(|place| place.node.as_ref()) {
                options = options.joining(first.create_join_token().await?);
            }
            let node = Node::start(options).await?;
            node.announce(None).await?;
            cluster.places.push(Place { storage, network, node: Some(node) });
        }
        cluster.wait_replicated(count.min(3)).await?;
        Ok(cluster)
    }

    /// Waits until every range has so many voters.
    pub async fn wait_replicated(&self, voters: usize) -> quorate::Result<()> {
        let node = self.any();
        for _ in 0..600 {
            let everything = quorate_storage::Span::new([0x00], [0xff]);
            let ranges = node.gateway().cluster.ranges(&everything).await?;
            if ranges.len() >= 4 && ranges.iter().all(|range| range.voters.len() >= voters) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let state = node.gateway().cluster.ranges(&quorate_storage::Span::new([0x00], [0xff])).await?;
        Err(quorate::Error::new(quorate::SqlState::INTERNAL_ERROR, format!("not replicated in time: {state:?}")))
    }

    fn any(&self) -> &Node {
        let running = self.places.iter().find_map(|place| place.node.as_ref());
        running.unwrap_or_else(|| unreachable!("tests keep a majority of the nodes running"))
    }

    /// The nodes that run.
    pub fn nodes(&self) -> Vec<Node> {
        self.places.iter().filter_map(|place| place.node.clone()).collect()
    }

    /// The nodes that run, as a target of workloads.
    pub fn target(&self) -> Arc<dyn Target> {
        Arc::new(Embedded::new(&self.nodes(), "cluster in process"))
    }

    /// A session on node `at` (from 0).
    ///
    /// # Errors
    /// The node is down, or its session does not start.
    pub async fn connect(&self, at: usize) -> Result<Box<dyn Connection>, quorate_bench::target::TargetError> {
        let Some(node) = self.places[at].node.clone() else {
            return Err(quorate_bench::target::TargetError::new("08006", "this node is down"));
        };
        Embedded::new(&[node], "one node").connect(0).await
    }

    /// Kills node `at`: what it had not synced is lost.
    pub async fn crash(&mut self, at: usize) {
        let place = &mut self.places[at];
        if let Some(node) = place.node.take() {
            node.kill().await;
            place.storage.crash();
        }
    }

    /// Starts node `at` again from what it had synced.
    ///
    /// # Errors
    /// The node does not start.
    pub async fn restart(&mut self, at: usize) -> quorate::Result<()> {
        let place = &mut self.places[at];
        let options = NodeOptions { storage: Storage::Held(place.storage.clone()), ..NodeOptions::memory() };
        place.node = Some(Node::start(options.with_network(place.network.clone())).await?);
        Ok(())
    }

    /// Stops every node.
    pub async fn stop(mut self) {
        for place in &mut self.places {
            if let Some(node) = place.node.take() {
                node.kill().await;
            }
        }
    }
}
