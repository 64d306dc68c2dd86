//! The Raft log on disk: one raft-engine for all groups of the store.
//!
//! ```text
//!   append     one raft-engine batch: [clear] [drop below] entries, hard state, [drop below] per group; one fsync
//!   truncate   without fsync it waits in memory and joins the next append: a crash may bring the entries back
//!   purge      whole files are recycled once nothing in them is needed; a few old entries are moved (rewrite queue)
//! ```
//! Files that were written before are written again (recycled): overwriting halves the latency of an fsync.
//!
//! Failure: after any error the log is poisoned and refuses to append. raft-engine panics when an fsync fails, because
//! the pages are gone then and a second fsync would lie; the owner of the thread lets the process die, or poisons the
//! embedded node. Damage found by a checksum is refused, with one exception: a batch that was torn while it was written
//! is cut off, since nobody was told about it ([`super::torn`] proves that).
//!
//! Invariant: batches are written one after the other, each durable before the next begins.

use super::check::{check_append, only_truncates, select};
use super::tail::Tail;
use super::{GroupAppend, LogBatch, LogStore, torn};
use crate::directory::sync_dir;
use crate::{Error, RangeId};
use parking_lot::Mutex;
use raft::eraftpb::{Entry, HardState};
use raft_engine::{Command, Config, Engine, MessageExt, ReadableSize, RecoveryMode};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Key of a group's hard state among its key-values.
const HARD_STATE_KEY: &[u8] = b"hard";
/// What belongs to the store lies in this group, which no range has.
const STORE_GROUP: u64 = 0;
/// Key of [`LogStore::granted`] there.
const GRANTED_KEY: &[u8] = b"granted";
/// Most bytes of entries that one read returns, whatever the caller allows.
const MAX_READ_BYTES: u64 = 1 << 30;

/// How much disk and memory a [`DiskLog`] may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Size of a log file, in bytes.
    pub segment_bytes: u64,
    /// Size of all log files above which [`LogStore::purge`] reclaims some, in bytes.
    pub purge_bytes: u64,
    /// Recent entries kept in memory, in bytes.
    pub tail_bytes: u64,
}

impl Default for LogSettings {
    fn default() -> LogSettings {
        LogSettings { segment_bytes: 32 << 20, purge_bytes: 256 << 20, tail_bytes: 16 << 20 }
    }
}

/// Tells raft-engine which entries a log has.
struct Entries;

impl MessageExt for Entries {
    type Entry = Entry;

    fn index(entry: &Entry) -> u64 {
        entry.index
    }
}

/// What readers need beside the files.
#[derive(Debug)]
struct Recent {
    tail: Tail,
    /// Truncations that wait for the next append: entries below are hidden.
    hidden: BTreeMap<RangeId, u64>,
}

/// A [`LogStore`] on disk.
pub struct DiskLog {
    engine: Engine,
    path: PathBuf,
    /// One writer at a time; holds the first failure. Held for one append with its fsync, and taken before `recent`.
    failure: Mutex<Option<String>>,
    /// Held for one lookup or for taking over one batch, never during input or output.
    recent: Mutex<Recent>,
}

impl DiskLog {
    /// Opens the log in the directory `path`, which is created if it is missing. Its parent must exist.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a batch that was durable is broken or files are missing, [`Error::Locked`] if another log
    /// has it open, [`Error::DiskFull`] or [`Error::Io`] if the disk refuses.
    pub fn open(path: &Path, settings: &LogSettings) -> Result<DiskLog, Error> {
        prepare(path)?;
        let engine = Engine::open(config(path, settings)?).map_err(|error| map_open_error(error, path))?;
        let recent = Recent { tail: Tail::new(settings.tail_bytes), hidden: BTreeMap::new() };
        let path = path.to_path_buf();
        Ok(DiskLog { engine, path, failure: Mutex::new(None), recent: Mutex::new(recent) })
    }

    fn bounds_above(&self, range: RangeId, hidden: Option<u64>) -> Option<(u64, u64)> {
        let first = self.engine.first_index(range.0)?.max(hidden.unwrap_or(0));
        let last = self.engine.last_index(range.0)?;
        (first <= last).then_some((first, last))
    }

