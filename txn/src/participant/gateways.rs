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
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Alive {
    /// Which.
    pub gateway: NodeId,
    /// Its process.
    pub incarnation: u64,
    /// Its attempts with smaller counters hold no volatile locks any more, but for these.
    pub locking: u64,
    /// Attempts below that may hold some, ascending.
    pub active: Vec<u64>,
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

#[derive(Clone, Debug, Default)]
struct Heard {
    /// `None`: gone for good.
    last: Option<Instant>,
    /// Attempts below it hold no locks, unless they are active.
    floor: u64,
    /// Ascending.
    active: Vec<u64>,
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
        let entry = (alive.gateway.0, alive.incarnation);
        let heard = heard.entry(entry).or_insert(Heard { last: Some(now), ..Heard::default() });
        // One that was told before may come after.
        if alive.locking >= heard.floor {
            (heard.floor, heard.active) = (alive.locking, alive.active);
        }
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
        let heard = heard.get(&(attempt.gateway, attempt.incarnation));
        let last = heard.and_then(|heard| heard.last);
        let lives = attempt.gateway == self.node.0 || last.is_some_and(|last| self.is_recent(last));
        let over =
            |heard: &Heard| attempt.counter < heard.floor && heard.active.binary_search(&attempt.counter).is_err();
        lives && !heard.is_some_and(over)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_is_over_holds_nothing_while_older_ones_go_on() {
        let gateways = Gateways::new(NodeId(1), Runtime::seeded(1));
        let attempt = |counter| Attempt { gateway: 2, incarnation: 7, counter, birth: TxnId(1) };
        let told = |locking, active: &[u64]| {
            let active = active.to_vec();
            gateways.announced(Alive { gateway: NodeId(2), incarnation: 7, locking, active, oldest: None });
        };
        let alive = || (1..7).filter(|counter| gateways.is_alive(attempt(*counter))).collect::<Vec<_>>();
        told(4, &[1, 3]);
        assert_eq!(alive(), [1, 3, 4, 5, 6]);
        told(6, &[1]);
        assert_eq!(alive(), [1, 6]);
        told(4, &[1, 3]);
        assert_eq!(alive(), [1, 6], "it was told before");
        assert!(!gateways.is_alive(Attempt { incarnation: 8, ..attempt(9) }), "never heard of");
    }
}
