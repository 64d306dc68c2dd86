//! The words that name nodes, ranges and replicas.
//!
//! A node is a member process of the cluster; a range is a contiguous slice of the keyspace; a replica is one copy of
//! a range on a node. Replica ids double as raft-rs peer ids inside their group and are never reused: a node that
//! loses a range and gets it back has a new replica id.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
        )]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(
    /// A member process of the cluster; 1 is the node that created it.
    NodeId, "n"
);
id!(
    /// A contiguous slice of the keyspace, replicated as one Raft group.
    RangeId, "r"
);
id!(
    /// One copy of a range; also its raft-rs peer id. Never reused inside a range.
    ReplicaId, "p"
);

/// The directory range: where ranges are (`/directory`).
pub const DIRECTORY_RANGE: RangeId = RangeId(1);
/// The timestamp oracle's range.
pub const ORACLE_RANGE: RangeId = RangeId(2);
/// Catalog, nodes, settings and join tokens.
pub const CATALOG_RANGE: RangeId = RangeId(3);
/// The range that holds the whole user keyspace of a new cluster.
pub const FIRST_USER_RANGE: RangeId = RangeId(4);
