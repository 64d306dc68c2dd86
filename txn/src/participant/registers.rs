//! Registers of three-phase commit and markers of path ONE: transitions, and what a decision does to the intents.

use super::admit::Block;
use super::propose::{Applied, Entry, Latched};
use super::service::{Halt, Participant};
use crate::TxnId;
use crate::api::{RecordKey, Register, RegisterState, Reply};
use crate::commit::{Core, Message, Step, step};
use crate::mvcc::Batch;
use crate::record::{self, Header, Intent, Plan};
use quorate_storage::store::ReplicaView;
use quorate_storage::{Error, Keyspace};
use std::sync::Arc;

/// Bytes of versions, and keys, after which a decision's entry is cut; the rest follows in further entries.
const ENTRY_BYTES: usize = 512 << 10;
const ENTRY_KEYS: usize = 2048;
/// How often a transition starts over because the register changed between evaluation and apply.
pub(super) const MAX_RACES: usize = 8;

/// What latches a record: no user key begins with 00.
pub(super) fn latch_key(record: &RecordKey) -> Vec<u8> {
    let mut key = vec![0];
    key.extend_from_slice(&record::header_key(record));
    key
}

/// A decided header as the answer to a one-range commit.
pub(super) fn outcome_of(header: &Header) -> Reply {
    match header.core.state {
        RegisterState::Committed => Reply::Committed { commit_id: header.core.commit_id, index: 0 },
        RegisterState::Aborted => Reply::Aborted,
        _ => Reply::Register(Header::register(Some(header), Plan::default())),
    }
}

impl Participant {
    /// Passes a message to a register and answers the register afterwards; to [`Message::Settle`], the outcome.
    pub(super) async fn transition(
        self: &Arc<Self>,
        view: &ReplicaView,
        record: &RecordKey,
        message: Message,
    ) -> Result<Reply, Halt> {
        let _latched = self.latch_record(view, record, || Ok(self.header(record)?.is_some())).await?;
        self.step_on(view, record, message).await
    }

    /// Latches a record that `exists`, or that may be made.
    pub(super) async fn latch_record(
        self: &Arc<Self>,
        view: &ReplicaView,
        record: &RecordKey,
        exists: impl Fn() -> Result<bool, Error>,
    ) -> Result<Latched, Halt> {
        loop {
            let latch = latch_key(record);
            let remembered = self
                .admit(view, record.attempt, |state| {
                    state.admit_record(record.attempt, &latch)?;
                    Ok(state.is_remembered(record.attempt))
                })
                .await?;
            let latched = Latched::new(self, latch, Vec::new());
            match (exists().map_err(|error| self.failed(error))?, remembered) {
                (false, Err(Block::Forgotten)) => return Err(Box::new(Reply::Forgotten)),
                (false, Err(_)) => {
                    // The floor may rise above it, or not: neither is certain before it has.
                    drop(latched);
                    self.admit(view, record.attempt, |state| match state.is_remembered(record.attempt) {
                        Err(Block::Forgotten) => Ok(()),
                        other => other,
                    })
                    .await?;
                }
                _ => return Ok(latched),
            }
        }
    }

    /// Passes a message to a register that is latched, and may be made if there is none.
    async fn step_on(
        self: &Arc<Self>,
        view: &ReplicaView,
        record: &RecordKey,
        message: Message,
    ) -> Result<Reply, Halt> {
        let generation = view.descriptor.generation;
        for _ in 0..MAX_RACES {
            let before = self.header(record).map_err(|error| self.failed(error))?;
            let core = match step(before.map_or_else(Core::default, |header| header.core), message) {
                Step::Keep => {
                    let open = before.is_some_and(|header| !header.core.state.is_decided());
                    if open && matches!(message, Message::Inquire { .. }) {
                        // A deposed leader may hold for undecided what has been decided and forgotten elsewhere.
                        self.confirmed_leader().await?;
                    }
                    return self.kept(record, before.as_ref(), message);
                }
                Step::Become(core) => core,
                Step::Corrupt => return Err(corrupt(record, before.as_ref(), message)),
            };
            let header = before.map_or_else(|| Header::decided(1, core), |header| header.next(core));
            let applied = if core.state.is_decided() {
                self.finish(generation, record, before.as_ref(), &header).await?
            } else {
                self.put_header(generation, record, before.as_ref(), &header).await?
            };
            if let Applied::Yes(index) = applied {
                return self.kept(record, Some(&header), message).map(|reply| at_index(reply, index));
            }
        }
        Err(Box::new(Reply::NotReady))
    }

