//! The oracle at the leader of r2: takes over a term, renews the window, confirms leadership.
//!
//! The limit and the catalog ID lie in the range's data under fixed keys, as eight bytes, big endian; they are written
//! by raw commands (r2 has no participant). All writes of these two in a term are made under one lock, so they apply in the
//! order in which their values were computed; a sample has a key of its own.
//!
//! ```text
//!   Data  02 'l'                 limit       no ID >= limit was ever handed out
//!         02 'c'                 catalog ID
//!         02 't' time (8, BE)    sample      the largest ID handed out before that time
//! ```
//! Lock order: `writing` (held over a proposal), then `state` (held for a few instructions).

use super::leadership::Confirming;
use super::machine::{Allocation, Ask, Machine};
use super::past::{self, Past};
use crate::TxnId;
use crate::service::{Answer, Peers, Service, kind};
use bytes::Bytes;
use parking_lot::Mutex;
use quorate_storage::keys::{ORACLE_PREFIX, prefix_end};
use quorate_storage::mutation::planted;
use quorate_storage::range::ReplicaRole;
use quorate_storage::store::ReplicaView;
use quorate_storage::{Command, Engine, Keyspace, NodeId, ORACLE_RANGE, Op, Outcome, RangeId, Role, Span};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::MutexGuard;

const LIMIT_KEY: [u8; 2] = [ORACLE_PREFIX, b'l'];
const CATALOG_KEY: [u8; 2] = [ORACLE_PREFIX, b'c'];
const SAMPLE_PREFIX: [u8; 2] = [ORACLE_PREFIX, b't'];

/// Old samples taken away at once.
const MOST_PRUNED: usize = 1000;

/// No oracle comes near this ID; asking for more is nonsense.
const MOST_ID: u64 = u64::MAX / 2;

/// Hands out IDs while this node leads r2. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OracleService {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    peers: Peers,
    engine: Arc<dyn Engine>,
    confirming: Confirming,
    /// The term served, its IDs, and when they were handed out.
    state: Mutex<Option<Serving>>,
    /// How long samples are kept; none are taken without. Held for one lookup.
    retention: Mutex<Option<Duration>>,
    /// Held by who writes the limit or the catalog ID.
    writing: tokio::sync::Mutex<()>,
    /// A task renews the window.
    renewing: AtomicBool,
}

/// A term that is being served.
#[derive(Debug)]
struct Serving {
    term: u64,
    machine: Machine,
    past: Past,
}

impl Service for OracleService {
    const RANGE: RangeId = ORACLE_RANGE;
    const KIND: u16 = kind::ORACLE;
    type Request = Ask;
    type Reply = Allocation;

    async fn serve(&self, ask: &Ask) -> Answer<Allocation> {
        if let Some(allocation) = self.serve_now(ask) {
            return Answer::Done(allocation);
        }
        let Some(view) = self.shared.peers.store.view(ORACLE_RANGE) else {
            return Answer::NotLeader(None);
        };
        match view.role {
            Role::Leader => {}
            Role::Candidate => return Answer::NotReady,
            Role::Follower(leader) => return Answer::NotLeader(leader),
        }
        let mut witness = None;
        if ask.confirm && !planted("oracle-unconfirmed") && !sole_voter(&view) {
            witness = self.shared.confirming.witness(&view, ask.asker);
            if witness.is_none() && !self.shared.confirming.outlived(&view).await {
                return Answer::NotReady;
            }
        }
        let allocation = self.allocate(ask, &view).await;
        allocation.map_or(Answer::NotReady, |given| Answer::Done(Allocation { witness, ..given }))
    }
}

impl OracleService {
    /// The oracle of this node's replica of r2, if it has one.
    pub(crate) fn new(node: NodeId, peers: Peers, engine: Arc<dyn Engine>) -> OracleService {
        let confirming = Confirming { node, peers: peers.clone(), prompt: Mutex::default() };
        let shared = Shared {
            peers,
            engine,
            confirming,
            state: Mutex::new(None),
            retention: Mutex::new(None),
            writing: tokio::sync::Mutex::new(()),
            renewing: AtomicBool::new(false),
        };
        OracleService { shared: Arc::new(shared) }
    }

    /// Answers without waiting if this node alone votes in r2, serves its term and has IDs left: the way of a single
    /// node.
    pub fn serve_now(&self, ask: &Ask) -> Option<Allocation> {
        if ask.catalog || ask.above.is_some() || ask.as_of.is_some() {
            return None;
        }
        let view = self.shared.peers.store.view(ORACLE_RANGE)?;
        if view.role != Role::Leader || (ask.confirm && !planted("oracle-unconfirmed") && !sole_voter(&view)) {
            return None;
        }
        self.allocate_in_memory(ask, view.term)
    }

