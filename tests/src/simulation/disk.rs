//! The simulated disk of a node: what a crash leaves of it, how long it takes, how it fails.
//!
//! ```text
//!   log      seen     what the node reads: everything appended
//!            durable  what a crash leaves, with some first part of what is in flight
//!   engine   every batch since the last persist; a crash keeps some first part of them
//! ```
//! An append is durable when its fsync has ended, which takes the time that [`LogPace`] draws. A write that asks for no
//! fsync waits for the next one.
//!
//! A write that is torn is a write that did not happen: log and engine check every batch as a whole when they are opened
//! (their own tests tear them), so that a crash here keeps or loses whole batches.
//!
//! Invariant: a disk that has failed once takes nothing more until the node starts again.

use super::omniscient::Omniscient;
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use quorate_storage::engine::{EngineView, MemoryEngine, Op, Pairs};
use quorate_storage::log::{Entry, LogBatch, MemoryLog};
use quorate_storage::store::driver::Pace;
use quorate_storage::{Engine, Error, Keyspace, LogStore, RangeId, Span};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an fsync takes when nothing is wrong.
const FSYNC_US: std::ops::Range<u64> = 300..2_500;
/// How long applying a batch takes.
const APPLY_US: std::ops::Range<u64> = 50..400;

/// What is wrong with a disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// Nothing gets durable before this moment.
    pub stalls_until: Option<Instant>,
    /// Added to every fsync.
    pub slow: Duration,
    /// The next fsync fails.
    pub fsync_fails: bool,
    /// Writes find no room.
    pub full: bool,
    /// One of this many reads of the engine fails.
    pub read_fails: Option<u32>,
}

/// A disk. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct Disk {
    node: u64,
    shared: Arc<Mutex<Shared>>,
    omniscient: Arc<Omniscient>,
}

#[derive(Debug)]
struct Shared {
    rng: StdRng,
    engine: Arc<MemoryEngine>,
    seen: Arc<MemoryLog>,
    durable: Arc<MemoryLog>,
    /// Appended, and not yet durable; with whether an fsync was asked for.
    in_flight: Vec<(LogBatch, bool)>,
    trouble: Trouble,
    failed: bool,
}

impl Disk {
    /// An empty disk of a node, whose state is observed.
    #[must_use]
    pub fn new(node: u64, seed: u64, omniscient: Arc<Omniscient>) -> Disk {
        let shared = Shared {
            rng: StdRng::seed_from_u64(seed),
            engine: Arc::new(MemoryEngine::with_crashes()),
            seen: Arc::new(MemoryLog::new()),
            durable: Arc::new(MemoryLog::new()),
            in_flight: Vec::new(),
            trouble: Trouble::default(),
            failed: false,
        };
        Disk { node, shared: Arc::new(Mutex::new(shared)), omniscient }
    }

    /// Changes what is wrong with it.
    pub fn set(&self, change: impl FnOnce(&mut Trouble)) {
        change(&mut self.shared.lock().trouble);
    }

    /// Loses what a power failure loses: of the appends in flight a last part, of the engine a last part of what was not
    /// persisted. What was wrong with the disk is over, but it stays full or slow.
    pub fn crash(&self) {
        let mut shared = self.shared.lock();
        let in_flight = std::mem::take(&mut shared.in_flight);
        let kept = shared.rng.random_range(0..=in_flight.len());
        let durable = shared.durable.crash();
        for (batch, sync) in in_flight.into_iter().take(kept) {
            // It was accepted once, and the log is the same.
            let again = durable.append(batch, sync);
            debug_assert!(again.is_ok(), "{again:?}");
        }
        shared.seen = Arc::new(durable.crash());
        shared.durable = Arc::new(durable.crash());
        let unpersisted = shared.engine.unpersisted();
        let kept = shared.rng.random_range(0..=unpersisted);
        shared.engine = Arc::new(shared.engine.crash(kept));
        shared.failed = false;
        shared.trouble.fsync_fails = false;
        shared.trouble.read_fails = None;
        self.omniscient.crashed(self.node, &shared.engine);
    }

    /// The last entry of a range that a crash would leave; 0 if there is none.
    #[must_use]
    pub fn durable_last(&self, range: RangeId) -> u64 {
        let bounds = self.shared.lock().durable.bounds(range);
        bounds.ok().flatten().map_or(0, |(_, last)| last)
    }

    /// The term of a range that a crash would leave; 0 if there is none.
    #[must_use]
    pub fn durable_term(&self, range: RangeId) -> u64 {
        let state = self.shared.lock().durable.hard_state(range);
        state.ok().flatten().map_or(0, |state| state.term)
    }

    /// The greatest bound of reads that a crash would leave acknowledged.
    #[must_use]
    pub fn durable_granted(&self) -> u64 {
        self.shared.lock().durable.granted().unwrap_or(0)
    }

    /// The state on this disk, for checkers.
    #[must_use]
    pub fn state(&self) -> Arc<MemoryEngine> {
        self.shared.lock().engine.clone()
    }

