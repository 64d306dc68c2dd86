//! Three real `quorate start` processes on disks: a bank runs while the process that leads is killed (SIGKILL) again
//! and again and started anew. No acknowledged transfer is lost, nothing refused is there, and the sums hold.

use crate::servers::{Cluster, LOOPBACK, postgres};
use quorate_bench::bank::{self, Transfer};
use quorate_bench::target::{Connection, Postgres, Target, TargetError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

const ACCOUNTS: i64 = 20;
const OPENING: i64 = 1_000;
const KILLS: usize = 4;

/// The server that leads the range of the accounts, as any of them says.
async fn leader(cluster: &Cluster) -> usize {
    for server in &cluster.servers {
        let Ok(mut connection) = postgres(vec![server.url()]).connect(0).await else { continue };
        let Ok(rows) = connection.query("SELECT lease_holder FROM quorate.ranges ORDER BY range_id DESC").await else {
            continue;
        };
        if let Some(leader) = rows.first().map(|row| row[0].int()).filter(|leader| *leader > 0) {
            return leader as usize - 1;
        }
    }
    0
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
    let mut cluster = Cluster::start([LOOPBACK; 3]).await;
    bank::load(&cluster.target(), ACCOUNTS, OPENING).await.unwrap();
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(1)));
    let clients: Vec<_> =
        (0..4).map(|at| tokio::spawn(client(cluster.target(), at, stop.clone(), next.clone()))).collect();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let leader = leader(&cluster).await;
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
    let (told, unknown) = (ledger.acknowledged.len(), ledger.unknown.len());
    println!("bank: {told} committed, {unknown} unknown; {KILLS} times the leader killed; holds");
}
