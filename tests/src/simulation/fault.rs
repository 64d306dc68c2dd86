//! What goes wrong in a run: planned from a seed, so that a plan can be repeated, printed and made smaller.
//!
//! A plan is a list of faults, each with its beginning, its length and a number of its own from which it draws whom it
//! hits. Leaving one out changes nothing about the others.

use super::trip::Side;
use super::world::World;
use quorate_storage::store::Event;
use quorate_storage::{NodeId, Role};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The nodes fall into two halves that cannot talk.
    Partition,
    /// One direction of one link is cut.
    OneWay,
    /// Messages are lost.
    Loss,
    /// Messages arrive twice.
    Duplicate,
    /// Messages overtake each other.
    Reorder,
    /// All links of a node are slow.
    SlowNode,
    /// A node dies, loses what it had not synced, and comes back.
    Crash,
    /// A node dies as a gateway, after a step of the commit protocol that it sent or before one whose answer it gets.
    GatewayKill,
    /// A node dies as a participant, before a step of the commit protocol or before its answer.
    ParticipantKill,
    /// All nodes die and come back.
    Blackout,
    /// A node dies and comes back, again and again.
    CrashLoop,
    /// Nothing gets durable on a node for a while.
    DiskStall,
    /// Every fsync of a node is slow.
    SlowDisk,
    /// An fsync fails: the node stops itself.
    FsyncError,
    /// Reads of a node's state fail: the node stops itself.
    ReadError,
    /// A node's disk is full: the node stops itself.
    FullDisk,
    /// A node does nothing for longer than any timeout.
    Pause,
    /// A node's clock runs fast or slow.
    ClockRate,
    /// Leaders hand over.
    Transfer,
    /// A follower calls an election.
    Campaign,
    /// A range is split.
    Split,
    /// Old versions and records are kept for a moment only, and somebody reads the past.
    Collect,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 22] = [
        Kind::Partition,
        Kind::OneWay,
        Kind::Loss,
        Kind::Duplicate,
        Kind::Reorder,
        Kind::SlowNode,
        Kind::Crash,
        Kind::GatewayKill,
        Kind::ParticipantKill,
        Kind::Blackout,
        Kind::CrashLoop,
        Kind::DiskStall,
        Kind::SlowDisk,
        Kind::FsyncError,
        Kind::ReadError,
        Kind::FullDisk,
        Kind::Pause,
        Kind::ClockRate,
        Kind::Transfer,
        Kind::Campaign,
        Kind::Split,
        Kind::Collect,
    ];

    /// The kinds before there was collection.
    pub const SECOND: [Kind; 21] = {
        let mut kinds = [Kind::Partition; 21];
        let mut at = 0;
        while at < kinds.len() {
            kinds[at] = Kind::ALL[at];
            at += 1;
        }
        kinds
    };

    /// The kinds of the first plans, before nodes were killed at steps of a commit, and before there were leases and
    /// one-round commit over several ranges: seeds that found something then find it with these.
    pub const FIRST: [Kind; 19] = {
        let mut kinds = [Kind::Partition; 19];
        let (mut from, mut to) = (0, 0);
        while from < Kind::SECOND.len() {
            if !matches!(Kind::SECOND[from], Kind::GatewayKill | Kind::ParticipantKill) {
                kinds[to] = Kind::SECOND[from];
                to += 1;
            }
            from += 1;
        }
        kinds
    };

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Partition => "partition",
            Kind::OneWay => "one-way",
            Kind::Loss => "loss",
            Kind::Duplicate => "duplicate",
            Kind::Reorder => "reorder",
            Kind::SlowNode => "slow-node",
            Kind::Crash => "crash",
            Kind::GatewayKill => "gateway-kill",
            Kind::ParticipantKill => "participant-kill",
            Kind::Blackout => "blackout",
            Kind::CrashLoop => "crash-loop",
            Kind::DiskStall => "disk-stall",
            Kind::SlowDisk => "slow-disk",
            Kind::FsyncError => "fsync-error",
            Kind::ReadError => "read-error",
            Kind::FullDisk => "full-disk",
            Kind::Pause => "pause",
            Kind::ClockRate => "clock-rate",
            Kind::Transfer => "transfer",
            Kind::Campaign => "campaign",
            Kind::Split => "split",
            Kind::Collect => "collect",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One fault of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: Kind,
    /// When, after the workload began.
    pub at: Duration,
    /// For how long.
    pub lasts: Duration,
    /// Decides whom it hits.
    pub salt: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (self.at.as_secs_f64(), self.lasts.as_secs_f64());
        write!(f, "{} at {at:.1} s for {lasts:.1} s", self.kind.name())
    }
}