    fn hide(&self, batch: &LogBatch) {
        let mut recent = self.recent.lock();
        for group in &batch.groups {
            let Some(to) = group.truncate_to else { continue };
            let hidden = recent.hidden.entry(group.range).or_default();
            *hidden = to.max(*hidden);
            recent.tail.truncate(group.range, to);
        }
    }

    /// Writes the batch behind the waiting truncations. The caller holds `failure`.
    fn write(&self, batch: LogBatch) -> Result<(), Error> {
        let mut encoded = raft_engine::LogBatch::with_capacity(batch.groups.len() * 2);
        {
            let recent = self.recent.lock();
            for group in &batch.groups {
                check_append(group, self.bounds_above(group.range, recent.hidden.get(&group.range).copied()))?;
            }
            for (range, index) in &recent.hidden {
                encoded.add_command(range.0, Command::Compact { index: *index });
            }
        }
        for group in &batch.groups {
            encode(group, &mut encoded).map_err(|error| map_error(error, &self.path))?;
        }
        if let Some(granted) = batch.granted {
            let put = encoded.put(STORE_GROUP, GRANTED_KEY.to_vec(), granted.to_le_bytes().to_vec());
            put.map_err(|error| map_error(error, &self.path))?;
        }
        self.engine.write(&mut encoded, true).map_err(|error| map_error(error, &self.path))?;
        let mut recent = self.recent.lock();
        recent.hidden.clear();
        batch.groups.into_iter().for_each(|group| recent.tail.append(group));
        Ok(())
    }

    /// Runs `write` unless an earlier one failed; remembers its failure.
    fn unless_poisoned<T>(&self, write: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let mut failure = self.failure.lock();
        if let Some(first) = &*failure {
            return Err(Error::Poisoned(first.clone()));
        }
        let result = write();
        if let Err(error) = &result {
            *failure = Some(error.to_string());
        }
        result
    }
}

impl LogStore for DiskLog {
    fn append(&self, batch: LogBatch, sync: bool) -> Result<(), Error> {
        self.unless_poisoned(|| {
            if !sync && only_truncates(&batch) {
                self.hide(&batch);
                return Ok(());
            }
            self.write(batch)
        })
    }

    fn entries(&self, range: RangeId, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, Error> {
        if low >= high {
            return Ok(Vec::new());
        }
        let gap = || Error::LogGap { range, low, high };
        let bounds = {
            let recent = self.recent.lock();
            let held = recent.tail.entries(range).filter(|held| held.front().is_some_and(|entry| entry.index <= low));
            if let Some(held) = held {
                let bounds = held.front().zip(held.back()).map(|(first, last)| (first.index, last.index));
                return select(held, bounds, low, high, max_bytes).ok_or_else(gap);
            }
            self.bounds_above(range, recent.hidden.get(&range).copied())
        };
        let (first, last) = bounds.ok_or_else(gap)?;
        if low < first || high > last.saturating_add(1) {
            return Err(gap());
        }
        let mut entries = Vec::new();
        let max_bytes = max_bytes.min(MAX_READ_BYTES) as usize;
        match self.engine.fetch_entries_to::<Entries>(range.0, low, high, Some(max_bytes), &mut entries) {
            Ok(_) => Ok(entries),
            Err(raft_engine::Error::EntryCompacted | raft_engine::Error::EntryNotFound) => Err(gap()),
            Err(error) => Err(map_error(error, &self.path)),
        }
    }

    fn bounds(&self, range: RangeId) -> Result<Option<(u64, u64)>, Error> {
        let hidden = self.recent.lock().hidden.get(&range).copied();
        Ok(self.bounds_above(range, hidden))
    }

    fn hard_state(&self, range: RangeId) -> Result<Option<HardState>, Error> {
        self.engine.get_message(range.0, HARD_STATE_KEY).map_err(|error| map_error(error, &self.path))
    }

    fn granted(&self) -> Result<u64, Error> {
        let Some(found) = self.engine.get(STORE_GROUP, GRANTED_KEY) else { return Ok(0) };
        let damaged = || Error::Damaged(format!("{}: what was granted is not 8 bytes long", self.path.display()));
        found.try_into().map(u64::from_le_bytes).map_err(|_| damaged())
    }

    fn groups(&self) -> Result<Vec<RangeId>, Error> {
        let mut groups = self.engine.raft_groups();
        groups.retain(|&group| {
            self.engine.last_index(group).is_some() || self.engine.get(group, HARD_STATE_KEY).is_some()
        });
        groups.sort_unstable();
        Ok(groups.into_iter().map(RangeId).collect())
    }

    fn purge(&self) -> Result<Vec<RangeId>, Error> {
        self.unless_poisoned(|| {
            let nothing_waits = self.recent.lock().hidden.is_empty();
            if nothing_waits { Ok(()) } else { self.write(LogBatch::default()) }
        })?;
        let pinned = self.engine.purge_expired_files().map_err(|error| map_error(error, &self.path));
        let pinned = self.unless_poisoned(|| pinned)?;
        Ok(pinned.into_iter().map(RangeId).collect())
    }
}

impl std::fmt::Debug for DiskLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskLog").field("path", &self.path).finish_non_exhaustive()
    }
}

