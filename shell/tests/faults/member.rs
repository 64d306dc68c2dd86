//! One disk of three: slow, full, or without power, while a workload goes on and the other two servers run.
//!
//! ```text
//!   slow    whoever is hurt keeps running, and every fsync takes 100 ms more (strace, attached for a while)
//!   full    somebody else fills the disk (tmpfs): the server ends itself, and starts again when there is room
//!   power   everything that was not synced is gone (XFS shutdown): unmounted, mounted, the server starts again
//! ```
//! A full disk and a loss of power hurt the server that leads at first.

use crate::disk::{Mount, fill, lose_power, make_xfs, strace};
use crate::runs;
use crate::servers::{Cluster, LOOPBACK, Server, three};
use crate::workloads::play;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workloads_hold_while_a_disk_is_slow() {
    if !runs("strace", &["-V"]) {
        return;
    }
    let mut cluster = Cluster::start([LOOPBACK; 3]).await;
    let mut victims = (0..3).cycle();
    for name in ["list-append", "bank"] {
        play(&mut cluster, name, "a disk slow", async |cluster, _| {
            slow_down(&cluster.servers[victims.next().unwrap()]).await;
        })
        .await;
    }
}

/// Every fsync of a server takes longer for a while.
async fn slow_down(server: &Server) {
    let output = server.directory.with_extension("strace");
    let words = strace(&output, "delay_enter=100000");
    let mut strace = Command::new(&words[0]).args(&words[1..]).args(["-p", &server.pid().to_string()]).spawn().unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Told so, it lets the server go on alone.
    assert!(Command::new("kill").args(["-s", "INT", &strace.id().to_string()]).status().unwrap().success());
    strace.wait().unwrap();
    let delayed = std::fs::read_to_string(output).unwrap().matches("(DELAYED)").count();
    assert!(delayed >= 5, "only {delayed} syncs were slow");
}

/// A cluster whose first server lives on a disk of its own.
async fn start(root: &Path, disk: &Path) -> Cluster {
    let mut servers = three(root, [LOOPBACK; 3]);
    servers[0] = Server::new(disk.join("n1"), LOOPBACK);
    Cluster::of(servers).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workloads_hold_while_a_disk_is_full() {
    let root = tempfile::tempdir().unwrap();
    let Some(disk) = Mount::tmpfs(root.path().join("disk"), "192m") else { return };
    let mut cluster = start(root.path(), &disk.at).await;
    for name in ["bank", "set"] {
        play(&mut cluster, name, "a disk full", async |cluster, _| {
            let server = &mut cluster.servers[0];
            let filler = disk.at.join("filler");
            fill(&filler);
            let ended = server.ends().await;
            assert!(!ended.success(), "{}", server.log());
            std::fs::remove_file(filler).unwrap();
            server.start(None);
            server.answers().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workloads_hold_while_a_disk_loses_power() {
    let root = tempfile::tempdir().unwrap();
    let Some(image) = make_xfs(root.path()) else { return };
    let at = root.path().join("disk");
    let mut disk = Mount::image(at.clone(), &image);
    if disk.is_none() {
        return;
    }
    let mut cluster = start(root.path(), &at).await;
    for name in ["bank", "set"] {
        play(&mut cluster, name, "a disk without power", async |cluster, _| {
            let server = &mut cluster.servers[0];
            let unsynced = at.join("unsynced");
            std::fs::write(&unsynced, "words that nobody has synced").unwrap();
            lose_power(&at);
            // What it was about to acknowledge it must not acknowledge any more.
            tokio::time::sleep(Duration::from_millis(500)).await;
            server.kill();
            drop(disk.take());
            disk = Mount::image(at.clone(), &image);
            assert!(disk.is_some());
            assert_eq!(std::fs::read_to_string(&unsynced).unwrap_or_default(), "", "no power was lost");
            server.start(None);
            server.answers().await;
        })
        .await;
    }
}
