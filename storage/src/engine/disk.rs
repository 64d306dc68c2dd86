//! The engine on disk: one fjall database (a log-structured merge tree in pure Rust), one fjall keyspace per keyspace.
//!
//! ```text
//!   write    -> fjall journal (buffered, no fsync) -> memtables -> visible
//!   persist  -> journal fsync
//!   flush    -> journal fsync, then memtable -> sorted table (fjall's threads)
//! ```
//! Because a flush fsyncs the journal first, no table holds more than the journal, and what a crash leaves is a prefix
//! of the batches over all keyspaces together.
//!
//! Inside fjall a batch becomes visible key by key, to plain lookups and even to a fjall snapshot that is taken while a
//! flush ends (the flush publishes a newer sequence number than that of the batch). A reader could then find neither an
//! intent nor the value that it became. So `batches` counts up before and after each batch: odd means that one is being
//! applied. What was read or taken at an even count that has not changed is whole; at an odd count readers use the
//! snapshot that the writer took before it began.
//!
//! fjall limits writers by sleeping (hundreds of milliseconds under heavy load): write from the apply thread only.
//!
//! A journal that is damaged in its middle is cut there by fjall without a word. Keyspaces that were flushed would then
//! be ahead of the others, so every batch also writes one key of a sixth fjall keyspace, `batch`, and opening compares
//! its newest sequence number with those of all tables. What was cut from all keyspaces alike is a prefix again; the
//! range layer finds out if it is shorter than the last checkpoint, because its applied index is then older than the
//! beginning of the Raft log.
//!
//! Invariant: readers never wait for a writer.

use super::{Engine, EngineView, Op, Pairs};
use crate::{Error, Keyspace, Span};
use bytes::Bytes;
use fjall::{AbstractTree, Database, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use parking_lot::{Mutex, RwLock};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Journal bytes after which the oldest memtables are flushed so that journals can go; bounds recovery time.
const JOURNAL_BYTES: u64 = 64 << 20;
/// Threads that flush and compact.
const WORKERS: usize = 2;
/// Table files kept open.
const OPEN_FILES: usize = 256;
/// The fjall keyspace that takes part in every batch, and its only key.
const EVERY_BATCH: &str = "batch";
/// Longest key that fjall stores.
const MAX_KEY_BYTES: usize = u16::MAX as usize;

/// How much memory a [`DiskEngine`] may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Block cache shared by all keyspaces, in bytes.
    pub cache_bytes: u64,
    /// Size at which the memtable of the data keyspace is flushed, in bytes; the others take a half or a quarter of
    /// it. Fixed when the directory is created. Up to five memtables of a keyspace can exist while flushes lag.
    pub memtable_bytes: u64,
}

impl Default for EngineSettings {
    fn default() -> EngineSettings {
        EngineSettings { cache_bytes: 128 << 20, memtable_bytes: 32 << 20 }
    }
}

impl EngineSettings {
    fn keyspace(&self, keyspace: Keyspace) -> KeyspaceCreateOptions {
        let share = match keyspace {
            Keyspace::Data => 1,
            Keyspace::History | Keyspace::Lock => 2,
            Keyspace::Record | Keyspace::Local => 4,
        };
        KeyspaceCreateOptions::default().max_memtable_size((self.memtable_bytes / share).max(1 << 20))
    }
}

type Keyspaces = [fjall::Keyspace; Keyspace::ALL.len()];

/// An [`Engine`] on disk.
pub struct DiskEngine {
    keyspaces: Keyspaces,
    every_batch: fjall::Keyspace,
    database: Database,
    path: PathBuf,
    /// Odd while a batch is being applied; see the head of this file.
    batches: AtomicU64,
    /// The state before the batch that is being applied. Held to exchange or clone the snapshot, never longer.
    before_batch: RwLock<Option<Snapshot>>,
    /// One writer at a time. Held for one batch, taken before `before_batch`; readers never take it.
    writer: Mutex<()>,
}

