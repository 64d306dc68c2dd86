//! Votes: intents and a register in one entry, or a NO that stays.
//!
//! ```text
//!   CanCommit     no commit ID yet     any refusal is made ABORTED durably before it is answered
//!   PrepareFast   at a commit ID       Wounded, its commit token closed, or held by an attempt that must not be waited
//!                                      for: as above
//!                                      promised above the ID, or a newer version is there: for ever, nothing is written
//!   both          below the floor of what is collected: for ever, nothing is written
//! ```
//! A promise refuses for ever only once this leadership was confirmed after it: every later leader's floor is then above
//! it. Otherwise a copy of the same prepare might still be taken by another leader.

use super::admit::Block;
use super::propose::{Applied, Entry, Latched};
use super::registers::latch_key;
use super::service::{Halt, Participant};
use crate::TxnId;
use crate::api::{Prepare, RecordKey, Register, RegisterState, Reply};
use crate::commit::{Core, Message};
use crate::lock::Holder;
use crate::mvcc::Batch;
use crate::record::{self, Header, Intent, Plan};
use quorate_storage::store::ReplicaView;
use quorate_storage::{Expect, Keyspace};
use std::sync::Arc;

impl Participant {
    /// Votes: PREPARED with all intents laid, or ABORTED with the reason. A repeated request is answered with the
    /// register.
    pub(super) async fn can_commit(self: &Arc<Self>, view: &ReplicaView, prepare: Prepare) -> Result<Reply, Halt> {
        self.lay(view, prepare, RegisterState::Prepared).await
    }

    /// Lays a chunk of intents; the register is PENDING afterwards.
    pub(super) async fn spill(self: &Arc<Self>, view: &ReplicaView, prepare: Prepare) -> Result<Reply, Halt> {
        self.lay(view, prepare, RegisterState::Pending).await
    }

    /// Votes on path FAST: PREPARED at the commit ID of the prepare, or a refusal for ever. A repeated request is answered
    /// with the register.
    pub(super) async fn prepare_fast(self: &Arc<Self>, view: &ReplicaView, prepare: Prepare) -> Result<Reply, Halt> {
        let record = RecordKey { part_key: prepare.part_key.clone(), attempt: prepare.meta.attempt };
        let halt = match self.try_prepare_fast(view, &record, prepare).await {
            Ok(reply) => return Ok(reply),
            Err(halt) => halt,
        };
        match *halt {
            Reply::Wounded | Reply::Aborted => return self.refuse(view, &record, halt).await,
            Reply::NeedHigherId { above } => {
                self.may_promise(view, above).await?;
            }
            Reply::ReadInvalid { .. } | Reply::WriteConflict { .. } | Reply::TooOld { .. } | Reply::Forgotten => {}
            _ => return Err(halt),
        }
        match self.header(&record).map_err(|error| self.failed(error))? {
            Some(header) => self.vote(&record, &header),
            None => Err(self.refusal(record.attempt, halt)),
        }
    }

    async fn try_prepare_fast(
        self: &Arc<Self>,
        view: &ReplicaView,
        record: &RecordKey,
        prepare: Prepare,
    ) -> Result<Reply, Halt> {
        let commit_id = prepare.commit_id;
        let latch = latch_key(record);
        let admitted = self.admit(view, record.attempt, |state| match state.admit_fast(&prepare, &latch) {
            Err(Block::Held(_, above)) => Ok(Err(above)),
            other => other.map(Ok),
        });
        let changes = match admitted.await? {
            Ok(changes) => changes,
            Err(above) => {
                // The holder may go, and then a late copy of this prepare could be taken.
                let reason = Box::new(Reply::NeedHigherId { above });
                return self.refuse(view, record, reason).await.or_else(|halt| Ok(*halt));
            }
        };
        let keys: Vec<Vec<u8>> = prepare.writes.iter().map(|write| write.key.clone()).collect();
        let latched = Latched::new(self, latch, keys.clone());
        if let Some(header) = self.header(record).map_err(|error| self.failed(error))? {
            return self.vote(record, &header);
        }
        self.unchanged(&prepare.reads, changes, (prepare.meta.read_id, commit_id))?;
        let core = Core { state: RegisterState::Prepared, commit_id, min_c: commit_id, ..Core::default() };
        let header = Header { seq: 1, core, start: prepare.meta.start, read_id: prepare.meta.read_id };
        let batch = self.intents(record, &prepare, None, &header)?;
        let holder = Holder {
            record: record.clone(),
            start: header.start,
            state: core.state,
            min_c: core.min_c,
            commit_id: Some(commit_id),
            held: false,
            keys,
        };
        let generation = view.descriptor.generation;
        let entry = Entry { generation, batch, admin: None, latched: Some(latched), wrote: None, patient: false };
        match self.propose_holder(entry, holder).await? {
            Applied::Yes(index) => {
                Ok(Reply::Register(Register { index, ..Header::register(Some(&header), Plan::default()) }))
            }
            Applied::Guard(_) => Err(Box::new(Reply::NotReady)),
        }
    }

    fn vote(&self, record: &RecordKey, header: &Header) -> Result<Reply, Halt> {
        Ok(Reply::Register(self.register(record, Some(header)).map_err(|error| self.failed(error))?))
    }