    /// Allocates if the term is served and the limit allows; starts a renewal in time.
    fn allocate_in_memory(&self, ask: &Ask, term: u64) -> Option<Allocation> {
        let retention = *self.shared.retention.lock();
        let mut state = self.shared.state.lock();
        let serving = state.as_mut().filter(|serving| serving.term == term)?;
        let allocation = serving.machine.allocate(ask);
        let renew = serving.machine.wants_renewal();
        let given = allocation.filter(|_| retention.is_some() && ask.commits > 0);
        let now = self.shared.peers.tasks.runtime().wall();
        let sample = given.map(|given| (now, given.read_id)).filter(|sample| serving.past.note(sample.0, sample.1));
        drop(state);
        if let (Some(sample), Some(retention)) = (sample, retention) {
            let service = self.clone();
            self.shared.peers.tasks.spawn(async move { service.write_sample(term, sample, retention).await });
        }
        if renew && !self.shared.renewing.swap(true, Ordering::AcqRel) {
            let service = self.clone();
            self.shared.peers.tasks.spawn(async move { service.renew().await });
        }
        allocation
    }

    /// As if this node had just been elected: what it serves is in memory only.
    #[cfg(test)]
    pub(crate) fn forget_term(&self) {
        *self.shared.state.lock() = None;
    }

    /// How long the times of IDs are remembered, from now on; `None` for not at all.
    pub fn retain(&self, retention: Option<Duration>) {
        *self.shared.retention.lock() = retention;
    }

    async fn allocate(&self, ask: &Ask, view: &ReplicaView) -> Option<Allocation> {
        if let Some(time) = ask.as_of {
            if self.with_machine(view.term, |_| ()).is_none() {
                let turn = self.shared.writing.lock().await;
                self.take_over(&turn, view).await?;
            }
            let allocation = self.allocate_in_memory(&Ask { as_of: None, ..*ask }, view.term)?;
            return Some(Allocation { read_id: self.newest_at(time, view.term, allocation.read_id)?, ..allocation });
        }
        if !ask.catalog
            && ask.above.is_none()
            && let Some(allocation) = self.allocate_in_memory(ask, view.term)
        {
            return Some(allocation);
        }
        let turn = self.shared.writing.lock().await;
        let machine = self.take_over(&turn, view).await?;
        if let Some(above) = ask.above {
            self.advance(view, &machine, above.0).await?;
        } else if machine.wants_renewal() {
            self.raise_limit(view, machine.next_limit(0)).await?;
        }
        let allocation = self.with_machine(view.term, |machine| machine.allocate(ask))??;
        if ask.catalog {
            self.write(view, &CATALOG_KEY, allocation.first_commit.0).await?;
        }
        Some(allocation)
    }

    /// Serves the term of `view` from now on, if it does not yet. Without the turn two could begin one term, the later one
    /// with IDs that the earlier one had given out.
    async fn take_over(&self, _turn: &MutexGuard<'_, ()>, view: &ReplicaView) -> Option<Machine> {
        if let Some(machine) = self.with_machine(view.term, |machine| machine.clone()) {
            return Some(machine);
        }
        let mut machine = Machine::start(self.read(&LIMIT_KEY)?, self.read(&CATALOG_KEY)?);
        let limit = machine.next_limit(0);
        if !planted("limit-unwritten") {
            self.write(view, &LIMIT_KEY, limit).await?;
        }
        machine.limit_applied(limit);
        let serving = Serving { term: view.term, machine: machine.clone(), past: Past::default() };
        *self.shared.state.lock() = Some(serving);
        tracing::info!(term = view.term, limit, "the oracle serves");
        Some(machine)
    }

    async fn advance(&self, view: &ReplicaView, machine: &Machine, above: u64) -> Option<()> {
        if above > MOST_ID {
            return None;
        }
        self.raise_limit(view, machine.next_limit(above)).await?;
        self.with_machine(view.term, |machine| machine.advance(above))
    }

    async fn raise_limit(&self, view: &ReplicaView, limit: u64) -> Option<()> {
        self.write(view, &LIMIT_KEY, limit).await?;
        self.with_machine(view.term, |machine| machine.limit_applied(limit))
    }

    async fn renew(&self) {
        if let Some(view) = self.shared.peers.store.view(ORACLE_RANGE).filter(|view| view.role == Role::Leader) {
            let _turn = self.shared.writing.lock().await;
            let limit = self.with_machine(view.term, |machine| machine.next_limit(0));
            if let Some(limit) = limit
                && self.raise_limit(&view, limit).await.is_none()
            {
                tracing::debug!(term = view.term, "the oracle's window was not renewed");
            }
        }
        self.shared.renewing.store(false, Ordering::Release);
    }

