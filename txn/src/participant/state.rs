//! What a participant holds behind its mutex: the tables of [`crate::lock`], and who waits.

use crate::api::RecordKey;
use crate::lock::{Holder, Intents, Latches, LockTable, ReadCache, Recent, Ticket, Wake};
use crate::oracle::CommitIds;
use crate::{Attempt, TxnId};
use quorate_net::runtime::Instant;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::oneshot;

/// What a waiting request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// What was waited for is there, or worth another look.
    Go,
    /// The attempt lost its locks.
    Wounded,
}

/// Requests that wait for a range-wide latch wait on the empty key, which no user key is.
pub(super) const WHOLE_RANGE: &[u8] = b"";
/// Requests that wait until floors are raised wait on this key, which no user key is.
pub(super) const RAISING: &[u8] = b"\0";

/// What a range has forgotten, or is about to. Only rising.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Floors {
    /// Versions that no read at or above it sees may be gone: nothing reads below it, and nothing commits at or below.
    pub history: TxnId,
    /// Decided records of attempts born below it may be gone: none is made for them again.
    pub attempts: TxnId,
}

impl Floors {
    /// The higher of each.
    pub fn max(self, other: Floors) -> Floors {
        Floors { history: self.history.max(other.history), attempts: self.attempts.max(other.attempts) }
    }
}

/// Everything volatile. Held for one admission or one release; nothing is awaited and no engine is read meanwhile.
#[derive(Debug)]
pub(super) struct State {
    /// Writes at or below it are refused.
    pub floor: TxnId,
    /// Greatest ID met in any request or version: handed out for sure.
    pub max_seen: TxnId,
    /// As replicated.
    pub floors: Floors,
    /// As they will be: whoever lies between waits.
    pub raising: Floors,
    /// A split is under way.
    pub frozen: bool,
    /// The term is over: whoever would wait is told at once.
    pub stopped: bool,
    pub cache: ReadCache,
    pub recent: Recent,
    pub latches: Latches,
    pub intents: Intents,
    pub locks: LockTable,
    /// A commit ID for the next one who has waited for a lock.
    pub ahead: Option<CommitIds>,
    /// When each holder of intents was last heard of.
    pub news: BTreeMap<RecordKey, Instant>,
    /// Records that the resolver is working on.
    pub terminating: BTreeSet<RecordKey>,
    pub confirm: super::confirm::Rounds,
    waiters: BTreeMap<Vec<u8>, SmallVec<[(Ticket, Option<Attempt>); 1]>>,
    tickets: BTreeMap<Ticket, oneshot::Sender<Signal>>,
    next_ticket: u64,
}

impl State {
    pub fn new() -> State {
        State {
            floor: TxnId(0),
            max_seen: TxnId(0),
            floors: Floors::default(),
            raising: Floors::default(),
            frozen: false,
            stopped: false,
            cache: ReadCache::default(),
            recent: Recent::new(TxnId(u64::MAX)),
            latches: Latches::default(),
            intents: Intents::default(),
            locks: LockTable::default(),
            ahead: None,
            news: BTreeMap::new(),
            terminating: BTreeSet::new(),
            confirm: super::confirm::Rounds::default(),
            waiters: BTreeMap::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
        }
    }

    /// Notes an ID that the oracle has handed out.
    pub fn saw(&mut self, id: TxnId) {
        self.max_seen = self.max_seen.max(id);
    }

    pub fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// Where the outcome of `ticket` arrives.
    pub fn expect(&mut self, ticket: Ticket) -> oneshot::Receiver<Signal> {
        let (sender, receiver) = oneshot::channel();
        if !self.stopped {
            self.tickets.insert(ticket, sender);
        }
        receiver
    }

    /// Waits, for an attempt or for the range itself, until `key` is worth another look.
    pub fn wait_on(&mut self, key: Vec<u8>, attempt: Option<Attempt>) -> (Ticket, oneshot::Receiver<Signal>) {
        let ticket = self.ticket();
        self.waiters.entry(key).or_default().push((ticket, attempt));
        (ticket, self.expect(ticket))
    }

    /// Whether anybody waits on `key`.
    pub fn is_waited_for(&self, key: &[u8]) -> bool {
        self.waiters.contains_key(key)
    }

    /// Attempts that wait on `key`, or did and went away.
    pub fn waiting_on(&self, key: &[u8]) -> impl Iterator<Item = Attempt> {
        self.waiters.get(key).into_iter().flatten().filter_map(|(_, attempt)| *attempt)
    }

    /// Wakes everybody who waits on `key`.
    pub fn wake(&mut self, key: &[u8]) {
        if self.waiters.is_empty() {
            return;
        }
        for (ticket, _) in self.waiters.remove(key).unwrap_or_default() {
            self.signal(ticket, Signal::Go);
        }
    }

    /// Lets everybody who waits look again.
    pub fn signal_all(&mut self) {
        self.waiters.clear();
        let tickets: Vec<Ticket> = self.tickets.keys().copied().collect();
        for ticket in tickets {
            self.signal(ticket, Signal::Go);
        }
    }

    /// Passes on what the lock table decided.
    pub fn deliver(&mut self, wakes: Vec<Wake>) {
        for wake in wakes {
            match wake {
                Wake::Granted(ticket) => self.signal(ticket, Signal::Go),
                Wake::Wounded(ticket) => self.signal(ticket, Signal::Wounded),
            }
        }
    }

    /// A waiting request went away.
    pub fn forget(&mut self, ticket: Ticket) {
        self.tickets.remove(&ticket);
        let wakes = self.locks.cancel(ticket);
        self.deliver(wakes);
    }

    /// Drops the volatile locks of an attempt.
    pub fn unlock(&mut self, attempt: Attempt) {
        let wakes = self.locks.release(attempt);
        self.deliver(wakes);
    }

    /// Releases latches; with `wrote`, their keys have a version at that ID now.
    pub fn unlatch(&mut self, keys: Vec<Vec<u8>>, wrote: Option<TxnId>) {
        for key in keys {
            self.latches.release(&key);
            self.wake(&key);
            if let Some(id) = wrote {
                self.recent.wrote(key, id);
            }
        }
        self.look_again();
    }

    /// Intents of a holder are in the engine.
    pub fn hold(&mut self, holder: Holder, now: Instant) {
        self.news.insert(holder.record.clone(), now);
        self.intents.hold(holder);
    }

    /// A holder's intents are resolved: into versions at `wrote`, or away.
    pub fn resolved(&mut self, record: &RecordKey, wrote: Option<TxnId>) {
        self.news.remove(record);
        let Some(holder) = self.intents.remove(record) else {
            return;
        };
        for key in holder.keys {
            self.wake(&key);
            if let Some(id) = wrote {
                self.recent.wrote(key, id);
            }
        }
        if let Some(id) = wrote {
            self.saw(id);
        }
        self.look_again();
    }

    /// The term is over: whoever waits is told by a closed channel.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.tickets.clear();
        self.waiters.clear();
        self.confirm.abandon();
    }

    /// Who waits for latches of all keys looks again.
    fn look_again(&mut self) {
        if self.frozen || self.raising != self.floors {
            self.wake(WHOLE_RANGE);
        }
    }

    fn signal(&mut self, ticket: Ticket, signal: Signal) {
        let Some(sender) = self.tickets.remove(&ticket) else {
            return;
        };
        if sender.send(signal).is_err() {
            // It is about to leave its queue: see `wait::Waiting`.
            tracing::trace!(?ticket, "a request went away while it was woken");
        }
    }
}
