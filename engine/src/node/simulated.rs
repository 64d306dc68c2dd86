//! A node in a simulated world: the same node on time, disk and network that it is given.
//!
//! ```text
//!   real        QUIC, certificates, a data directory, two threads for the store
//!   simulated   the world's transport, no certificates, the world's disk, two tasks for the store
//! ```
//! Everything above these seams is the code that ships.

use super::start::{self, Ground, Net, StoreRuns};
use super::storage::{Opened, Place};
use super::{Node, options::MemoryStorage};
use crate::error::Result;
use quorate_net::runtime::Runtime;
use quorate_net::{Handler, Transport};
use quorate_storage::store::StoreSettings;
use quorate_storage::store::driver::Pace;
use quorate_storage::{Engine, LogStore, NodeId};
use quorate_txn::transaction::Observer;
use std::sync::Arc;

/// What a simulated node stands on.
pub struct Simulated {
    /// Who it is: node 1, or one that was enrolled ([`Node::enrol`]).
    pub node: u64,
    /// Whether it founds the cluster: node 1, until its first start was successful.
    pub founds: bool,
    /// Its clock, its tasks, its randomness; must be of the simulated kind.
    pub runtime: Runtime,
    /// Its disk: the state.
    pub engine: Arc<dyn Engine>,
    /// Its disk: the log.
    pub log: Arc<dyn LogStore>,
    /// The time that the disk takes, for the log and for the engine.
    pub pace: [Box<dyn Pace>; 2],
    /// Connects the node to the others.
    pub attach: Box<dyn FnOnce(Arc<dyn Handler>) -> Arc<dyn Transport> + Send>,
    /// Settings of its store.
    pub settings: StoreSettings,
    /// Sees all its transactions.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Node {
    /// Starts a node of a simulation, on the caller's single-threaded tokio runtime with a paused clock.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_simulated(simulated: Simulated) -> Result<Node> {
        let Simulated { node, founds, runtime, engine, log, pace, attach, settings, observer } = simulated;
        let place = Place::Memory(Arc::new(MemoryStorage::default()));
        let ground = Ground {
            opened: Opened { engine, log, kept: None, place },
            id: NodeId(node),
            founds,
            peers: Vec::new(),
            settings,
            runtime,
            observer,
            retention: None,
            runs: StoreRuns::Tasks(pace),
        };
        start::build(ground, Some(Net::Given(attach))).await
    }

    /// Makes one more node a member of the cluster, without a certificate: for simulated nodes.
    ///
    /// # Errors
    /// The catalog cannot be written now.
    pub async fn enrol(&self) -> Result<u64> {
        Ok(self.inner.membership.enrol().await?.0)
    }
}
