//! The engine in memory: one persistent ordered map per keyspace, for `Database::in_memory()`, tests and simulation.
//!
//! ```text
//!   maps       what readers see: every batch
//!   persisted  the maps at the last persist      (only when crashes are tracked)
//!   later      the maps after each batch since    (only when crashes are tracked)
//! ```
//! A clone of a map shares its nodes, so a view, a scan and a remembered state each cost a few reference counts.
//! A crash shows the persisted maps plus a prefix of the later batches, as a disk may: see [`MemoryEngine::crash`].
//!
//! Invariant: without crash tracking, memory is bounded by the live data and the open views.

use super::{Engine, EngineView, Op, Pair, Pairs};
use crate::{Error, Keyspace, Span};
use bytes::Bytes;
use imbl::OrdMap;
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::ops::Bound;

type Map = OrdMap<Bytes, Bytes>;

/// Bytes that a pair costs besides its key and value: a rough figure for [`Engine::size`].
const PAIR_OVERHEAD: u64 = 96;
/// Pairs that a scan takes out of the map first; later steps take more.
const FIRST_STEP: usize = 8;
/// Pairs that one step of a scan takes at most.
const MAX_STEP: usize = 256;

/// The maps of all keyspaces at one moment.
#[derive(Clone, Debug, Default)]
struct Maps {
    maps: [Map; Keyspace::ALL.len()],
    bytes: u64,
}

impl Maps {
    fn map(&self, keyspace: Keyspace) -> &Map {
        &self.maps[keyspace as usize]
    }

    fn apply(&mut self, op: Op) {
        let (keyspace, key, new) = match op {
            Op::Put { keyspace, key, value } => (keyspace, key, Some(value)),
            Op::Delete { keyspace, key } => (keyspace, key, None),
        };
        let (key_len, new_len) = (key.len() as u64, new.as_ref().map(|value| value.len() as u64));
        let map = &mut self.maps[keyspace as usize];
        let old = match new {
            Some(value) => map.insert(key.into(), value.into()),
            None => map.remove(key.as_slice()),
        };
        if let Some(old) = old {
            self.bytes -= key_len + old.len() as u64 + PAIR_OVERHEAD;
        }
        if let Some(new_len) = new_len {
            self.bytes += key_len + new_len + PAIR_OVERHEAD;
        }
    }
}

/// What a crash may leave, kept only on request.
#[derive(Debug, Default)]
struct CrashTrack {
    persisted: Maps,
    later: Vec<Maps>,
}

#[derive(Debug, Default)]
struct State {
    now: Maps,
    track: Option<CrashTrack>,
}

/// An [`Engine`] in memory.
#[derive(Debug, Default)]
pub struct MemoryEngine {
    /// Guards the current maps. Held for one lookup, one clone of a root, or the application of one batch.
    state: RwLock<State>,
}

impl MemoryEngine {
    /// An empty engine that forgets what it held when it is dropped.
    pub fn new() -> MemoryEngine {
        MemoryEngine::default()
    }

    /// An empty engine that remembers what each batch since the last persist changed, so that it can [`crash`].
    /// Memory grows with unpersisted batches.
    ///
    /// [`crash`]: MemoryEngine::crash
    pub fn with_crashes() -> MemoryEngine {
        MemoryEngine::holding(Maps::default())
    }

    fn holding(maps: Maps) -> MemoryEngine {
        let track = CrashTrack { persisted: maps.clone(), later: Vec::new() };
        MemoryEngine { state: RwLock::new(State { now: maps, track: Some(track) }) }
    }

    /// What a restart finds after the process died now: the state of the last persist and the first `keep` batches
    /// after it (all of them if there are fewer). The new engine tracks crashes too. Without crash tracking nothing
    /// survives.
    pub fn crash(&self, keep: usize) -> MemoryEngine {
        let state = self.state.read();
        let Some(track) = &state.track else {
            return MemoryEngine::new();
        };
        let kept = keep.min(track.later.len()).checked_sub(1).map(|last| &track.later[last]);
        MemoryEngine::holding(kept.unwrap_or(&track.persisted).clone())
    }

    /// How many batches were written since the last persist; 0 without crash tracking.
    pub fn unpersisted(&self) -> usize {
        self.state.read().track.as_ref().map_or(0, |track| track.later.len())
    }
}

