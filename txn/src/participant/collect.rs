//! Collecting garbage: old versions that nobody may read any more, and decided records that nobody may ask about.
//!
//! ```text
//!   1  is there any?            no: nothing is written, a range at rest stays at rest
//!   2  raise the floor          who lies below it waits; who was admitted before is waited for; one entry
//!   3  delete                   History and tombstones; markers, records, commit tokens
//! ```
//! A floor is in the log before anything is deleted by it, so every later leader refuses what would miss the deleted.
//! Reads take no latch: they look at the floor again after they have read.
//!
//! A record that says COMMITTED, of an attempt over several ranges, is collected only once all the other participants
//! have no more than such a record themselves. So whoever holds intents of the attempt finds it. ABORTED needs no such care:
//! a participant without a record of an old attempt will never have one, and the attempt cannot be committed. The record of
//! a commit token goes with its time: all attempts of a token are of one birth, so none of them prepares below the floor.
//!
//! Invariant: floors rise only after every write that was admitted below them has been applied.
//! Invariant: for each version that a read at or above the history floor sees, the engine holds it.
//! Invariant: a record is deleted only below the attempt floor, decided, and without intents.

use super::propose::{Applied, Entry, Latched};
use super::service::{Halt, Participant};
use super::start::{ATTEMPT_FLOOR, HISTORY_FLOOR};
use super::state::{Floors, RAISING, WHOLE_RANGE};
use super::wait::Waiting;
use crate::TxnId;
use crate::api::{RecordKey, RegisterState, Reply};
use crate::lock::Latch;
use crate::mvcc::{self, Batch, Garbage, Sweep};
use crate::record::{self, Decided, Old};
use quorate_storage::mutation::planted;
use quorate_storage::store::ReplicaView;
use quorate_storage::{Expect, Keyspace, keys};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Deletions in one entry.
const ENTRY: usize = 1024;

/// Lowers the raising floors again when a raise is over, or called off.
struct Raising(Arc<Participant>);

impl Drop for Raising {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.raising = state.floors;
        state.wake(RAISING);
    }
}

impl Participant {
    /// Deletes versions that only reads below `floor` see.
    pub(super) async fn collect_history(self: &Arc<Self>, floor: TxnId) -> Result<(), Halt> {
        let Some(view) = self.serving() else { return Ok(()) };
        // An attempt that is prepared will be validated, by its coordinator or by recovery, from its S on.
        let oldest = self.state.lock().intents.holders().map(|holder| holder.start.read_id).min();
        let floor = oldest.map_or(floor, |oldest| oldest.min(floor));
        let mut sweep = Sweep::new(&view.descriptor.span, floor);
        let mut raised = false;
        loop {
            // A node that closes does not wait for the end of a walk that finds nothing.
            self.current(view.descriptor.generation)?;
            let found = sweep.next(self.engine.as_ref(), ENTRY).map_err(|error| self.failed(error))?;
            let Some(garbage) = found else { return Ok(()) };
            if garbage == Garbage::default() {
                tokio::task::yield_now().await;
                continue;
            }
            if !std::mem::replace(&mut raised, true) {
                self.raise(&view, Floors { history: floor, attempts: TxnId(0) }).await?;
            }
            self.delete_versions(&view, garbage).await?;
        }
    }

    /// Deletes records of attempts born below `floor`.
    pub(super) async fn collect_records(self: &Arc<Self>, floor: TxnId) -> Result<(), Halt> {
        let Some(view) = self.serving() else { return Ok(()) };
        let mut rest = view.descriptor.span.in_keyspace(Keyspace::Record);
        let mut raised = false;
        while rest.start < rest.end {
            self.current(view.descriptor.generation)?;
            let old = record::old(self.engine.as_ref(), &mut rest, floor, ENTRY);
            let Old { decided, tokens } = old.map_err(|error| self.failed(error))?;
            let deletable = self.forgettable(decided).await;
            if deletable.is_empty() && tokens.is_empty() {
                tokio::task::yield_now().await;
                continue;
            }
            if !std::mem::replace(&mut raised, true) {
                self.raise(&view, Floors { history: TxnId(0), attempts: floor }).await?;
            }
            let mut batch = Batch::default();
            tokens.into_iter().for_each(|token| batch.delete(Keyspace::Record, token));
            for Decided { record, participants, .. } in deletable {
                batch.delete(Keyspace::Record, record::header_key(&record));
                if !participants.is_empty() {
                    batch.delete(Keyspace::Record, record::plan_key(&record));
                }
            }
            self.delete(&view, batch, None).await?;
        }
        Ok(())
    }

    /// Those of these records that may go.
    async fn forgettable(&self, mut found: Vec<Decided>) -> Vec<Decided> {
        {
            let state = self.state.lock();
            found.retain(|decided| state.intents.get(&decided.record).is_none());
        }
        let needs_asking = |decided: &Decided| {
            decided.state == RegisterState::Committed
                && decided.participants.len() > 1
                && !planted("records-collected-unasked")
        };
        let others = |decided: &Decided| {
            let Decided { record: RecordKey { part_key, attempt }, participants, .. } = decided.clone();
            let others = participants.into_iter().filter(move |other| *other != part_key);
            others.map(move |part_key| RecordKey { part_key, attempt })
        };
        let asked: Vec<RecordKey> = found.iter().filter(|decided| needs_asking(decided)).flat_map(others).collect();
        if asked.is_empty() {
            return found;
        }
        let Some(resolver) = self.seams.resolver.get().and_then(std::sync::Weak::upgrade) else {
            return Vec::new();
        };
        let ended = resolver.ended(asked.clone()).await;
        let open = asked.into_iter().zip(ended).filter(|(_, ended)| !ended).map(|(record, _)| record.attempt);
        let open: BTreeSet<_> = open.collect();
        found.retain(|decided| !open.contains(&decided.record.attempt));
        found
    }

