//! One server and its disk: what was acknowledged is there after every failure, and nothing that was refused.

use crate::runs;
use crate::servers::{LOOPBACK, Server, postgres};
use quorate_bench::target::{Connection, Target};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Output that nobody reads.
const NOWHERE: &str = "/dev/null";

/// Rows that a writer knows of.
#[derive(Debug, Default)]
struct Rows {
    acknowledged: BTreeSet<i64>,
    /// Told neither yes nor no.
    unknown: BTreeSet<i64>,
}

/// Creates a table and inserts up to `most` rows of `bytes` bytes, one after the other, until something fails.
async fn write(server: &mut Server, most: i64, bytes: usize) -> Rows {
    let mut rows = Rows::default();
    let Some(mut connection) = connect(server).await else { return rows };
    if connection.batch("CREATE TABLE t (id int8 PRIMARY KEY, filler text)").await.is_err() {
        return rows;
    }
    for id in 1..=most {
        match connection.query(&format!("INSERT INTO t VALUES ({id}, repeat('x', {bytes}))")).await {
            Ok(_) => rows.acknowledged.insert(id),
            Err(_) => return Rows { unknown: BTreeSet::from([id]), ..rows },
        };
    }
    rows
}

/// Connects to a server that starts, unless it ends before.
async fn connect(server: &mut Server) -> Option<Box<dyn Connection>> {
    let target = postgres(vec![server.url()]);
    for _ in 0..600 {
        if let Ok(connection) = target.connect(0).await {
            return Some(connection);
        }
        if server.ended().is_some() {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it neither answers nor ends:\n{}", server.log());
}

/// The server, started again, holds what it must.
async fn check(server: &Server, rows: &Rows) {
    server.answers().await;
    let mut connection = postgres(vec![server.url()]).connect(0).await.unwrap();
    let found: BTreeSet<i64> = match connection.query("SELECT id FROM t ORDER BY id").await {
        Ok(found) => found.iter().map(|row| row[0].int()).collect(),
        Err(error) if error.sqlstate == "42P01" => BTreeSet::new(),
        Err(error) => panic!("{error}"),
    };
    let lost: Vec<&i64> = rows.acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let stray: Vec<&i64> =
        found.iter().filter(|id| !rows.acknowledged.contains(id) && !rows.unknown.contains(id)).collect();
    assert!(stray.is_empty(), "never acknowledged, and there: {stray:?}");
}

/// The summary of a test that has passed.
fn tell(acknowledged: usize, unknown: usize, faults: &str) {
    println!("rows: {acknowledged} committed, {unknown} unknown; {faults}; holds");
}

/// The words of a strace that does something to every sync, and tells `output` of it.
pub fn strace(output: &Path, inject: &str) -> Vec<String> {
    let (syncs, output) = ("fsync,fdatasync", output.display().to_string());
    let words = ["strace", "-f", "-qq", "-o", &output, "-e", &format!("trace={syncs}"), "-e"].map(str::to_owned);
    words.into_iter().chain([format!("inject={syncs}:{inject}")]).collect()
}

/// A server on a directory of its own, below `root`.
fn server(root: &Path) -> Server {
    Server::new(root.join("n1"), LOOPBACK)
}

#[tokio::test]
async fn a_crash_at_any_sync_point_loses_nothing() {
    if !runs("strace", &["-V"]) {
        return;
    }
    // strace counts the syncs of each thread by itself. In the first life of a server the thread that founds the cluster
    // has most of them, and every crash comes before the first row; in a later life the thread of the log has.
    let founding = crash_at_every_sync(false).await;
    let writing = crash_at_every_sync(true).await;
    assert!(founding.crashes >= 5 && writing.crashes >= 5, "{founding:?}, {writing:?}");
    assert!(writing.acknowledged > 0, "no crash came after a row: {writing:?}");
    let crashes = format!("killed at {} syncs of a first life, {} of a second", founding.crashes, writing.crashes);
    tell(founding.acknowledged + writing.acknowledged, founding.unknown + writing.unknown, &crashes);
}

/// Servers that crashed, and the rows that they had told of until then.
#[derive(Debug, Default)]
struct Crashes {
    crashes: usize,
    acknowledged: usize,
    unknown: usize,
}

/// Crashes a server at its first sync, another one at its second, and so on, until there is none to crash at.
async fn crash_at_every_sync(lived: bool) -> Crashes {
    let mut all = Crashes::default();
    loop {
        let root = tempfile::tempdir().unwrap();
        let mut server = server(root.path());
        if lived {
            server.start(None);
            server.answers().await;
            server.kill();
        }
        server.start_under(&strace(NOWHERE.as_ref(), &format!("signal=KILL:when={}", all.crashes + 1)), None);
        let rows = write(&mut server, 5, 10).await;
        server.kill();
        server.start(None);
        check(&server, &rows).await;
        if rows.acknowledged.len() == 5 {
            return all;
        }
        all.crashes += 1;
        all.acknowledged += rows.acknowledged.len();
        all.unknown += rows.unknown.len();
    }
}

#[tokio::test]
async fn a_failed_fsync_ends_the_server_and_loses_nothing() {
    if !runs("strace", &["-V"]) {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let mut server = server(root.path());
    server.start(None);
    server.answers().await;
    server.kill();
    server.start_under(&strace(NOWHERE.as_ref(), "error=EIO:when=12+"), None);
    let rows = write(&mut server, 1_000, 10).await;
    assert!(rows.acknowledged.len() < 1_000, "no fsync failed");
    let ended = server.ends().await;
    assert!(!ended.success(), "{}", server.log());
    server.start(None);
    check(&server, &rows).await;
    tell(rows.acknowledged.len(), rows.unknown.len(), "an fsync failed");
}

/// A file system of its own, unmounted when dropped.
pub struct Mount {
    /// Where it is mounted.
    pub at: PathBuf,
}

impl Mount {
    /// A file system in memory that holds so much.
    pub fn tmpfs(at: PathBuf, size: &str) -> Option<Mount> {
        Mount::new(at, &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
    }

    /// The file system in an image.
    pub fn image(at: PathBuf, image: &Path) -> Option<Mount> {
        Mount::new(at, &["-o", "loop", &image.display().to_string()])
    }

    /// Mounts; a message if that cannot be done here.
    fn new(at: PathBuf, arguments: &[&str]) -> Option<Mount> {
        std::fs::create_dir_all(&at).unwrap();
        let ran = Command::new("mount").args(arguments).arg(&at).stderr(Stdio::null()).status();
        if ran.is_ok_and(|status| status.success()) {
            return Some(Mount { at });
        }
        eprintln!("skipped: mount {arguments:?} does not work here");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.at).status());
    }
}

/// Writes a file until the disk is full.
pub fn fill(filler: &Path) {
    let mut dd = Command::new("dd");
    dd.args(["if=/dev/zero", "bs=64K"]).arg(format!("of={}", filler.display())).stderr(Stdio::null());
    assert!(!dd.status().unwrap().success(), "the disk is not full");
}

/// An image with an empty XFS on it, below `root`; a message if that cannot be done here.
pub fn make_xfs(root: &Path) -> Option<PathBuf> {
    if !runs("xfs_io", &["-V"]) || !runs("mkfs.xfs", &["-V"]) {
        return None;
    }
    let image = root.join("image");
    std::fs::File::create(&image).unwrap().set_len(512 << 20).unwrap();
    assert!(Command::new("mkfs.xfs").arg("-q").arg(&image).status().unwrap().success());
    Some(image)
}

/// From now on nothing reaches the disk that is mounted there; what was not synced is lost.
pub fn lose_power(at: &Path) {
    assert!(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(at).status().unwrap().success());
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::tmpfs(root.path().join("disk"), "96m") else { return };
    let mut server = server(&mount.at);
    server.start(None);
    server.answers().await;
    let filler = mount.at.join("filler");
    // What somebody else has written leaves a few megabytes.
    let mut dd = Command::new("dd");
    dd.args(["if=/dev/zero", "bs=1M", "count=90"]).arg(format!("of={}", filler.display()));
    drop(dd.stderr(Stdio::null()).status());
    let rows = write(&mut server, 5_000, 20_000).await;
    assert!(rows.acknowledged.len() < 5_000, "the disk was never full");
    std::fs::remove_file(filler).unwrap();
    server.kill();
    server.start(None);
    check(&server, &rows).await;
    tell(rows.acknowledged.len(), rows.unknown.len(), "a disk full");
    drop(server);
}

#[tokio::test]
async fn a_power_loss_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let Some(image) = make_xfs(root.path()) else { return };
    let at = root.path().join("disk");
    let mut acknowledged = 0;
    for round in 0..3 {
        let mut mount = Mount::image(at.clone(), &image);
        if mount.is_none() {
            return;
        }
        let mut server = Server::new(at.join(format!("n{round}")), LOOPBACK);
        server.start(None);
        server.answers().await;
        let rows = write(&mut server, 200, 100).await;
        assert_eq!(rows.acknowledged.len(), 200, "{}", server.log());
        lose_power(&at);
        server.kill();
        drop(mount.take());
        mount = Mount::image(at.clone(), &image);
        assert!(mount.is_some());
        server.start(None);
        check(&server, &rows).await;
        acknowledged += rows.acknowledged.len();
    }
    tell(acknowledged, 0, "3 times a disk without power");
}