impl Engine for MemoryEngine {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.state.read().now.map(keyspace).get(key).cloned())
    }

    fn scan<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a> {
        let map = self.state.read().now.map(keyspace).clone();
        Box::new(Scan::new(map, span, false))
    }

    fn scan_reverse<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a> {
        let map = self.state.read().now.map(keyspace).clone();
        Box::new(Scan::new(map, span, true))
    }

    fn view(&self) -> Box<dyn EngineView> {
        Box::new(MemoryView { maps: self.state.read().now.clone() })
    }

    fn write(&self, ops: Vec<Op>) -> Result<(), Error> {
        let mut state = self.state.write();
        for op in ops {
            state.now.apply(op);
        }
        let State { now, track } = &mut *state;
        if let Some(track) = track {
            track.later.push(now.clone());
        }
        Ok(())
    }

    fn persist(&self) -> Result<(), Error> {
        let mut state = self.state.write();
        let State { now, track } = &mut *state;
        if let Some(track) = track {
            track.persisted = now.clone();
            track.later.clear();
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.state.read().now.bytes
    }
}

struct MemoryView {
    maps: Maps,
}

impl EngineView for MemoryView {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.maps.map(keyspace).get(key).cloned())
    }

    fn scan<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a> {
        Box::new(Scan::new(self.maps.map(keyspace).clone(), span, false))
    }
}

/// Walks the map it owns in steps that grow, so that a scan of one row is as cheap as a lookup.
struct Scan {
    map: Map,
    low: Bound<Bytes>,
    high: Bound<Bytes>,
    reverse: bool,
    step: usize,
    ready: VecDeque<Pair>,
    done: bool,
}

impl Scan {
    fn new(map: Map, span: &Span, reverse: bool) -> Scan {
        Scan {
            map,
            low: Bound::Included(Bytes::copy_from_slice(&span.start)),
            high: Bound::Excluded(Bytes::copy_from_slice(&span.end)),
            reverse,
            step: FIRST_STEP,
            ready: VecDeque::new(),
            done: span.start >= span.end,
        }
    }

    fn refill(&mut self) {
        let range = self.map.range::<_, [u8]>((slice(&self.low), slice(&self.high)));
        let pair = |(key, value): (&Bytes, &Bytes)| (key.clone(), value.clone());
        if self.reverse {
            self.ready.extend(range.rev().take(self.step).map(pair));
        } else {
            self.ready.extend(range.take(self.step).map(pair));
        }
        self.done = self.ready.len() < self.step;
        self.step = (self.step * 4).min(MAX_STEP);
        if let Some((last, _)) = self.ready.back() {
            let bound = if self.reverse { &mut self.high } else { &mut self.low };
            *bound = Bound::Excluded(last.clone());
        }
    }
}

impl Iterator for Scan {
    type Item = Result<Pair, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() && !self.done {
            self.refill();
        }
        self.ready.pop_front().map(Ok)
    }
}

fn slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, value: &str) -> Vec<Op> {
        vec![Op::Put { keyspace: Keyspace::Data, key: key.into(), value: value.into() }]
    }

    fn content(engine: &MemoryEngine) -> Vec<String> {
        engine
            .scan(Keyspace::Data, &Span::new("", "z"))
            .map(|pair| pair.map(|(key, value)| format!("{}={}", key.escape_ascii(), value.escape_ascii())).unwrap())
            .collect()
    }

    #[test]
    fn crash_keeps_the_persisted_state_and_a_prefix_of_the_later_batches() {
        let engine = MemoryEngine::with_crashes();
        engine.write(put("a", "1")).unwrap();
        engine.persist().unwrap();
        engine.write(put("a", "2")).unwrap();
        engine.write(put("b", "3")).unwrap();
        assert_eq!(engine.unpersisted(), 2);
        assert_eq!(content(&engine.crash(0)), ["a=1"]);
        assert_eq!(content(&engine.crash(1)), ["a=2"]);
        assert_eq!(content(&engine.crash(9)), ["a=2", "b=3"]);
        assert_eq!(content(&engine.crash(1).crash(0)), ["a=2"]);
        assert_eq!(content(&engine), ["a=2", "b=3"]);
    }

    #[test]
    fn without_tracking_nothing_is_kept_for_a_crash() {
        let engine = MemoryEngine::new();
        engine.write(put("a", "1")).unwrap();
        engine.persist().unwrap();
        assert_eq!(engine.unpersisted(), 0);
        assert!(content(&engine.crash(9)).is_empty());
    }

    #[test]
    fn size_counts_live_pairs() {
        let engine = MemoryEngine::new();
        engine.write(put("key", "12345")).unwrap();
        engine.write(put("key", "123")).unwrap();
        assert_eq!(engine.size(), 6 + PAIR_OVERHEAD);
        engine.write(vec![Op::Delete { keyspace: Keyspace::Data, key: "key".into() }]).unwrap();
        assert_eq!(engine.size(), 0);
    }
}
