//! What every disk says about its replicas, batch by batch.
//!
//! ```text
//!   a batch with data of a range     also moves the applied position of that range, or the data lies in a span that is
//!                                    marked as unfinished (an image is taken in, a replica is deleted)
//!   a commit of path ONE             lies above the floor of its range
//!   a descriptor                     is the same wherever it has the same generation and configuration
//!   the newest descriptors           do not overlap: for each key there is one range
//! ```

use super::MOST;
use quorate_storage::engine::MemoryEngine;
use quorate_storage::keys::{local_key, unescape_terminated};
use quorate_storage::range::local::{self, LocalState};
use quorate_storage::{Engine, Error, Keyspace, Op, RangeDescriptor, RangeId};
use quorate_txn::api::RegisterState;
use quorate_txn::participant::{ATTEMPT_FLOOR, FLOOR, HISTORY_FLOOR};
use quorate_txn::record::Header;
use quorate_txn::{TxnId, record};
use std::collections::{BTreeMap, BTreeSet};

/// All replicas of all disks.
#[derive(Debug, Default)]
pub(super) struct Replicas {
    nodes: BTreeMap<u64, BTreeMap<RangeId, Here>>,
    /// The newest descriptor of each range that any node has written.
    newest: BTreeMap<RangeId, RangeDescriptor>,
    findings: Vec<String>,
}

/// A range on one disk.
#[derive(Debug, Default)]
pub(super) struct Here {
    pub(super) local: LocalState,
    floor: TxnId,
    /// Of the history, and of attempts.
    collected: (TxnId, TxnId),
}

impl Replicas {
    /// The floors, of the history and of attempts, of the range that holds `key` on a node; `None` if what the node has
    /// there is not whole: an image is taken in, or a replica deleted.
    pub(super) fn floors(&self, node: u64, key: &[u8]) -> Option<(TxnId, TxnId)> {
        let here = self.nodes.get(&node)?;
        let marked = |replica: &Here| replica.local.unfinished.as_ref().is_some_and(|span| span.contains(key));
        let (_, owner) = owner(here, key).filter(|_| !here.values().any(marked))?;
        Some(owner.collected)
    }

    /// What node `node` has of a range.
    pub(super) fn here(&self, node: u64, range: RangeId) -> Option<&Here> {
        self.nodes.get(&node)?.get(&range)
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.findings)
    }

    pub(super) fn crashed(&mut self, node: u64, engine: &MemoryEngine) {
        match left(engine) {
            Ok(ranges) => drop(self.nodes.insert(node, ranges)),
            Err(error) => self.findings.push(format!("what a crash left on n{node} cannot be read: {error}")),
        }
    }

    pub(super) fn writes(&mut self, node: u64, ops: &[Op]) {
        let here = self.nodes.entry(node).or_default();
        let before = beside_their_position(here, ops);
        let mut found: Vec<String> = ops.iter().filter_map(|op| commits_below_floor(here, op)).collect();
        let mut descriptors = BTreeSet::new();
        for (key, value) in ops.iter().filter_map(local) {
            let Some((range, suffix)) = key.split_first_chunk::<8>() else { continue };
            let range = RangeId(u64::from_be_bytes(*range));
            let replica = here.entry(range).or_default();
            if let Err(error) = replica.local.set(suffix, value) {
                found.push(format!("what is kept of {range} cannot be read: {error}"));
            }
            match suffix {
                FLOOR => replica.floor = id(value),
                HISTORY_FLOOR => replica.collected.0 = id(value),
                ATTEMPT_FLOOR => replica.collected.1 = id(value),
                _ => {}
            }
            descriptors.insert(range);
        }
        // A bootstrap writes data and descriptor at once, and after it the data is in place.
        if let Some(stray) = before.filter(|_| beside_their_position(here, ops).is_some()) {
            found.push(format!("n{node} writes {stray} without the position that covers it"));
        }
        found.extend(self.learn(node, descriptors));
        let room = MOST.saturating_sub(self.findings.len());
        self.findings.extend(found.into_iter().take(room));
    }

    /// Takes in the descriptors that a batch of node `node` touched, then looks at them as a whole.
    fn learn(&mut self, node: u64, ranges: BTreeSet<RangeId>) -> Option<String> {
        let mut news = false;
        for range in ranges {
            let Some(descriptor) = self.here(node, range).and_then(|here| here.local.descriptor.clone()) else {
                continue;
            };
            match self.newest.get(&range) {
                Some(known) if *known == descriptor || known.is_newer_than(&descriptor) => {}
                Some(known) if !descriptor.is_newer_than(known) => {
                    return Some(format!("two descriptors of one age: {known:?} and, on n{node}, {descriptor:?}"));
                }
                _ => {
                    news = true;
                    self.newest.insert(range, descriptor);
                }
            }
        }
        news.then(|| self.overlap()).flatten()
    }

    fn overlap(&self) -> Option<String> {
        let mut all: Vec<&RangeDescriptor> = self.newest.values().collect();
        all.sort_unstable_by(|one, other| one.span.cmp(&other.span));
        let pair = all.windows(2).find(|pair| pair[0].span.end > pair[1].span.start)?;
        Some(format!("two ranges for one key: {:?} and {:?}", pair[0], pair[1]))
    }
}

