//! What a replica keeps about itself in [`Keyspace::Local`], under its range id.
//!
//! ```text
//!  suffix        value                              written
//!  replica       replica id                         when the replica is created, even before it has data
//!  descriptor    RangeDescriptor                    by splits, membership changes and images
//!  applied       index (8, BE) | term (8, BE)       with every engine batch of the range
//!  initial       index (8, BE) | term (8, BE)       the position that the replica's log begins after
//!  floor/...     owned by the transaction layer     copied to the right side of a split, carried by images
//!  tombstone     smallest replica id allowed        when a replica of this range was removed from this store
//!  unfinished    Span                               while data of the span is being deleted or replaced
//! ```
//! `initial` is the bootstrap position, or that of the newest image. Once the log is truncated, its first entry says
//! where it begins; the engine was persisted before, so applied >= that.
//!
//! Invariant: `descriptor`, `applied` and `initial` exist together (an initialized replica) or not at all.

use super::RangeDescriptor;
use crate::engine::EngineView;
use crate::keys::local_key;
use crate::{Engine, Error, Keyspace, Op, RangeId, ReplicaId, Span, codec};
use std::collections::BTreeMap;

/// Term of the entries that a bootstrapped or split range is thought to have.
pub const FIRST_TERM: u64 = 5;
/// Index of the last of them: a replica that joins later needs an image, since these entries do not exist.
pub const FIRST_INDEX: u64 = 10;

/// Prefix of the suffixes that the transaction layer owns.
pub const FLOOR: &[u8] = b"floor/";

const REPLICA: &[u8] = b"replica";
const DESCRIPTOR: &[u8] = b"descriptor";
const APPLIED: &[u8] = b"applied";
const INITIAL: &[u8] = b"initial";
const TOMBSTONE: &[u8] = b"tombstone";
const UNFINISHED: &[u8] = b"unfinished";

/// A position in a log: index and term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Index of the entry.
    pub index: u64,
    /// Its term.
    pub term: u64,
}

impl Position {
    /// Where the log of a new range begins.
    pub const FIRST: Position = Position { index: FIRST_INDEX, term: FIRST_TERM };

    fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16);
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes.extend_from_slice(&self.term.to_be_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Position, Error> {
        let (Some((index, rest)), 16) = (bytes.split_first_chunk::<8>(), bytes.len()) else {
            return Err(Error::Damaged("a log position is not 16 bytes long".into()));
        };
        let term = rest.first_chunk::<8>().copied().unwrap_or_default();
        Ok(Position { index: u64::from_be_bytes(*index), term: u64::from_be_bytes(term) })
    }
}

/// Everything in [`Keyspace::Local`] about one range on this store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalState {
    /// This store's replica, initialized or not.
    pub replica: Option<ReplicaId>,
    /// The range, if the replica holds data.
    pub descriptor: Option<RangeDescriptor>,
    /// Newest applied entry.
    pub applied: Position,
    /// Where the log began when the replica was created.
    pub initial: Position,
    /// Smallest replica id that may be created here.
    pub tombstone: Option<ReplicaId>,
    /// Data of this span must be deleted before anything else happens.
    pub unfinished: Option<Span>,
}

/// Reads one range's state.
pub fn load(engine: &dyn Engine, range: RangeId) -> Result<LocalState, Error> {
    let get = |suffix: &[u8]| engine.get(Keyspace::Local, &local_key(range, suffix));
    let mut state = LocalState::default();
    for suffix in [REPLICA, DESCRIPTOR, APPLIED, INITIAL, TOMBSTONE, UNFINISHED] {
        if let Some(value) = get(suffix)? {
            state.set(suffix, Some(&value))?;
        }
    }
    Ok(state)
}

/// Descriptor and applied position of a range in a view; `None` if the view holds no initialized replica of it.
pub fn load_view(view: &dyn EngineView, range: RangeId) -> Result<Option<(RangeDescriptor, Position)>, Error> {
    let Some(descriptor) = view.get(Keyspace::Local, &local_key(range, DESCRIPTOR))? else {
        return Ok(None);
    };
    let Some(applied) = view.get(Keyspace::Local, &local_key(range, APPLIED))? else {
        return Ok(None);
    };
    Ok(Some((codec::decode(&descriptor)?, Position::parse(&applied)?)))
}

