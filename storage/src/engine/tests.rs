//! What every engine promises, asked of both; then what only the disk can break.

use super::{DiskEngine, Engine, EngineSettings, MemoryEngine, Op};
use crate::{Error, Keyspace, Span};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn settings() -> EngineSettings {
    EngineSettings { cache_bytes: 1 << 20, memtable_bytes: 1 << 20 }
}

fn disk(path: &Path) -> DiskEngine {
    DiskEngine::open(path, &settings()).unwrap()
}

fn put(keyspace: Keyspace, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Op {
    Op::Put { keyspace, key: key.into(), value: value.into() }
}

fn delete(keyspace: Keyspace, key: &str) -> Op {
    Op::Delete { keyspace, key: key.into() }
}

fn text(pairs: super::Pairs<'_>) -> String {
    let pairs: Vec<_> =
        pairs.map(|pair| pair.map(|(k, v)| format!("{}={}", k.escape_ascii(), v.escape_ascii())).unwrap()).collect();
    pairs.join(" ")
}

fn conforms(engine: &dyn Engine) {
    use Keyspace::{Data, Local, Lock};
    let all = Span::new("", "z");
    engine.write(vec![put(Data, "b", "1"), put(Data, "a", "2"), put(Data, "c", ""), put(Lock, "b", "x")]).unwrap();
    assert_eq!(engine.get(Data, b"b").unwrap(), Some(Bytes::from_static(b"1")));
    assert_eq!(engine.get(Data, b"c").unwrap(), Some(Bytes::new()));
    assert_eq!(engine.get(Lock, b"a").unwrap(), None);
    assert_eq!(text(engine.scan(Data, &all)), "a=2 b=1 c=");
    assert_eq!(text(engine.scan_reverse(Data, &all)), "c= b=1 a=2");
    assert_eq!(text(engine.scan(Data, &Span::new("a", "b"))), "a=2");
    assert_eq!(text(engine.scan_reverse(Data, &Span::new("aa", "c"))), "b=1");
    assert_eq!(text(engine.scan(Data, &Span::new("b", "b"))), "");
    assert_eq!(text(engine.scan(Data, &Span::new("c", "a"))), "");
    assert_eq!(text(engine.scan(Local, &all)), "");

    let (view, scan) = (engine.view(), engine.scan(Data, &all));
    let later =
        vec![delete(Data, "a"), put(Data, "b", "3"), put(Data, "d", "4"), put(Data, "d", "5"), delete(Lock, "b")];
    engine.write(later).unwrap();
    assert_eq!(text(scan), "a=2 b=1 c=");
    assert_eq!(text(view.scan(Data, &all)), "a=2 b=1 c=");
    assert_eq!(view.get(Lock, b"b").unwrap(), Some(Bytes::from_static(b"x")));
    assert_eq!(view.get(Data, b"d").unwrap(), None);
    assert_eq!(text(engine.scan(Data, &all)), "b=3 c= d=5");
    assert_eq!(text(engine.scan(Lock, &all)), "");
    engine.write(Vec::new()).unwrap();
    engine.persist().unwrap();
}

#[test]
fn both_engines_conform() {
    conforms(&MemoryEngine::new());
    conforms(&MemoryEngine::with_crashes());
    let dir = tempfile::tempdir().unwrap();
    conforms(&disk(&dir.path().join("engine")));
}

/// Readers that find no intent must find the value that the intent became, while batches are being applied.
fn batches_are_whole(engine: &dyn Engine) {
    const ROUNDS: u64 = 3_000;
    let write = || {
        for round in 1..=ROUNDS {
            engine.write(vec![put(Keyspace::Lock, "k", round.to_be_bytes())]).unwrap();
            let filler = (0..20u8).map(|i| put(Keyspace::History, [i], "x"));
            let resolve = [delete(Keyspace::Lock, "k")].into_iter().chain(filler);
            let resolve = resolve.chain([put(Keyspace::Data, "k", round.to_be_bytes())]);
            engine.write(resolve.collect()).unwrap();
        }
    };
    let number = |value: Option<Bytes>| value.map_or(0, |v| u64::from_be_bytes(v[..].try_into().unwrap()));
    let read = || {
        let mut newest_intent = 0;
        while newest_intent < ROUNDS {
            match number(engine.get(Keyspace::Lock, b"k").unwrap()) {
                0 => {
                    let value = number(engine.get(Keyspace::Data, b"k").unwrap());
                    assert!(value >= newest_intent, "intent {newest_intent} vanished before its value; found {value}");
                    newest_intent = value;
                }
                intent => newest_intent = intent,
            }
        }
    };
    let scan = || {
        while number(engine.get(Keyspace::Data, b"k").unwrap()) < ROUNDS {
            let view = engine.view();
            let intent = view.get(Keyspace::Lock, b"k").unwrap();
            let count = view.scan(Keyspace::History, &Span::new("", "z")).count();
            let value = number(view.get(Keyspace::Data, b"k").unwrap());
            assert!(count == 0 || count == 20, "a view shows {count} of 20 writes of a batch");
            let expected = if intent.is_some() { value + 1 } else { value };
            assert_eq!(number(intent).max(value), expected);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(read);
        scope.spawn(scan);
        scope.spawn(write);
    });
}

#[test]
fn lookups_see_whole_batches() {
    batches_are_whole(&MemoryEngine::new());
    let dir = tempfile::tempdir().unwrap();
    batches_are_whole(&disk(&dir.path().join("engine")));
}

/// A step of the random test.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Op>),
    Scan(Keyspace, Span),
    Persist,
    Flush,
    Reopen,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 1, 7, 0xff]), 1..4)
}