/// Draws a plan of faults of these kinds for a run of about this length.
#[must_use]
pub fn plan(seed: u64, kinds: &[Kind], length: Duration) -> Vec<Fault> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x6661_756c_7473);
    let mut faults = Vec::new();
    if kinds.is_empty() {
        return faults;
    }
    let mut at = Duration::from_millis(rng.random_range(0..2_000));
    while at < length {
        let kind = kinds[rng.random_range(0..kinds.len())];
        let lasts = Duration::from_millis(rng.random_range(100..6_000));
        faults.push(Fault { kind, at, lasts, salt: rng.random() });
        at += Duration::from_millis(rng.random_range(200..4_000));
    }
    faults
}

/// Lets a fault happen and takes it back.
pub async fn inject(world: Arc<World>, fault: Fault) {
    tokio::time::sleep(fault.at).await;
    let mut rng = StdRng::seed_from_u64(fault.salt);
    let nodes = world.len();
    let at = rng.random_range(0..nodes);
    let name = fault.kind.name();
    world.trace().event(name, [at as u64 + 1, 0], &[], || format!("n{}        fault    {fault}", at + 1));
    match fault.kind {
        Kind::Partition => partition(&world, &mut rng, fault.lasts).await,
        Kind::OneWay => {
            let to = (at + rng.random_range(1..nodes.max(2))) % nodes;
            world.network().set(at as u64 + 1, to as u64 + 1, |weather| weather.cut = true);
            tokio::time::sleep(fault.lasts).await;
            world.network().set(at as u64 + 1, to as u64 + 1, |weather| weather.cut = false);
        }
        Kind::Loss => {
            let share = rng.random_range(0.02..0.4);
            everywhere(&world, fault.lasts, |weather, on| weather.loss = if on { share } else { 0.0 }).await;
        }
        Kind::Duplicate => {
            let share = rng.random_range(0.05..0.5);
            everywhere(&world, fault.lasts, |weather, on| weather.duplicates = if on { share } else { 0.0 }).await;
        }
        Kind::Reorder => {
            let share = rng.random_range(0.02..0.4);
            everywhere(&world, fault.lasts, |weather, on| weather.reorder = if on { share } else { 0.0 }).await;
        }
        Kind::SlowNode => {
            let slow = Duration::from_millis(rng.random_range(10..400));
            links_of(&world, at, slow);
            tokio::time::sleep(fault.lasts).await;
            links_of(&world, at, Duration::ZERO);
        }
        Kind::Crash => {
            world.crash(at).await;
            tokio::time::sleep(fault.lasts).await;
            restart(&world, at).await;
        }
        Kind::GatewayKill => {
            let side = if rng.random_bool(0.5) { Side::Sends } else { Side::Hears };
            kill_at(&world, at, side, &mut rng, fault.lasts).await;
        }
        Kind::ParticipantKill => {
            let side = if rng.random_bool(0.5) { Side::Receives } else { Side::Answers };
            kill_at(&world, at, side, &mut rng, fault.lasts).await;
        }
        Kind::Blackout => {
            for at in 0..nodes {
                world.crash(at).await;
            }
            tokio::time::sleep(fault.lasts / 4).await;
            for at in 0..nodes {
                restart(&world, at).await;
            }
        }
        Kind::CrashLoop => {
            for _ in 0..rng.random_range(2..6) {
                world.crash(at).await;
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..200))).await;
                restart(&world, at).await;
                tokio::time::sleep(Duration::from_millis(rng.random_range(1..1_500))).await;
            }
        }
        Kind::DiskStall => {
            let until = tokio::time::Instant::now() + fault.lasts;
            world.disk(at).set(|trouble| trouble.stalls_until = Some(until));
            tokio::time::sleep(fault.lasts).await;
        }
        Kind::SlowDisk => {
            let slow = Duration::from_millis(rng.random_range(5..300));
            world.disk(at).set(|trouble| trouble.slow = slow);
            tokio::time::sleep(fault.lasts).await;
            world.disk(at).set(|trouble| trouble.slow = Duration::ZERO);
        }
        Kind::FsyncError => {
            world.disk(at).set(|trouble| trouble.fsync_fails = true);
            fails(&world, at, fault.lasts).await;
        }
        Kind::ReadError => {
            let one_of = rng.random_range(1..200);
            world.disk(at).set(|trouble| trouble.read_fails = Some(one_of));
            fails(&world, at, fault.lasts).await;
        }
        Kind::FullDisk => {
            world.disk(at).set(|trouble| trouble.full = true);
            tokio::time::sleep(fault.lasts).await;
            world.disk(at).set(|trouble| trouble.full = false);
            fails(&world, at, Duration::ZERO).await;
        }
        Kind::Pause => {
            if let Some(process) = world.process(at) {
                process.pause();
                tokio::time::sleep(fault.lasts * 3).await;
                process.resume();
            }
        }
        Kind::ClockRate => {
            if let Some(process) = world.process(at) {
                process.set_rate(*[0.5, 0.9, 1.1, 2.0, 4.0].get(rng.random_range(0..5)).unwrap_or(&1.0));
                tokio::time::sleep(fault.lasts).await;
                process.set_rate(1.0);
            }
        }
        Kind::Transfer => {
            for (at, range) in leaders(&world) {
                if rng.random_bool(0.5) {
                    let to = NodeId(rng.random_range(0..nodes) as u64 + 1);
                    world.tell(at, Event::TransferLeader { range, to });
                }
            }
        }
        Kind::Campaign => {
            if let Some((node, _)) = world.running(at) {
                for view in node.store().all_views() {
                    if rng.random_bool(0.5) {
                        world.tell(at, Event::Campaign { range: view.descriptor.id });
                    }
                }
            }
        }
        Kind::Collect => {
            let retention = Duration::from_millis(rng.random_range(300..4_000));
            retain(&world, Some(retention));
            tokio::time::sleep(fault.lasts * 3).await;
            retain(&world, None);
        }
        // Carried out by the workload, which knows where its tables can be cut.
        Kind::Split => {}
    }
}

