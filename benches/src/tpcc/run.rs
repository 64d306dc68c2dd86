//! The terminals: each draws, runs and retries transactions until time is up.

use super::random::{Constants, Random};
use super::transactions::{Done, Input, Kind, Run};
use super::{Options, Pace};
use crate::target::{Connection, Target, TargetError};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Microseconds between 1970-01-01 and 2000-01-01.
const EPOCH_2000: u64 = 946_684_800_000_000;

/// What terminals did with one type of transaction.
#[derive(Debug, Clone)]
pub struct TypeResults {
    /// Latencies of committed and rolled back executions, microseconds.
    pub latency: Histogram<u64>,
    /// Committed.
    pub committed: u64,
    /// Rolled back as the specification wants it.
    pub rolled_back: u64,
    /// Attempts that failed and ran again.
    pub retries: u64,
    /// Executions given up, by SQLSTATE.
    pub errors: BTreeMap<String, u64>,
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct Results {
    /// By type, in the order of [`Kind::ALL`].
    pub types: Vec<TypeResults>,
    /// Retried failures by SQLSTATE.
    pub retried: BTreeMap<String, u64>,
    /// COMMITs whose outcome is unknown.
    pub ambiguous: u64,
    /// Measured seconds.
    pub seconds: f64,
    /// New orders committed from the first statement on, ramp included.
    pub all_new_orders: u64,
    /// Orders delivered from the first statement on, ramp included.
    pub all_deliveries: u64,
    /// Text of the first error that was given up, if any.
    pub first_error: Option<String>,
}

/// Counters of a run under way, for a display.
#[derive(Debug, Default)]
pub struct Live {
    types: [LiveType; 5],
    stop: AtomicBool,
}

/// Counters of one type.
#[derive(Debug, Default)]
pub struct LiveType {
    /// Committed so far.
    pub committed: AtomicU64,
    /// Retried so far.
    pub retries: AtomicU64,
    /// Given up so far.
    pub errors: AtomicU64,
    /// Sum of latencies, microseconds.
    pub latency: AtomicU64,
}

impl Live {
    /// Counters by type, in the order of [`Kind::ALL`].
    pub fn types(&self) -> &[LiveType; 5] {
        &self.types
    }

    /// Ends the run early; what was measured so far is reported.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl TypeResults {
    fn new() -> Result<TypeResults, TargetError> {
        let latency = Histogram::new_with_bounds(1, 3_600_000_000, 3)
            .map_err(|error| TargetError::new("XX000", error.to_string()))?;
        Ok(TypeResults { latency, committed: 0, rolled_back: 0, retries: 0, errors: BTreeMap::new() })
    }
}

impl Results {
    fn new() -> Result<Results, TargetError> {
        Ok(Results {
            types: (0..Kind::ALL.len()).map(|_| TypeResults::new()).collect::<Result<_, _>>()?,
            retried: BTreeMap::new(),
            ambiguous: 0,
            seconds: 0.0,
            all_new_orders: 0,
            all_deliveries: 0,
            first_error: None,
        })
    }

    fn merge(&mut self, other: Results) {
        for (mine, theirs) in self.types.iter_mut().zip(other.types) {
            // Same bounds on both sides, so that adding cannot fail.
            mine.latency.add(&theirs.latency).unwrap_or_default();
            mine.committed += theirs.committed;
            mine.rolled_back += theirs.rolled_back;
            mine.retries += theirs.retries;
            add_counts(&mut mine.errors, theirs.errors);
        }
        add_counts(&mut self.retried, other.retried);
        self.ambiguous += other.ambiguous;
        self.all_new_orders += other.all_new_orders;
        self.all_deliveries += other.all_deliveries;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    /// New orders per minute of the measured time.
    pub fn new_orders_per_minute(&self) -> f64 {
        self.types[0].committed as f64 * 60.0 / self.seconds.max(1e-9)
    }

    /// Failed attempts and errors as a share of all attempts.
    pub fn abort_share(&self) -> f64 {
        let retries: u64 = self.types.iter().map(|of| of.retries).sum();
        let done: u64 = self.types.iter().map(|of| of.committed + of.rolled_back).sum();
        retries as f64 / (retries + done).max(1) as f64
    }
}

fn add_counts(into: &mut BTreeMap<String, u64>, from: BTreeMap<String, u64>) {
    for (key, count) in from {
        *into.entry(key).or_default() += count;
    }
}

/// Runs the mix with `options.clients` terminals; `wall` is the Unix time in microseconds now.
pub async fn run(
    target: Arc<dyn Target>,
    options: &Options,
    wall: u64,
    live: Arc<Live>,
) -> Result<Results, TargetError> {
    let start = Instant::now();
    let measure = start + options.ramp;
    let end = measure + options.duration;
    let constants = Constants::run(Constants::load(options.seed), options.seed);
    let mut terminals = tokio::task::JoinSet::new();
    for index in 0..options.clients.max(1) {
        let (target, live, options) = (target.clone(), live.clone(), options.clone());
        let random = Random::new(options.seed.wrapping_mul(1_000_003).wrapping_add(index as u64), constants);
        terminals.spawn(async move {
            let connection = target.connect(index).await?;
            let terminal = Terminal {
                home: index as i64 % options.warehouses + 1,
                target: target.as_ref(),
                index,
                connection,
                options: &options,
                random,
                results: Results::new()?,
                live: &live,
                deck: Vec::new(),
                wall_base: wall.saturating_sub(EPOCH_2000) as i64,
                start,
                measure,
            };
            terminal.until(end).await
        });
    }
    let mut results = Results::new()?;
    while let Some(done) = terminals.join_next().await {
        results.merge(done.map_err(|error| TargetError::new("XX000", error.to_string()))??);
    }
    results.seconds = Instant::now().min(end).saturating_duration_since(measure).as_secs_f64();
    Ok(results)
}

struct Terminal<'a> {
    home: i64,
    target: &'a dyn Target,
    index: usize,
    connection: Box<dyn Connection>,
    options: &'a Options,
    random: Random,
    results: Results,
    live: &'a Live,
    deck: Vec<Kind>,
    wall_base: i64,
    start: Instant,
    measure: Instant,
}

impl Terminal<'_> {
    async fn until(mut self, end: Instant) -> Result<Results, TargetError> {
        while Instant::now() < end && !self.live.stop.load(Ordering::Relaxed) {
            let kind = self.next_kind();
            let (keying, think) = self.pace(kind);
            tokio::time::sleep(keying).await;
            let input = Input::draw(kind, self.home, self.options.warehouses, &mut self.random);
            self.execute(kind, &input).await?;
            tokio::time::sleep(think).await;
        }
        Ok(self.results)
    }

