//! The words that name transactions: global IDs, attempts, ballots.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A global transaction ID: handed out by the oracle, dense and ever-growing. A read at `S` sees every version with an
/// ID <= `S`; a version carries the `C` of the transaction that wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct TxnId(pub u64);

impl fmt::Display for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One attempt of a transaction to commit; never reused. A retried transaction is a new attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct Attempt {
    /// The node whose gateway runs it.
    pub gateway: u64,
    /// Random number of that gateway's process.
    pub incarnation: u64,
    /// Counts up inside the incarnation.
    pub counter: u64,
    /// An ID that had been handed out when its transaction began. Ranges forget decided attempts by it.
    pub birth: TxnId,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}.{}", self.gateway, self.incarnation, self.counter)
    }
}

/// Age of a transaction for wound-wait: the first attempt's S, ties broken by that attempt. Smaller is older; kept over
/// retries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct StartId {
    /// S of the first attempt.
    pub read_id: TxnId,
    /// The first attempt.
    pub first: Attempt,
}

/// Fences terminators of three-phase commit. The coordinator's ballot is the default (round 0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct Ballot {
    /// Higher wins.
    pub round: u64,
    /// The terminator, 128 random bits as two halves; never reused.
    pub terminator: (u64, u64),
}
