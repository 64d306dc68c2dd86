//! Versions in a memory engine against a list of all writes.

use super::*;
use crate::TxnId;
use proptest::prelude::*;
use quorate_storage::engine::MemoryEngine;
use quorate_storage::{Engine, Keyspace, Span};
use std::collections::BTreeMap;

/// (key, value or deletion), one transaction each; the n-th commits at ID 10 (n + 1).
type Writes = Vec<(u8, Option<u8>)>;

const SPACING: u64 = 10;

fn committed(writes: &Writes) -> MemoryEngine {
    let engine = MemoryEngine::new();
    for (n, (key, value)) in writes.iter().enumerate() {
        let stored = engine.get(Keyspace::Data, &[*key]).unwrap();
        let mut batch = Batch::default();
        let value = value.map(|value| vec![value]);
        batch.version(vec![*key], id(n), value.as_deref(), stored.as_ref()).unwrap();
        engine.write(batch.ops).unwrap();
    }
    engine
}

fn id(n: usize) -> TxnId {
    TxnId(SPACING * (n as u64 + 1))
}

fn state_at(writes: &Writes, at: TxnId) -> BTreeMap<u8, u8> {
    let mut state = BTreeMap::new();
    for (_, (key, value)) in writes.iter().enumerate().filter(|(n, _)| id(*n) <= at) {
        match value {
            Some(value) => state.insert(*key, *value),
            None => state.remove(key),
        };
    }
    state
}

/// All pages of a scan of everything, two pairs each.
fn pages(engine: &MemoryEngine, at: TxnId, reverse: bool) -> Vec<(u8, u8)> {
    let mut found = Vec::new();
    let mut rest = Some(Span::new([0], [0xff]));
    while let Some(span) = rest {
        let scanned = scan_at(engine, &span, at, reverse, Limits { pairs: 2, bytes: usize::MAX }).unwrap();
        found.extend(scanned.pairs.iter().map(|(key, value)| (key[0], value[0])));
        rest = scanned.resume;
    }
    found
}

/// Deletes the garbage below `floor`, at most `most` versions at a time.
fn collect(engine: &MemoryEngine, floor: TxnId, most: usize) {
    let mut sweep = Sweep::new(&Span::new([0], [0xff]), floor);
    while let Some(Garbage { history, tombstones }) = sweep.next(engine, most).unwrap() {
        let with_history = |key: &[u8]| {
            let prefix = quorate_storage::keys::escape_terminated(key);
            history.iter().any(|engine_key| engine_key.starts_with(&prefix))
        };
        assert!(tombstones.iter().all(|(key, _)| with_history(key)), "a tombstone goes with the last that it hides");
        let mut batch = Batch::default();
        history.into_iter().for_each(|key| batch.delete(Keyspace::History, key));
        tombstones.into_iter().for_each(|(key, _)| batch.delete(Keyspace::Data, key));
        engine.write(batch.ops).unwrap();
    }
}

fn stored(engine: &MemoryEngine, keyspace: Keyspace) -> usize {
    engine.scan(keyspace, &Span::new([0], [0xff]).in_keyspace(keyspace)).count()
}