    /// The next card of a shuffled deck: 10 new-order, 10 payment, 1 of each other kind (clause 5.2.4.2), which gives
    /// 43.5/43.5/4.3/4.3/4.3 %.
    fn next_kind(&mut self) -> Kind {
        if self.deck.is_empty() {
            self.deck.extend([Kind::NewOrder; 10]);
            self.deck.extend([Kind::Payment; 10]);
            self.deck.extend([Kind::OrderStatus, Kind::Delivery, Kind::StockLevel]);
            self.random.shuffle(&mut self.deck);
        }
        self.deck.pop().unwrap_or(Kind::NewOrder)
    }

    fn pace(&mut self, kind: Kind) -> (Duration, Duration) {
        let Pace::Factor(factor) = self.options.pace else { return (Duration::ZERO, Duration::ZERO) };
        let (keying, mean) = kind.pace_seconds();
        // Negative exponential, cut at ten times the mean (clause 5.2.5.4).
        let think = (-self.random.unit().max(1e-5).ln() * mean).min(10.0 * mean);
        (Duration::from_secs_f64(keying * factor), Duration::from_secs_f64(think * factor))
    }

    /// Runs one transaction until it commits, rolls back as it should, or fails for good.
    async fn execute(&mut self, kind: Kind, input: &Input) -> Result<(), TargetError> {
        let began = Instant::now();
        let at = kind as usize;
        for tries in 0.. {
            let now = self.wall_base + self.start.elapsed().as_micros() as i64;
            let mut run = Run { connection: self.connection.as_mut(), isolation: self.options.isolation, now };
            match run.run(input).await {
                Ok(done) => {
                    self.count(kind, done, began);
                    break;
                }
                Err(error) if error.is_retryable() && tries < self.options.retry_budget => {
                    self.roll_back().await?;
                    self.live.types[at].retries.fetch_add(1, Ordering::Relaxed);
                    if began >= self.measure {
                        self.results.types[at].retries += 1;
                        *self.results.retried.entry(error.sqlstate).or_default() += 1;
                    }
                    let most = 1u64 << tries.min(6);
                    let wait = self.random.uniform(0, most as i64 * 500) as u64;
                    tokio::time::sleep(Duration::from_micros(wait)).await;
                }
                Err(error) => {
                    self.give_up(at, error).await?;
                    break;
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, kind: Kind, done: Done, began: Instant) {
        let latency = began.elapsed().as_micros() as u64;
        if let Done::Committed { delivered } = done {
            self.results.all_deliveries += u64::from(delivered);
            self.results.all_new_orders += u64::from(kind == Kind::NewOrder);
            self.live.types[kind as usize].committed.fetch_add(1, Ordering::Relaxed);
            self.live.types[kind as usize].latency.fetch_add(latency, Ordering::Relaxed);
        }
        if began < self.measure {
            return;
        }
        let of = &mut self.results.types[kind as usize];
        of.latency.saturating_record(latency);
        match done {
            Done::Committed { .. } => of.committed += 1,
            Done::RolledBack => of.rolled_back += 1,
        }
    }

    async fn give_up(&mut self, at: usize, error: TargetError) -> Result<(), TargetError> {
        tracing::debug!(kind = Kind::ALL[at].name(), %error, "given up");
        self.live.types[at].errors.fetch_add(1, Ordering::Relaxed);
        self.results.ambiguous += u64::from(error.is_ambiguous());
        *self.results.types[at].errors.entry(error.sqlstate.clone()).or_default() += 1;
        let lost = error.sqlstate.starts_with("08") || error.sqlstate.starts_with("57P");
        self.results.first_error.get_or_insert_with(|| error.to_string());
        if lost { self.reconnect().await } else { self.roll_back().await }
    }

    async fn roll_back(&mut self) -> Result<(), TargetError> {
        match self.connection.batch("ROLLBACK").await {
            Ok(()) => Ok(()),
            Err(_) => self.reconnect().await,
        }
    }

    /// Connects anew, to another node if there are several; gives up after half a minute.
    async fn reconnect(&mut self) -> Result<(), TargetError> {
        for pause in 0..120u64 {
            self.index += 1;
            match self.target.connect(self.index).await {
                Ok(connection) => {
                    self.connection = connection;
                    return Ok(());
                }
                Err(error) if pause == 119 => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
        Ok(())
    }
}
