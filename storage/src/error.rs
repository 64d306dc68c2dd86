//! Storage errors, by what the caller does next.

use crate::RangeId;
use std::path::PathBuf;
use std::sync::Arc;

/// Why storage failed. Everything but [`Error::Locked`], [`Error::Foreign`] and [`Error::Newer`] stops the node: a failed write, a torn
/// record or a checksum mismatch is never retried or skipped.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the directory open: stop it, or connect to it.
    #[error("data directory {} is in use by process {pid}", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Its owner; 0 if it could not be read.
        pid: u32,
    },
    /// The directory holds files of somebody else: choose another one.
    #[error("{} is not empty and holds no Quorate data", dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
    },
    /// Written by a newer release: use that release.
    #[error("data directory {} has format {found}; this release reads up to {known}", dir.display())]
    Newer {
        /// The directory.
        dir: PathBuf,
        /// The version found.
        found: u32,
        /// The newest version that this release reads.
        known: u32,
    },
    /// Bytes on disk are not what was written: restore this node from its peers.
    #[error("data on disk is damaged: {0}")]
    Damaged(String),
    /// The disk has no room: free some, then restart; nothing acknowledged is lost.
    #[error("disk full while writing {0}")]
    DiskFull(String),
    /// The disk refused: the node stops.
    #[error("input/output error on {what}: {source}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The cause.
        source: Arc<std::io::Error>,
    },
    /// Entries that were asked for are not in the log (truncated, or lost).
    #[error("log of {range} does not hold entries {low}..{high}")]
    LogGap {
        /// Whose log.
        range: RangeId,
        /// First entry asked for.
        low: u64,
        /// First entry after those asked for.
        high: u64,
    },
    /// An earlier failure stopped this store; the first failure's text is kept.
    #[error("the store stopped: {0}")]
    Poisoned(String),
}

impl Error {
    /// Wraps an input/output error, telling a full disk from the others.
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Error {
        if source.kind() == std::io::ErrorKind::StorageFull || source.raw_os_error() == Some(28) {
            Error::DiskFull(what.into())
        } else {
            Error::Io { what: what.into(), source: Arc::new(source) }
        }
    }
}
