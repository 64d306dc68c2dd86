//! What a node keeps on disk and how a range is replicated.
//!
//! ```text
//!   StoreHandle ──events──► store (one owner, &mut) ──► range ──► raft-rs RawNode
//!        ▲                    │  Ready                    │ raft-committed entries
//!        │ answers            ▼                           ▼
//!        └──────────────── log: append + one fsync     apply: engine batch (no fsync)
//! ```
//!
//! One loop owns a [`store::Store`] with all its replicas. It is given events (proposals, messages, ticks) and returns
//! effects (messages to send, role changes); it opens no socket and reads no clock. Entries carry bytes: guards and a
//! write batch ([`Command`]); the leaseholder has evaluated them before. Applying is deterministic.
//!
//! Durability: the Raft log is the redo log. An entry is applied to the engine together with the applied index in one
//! batch, without fsync. Before the log is truncated the engine is persisted (a checkpoint).
//!
//! Invariant: nothing is acknowledged before the log batch that holds it was fsynced.
//! Invariant: the effect of an entry depends on the log and the replica's state only: no clock, no map order, no
//! leader memory.
//! Invariant: applied index, state and range descriptor move in one engine batch.
//! Invariant: storage knows no SQL, no transactions and no network.

pub mod codec;
mod directory;
pub mod engine;
mod error;
mod ids;
mod kept;
pub mod keys;
pub mod log;
pub mod mutation;
pub mod range;
pub mod store;

pub use directory::DataDir;
pub use engine::{Engine, Op};
pub use error::Error;
pub use ids::{CATALOG_RANGE, DIRECTORY_RANGE, FIRST_USER_RANGE, NodeId, ORACLE_RANGE, RangeId, ReplicaId};
pub use kept::Kept;
pub use keys::{Keyspace, Span};
pub use log::LogStore;
pub use range::{Command, Expect, Guard, Outcome, RangeDescriptor, ReplicaDescriptor, ReplicaRole};
pub use store::{Role, StoreHandle};
