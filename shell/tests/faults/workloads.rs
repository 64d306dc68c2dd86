//! Workloads of the simulator over the wire, while processes are killed and paused: other schedules than simulated ones,
//! the same checkers.

use crate::servers::{Cluster, LOOPBACK};
use quorate_bench::target::Target;
use quorate_tests::workload::{self, Clients, Outcome, PROTOCOLS};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::time::Duration;

const CLIENTS: usize = 5;
/// What a client waits at most between two transactions.
const THINK: Duration = Duration::from_millis(60);
const HURTS: usize = 4;

/// Plays a workload while `hurt` is called a few times; nothing may be violated. `faults` says in words what `hurt` does.
pub async fn play(
    cluster: &mut Cluster,
    name: &'static str,
    faults: &str,
    mut hurt: impl AsyncFnMut(&mut Cluster, &mut StdRng),
) {
    let target: Arc<dyn Target> = Arc::new(cluster.target());
    let workload = workload::named(name);
    workload.set_up(target.as_ref()).await.unwrap();
    let clients = Arc::new(Clients::new(u64::MAX, THINK, &PROTOCOLS));
    let mut playing = tokio::task::JoinSet::new();
    for at in 0..CLIENTS {
        playing.spawn(clients.clone().client(at, at as u64, target.clone(), workload.clone()));
    }
    let mut rng = StdRng::seed_from_u64(7);
    for _ in 0..HURTS {
        tokio::time::sleep(Duration::from_millis(rng.random_range(200..1_500))).await;
        hurt(cluster, &mut rng).await;
    }
    // Whatever was hurt has healed, and the clients go on.
    committed_more(&clients, 50).await;
    clients.stop();
    while let Some(ended) = playing.join_next().await {
        ended.unwrap();
    }
    let found = workload.check(target.as_ref()).await.unwrap();
    let [committed, aborted, unknown] =
        [Outcome::Committed, Outcome::Aborted, Outcome::Unknown].map(|outcome| clients.ended(outcome));
    let verdict = if found.is_empty() { "holds" } else { "VIOLATED" };
    println!("{name}: {committed} committed, {aborted} aborted, {unknown} unknown; {HURTS} times {faults}; {verdict}");
    assert!(found.is_empty(), "{name}: {found:#?}");
}

/// Waits until so many more transactions are committed.
async fn committed_more(clients: &Clients, more: u64) {
    let enough = clients.ended(Outcome::Committed) + more;
    for _ in 0..600 {
        if clients.ended(Outcome::Committed) >= enough {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the workload has not gone on within 30 s");
}

async fn kill_or_pause(cluster: &mut Cluster, rng: &mut StdRng) {
    let victim = rng.random_range(0..cluster.servers.len());
    let server = &mut cluster.servers[victim];
    if rng.random_bool(0.5) {
        server.signal("STOP");
        tokio::time::sleep(Duration::from_millis(rng.random_range(500..4_000))).await;
        server.signal("CONT");
    } else {
        server.kill();
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..1_500))).await;
        server.start(None);
        server.answers().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workloads_hold_while_processes_are_killed_and_paused() {
    let mut cluster = Cluster::start([LOOPBACK; 3]).await;
    for name in ["list-append", "register", "set", "skew"] {
        play(&mut cluster, name, "a server killed or paused", kill_or_pause).await;
    }
}