fn step() -> impl Strategy<Value = Step> {
    let keyspace = || prop::sample::select(Keyspace::ALL.to_vec());
    let op = prop_oneof![
        3 => (keyspace(), key(), prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(keyspace, key, value)| Op::Put { keyspace, key, value }),
        1 => (keyspace(), key()).prop_map(|(keyspace, key)| Op::Delete { keyspace, key }),
    ];
    prop_oneof![
        8 => prop::collection::vec(op, 0..12).prop_map(Step::Write),
        4 => (keyspace(), key(), key()).prop_map(|(keyspace, start, end)| Step::Scan(keyspace, Span { start, end })),
        1 => Just(Step::Persist),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Default)]
struct Model(BTreeMap<(Keyspace, Vec<u8>), Vec<u8>>);

impl Model {
    fn write(&mut self, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Put { keyspace, key, value } => self.0.insert((*keyspace, key.clone()), value.clone()),
                Op::Delete { keyspace, key } => self.0.remove(&(*keyspace, key.clone())),
            };
        }
    }

    fn check(&self, engine: &dyn Engine, keyspace: Keyspace, span: &Span) {
        let held = self.0.iter().filter(|((held, key), _)| *held == keyspace && span.contains(key));
        let expected: Vec<_> = held.map(|((_, k), v)| (Bytes::from(k.clone()), Bytes::from(v.clone()))).collect();
        let found: Vec<_> = engine.scan(keyspace, span).map(Result::unwrap).collect();
        assert_eq!(found, expected);
        let mut found: Vec<_> = engine.scan_reverse(keyspace, span).map(Result::unwrap).collect();
        found.reverse();
        assert_eq!(found, expected);
        for (key, value) in &expected {
            assert_eq!(engine.get(keyspace, key).unwrap().as_ref(), Some(value));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn random_steps_match_the_model(steps in prop::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine");
        let (memory, mut on_disk) = (MemoryEngine::new(), Some(disk(&path)));
        let mut model = Model::default();
        for step in steps {
            let open = on_disk.get_or_insert_with(|| disk(&path));
            match step {
                Step::Write(ops) => {
                    model.write(&ops);
                    memory.write(ops.clone()).unwrap();
                    open.write(ops).unwrap();
                }
                Step::Scan(keyspace, span) => {
                    model.check(&memory, keyspace, &span);
                    model.check(open, keyspace, &span);
                }
                Step::Persist => open.persist().unwrap(),
                Step::Flush => open.flush(&Keyspace::ALL).unwrap(),
                Step::Reopen => on_disk = None,
            }
        }
        let all = Span::new([0], [0xff, 0xff, 0xff, 0xff]);
        Keyspace::ALL.into_iter().for_each(|keyspace| model.check(&memory, keyspace, &all));
        let open = on_disk.get_or_insert_with(|| disk(&path));
        Keyspace::ALL.into_iter().for_each(|keyspace| model.check(open, keyspace, &all));
    }
}

#[test]
fn a_second_opening_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine");
    let first = disk(&path);
    assert!(matches!(DiskEngine::open(&path, &settings()), Err(Error::Locked { .. })));
    drop(first);
    disk(&path);
}

#[test]
fn keys_outside_the_bounds_are_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let engine = disk(&dir.path().join("engine"));
    for key in [Vec::new(), vec![1; 65_536]] {
        let ops = vec![put(Keyspace::Data, "ok", "1"), put(Keyspace::Data, key, "2")];
        assert!(matches!(engine.write(ops), Err(Error::Io { .. })));
    }
    assert_eq!(engine.get(Keyspace::Data, b"ok").unwrap(), None);
}

#[test]
fn an_interrupted_creation_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine");
    std::fs::create_dir_all(path.join("keyspaces")).unwrap();
    std::fs::write(path.join("0.jnl"), []).unwrap();
    conforms(&disk(&path));
}

