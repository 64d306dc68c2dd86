//! The keyspace map: who owns which first byte, and where a key's satellites live.
//!
//! ```text
//!  first byte   owner                                            range of a new cluster
//!  0x01         directory: range descriptors by end key          r1   [01, 02)
//!  0x02         timestamp oracle                                 r2   [02, 03)
//!  0x03         catalog, nodes, settings, tokens                 r3   [03, 10)
//!  0x04         records of arbiters of three-phase commit        r3
//!  0x10..0xfe   user tables and indexes                          r4   [10, ff)
//! ```
//!
//! Every keyspace of the engine is ordered so that the part that belongs to a span of keys is itself one span:
//!
//! ```text
//!  keyspace   engine key                              holds
//!  Data       key                                     newest version of the key, its ID in the value
//!  History    escape(key) 00 01 | !ID (8, BE)         older versions, newest first
//!  Lock       key                                     the intent on the key, at most one
//!  Record     escape(part_key) 00 01 | attempt (24)   participant records and attempt markers
//!  Local      range id (8, BE) | suffix               this replica's own state; never part of an image's spans
//! ```
//! `escape` writes 00 as 00 ff, so that `escape(k) 00 01` sorts as `k` does and no key is a prefix of another.

use bincode::{Decode, Encode};

/// First byte of the directory's keys.
pub const DIRECTORY_PREFIX: u8 = 0x01;
/// First byte of the oracle's keys.
pub const ORACLE_PREFIX: u8 = 0x02;
/// First byte of catalog, node, setting and token keys.
pub const CATALOG_PREFIX: u8 = 0x03;
/// First byte of the keys under which arbiters of three-phase commit keep their records; nothing else lies there.
pub const ARBITER_PREFIX: u8 = 0x04;
/// Smallest first byte of user tables.
pub const USER_PREFIX: u8 = 0x10;
/// End of the keyspace (exclusive, first byte).
pub const END_PREFIX: u8 = 0xff;

/// One of the engine's ordered maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Keyspace {
    /// Newest raft-committed version of each key.
    Data,
    /// Older versions.
    History,
    /// Intents.
    Lock,
    /// Participant records and markers.
    Record,
    /// Per-replica state: descriptor, applied index, floors.
    Local,
}

impl Keyspace {
    /// All keyspaces, in the order in which images carry them.
    pub const ALL: [Keyspace; 5] =
        [Keyspace::Data, Keyspace::History, Keyspace::Lock, Keyspace::Record, Keyspace::Local];
    /// The keyspaces that belong to a range by key.
    pub const BY_KEY: [Keyspace; 4] = [Keyspace::Data, Keyspace::History, Keyspace::Lock, Keyspace::Record];

    /// Stable name on disk.
    pub fn name(self) -> &'static str {
        match self {
            Keyspace::Data => "data",
            Keyspace::History => "history",
            Keyspace::Lock => "lock",
            Keyspace::Record => "record",
            Keyspace::Local => "local",
        }
    }
}

/// Ordered keys `[start, end)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Span {
    /// First key of the span.
    pub start: Vec<u8>,
    /// First key after the span.
    pub end: Vec<u8>,
}

impl Span {
    /// The span `[start, end)`.
    pub fn new(start: impl Into<Vec<u8>>, end: impl Into<Vec<u8>>) -> Span {
        Span { start: start.into(), end: end.into() }
    }

    /// The span that holds `key` alone.
    pub fn point(key: &[u8]) -> Span {
        let mut end = Vec::with_capacity(key.len() + 1);
        end.extend_from_slice(key);
        end.push(0);
        Span { start: key.to_vec(), end }
    }

    /// All keys that begin with `prefix`. A prefix of only `ff` bytes has no end inside the keyspace; callers never
    /// use one because [`END_PREFIX`] is outside of it.
    pub fn prefix(prefix: &[u8]) -> Span {
        Span { start: prefix.to_vec(), end: prefix_end(prefix) }
    }

    /// Whether `key` lies in the span.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && key < self.end.as_slice()
    }

    /// Whether the span holds all of `other`.
    pub fn covers(&self, other: &Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether the two spans share a key.
    pub fn overlaps(&self, other: &Span) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The part of the span inside `other`, if any.
    pub fn intersect(&self, other: &Span) -> Option<Span> {
        let start = self.start.as_slice().max(other.start.as_slice());
        let end = self.end.as_slice().min(other.end.as_slice());
        (start < end).then(|| Span::new(start, end))
    }

    /// Where this span of keys lives in `keyspace` (not for [`Keyspace::Local`]).
    pub fn in_keyspace(&self, keyspace: Keyspace) -> Span {
        match keyspace {
            Keyspace::Data | Keyspace::Lock | Keyspace::Local => self.clone(),
            Keyspace::History | Keyspace::Record => Span::new(escape(&self.start), escape(&self.end)),
        }
    }
}

/// The first key after every key that begins with `prefix`.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < 0xff {
            *last += 1;
            return end;
        }
        end.pop();
    }
    vec![0xff]
}

/// `key` with 00 written as 00 ff, without a terminator: a lower bound of everything under `key`.
pub fn escape(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 4);
    for &byte in key {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out
}

/// `escape(key) 00 01`: the prefix of the satellites of exactly this key.
pub fn escape_terminated(key: &[u8]) -> Vec<u8> {
    let mut out = escape(key);
    out.extend_from_slice(&[0, 1]);
    out
}

/// Reverses [`escape_terminated`]: the key, and the rest after the terminator. `None` if the bytes are not such a key.
pub fn unescape_terminated(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut key = Vec::with_capacity(bytes.len());
    let mut at = 0;
    loop {
        match (*bytes.get(at)?, bytes.get(at + 1)) {
            (0, Some(1)) => return Some((key, &bytes[at + 2..])),
            (0, Some(0xff)) => {
                key.push(0);
                at += 2;
            }
            (0, _) => return None,
            (byte, _) => {
                key.push(byte);
                at += 1;
            }
        }
    }
}

/// The key of `suffix` in a range's own part of [`Keyspace::Local`].
pub fn local_key(range: crate::RangeId, suffix: &[u8]) -> Vec<u8> {
    let mut key = range.0.to_be_bytes().to_vec();
    key.extend_from_slice(suffix);
    key
}
