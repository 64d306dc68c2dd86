//! What is heard of gateways: that they live, which of their attempts hold locks, how far back they read.

use crate::{Attempt, TxnId};
use bincode::{Decode, Encode};
use parking_lot::Mutex;
use quorate_net::runtime::{Instant, Runtime};
use quorate_storage::NodeId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Volatile locks of another node's gateway that was not heard of for so long are released, and its transactions no
/// longer keep old versions from being collected.
const GATEWAY_SILENCE: Duration = Duration::from_secs(10);

/// A gateway tells that it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Alive {
    /// Which.
    pub gateway: NodeId,
    /// Its process.
    pub incarnation: u64,
    /// Its attempts with smaller counters hold no volatile locks any more.
    pub locking: u64,
    /// The ID at which its oldest transaction began, if that has been open for a while.
    pub oldest: Option<TxnId>,
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
    /// What its oldest transaction reads, when it was announced last.
    oldest: Option<TxnId>,
}

impl Gateways {
    pub(super) fn new(node: NodeId, runtime: Runtime) -> Gateways {
        Gateways { node, runtime, heard: Mutex::default() }
    }

    pub(super) fn heard(&self, attempt: Attempt) {
        if attempt.gateway == self.node.0 {
            return;
        }
        let now = self.runtime.now();
        let mut heard = self.heard.lock();
        let heard = heard
            .entry((attempt.gateway, attempt.incarnation))
            .or_insert(Heard { last: Some(now), ..Heard::default() });
        if let Some(last) = &mut heard.last {
            *last = now;
        }
    }

    pub(super) fn announced(&self, alive: Alive) {
        let now = self.runtime.now();
        let mut heard = self.heard.lock();
        let floor = alive.locking;
        let entry = (alive.gateway.0, alive.incarnation);
        let heard = heard.entry(entry).or_insert(Heard { last: Some(now), floor, oldest: None });
        heard.floor = heard.floor.max(floor);
        heard.oldest = alive.oldest;
        if let Some(last) = &mut heard.last {
            *last = now;
        }
    }

    /// What the oldest transaction of all gateways that live reads, as far as they have told.
    pub(super) fn oldest(&self) -> Option<TxnId> {
        let heard = self.heard.lock();
        heard
            .values()
            .filter(|heard| heard.last.is_some_and(|last| self.is_recent(last)))
            .filter_map(|heard| heard.oldest)
            .min()
    }

    fn is_recent(&self, last: Instant) -> bool {
        self.runtime.now().saturating_duration_since(last) < GATEWAY_SILENCE
    }

    /// Whether volatile locks of the attempt should stay.
    pub(super) fn is_alive(&self, attempt: Attempt) -> bool {
        let heard = self.heard.lock();
        let heard = heard.get(&(attempt.gateway, attempt.incarnation)).copied().unwrap_or_default();
        let lives = attempt.gateway == self.node.0 || heard.last.is_some_and(|last| self.is_recent(last));
        attempt.counter >= heard.floor && lives
    }

    /// Whether the attempt's gateway is known to be gone.
    pub(super) fn is_dead(&self, attempt: Attempt) -> bool {
        self.heard.lock().get(&(attempt.gateway, attempt.incarnation)).is_some_and(|heard| heard.last.is_none())
    }

    pub(super) fn died(&self, gateway: NodeId, incarnation: u64) {
        self.heard.lock().entry((gateway.0, incarnation)).or_default().last = None;
    }

    pub(super) fn forget_old(&self) {
        let now = self.runtime.now();
        let recent = |last| now.saturating_duration_since(last) < 2 * GATEWAY_SILENCE;
        self.heard.lock().retain(|_, heard| heard.last.is_none_or(recent));
    }
}
