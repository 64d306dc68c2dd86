//! The beginning of a leadership: floor, index of intents, ready.
//!
//! The floor is above all that earlier leaders may have promised: a fresh ID, what the log says, and what the voters of
//! this leader granted to others. The last may lie ahead of the IDs that are handed out. Then the oracle skips to it
//! first: writers would be refused until the IDs get there, and nothing may count as handed out that is not.

use super::propose::{Applied, Entry};
use super::service::{Halt, Participant};
use super::state::Floors;
use crate::TxnId;
use crate::api::RecordKey;
use crate::lock::{Holder, Recent};
use crate::mvcc::Batch;
use crate::record::{self, Header, Intent};
use quorate_storage::keys::ARBITER_PREFIX;
use quorate_storage::mutation::planted;
use quorate_storage::{Error, Keyspace, Span, keys};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Pause before the oracle is asked again, or the floor is proposed again.
const AGAIN: Duration = Duration::from_millis(20);
/// Where the floor is, in this range's part of [`Keyspace::Local`]: eight bytes, big endian.
pub const FLOOR: &[u8] = b"floor/id";
/// Where the floor of the history is, in the same form.
pub const HISTORY_FLOOR: &[u8] = b"floor/history";
/// Where the floor of the attempts is, in the same form.
pub const ATTEMPT_FLOOR: &[u8] = b"floor/attempts";

impl Participant {
    /// Makes the participant ready, if the leadership lasts. The term's first entry has been applied.
    pub(super) async fn start(self: Arc<Self>) {
        while !self.is_stopped() {
            match self.try_start().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(halt) => tracing::debug!(range = %self.range, term = self.term, ?halt, "not ready yet"),
            }
            self.runtime.sleep(AGAIN).await;
        }
    }

    async fn try_start(self: &Arc<Self>) -> Result<bool, Halt> {
        let Some(ids) = self.seams.ids.get().and_then(std::sync::Weak::upgrade) else {
            return Ok(false);
        };
        let Some(fresh) = ids.newest_id().await else {
            return Ok(false);
        };
        let Some(view) = self.store.view(self.range) else {
            return Ok(false);
        };
        self.current(view.descriptor.generation)?;
        let stored = self.stored_floor(FLOOR).map_err(|error| self.failed(error))?;
        let voted = if planted("grant-ignored") { 0 } else { self.lease.voted() };
        let floor = fresh.max(stored).max(TxnId(voted));
        if floor > fresh && !ids.advance_to(floor).await {
            return Ok(false);
        }
        self.state.lock().saw(floor);
        if let Applied::Guard(_) = self.propose_floor(view.descriptor.generation, floor).await? {
            return Ok(false);
        }
        self.lease.keep_floor();
        let mut holders = self.stored_holders(&view.descriptor.span).map_err(|error| self.failed(error))?;
        holders.extend(self.stored_arbiters(&view.descriptor.span).map_err(|error| self.failed(error))?);
        let floors = self.stored_floors().map_err(|error| self.failed(error))?;
        self.collected.store(floors.history.0, Ordering::Release);
        self.install(floor, floors, holders);
        self.set_ready();
        tracing::debug!(range = %self.range, term = self.term, %floor, "ready");
        Ok(true)
    }

    fn stored_floors(&self) -> Result<Floors, Error> {
        Ok(Floors { history: self.stored_floor(HISTORY_FLOOR)?, attempts: self.stored_floor(ATTEMPT_FLOOR)? })
    }

    pub(super) fn stored_floor(&self, suffix: &[u8]) -> Result<TxnId, Error> {
        let stored = self.engine.get(Keyspace::Local, &keys::local_key(self.range, suffix))?;
        let bytes = stored.as_deref().and_then(<[u8]>::first_chunk::<8>);
        Ok(TxnId(bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))))
    }

    async fn propose_floor(self: &Arc<Self>, generation: u64, floor: TxnId) -> Result<Applied, Halt> {
        let mut batch = Batch::default();
        batch.put(Keyspace::Local, keys::local_key(self.range, FLOOR), floor.0.to_be_bytes().to_vec());
        let entry = Entry { generation, batch, admin: None, latched: None, wrote: None, patient: false };
        self.propose(entry, |_| {}).await
    }

    /// All holders of intents in the engine.
    fn stored_holders(&self, span: &Span) -> Result<Vec<Holder>, Error> {
        let mut keys_of: BTreeMap<RecordKey, Vec<Vec<u8>>> = BTreeMap::new();
        for pair in self.engine.scan(Keyspace::Lock, &span.in_keyspace(Keyspace::Lock)) {
            let (key, stored) = pair?;
            let intent = Intent::decode(&stored)?;
            let record = RecordKey { part_key: intent.part_key, attempt: intent.attempt };
            keys_of.entry(record).or_default().push(key.to_vec());
        }
        keys_of.into_iter().map(|(record, keys)| self.stored_holder(record, keys)).collect()
    }

    /// All arbiters that are undecided: they hold no intents by which they would be found.
    fn stored_arbiters(&self, span: &Span) -> Result<Vec<Holder>, Error> {
        let Some(span) = span.intersect(&Span::new([ARBITER_PREFIX], [ARBITER_PREFIX + 1])) else {
            return Ok(Vec::new());
        };
        let undecided = record::undecided(self.engine.as_ref(), &span)?;
        undecided.into_iter().map(|record| self.stored_holder(record, Vec::new())).collect()
    }

    fn stored_holder(&self, record: RecordKey, keys: Vec<Vec<u8>>) -> Result<Holder, Error> {
        let Some(Header { core, start, .. }) = self.header(&record)? else {
            return Err(Error::Damaged(format!("{}: intents without a record", record.attempt)));
        };
        let commit_id = (core.commit_id > TxnId(0)).then_some(core.commit_id);
        let held = self.plan(&record)?.held.is_some();
        Ok(Holder { record, start, state: core.state, min_c: core.min_c, commit_id, held, keys })
    }

    fn install(&self, floor: TxnId, floors: Floors, holders: Vec<Holder>) {
        let now = self.runtime.now();
        let mut state = self.state.lock();
        state.floor = if planted("floor-ignored") { TxnId(0) } else { floor };
        (state.floors, state.raising) = (floors, floors);
        state.recent = Recent::new(floor);
        state.saw(floor);
        for holder in holders.into_iter().filter(|_| !planted("intents-unloaded")) {
            state.hold(holder, now);
        }
    }
}