/// Reads the states of all ranges that this store knows something about.
pub fn load_all(engine: &dyn Engine) -> Result<BTreeMap<RangeId, LocalState>, Error> {
    let mut states: BTreeMap<RangeId, LocalState> = BTreeMap::new();
    for pair in engine.scan(Keyspace::Local, &Span::new(Vec::new(), vec![0xff; 9])) {
        let (key, value) = pair?;
        let Some((range, suffix)) = key.split_first_chunk::<8>() else {
            return Err(Error::Damaged("a local key is shorter than a range id".into()));
        };
        states.entry(RangeId(u64::from_be_bytes(*range))).or_default().set(suffix, Some(&value))?;
    }
    Ok(states)
}

impl LocalState {
    /// Takes in a write (`None`: a deletion) of the key with this suffix; one that is not ours changes nothing.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the value is not what is written under this suffix.
    pub fn set(&mut self, suffix: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        match suffix {
            REPLICA => self.replica = value.map(codec::decode).transpose()?,
            DESCRIPTOR => self.descriptor = value.map(codec::decode).transpose()?,
            APPLIED => self.applied = value.map(Position::parse).transpose()?.unwrap_or_default(),
            INITIAL => self.initial = value.map(Position::parse).transpose()?.unwrap_or_default(),
            TOMBSTONE => self.tombstone = value.map(codec::decode).transpose()?,
            UNFINISHED => self.unfinished = value.map(codec::decode).transpose()?,
            _ => {}
        }
        Ok(())
    }

    /// Whether a replica with this id may be created here.
    pub fn allows(&self, replica: ReplicaId) -> bool {
        self.tombstone.is_none_or(|smallest| smallest <= replica)
    }
}

/// The write that sets the replica id.
pub fn put_replica(range: RangeId, replica: ReplicaId) -> Op {
    put(range, REPLICA, codec::encode(&replica))
}

/// The write that sets the descriptor.
pub fn put_descriptor(descriptor: &RangeDescriptor) -> Op {
    put(descriptor.id, DESCRIPTOR, codec::encode(descriptor))
}

/// The write that sets the applied position.
pub fn put_applied(range: RangeId, applied: Position) -> Op {
    put(range, APPLIED, applied.bytes())
}

/// The write that sets the position after which the log begins.
pub fn put_initial(range: RangeId, initial: Position) -> Op {
    put(range, INITIAL, initial.bytes())
}

/// The write that forbids replicas with a smaller id.
pub fn put_tombstone(range: RangeId, smallest: ReplicaId) -> Op {
    put(range, TOMBSTONE, codec::encode(&smallest))
}

/// The write that says that the data of `span` is being deleted or replaced.
pub fn put_unfinished(range: RangeId, span: &Span) -> Op {
    put(range, UNFINISHED, codec::encode(span))
}

/// The write that says that it is done.
pub fn delete_unfinished(range: RangeId) -> Op {
    delete(range, UNFINISHED)
}

/// The write that forgets the replica id.
pub fn delete_replica(range: RangeId) -> Op {
    delete(range, REPLICA)
}

/// The writes that turn an initialized replica into an uninitialized one, floors included.
pub fn delete_state(engine: &dyn Engine, range: RangeId) -> Result<Vec<Op>, Error> {
    let mut ops: Vec<Op> = [DESCRIPTOR, APPLIED, INITIAL].iter().map(|suffix| delete(range, suffix)).collect();
    for (suffix, _) in floors(|span| engine.scan(Keyspace::Local, span), range)? {
        ops.push(delete(range, &suffix));
    }
    Ok(ops)
}

/// Suffix and value of one floor.
pub type Floor = (Vec<u8>, Vec<u8>);

/// The floors of a range, as suffix and value, from any scan of [`Keyspace::Local`].
pub fn floors<'a>(scan: impl FnOnce(&Span) -> crate::engine::Pairs<'a>, range: RangeId) -> Result<Vec<Floor>, Error> {
    let prefix = local_key(range, FLOOR);
    let mut found = Vec::new();
    for pair in scan(&Span::prefix(&prefix)) {
        let (key, value) = pair?;
        found.push((key[8..].to_vec(), value.to_vec()));
    }
    Ok(found)
}

/// The write of one floor.
pub fn put_floor(range: RangeId, suffix: &[u8], value: Vec<u8>) -> Op {
    put(range, suffix, value)
}

fn put(range: RangeId, suffix: &[u8], value: Vec<u8>) -> Op {
    Op::Put { keyspace: Keyspace::Local, key: local_key(range, suffix), value }
}

fn delete(range: RangeId, suffix: &[u8]) -> Op {
    Op::Delete { keyspace: Keyspace::Local, key: local_key(range, suffix) }
}