/// The ranges in an engine.
fn left(engine: &MemoryEngine) -> Result<BTreeMap<RangeId, Here>, Error> {
    let mut ranges = BTreeMap::new();
    for (range, local) in local::load_all(engine)? {
        let floor = |suffix| Ok::<_, Error>(id(engine.get(Keyspace::Local, &local_key(range, suffix))?.as_deref()));
        let collected = (floor(HISTORY_FLOOR)?, floor(ATTEMPT_FLOOR)?);
        ranges.insert(range, Here { local, floor: floor(FLOOR)?, collected });
    }
    Ok(ranges)
}

fn id(bytes: Option<&[u8]>) -> TxnId {
    TxnId(bytes.and_then(<[u8]>::first_chunk::<8>).map_or(0, |bytes| u64::from_be_bytes(*bytes)))
}

fn parts(op: &Op) -> (Keyspace, &[u8], Option<&[u8]>) {
    match op {
        Op::Put { keyspace, key, value } => (*keyspace, key, Some(value)),
        Op::Delete { keyspace, key } => (*keyspace, key, None),
    }
}

/// Key and value of a write about a replica itself.
fn local(op: &Op) -> Option<(&[u8], Option<&[u8]>)> {
    let (keyspace, key, value) = parts(op);
    (keyspace == Keyspace::Local).then_some((key, value))
}

/// The user key that an engine key belongs to.
fn user_key(keyspace: Keyspace, key: &[u8]) -> Option<Vec<u8>> {
    match keyspace {
        Keyspace::Local => None,
        Keyspace::Data | Keyspace::Lock => Some(key.to_vec()),
        Keyspace::History | Keyspace::Record => unescape_terminated(key).map(|(key, _)| key),
    }
}

fn owner<'a>(here: &'a BTreeMap<RangeId, Here>, key: &[u8]) -> Option<(RangeId, &'a Here)> {
    let owns = |replica: &Here| replica.local.descriptor.as_ref().is_some_and(|range| range.span.contains(key));
    here.iter().find(|(_, replica)| owns(replica)).map(|(range, replica)| (*range, replica))
}

/// The first key of the batch whose range does not move its applied position along with it, and is not marked.
fn beside_their_position(here: &BTreeMap<RangeId, Here>, ops: &[Op]) -> Option<String> {
    let applied = |range: RangeId| {
        let key = local::put_applied(range, local::Position::default());
        let (_, applied, _) = parts(&key);
        ops.iter().filter_map(local).any(|(key, value)| key == applied && value.is_some())
    };
    let mut moves: BTreeMap<RangeId, bool> = BTreeMap::new();
    for (keyspace, engine_key, _) in ops.iter().map(parts) {
        let Some(key) = user_key(keyspace, engine_key) else { continue };
        let marked = |replica: &Here| replica.local.unfinished.as_ref().is_some_and(|span| span.contains(&key));
        if here.values().any(marked) {
            continue;
        }
        let fine = owner(here, &key).is_some_and(|(range, _)| *moves.entry(range).or_insert_with(|| applied(range)));
        if !fine {
            return Some(format!("{keyspace:?} {}", key.escape_ascii()));
        }
    }
    None
}

