//! Complete nodes in one thread under virtual time: how they start, die and come back.
//!
//! ```text
//!   World ── place 1: disk ── life 3: process, runtime, Node        what stays and what dies with a node
//!     │      place 2: disk ── (down)
//!     ├── Network       every link
//!     ├── Trace         what happened
//!     ├── Witnessed     every transaction of every node
//!     └── Omniscient    every batch of every disk; Spoken: every message
//! ```
//! Everything random in a node follows from the seed, its id and the number of its life.

use super::Plan;
use super::disk::Disk;
use super::network::Network;
use super::omniscient::{Omniscient, Spoken};
use super::state::State;
use super::trace::Trace;
use super::witnessed::Witnessed;
use parking_lot::Mutex;
use quorate::node::{Node, Simulated};
use quorate_net::process::Process;
use quorate_net::runtime::Runtime;
use quorate_storage::Span;
use quorate_storage::engine::MemoryEngine;
use quorate_storage::store::{Event, StoreSettings};
use std::sync::Arc;
use std::time::Duration;

/// How many replicas a range has.
const REPLICATION_FACTOR: usize = 3;
/// Virtual time until a whole cluster must have its replicas.
const FORMATION: Duration = Duration::from_secs(120);

/// A simulated cluster.
pub struct World {
    seed: u64,
    settings: StoreSettings,
    network: Network,
    trace: Trace,
    witnessed: Arc<Witnessed>,
    omniscient: Arc<Omniscient>,
    spoken: Arc<Spoken>,
    places: Mutex<Vec<Place>>,
}

/// What stays when a node dies.
struct Place {
    disk: Disk,
    lives: u64,
    life: Option<Life>,
}

struct Life {
    process: Process,
    runtime: Runtime,
    node: Node,
}

/// Small enough that checkpoints, truncations and images happen within a short run.
fn settings(leases: bool) -> StoreSettings {
    StoreSettings {
        leases,
        heartbeat_ticks: 3,
        election_ticks: 10,
        checkpoint_bytes: 48 << 10,
        keep_entries: 16,
        follower_budget: 200,
        ..StoreSettings::default()
    }
}

impl World {
    /// The cluster of a plan, with all ranges fully replicated.
    ///
    /// # Errors
    /// The cluster did not form in time: a failure of its own.
    pub async fn form(plan: &Plan) -> Result<Arc<World>, String> {
        let Plan { seed, nodes, tells, .. } = *plan;
        let trace = Trace::new(tells);
        let omniscient = Arc::new(Omniscient::new(trace.clone()));
        let spoken = Arc::new(Spoken::new(omniscient.clone()));
        let world = Arc::new(World {
            seed,
            settings: settings(plan.leases),
            network: Network::new(seed ^ 0x006e_6574, trace.clone(), spoken.clone()),
            trace,
            witnessed: Arc::new(Witnessed::default()),
            omniscient,
            spoken,
            places: Mutex::default(),
        });
        world.clone().add().await?;
        for _ in 1..nodes {
            let first = world.running(0).ok_or("node 1 is down")?.0;
            let id = first.enrol().await.map_err(|error| error.to_string())?;
            if id != world.clone().add().await? {
                return Err("node ids are not given out in order".to_owned());
            }
        }
        world.wait_replicated(nodes.min(REPLICATION_FACTOR)).await?;
        Ok(world)
    }

    /// Adds a place and starts its node; its id.
    async fn add(self: Arc<World>) -> Result<u64, String> {
        let at = {
            let mut places = self.places.lock();
            let at = places.len();
            let node = at as u64 + 1;
            let disk = Disk::new(node, self.seed ^ node << 32, self.omniscient.clone());
            self.spoken.joins(disk.clone());
            places.push(Place { disk, lives: 0, life: None });
            at
        };
        self.start(at).await?;
        Ok(at as u64 + 1)
    }

