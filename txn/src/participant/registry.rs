//! The participants of a node: one per range that it leads.

use super::service::{Ids, Participant, Parts, Resolver, Seams};
use crate::{Attempt, Compare};
use parking_lot::{Mutex, RwLock};
use quorate_net::runtime::{Instant, Runtime};
use quorate_storage::store::ReplicaView;
use quorate_storage::{DIRECTORY_RANGE, Engine, NodeId, ORACLE_RANGE, RangeId, Role, StoreHandle};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often participants are looked after.
const TICK: Duration = Duration::from_millis(250);
/// Volatile locks of another node's gateway that was not heard of for so long are released.
const GATEWAY_SILENCE: Duration = Duration::from_secs(10);

/// The participants of a node.
#[derive(Debug)]
pub struct Participants {
    parts: Parts,
    /// Held for one lookup or one assignment.
    map: RwLock<BTreeMap<RangeId, Arc<Participant>>>,
}

impl Participants {
    /// No participants yet.
    pub fn new(node: NodeId, engine: Arc<dyn Engine>, store: StoreHandle, runtime: Runtime) -> Participants {
        let gateways = Arc::new(Gateways::new(node, runtime.clone()));
        let seams = Arc::new(Seams::default());
        let parts = Parts { node, engine, store, runtime, gateways, seams };
        Participants { parts, map: RwLock::default() }
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
        let mut map = self.map.write();
        let term = map.get(&range).map(|participant| participant.term());
        if term == view.as_ref().map(|view| view.term) {
            return;
        }
        if let Some(old) = map.remove(&range) {
            old.step_down();
        }
        if let Some(ReplicaView { term, .. }) = view {
            let participant = Arc::new(Participant::new(self.parts.clone(), range, term));
            self.parts.runtime.spawn(participant.clone().start());
            map.insert(range, participant);
        }
    }

    /// Looks after silent attempts and lost gateways, for ever; the node runs it as a task.
    pub async fn run(&self) {
        loop {
            self.parts.runtime.sleep(TICK).await;
            let participants: Vec<_> = self.map.read().values().cloned().collect();
            for participant in participants {
                participant.tick();
            }
            self.parts.gateways.forget_old();
        }
    }

    /// A gateway showed that it lives, and that its attempts below `floor` hold no locks any more.
    pub fn heard(&self, gateway: NodeId, incarnation: u64, floor: u64) {
        self.parts.gateways.announced(gateway, incarnation, floor);
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

/// When gateways were last heard of: other nodes' ones at each request that locks, all when they announce themselves.
#[derive(Debug)]
pub struct Gateways {
    node: NodeId,
    runtime: Runtime,
    /// By gateway and incarnation. Held for one lookup.
    heard: Mutex<BTreeMap<(u64, u64), Heard>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// `None`: gone for good.
    last: Option<Instant>,
    /// Attempts below it hold no locks.
    floor: u64,
}

impl Gateways {
    fn new(node: NodeId, runtime: Runtime) -> Gateways {
        Gateways { node, runtime, heard: Mutex::default() }
    }

    pub(super) fn heard(&self, attempt: Attempt) {
        if attempt.gateway == self.node.0 {
            return;
        }
        let now = self.runtime.now();
        let mut heard = self.heard.lock();
        let heard = heard.entry((attempt.gateway, attempt.incarnation)).or_insert(Heard { last: Some(now), floor: 0 });
        if let Some(last) = &mut heard.last {
            *last = now;
        }
    }

    fn announced(&self, gateway: NodeId, incarnation: u64, floor: u64) {
        let now = self.runtime.now();
        let mut heard = self.heard.lock();
        let heard = heard.entry((gateway.0, incarnation)).or_insert(Heard { last: Some(now), floor });
        heard.floor = heard.floor.max(floor);
        if let Some(last) = &mut heard.last {
            *last = now;
        }
    }

    /// Whether volatile locks of the attempt should stay.
    pub(super) fn is_alive(&self, attempt: Attempt) -> bool {
        let heard = self.heard.lock();
        let heard = heard.get(&(attempt.gateway, attempt.incarnation)).copied().unwrap_or_default();
        let recently = |last| self.runtime.now().saturating_duration_since(last) < GATEWAY_SILENCE;
        let lives = attempt.gateway == self.node.0 || heard.last.is_some_and(recently);
        attempt.counter >= heard.floor && lives
    }

    /// Whether the attempt's gateway is known to be gone.
    pub(super) fn is_dead(&self, attempt: Attempt) -> bool {
        self.heard.lock().get(&(attempt.gateway, attempt.incarnation)).is_some_and(|heard| heard.last.is_none())
    }

    fn died(&self, gateway: NodeId, incarnation: u64) {
        self.heard.lock().entry((gateway.0, incarnation)).or_default().last = None;
    }

    fn forget_old(&self) {
        let now = self.runtime.now();
        let recent = |last| now.saturating_duration_since(last) < 2 * GATEWAY_SILENCE;
        self.heard.lock().retain(|_, heard| heard.last.is_none_or(recent));
    }
}
