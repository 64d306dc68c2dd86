//! Three real `quorate start` processes on disks: a bank runs while the process that leads is killed (SIGKILL) again
//! and again and started anew. No acknowledged transfer is lost, nothing refused is there, and the sums hold.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use quorate_bench::bank::{self, Transfer};
use quorate_bench::target::{Connection, Postgres, Protocol, Target, TargetError};
use std::collections::BTreeSet;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

const ACCOUNTS: i64 = 20;
const OPENING: i64 = 1_000;
const KILLS: usize = 4;

struct Server {
    directory: PathBuf,
    sql: u16,
    node: u16,
    process: Option<Child>,
}

impl Server {
    fn new(directory: PathBuf) -> Server {
        let sql = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let node = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Server { directory, sql, node, process: None }
    }

    fn url(&self) -> String {
        format!("postgres://root@127.0.0.1:{}/postgres?connect_timeout=2", self.sql)
    }

    fn start(&mut self, join: Option<&str>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.arg("start").arg(&self.directory);
        command.arg("--sql-addr").arg(format!("127.0.0.1:{}", self.sql));
        command.arg("--node-addr").arg(format!("127.0.0.1:{}", self.node));
        if let Some(token) = join {
            command.arg("--join").arg(token);
        }
        let log =
            std::fs::File::options().create(true).append(true).open(self.directory.with_extension("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log).stdin(Stdio::null());
        self.process = Some(command.spawn().unwrap());
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    async fn answers(&self) {
        let target = postgres(vec![self.url()]);
        for _ in 0..300 {
            if let Ok(mut connection) = target.connect(0).await
                && connection.query("SELECT 1").await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = std::fs::read_to_string(self.directory.with_extension("log")).unwrap_or_default();
        panic!("{} does not answer:\n{log}", self.directory.display());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn postgres(urls: Vec<String>) -> Postgres {
    Postgres { urls, protocol: Protocol::Prepared }
}

struct Cluster {
    servers: Vec<Server>,
    _root: tempfile::TempDir,
}

impl Cluster {
    async fn start() -> Cluster {
        let root = tempfile::tempdir().unwrap();
        let mut servers: Vec<Server> = (1..=3).map(|at| Server::new(root.path().join(format!("n{at}")))).collect();
        servers[0].start(None);
        servers[0].answers().await;
        for at in 1..3 {
            let made = Command::new(env!("CARGO_BIN_EXE_quorate"))
                .args(["cluster", "token", "create", &servers[0].url()])
                .output()
                .unwrap();
            let text = String::from_utf8(made.stdout).unwrap();
            let Some(token) = text.split_whitespace().find(|word| word.starts_with("qj1-")) else {
                panic!("no token in {text:?}: {}", String::from_utf8_lossy(&made.stderr));
            };
            servers[at].start(Some(token));
            servers[at].answers().await;
        }
        let cluster = Cluster { servers, _root: root };
        cluster.replicated().await;
        cluster
    }

    fn target(&self) -> Postgres {
        postgres(self.servers.iter().map(Server::url).collect())
    }

    async fn replicated(&self) {
        let mut connection = self.target().connect(0).await.unwrap();
        for _ in 0..300 {
            let rows = connection.query("SHOW RANGES").await.unwrap();
            let whole = rows.iter().filter(|row| row.iter().any(|cell| cell.text() == "{1,2,3}")).count();
            if whole >= 4 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not replicated: {:?}", connection.query("SHOW RANGES").await);
    }

    /// The server that leads the range of the accounts, as any of them says.
    async fn leader(&self) -> usize {
        for server in &self.servers {
            let Ok(mut connection) = postgres(vec![server.url()]).connect(0).await else { continue };
            let Ok(rows) = connection.query("SELECT lease_holder FROM quorate.ranges ORDER BY range_id DESC").await
            else {
                continue;
            };
            if let Some(leader) = rows.first().map(|row| row[0].int()).filter(|leader| *leader > 0) {
                return leader as usize - 1;
            }
        }
        0
    }
}

#[derive(Default)]
struct Ledger {
    acknowledged: BTreeSet<i64>,
    unknown: BTreeSet<i64>,
}

async fn client(target: Postgres, at: usize, stop: Arc<AtomicBool>, next: Arc<AtomicI64>) -> Ledger {
    let mut ledger = Ledger::default();
    let mut connection: Option<Box<dyn Connection>> = None;
    let mut server = at;
    while !stop.load(Ordering::Relaxed) {
        let Some(open) = connection.as_mut() else {
            server += 1;
            match target.connect(server).await {
                Ok(fresh) => connection = Some(fresh),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            continue;
        };
        let id = next.fetch_add(1, Ordering::Relaxed);
        let transfer = Transfer { id, from: id % ACCOUNTS + 1, to: (id * 7 + 3) % ACCOUNTS + 1, amount: id % 9 + 1 };
        if transfer.from == transfer.to {
            continue;
        }
        let outcome = tokio::time::timeout(Duration::from_secs(20), bank::transfer(open.as_mut(), transfer)).await;
        match outcome.unwrap_or_else(|_| Err(TargetError::new("08006", "no answer in 20 s"))) {
            Ok(()) => drop(ledger.acknowledged.insert(id)),
            Err(error) if error.is_retryable() => {
                if open.batch("ROLLBACK").await.is_err() {
                    connection = None;
                }
            }
            Err(_) => {
                ledger.unknown.insert(id);
                connection = None;
            }
        }
    }
    ledger
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_survives_kills_of_its_leader() {
    let mut cluster = Cluster::start().await;
    bank::load(&cluster.target(), ACCOUNTS, OPENING).await.unwrap();
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(1)));
    let clients: Vec<_> =
        (0..4).map(|at| tokio::spawn(client(cluster.target(), at, stop.clone(), next.clone()))).collect();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let leader = cluster.leader().await;
        cluster.servers[leader].kill();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        cluster.servers[leader].start(None);
        cluster.servers[leader].answers().await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::Relaxed);
    let mut ledger = Ledger::default();
    for client in clients {
        let of = client.await.unwrap();
        ledger.acknowledged.extend(of.acknowledged);
        ledger.unknown.extend(of.unknown);
    }
    let audit = bank::audit(&cluster.target(), OPENING).await.unwrap();
    assert_eq!(audit.total, ACCOUNTS * OPENING);
    assert_eq!(audit.wrong, 0);
    let held: BTreeSet<i64> = audit.transfers.into_iter().collect();
    let lost: Vec<_> = ledger.acknowledged.difference(&held).collect();
    assert!(lost.is_empty(), "acknowledged but lost: {lost:?}");
    let known: BTreeSet<i64> = ledger.acknowledged.union(&ledger.unknown).copied().collect();
    assert!(held.is_subset(&known), "refused but committed: {:?}", held.difference(&known));
    assert!(ledger.acknowledged.len() > 50, "only {} transfers", ledger.acknowledged.len());
}