    /// Starts the node at `at`, if it is down.
    ///
    /// # Errors
    /// It does not start; an injected failure may be the reason.
    pub async fn start(&self, at: usize) -> Result<(), String> {
        let id = at as u64 + 1;
        let (disk, lives) = {
            let mut places = self.places.lock();
            let place = &mut places[at];
            if place.life.is_some() {
                return Ok(());
            }
            place.lives += 1;
            (place.disk.clone(), place.lives)
        };
        let process = Process::start();
        let runtime = Runtime::simulated(self.seed.wrapping_mul(1_000_003) ^ id << 40 ^ lives, process.clone());
        let (network, own) = (self.network.clone(), runtime.clone());
        let simulated = Simulated {
            node: id,
            founds: id == 1 && lives == 1,
            runtime: runtime.clone(),
            engine: disk.engine(),
            log: disk.log(),
            pace: disk.pace(),
            attach: Box::new(move |handler| network.attach(id, lives, own, handler)),
            settings: StoreSettings { seed: runtime.random_u64(), ..self.settings.clone() },
            observer: Some(self.witnessed.clone()),
        };
        self.trace.event("start", [id, lives], &[], || format!("n{id}        starts"));
        self.spoken.lives(id, None);
        let started = runtime.spawn(Node::start_simulated(simulated)).await;
        let node = match started {
            Ok(Ok(node)) => node,
            Ok(Err(error)) => return Err(format!("node {id} does not start: {error}")),
            Err(_) => return Err(format!("node {id} was killed while it started")),
        };
        self.spoken.lives(id, Some(node.store().clone()));
        self.places.lock()[at].life = Some(Life { process, runtime, node });
        Ok(())
    }

    /// Kills the node at `at` as a power failure does.
    pub async fn crash(&self, at: usize) {
        let Some(life) = self.places.lock()[at].life.take() else { return };
        self.trace.event("crash", [at as u64 + 1, 0], &[], || format!("n{}        crashes", at + 1));
        life.process.kill();
        self.network.detach(at as u64 + 1);
        // Nothing of it runs any more; this only takes apart what its parts hold of each other.
        life.node.kill().await;
        self.places.lock()[at].disk.crash();
    }

    /// Waits until every range has so many voters.
    ///
    /// # Errors
    /// They did not get there in time.
    pub async fn wait_replicated(&self, voters: usize) -> Result<(), String> {
        let everything = Span::new([0x00], [0xff]);
        let began = tokio::time::Instant::now();
        let mut state = String::new();
        while began.elapsed() < FORMATION {
            if let Some((node, _)) = (0..self.len()).find_map(|at| self.running(at)) {
                match node.gateway().cluster.ranges(&everything).await {
                    Ok(ranges) if ranges.len() >= 4 && ranges.iter().all(|range| range.voters.len() >= voters) => {
                        return Ok(());
                    }
                    Ok(ranges) => state = format!("{ranges:?}"),
                    Err(error) => state = error.to_string(),
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("not replicated in time: {state}"))
    }

    /// How many places there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.lock().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The node at `at`, counted round, if it has not died.
    #[must_use]
    pub fn running(&self, at: usize) -> Option<(Node, Runtime)> {
        let places = self.places.lock();
        let life = places[at % places.len()].life.as_ref()?;
        Some((life.node.clone(), life.runtime.clone()))
    }

    /// The process of the node at `at`, if it has not died.
    #[must_use]
    pub fn process(&self, at: usize) -> Option<Process> {
        self.places.lock()[at].life.as_ref().map(|life| life.process.clone())
    }

    /// The disk at `at`.
    #[must_use]
    pub fn disk(&self, at: usize) -> Disk {
        self.places.lock()[at].disk.clone()
    }

    /// Gives the store of the node at `at` an event, if it has not died.
    pub fn tell(&self, at: usize, event: Event) {
        if let Some(life) = &self.places.lock()[at].life {
            life.node.store().send(event);
        }
    }

    /// The states on all disks.
    #[must_use]
    pub fn states(&self) -> Vec<Arc<MemoryEngine>> {
        self.places.lock().iter().map(|place| place.disk.state()).collect()
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What happened.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Every transaction.
    #[must_use]
    pub fn witnessed(&self) -> &Witnessed {
        &self.witnessed
    }

    /// What disks and messages showed that must not be, in words.
    #[must_use]
    pub fn observed(&self) -> Vec<String> {
        let mut findings = self.omniscient.take();
        findings.extend(self.spoken.take());
        findings
    }

    /// Adds what was collected to what the disks hold in the end.
    pub fn complete(&self, state: &mut State) {
        self.omniscient.complete(state);
    }

    /// Takes the whole world apart.
    pub async fn end(&self) {
        for at in 0..self.len() {
            let life = self.places.lock()[at].life.take();
            if let Some(life) = life {
                life.process.kill();
                life.node.kill().await;
            }
        }
    }
}