    /// A [`crate::api::Request::Ended`].
    pub(super) async fn ended(self: &Arc<Self>, records: &[RecordKey]) -> Result<Reply, Halt> {
        // A deposed leader might not know yet of a vote that has been counted.
        self.confirmed_leader().await?;
        let mut ended = Vec::with_capacity(records.len());
        for record in records {
            let header = self.header(record).map_err(|error| self.failed(error))?;
            let decided = header.is_none_or(|header| header.core.state.is_decided());
            ended.push(decided && self.state.lock().intents.get(record).is_none());
        }
        Ok(Reply::Ended(ended))
    }

    fn serving(&self) -> Option<ReplicaView> {
        let view = self.store.view(self.range).filter(|_| self.is_ready())?;
        self.current(view.descriptor.generation).ok()
    }

    /// Raises floors: whoever is below them from now on is refused, and nobody who was admitted before is under way.
    async fn raise(self: &Arc<Self>, view: &ReplicaView, to: Floors) -> Result<(), Halt> {
        let (raising, admitted, floors) = {
            let mut state = self.state.lock();
            let floors = state.floors.max(to);
            if floors == state.floors {
                return Ok(());
            }
            if state.frozen || state.raising != state.floors {
                return Err(Box::new(Reply::NotReady));
            }
            state.raising = floors;
            (Raising(self.clone()), state.latches.taken(), floors)
        };
        self.collected.fetch_max(floors.history.0, Ordering::AcqRel);
        self.released(admitted).await?;
        if self.state.lock().intents.holders().any(|holder| holder.start.read_id < to.history) {
            return Err(Box::new(Reply::NotReady));
        }
        let mut batch = Batch::default();
        for (suffix, floor) in [(HISTORY_FLOOR, floors.history), (ATTEMPT_FLOOR, floors.attempts)] {
            batch.put(Keyspace::Local, keys::local_key(self.range, suffix), floor.0.to_be_bytes().to_vec());
        }
        let generation = view.descriptor.generation;
        let entry = Entry { generation, batch, admin: None, latched: None, wrote: None, patient: false };
        let applied = self.propose(entry, move |state| state.floors = floors).await?;
        drop(raising);
        match applied {
            Applied::Yes(_) => Ok(()),
            Applied::Guard(_) => Err(Box::new(Reply::NotReady)),
        }
    }

    /// Until all of the first `admitted` latches are released.
    async fn released(&self, admitted: u64) -> Result<(), Halt> {
        loop {
            let waiting = {
                let mut state = self.state.lock();
                if state.latches.are_released(admitted) {
                    return Ok(());
                }
                Waiting::new(self, state.wait_on(WHOLE_RANGE.to_vec(), None))
            };
            waiting.woken().await?;
        }
    }

    async fn delete_versions(self: &Arc<Self>, view: &ReplicaView, garbage: Garbage) -> Result<(), Halt> {
        let Garbage { mut history, tombstones } = garbage;
        let mut batch = Batch::default();
        let mut latched = Latched::nothing(self);
        for (key, id) in tombstones {
            let stored = if self.latch_tombstone(&key, &mut latched) {
                self.engine.get(Keyspace::Data, &key).map_err(|error| self.failed(error))?
            } else {
                None
            };
            let newest =
                stored.map(|stored| mvcc::newest_id(&stored)).transpose().map_err(|error| self.failed(error))?;
            if newest == Some(id) {
                batch.guard(Keyspace::Data, key.clone(), Expect::StartsWith(id.0.to_be_bytes().to_vec()));
                batch.delete(Keyspace::Data, key);
            } else {
                // Somebody writes it. A tombstone is found by what it hides, so that stays with it.
                let prefix = keys::escape_terminated(&key);
                history.retain(|engine_key| !engine_key.starts_with(&prefix));
            }
        }
        for engine_key in history {
            batch.delete(Keyspace::History, engine_key);
        }
        self.delete(view, batch, Some(latched)).await
    }

    /// Latches the key of a tombstone, unless somebody writes it.
    fn latch_tombstone(&self, key: &[u8], latched: &mut Latched) -> bool {
        let mut state = self.state.lock();
        let attempt = crate::Attempt::default();
        if state.latches.is_held(key) || state.intents.foreign(key, attempt).is_some() {
            return false;
        }
        // What it will be for readers, it is for them already.
        state.latches.take(key.to_vec(), Latch { attempt, at: TxnId(u64::MAX) });
        latched.add(key.to_vec());
        true
    }

    async fn delete(self: &Arc<Self>, view: &ReplicaView, batch: Batch, latched: Option<Latched>) -> Result<(), Halt> {
        if batch.ops.is_empty() {
            return Ok(());
        }
        let entry =
            Entry { generation: view.descriptor.generation, batch, admin: None, latched, wrote: None, patient: false };
        match self.propose(entry, |_| {}).await? {
            Applied::Yes(_) => Ok(()),
            Applied::Guard(_) => Err(Box::new(Reply::NotReady)),
        }
    }
}
