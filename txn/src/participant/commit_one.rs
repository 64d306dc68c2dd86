//! Path ONE: a transaction that writes in one range commits in one entry, with its marker.
//!
//! ```text
//!   admitted at C                              ─► evaluate ─► propose
//!   C promised away already ─► latch for an ID to be drawn ─► C' := oracle ─► promise reads at C' ─► evaluate ─► propose
//!                              readers up to the greatest ID seen pass, later ones wait: C' is above all who passed
//! ```
//! So a commit is pushed once at most, however many readers there are. It holds latches while it asks the oracle, so it
//! waits for nobody else then: what it would wait for is answered [`Reply::NeedHigherId`], and the gateway comes again.

use super::propose::{Applied, Entry, Latched};
use super::registers::outcome_of;
use super::service::{Halt, Participant};
use crate::TxnId;
use crate::api::{Base, Prepare, RecordKey, RegisterState, Reply, Write};
use crate::commit::Core;
use crate::lock::Change;
use crate::mvcc::{self, Batch};
use crate::oracle::CommitIds;
use crate::record::{self, Header};
use bytes::Bytes;
use quorate_storage::mutation::planted;
use quorate_storage::store::ReplicaView;
use quorate_storage::{Expect, Keyspace};
use std::sync::Arc;
use std::time::Duration;

/// How long latches are held for an ID that is yet to be drawn.
const DRAWING: Duration = Duration::from_millis(250);

impl Participant {
    /// Validates and commits at `prepare.commit_id`. A replay is answered with the outcome.
    pub(super) async fn commit_one(self: &Arc<Self>, view: &ReplicaView, prepare: Prepare) -> Result<Reply, Halt> {
        let record = RecordKey { part_key: prepare.part_key.clone(), attempt: prepare.meta.attempt };
        match self.try_commit_one(view, &record, prepare).await {
            Err(halt) if is_refusal(&halt) => self.refuse_one(view, &record, halt).await,
            other => other,
        }
    }

    async fn try_commit_one(
        self: &Arc<Self>,
        view: &ReplicaView,
        record: &RecordKey,
        mut prepare: Prepare,
    ) -> Result<Reply, Halt> {
        let (latched, changes) = self.admit_one(view, record, &mut prepare).await?;
        let commit_id = prepare.commit_id;
        self.unchanged(&prepare.reads, changes, (prepare.meta.read_id, commit_id))?;
        let entry = Entry {
            generation: view.descriptor.generation,
            batch: self.versions(record, prepare, commit_id)?,
            admin: None,
            latched: Some(latched),
            wrote: Some(commit_id),
            patient: false,
        };
        let attempt = record.attempt;
        self.draw_ahead(attempt, commit_id);
        let applied = self
            .propose(entry, move |state| {
                state.saw(commit_id);
                state.unlock(attempt);
            })
            .await?;
        match applied {
            Applied::Yes(index) => Ok(Reply::Committed { commit_id, index }),
            Applied::Guard(_) => self.after_failed_guard(record),
        }
    }

    /// Latches the commit at its ID, or at a higher one if that is too low and the gateway leaves it to this participant.
    async fn admit_one(
        self: &Arc<Self>,
        view: &ReplicaView,
        record: &RecordKey,
        prepare: &mut Prepare,
    ) -> Result<(Latched, Vec<Change>), Halt> {
        let latch = super::registers::latch_key(record);
        let keys: Vec<Vec<u8>> = prepare.writes.iter().map(|write| write.key.clone()).collect();
        let refused = match self.admit(view, record.attempt, |state| state.admit_commit(prepare, &latch)).await {
            Ok(changes) => return Ok((Latched::new(self, latch, keys), changes)),
            Err(halt) => halt,
        };
        let (Reply::NeedHigherId { .. }, Some(catalog_id)) = (&*refused, prepare.catalog_id) else {
            return Err(refused);
        };
        let above = self.admit(view, record.attempt, |state| state.admit_claim(prepare, &latch)).await?;
        let latched = Latched::new(self, latch, keys);
        let Some(drawn) = self.draw(above).await.filter(|drawn| drawn.catalog_id <= catalog_id) else {
            return Err(Box::new(Reply::NeedHigherId { above }));
        };
        self.current(view.descriptor.generation)?;
        prepare.commit_id = drawn.commit_id;
        let changes = self.admit(view, record.attempt, |state| state.admit_claimed(prepare)).await?;
        Ok((latched, changes))
    }

