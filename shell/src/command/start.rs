//! `quorate start`: one node, until it is told to stop.
//!
//! ```text
//!   check ports ─► Node::start ─► SQL listener ─► announce ─► print how to reach it and how others join
//!   SIGTERM, SIGINT ─► refuse new sessions ─► let transactions finish ─► hand leaderships over ─► exit 0
//!        again      ─► exit 6                            the node stops itself ─► exit 7
//! ```

use super::{Context, runtime, units};
use crate::client::NodeFile;
use crate::exit::{Exit, Failure};
use clap::Args;
use quorate::node::{JoinToken, Network, Node, NodeOptions};
use quorate::server::{Listener, ServerOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

const EXAMPLES: &str = "\
Examples:
  quorate start ./n1                                     a new cluster, or an old node again
  quorate start ./n2 --join TOKEN --sql-addr 127.0.0.1:0 --node-addr 127.0.0.1:0
  quorate start /var/lib/quorate --advertise 10.0.0.1    reachable from other machines";

/// How long open transactions may go on when the node is asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long sessions may take to read why the node stopped itself.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Run a node; an empty directory becomes a new cluster.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct StartArgs {
    /// Where the node keeps its data
    #[arg(env = "QUORATE_DIR", hide_env = true)]
    dir: PathBuf,
    /// Join the cluster that printed this token
    #[arg(long, value_name = "TOKEN", env = "QUORATE_JOIN", hide_env_values = true)]
    join: Option<String>,
    /// Where SQL clients connect (TCP, loopback)
    #[arg(long, default_value = "127.0.0.1:7432", env = "QUORATE_SQL_ADDR")]
    sql_addr: SocketAddr,
    /// Where other nodes connect (UDP)
    #[arg(long, default_value = "127.0.0.1:7433", env = "QUORATE_NODE_ADDR")]
    node_addr: SocketAddr,
    /// Address that other nodes are told; also listens on all interfaces
    #[arg(long, value_name = "HOST[:PORT]", env = "QUORATE_ADVERTISE")]
    advertise: Option<String>,
    /// Memory for cached blocks of the disk
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = units::size, env = "QUORATE_CACHE")]
    cache: u64,
    /// How long rows are kept after they were changed or deleted, for AS OF SYSTEM TIME and long transactions
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = units::duration, env = "QUORATE_RETENTION")]
    retention: Duration,
    /// Most SQL sessions at a time
    #[arg(long, value_name = "N", default_value_t = 1000, env = "QUORATE_MAX_CONNECTIONS")]
    max_connections: usize,
}

impl StartArgs {
    fn network(&self) -> Result<Network, Failure> {
        let Some(text) = &self.advertise else {
            return Ok(Network { listen: self.node_addr, ..Network::loopback() });
        };
        let advertise = resolve(text, self.node_addr.port())?;
        let every = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), self.node_addr.port());
        let listen = if self.node_addr.ip().is_loopback() { every } else { self.node_addr };
        Ok(Network { listen, advertise: vec![advertise] })
    }

    fn options(&self) -> Result<NodeOptions, Failure> {
        let mut options = NodeOptions::directory(&self.dir).with_network(self.network()?);
        options.cache_bytes = self.cache;
        options.retention = self.retention;
        if let Some(text) = &self.join {
            let token: JoinToken = text.trim().parse().map_err(|error| {
                Failure::new(Exit::Usage, format!("the join token cannot be used: {error}"))
                    .with_hint("Copy the whole line that `quorate start` or `quorate cluster token create` prints.")
            })?;
            options = options.joining(token);
        }
        Ok(options)
    }
}

fn resolve(text: &str, port: u16) -> Result<SocketAddr, Failure> {
    let found = match text.parse::<IpAddr>() {
        Ok(ip) => Some(SocketAddr::new(ip, port)),
        Err(_) => {
            let place = if text.contains(':') { text.to_owned() } else { format!("{text}:{port}") };
            place.to_socket_addrs().ok().and_then(|mut all| all.next())
        }
    };
    found.ok_or_else(|| Failure::new(Exit::Usage, format!("--advertise {text}: no such host or address")))
}

/// Runs the node.
pub fn run(context: &Context, args: StartArgs) -> Result<(), Failure> {
    let options = args.options()?;
    check_ports(&args, &options)?;
    runtime()?.block_on(serve(context, &args, options))
}