impl DiskEngine {
    /// Opens the engine in the directory `path`, which is created if it is missing or empty.
    ///
    /// # Errors
    /// [`Error::Locked`] if another engine has it open, [`Error::Damaged`] if files are missing or not as written,
    /// [`Error::DiskFull`] or [`Error::Io`] if the disk refuses.
    pub fn open(path: &Path, settings: &EngineSettings) -> Result<DiskEngine, Error> {
        check_version_marker(path)?;
        // fjall asserts what it reads from its own metadata: a panic here is damage.
        let opened = catch_unwind(AssertUnwindSafe(|| open_database(path, settings)));
        let (database, keyspaces, every_batch) = match opened {
            Ok(opened) => opened.map_err(|error| map_error(error, path, "opening"))?,
            Err(_) => return Err(Error::Damaged(format!("{} cannot be opened", path.display()))),
        };
        check_level(&keyspaces, &every_batch, path)?;
        Ok(DiskEngine {
            keyspaces,
            every_batch,
            database,
            path: path.to_path_buf(),
            batches: AtomicU64::new(0),
            before_batch: RwLock::new(None),
            writer: Mutex::new(()),
        })
    }

    /// Moves memtables into tables, so that tests meet both.
    #[cfg(test)]
    pub(super) fn flush(&self, keyspaces: &[Keyspace]) -> Result<(), Error> {
        let mut flushed = keyspaces.iter().map(|&keyspace| self.keyspace(keyspace).rotate_memtable_and_wait());
        flushed.try_for_each(|flushed| flushed.map_err(|error| self.read_error(error)))
    }

    fn keyspace(&self, keyspace: Keyspace) -> &fjall::Keyspace {
        &self.keyspaces[keyspace as usize]
    }

    /// A snapshot that holds whole batches only.
    fn snapshot(&self) -> Snapshot {
        loop {
            let count = self.batches.load(Ordering::Acquire);
            if count.is_multiple_of(2) {
                let snapshot = self.database.snapshot();
                if self.is_unchanged(count) {
                    return snapshot;
                }
            } else if let Some(snapshot) = &*self.before_batch.read() {
                return snapshot.clone();
            }
        }
    }

    /// Whether no batch was begun or ended since `count` was read.
    fn is_unchanged(&self, count: u64) -> bool {
        fence(Ordering::Acquire);
        self.batches.load(Ordering::Relaxed) == count
    }

    fn read_error(&self, error: fjall::Error) -> Error {
        map_error(error, &self.path, "reading")
    }

    fn batch(&self, ops: Vec<Op>) -> Result<fjall::OwnedWriteBatch, Error> {
        let mut batch = fjall::OwnedWriteBatch::with_capacity(self.database.clone(), ops.len() + 1);
        batch.insert(&self.every_batch, EVERY_BATCH, Vec::new());
        for op in ops {
            let (Op::Put { key, .. } | Op::Delete { key, .. }) = &op;
            if key.is_empty() || key.len() > MAX_KEY_BYTES {
                let source = std::io::Error::new(ErrorKind::InvalidInput, "keys have 1 to 65535 bytes");
                return Err(Error::io(format!("writing a key of {} bytes", key.len()), source));
            }
            match op {
                Op::Put { keyspace, key, value } => batch.insert(self.keyspace(keyspace), key, value),
                Op::Delete { keyspace, key } => batch.remove(self.keyspace(keyspace), key),
            }
        }
        Ok(batch)
    }
}

fn open_database(path: &Path, settings: &EngineSettings) -> fjall::Result<(Database, Keyspaces, fjall::Keyspace)> {
    let database = Database::builder(path)
        .cache_size(settings.cache_bytes)
        .max_journaling_size(JOURNAL_BYTES)
        .max_cached_files(Some(OPEN_FILES))
        .worker_threads(WORKERS)
        .manual_journal_persist(true)
        .open()?;
    let every_batch = database.keyspace(EVERY_BATCH, || settings.keyspace(Keyspace::Local))?;
    let mut opened = Vec::with_capacity(Keyspace::ALL.len());
    for keyspace in Keyspace::ALL {
        opened.push(database.keyspace(keyspace.name(), || settings.keyspace(keyspace))?);
    }
    let keyspaces = opened.try_into();
    assert!(keyspaces.is_ok(), "the loop above opens one fjall keyspace for each keyspace");
    keyspaces.map(|keyspaces| (database, keyspaces, every_batch)).map_err(|_| fjall::Error::Unrecoverable)
}

/// Refuses tables that hold a later batch than the newest one of which all keyspaces know.
fn check_level(keyspaces: &Keyspaces, every_batch: &fjall::Keyspace, path: &Path) -> Result<(), Error> {
    let newest = every_batch.tree.get_highest_seqno();
    let ahead = keyspaces.iter().find(|keyspace| keyspace.tree.get_highest_persisted_seqno() > newest);
    match ahead {
        None => Ok(()),
        Some(ahead) => {
            let what = format!("the journal in {} ends before the tables of keyspace {}", path.display(), ahead.name());
            Err(Error::Damaged(what))
        }
    }
}