    /// A commit ID above `above`, if the oracle gives one soon.
    pub(super) async fn draw(&self, above: TxnId) -> Option<CommitIds> {
        let ids = self.seams.ids.get().and_then(std::sync::Weak::upgrade)?;
        let drawn = self.runtime.timeout(DRAWING, ids.commit_ids(above)).await??;
        (drawn.commit_id > above).then_some(drawn)
    }

    /// The marker and the versions, guarded by the absence of a marker and by what was validated.
    fn versions(&self, record: &RecordKey, prepare: Prepare, commit_id: TxnId) -> Result<Batch, Halt> {
        let mut batch = Batch::with_capacity(prepare.writes.len());
        let marker = record::header_key(record);
        batch.guard(Keyspace::Record, marker.clone(), Expect::Absent);
        self.name_newest(&mut batch, &prepare)?;
        for Write { key, value, base } in prepare.writes {
            let stored = self.engine.get(Keyspace::Data, &key).map_err(|error| self.failed(error))?;
            let newest = self.validate(&key, base, stored.as_ref())?;
            if newest >= commit_id {
                return Err(Box::new(Reply::NeedHigherId { above: newest }));
            }
            batch.version(key, commit_id, value.as_deref(), stored.as_ref()).map_err(|error| self.failed(error))?;
        }
        let core = Core { state: RegisterState::Committed, commit_id, ..Core::default() };
        batch.put(Keyspace::Record, marker, Header::decided(1, core).encode());
        Ok(batch)
    }

    /// A refusal is answered with the outcome if there is one. Being wounded is not remembered for ever, and ABORTED is
    /// what others read, so both are made so before they are answered; the other refusals are permanent by themselves.
    async fn refuse_one(self: &Arc<Self>, view: &ReplicaView, record: &RecordKey, halt: Halt) -> Result<Reply, Halt> {
        if matches!(*halt, Reply::Wounded | Reply::Aborted) {
            return self.refuse(view, record, halt).await;
        }
        match self.header(record).map_err(|error| self.failed(error))? {
            Some(header) if !planted("replay-refused") => Ok(outcome_of(&header)),
            _ => Err(self.refusal(record.attempt, halt)),
        }
    }

    /// A marker appeared between evaluation and apply; any other guard is held by the latches.
    fn after_failed_guard(&self, record: &RecordKey) -> Result<Reply, Halt> {
        match self.header(record).map_err(|error| self.failed(error))? {
            Some(header) => Ok(outcome_of(&header)),
            None => Err(Box::new(Reply::NotReady)),
        }
    }

    /// Checks what a write assumes of the version it replaces; returns that version's ID.
    pub(super) fn validate(&self, key: &[u8], base: Base, stored: Option<&Bytes>) -> Result<TxnId, Halt> {
        let newest = match stored {
            None => TxnId(0),
            Some(stored) => mvcc::newest_id(stored).map_err(|error| self.failed(error))?,
        };
        match base {
            Base::NotAfter(read) if newest > read && !planted("base-unchecked") => {
                Err(Box::new(Reply::WriteConflict { key: key.to_vec(), newest }))
            }
            _ => Ok(newest),
        }
    }
}

fn is_refusal(reply: &Reply) -> bool {
    matches!(
        reply,
        Reply::Wounded
            | Reply::Aborted
            | Reply::WriteConflict { .. }
            | Reply::ReadInvalid { .. }
            | Reply::NeedHigherId { .. }
            | Reply::TooOld { .. }
            | Reply::Forgotten
    )
}