    fn with_machine<T>(&self, term: u64, act: impl FnOnce(&mut Machine) -> T) -> Option<T> {
        let mut state = self.shared.state.lock();
        state.as_mut().filter(|serving| serving.term == term).map(|serving| act(&mut serving.machine))
    }

    /// The newest ID at a time in the past: from this term's memory, else from the log. 0: nobody knows.
    fn newest_at(&self, time: u64, term: u64, newest: TxnId) -> Option<TxnId> {
        let oldest = {
            let state = self.shared.state.lock();
            let serving = state.as_ref().filter(|serving| serving.term == term)?;
            match serving.past.at(time, newest) {
                Ok(id) => return Some(id),
                Err(oldest) => oldest,
            }
        };
        let sample = |pair: Result<(Bytes, Bytes), quorate_storage::Error>| {
            let (key, value) =
                pair.map_err(|error| tracing::error!(%error, "the oracle cannot read its state")).ok()?;
            let time = key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))?;
            Some((time, TxnId(value.as_ref().try_into().ok().map(u64::from_be_bytes)?)))
        };
        let (first, end) = (sample_key(0), prefix_end(&SAMPLE_PREFIX));
        let split = sample_key(time.saturating_add(1));
        let engine = &self.shared.engine;
        let mut before = engine.scan_reverse(Keyspace::Data, &Span::new(first, split.clone()));
        let Some(before) = before.next() else { return Some(TxnId(0)) };
        let next = match engine.scan(Keyspace::Data, &Span::new(split, end)).next() {
            Some(next) => sample(next)?.1,
            None => oldest.map_or(newest, |(_, id)| id),
        };
        Some(past::between(sample(before)?, next, time, past::COARSE))
    }

    /// Writes a sample to the log, and takes away those that are older than versions are kept.
    async fn write_sample(&self, term: u64, (now, newest): (u64, TxnId), retention: Duration) {
        let Some(view) = self.shared.peers.store.view(ORACLE_RANGE).filter(|view| view.term == term) else { return };
        let kept = now.saturating_sub(u64::try_from(retention.as_micros()).unwrap_or(u64::MAX));
        let old = Span::new(sample_key(0), sample_key(kept));
        let mut ops = Vec::new();
        // The newest of the old ones stays: it tells of the time right after.
        for pair in self.shared.engine.scan_reverse(Keyspace::Data, &old).skip(1).take(MOST_PRUNED) {
            let Ok((key, _)) = pair else { return };
            ops.push(Op::Delete { keyspace: Keyspace::Data, key: key.to_vec() });
        }
        let value = newest.0.to_be_bytes().to_vec();
        ops.push(Op::Put { keyspace: Keyspace::Data, key: sample_key(now), value });
        if self.propose(&view, ops).await.is_none() {
            tracing::debug!(term, "the time of an ID was not written down");
        }
    }

    fn read(&self, key: &[u8]) -> Option<u64> {
        match self.shared.engine.get(Keyspace::Data, key) {
            Ok(None) => Some(0),
            Ok(Some(bytes)) => bytes.as_ref().try_into().ok().map(u64::from_be_bytes),
            Err(error) => {
                tracing::error!(%error, "the oracle cannot read its state");
                None
            }
        }
    }

    async fn write(&self, view: &ReplicaView, key: &[u8], value: u64) -> Option<()> {
        let op = Op::Put { keyspace: Keyspace::Data, key: key.to_vec(), value: value.to_be_bytes().to_vec() };
        self.propose(view, vec![op]).await
    }

    async fn propose(&self, view: &ReplicaView, ops: Vec<Op>) -> Option<()> {
        let (generation, term) = (view.descriptor.generation, view.term);
        let command = Command { generation, term, guards: Vec::new(), ops, admin: None };
        match self.shared.peers.store.propose(ORACLE_RANGE, command).await {
            Outcome::Applied { .. } => Some(()),
            _ => None,
        }
    }
}

fn sample_key(time: u64) -> Vec<u8> {
    [SAMPLE_PREFIX.as_slice(), &time.to_be_bytes()].concat()
}

/// Whether no other replica could be elected: there is one voter, and no change of members under way.
pub(crate) fn sole_voter(view: &ReplicaView) -> bool {
    let mut voters = 0;
    for replica in &view.descriptor.replicas {
        match replica.role {
            ReplicaRole::Voter => voters += 1,
            ReplicaRole::Learner => {}
            ReplicaRole::Incoming | ReplicaRole::Outgoing => return false,
        }
    }
    voters == 1
}
