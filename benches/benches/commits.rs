//! What commits and reads cost on three nodes in this process, on real disks: ratios within one run.
//!
//! ```text
//!   cargo bench -p quorate-bench --bench commits
//!
//!   one range | one round | three-phase      latency of a commit over one range and over two, in turn
//!   reads                                    point reads on the leaseholder's node, on one node and on three
//!   hot row                                  64 clients that increment one row; one writer beside 128 readers
//! ```
//! Not a test: it judges nothing. Each figure is the median of three rounds, taken in turn.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark stops at the first surprise"
)]

use quorate::Node;
use quorate_bench::target::{Connection, Embedded, Target as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const ROUNDS: usize = 3;
const TAKES: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() {
    let place = tempfile::tempdir().expect("a directory");
    let alone = Node::builder(place.path().join("alone")).start().await.expect("a node");
    prepare(&alone).await;
    let first = Node::builder(place.path().join("n1")).start().await.expect("a node");
    let mut nodes = vec![first.clone()];
    for n in 2..=3 {
        let token = first.create_join_token().await.expect("a token").to_string();
        let node = Node::builder(place.path().join(format!("n{n}"))).join(token).start().await;
        nodes.push(node.expect("another node"));
    }
    first.wait_for_replicas(3).await.expect("replicas");
    prepare(&first).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let leader = leader(&nodes).await;
    // A session is a task, as on a server.
    let at = leader.clone();
    tokio::spawn(async move { commits(&at).await }).await.expect("a figure");
    reads(&alone, &leader).await;
    hot_row(&leader).await;
    for node in nodes.into_iter().chain([alone]) {
        node.shutdown().await.expect("it stops");
    }
}

/// Accounts 1 to 1000 in one range, from 1001 on in another.
async fn prepare(node: &Node) {
    let mut connection = connect(node).await;
    for sql in [
        "CREATE TABLE account (id INT PRIMARY KEY, balance INT NOT NULL)",
        "INSERT INTO account SELECT g, 0 FROM generate_series(1, 2000) AS g",
        "ALTER TABLE account SPLIT AT VALUES (1001)",
    ] {
        connection.query(sql).await.expect(sql);
    }
}

async fn connect(node: &Node) -> Box<dyn Connection> {
    Embedded::new(std::slice::from_ref(node), "a node").connect(0).await.expect("a session")
}

/// The node that leads accounts 1 to 1000: reads of them there cross no network.
async fn leader(nodes: &[Node]) -> Node {
    let mut connection = connect(&nodes[0]).await;
    let rows = connection.query("SELECT lease_holder FROM quorate.ranges WHERE table_name = 'account'").await;
    let rows = rows.expect("ranges");
    let id = rows.first().expect("a range")[0].int();
    nodes.iter().find(|node| i64::try_from(node.id()) == Ok(id)).unwrap_or(&nodes[0]).clone()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Median latency of a statement in milliseconds.
async fn latency(connection: &mut dyn Connection, sql: impl Fn(u64) -> String) -> f64 {
    let (began, mut each, mut n) = (Instant::now(), Vec::new(), 0);
    while began.elapsed() < TAKES {
        let at = Instant::now();
        connection.query(&sql(n)).await.expect("it commits");
        each.push(at.elapsed().as_secs_f64() * 1e3);
        n += 1;
    }
    median(each)
}

async fn commits(node: &Node) {
    let mut connection = connect(node).await;
    let one = |n: u64| format!("UPDATE account SET balance = balance + 1 WHERE id IN ({0}, {0} + 1)", n % 998 + 1);
    let two = |n: u64| format!("UPDATE account SET balance = balance + 1 WHERE id IN ({0}, {0} + 1000)", n % 998 + 1);
    let ways = [("auto", false), ("one_round", true), ("three_phase", true)];
    let mut took = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (took, (protocol, crosses)) in took.iter_mut().zip(ways) {
            connection.query(&format!("SET commit_protocol = '{protocol}'")).await.expect("a setting");
            took.push(if crosses {
                latency(&mut *connection, two).await
            } else {
                latency(&mut *connection, one).await
            });
        }
    }
    let [one, round, three] = took.map(median);
    println!("commit, p50 in ms          one range {one:.2}   one round {round:.2}   three-phase {three:.2}");
    println!("ratio to one range         one round {:.2}   three-phase {:.2}", round / one, three / one);
    for protocol in ["one_round", "three_phase"] {
        connection.query(&format!("SET commit_protocol = '{protocol}'")).await.expect("a setting");
        connection.query(&two(1)).await.expect("it commits");
        let rows = connection.query("SHOW COMMIT TRACE FOR LAST TRANSACTION").await.expect("a trace");
        println!("{protocol:<26} {}", rows.last().expect("a summary")[2].text());
    }
}

/// Reads per second of `callers` sessions.
async fn rate(node: &Node, callers: usize, in_transaction: bool) -> f64 {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..callers {
        let (mut connection, stop, done) = (connect(node).await, stop.clone(), done.clone());
        tasks.spawn(async move {
            if in_transaction {
                connection.batch("BEGIN").await.expect("it begins");
            }
            let mut id = at * 31;
            while !stop.load(Ordering::Relaxed) {
                id = id % 1000 + 1;
                let sql = format!("SELECT balance FROM account WHERE id = {id}");
                connection.query(&sql).await.expect("a row");
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(TAKES / 3).await;
    let (began, before) = (Instant::now(), done.load(Ordering::Relaxed));
    tokio::time::sleep(TAKES).await;
    let rate = (done.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    while tasks.join_next().await.is_some() {}
    rate
}

async fn reads(alone: &Node, three: &Node) {
    for (what, callers, in_transaction) in [("in a transaction", 1, true), ("autocommit, 64 callers", 64, false)] {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            rates[0].push(rate(alone, callers, in_transaction).await);
            rates[1].push(rate(three, callers, in_transaction).await);
        }
        let [one, many] = rates.map(median);
        let ratio = many / one;
        println!("point reads per second, {what:<24} one node {one:.0}   three nodes {many:.0}   ratio {ratio:.2}");
    }
}

/// Increments per second of `clients` that all change row 1, through the closure that retries; and how many they made.
async fn increments(node: &Node, clients: usize, readers: usize) -> (f64, u64) {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..clients + readers {
        let (db, stop, done) = (node.db(), stop.clone(), done.clone());
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                if at < clients {
                    let increment = async |tx: &quorate::Transaction| {
                        tx.execute("UPDATE account SET balance = balance + 1 WHERE id = 1", ()).await
                    };
                    db.transaction(increment).await.expect("the closure retries");
                    done.fetch_add(1, Ordering::Relaxed);
                } else {
                    db.query_one::<i32>("SELECT balance FROM account WHERE id = 1", ()).await.expect("a row");
                }
            }
        });
    }
    tokio::time::sleep(TAKES / 3).await;
    let (began, before) = (Instant::now(), done.load(Ordering::Relaxed));
    tokio::time::sleep(TAKES).await;
    let rate = (done.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no client failed");
    }
    (rate, done.load(Ordering::Relaxed))
}

async fn hot_row(node: &Node) {
    let mut connection = connect(node).await;
    let balance = async |connection: &mut dyn Connection| {
        connection.query("SELECT balance FROM account WHERE id = 1").await.expect("a row")[0][0].int()
    };
    let before = balance(&mut *connection).await;
    let (mut rates, mut made) = ([const { Vec::new() }; 3], 0);
    for _ in 0..ROUNDS {
        for (rates, (clients, readers)) in rates.iter_mut().zip([(1, 0), (64, 0), (1, 128)]) {
            let (rate, done) = increments(node, clients, readers).await;
            rates.push(rate);
            made += done;
        }
    }
    let [one, many, beside] = rates.map(median);
    let sum = balance(&mut *connection).await - before;
    println!("increments of one row/s    1 client {one:.0}   64 clients {many:.0}   ratio {:.2}", many / one);
    println!("beside 128 readers         1 client {beside:.0}   ratio {:.2}", beside / one);
    println!("told {made}, counted {sum}: {}", if i64::try_from(made) == Ok(sum) { "exact" } else { "NOT EXACT" });
}