proptest! {
    #[test]
    fn what_is_collected_is_all_that_nobody_sees(
        writes in prop::collection::vec((0u8..6, any::<Option<u8>>()), 0..40),
        floor in 0usize..42,
        most in 1usize..9,
    ) {
        let engine = committed(&writes);
        let floor = TxnId(SPACING * floor as u64);
        collect(&engine, floor, most);
        for at in (0..=writes.len() + 1).map(|n| TxnId(SPACING * n as u64)).filter(|at| *at >= floor) {
            let state: Vec<_> = state_at(&writes, at).into_iter().collect();
            prop_assert_eq!(pages(&engine, at, false), state);
        }
        let versions = |key: u8| {
            let mut versions: Vec<(TxnId, Option<u8>)> = Vec::new();
            for (n, (_, value)) in writes.iter().enumerate().filter(|(_, (written, _))| *written == key) {
                // Deleting what never was writes nothing.
                if value.is_some() || !versions.is_empty() {
                    versions.push((id(n), *value));
                }
            }
            versions
        };
        let seen = |key: u8| {
            let versions = versions(key);
            let hidden = versions.iter().filter(|(id, _)| *id <= floor).count().saturating_sub(1);
            let left = &versions[hidden..];
            // What is left of a row that was deleted below the floor is nothing, unless nothing was hidden.
            let deleted = left.len() == 1 && left[0].1.is_none() && left[0].0 <= floor;
            if deleted && hidden > 0 { 0 } else { left.len() }
        };
        let left = stored(&engine, Keyspace::Data) + stored(&engine, Keyspace::History);
        prop_assert_eq!(left, (0..6).map(seen).sum::<usize>());
    }

    #[test]
    fn reads_see_the_state_at_their_id(writes in prop::collection::vec((0u8..8, any::<Option<u8>>()), 0..30)) {
        let engine = committed(&writes);
        for at in (0..=writes.len() + 1).map(|n| TxnId(SPACING * n as u64 + 5)) {
            let state = state_at(&writes, at);
            let ascending: Vec<_> = state.iter().map(|(key, value)| (*key, *value)).collect();
            let descending: Vec<_> = ascending.iter().rev().copied().collect();
            prop_assert_eq!(pages(&engine, at, false), ascending);
            prop_assert_eq!(pages(&engine, at, true), descending);
            for (key, _) in &writes {
                let value = read_at(&engine, &[*key], at).unwrap().map(|value| value[0]);
                prop_assert_eq!(value, state.get(key).copied());
            }
        }
    }

    #[test]
    fn a_change_is_any_version_in_the_interval(writes in prop::collection::vec((0u8..8, any::<Option<u8>>()), 0..20)) {
        let engine = committed(&writes);
        let steps = || (0..=writes.len()).map(|n| TxnId(SPACING * n as u64 + 5));
        for (from, to) in steps().flat_map(|from| steps().filter(move |to| from <= *to).map(move |to| (from, to))) {
            // Deleting what never was writes nothing.
            let real = |n: usize| writes[n].1.is_some() || writes[..n].iter().any(|(key, value)| *key == writes[n].0 && value.is_some());
            let written = |key: u8| (0..writes.len()).any(|n| writes[n].0 == key && from < id(n) && id(n) <= to && real(n));
            for key in 0..8 {
                let found = changed_in(&engine, &Span::point(&[key]), (from, to), &|_, _| false).unwrap();
                prop_assert_eq!(found, written(key).then(|| vec![key]));
            }
            let first = (0..8).find(|key| written(*key)).map(|key| vec![key]);
            prop_assert_eq!(changed_in(&engine, &Span::new([0], [8]), (from, to), &|_, _| false).unwrap(), first);
        }
    }
}

#[test]
fn a_commit_moves_the_old_version_and_guards_it() {
    let engine = committed(&vec![(7, Some(1))]);
    let stored = engine.get(Keyspace::Data, &[7]).unwrap();
    let mut batch = Batch::default();
    batch.version(vec![7], TxnId(20), None, stored.as_ref()).unwrap();
    let old = [0, 0, 0, 0, 0, 0, 0, 10];
    assert_eq!(batch.guards.len(), 1);
    assert_eq!(batch.guards[0].expect, quorate_storage::Expect::StartsWith(old.to_vec()));
    engine.write(batch.ops).unwrap();
    assert_eq!(newest(&engine, &[7]).unwrap(), Some(Version { id: TxnId(20), value: None }));
    assert_eq!(read_at(&engine, &[7], TxnId(19)).unwrap().as_deref(), Some(&[1][..]));
    assert!(Batch::default().version(vec![7], TxnId(9), None, stored.as_ref()).is_err(), "IDs only grow");
}