/// fjall takes a directory without its `version` file for a new one, and then stumbles over the files that are there.
/// The version file is written before the first keyspace: if a keyspace exists, the file was lost; if none does, a
/// crash interrupted the creation and nothing was stored yet.
fn check_version_marker(path: &Path) -> Result<(), Error> {
    if !path.exists() || path.join("version").exists() {
        return Ok(());
    }
    if path.join("keyspaces").join("0").exists() {
        return Err(Error::Damaged(format!("{} lacks its version file", path.display())));
    }
    std::fs::remove_dir_all(path).map_err(|error| Error::io(format!("clearing {}", path.display()), error))
}

impl Engine for DiskEngine {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let keyspace = self.keyspace(keyspace);
        let count = self.batches.load(Ordering::Acquire);
        if count.is_multiple_of(2) {
            let value = keyspace.get(key).map_err(|error| self.read_error(error))?;
            if self.is_unchanged(count) {
                return Ok(value.map(Bytes::from));
            }
        }
        let value = self.snapshot().get(keyspace, key).map_err(|error| self.read_error(error))?;
        Ok(value.map(Bytes::from))
    }

    fn scan<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a> {
        pairs(&self.snapshot(), self.keyspace(keyspace), &self.path, span, false)
    }

    fn scan_reverse<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a> {
        pairs(&self.snapshot(), self.keyspace(keyspace), &self.path, span, true)
    }

    fn view(&self) -> Box<dyn EngineView> {
        Box::new(DiskView { snapshot: self.snapshot(), keyspaces: self.keyspaces.clone(), path: self.path.clone() })
    }

    fn write(&self, ops: Vec<Op>) -> Result<(), Error> {
        let batch = self.batch(ops)?;
        let _one_writer = self.writer.lock();
        *self.before_batch.write() = Some(self.database.snapshot());
        self.batches.fetch_add(1, Ordering::AcqRel);
        let result = batch.commit();
        self.batches.fetch_add(1, Ordering::AcqRel);
        *self.before_batch.write() = None;
        result.map_err(|error| map_error(error, &self.path, "writing"))
    }

    fn persist(&self) -> Result<(), Error> {
        self.database.persist(PersistMode::SyncAll).map_err(|error| map_error(error, &self.path, "syncing"))
    }

    fn size(&self) -> u64 {
        self.keyspaces.iter().map(fjall::Keyspace::disk_space).sum::<u64>() + self.database.write_buffer_size()
    }
}

impl std::fmt::Debug for DiskEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskEngine").field("path", &self.path).finish_non_exhaustive()
    }
}

struct DiskView {
    snapshot: Snapshot,
    keyspaces: Keyspaces,
    path: PathBuf,
}

impl EngineView for DiskView {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let value = self.snapshot.get(&self.keyspaces[keyspace as usize], key);
        Ok(value.map_err(|error| map_error(error, &self.path, "reading"))?.map(Bytes::from))
    }

    fn scan<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a> {
        pairs(&self.snapshot, &self.keyspaces[keyspace as usize], &self.path, span, false)
    }
}

fn pairs<'a>(snapshot: &Snapshot, keyspace: &fjall::Keyspace, path: &'a Path, span: &Span, reverse: bool) -> Pairs<'a> {
    if span.start >= span.end {
        return Box::new(std::iter::empty());
    }
    let guards = snapshot.range(keyspace, span.start.as_slice()..span.end.as_slice());
    let read = move |guard: fjall::Guard| match guard.into_inner() {
        Ok((key, value)) => Ok((Bytes::from(key), Bytes::from(value))),
        Err(error) => Err(map_error(error, path, "reading")),
    };
    if reverse { Box::new(guards.rev().map(read)) } else { Box::new(guards.map(read)) }
}

fn map_error(error: fjall::Error, path: &Path, doing: &str) -> Error {
    match error {
        fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => {
            let what = format!("{doing} {}", path.display());
            match source.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::NotFound => {
                    Error::Damaged(format!("{what}: {source}"))
                }
                _ => Error::io(what, source),
            }
        }
        fjall::Error::Locked => Error::Locked { dir: path.to_path_buf(), pid: 0 },
        fjall::Error::Poisoned => Error::Poisoned(format!("an earlier write to {} failed", path.display())),
        damage => Error::Damaged(format!("{doing} {}: {damage}", path.display())),
    }
}
