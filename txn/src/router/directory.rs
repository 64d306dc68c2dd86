//! The directory: where ranges are, served by the leader of r1.
//!
//! ```text
//!   Data  01 'd' | end key   descriptor of the range that ends there
//!         01 'n'             the last range id given out (8 bytes, big endian)
//! ```
//! Descriptors are keyed by end, so that the range of a key is one seek: the first entry behind the key. They are hints;
//! who meets a newer descriptor writes it here, compared by (generation, conf_ver), so an entry never goes back. After
//! a split the parent's entry stays until the right half overwrites it; until then a lookup may lead to the parent,
//! which knows better.
//!
//! Invariant: a range id is given out once.

use crate::service::{Answer, Service, kind};
use bincode::{Decode, Encode};
use quorate_storage::keys::DIRECTORY_PREFIX;
use quorate_storage::{
    Command, DIRECTORY_RANGE, Engine, Error, Expect, FIRST_USER_RANGE, Guard, Keyspace, Op, Outcome, RangeDescriptor,
    RangeId, Role, Span, StoreHandle, codec,
};
use std::sync::Arc;

const DESCRIPTORS: [u8; 2] = [DIRECTORY_PREFIX, b'd'];
const LAST_ID: [u8; 2] = [DIRECTORY_PREFIX, b'n'];
/// Descriptors in one answer to [`DirectoryRequest::List`].
const MOST_LISTED: usize = 1_000;

/// What is asked of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DirectoryRequest {
    /// The range that holds this key.
    Holding(Vec<u8>),
    /// The range that holds the largest keys below this one.
    Below(Vec<u8>),
    /// Ranges in key order, from the one that ends behind this key on; a bounded number.
    List(Vec<u8>),
    /// Notes these descriptors where they are newer than what is known.
    Update(Vec<RangeDescriptor>),
    /// A range id that nobody else gets.
    NewRange,
}

/// The directory's answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DirectoryReply {
    /// Descriptors found.
    Found(Vec<RangeDescriptor>),
    /// Noted.
    Updated,
    /// The id.
    NewRange(RangeId),
}

/// The directory of this node's replica of r1. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DirectoryService {
    store: StoreHandle,
    engine: Arc<dyn Engine>,
    /// Held from reading an entry until its replacement is applied.
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl Service for DirectoryService {
    const RANGE: RangeId = DIRECTORY_RANGE;
    const KIND: u16 = kind::DIRECTORY;
    type Request = DirectoryRequest;
    type Reply = DirectoryReply;

    async fn serve(&self, request: &DirectoryRequest) -> Answer<DirectoryReply> {
        match self.store.view(DIRECTORY_RANGE).map(|view| view.role) {
            None => return Answer::NotLeader(None),
            Some(Role::Follower(leader)) => return Answer::NotLeader(leader),
            Some(Role::Candidate) => return Answer::NotReady,
            Some(Role::Leader) => {}
        }
        match self.answer(request).await {
            Ok(Some(reply)) => Answer::Done(reply),
            Ok(None) => Answer::NotReady,
            Err(error) => {
                tracing::error!(%error, "the directory cannot read its state");
                Answer::NotReady
            }
        }
    }
}

impl DirectoryService {
    /// The directory of this node.
    pub fn new(store: StoreHandle, engine: Arc<dyn Engine>) -> DirectoryService {
        DirectoryService { store, engine, writing: Arc::default() }
    }

    async fn answer(&self, request: &DirectoryRequest) -> Result<Option<DirectoryReply>, Error> {
        Ok(match request {
            DirectoryRequest::Holding(key) => {
                let found = self.from(&Span::point(key).end)?.next().transpose()?;
                Some(DirectoryReply::Found(found.filter(|range| range.span.contains(key)).into_iter().collect()))
            }
            DirectoryRequest::Below(end) => {
                let found = self.from(end)?.next().transpose()?;
                Some(DirectoryReply::Found(found.filter(|range| range.span.start < *end).into_iter().collect()))
            }
            DirectoryRequest::List(key) => {
                let found: Result<_, _> = self.from(&Span::point(key).end)?.take(MOST_LISTED).collect();
                Some(DirectoryReply::Found(found?))
            }
            DirectoryRequest::Update(descriptors) => self.update(descriptors).await?.then_some(DirectoryReply::Updated),
            DirectoryRequest::NewRange => self.new_range().await?.map(DirectoryReply::NewRange),
        })
    }

    /// Descriptors whose end is at or behind `end`, in order.
    fn from(&self, end: &[u8]) -> Result<impl Iterator<Item = Result<RangeDescriptor, Error>> + '_, Error> {
        let span = Span { start: entry_key(end), end: Span::prefix(&DESCRIPTORS).end };
        let pairs = self.engine.scan(Keyspace::Data, &span);
        Ok(pairs.map(|pair| pair.and_then(|(_, value)| codec::decode(&value))))
    }

    /// Writes what is newer; whether everything is noted now.
    async fn update(&self, descriptors: &[RangeDescriptor]) -> Result<bool, Error> {
        let _turn = self.writing.lock().await;
        let (mut guards, mut ops) = (Vec::new(), Vec::new());
        for descriptor in descriptors {
            let key = entry_key(&descriptor.span.end);
            let known = self.engine.get(Keyspace::Data, &key)?;
            if let Some(bytes) = &known
                && !codec::decode::<RangeDescriptor>(bytes).is_ok_and(|known| descriptor.is_newer_than(&known))
            {
                continue;
            }
            guards.push(guard(&key, known.as_deref()));
            ops.push(Op::Put { keyspace: Keyspace::Data, key, value: codec::encode(descriptor) });
        }
        Ok(ops.is_empty() || self.write(guards, ops).await)
    }

    async fn new_range(&self) -> Result<Option<RangeId>, Error> {
        let _turn = self.writing.lock().await;
        let known = self.engine.get(Keyspace::Data, &LAST_ID)?;
        let last = match known.as_deref().map(<[u8; 8]>::try_from) {
            None => FIRST_USER_RANGE.0,
            Some(Ok(bytes)) => u64::from_be_bytes(bytes),
            Some(Err(_)) => return Err(Error::Damaged("the directory's range counter has no eight bytes".to_owned())),
        };
        let guards = vec![guard(&LAST_ID, known.as_deref())];
        let value = (last + 1).to_be_bytes().to_vec();
        let ops = vec![Op::Put { keyspace: Keyspace::Data, key: LAST_ID.to_vec(), value }];
        Ok(self.write(guards, ops).await.then_some(RangeId(last + 1)))
    }

    async fn write(&self, guards: Vec<Guard>, ops: Vec<Op>) -> bool {
        let Some(view) = self.store.view(DIRECTORY_RANGE) else { return false };
        let command = Command { generation: view.descriptor.generation, term: view.term, guards, ops, admin: None };
        matches!(self.store.propose(DIRECTORY_RANGE, command).await, Outcome::Applied { .. })
    }
}

fn entry_key(end: &[u8]) -> Vec<u8> {
    [&DESCRIPTORS, end].concat()
}

fn guard(key: &[u8], known: Option<&[u8]>) -> Guard {
    let expect = known.map_or(Expect::Absent, |bytes| Expect::Equals(bytes.to_vec()));
    Guard { keyspace: Keyspace::Data, key: key.to_vec(), expect }
}
