//! A split, evaluated alone in the range.

use super::propose::{Applied, Entry, Latched};
use super::service::{Halt, Participant};
use super::state::{State, WHOLE_RANGE};
use super::wait::Waiting;
use crate::api::{RecordKey, Reply};
use crate::lock::{Holder, LockTable};
use crate::mvcc::Batch;
use quorate_storage::RangeId;
use quorate_storage::range::Admin;
use quorate_storage::store::ReplicaView;
use std::sync::Arc;
use std::time::Duration;

/// How long prepared transactions with keys on both sides may hold up a split before it is called off.
const PATIENCE: Duration = Duration::from_secs(5);

impl Participant {
    /// Splits the range at `key`. Requests that arrive meanwhile wait; attempts that are prepared on both sides are
    /// resolved first, so that a record and its intents never part; nobody waits for one that its client holds.
    pub(super) async fn split(
        self: &Arc<Self>,
        view: &ReplicaView,
        key: Vec<u8>,
        right: RangeId,
    ) -> Result<Reply, Halt> {
        if key == view.descriptor.span.start {
            // Somebody else split here, or this is a second try after an answer that was lost.
            return Ok(Reply::Ok);
        }
        if let Some(key) = self.state.lock().held_astride(&key) {
            return Err(Box::new(Reply::LockNotAvailable { key }));
        }
        let latched = {
            let mut state = self.state.lock();
            if std::mem::replace(&mut state.frozen, true) {
                return Err(Box::new(Reply::NotReady));
            }
            Latched::whole(self)
        };
        if self.runtime.timeout(PATIENCE, self.alone(&key)).await.transpose()?.is_none() {
            return Err(Box::new(Reply::NotReady));
        }
        let entry = Entry {
            generation: view.descriptor.generation,
            batch: Batch::default(),
            admin: Some(Admin::Split { key: key.clone(), right }),
            latched: Some(latched),
            wrote: None,
            patient: false,
        };
        match self.propose(entry, move |state| state.forget_from(&key)).await? {
            Applied::Yes(_) => Ok(Reply::Ok),
            Applied::Guard(_) => Err(Box::new(Reply::NotReady)),
        }
    }

    /// Until no write is under way, and nobody is prepared on both sides of `key`.
    async fn alone(&self, key: &[u8]) -> Result<(), Halt> {
        loop {
            let waiting = {
                let mut state = self.state.lock();
                if state.is_alone(key) {
                    return Ok(());
                }
                Waiting::new(self, state.wait_on(WHOLE_RANGE.to_vec(), None))
            };
            waiting.woken().await?;
        }
    }
}

impl State {
    fn is_alone(&self, key: &[u8]) -> bool {
        self.latches.is_empty() && !self.intents.holders().any(|holder| is_astride(holder, key))
    }

    /// A key of an attempt that is prepared on both sides of `key` for as long as its client likes.
    fn held_astride(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut holders = self.intents.holders().filter(|holder| holder.held && is_astride(holder, key));
        holders.next().map(|holder| holder.record.part_key.clone())
    }

    /// The keys from `key` on belong to another range now. Volatile locks go altogether: they are only advice.
    fn forget_from(&mut self, key: &[u8]) {
        let moved: Vec<RecordKey> = self
            .intents
            .holders()
            .filter(|holder| holder.record.part_key.as_slice() >= key)
            .map(|holder| holder.record.clone())
            .collect();
        for record in moved {
            self.resolved(&record, None);
        }
        self.locks = LockTable::default();
        self.signal_all();
    }
}

/// Whether it holds keys on the side of `key` where its record is not.
fn is_astride(holder: &Holder, key: &[u8]) -> bool {
    let right = |own: &Vec<u8>| own.as_slice() >= key;
    let record = right(&holder.record.part_key);
    holder.keys.iter().any(|own| right(own) != record)
}
