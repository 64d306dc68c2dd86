//! Intents: keys of attempts that are being prepared in chunks, are prepared, or are being resolved.
//!
//! The engine holds them too (they are replicated); this index of all of them lets requests find what blocks them
//! without reading the engine. A new leader fills it before it serves.

use crate::api::{RecordKey, RegisterState};
use crate::{Attempt, StartId, TxnId};
use quorate_storage::Span;
use quorate_storage::mutation::planted;
use std::collections::BTreeMap;

/// An attempt that holds intents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its record.
    pub record: RecordKey,
    /// Its age.
    pub start: StartId,
    /// State of its register as applied.
    pub state: RegisterState,
    /// Lower bound of its commit ID.
    pub min_c: TxnId,
    /// The commit ID that its register holds, if any.
    pub commit_id: Option<TxnId>,
    /// Whether it may stay prepared for as long as its client likes.
    pub held: bool,
    /// Its keys in this range.
    pub keys: Vec<Vec<u8>>,
}

impl Holder {
    /// Reads below it need not wait.
    pub fn visible_from(&self) -> TxnId {
        self.commit_id.unwrap_or(self.min_c)
    }
}

/// Names a [`Holder`] in one [`Intents`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HolderId(u64);

/// All intents of a range.
#[derive(Debug, Default)]
pub struct Intents {
    by_key: BTreeMap<Vec<u8>, HolderId>,
    by_record: BTreeMap<RecordKey, HolderId>,
    holders: BTreeMap<HolderId, Holder>,
    next: u64,
}

impl Intents {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    /// Who holds `key`, if it is not `attempt`.
    pub fn foreign(&self, key: &[u8], attempt: Attempt) -> Option<&Holder> {
        let holder = self.holders.get(self.by_key.get(key)?)?;
        (holder.record.attempt != attempt).then_some(holder)
    }

    /// Whether `attempt` holds `key`.
    pub fn own(&self, key: &[u8], attempt: Attempt) -> bool {
        let holder = self.by_key.get(key).and_then(|id| self.holders.get(id));
        holder.is_some_and(|holder| holder.record.attempt == attempt)
    }

    /// Whether a read of `key` at `at` by `attempt` must wait.
    pub fn blocks_key(&self, key: &[u8], at: TxnId, attempt: Attempt) -> bool {
        !self.by_key.is_empty()
            && !planted("intents-unseen")
            && self.foreign(key, attempt).is_some_and(|holder| holder.visible_from() <= at)
    }

    /// The keys of `span`, with their holders, for which a read at `at` by `attempt` must wait.
    pub fn blocks_span(&self, span: &Span, at: TxnId, attempt: Attempt) -> impl Iterator<Item = (&[u8], &Holder)> {
        let inside = self.by_key.range::<[u8], _>(super::bounds(span));
        inside
            .filter_map(|(key, id)| Some((key.as_slice(), self.holders.get(id)?)))
            .filter(move |(_, holder)| holder.record.attempt != attempt && holder.visible_from() <= at)
            .filter(|_| !planted("intents-unseen"))
    }

    /// Adds a holder, or keys and a newer state to one that is known.
    pub fn hold(&mut self, holder: Holder) {
        let next = HolderId(self.next);
        let id = *self.by_record.entry(holder.record.clone()).or_insert(next);
        if id == next {
            self.next += 1;
        }
        for key in &holder.keys {
            self.by_key.insert(key.clone(), id);
        }
        match self.holders.get_mut(&id) {
            None => {
                self.holders.insert(id, holder);
            }
            Some(known) => {
                let mut keys = std::mem::take(&mut known.keys);
                keys.extend(holder.keys);
                keys.sort_unstable();
                keys.dedup();
                *known = Holder { keys, ..holder };
            }
        }
    }

    /// The holder with this record.
    pub fn get(&self, record: &RecordKey) -> Option<&Holder> {
        self.holders.get(self.by_record.get(record)?)
    }

    /// Notes the register's new state.
    pub fn update(&mut self, record: &RecordKey, state: RegisterState, commit_id: Option<TxnId>) {
        let holder = self.by_record.get(record).and_then(|id| self.holders.get_mut(id));
        if let Some(holder) = holder {
            holder.state = state;
            holder.commit_id = commit_id;
        }
    }

    /// Forgets a resolved holder; its keys are free.
    pub fn remove(&mut self, record: &RecordKey) -> Option<Holder> {
        let id = self.by_record.remove(record)?;
        let holder = self.holders.remove(&id)?;
        for key in &holder.keys {
            self.by_key.remove(key);
        }
        Some(holder)
    }

    /// All holders.
    pub fn holders(&self) -> impl Iterator<Item = &Holder> {
        self.holders.values()
    }
}