    fn kept(&self, record: &RecordKey, header: Option<&Header>, message: Message) -> Result<Reply, Halt> {
        self.heard_of(record);
        match (message, header) {
            (Message::Settle, Some(header)) => Ok(outcome_of(header)),
            (Message::Inquire { .. }, header) => {
                Ok(Reply::Register(self.register(record, header).map_err(|error| self.failed(error))?))
            }
            (_, header) => Ok(Reply::Register(Header::register(header, Plan::default()))),
        }
    }

    /// An undecided register changes; its intents stay.
    async fn put_header(
        self: &Arc<Self>,
        generation: u64,
        record: &RecordKey,
        before: Option<&Header>,
        header: &Header,
    ) -> Result<Applied, Halt> {
        let mut batch = Batch::default();
        let key = record::header_key(record);
        batch.guard(Keyspace::Record, key.clone(), Header::guard(before));
        batch.put(Keyspace::Record, key, header.encode());
        let entry = Entry { generation, batch, admin: None, latched: None, wrote: None, patient: false };
        let (record, core) = (record.clone(), header.core);
        self.propose(entry, move |state| {
            let commit_id = (core.state == RegisterState::PreCommit).then_some(core.commit_id);
            state.intents.update(&record, core.state, commit_id);
            state.saw(core.commit_id);
            // Readers below the commit ID may pass now.
            let keys = state.intents.get(&record).map(|holder| holder.keys.clone()).unwrap_or_default();
            for key in keys {
                state.wake(&key);
            }
        })
        .await
    }

    /// A register is decided: its intents become versions, or go, in the same entry if they fit.
    async fn finish(
        self: &Arc<Self>,
        generation: u64,
        record: &RecordKey,
        before: Option<&Header>,
        header: &Header,
    ) -> Result<Applied, Halt> {
        let mut keys = self.intents_of(record).into_iter().peekable();
        let mut first = true;
        loop {
            let mut batch = Batch::default();
            let header_key = record::header_key(record);
            if first {
                batch.guard(Keyspace::Record, header_key.clone(), Header::guard(before));
                batch.put(Keyspace::Record, header_key, header.encode());
            } else {
                batch.guard(Keyspace::Record, header_key, Header::guard(Some(header)));
            }
            self.resolve_some(&mut batch, record, header, &mut keys).map_err(|error| self.failed(error))?;
            let last = keys.peek().is_none();
            if last && before.is_some() {
                self.leave_participants(&mut batch, record, header).map_err(|error| self.failed(error))?;
            }
            let patient = first && last && header.core.state == RegisterState::Committed && !self.is_waited_for(record);
            match self.propose_resolution((generation, patient), record, header, batch, last).await? {
                Applied::Yes(index) if last => return Ok(Applied::Yes(index)),
                Applied::Yes(_) => first = false,
                Applied::Guard(guard) if first => return Ok(Applied::Guard(guard)),
                // Somebody else is resolving the rest.
                Applied::Guard(_) => return Ok(Applied::Yes(0)),
            }
        }
    }

    /// Once nothing is left to do in this range, the plan goes. Whoever collects the record of a commit over several ranges
    /// asks the others first, arbiters included, so it keeps their names.
    fn leave_participants(&self, batch: &mut Batch, record: &RecordKey, header: &Header) -> Result<(), Error> {
        let plan_key = record::plan_key(record);
        let Plan { mut participants, acceptors, .. } = self.plan(record)?;
        let arbiters: Vec<_> = acceptors.into_iter().filter(|acceptor| !participants.contains(acceptor)).collect();
        participants.extend(arbiters);
        if header.core.state == RegisterState::Committed && participants.len() > 1 {
            batch.put(Keyspace::Record, plan_key, Plan { participants, ..Plan::default() }.encode());
        } else {
            batch.delete(Keyspace::Record, plan_key);
        }
        Ok(())
    }

