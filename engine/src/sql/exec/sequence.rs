//! Sequences: values are handed out by the node from blocks that it takes in transactions of their own.
//!
//! ```text
//!   catalog range    store::sequence_key  ─► last value taken by any node, and whether it has been given out
//!   node             block: next value, values left                        lost when the node stops: gaps, as in PostgreSQL
//! ```
//! Invariant: a value is given out once, unless the sequence cycles or was set back.
//! Invariant: a rolled back transaction does not give its values back.

use super::Facts;
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{Sequence, SequenceId, SequenceOptions, store};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use quorate_net::runtime::Runtime;
use quorate_txn::{Client, Transaction, TxnOptions};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Values that a node takes at a time, unless the sequence's CACHE is larger.
const BLOCK: i64 = 64;
/// Attempts at a block before giving up.
const ATTEMPTS: u32 = 64;

/// Blocks of values on this node. The lock is held for one look-up, inside no other.
#[derive(Debug, Default)]
pub struct Sequences {
    blocks: Mutex<BTreeMap<SequenceId, Block>>,
    /// The next id of a row without primary key; begins at a random place of 63 bits, so that nodes do not meet.
    rowids: OnceLock<AtomicU64>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    next: i64,
    increment: i64,
    left: i64,
}

/// The stored state of a sequence: the last value handed to a node, and whether it counts as taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceState {
    /// The last value.
    pub last: i64,
    /// Whether the next value follows `last` (rather than being `last`).
    pub called: bool,
}

impl SequenceState {
    /// A sequence that has not been used.
    pub fn start(options: &SequenceOptions) -> SequenceState {
        SequenceState { last: options.start, called: false }
    }

    /// As stored.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.last.to_be_bytes().to_vec();
        bytes.push(u8::from(self.called));
        bytes
    }

    /// From what was stored.
    pub fn from_bytes(bytes: &[u8]) -> Result<SequenceState> {
        let damaged = || Error::new(SqlState::DATA_CORRUPTED, "the state of a sequence is damaged");
        let (last, called) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
        Ok(SequenceState { last: i64::from_be_bytes(*last), called: called == [1] })
    }
}

impl Sequences {
    /// The next value, if the node has one at hand.
    pub fn take(&self, id: SequenceId) -> Option<i64> {
        let mut blocks = self.blocks.lock();
        let block = blocks.get_mut(&id)?;
        let value = block.next;
        block.left -= 1;
        block.next = value.wrapping_add(block.increment);
        if block.left <= 0 {
            blocks.remove(&id);
        }
        Some(value)
    }

    /// An id for a row of a table without primary key.
    pub fn rowid(&self, runtime: &Runtime) -> i64 {
        let next = self.rowids.get_or_init(|| AtomicU64::new(runtime.random_u64()));
        (next.fetch_add(1, Ordering::Relaxed) & (u64::MAX >> 1)) as i64
    }

    /// Forgets what is at hand: the sequence was changed or dropped.
    pub fn forget(&self, id: SequenceId) {
        self.blocks.lock().remove(&id);
    }
}

/// Takes a block for this node.
pub async fn refill(client: &Client, facts: &Facts, id: SequenceId) -> Result<()> {
    let sequence = facts.catalog.sequence(id).cloned().ok_or_else(|| gone(id))?;
    let block = retry(client, |txn| {
        let sequence = sequence.clone();
        Box::pin(async move { take_block(txn, &sequence).await })
    })
    .await?;
    facts.sequences.blocks.lock().insert(id, block);
    Ok(())
}

/// `setval`
pub async fn set(client: &Client, facts: &Facts, id: SequenceId, value: i64, called: bool) -> Result<()> {
    let state = SequenceState { last: value, called };
    retry(client, |txn| {
        Box::pin(async move {
            txn.get(&store::sequence_key(id), None).await?;
            txn.put(store::sequence_key(id), state.to_bytes());
            Ok(())
        })
    })
    .await?;
    facts.sequences.forget(id);
    Ok(())
}

/// The stored state.
pub async fn state(txn: &mut Transaction, sequence: &Sequence) -> Result<SequenceState> {
    match txn.get(&store::sequence_key(sequence.id), None).await? {
        Some(bytes) => SequenceState::from_bytes(&bytes),
        None => Ok(SequenceState::start(&sequence.options)),
    }
}

async fn take_block(txn: &mut Transaction, sequence: &Sequence) -> Result<Block> {
    let options = &sequence.options;
    let state = state(txn, sequence).await?;
    let mut next = state.last;
    if state.called {
        next = match state.last.checked_add(options.increment).filter(|next| (options.min..=options.max).contains(next))
        {
            Some(next) => next,
            None if options.cycle && options.increment > 0 => options.min,
            None if options.cycle => options.max,
            None => return Err(exhausted(sequence)),
        };
    }
    let end = if options.increment > 0 { options.max } else { options.min };
    let room = (i128::from(end) - i128::from(next)) / i128::from(options.increment);
    let left = i128::from(options.cache.max(BLOCK)).min(room + 1).max(1) as i64;
    let last = next + (left - 1) * options.increment;
    txn.put(store::sequence_key(sequence.id), SequenceState { last, called: true }.to_bytes());
    Ok(Block { next, increment: options.increment, left })
}

fn exhausted(sequence: &Sequence) -> Error {
    let (edge, value) = match sequence.options.increment {
        1.. => ("maximum", sequence.options.max),
        _ => ("minimum", sequence.options.min),
    };
    Error::new(
        SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
        format!("nextval: reached {edge} value of sequence \"{}\" ({value})", sequence.name),
    )
}

fn gone(id: SequenceId) -> Error {
    Error::new(SqlState::UNDEFINED_TABLE, format!("sequence with OID {id} does not exist"))
}

/// Runs a small transaction of its own until it commits.
pub async fn retry<T>(
    client: &Client,
    body: impl for<'t> Fn(&'t mut Transaction) -> BoxFuture<'t, Result<T>>,
) -> Result<T> {
    let mut options = TxnOptions::default();
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut txn = client.begin(options).await?;
        let result = match body(&mut txn).await {
            Ok(value) => txn.commit().await.map(|_| value).map_err(Error::from),
            Err(error) => {
                txn.rollback().await;
                Err(error)
            }
        };
        match result {
            Err(error) if error.is_retryable() && attempt < ATTEMPTS => options.start = Some(txn.start_id()),
            other => return other,
        }
    }
}
