//! A bank on three nodes in one process, while nodes crash (losing what they had not synced) and come back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use quorate_bench::bank::{self, Transfer};
use quorate_bench::target::{Connection, TargetError};
use quorate_tests::cluster::Cluster;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::RwLock;

const ACCOUNTS: i64 = 20;
const OPENING: i64 = 1_000;

#[derive(Default)]
struct Ledger {
    acknowledged: BTreeSet<i64>,
    unknown: BTreeSet<i64>,
}

struct Clients {
    cluster: Arc<RwLock<Cluster>>,
    stop: AtomicBool,
    next: AtomicI64,
}

impl Clients {
    async fn client(self: Arc<Self>, seed: u64) -> Ledger {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut ledger = Ledger::default();
        let mut connection: Option<Box<dyn Connection>> = None;
        while !self.stop.load(Ordering::Relaxed) {
            let at = rng.random_range(0..3);
            let transfer = Transfer {
                id: self.next.fetch_add(1, Ordering::Relaxed),
                from: rng.random_range(1..=ACCOUNTS / 2),
                to: rng.random_range(ACCOUNTS / 2 + 1..=ACCOUNTS),
                amount: rng.random_range(1..10),
            };
            let Some(open) = self.open(&mut connection, at).await else { continue };
            match bank::transfer(open, transfer).await {
                Ok(()) => drop(ledger.acknowledged.insert(transfer.id)),
                Err(error) => {
                    if !is_definite(&error) {
                        ledger.unknown.insert(transfer.id);
                    }
                    if open.batch("ROLLBACK").await.is_err() || !error.is_retryable() {
                        connection = None;
                    }
                }
            }
        }
        ledger
    }

    async fn open<'a>(
        &self,
        connection: &'a mut Option<Box<dyn Connection>>,
        at: usize,
    ) -> Option<&'a mut dyn Connection> {
        if connection.is_none() {
            match self.cluster.read().await.connect(at).await {
                Ok(fresh) => *connection = Some(fresh),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        Some(connection.as_mut()?.as_mut())
    }
}

/// Whether the error says that nothing was committed.
fn is_definite(error: &TargetError) -> bool {
    error.is_retryable() || matches!(error.sqlstate.as_str(), "58C00" | "25P02" | "57P01")
}

/// `split`: the accounts lie in two ranges, so that every transfer commits by three-phase commit.
async fn bank_survives(seed: u64, rounds: usize, split: bool) {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    drop(tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init());
    let cluster = Cluster::start(3).await.unwrap();
    let target = cluster.target();
    bank::load(target.as_ref(), ACCOUNTS, OPENING).await.unwrap();
    if split {
        let mut session = cluster.connect(0).await.unwrap();
        session.batch(&format!("ALTER TABLE account SPLIT AT VALUES ({})", ACCOUNTS / 2 + 1)).await.unwrap();
    }
    drop(target);
    let cluster = Arc::new(RwLock::new(cluster));
    let clients = Arc::new(Clients { cluster: cluster.clone(), stop: AtomicBool::new(false), next: AtomicI64::new(1) });
    let running: Vec<_> = (0..4).map(|at| tokio::spawn(clients.clone().client(seed * 100 + at))).collect();
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..rounds {
        tokio::time::sleep(Duration::from_millis(rng.random_range(300..1200))).await;
        let at = rng.random_range(0..3);
        tracing::info!(at, "crash");
        cluster.write().await.crash(at).await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..2500))).await;
        tracing::info!(at, "restart");
        cluster.write().await.restart(at).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    tracing::info!("stop the clients");
    clients.stop.store(true, Ordering::Relaxed);
    let mut ledger = Ledger::default();
    for client in running {
        let of = client.await.unwrap();
        ledger.acknowledged.extend(of.acknowledged);
        ledger.unknown.extend(of.unknown);
    }
    drop(clients);
    let cluster = Arc::into_inner(cluster).unwrap_or_else(|| unreachable!("all clients have ended")).into_inner();
    tracing::info!("audit");
    let audit = bank::audit(cluster.target().as_ref(), OPENING).await.unwrap();
    assert_eq!(audit.total, ACCOUNTS * OPENING, "seed {seed}");
    assert_eq!(audit.wrong, 0, "seed {seed}");
    let held: BTreeSet<i64> = audit.transfers.into_iter().collect();
    let lost: Vec<_> = ledger.acknowledged.difference(&held).collect();
    assert!(lost.is_empty(), "seed {seed}: acknowledged but lost: {lost:?}");
    let known: BTreeSet<i64> = ledger.acknowledged.union(&ledger.unknown).copied().collect();
    let ghosts: Vec<_> = held.difference(&known).collect();
    assert!(ghosts.is_empty(), "seed {seed}: refused but committed: {ghosts:?}");
    assert!(ledger.acknowledged.len() > 20, "seed {seed}: only {} transfers", ledger.acknowledged.len());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_in_one_range_survives_crashes() {
    bank_survives(1, 4, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_in_two_ranges_survives_crashes() {
    bank_survives(2, 4, true).await;
}
