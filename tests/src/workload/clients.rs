//! The clients of a workload: each has a connection to some node, and tries one transaction after the other.

use super::Workload;
use quorate_bench::target::{Connection, Isolation, LastToken, Row, Target, TargetError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long a client waits before it looks for another node.
const RECONNECT: Duration = Duration::from_millis(50);

/// How often a client loses patience with a COMMIT, and after how many microseconds at most.
const IMPATIENT: f64 = 0.05;
const PATIENCE: u64 = 50_000;
/// How often a client asks how a COMMIT ended before it gives up.
const ASKS: usize = 20;

/// What clients choose from for `commit_protocol` when they connect, so that every way to commit meets every other.
pub const PROTOCOLS: [&str; 4] = ["auto", "auto", "one_round", "three_phase"];

/// What all clients of a run share.
#[derive(Debug)]
pub struct Clients {
    left: AtomicU64,
    think: Duration,
    protocols: &'static [&'static str],
    began: Instant,
    /// How many transactions ended in each way.
    outcomes: [AtomicU64; 3],
}

/// How a transaction ended, as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Committed.
    Committed,
    /// Not committed.
    Aborted,
    /// Perhaps committed.
    Unknown,
}

/// One client.
pub struct Client {
    /// Its number, from 0.
    pub process: u64,
    /// Its own randomness.
    pub rng: StdRng,
    target: Arc<dyn Target>,
    connection: Option<Box<dyn Connection>>,
    /// Of the COMMIT under way.
    token: LastToken,
    all: Arc<Clients>,
}

impl Clients {
    /// Clients that will try `steps` transactions all together, with pauses of up to `think`.
    #[must_use]
    pub fn new(steps: u64, think: Duration, protocols: &'static [&'static str]) -> Clients {
        Clients { left: AtomicU64::new(steps), think, protocols, began: Instant::now(), outcomes: Default::default() }
    }

    /// No client begins another transaction.
    pub fn stop(&self) {
        self.left.store(0, Ordering::Relaxed);
    }

    /// How many transactions have ended in this way.
    #[must_use]
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].load(Ordering::Relaxed)
    }

    /// Client `at`, from its first transaction to its last.
    pub async fn client(self: Arc<Self>, at: usize, seed: u64, target: Arc<dyn Target>, workload: Arc<dyn Workload>) {
        let rng = StdRng::seed_from_u64(seed);
        let mut client = Client {
            process: at as u64,
            rng,
            target,
            connection: None,
            token: LastToken::default(),
            all: self.clone(),
        };
        let next = |left: u64| left.checked_sub(1);
        while self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok() {
            client.connect().await;
            workload.step(&mut client).await;
            let think = u64::try_from(self.think.as_micros()).unwrap_or(0);
            if think > 0 {
                tokio::time::sleep(Duration::from_micros(client.rng.random_range(0..think))).await;
            }
        }
    }
}

async fn connect(
    target: &dyn Target,
    node: usize,
    protocol: &str,
    token: LastToken,
) -> Result<Box<dyn Connection>, TargetError> {
    let mut connection = target.connect(node).await?;
    connection.batch(&format!("SET commit_protocol = {protocol}")).await?;
    connection.tell_tokens(token).await?;
    Ok(connection)
}