    async fn propose_resolution(
        self: &Arc<Self>,
        (generation, patient): (u64, bool),
        record: &RecordKey,
        header: &Header,
        batch: Batch,
        last: bool,
    ) -> Result<Applied, Halt> {
        let entry = Entry { generation, batch, admin: None, latched: None, wrote: None, patient };
        let (record, core) = (record.clone(), header.core);
        let wrote = (core.state == RegisterState::Committed).then_some(core.commit_id);
        self.propose(entry, move |state| {
            if last {
                state.resolved(&record, wrote);
                state.unlock(record.attempt);
            } else {
                state.intents.update(&record, core.state, wrote);
            }
        })
        .await
    }

    /// Goes on with intents whose register is decided (an earlier leader, or a request that went away, began it).
    pub(super) async fn resolve_rest(self: Arc<Self>, record: RecordKey) -> Result<(), Halt> {
        let Some(view) = self.store.view(self.range) else {
            return Ok(());
        };
        let latch = latch_key(&record);
        self.admit(&view, record.attempt, |state| state.admit_record(record.attempt, &latch)).await?;
        let _latched = Latched::new(&self, latch, Vec::new());
        let Some(header) = self.header(&record).map_err(|error| self.failed(error))? else {
            return Ok(());
        };
        if header.core.state.is_decided() && !self.intents_of(&record).is_empty() {
            self.finish(view.descriptor.generation, &record, Some(&header), &header).await?;
        }
        Ok(())
    }

    /// Takes keys until an entry is full, and adds what becomes of their intents.
    fn resolve_some(
        &self,
        batch: &mut Batch,
        record: &RecordKey,
        header: &Header,
        keys: &mut impl Iterator<Item = Vec<u8>>,
    ) -> Result<(), Error> {
        let mut bytes = 0;
        for key in keys.take(ENTRY_KEYS) {
            let Some(stored) = self.engine.get(Keyspace::Lock, &key)? else {
                continue;
            };
            let intent = Intent::decode(&stored)?;
            if intent.attempt != record.attempt {
                continue;
            }
            bytes += key.len() + stored.len();
            batch.delete(Keyspace::Lock, key.clone());
            if header.core.state == RegisterState::Committed {
                let replaced = self.engine.get(Keyspace::Data, &key)?;
                bytes += replaced.as_ref().map_or(0, bytes::Bytes::len);
                batch.version(key, header.core.commit_id, intent.value.as_deref(), replaced.as_ref())?;
            }
            if bytes >= ENTRY_BYTES {
                break;
            }
        }
        Ok(())
    }

    fn intents_of(&self, record: &RecordKey) -> Vec<Vec<u8>> {
        self.state.lock().intents.get(record).map(|holder| holder.keys.clone()).unwrap_or_default()
    }

    /// Whether somebody waits until the intents of a record are gone.
    fn is_waited_for(&self, record: &RecordKey) -> bool {
        let state = self.state.lock();
        state.intents.get(record).is_some_and(|holder| holder.keys.iter().any(|key| state.is_waited_for(key)))
    }

    /// The header of a record as applied.
    pub(super) fn header(&self, record: &RecordKey) -> Result<Option<Header>, Error> {
        let stored = self.engine.get(Keyspace::Record, &record::header_key(record))?;
        stored.map(|stored| Header::decode(&stored)).transpose()
    }

    /// The whole register.
    pub(super) fn register(&self, record: &RecordKey, header: Option<&Header>) -> Result<Register, Error> {
        Ok(Header::register(header, self.plan(record)?))
    }

    /// The plan of a prepared attempt; empty for others.
    pub(super) fn plan(&self, record: &RecordKey) -> Result<Plan, Error> {
        let stored = self.engine.get(Keyspace::Record, &record::plan_key(record))?;
        stored.map_or_else(|| Ok(Plan::default()), |stored| Plan::decode(&stored))
    }

    fn heard_of(&self, record: &RecordKey) {
        let now = self.runtime.now();
        if let Some(news) = self.state.lock().news.get_mut(record) {
            *news = now;
        }
    }
}

fn at_index(reply: Reply, index: u64) -> Reply {
    match reply {
        Reply::Register(register) => Reply::Register(Register { index, ..register }),
        other => other,
    }
}

fn corrupt(record: &RecordKey, header: Option<&Header>, message: Message) -> Halt {
    let state = header.map_or(RegisterState::None, |header| header.core.state);
    let id = header.map_or(TxnId(0), |header| header.core.commit_id);
    let text = format!("attempt {}: {message:?} contradicts a register in {state:?} at {id}", record.attempt);
    tracing::error!("{text}");
    Box::new(Reply::Failed(text))
}
