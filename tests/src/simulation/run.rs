//! One run: a world, a workload, faults; then peace, and every checker.
//!
//! ```text
//!   form ─► set up ─► clients ┬─► clients end ─► heal ─► rest ─► the workload's own check ─► witness, replicas
//!                     faults ─┘                           no intent left, all replicas equal
//! ```

use super::client::Nodes;
use super::fault::{self, Fault, Kind};
use super::state::State;
use super::world::World;
use crate::checker::{replicas, witness};
use crate::workload::{self, Clients, PROTOCOLS};
use quorate_bench::target::Target;
use quorate_storage::mutation;
use quorate_txn::transaction::End;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Virtual time that setting up may take, and clients after all faults are over.
const PATIENCE: Duration = Duration::from_secs(300);
/// Virtual time that a healed cluster may take to come to rest.
const REST: Duration = Duration::from_secs(120);
/// Sessions of one run.
const CLIENTS: usize = 5;
/// Virtual time of a run in which faults begin.
const FAULTS: Duration = Duration::from_secs(25);

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// Name of the workload.
    pub workload: &'static str,
    /// Nodes of the cluster.
    pub nodes: usize,
    /// Transactions that clients try, all together.
    pub steps: u64,
    /// Longest pause of a client between two transactions.
    pub think: Duration,
    /// What clients choose from for `commit_protocol`.
    pub protocols: &'static [&'static str],
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Whether reads are promised under leases; if not, each by a round.
    pub leases: bool,
    /// Whether to keep a story.
    pub tells: bool,
    /// The bug that is planted; none if empty.
    pub mutation: &'static str,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn of(seed: u64, workload: &'static str, nodes: usize, steps: u64, kinds: &[Kind]) -> Plan {
        let faults = fault::plan(seed, kinds, FAULTS);
        let protocols: &[&str] = if kinds == Kind::FIRST { &["three_phase"] } else { &PROTOCOLS };
        let think = Duration::from_millis(300);
        let leases = kinds != Kind::FIRST;
        Plan { seed, workload, nodes, steps, think, protocols, faults, leases, tells: false, mutation: "" }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Everything that contradicts a rule; empty is good.
    pub violations: Vec<String>,
    /// Transactions of the cluster: committed, aborted, unknown to their clients.
    pub transactions: [u64; 3],
    /// Faults injected, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Virtual time.
    pub virtual_time: Duration,
    /// Messages between nodes.
    pub messages: u64,
    /// Hash of everything that happened.
    pub hash: u64,
    /// What happened, if it was asked for.
    pub story: Vec<String>,
}

/// Runs a plan in a runtime of its own.
///
/// # Errors
/// The runtime cannot be made.
pub fn run(plan: &Plan) -> std::io::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    mutation::plant(plan.mutation);
    let report = runtime.block_on(drive(plan));
    mutation::plant("");
    Ok(report)
}

async fn drive(plan: &Plan) -> Report {
    let mut report = Report::default();
    let world = match World::form(plan).await {
        Ok(world) => world,
        Err(why) => {
            report.violations.push(format!("the cluster did not form: {why}"));
            return report;
        }
    };
    let target: Arc<dyn Target> = Arc::new(Nodes::new(world.clone()));
    let workload = workload::named(plan.workload);
    match tokio::time::timeout(PATIENCE, workload.set_up(target.as_ref())).await {
        Ok(Ok(())) => play(plan, &world, &target, &workload, &mut report).await,
        Ok(Err(error)) => report.violations.push(format!("the workload was not set up: {error}")),
        Err(_) => report.violations.push("the workload waits for ever to be set up".to_owned()),
    }
    report.violations.extend(world.observed());
    report.virtual_time = Duration::from_micros(world.trace().now());
    report.messages = world.network().sent();
    report.hash = world.trace().hash();
    report.story = world.trace().story();
    world.end().await;
    report
}

