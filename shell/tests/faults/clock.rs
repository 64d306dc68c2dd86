//! Clocks that are wrong, jump and run at other rates (faketime), under workloads.
//!
//! ```text
//!   jump   the wall clock of a server that runs: hours ahead, an hour behind; its monotonic clock stays right
//!   rate   a server starts again with both clocks twice or half as fast, and its wall clock elsewhere
//! ```
//! No clock is set right again: at the end all three are wrong. A monotonic clock never jumps, for no kernel lets it.
//!
//! Not further behind than an hour: certificates begin an hour before they are made, and who is earlier refuses them.

use crate::runs;
use crate::servers::{Cluster, LOOPBACK, Server, postgres, three};
use crate::workloads::play;
use quorate_bench::target::Target;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const HOUR: f64 = 3_600.0;
/// How far a clock may be from where it was put, in seconds: faketime looks at its file every second.
const NEAR: f64 = 20.0;

/// Whether there is faketime; a message if not.
fn fakes() -> bool {
    runs("faketime", &["-m", "-f", "+10s", "true"])
}

/// Where the library of faketime is, which stands between a program and its clocks.
fn library() -> String {
    let listed = Command::new("faketime").args(["-m", "-f", "+0", "env"]).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let found = text.lines().find(|line| line.starts_with("LD_PRELOAD="));
    found.unwrap_or_else(|| panic!("faketime preloads nothing: {text}")).to_owned()
}

/// What the clock of a server says, in seconds after what it should say.
async fn ahead(server: &Server) -> f64 {
    let mut connection = postgres(vec![server.url()]).connect(0).await.unwrap();
    let rows = connection.query("SELECT extract(epoch FROM now())::float8").await.unwrap();
    rows[0][0].float() - SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// How many seconds of its timers pass in one.
async fn rate(server: &Server) -> f64 {
    let mut connection = postgres(vec![server.url()]).connect(0).await.unwrap();
    let began = Instant::now();
    connection.query("SELECT pg_sleep(2)").await.unwrap();
    2.0 / began.elapsed().as_secs_f64()
}

/// The file that says how far the clock of a server is ahead.
fn offset_file(server: &Server) -> PathBuf {
    server.directory.with_extension("offset")
}

fn set_offset(server: &Server, seconds: f64) {
    std::fs::write(offset_file(server), format!("{seconds:+}")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workloads_hold_while_clocks_jump() {
    if !fakes() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let library = library();
    let mut servers = three(root.path(), [LOOPBACK; 3]);
    for server in &mut servers {
        set_offset(server, 0.0);
        let file = format!("FAKETIME_TIMESTAMP_FILE={}", offset_file(server).display());
        let words = ["env", &library, &file, "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"];
        server.under = words.map(str::to_owned).to_vec();
    }
    let mut cluster = Cluster::of(servers).await;
    let mut jumps = [(0, HOUR), (1, -HOUR), (2, 24.0 * HOUR), (0, -HOUR)].into_iter().cycle();
    for name in ["list-append", "bank"] {
        play(&mut cluster, name, "a clock jumped", async |cluster, _| {
            let (victim, offset) = jumps.next().unwrap();
            let server = &cluster.servers[victim];
            set_offset(server, offset);
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            let ahead = ahead(server).await;
            assert!((ahead - offset).abs() < NEAR, "{ahead} s ahead, not {offset}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workloads_hold_while_clocks_run_at_other_rates() {
    if !fakes() {
        return;
    }
    let mut cluster = Cluster::start([LOOPBACK; 3]).await;
    let clocks =
        [("+10s x2", 10.0, 2.0), ("-1h x0.5", -HOUR, 0.5), ("+1h x2", HOUR, 2.0), ("-30m x0.5", -HOUR / 2.0, 0.5)];
    let (mut clocks, mut victims) = (clocks.into_iter().cycle(), (0..3).cycle());
    for name in ["register", "bank"] {
        play(&mut cluster, name, "a server started with another clock", async |cluster, _| {
            let (clock, offset, fast) = clocks.next().unwrap();
            let server = &mut cluster.servers[victims.next().unwrap()];
            server.kill();
            server.under = ["faketime", "-m", "-f", clock].map(str::to_owned).to_vec();
            server.start(None);
            server.answers().await;
            let ahead = ahead(server).await;
            assert!((ahead - offset).abs() < NEAR, "{ahead} s ahead, not {offset}");
            let rate = rate(server).await;
            assert!((rate / fast - 1.0).abs() < 0.3, "{rate} times as fast, not {fast}");
        })
        .await;
    }
}
