//! What every log promises, asked of both; then what a crash and a damaged disk may do.

use super::{DiskLog, GroupAppend, LogBatch, LogSettings, LogStore, MemoryLog};
use crate::{Error, RangeId};
use raft::eraftpb::{Entry, HardState};
use std::fs;
use std::path::{Path, PathBuf};

const R1: RangeId = RangeId(1);
const R2: RangeId = RangeId(2);

fn settings() -> LogSettings {
    LogSettings { segment_bytes: 64 << 10, purge_bytes: 256 << 10, tail_bytes: 0 }
}

fn disk(path: &Path) -> DiskLog {
    DiskLog::open(path, &settings()).unwrap()
}

fn entries(term: u64, first: u64, count: u64) -> Vec<Entry> {
    let data = |index| format!("{term}/{index}").into_bytes().into();
    (first..first + count).map(|index| Entry { term, index, data: data(index), ..Entry::default() }).collect()
}

fn append(range: RangeId, term: u64, first: u64, count: u64) -> GroupAppend {
    GroupAppend { entries: entries(term, first, count), ..GroupAppend::new(range) }
}

fn truncate(range: RangeId, to: u64) -> GroupAppend {
    GroupAppend { truncate_to: Some(to), ..GroupAppend::new(range) }
}

fn write(log: &dyn LogStore, groups: Vec<GroupAppend>) {
    log.append(LogBatch { groups, ..LogBatch::default() }, true).unwrap();
}

fn all(log: &dyn LogStore, range: RangeId) -> String {
    let Some((first, last)) = log.bounds(range).unwrap() else {
        return String::new();
    };
    let entries = log.entries(range, first, last + 1, u64::MAX).unwrap();
    let text: Vec<_> = entries.iter().map(|entry| String::from_utf8_lossy(&entry.data).into_owned()).collect();
    text.join(" ")
}

fn conforms(log: &dyn LogStore) {
    assert_eq!((log.groups().unwrap(), log.bounds(R1).unwrap(), log.hard_state(R1).unwrap()), (vec![], None, None));
    let state = HardState { term: 3, vote: 2, commit: 1, ..HardState::default() };
    let with_state = GroupAppend { hard_state: Some(state.clone()), ..append(R2, 3, 10, 3) };
    write(log, vec![append(R1, 1, 1, 4), with_state]);
    assert_eq!(log.groups().unwrap(), [R1, R2]);
    assert_eq!((log.bounds(R1).unwrap(), log.bounds(R2).unwrap()), (Some((1, 4)), Some((10, 12))));
    assert_eq!((log.hard_state(R1).unwrap(), log.hard_state(R2).unwrap()), (None, Some(state)));
    assert_eq!(all(log, R1), "1/1 1/2 1/3 1/4");

    write(log, vec![append(R1, 2, 3, 1)]);
    assert_eq!(all(log, R1), "1/1 1/2 2/3");
    write(log, vec![append(R1, 2, 4, 2), truncate(R2, 12)]);
    assert_eq!((all(log, R1), all(log, R2)), ("1/1 1/2 2/3 2/4 2/5".into(), "3/12".into()));

    let read = |low, high, max| log.entries(R1, low, high, max).map(|read| read.len());
    assert_eq!((read(2, 6, 0).unwrap(), read(2, 6, u64::MAX).unwrap(), read(9, 9, 9).unwrap()), (1, 4, 0));
    assert!(matches!(read(5, 7, 1), Err(Error::LogGap { range: R1, low: 5, high: 7 })));
    assert!(matches!(read(0, 2, 1), Err(Error::LogGap { .. })));
    assert!(matches!(read(1, u64::MAX, 1), Err(Error::LogGap { .. })));
    assert!(matches!(log.entries(RangeId(9), 1, 2, 1), Err(Error::LogGap { .. })));

    log.append(LogBatch { groups: vec![truncate(R1, 4), truncate(RangeId(9), 7)], ..LogBatch::default() }, false)
        .unwrap();
    assert_eq!((log.bounds(R1).unwrap(), all(log, R1)), (Some((4, 5)), "2/4 2/5".into()));
    assert!(matches!(read(3, 5, 1), Err(Error::LogGap { .. })));
    write(log, vec![append(R1, 2, 6, 1)]);
    assert_eq!(all(log, R1), "2/4 2/5 2/6");

    write(log, vec![truncate(R1, 7)]);
    assert_eq!((log.bounds(R1).unwrap(), log.groups().unwrap()), (None, vec![R2]));
    write(log, vec![GroupAppend { reset: true, ..append(R2, 7, 100, 2) }]);
    assert_eq!((log.bounds(R2).unwrap(), log.hard_state(R2).unwrap()), (Some((100, 101)), None));
    write(log, vec![append(R1, 4, 50, 2), GroupAppend { reset: true, ..GroupAppend::new(R2) }]);
    assert_eq!((all(log, R1), log.groups().unwrap()), ("4/50 4/51".into(), vec![R1]));
    assert_eq!(log.granted().unwrap(), 0);
    log.append(LogBatch { granted: Some(1 << 40), ..LogBatch::default() }, true).unwrap();
    assert_eq!((log.granted().unwrap(), log.groups().unwrap()), (1 << 40, vec![R1]));
    assert_eq!(log.purge().unwrap(), []);
}

