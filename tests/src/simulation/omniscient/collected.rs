//! What was collected as garbage, and whether it was garbage.
//!
//! ```text
//!   a version     goes only when a newer one lies at or below the history floor of its range
//!   a tombstone   goes only when it is the newest version at or below that floor
//!   a record      goes only decided, born below the attempt floor of its range, and of a commit over several ranges
//!                 only after all its registers were decided
//!   nothing       is made for an attempt whose record has gone
//! ```
//! The witness compares every read with every version that ever was, so what has gone is kept here.

use super::MOST;
use super::registers::Registers;
use super::replicas::Replicas;
use crate::simulation::State;
use bytes::Bytes;
use quorate_storage::keys::{CATALOG_PREFIX, END_PREFIX, unescape_terminated};
use quorate_storage::{Keyspace, Op};
use quorate_txn::api::RegisterState;
use quorate_txn::mvcc::{decode_history, decode_newest, history_id};
use quorate_txn::record::{Header, attempt_of_key};
use quorate_txn::{Attempt, TxnId};
use std::collections::{BTreeMap, BTreeSet};

/// All versions and decisions that any node ever wrote.
#[derive(Debug, Default)]
pub(super) struct Collected {
    versions: BTreeMap<Vec<u8>, BTreeMap<TxnId, Option<Bytes>>>,
    decisions: BTreeMap<Vec<u8>, (Attempt, Option<TxnId>)>,
    gone: BTreeSet<(Vec<u8>, TxnId)>,
    forgotten: BTreeSet<Vec<u8>>,
    findings: Vec<String>,
}

impl Collected {
    /// Node `node` writes a batch, which `replicas` and `registers` have seen.
    pub(super) fn writes(&mut self, node: u64, ops: &[Op], replicas: &Replicas, registers: &Registers) {
        for op in ops {
            let found = match op {
                Op::Put { keyspace: Keyspace::Data, key, value } if is_ours(key) => self.newest(key, value),
                Op::Put { keyspace: Keyspace::History, key, value } => self.older(key, value),
                Op::Put { keyspace: Keyspace::Record, key, value } => self.record(key, value),
                Op::Delete { keyspace: Keyspace::History, key } => self.version_goes(node, key, replicas),
                Op::Delete { keyspace: Keyspace::Data, key } if is_ours(key) => {
                    self.tombstone_goes(node, key, replicas)
                }
                Op::Delete { keyspace: Keyspace::Record, key } => self.record_goes(node, key, replicas, registers),
                _ => None,
            };
            if self.findings.len() < MOST {
                self.findings.extend(found.map(|found| format!("n{node} {found}")));
            }
        }
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.findings)
    }

    /// Adds what has gone to what the disks hold in the end.
    pub(super) fn complete(&self, state: &mut State) {
        for (key, id) in &self.gone {
            if let Some(value) = self.versions.get(key).and_then(|versions| versions.get(id)) {
                state.version(key, *id, value.clone());
            }
        }
        for (attempt, outcome) in self.forgotten.iter().filter_map(|key| self.decisions.get(key)) {
            state.decided(*attempt, *outcome);
        }
    }

    fn newest(&mut self, key: &[u8], value: &[u8]) -> Option<String> {
        let version = decode_newest(&Bytes::copy_from_slice(value)).ok()?;
        self.versions.entry(key.to_vec()).or_default().insert(version.id, version.value);
        None
    }

    fn older(&mut self, engine_key: &[u8], value: &[u8]) -> Option<String> {
        let (key, _) = unescape_terminated(engine_key)?;
        let value = decode_history(&Bytes::copy_from_slice(value)).ok()?;
        self.versions.entry(key).or_default().insert(history_id(engine_key).ok()?, value);
        None
    }

    fn record(&mut self, engine_key: &[u8], value: &[u8]) -> Option<String> {
        let attempt = attempt_of_key(engine_key)?;
        let core = Header::decode(value).ok()?.core;
        let outcome = (core.state == RegisterState::Committed).then_some(core.commit_id);
        if core.state.is_decided() {
            self.decisions.insert(engine_key.to_vec(), (attempt, outcome));
        }
        None
    }

    fn version_goes(&mut self, node: u64, engine_key: &[u8], replicas: &Replicas) -> Option<String> {
        let ((key, _), id) = (unescape_terminated(engine_key)?, history_id(engine_key).ok()?);
        let floor = replicas.floors(node, &key)?.0;
        self.gone.insert((key.clone(), id));
        let newer = self.versions.get(&key)?.range(id..).nth(1).map(|(newer, _)| *newer);
        let garbage = newer.is_some_and(|newer| newer <= floor);
        (!garbage).then(|| format!("deletes {} at {id}, which a read at {floor} sees", key.escape_ascii()))
    }

    fn tombstone_goes(&mut self, node: u64, key: &[u8], replicas: &Replicas) -> Option<String> {
        let floor = replicas.floors(node, key)?.0;
        let (id, value) = self.versions.get(key)?.range(..=floor).next_back()?;
        self.gone.insert((key.to_vec(), *id));
        value.is_some().then(|| format!("deletes {} at {id}, which is no tombstone", key.escape_ascii()))
    }

    fn record_goes(&mut self, node: u64, key: &[u8], replicas: &Replicas, registers: &Registers) -> Option<String> {
        let attempt = attempt_of_key(key)?;
        let floor = replicas.floors(node, &unescape_terminated(key)?.0)?.1;
        self.forgotten.insert(key.to_vec());
        let Some((_, outcome)) = self.decisions.get(key) else {
            return Some(format!("forgets attempt {attempt}, which is not decided"));
        };
        if attempt.birth >= floor {
            return Some(format!("forgets attempt {attempt}, born at {}, not below {floor}", attempt.birth));
        }
        (outcome.is_some() && !registers.are_all_decided(attempt))
            .then(|| format!("forgets attempt {attempt}, which was committed, before all know it"))
    }
}

/// Whether a key of Data is one of the transactional map's.
fn is_ours(key: &[u8]) -> bool {
    key.first().is_some_and(|first| (CATALOG_PREFIX..END_PREFIX).contains(first))
}