/// A flushed database with some batches in the journal, closed, and what it must show.
fn sample(path: &Path) -> Vec<(Bytes, Bytes)> {
    let engine = disk(path);
    for i in 0..400u32 {
        engine.write(vec![put(Keyspace::Data, i.to_be_bytes(), vec![i as u8; 100])]).unwrap();
    }
    engine.flush(&Keyspace::ALL).unwrap();
    engine.write(vec![put(Keyspace::Data, 9_000u32.to_be_bytes(), "journal")]).unwrap();
    engine.persist().unwrap();
    engine.scan(Keyspace::Data, &Span::new([0], [0xff])).map(Result::unwrap).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn read_all(path: &Path) -> Result<Vec<(Bytes, Bytes)>, Error> {
    let engine = DiskEngine::open(path, &settings())?;
    let mut pairs = engine.scan(Keyspace::Data, &Span::new([0], [0xff])).collect::<Result<Vec<_>, _>>()?;
    for (key, value) in &mut pairs {
        let found = engine.get(Keyspace::Data, key)?;
        assert_eq!(found.as_ref(), Some(&*value), "a lookup and a scan differ");
    }
    Ok(pairs)
}

/// The files below `dir`; journals without the zeros that they end with.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| {
        let mut bytes = std::fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            bytes.truncate(bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1));
        }
        (path, bytes)
    };
    files(dir).into_iter().map(read).collect()
}

fn restore(path: &Path, contents: &BTreeMap<PathBuf, Vec<u8>>) {
    files(path).into_iter().filter(|file| !contents.contains_key(file)).for_each(|file| {
        std::fs::remove_file(file).unwrap();
    });
    for (file, bytes) in contents {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

#[test]
fn a_flipped_byte_is_damage_or_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine");
    let expected = sample(&path);
    let original = contents(&path);
    restore(&path, &original);
    assert!(read_all(&path).unwrap() == expected);
    let mut damaged = BTreeMap::<String, usize>::new();
    for (file, bytes) in &original {
        let name = file.strip_prefix(&path).unwrap().to_string_lossy().into_owned();
        for at in (0..4).map(|part| bytes.len() * part / 4).filter(|&at| at < bytes.len()) {
            restore(&path, &original);
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            std::fs::write(file, flipped).unwrap();
            match read_all(&path) {
                Ok(pairs) if name.ends_with(".jnl") => assert_eq!(pairs, expected[..pairs.len()], "not a prefix"),
                Ok(pairs) => assert!(pairs == expected, "{name}: a flip of byte {at} changed the data"),
                Err(Error::Damaged(_)) => *damaged.entry(name.clone()).or_default() += 1,
                Err(error) => panic!("{name} byte {at}: {error}"),
            }
        }
    }
    for kind in ["version", "keyspaces/2/current", "keyspaces/2/tables/0"] {
        assert!(damaged.contains_key(kind), "no flip of {kind} was found: {damaged:?}");
    }
}

#[test]
fn a_cut_journal_behind_a_flushed_keyspace_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine");
    let engine = disk(&path);
    for i in 0..100u32 {
        let ops = vec![put(Keyspace::Data, i.to_be_bytes(), "value"), put(Keyspace::Lock, i.to_be_bytes(), "intent")];
        engine.write(ops).unwrap();
    }
    engine.flush(&[Keyspace::Data]).unwrap();
    drop(engine);
    assert_eq!(read_all(&path).unwrap().len(), 100);
    let journal = path.join("0.jnl");
    let mut bytes = std::fs::read(&journal).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes.truncate(used / 2);
    std::fs::write(&journal, bytes).unwrap();
    let Err(Error::Damaged(text)) = read_all(&path) else { panic!("half a journal was accepted") };
    assert!(text.ends_with("ends before the tables of keyspace data"), "{text}");
}

/// A full disk, or a crash, may leave the last batch of the journal with any first part of its bytes, and zeros after it.
#[test]
fn a_journal_that_ends_in_zeros_loses_the_torn_batch_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine");
    let write = |engine: &DiskEngine, i: u8| {
        engine.write(vec![put(Keyspace::Data, [i], "a value"), put(Keyspace::Lock, [i], "an intent")]).unwrap();
    };
    let end = || {
        let bytes = std::fs::read(path.join("0.jnl")).unwrap();
        bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1
    };
    let engine = disk(&path);
    (0..5).for_each(|i| write(&engine, i));
    drop(engine);
    let (kept, before) = (end(), read_all(&path).unwrap());
    let engine = disk(&path);
    write(&engine, 5);
    drop(engine);
    let (written, whole) = (end(), contents(&path));
    assert_eq!(read_all(&path).unwrap().len(), 6);
    for torn in kept..written {
        restore(&path, &whole);
        let journal = path.join("0.jnl");
        let mut bytes = std::fs::read(&journal).unwrap();
        bytes[torn..].fill(0);
        std::fs::write(&journal, bytes).unwrap();
        let found = read_all(&path).unwrap_or_else(|error| panic!("torn at {torn} of {kept}..{written}: {error}"));
        assert_eq!(found, before, "torn at {torn} of {kept}..{written}");
    }
}