fn encode(group: &GroupAppend, batch: &mut raft_engine::LogBatch) -> raft_engine::Result<()> {
    let range = group.range.0;
    if group.reset {
        batch.add_command(range, Command::Clean);
    }
    batch.add_entries::<Entries>(range, &group.entries)?;
    if let Some(hard_state) = &group.hard_state {
        batch.put_message(range, HARD_STATE_KEY.to_vec(), hard_state)?;
    }
    if let Some(index) = group.truncate_to {
        batch.add_command(range, Command::Compact { index });
    }
    Ok(())
}

fn config(path: &Path, settings: &LogSettings) -> Result<Config, Error> {
    let what = || format!("opening {}", path.display());
    let invalid = || std::io::Error::new(ErrorKind::InvalidInput, "the path is not valid UTF-8");
    let dir = path.to_str().ok_or_else(|| Error::io(what(), invalid()))?.to_owned();
    Ok(Config {
        dir,
        recovery_mode: RecoveryMode::TolerateTailCorruption,
        recovery_threads: 2,
        batch_compression_threshold: ReadableSize(0),
        target_file_size: ReadableSize(settings.segment_bytes),
        purge_threshold: ReadableSize(settings.purge_bytes),
        enable_log_recycle: true,
        ..Config::default()
    })
}

/// Makes a new directory a log with a first file, and checks the newest files of an existing one.
fn prepare(path: &Path) -> Result<(), Error> {
    let failed = |error| Error::io(format!("creating {}", path.display()), error);
    if !path.exists() {
        std::fs::create_dir(path).map_err(failed)?;
        sync_dir(path.parent().unwrap_or(path))?;
    }
    match torn::has_files(path)? {
        (true, true) => torn::check_tail(path),
        (true, false) => Err(Error::Damaged(format!("{} lacks its log files", path.display()))),
        (false, _) => {
            let modified = path.metadata().and_then(|dir| dir.modified()).map_err(failed)?;
            let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            let mut hash = crc32fast::Hasher::new();
            hash.update(path.as_os_str().as_encoded_bytes());
            hash.update(&modified.to_le_bytes());
            torn::write_first_file(path, (u64::from(hash.finalize()) << 20) | 1)?;
            sync_dir(path)
        }
    }
}

fn map_open_error(error: raft_engine::Error, path: &Path) -> Error {
    match error {
        // Recovery cuts a broken file, which fails for the older ones because they are open for reading only.
        raft_engine::Error::Io(source) if source.kind() == ErrorKind::InvalidInput => {
            Error::Damaged(format!("{}: an older file is broken ({source})", path.display()))
        }
        raft_engine::Error::Other(other) if other.to_string().contains("lock file") => {
            Error::Locked { dir: path.to_path_buf(), pid: 0 }
        }
        other => map_error(other, path),
    }
}

fn map_error(error: raft_engine::Error, path: &Path) -> Error {
    let what = path.display().to_string();
    match error {
        raft_engine::Error::Io(source) if source.kind() == ErrorKind::UnexpectedEof => {
            Error::Damaged(format!("{what}: {source}"))
        }
        raft_engine::Error::Io(source) => Error::io(what, source),
        raft_engine::Error::TryAgain(text) if text.contains("nospace") => Error::DiskFull(what),
        damage @ (raft_engine::Error::Corruption(_)
        | raft_engine::Error::Codec(_)
        | raft_engine::Error::Protobuf(_)) => Error::Damaged(format!("{what}: {damage}")),
        other => Error::io(what, std::io::Error::other(other)),
    }
}
