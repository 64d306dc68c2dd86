//! One transactional key-value map over many ranges.
//!
//! ```text
//!   transaction ──► coordinator ──► router ──► participant (local short cut, or over the network)
//!        │               │                        │
//!        ▼               ▼                        ▼
//!     oracle          commit (pure)      lock, mvcc, record, commit (pure)
//! ```
//!
//! A transaction reads at `S`, the largest ID that the oracle had handed out when it began, and its writes carry `C`,
//! allocated at commit. `C` is the global transaction ID and the version; no clock takes part in the order. Writes are
//! buffered at the gateway. The participant of a range is its leaseholder: it answers reads from its engine, promises
//! what it has answered, and turns commits into Raft entries made of guards and a write batch.
//!
//! Invariant: nobody commits at an ID at or below one that was promised to a reader of the same key.
//! Invariant: a timer may start recovery; it never decides an outcome.
//! Invariant: volatile locks, latches and read caches are lost with the leader, and nothing becomes wrong by it.
//! Invariant: an attempt that is held is ended by the word of its record, and by nothing else.
//! Invariant: nothing in here knows SQL.

pub mod api;
mod columns;
pub mod commit;
pub mod coordinator;
mod error;
pub mod held;
mod ids;
pub mod inspect;
pub mod lock;
pub mod mvcc;
pub mod oracle;
pub mod participant;
pub mod record;
pub mod router;
pub mod service;
mod tasks;
pub mod token;
pub mod trace;
pub mod transaction;

pub use api::{LockMode, LockWait};
pub use columns::{Columns, Compare, ReadSpan};
pub use error::{Error, RetryReason};
pub use ids::{Attempt, Ballot, StartId, TxnId};
pub use token::{CommitToken, TokenError, TxnStatus};
pub use trace::{CommitPath, CommitTrace, Reason};
pub use transaction::{
    Client, CommitProtocol, Committed, Finish, Hold, Isolation, Mark, Page, Scan, Setup, Transaction, TxnOptions,
};