fn commits_below_floor(here: &BTreeMap<RangeId, Here>, op: &Op) -> Option<String> {
    let Op::Put { keyspace: Keyspace::Record, key, value } = op else { return None };
    record::attempt_of_key(key)?;
    let header = Header::decode(value).ok()?;
    let commits = header.core.state == RegisterState::Committed || header.core.is_fast();
    if header.seq != 1 || !commits {
        return None;
    }
    let (range, replica) = owner(here, &unescape_terminated(key)?.0)?;
    let id = header.core.commit_id;
    (id <= replica.floor).then(|| format!("a commit at {id} in {range}, whose floor is {}", replica.floor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_storage::range::local::{Position, put_applied, put_descriptor, put_floor, put_unfinished};
    use quorate_storage::{ReplicaId, Span};
    use quorate_txn::Attempt;
    use quorate_txn::api::RecordKey;
    use quorate_txn::commit::Core;

    fn descriptor(range: u64, start: &str, end: &str, generation: u64) -> RangeDescriptor {
        RangeDescriptor {
            id: RangeId(range),
            span: Span::new(start, end),
            generation,
            conf_ver: 1,
            replicas: Vec::new(),
            next_replica: ReplicaId(3),
        }
    }

    fn applied(range: u64, index: u64) -> Op {
        put_applied(RangeId(range), Position { index, term: 6 })
    }

    fn data(key: &str) -> Op {
        Op::Put { keyspace: Keyspace::Data, key: key.into(), value: b"v".to_vec() }
    }

    /// One range of `a` to `z` with floor 50 on node 1.
    fn one() -> Replicas {
        let mut replicas = Replicas::default();
        let floor = put_floor(RangeId(4), FLOOR, 50_u64.to_be_bytes().to_vec());
        replicas.writes(1, &[put_descriptor(&descriptor(4, "a", "z", 1)), applied(4, 10), floor]);
        assert_eq!(replicas.findings, Vec::<String>::new());
        replicas
    }

    #[track_caller]
    fn finds(ops: &[Op], what: &str) {
        let mut replicas = one();
        replicas.writes(1, ops);
        assert!(replicas.findings.iter().any(|found| found.contains(what)), "not {what:?}: {:?}", replicas.findings);
    }

    #[test]
    fn data_comes_with_its_position_or_under_a_mark() {
        finds(&[data("k")], "without the position");
        finds(&[data("k"), applied(5, 11)], "without the position");
        let mut replicas = one();
        replicas.writes(1, &[data("k"), applied(4, 11)]);
        replicas.writes(1, &[put_unfinished(RangeId(4), &Span::new("a", "z"))]);
        replicas.writes(1, &[data("k")]);
        assert_eq!(replicas.findings, Vec::<String>::new());
    }

    #[test]
    fn commits_below_the_floor_are_found() {
        let commit = |id| {
            let record = RecordKey {
                part_key: b"k".to_vec(),
                attempt: Attempt { gateway: 1, incarnation: 1, counter: 1, birth: TxnId(1) },
            };
            let core = Core { state: RegisterState::Committed, commit_id: TxnId(id), ..Core::default() };
            let value = Header::decided(1, core).encode();
            [Op::Put { keyspace: Keyspace::Record, key: record::header_key(&record), value }, applied(4, 11)]
        };
        finds(&commit(50), "whose floor is");
        let mut replicas = one();
        replicas.writes(1, &commit(51));
        assert_eq!(replicas.findings, Vec::<String>::new());
    }

    #[test]
    fn two_ranges_for_one_key_are_found() {
        let mut replicas = one();
        let (left, right) = (descriptor(4, "a", "m", 2), descriptor(5, "m", "z", 2));
        replicas.writes(1, &[put_descriptor(&left), put_descriptor(&right)]);
        assert_eq!(replicas.findings, Vec::<String>::new());
        replicas.writes(2, &[put_descriptor(&descriptor(5, "l", "z", 3))]);
        assert!(replicas.findings[0].contains("two ranges for one key"), "{:?}", replicas.findings);
        finds(&[put_descriptor(&descriptor(4, "a", "y", 1))], "two descriptors of one age");
    }
}