    async fn lay(
        self: &Arc<Self>,
        view: &ReplicaView,
        prepare: Prepare,
        becomes: RegisterState,
    ) -> Result<Reply, Halt> {
        let record = RecordKey { part_key: prepare.part_key.clone(), attempt: prepare.meta.attempt };
        match self.try_lay(view, &record, prepare, becomes).await {
            Err(halt) if matches!(*halt, Reply::Wounded | Reply::Aborted | Reply::WriteConflict { .. }) => {
                self.refuse(view, &record, halt).await
            }
            Err(halt) if matches!(*halt, Reply::TooOld { .. } | Reply::Forgotten) => {
                match self.header(&record).map_err(|error| self.failed(error))? {
                    Some(header) => self.vote(&record, &header),
                    None => Err(self.refusal(record.attempt, halt)),
                }
            }
            other => other,
        }
    }

    async fn try_lay(
        self: &Arc<Self>,
        view: &ReplicaView,
        record: &RecordKey,
        prepare: Prepare,
        becomes: RegisterState,
    ) -> Result<Reply, Halt> {
        let latch = latch_key(record);
        let min_c = self.admit(view, record.attempt, |state| state.admit_prepare(&prepare, &latch)).await?;
        let keys: Vec<Vec<u8>> = prepare.writes.iter().map(|write| write.key.clone()).collect();
        let latched = Latched::new(self, latch, keys.clone());
        let before = self.header(record).map_err(|error| self.failed(error))?;
        if let Some(header) = before.filter(|header| header.core.state != RegisterState::Pending) {
            return self.vote(record, &header);
        }
        let header = next_header(before.as_ref(), &prepare, min_c, becomes);
        let batch = self.intents(record, &prepare, before.as_ref(), &header)?;
        let core = header.core;
        let holder = Holder {
            record: record.clone(),
            start: header.start,
            state: becomes,
            min_c: core.min_c,
            commit_id: None,
            held: prepare.held.is_some(),
            keys,
        };
        let generation = view.descriptor.generation;
        let entry = Entry { generation, batch, admin: None, latched: Some(latched), wrote: None, patient: false };
        match self.propose_holder(entry, holder).await? {
            Applied::Yes(index) => {
                Ok(Reply::Register(Register { index, ..Header::register(Some(&header), Plan::default()) }))
            }
            Applied::Guard(_) => Err(Box::new(Reply::NotReady)),
        }
    }

    /// Once the intents are in the engine, the index knows them; a vote needs no volatile locks any more.
    async fn propose_holder(self: &Arc<Self>, entry: Entry, holder: Holder) -> Result<Applied, Halt> {
        let now = self.runtime.now();
        self.propose(entry, move |state| {
            let (attempt, register) = (holder.record.attempt, holder.state);
            state.hold(holder, now);
            if register == RegisterState::Prepared {
                state.unlock(attempt);
            }
        })
        .await
    }

    /// Header, plan and intents; guarded by the header before and by the versions that were validated.
    fn intents(
        &self,
        record: &RecordKey,
        prepare: &Prepare,
        before: Option<&Header>,
        header: &Header,
    ) -> Result<Batch, Halt> {
        let mut batch = Batch::with_capacity(2 * prepare.writes.len() + 2);
        let header_key = record::header_key(record);
        batch.guard(Keyspace::Record, header_key.clone(), Header::guard(before));
        batch.put(Keyspace::Record, header_key, header.encode());
        self.name_newest(&mut batch, prepare)?;
        if header.core.state == RegisterState::Prepared {
            batch.put(Keyspace::Record, record::plan_key(record), plan_of(prepare).encode());
        }
        for write in &prepare.writes {
            let stored = self.engine.get(Keyspace::Data, &write.key).map_err(|error| self.failed(error))?;
            let newest = self.validate(&write.key, write.base, stored.as_ref())?;
            if header.core.is_fast() && newest >= header.core.commit_id {
                return Err(Box::new(Reply::NeedHigherId { above: newest }));
            }
            let expect = stored.map_or(Expect::Absent, |_| Expect::StartsWith(newest.0.to_be_bytes().to_vec()));
            batch.guard(Keyspace::Data, write.key.clone(), expect);
            if !self.state.lock().intents.own(&write.key, record.attempt) {
                batch.guard(Keyspace::Lock, write.key.clone(), Expect::Absent);
            }
            let intent = Intent::encode(record.attempt, &record.part_key, write.value.as_deref());
            batch.put(Keyspace::Lock, write.key.clone(), intent);
        }
        Ok(batch)
    }

    /// Makes a refusal durable: NONE and PENDING become ABORTED. If the register knows better, it is the answer.
    pub(super) async fn refuse(
        self: &Arc<Self>,
        view: &ReplicaView,
        record: &RecordKey,
        reason: Halt,
    ) -> Result<Reply, Halt> {
        match self.transition(view, record, Message::Settle).await? {
            Reply::Aborted => Err(reason),
            other => Ok(other),
        }
    }
}

fn plan_of(prepare: &Prepare) -> Plan {
    Plan {
        participants: prepare.participants.clone(),
        acceptors: prepare.acceptors.clone(),
        reads: prepare.reads.clone(),
        foreign_reads: prepare.foreign_reads,
        held: prepare.held.clone(),
    }
}

fn next_header(before: Option<&Header>, prepare: &Prepare, min_c: TxnId, state: RegisterState) -> Header {
    let min_c = before.map_or(min_c, |header| header.core.min_c.max(min_c));
    let core = Core { state, min_c, ..Core::default() };
    Header {
        seq: before.map_or(1, |header| header.seq + 1),
        core,
        start: prepare.meta.start,
        read_id: prepare.meta.read_id,
    }
}