/// Kills a node at a step of the commit protocol, if one comes in time.
async fn kill_at(world: &World, at: usize, side: Side, rng: &mut StdRng, lasts: Duration) {
    let step = world.network().step(at as u64 + 1, side, rng.random_range(0..20));
    if tokio::time::timeout(lasts * 2, step).await.is_ok() {
        world.crash(at).await;
        tokio::time::sleep(lasts).await;
        restart(world, at).await;
    }
}

async fn partition(world: &World, rng: &mut StdRng, lasts: Duration) {
    let nodes = world.len();
    let side: Vec<bool> = (0..nodes).map(|_| rng.random_bool(0.5)).collect();
    let cut = |on: bool| {
        for from in 0..nodes {
            for to in (0..nodes).filter(|to| side[*to] != side[from]) {
                world.network().set(from as u64 + 1, to as u64 + 1, |weather| weather.cut = on);
            }
        }
    };
    cut(true);
    tokio::time::sleep(lasts).await;
    cut(false);
}

async fn everywhere(world: &World, lasts: Duration, change: impl Fn(&mut super::network::Weather, bool)) {
    let all = |on: bool| {
        for from in 1..=world.len() as u64 {
            for to in (1..=world.len() as u64).filter(|to| *to != from) {
                world.network().set(from, to, |weather| change(weather, on));
            }
        }
    };
    all(true);
    tokio::time::sleep(lasts).await;
    all(false);
}

fn links_of(world: &World, at: usize, slow: Duration) {
    for other in (0..world.len()).filter(|other| *other != at) {
        world.network().set(at as u64 + 1, other as u64 + 1, |weather| weather.slow = slow);
        world.network().set(other as u64 + 1, at as u64 + 1, |weather| weather.slow = slow);
    }
}

/// A node whose store has failed, or will: it dies like its process would, and comes back.
async fn fails(world: &World, at: usize, lasts: Duration) {
    tokio::time::sleep(lasts).await;
    let failed = world.running(at).is_some_and(|(node, _)| node.failure().is_some());
    if failed {
        world.crash(at).await;
    }
    world.disk(at).set(|trouble| (trouble.fsync_fails, trouble.read_fails) = (false, None));
    restart(world, at).await;
}

/// Starts a node again; one that does not start because its disk is in trouble is left for the end of the run.
async fn restart(world: &World, at: usize) {
    if let Err(why) = world.start(at).await {
        world.trace().note(|| why);
    }
}

fn retain(world: &World, retention: Option<Duration>) {
    for (node, _) in (0..world.len()).filter_map(|at| world.running(at)) {
        node.retain(retention);
    }
}

fn leaders(world: &World) -> Vec<(usize, quorate_storage::RangeId)> {
    let mut found = Vec::new();
    for at in 0..world.len() {
        let Some((node, _)) = world.running(at) else { continue };
        let led = node.store().all_views().into_iter().filter(|view| view.role == Role::Leader);
        found.extend(led.map(|view| (at, view.descriptor.id)));
    }
    found
}