    /// The engine as the node opens it.
    #[must_use]
    pub fn engine(&self) -> Arc<dyn Engine> {
        Arc::new(SimulatedEngine { engine: self.state(), disk: self.clone() })
    }

    /// The log as the node opens it.
    #[must_use]
    pub fn log(&self) -> Arc<dyn LogStore> {
        Arc::new(SimulatedLog { log: self.shared.lock().seen.clone(), disk: self.clone() })
    }

    /// The time that log and engine take.
    #[must_use]
    pub fn pace(&self) -> [Box<dyn Pace>; 2] {
        [Box::new(DiskPace { disk: self.clone() }), Box::new(DiskPace { disk: self.clone() })]
    }

    fn appended(&self, batch: LogBatch, sync: bool) -> Result<(), Error> {
        let mut shared = self.shared.lock();
        let failure = if shared.failed {
            Some(refused("a write after a failure"))
        } else if shared.trouble.full {
            Some(Error::DiskFull("the log".into()))
        } else if sync && std::mem::take(&mut shared.trouble.fsync_fails) {
            Some(refused("fsync"))
        } else {
            None
        };
        shared.in_flight.push((batch, sync));
        shared.failed |= failure.is_some();
        failure.map_or(Ok(()), Err)
    }

    /// The fsync has ended.
    pub(super) fn settle(&self) {
        let mut shared = self.shared.lock();
        let Some(last) = shared.in_flight.iter().rposition(|(_, sync)| *sync) else { return };
        for (batch, sync) in shared.in_flight.drain(..=last).collect::<Vec<_>>() {
            let again = shared.durable.append(batch, sync);
            debug_assert!(again.is_ok(), "{again:?}");
        }
    }

    fn read(&self) -> Result<(), Error> {
        let mut shared = self.shared.lock();
        let Some(one_of) = shared.trouble.read_fails else { return Ok(()) };
        if shared.rng.random_range(0..one_of) == 0 {
            return Err(refused("a read"));
        }
        Ok(())
    }

    fn write(&self) -> Result<(), Error> {
        let shared = self.shared.lock();
        if shared.trouble.full { Err(Error::DiskFull("the state".into())) } else { Ok(()) }
    }

    fn draw(&self, range: std::ops::Range<u64>) -> Duration {
        let mut shared = self.shared.lock();
        let now = Instant::now();
        let stall = shared.trouble.stalls_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        Duration::from_micros(shared.rng.random_range(range)) + shared.trouble.slow + stall
    }
}

fn refused(what: &str) -> Error {
    Error::io(format!("simulated disk: {what}"), std::io::Error::from_raw_os_error(5))
}

struct DiskPace {
    disk: Disk,
}

#[async_trait]
impl Pace for DiskPace {
    async fn appended(&mut self) {
        tokio::time::sleep(self.disk.draw(FSYNC_US)).await;
        self.disk.settle();
    }

    async fn apply(&mut self) {
        tokio::time::sleep(self.disk.draw(APPLY_US)).await;
    }
}

#[derive(Debug)]
struct SimulatedEngine {
    engine: Arc<MemoryEngine>,
    disk: Disk,
}

impl Engine for SimulatedEngine {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.disk.read()?;
        self.engine.get(keyspace, key)
    }

    fn scan<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a> {
        match self.disk.read() {
            Ok(()) => self.engine.scan(keyspace, span),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    fn scan_reverse<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a> {
        match self.disk.read() {
            Ok(()) => self.engine.scan_reverse(keyspace, span),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    fn view(&self) -> Box<dyn EngineView> {
        self.engine.view()
    }

    fn write(&self, ops: Vec<Op>) -> Result<(), Error> {
        self.disk.write()?;
        self.disk.omniscient.writes(self.disk.node, &ops);
        self.engine.write(ops)
    }

    fn persist(&self) -> Result<(), Error> {
        self.disk.write()?;
        self.engine.persist()
    }

    fn size(&self) -> u64 {
        self.engine.size()
    }
}

#[derive(Debug)]
struct SimulatedLog {
    log: Arc<MemoryLog>,
    disk: Disk,
}

impl LogStore for SimulatedLog {
    fn append(&self, batch: LogBatch, sync: bool) -> Result<(), Error> {
        self.disk.appended(batch.clone(), sync)?;
        self.log.append(batch, sync)
    }

    fn entries(&self, range: RangeId, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, Error> {
        self.log.entries(range, low, high, max_bytes)
    }

    fn bounds(&self, range: RangeId) -> Result<Option<(u64, u64)>, Error> {
        self.log.bounds(range)
    }

    fn hard_state(&self, range: RangeId) -> Result<Option<quorate_storage::log::HardState>, Error> {
        self.log.hard_state(range)
    }

    fn granted(&self) -> Result<u64, Error> {
        self.log.granted()
    }

    fn groups(&self) -> Result<Vec<RangeId>, Error> {
        self.log.groups()
    }

    fn purge(&self) -> Result<Vec<RangeId>, Error> {
        self.log.purge()
    }
}
