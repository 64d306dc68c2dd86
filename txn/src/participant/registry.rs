//! The participants of a node: one per range that it leads.

use super::convoy::Convoy;
use super::gateways::{Alive, Gateways};
use super::horizon::{Due, Horizon};
use super::service::{Halt, Ids, Participant, Parts, Resolver, Seams};
use crate::inspect::Inspection;
use crate::{Compare, TxnId};
use parking_lot::{Mutex, RwLock};
use quorate_net::runtime::Runtime;
use quorate_storage::{DIRECTORY_RANGE, Engine, Keyspace, NodeId, ORACLE_RANGE, RangeId, Role, Span, StoreHandle};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often participants are looked after.
const TICK: Duration = Duration::from_millis(250);

/// The participants of a node.
#[derive(Debug)]
pub struct Participants {
    parts: Parts,
    /// Held for one lookup or one assignment.
    map: RwLock<BTreeMap<RangeId, Arc<Participant>>>,
    /// Held for one change or lookup.
    horizon: Mutex<Horizon>,
    /// A task is collecting.
    collecting: AtomicBool,
}

impl Participants {
    /// No participants yet.
    pub fn new(node: NodeId, engine: Arc<dyn Engine>, store: StoreHandle, runtime: Runtime) -> Participants {
        let gateways = Arc::new(Gateways::new(node, runtime.clone()));
        let seams = Arc::new(Seams::default());
        let convoy = Arc::new(Convoy::new(store.clone()));
        let parts = Parts { node, engine, store, runtime, gateways, convoy, seams };
        let horizon = Mutex::new(Horizon::default());
        Participants { parts, map: RwLock::default(), horizon, collecting: AtomicBool::new(false) }
    }

    /// Gives the participants what they ask of the rest of the node; none gets ready before. Only the first call counts.
    pub fn connect(&self, resolver: Weak<dyn Resolver>, ids: Weak<dyn Ids>) {
        let first = self.parts.seams.resolver.set(resolver).is_ok() && self.parts.seams.ids.set(ids).is_ok();
        if !first {
            tracing::warn!("participants are connected already");
        }
    }

    /// Lets reads that used some columns only be held against those. Without it, a change of any is a change of all.
    pub fn compare_with(&self, compare: Arc<dyn Compare>) {
        if self.parts.seams.compare.set(compare).is_err() {
            tracing::warn!("participants know how to compare values already");
        }
    }

    /// The participant of a range that this node leads.
    pub fn get(&self, range: RangeId) -> Option<Arc<Participant>> {
        self.map.read().get(&range).cloned()
    }

    /// A replica's role changed (or may have): begins and ends participants. Must be called inside a tokio runtime.
    pub fn on_role(&self, range: RangeId) {
        // Directory and oracle keep their state by raw commands.
        if range == DIRECTORY_RANGE || range == ORACLE_RANGE {
            return;
        }
        let view = self.parts.store.view(range).filter(|view| view.role == Role::Leader);
        // If the term has ended meanwhile, there will be another notice.
        let lease = view.and_then(|view| self.parts.store.lease(range, view.term));
        let mut map = self.map.write();
        let term = map.get(&range).map(|participant| participant.term());
        if term == lease.as_ref().map(|lease| lease.term()) {
            return;
        }
        if let Some(old) = map.remove(&range) {
            old.step_down();
        }
        if let Some(lease) = lease {
            let participant = Arc::new(Participant::new(self.parts.clone(), range, lease));
            self.parts.runtime.spawn(participant.clone().start());
            map.insert(range, participant);
        }
    }

    /// How long versions are kept after they were replaced or deleted, for reads in the past; `None`: for ever, and nothing
    /// else is collected either.
    pub fn retain(&self, retention: Option<Duration>) {
        self.horizon.lock().retain(retention, self.parts.runtime.now());
    }

    /// Looks after silent attempts, lost gateways and garbage, for ever; the node runs it as a task.
    pub async fn run(self: &Arc<Self>) {
        loop {
            self.parts.runtime.sleep(TICK).await;
            let participants: Vec<_> = self.map.read().values().cloned().collect();
            for participant in participants {
                participant.tick();
            }
            self.parts.gateways.forget_old();
            if self.collecting.load(Ordering::Acquire) {
                continue;
            }
            let due = self.horizon.lock().due(self.parts.runtime.now());
            if due != Due::default() {
                self.collecting.store(true, Ordering::Release);
                self.parts.runtime.spawn(self.clone().collect(due));
            }
        }
    }

    /// Takes a sample, and has every range collect what is below the horizon.
    async fn collect(self: Arc<Self>, due: Due) {
        let _collecting = Collecting(&self.collecting);
        if due.sample
            && let Some(ids) = self.parts.seams.ids.get().and_then(Weak::upgrade)
            && let Some(newest) = ids.newest_id().await
        {
            self.horizon.lock().sample(self.parts.runtime.now(), newest);
        }
        let floors = self.horizon.lock().floors(self.parts.runtime.now(), self.parts.gateways.oldest());
        let participants: Vec<_> = self.map.read().values().cloned().collect();
        for participant in participants {
            if due.records && floors.attempts > TxnId(0) {
                log_halt(&participant, participant.collect_records(floors.attempts).await);
            }
            if due.history && floors.history > TxnId(0) {
                log_halt(&participant, participant.collect_history(floors.history).await);
            }
        }
    }

    /// Whether this node's engine holds a version of any key of `span`; a look at the engine, and at nothing else.
    ///
    /// # Errors
    /// The engine cannot be read.
    pub fn holds_any(&self, span: &Span) -> Result<bool, quorate_storage::Error> {
        let first = self.parts.engine.scan(Keyspace::Data, &span.in_keyspace(Keyspace::Data)).next();
        Ok(first.transpose()?.is_some())
    }

    /// A gateway showed that it lives.
    pub fn heard(&self, alive: Alive) {
        self.parts.gateways.announced(alive);
    }

    /// What the ranges that this node leads have to show.
    pub fn inspect(&self) -> Inspection {
        let mut all = Inspection::default();
        let participants: Vec<_> = self.map.read().values().cloned().collect();
        for participant in participants {
            participant.inspect(&mut all);
        }
        all
    }

    /// A gateway is gone for good: its volatile locks are released, its prepared attempts recovered, soon.
    pub fn gateway_died(&self, gateway: NodeId, incarnation: u64) {
        self.parts.gateways.died(gateway, incarnation);
    }

    /// Ends all participants: the node closes.
    pub fn close(&self) {
        for participant in std::mem::take(&mut *self.map.write()).into_values() {
            participant.step_down();
        }
    }
}

/// A task is collecting, however it ends.
struct Collecting<'a>(&'a AtomicBool);

impl Drop for Collecting<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn log_halt(participant: &Participant, result: Result<(), Halt>) {
    if let Err(halt) = result {
        tracing::debug!(range = %participant.range, ?halt, "collecting will be tried again");
    }
}
