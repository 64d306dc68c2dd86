//! What a node is started with.

use parking_lot::Mutex;
use quorate_net::identity::Identity;
use quorate_net::token::JoinToken;
use quorate_storage::NodeId;
use quorate_storage::engine::MemoryEngine;
use quorate_storage::log::MemoryLog;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long old versions are kept if nothing else is said.
pub const RETENTION: Duration = Duration::from_secs(3600);

/// Bounds of the retention: gateways tell of transactions that have been open for some seconds, so that what these read is
/// kept; and a node remembers a sample of the IDs for every ten seconds of it.
pub(super) const RETENTIONS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(20)..=Duration::from_secs(90 * 24 * 3600);

/// Where a node keeps its data.
#[derive(Clone, Debug)]
pub enum Storage {
    /// In this process; gone when it ends.
    Memory,
    /// In memory that outlives the node, so that it can be started again (demonstrations, crash tests).
    Held(Arc<MemoryStorage>),
    /// In a directory, durable.
    Directory(PathBuf),
}

/// The "disk" of a node in memory.
#[derive(Debug)]
pub struct MemoryStorage {
    /// Replaced by a crash only.
    parts: Mutex<(Arc<MemoryEngine>, Arc<MemoryLog>)>,
    /// Held for moments only.
    pub(super) facts: Mutex<Facts>,
}

/// What a data directory keeps in small files.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) node: Option<NodeId>,
    pub(super) identity: Option<Identity>,
}

impl Default for MemoryStorage {
    fn default() -> MemoryStorage {
        let parts = (Arc::new(MemoryEngine::new()), Arc::new(MemoryLog::new()));
        MemoryStorage { parts: Mutex::new(parts), facts: Mutex::default() }
    }
}

impl MemoryStorage {
    /// An empty one that can lose what was not synced.
    #[must_use]
    pub fn with_crashes() -> MemoryStorage {
        let parts = (Arc::new(MemoryEngine::with_crashes()), Arc::new(MemoryLog::new()));
        MemoryStorage { parts: Mutex::new(parts), facts: Mutex::default() }
    }

    /// Loses what a power failure would lose: everything of the log that was not synced, and of the engine what was
    /// written after its last checkpoint. The node that used it must have stopped.
    pub fn crash(&self) {
        let mut parts = self.parts.lock();
        *parts = (Arc::new(parts.0.crash(0)), Arc::new(parts.1.crash()));
    }

    pub(super) fn parts(&self) -> (Arc<MemoryEngine>, Arc<MemoryLog>) {
        self.parts.lock().clone()
    }
}

/// How a node takes part in a cluster.
#[derive(Clone, Debug)]
pub struct Network {
    /// UDP address on which it listens for nodes; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Addresses that others are told, if not the one bound.
    pub advertise: Vec<SocketAddr>,
}

impl Network {
    /// On a free loopback port.
    pub fn loopback() -> Network {
        Network { listen: SocketAddr::from(([127, 0, 0, 1], 0)), advertise: Vec::new() }.settled()
    }

    /// The same with a fixed port in place of port 0: a node that joins tells its port to others before it listens.
    pub(super) fn settled(mut self) -> Network {
        if self.listen.port() == 0
            && let Ok(free) = UdpSocket::bind(self.listen).and_then(|socket| socket.local_addr())
        {
            self.listen.set_port(free.port());
        }
        self
    }
}

/// Everything that decides how a node starts.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Where the data is.
    pub storage: Storage,
    /// The cluster's network; without it the node is alone and opens no socket.
    pub network: Option<Network>,
    /// Admission to an existing cluster, for a node without data.
    pub join: Option<JoinToken>,
    /// Bytes of the disk engine's block cache.
    pub cache_bytes: u64,
    /// How long rows are kept after they were changed or deleted, for reads in the past and long transactions.
    pub retention: Duration,
    /// Whether leaders are granted bounds of IDs up to which they read without asking a quorum.
    pub leases: bool,
}

impl NodeOptions {
    /// A node alone, in memory.
    pub fn memory() -> NodeOptions {
        NodeOptions {
            storage: Storage::Memory,
            network: None,
            join: None,
            cache_bytes: 128 << 20,
            retention: RETENTION,
            leases: true,
        }
    }

    /// A node alone, in a directory.
    pub fn directory(path: impl Into<PathBuf>) -> NodeOptions {
        NodeOptions { storage: Storage::Directory(path.into()), ..NodeOptions::memory() }
    }

    /// The same node with a network.
    #[must_use]
    pub fn with_network(self, network: Network) -> NodeOptions {
        NodeOptions { network: Some(network), ..self }
    }

    /// The same node, joining with a token.
    #[must_use]
    pub fn joining(self, token: JoinToken) -> NodeOptions {
        NodeOptions { join: Some(token), ..self }
    }
}