/// A port that is taken is told before anything is written.
fn check_ports(args: &StartArgs, options: &NodeOptions) -> Result<(), Failure> {
    let taken = |what: &str, flag: &str, address: SocketAddr, error: std::io::Error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => "the port is taken".to_owned(),
            _ => error.to_string(),
        };
        let any = SocketAddr::new(address.ip(), 0);
        Failure::new(Exit::Failed, format!("cannot listen for {what} on {address}: {why}")).with_hint(format!(
            "Choose another with {flag} ({flag} {any} takes a free port), or stop the program that uses it."
        ))
    };
    std::net::TcpListener::bind(args.sql_addr)
        .map_err(|error| taken("SQL clients", "--sql-addr", args.sql_addr, error))?;
    if let Some(network) = &options.network {
        std::net::UdpSocket::bind(network.listen)
            .map_err(|error| taken("nodes", "--node-addr", network.listen, error))?;
    }
    Ok(())
}

async fn serve(context: &Context, args: &StartArgs, options: NodeOptions) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let node = tokio::select! {
        started = Node::start(options) => started.map_err(|error| Failure::of_start(&error))?,
        () = signals.next() => return Err(Failure::told(Exit::NotDrained)),
    };
    let limits = ServerOptions::default().with_max_connections(args.max_connections);
    let listener = match Listener::bind(args.sql_addr, node.gateway(), limits).await {
        Ok(listener) => listener,
        Err(error) => {
            node.kill().await;
            return Err(Failure::of_start(&error));
        }
    };
    let sql = listener.local_addr();
    let file = NodeFile::write(&args.dir, sql)?;
    let served = tokio::select! {
        ready = introduce(context, args, &node, sql) => match ready {
            Ok(()) => until_stopped(&mut signals, &node).await,
            Err(failure) => Err(failure),
        },
        () = signals.next() => Ok(()),
    };
    if let Err(failure) = served {
        // Sessions are told why before the process ends.
        listener.shutdown(LAST_WORDS).await;
        node.kill().await;
        return Err(failure);
    }
    let drained = tokio::select! {
        drained = drain(&node, listener) => drained,
        () = signals.next() => {
            eprintln!("stopped before the drain was over; the next start recovers from the log");
            Err(Failure::told(Exit::NotDrained))
        }
    };
    drop(file);
    drained
}

async fn until_stopped(signals: &mut Signals, node: &Node) -> Result<(), Failure> {
    tokio::select! {
        () = signals.next() => Ok(()),
        why = node.failed() => Err(Failure::of_stop(&why)),
    }
}

async fn drain(node: &Node, listener: Listener) -> Result<(), Failure> {
    eprintln!("draining: {} SQL sessions", listener.sessions());
    listener.shutdown(GRACE).await;
    eprintln!("draining: handing over leaderships");
    node.shutdown().await.map_err(|error| Failure::of_stop(&error))?;
    eprintln!("drained");
    Ok(())
}

/// Tells the cluster where this node is, and the person how to use it.
async fn introduce(context: &Context, args: &StartArgs, node: &Node, sql: SocketAddr) -> Result<(), Failure> {
    node.announce(Some(sql.to_string())).await.map_err(|error| Failure::of_start(&error))?;
    let mut text = headline(args, node);
    let dir = args.dir.display();
    text.push_str(&format!("  SQL      postgres://root@{sql}/postgres   (local: quorate sql {dir})\n"));
    if let Some(address) = node.node_address() {
        text.push_str(&format!("  nodes    {address} (QUIC, mutual TLS)\n"));
    }
    text.push_str(&format!("  data     {dir}; a commit is on the disks of a majority before it is acknowledged\n"));
    let outstanding = node.has_valid_token().await.map_err(|error| Failure::of_start(&error))?;
    if !outstanding {
        let token = node.create_join_token().await.map_err(|error| Failure::of_start(&error))?;
        text.push_str(&format!("  add a node (valid 1 h, one use):\n    quorate start DIR --join {token}\n"));
    }
    if context.global.quiet {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

fn headline(args: &StartArgs, node: &Node) -> String {
    let name = node.cluster_name().unwrap_or("quorate");
    let number = node.id();
    match (&args.join, node.is_new_cluster()) {
        (_, true) => format!("quorate {} · new cluster \"{name}\" created, 1 node\n", env!("CARGO_PKG_VERSION")),
        (Some(_), false) => format!("joined \"{name}\" as node {number}\n"),
        (None, false) => format!("quorate {} · node {number} of cluster \"{name}\"\n", env!("CARGO_PKG_VERSION")),
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Signals, Failure> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advertised_hosts_take_the_port_of_the_node() {
        assert_eq!(resolve("10.0.0.1", 7433).unwrap().to_string(), "10.0.0.1:7433");
        assert_eq!(resolve("10.0.0.1:9", 7433).unwrap().to_string(), "10.0.0.1:9");
        assert_eq!(resolve("no such host", 7433).unwrap_err().exit, Exit::Usage);
    }
}