impl Client {
    /// Virtual microseconds since the clients began.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.all.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    async fn connect(&mut self) {
        while self.connection.is_none() {
            let node = self.rng.random_range(0..64);
            let protocol = match self.all.protocols {
                [only] => only,
                several => several[self.rng.random_range(0..several.len())],
            };
            // What a connection before tells late is told to nobody.
            self.token = LastToken::default();
            match connect(self.target.as_ref(), node, protocol, self.token.clone()).await {
                Ok(connection) => self.connection = Some(connection),
                Err(_) => tokio::time::sleep(RECONNECT).await,
            }
        }
    }

    /// The connection of this client.
    ///
    /// # Errors
    /// It was lost in this transaction.
    pub fn sql(&mut self) -> Result<&mut dyn Connection, TargetError> {
        match &mut self.connection {
            Some(connection) => Ok(connection.as_mut()),
            None => Err(TargetError::new("08003", "not connected")),
        }
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// What the node says.
    pub async fn begin(&mut self, isolation: Isolation) -> Result<(), TargetError> {
        self.sql()?.batch(isolation.begin()).await
    }

    /// Runs a statement given as text.
    ///
    /// # Errors
    /// What the node says.
    pub async fn query(&mut self, sql: &str) -> Result<Vec<Row>, TargetError> {
        self.sql()?.query(sql).await
    }

    /// Ends a transaction whose statements gave `done`: commits, or rolls back.
    pub async fn end<T>(&mut self, done: Result<T, TargetError>) -> (Option<T>, Outcome) {
        let (value, outcome) = match done {
            Ok(value) => (Some(value), self.commit().await),
            // Before COMMIT nothing can have been committed.
            Err(error) => {
                self.failed(&error).await;
                (None, Outcome::Aborted)
            }
        };
        self.count(outcome);
        (value, outcome)
    }

    /// Commits. A client that has no answer, or does not wait for one, asks by the token how the commit ended.
    async fn commit(&mut self) -> Outcome {
        *self.token.lock() = None;
        let outcome = if self.rng.random_bool(IMPATIENT) {
            let patience = Duration::from_micros(self.rng.random_range(0..PATIENCE));
            match tokio::time::timeout(patience, self.query("COMMIT")).await {
                Ok(answer) => self.outcome_of(answer).await,
                Err(_) => {
                    self.connection = None;
                    Outcome::Unknown
                }
            }
        } else {
            let answer = self.query("COMMIT").await;
            self.outcome_of(answer).await
        };
        let token = self.token.lock().take();
        match token.filter(|_| outcome == Outcome::Unknown) {
            Some(token) => self.ask_how_it_ended(&token).await,
            None => outcome,
        }
    }

    async fn outcome_of(&mut self, answer: Result<Vec<Row>, TargetError>) -> Outcome {
        match answer {
            Ok(_) => Outcome::Committed,
            Err(error) => self.failed(&error).await,
        }
    }

    /// What any node says about a token: the commit may be under way still, on another one.
    async fn ask_how_it_ended(&mut self, token: &str) -> Outcome {
        for _ in 0..ASKS {
            self.connect().await;
            match self.query(&format!("SELECT quorate.txn_status('{token}')")).await {
                Ok(rows) => match rows[0][0].text() {
                    "aborted" => return Outcome::Aborted,
                    said if said.starts_with("committed") => return Outcome::Committed,
                    _ => return Outcome::Unknown,
                },
                Err(error) => {
                    self.failed(&error).await;
                    tokio::time::sleep(RECONNECT).await;
                }
            }
        }
        Outcome::Unknown
    }

    fn count(&self, outcome: Outcome) {
        self.all.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The outcome of a single statement, or of a COMMIT, that failed. The connection is usable afterwards, or dropped.
    pub async fn failed(&mut self, error: &TargetError) -> Outcome {
        let outcome = match error.sqlstate.as_str() {
            "40003" | "08006" | "08007" | "08000" => Outcome::Unknown,
            _ => Outcome::Aborted,
        };
        let usable = match &mut self.connection {
            Some(connection) => connection.batch("ROLLBACK").await.is_ok(),
            None => false,
        };
        if !usable || self.rng.random_bool(0.2) {
            self.connection = None;
        }
        outcome
    }

    /// A single statement, and how it ended.
    pub async fn single(&mut self, sql: &str) -> (Option<Vec<Row>>, Outcome) {
        let (rows, outcome) = match self.query(sql).await {
            Ok(rows) => (Some(rows), Outcome::Committed),
            Err(error) => (None, self.failed(&error).await),
        };
        self.count(outcome);
        (rows, outcome)
    }
}