#[test]
fn both_logs_conform() {
    conforms(&MemoryLog::new());
    let dir = tempfile::tempdir().unwrap();
    conforms(&disk(&dir.path().join("uncached")));
    conforms(&DiskLog::open(&dir.path().join("cached"), &LogSettings::default()).unwrap());
}

#[test]
fn the_same_is_found_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let log = disk(dir.path());
    conforms(&log);
    write(&log, vec![truncate(R1, 51)]);
    drop(log);
    let log = disk(dir.path());
    assert_eq!((all(&log, R1), log.groups().unwrap()), ("4/51".into(), vec![R1]));
    assert_eq!(log.granted().unwrap(), 1 << 40);
    assert!(matches!(DiskLog::open(dir.path(), &settings()), Err(Error::Locked { .. })));
}

#[test]
fn a_crash_loses_truncations_that_were_not_synced_and_nothing_else() {
    let log = MemoryLog::new();
    log.append(LogBatch { granted: Some(7), ..LogBatch::default() }, true).unwrap();
    assert_eq!(log.crash().granted().unwrap(), 7);
    write(&log, vec![append(R1, 1, 1, 4), truncate(R2, 1)]);
    log.append(LogBatch { groups: vec![truncate(R1, 3)], ..LogBatch::default() }, false).unwrap();
    assert_eq!((all(&log, R1), all(&log.crash(), R1)), ("1/3 1/4".into(), "1/1 1/2 1/3 1/4".into()));
    write(&log, vec![append(R1, 1, 5, 1)]);
    assert_eq!((all(&log, R1), all(&log.crash(), R1)), ("1/3 1/4 1/5".into(), "1/3 1/4 1/5".into()));
}

#[test]
fn gaps_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for log in [Box::new(MemoryLog::new()) as Box<dyn LogStore>, Box::new(disk(&dir.path().join("log")))] {
        write(&*log, vec![append(R1, 1, 5, 2)]);
        let gap = log.append(LogBatch { groups: vec![append(R1, 1, 8, 1)], ..LogBatch::default() }, true);
        assert!(matches!(gap, Err(Error::LogGap { range: R1, low: 7, high: 8 })));
        assert_eq!(all(&*log, R1), "1/5 1/6");
    }
    let log = disk(&dir.path().join("log"));
    let mut broken = append(R1, 1, 7, 2);
    broken.entries[1].index = 9;
    assert!(matches!(
        log.append(LogBatch { groups: vec![broken], ..LogBatch::default() }, true),
        Err(Error::LogGap { .. })
    ));
    let poisoned = log.append(LogBatch { groups: vec![append(R1, 1, 7, 1)], ..LogBatch::default() }, true);
    let Err(Error::Poisoned(first)) = poisoned else { panic!("append after a failure: {poisoned:?}") };
    assert_eq!(first, "log of r1 does not hold entries 7..7");
}

