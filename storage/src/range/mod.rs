//! A range as data: its descriptor, the entries of its Raft log, and what applying them does.
//!
//! A [`Command`] is one Raft entry: a list of guards and a write batch. The leaseholder evaluates a request under its
//! latches and proposes the command; every replica compares the guards with its own state and then either writes the
//! whole batch or nothing. All checks "at apply" of the transaction protocol are guards.

use crate::{Keyspace, NodeId, Op, RangeId, ReplicaId, Span};
use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

pub mod image;
pub mod local;
mod membership;
mod span_data;
mod split;
pub use membership::{ChangeRefusal, MemberChange, ReplicaChange, raft_change};
pub(crate) use span_data::delete_data;
pub(crate) use split::create_right;

/// Largest encoded [`Command`] that is proposed; larger writes go down in several.
pub const MAX_COMMAND_BYTES: usize = 8 << 20;

/// Where a range is and who holds it. Replicated in the range itself (the truth); copies in the directory are hints.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RangeDescriptor {
    /// The range.
    pub id: RangeId,
    /// Its keys.
    pub span: Span,
    /// Raised by every split (and merge).
    pub generation: u64,
    /// Raised by every membership change.
    pub conf_ver: u64,
    /// Its replicas, ascending by node.
    pub replicas: Vec<ReplicaDescriptor>,
    /// The replica id that the next replica gets.
    pub next_replica: ReplicaId,
}

/// One member of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ReplicaDescriptor {
    /// On which node.
    pub node: NodeId,
    /// The replica.
    pub replica: ReplicaId,
    /// What it may do.
    pub role: ReplicaRole,
}

/// What a replica may do in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum ReplicaRole {
    /// Votes.
    Voter,
    /// Receives the log, does not vote.
    Learner,
    /// Voter of the incoming configuration of a joint one.
    Incoming,
    /// Voter of the outgoing configuration of a joint one; removed, or demoted, when it ends.
    Outgoing,
}

impl RangeDescriptor {
    /// The replica on `node`, if any.
    pub fn replica_on(&self, node: NodeId) -> Option<&ReplicaDescriptor> {
        self.replicas.iter().find(|replica| replica.node == node)
    }

    /// Whether `self` is newer than `other` (a descriptor never goes back).
    pub fn is_newer_than(&self, other: &RangeDescriptor) -> bool {
        (self.generation, self.conf_ver) > (other.generation, other.conf_ver)
    }
}

/// One entry of a range's Raft log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Command {
    /// Generation of the range when the command was evaluated; another one at apply means no effect.
    pub generation: u64,
    /// Term in which it was evaluated; an entry of another term has no effect.
    pub term: u64,
    /// What must hold at apply.
    pub guards: Vec<Guard>,
    /// What is written if everything holds.
    pub ops: Vec<Op>,
    /// A change of the range itself, applied in the same batch.
    pub admin: Option<Admin>,
}

/// One condition on the state at apply.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Guard {
    /// Which map.
    pub keyspace: Keyspace,
    /// The engine key.
    pub key: Vec<u8>,
    /// What must be there.
    pub expect: Expect,
}

/// What a guard expects at its key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Expect {
    /// The key is absent.
    Absent,
    /// The value equals these bytes.
    Equals(Vec<u8>),
    /// The value begins with these bytes (a version's ID, say, without its whole value).
    StartsWith(Vec<u8>),
}

/// A change of the range itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Admin {
    /// Cuts the range at `key`: this range keeps `[start, key)`, the new range `right` gets `[key, end)` on the same
    /// nodes. Records addressed by user key stay where their key lies.
    Split {
        /// First key of the new range.
        key: Vec<u8>,
        /// Id of the new range, from the directory.
        right: RangeId,
    },
}

/// What applying a proposal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Raft-committed and applied, at this log index.
    Applied {
        /// The entry's index.
        index: u64,
    },
    /// Raft-committed without effect: the guard at this position did not hold.
    GuardFailed {
        /// Position in the command's guards.
        guard: usize,
    },
    /// Raft-committed without effect: the range changed in between.
    GenerationMismatch(Box<RangeDescriptor>),
    /// Not proposed: this replica does not lead in that term. The effect is known not to happen.
    NotLeader {
        /// The leader, if known.
        leader: Option<NodeId>,
    },
    /// The leader changed while the proposal was under way: it may or may not be applied later.
    Ambiguous,
    /// Not proposed: the encoded command exceeds [`MAX_COMMAND_BYTES`].
    TooLarge,
    /// The store stopped.
    Stopped,
}
