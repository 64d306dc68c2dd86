//! What the disks of a world hold in the end: every version, every record, every intent.

use bytes::Bytes;
use quorate_storage::engine::MemoryEngine;
use quorate_storage::keys::{CATALOG_PREFIX, END_PREFIX, unescape_terminated};
use quorate_storage::{Engine, Error, Keyspace, Span};
use quorate_txn::api::RegisterState;
use quorate_txn::mvcc::{decode_history, decode_newest, history_id};
use quorate_txn::record::{Header, Intent, attempt_of_key};
use quorate_txn::{Attempt, TxnId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All versions and outcomes of a cluster.
#[derive(Debug, Default)]
pub struct State {
    versions: BTreeMap<Vec<u8>, BTreeMap<TxnId, Option<Bytes>>>,
    /// Outcomes by attempt: the commit ID, or `None` for an abort.
    decisions: BTreeMap<Attempt, BTreeSet<Option<TxnId>>>,
    /// Attempts that still hold intents.
    undecided: BTreeSet<Attempt>,
    /// Replicas that contradict each other.
    pub contradictions: Vec<String>,
}

impl State {
    /// Reads the states of all nodes, which must be at rest.
    ///
    /// # Errors
    /// Bytes that are no version or record.
    pub fn read(engines: &[Arc<MemoryEngine>]) -> Result<State, Error> {
        let mut state = State::default();
        for engine in engines {
            state.add(engine)?;
        }
        Ok(state)
    }

    fn add(&mut self, engine: &MemoryEngine) -> Result<(), Error> {
        let all = Span::new([CATALOG_PREFIX], [END_PREFIX]);
        for pair in engine.scan(Keyspace::Data, &all) {
            let (key, stored) = pair?;
            let version = decode_newest(&stored)?;
            self.version(&key, version.id, version.value);
        }
        for pair in engine.scan(Keyspace::History, &all.in_keyspace(Keyspace::History)) {
            let (engine_key, stored) = pair?;
            let id = history_id(&engine_key)?;
            if let Some((key, _)) = unescape_terminated(&engine_key) {
                self.version(&key, id, decode_history(&stored)?);
            }
        }
        for pair in engine.scan(Keyspace::Lock, &all) {
            self.undecided.insert(Intent::decode(&pair?.1)?.attempt);
        }
        for pair in engine.scan(Keyspace::Record, &all.in_keyspace(Keyspace::Record)) {
            let (engine_key, stored) = pair?;
            let Some(attempt) = attempt_of_key(&engine_key) else { continue };
            let core = Header::decode(&stored)?.core;
            match core.state {
                RegisterState::Committed => {
                    self.decided(attempt, Some(core.commit_id));
                }
                RegisterState::Aborted => {
                    self.decided(attempt, None);
                }
                _ => {
                    self.undecided.insert(attempt);
                }
            }
        }
        Ok(())
    }

    /// Versions and outcomes made by hand.
    #[cfg(test)]
    pub(crate) fn by_hand(versions: &[(&str, u64, Option<&str>)], decisions: &[(Attempt, Option<u64>)]) -> State {
        let mut state = State::default();
        for (key, id, value) in versions {
            state.version(key.as_bytes(), TxnId(*id), value.map(|value| Bytes::copy_from_slice(value.as_bytes())));
        }
        for (attempt, id) in decisions {
            state.decisions.entry(*attempt).or_default().insert(id.map(TxnId));
        }
        state
    }

    /// Adds the outcome of an attempt.
    pub(super) fn decided(&mut self, attempt: Attempt, outcome: Option<TxnId>) {
        self.decisions.entry(attempt).or_default().insert(outcome);
    }

    /// Adds a version.
    pub(super) fn version(&mut self, key: &[u8], id: TxnId, value: Option<Bytes>) {
        let versions = self.versions.entry(key.to_vec()).or_default();
        match versions.get(&id) {
            Some(known) if *known != value => {
                let key = key.escape_ascii();
                self.contradictions.push(format!("{key} at {id} is {known:?} on one replica and {value:?} on another"));
            }
            Some(_) => {}
            None => {
                versions.insert(id, value);
            }
        }
    }

    /// The live pairs of `span` at an ID, ascending.
    pub fn at<'a>(&'a self, span: &Span, id: TxnId) -> impl Iterator<Item = (&'a [u8], &'a Bytes)> {
        let keys = self.versions.range::<Vec<u8>, _>(&span.start..&span.end);
        keys.filter_map(move |(key, versions)| {
            let (_, value) = versions.range(..=id).next_back()?;
            Some((key.as_slice(), value.as_ref()?))
        })
    }

    /// What each ID wrote.
    #[must_use]
    pub fn by_id(&self) -> BTreeMap<TxnId, BTreeMap<&[u8], Option<&Bytes>>> {
        let mut by_id: BTreeMap<TxnId, BTreeMap<&[u8], Option<&Bytes>>> = BTreeMap::new();
        for (key, versions) in &self.versions {
            for (id, value) in versions {
                by_id.entry(*id).or_default().insert(key, value.as_ref());
            }
        }
        by_id
    }

    /// The outcomes of an attempt, as its registers and markers say: at most one, if all is well.
    #[must_use]
    pub fn decisions(&self, attempt: Attempt) -> Vec<Option<TxnId>> {
        self.decisions.get(&attempt).map(|found| found.iter().copied().collect()).unwrap_or_default()
    }

    /// Attempts that nobody has ended.
    #[must_use]
    pub fn undecided(&self) -> &BTreeSet<Attempt> {
        &self.undecided
    }
}