async fn play(
    plan: &Plan,
    world: &Arc<World>,
    target: &Arc<dyn Target>,
    workload: &Arc<dyn workload::Workload>,
    report: &mut Report,
) {
    let clients = Arc::new(Clients::new(plan.steps, plan.think, plan.protocols));
    let mut playing = tokio::task::JoinSet::new();
    for at in 0..CLIENTS {
        let seed = plan.seed.wrapping_mul(31) ^ at as u64;
        playing.spawn(clients.clone().client(at, seed, target.clone(), workload.clone()));
    }
    let mut faults = tokio::task::JoinSet::new();
    for fault in &plan.faults {
        *report.faults.entry(fault.kind.name()).or_default() += 1;
        if fault.kind == Kind::Split {
            let (workload, target, fault) = (workload.clone(), target.clone(), *fault);
            faults.spawn(async move {
                tokio::time::sleep(fault.at).await;
                let mut rng = StdRng::seed_from_u64(fault.salt);
                let at = rng.random_range(0..1_000);
                workload.split(target.as_ref(), at, rng.random()).await;
            });
        } else {
            faults.spawn(fault::inject(world.clone(), *fault));
        }
        if fault.kind == Kind::Collect {
            faults.spawn(look_back(workload.clone(), target.clone(), *fault));
        }
    }
    report.violations.extend(panics(&mut faults).await);
    heal(world).await;
    let ended = tokio::time::timeout(PATIENCE, panics(&mut playing)).await;
    if let Ok(found) = ended {
        report.violations.extend(found);
    } else {
        report.violations.push(format!("clients still wait {} s after all faults were over", PATIENCE.as_secs()));
        return;
    }
    match tokio::time::timeout(PATIENCE, workload.wind_up(target.as_ref())).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => report.violations.push(format!("what clients left open was not ended: {error}")),
        Err(_) => report.violations.push("what clients left open waits for ever".to_owned()),
    }
    if let Err(why) = rest(world).await {
        report.violations.push(why);
        return;
    }
    match tokio::time::timeout(PATIENCE, workload.check(target.as_ref())).await {
        Ok(Ok(found)) => report.violations.extend(found),
        Ok(Err(error)) => report.violations.push(format!("the check could not be made: {error}")),
        Err(_) => report.violations.push("the check waits for ever".to_owned()),
    }
    if let Err(why) = rest(world).await {
        report.violations.push(why);
        return;
    }
    match State::read(&world.states()) {
        Ok(mut state) => {
            world.complete(&mut state);
            report.violations.extend(state.contradictions.iter().cloned());
            let transactions = world.witnessed().take();
            for witness in &transactions {
                let kind = match witness.seen.end {
                    End::Committed(_) => 0,
                    End::Aborted => 1,
                    End::Unknown => 2,
                };
                report.transactions[kind] += 1;
            }
            report.violations.extend(witness::check(&transactions, &state));
        }
        Err(error) => report.violations.push(format!("the state cannot be read: {error}")),
    }
}

/// Reads states of the past while they are collected: at once, and again later in the same transaction. The witness compares
/// what was read; that it may be refused is no finding.
async fn look_back(workload: Arc<dyn workload::Workload>, target: Arc<dyn Target>, fault: Fault) {
    tokio::time::sleep(fault.at).await;
    let mut rng = StdRng::seed_from_u64(fault.salt ^ 0x0070_6173_7400);
    let until = tokio::time::Instant::now() + fault.lasts * 3;
    while tokio::time::Instant::now() < until {
        let age = rng.random_range(0.01..5.0);
        let pause = Duration::from_millis(rng.random_range(10..4_000));
        if let Ok(mut connection) = target.connect(rng.random_range(0..16)).await {
            let looking = async {
                connection.batch(&format!("BEGIN AS OF SYSTEM TIME '-{age:.2}s'")).await?;
                connection.query(workload.query()).await?;
                tokio::time::sleep(pause).await;
                connection.query(workload.query()).await?;
                connection.batch("COMMIT").await
            };
            // A node that is down or paused, or a state that has gone.
            drop(tokio::time::timeout(pause * 2, looking).await);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits for all tasks; which of them panicked.
async fn panics(tasks: &mut tokio::task::JoinSet<()>) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        found.extend(ended.err().map(|error| format!("a task of the run panicked: {error}")));
    }
    found
}

/// Ends whatever is wrong: fair weather, whole disks, every node up.
async fn heal(world: &Arc<World>) {
    world.network().heal();
    for at in 0..world.len() {
        world.disk(at).set(|trouble| *trouble = super::disk::Trouble::default());
        if let Some(process) = world.process(at) {
            process.resume();
            process.set_rate(1.0);
        }
        if world.running(at).is_some_and(|(node, _)| node.failure().is_some()) {
            world.crash(at).await;
        }
        if let Err(why) = world.start(at).await {
            world.trace().note(|| why);
        }
    }
}

/// Waits until nothing is undecided and all replicas are equal.
async fn rest(world: &Arc<World>) -> Result<(), String> {
    let began = tokio::time::Instant::now();
    let mut why = String::new();
    while began.elapsed() < REST {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let state = State::read(&world.states()).map_err(|error| error.to_string())?;
        if !state.undecided().is_empty() {
            why = format!("attempts that nobody ends: {:?}", state.undecided());
            continue;
        }
        match replicas::check(world) {
            Ok(()) => return Ok(()),
            Err(found) => why = found,
        }
    }
    Err(format!("no rest {} s after all faults were over: {why}", REST.as_secs()))
}
