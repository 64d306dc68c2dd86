//! Real `quorate start` processes on directories of their own: started, killed, paused, started under another program.

use quorate_bench::target::{Postgres, Protocol, Target};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Where servers listen that need no addresses of their own.
pub const LOOPBACK: &str = "127.0.0.1";

/// A server, running or not.
pub struct Server {
    /// Where its data is.
    pub directory: PathBuf,
    /// Its IP address.
    pub ip: String,
    /// Where others are told that it is, if not where it listens.
    pub advertise: Option<SocketAddr>,
    /// The program that starts it, with arguments, if it is not started directly.
    pub under: Vec<String>,
    sql: u16,
    node: u16,
    process: Option<Child>,
}

impl Server {
    /// A server that is not running yet, on ports of its own.
    pub fn new(directory: PathBuf, ip: &str) -> Server {
        let (sql, node) = (free_port(ip), free_port(ip));
        Server { directory, ip: ip.to_owned(), advertise: None, under: Vec::new(), sql, node, process: None }
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("postgres://root@{}:{}/postgres?connect_timeout=2", self.ip, self.sql)
    }

    /// Where it listens for nodes.
    pub fn node_address(&self) -> SocketAddr {
        SocketAddr::new(self.ip.parse().unwrap(), self.node)
    }

    /// Starts it; with a token, it joins a cluster.
    pub fn start(&mut self, join: Option<&str>) {
        self.start_under(&self.under.clone(), join);
    }

    /// Starts it as the last argument of another program.
    pub fn start_under(&mut self, program: &[String], join: Option<&str>) {
        let mut words = program.to_vec();
        words.extend([env!("CARGO_BIN_EXE_quorate").to_owned(), "start".to_owned()]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(&self.directory);
        command.arg("--sql-addr").arg(format!("{}:{}", self.ip, self.sql));
        command.arg("--node-addr").arg(self.node_address().to_string());
        if let Some(address) = self.advertise {
            command.arg("--advertise").arg(address.to_string());
        }
        if let Some(token) = join {
            command.arg("--join").arg(token);
        }
        let log = std::fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        command.stdout(Stdio::null()).stderr(log).stdin(Stdio::null());
        // A group of its own: signals reach it and the program that it runs under.
        self.process = Some(command.process_group(0).spawn().unwrap());
    }

    fn log_file(&self) -> PathBuf {
        self.directory.with_extension("log")
    }

    /// What it has said on standard error, in all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Sends a signal, by its name.
    pub fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            let group = format!("-{}", process.id());
            // It tells so if the process is gone, which is no failure here.
            Command::new("kill").args(["-s", name, "--", &group]).stderr(Stdio::null()).status().unwrap();
        }
    }

    /// Kills it as nothing else does, and waits for its end.
    pub fn kill(&mut self) {
        self.signal("KILL");
        if let Some(mut process) = self.process.take() {
            process.wait().unwrap();
            // Under another program it is no child of ours.
            while runs_in_group(process.id()) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// The number of its process, which must have been started.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Waits until it ends itself.
    pub async fn ends(&mut self) -> ExitStatus {
        for _ in 0..200 {
            if let Some(ended) = self.ended() {
                return ended;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it must end itself:\n{}", self.log());
    }

    /// How it ended, if it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.try_wait().unwrap()
    }

    /// Waits until it answers a query.
    pub async fn answers(&self) {
        let target = postgres(vec![self.url()]);
        for _ in 0..300 {
            if let Ok(mut connection) = target.connect(0).await
                && connection.query("SELECT 1").await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{} does not answer:\n{}", self.directory.display(), self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a thread of a process group still runs, and may hold files and ports.
fn runs_in_group(group: u32) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let threads =
        processes.filter_map(|process| std::fs::read_dir(process.path().join("task")).ok()).flatten().flatten();
    threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok()).any(|stat| {
        // After the name, in brackets: state, parent, group.
        let mut words = stat.rsplit(')').next().unwrap().split_whitespace();
        let dead = words.next().is_none_or(|state| ["Z", "X"].contains(&state));
        !dead && words.nth(1) == Some(&group.to_string())
    })
}

/// A port that nobody uses at `ip`: below those that the system gives to whoever connects, so that it stays free while
/// its server is down.
fn free_port(ip: &str) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + std::process::id() % 10_000;
    for _ in 0..10_000 {
        let port = first as u16 + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000;
        if TcpListener::bind((ip, port)).is_ok() && UdpSocket::bind((ip, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free at {ip}");
}

/// A target of these servers.
pub fn postgres(urls: Vec<String>) -> Postgres {
    Postgres { urls, protocol: Protocol::Prepared }
}

/// Three servers, not running yet, on directories below `root`.
pub fn three(root: &Path, addresses: [&str; 3]) -> Vec<Server> {
    let server = |(at, ip)| Server::new(root.join(format!("n{}", at + 1)), ip);
    addresses.into_iter().enumerate().map(server).collect()
}

/// Three servers of one cluster.
pub struct Cluster {
    /// The servers.
    pub servers: Vec<Server>,
    _root: Option<tempfile::TempDir>,
}

impl Cluster {
    /// Starts three servers on directories that vanish with the cluster; see [`Cluster::of`].
    pub async fn start(addresses: [&str; 3]) -> Cluster {
        let root = tempfile::tempdir().unwrap();
        let servers = three(root.path(), addresses);
        Cluster { _root: Some(root), ..Cluster::of(servers).await }
    }

    /// Starts three servers and waits until every range has three replicas.
    pub async fn of(mut servers: Vec<Server>) -> Cluster {
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
        let cluster = Cluster { servers, _root: None };
        cluster.replicated().await;
        cluster
    }

    /// All of them.
    pub fn target(&self) -> Postgres {
        postgres(self.servers.iter().map(Server::url).collect())
    }

    /// Waits until every range has three replicas.
    pub async fn replicated(&self) {
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
}