/// raft-engine's block cache belongs to the thread: the logs of several nodes must not meet in it.
#[test]
fn logs_read_by_one_thread_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let logs: Vec<_> = (1..=3).map(|node| disk(&dir.path().join(format!("n{node}")))).collect();
    for (term, log) in (1..).zip(&logs) {
        write(log, vec![append(R1, term, 1, 1)]);
    }
    let found: Vec<_> = logs.iter().map(|log| all(log, R1)).collect();
    assert_eq!(found, ["1/1", "2/1", "3/1"]);
}

#[test]
fn purge_bounds_the_files_and_keeps_what_is_live() {
    let dir = tempfile::tempdir().unwrap();
    let log = disk(dir.path());
    let state = HardState { term: 1, vote: 1, commit: 1, ..HardState::default() };
    log.append(LogBatch { granted: Some(7), ..LogBatch::default() }, true).unwrap();
    write(&log, vec![GroupAppend { hard_state: Some(state.clone()), ..append(R2, 1, 1, 3) }]);
    for index in 1..=2_000 {
        let mut group = append(R1, 1, index, 1);
        group.entries[0].data = vec![index as u8; 1_000].into();
        group.truncate_to = Some(index.saturating_sub(10));
        write(&log, vec![group]);
        if index % 100 == 0 {
            log.purge().unwrap();
        }
    }
    let bytes: u64 = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 1 << 20, "{bytes} bytes are held for 10 live entries");
    drop(log);
    let log = disk(dir.path());
    assert_eq!((log.bounds(R1).unwrap(), all(&log, R2)), (Some((1_990, 2_000)), "1/1 1/2 1/3".into()));
    assert_eq!((log.hard_state(R2).unwrap(), log.granted().unwrap()), (Some(state), 7));
}

/// A closed log with three batches of one entry, and its only file.
fn three_batches(dir: &Path) -> PathBuf {
    let log = disk(dir);
    for index in 1..=3 {
        write(&log, vec![append(R1, 1, index, 1)]);
    }
    drop(log);
    let is_log = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "raftlog");
    fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).find(is_log).unwrap()
}

#[test]
fn a_torn_tail_is_cut_and_damage_before_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = three_batches(dir.path());
    let original = fs::read(&file).unwrap();
    let batches = original.len() - 69;
    let last_batch = 69 + batches * 2 / 3;
    for at in 0..original.len() {
        let mut flipped = original.clone();
        flipped[at] ^= 0x04;
        fs::write(&file, &flipped).unwrap();
        match DiskLog::open(dir.path(), &settings()) {
            Ok(log) => {
                assert!(at >= last_batch || (61..69).contains(&at), "byte {at} was not noticed");
                let expected = if at >= last_batch { "1/1 1/2" } else { "1/1 1/2 1/3" };
                assert_eq!(all(&log, R1), expected, "byte {at}");
            }
            Err(Error::Damaged(_)) => {
                assert!(at < last_batch);
                assert_eq!(fs::read(&file).unwrap(), flipped, "a damaged log was written to");
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    for length in last_batch..original.len() {
        fs::write(&file, &original[..length]).unwrap();
        assert_eq!(all(&disk(dir.path()), R1), "1/1 1/2", "cut at {length}");
    }
    fs::remove_file(&file).unwrap();
    fs::write(dir.path().join("0000000000000001.raftlog.reserved"), []).unwrap();
    assert!(matches!(DiskLog::open(dir.path(), &settings()), Err(Error::Damaged(_))));
}
