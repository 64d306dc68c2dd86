//! Clocks that are wrong: the wall clocks of two servers jump by an hour, forth and back, and the third server lives twice
//! as fast as the others.
//!
//! The library of `faketime` stands between a server and its clocks. Jumps leave the monotonic clock alone, as jumps do.

use crate::runs;
use crate::servers::{Cluster, LOOPBACK, Server, postgres, three};
use crate::workloads::play;
use quorate_bench::target::Target;
use rand::RngExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Where the library of `faketime` is.
fn library() -> String {
    let listed = Command::new("faketime").args(["-f", "+0", "env"]).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let found = text.lines().find_map(|line| line.strip_prefix("LD_PRELOAD="));
    found.unwrap_or_else(|| panic!("faketime preloads nothing: {text}")).to_owned()
}

/// The file that says how wrong the wall clock of a server is.
fn clock_of(server: &Server) -> PathBuf {
    server.directory.with_extension("clock")
}

/// What the wall clock of a server shows, in seconds.
async fn seconds(server: &Server) -> i64 {
    let mut connection = postgres(vec![server.url()]).connect(0).await.unwrap();
    let rows = connection.query("SELECT extract(epoch FROM clock_timestamp())::int8 AS seconds").await.unwrap();
    rows[0][0].int()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workloads_hold_while_clocks_are_wrong() {
    if !runs("faketime", &["-f", "+0", "true"]) {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let mut servers = three(root.path(), [LOOPBACK; 3]);
    let library = library();
    for server in &mut servers[..2] {
        std::fs::write(clock_of(server), "+0").unwrap();
        let file = clock_of(server);
        let words = [
            "env".to_owned(),
            format!("LD_PRELOAD={library}"),
            format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ];
        server.under = words.to_vec();
    }
    servers[2].under = ["faketime", "-f", "+0 x2"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::of(servers).await;
    for name in ["list-append", "register", "sequential"] {
        play(&mut cluster, name, "a clock an hour wrong", async |cluster, rng| {
            let at = rng.random_range(0..2);
            let (wrong, right) = (&cluster.servers[at], &cluster.servers[1 - at]);
            let jump = if rng.random_bool(0.5) { 3600 } else { -3600 };
            std::fs::write(clock_of(wrong), format!("{jump:+}")).unwrap();
            let difference = seconds(wrong).await - seconds(right).await;
            assert!((difference - jump).abs() < 60, "its clock shows {difference} s more");
            tokio::time::sleep(Duration::from_millis(rng.random_range(200..2_000))).await;
            std::fs::write(clock_of(wrong), "+0").unwrap();
        })
        .await;
    }
    let began = (seconds(&cluster.servers[2]).await, seconds(&cluster.servers[0]).await);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let fast = seconds(&cluster.servers[2]).await - began.0;
    let normal = seconds(&cluster.servers[0]).await - began.1;
    assert!(fast >= normal + 2, "{fast} s passed on the fast server, {normal} s on another");
    drop(cluster);
}
