//! The local engine: ordered maps on one disk (or in memory), written in atomic batches.
//!
//! A batch is visible to readers as a whole and survives a crash as a whole, but only [`Engine::persist`] makes it
//! durable: the Raft log is the redo log. After a crash the engine shows some prefix of the batches that were
//! written, at least up to the last persist; the range layer replays the rest from the log.
//!
//! Readers see the newest batches; a scan sees the state of the moment when it began. Reads never block on writes.
//!
//! Invariant: the engine never knows what a key means.

use crate::{Error, Keyspace, Span};
use bytes::Bytes;

mod disk;
mod memory;
#[cfg(test)]
mod tests;
pub use disk::{DiskEngine, EngineSettings};
pub use memory::MemoryEngine;

/// One write of a batch.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub enum Op {
    /// Sets `key` to `value`.
    Put {
        /// Which map.
        keyspace: Keyspace,
        /// The engine key.
        key: Vec<u8>,
        /// The new value.
        value: Vec<u8>,
    },
    /// Removes `key`; nothing happens if it is absent.
    Delete {
        /// Which map.
        keyspace: Keyspace,
        /// The engine key.
        key: Vec<u8>,
    },
}

/// A key with its value.
pub type Pair = (Bytes, Bytes);

/// An iterator over pairs in key order (or descending order).
pub type Pairs<'a> = Box<dyn Iterator<Item = Result<Pair, Error>> + Send + 'a>;

/// The ordered maps of one store. Shared by all readers; written by the apply thread only.
pub trait Engine: Send + Sync + std::fmt::Debug + 'static {
    /// The value of `key`, if present.
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// The pairs of `span`, ascending, as of now.
    fn scan<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a>;

    /// The pairs of `span`, descending, as of now.
    fn scan_reverse<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a>;

    /// A read view: later batches do not show in it. Source of images.
    fn view(&self) -> Box<dyn EngineView>;

    /// Applies all writes at once: visible together, surviving a crash together. Not yet durable.
    fn write(&self, ops: Vec<Op>) -> Result<(), Error>;

    /// Makes every batch written so far durable.
    fn persist(&self) -> Result<(), Error>;

    /// Approximate bytes held on disk or in memory, for status displays.
    fn size(&self) -> u64;
}

/// A read view of an [`Engine`].
pub trait EngineView: Send + Sync {
    /// The value of `key` in the view.
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, Error>;
    /// The pairs of `span` in the view, ascending.
    fn scan<'a>(&'a self, keyspace: Keyspace, span: &Span) -> Pairs<'a>;
}
