//! Opens what a node keeps: a data directory, or memory.

use super::options::{MemoryStorage, Storage};
use crate::error::{Error, Result, SqlState};
use quorate_net::identity::Identity;
use quorate_net::runtime::Runtime;
use quorate_storage::engine::{DiskEngine, EngineSettings};
use quorate_storage::log::{DiskLog, LogSettings};
use quorate_storage::{DataDir, Engine, Kept, LogStore, NodeId, codec};
use std::sync::Arc;

/// Small file that says whose directory this is.
const NODE_FILE: &str = "node";

/// What was opened, and what it says about the node.
pub(super) struct Opened {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) log: Arc<dyn LogStore>,
    /// Puts the files back as they were found, unless it is forgotten.
    pub(super) kept: Option<Kept>,
    pub(super) place: Place,
}

/// Where the node's own small facts are kept.
pub(super) enum Place {
    Memory(Arc<MemoryStorage>),
    Directory(DataDir),
}

/// Opens the storage; reading a large log takes time, so it runs on the blocking pool.
pub(super) async fn open(storage: Storage, cache_bytes: u64, runtime: &Runtime) -> Result<Opened> {
    let opened = runtime.blocking(move || match storage {
        Storage::Memory => Ok(open_memory(Arc::default())),
        Storage::Held(memory) => Ok(open_memory(memory)),
        Storage::Directory(path) => {
            let directory = DataDir::open(&path)?;
            let kept = directory.keep_tails()?;
            let settings = EngineSettings { cache_bytes, ..EngineSettings::default() };
            let engine = Arc::new(DiskEngine::open(&directory.engine(), &settings)?);
            let log = Arc::new(DiskLog::open(&directory.log(), &LogSettings::default())?);
            Ok(Opened { engine, log, kept: Some(kept), place: Place::Directory(directory) })
        }
    });
    let panicked = || Error::new(SqlState::INTERNAL_ERROR, "opening the data directory panicked");
    opened.await.ok_or_else(panicked)?.map_err(storage_error)
}

fn open_memory(memory: Arc<MemoryStorage>) -> Opened {
    let (engine, log) = memory.parts();
    Opened { engine, log, kept: None, place: Place::Memory(memory) }
}

impl Place {
    /// The node whose data this is; `None` if it is new.
    pub(super) fn node(&self) -> Result<Option<NodeId>> {
        match self {
            Place::Memory(memory) => Ok(memory.facts.lock().node),
            Place::Directory(directory) => {
                let bytes = directory.load(NODE_FILE).map_err(storage_error)?;
                bytes.map(|bytes| codec::decode(&bytes)).transpose().map_err(storage_error)
            }
        }
    }

    /// Notes whose data this is.
    pub(super) fn set_node(&self, node: NodeId) -> Result<()> {
        match self {
            Place::Memory(memory) => memory.facts.lock().node = Some(node),
            Place::Directory(directory) => {
                directory.store(NODE_FILE, &codec::encode(&node)).map_err(storage_error)?;
            }
        }
        Ok(())
    }

    /// The node's certificate and key, if it has them.
    pub(super) fn identity(&self) -> Result<Option<Identity>> {
        match self {
            Place::Memory(memory) => Ok(memory.facts.lock().identity.clone()),
            Place::Directory(directory) if Identity::exists(&directory.identity()) => {
                Identity::load(&directory.identity()).map(Some).map_err(super::membership::identity_error)
            }
            Place::Directory(_) => Ok(None),
        }
    }

    /// Keeps the node's certificate and key.
    pub(super) fn set_identity(&self, identity: &Identity) -> Result<()> {
        match self {
            Place::Memory(memory) => memory.facts.lock().identity = Some(identity.clone()),
            Place::Directory(directory) => {
                identity.save(&directory.identity()).map_err(super::membership::identity_error)?;
            }
        }
        Ok(())
    }

    /// The directory, to be unlocked last.
    pub(super) fn into_directory(self) -> Option<DataDir> {
        match self {
            Place::Memory(_) => None,
            Place::Directory(directory) => Some(directory),
        }
    }
}

/// A storage error as a client sees it.
pub(super) fn storage_error(error: quorate_storage::Error) -> Error {
    use quorate_storage::Error as Storage;
    let hint = match &error {
        Storage::Locked { .. } => Some("Stop that process, or connect to it."),
        Storage::Foreign { .. } => Some("Choose a directory that is new or empty."),
        Storage::Newer { .. } => Some("Use the release that wrote it, or a newer one."),
        Storage::Damaged(_) => {
            Some("Keep the directory for inspection, and let the node join again with an empty one.")
        }
        Storage::DiskFull(_) => Some("Free some space and start the node again; nothing acknowledged is lost."),
        _ => None,
    };
    let state = match &error {
        Storage::Locked { .. } => SqlState::OBJECT_IN_USE,
        Storage::Newer { .. } | Storage::Foreign { .. } => SqlState::CONFIG_FILE_ERROR,
        Storage::Damaged(_) | Storage::LogGap { .. } => SqlState::DATA_CORRUPTED,
        Storage::DiskFull(_) => SqlState::DISK_FULL,
        _ => SqlState::IO_ERROR,
    };
    let told = Error::new(state, error.to_string());
    match hint {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
}
