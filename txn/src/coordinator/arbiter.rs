//! Arbiters: one more acceptor where the participants are two or four.
//!
//! ```text
//!   arbiter's key    04 | slot (1)        slot: the attempt's counter, modulo 16
//! ```
//! An arbiter is a participant without writes and reads: the group of whatever range holds its key. Sixteen keys, so that they
//! may be split over as many groups; in a new cluster they all lie in the range of the catalog.
//!
//! Without an arbiter the decision of two participants needs both. With one, any two of the three decide. It costs one
//! more vote, and that must be likely to come: a range that has just lost its leader is no help, nor is a participant's own.

use super::outcome::Coordinator;
use crate::api::{Prepare, TxnMeta};
use crate::commit::wants_arbiter;
use crate::router::{Route, Suspicion};
use crate::{Attempt, TxnId};
use quorate_storage::keys::ARBITER_PREFIX;
use std::sync::Arc;

/// Keys of arbiters.
const SLOTS: u64 = 16;

/// Where the arbiter of an attempt has its record.
pub fn arbiter_key(attempt: Attempt) -> Vec<u8> {
    vec![ARBITER_PREFIX, (attempt.counter % SLOTS) as u8]
}

impl Coordinator {
    /// The arbiter that these participants want, as one more prepare, if there is one that helps.
    pub(crate) async fn arbiter(
        &self,
        meta: TxnMeta,
        prepares: &[(Arc<Route>, Prepare)],
    ) -> Option<(Arc<Route>, Prepare)> {
        if !wants_arbiter(prepares.len()) {
            return None;
        }
        let part_key = arbiter_key(meta.attempt);
        let route = self.router.locate(&part_key).await.ok()?;
        let taken = prepares.iter().any(|(other, _)| other.descriptor.id == route.descriptor.id);
        let troubled = self.router.suspicion(&route) == Some(Suspicion::LeaderChanged);
        if taken || troubled {
            return None;
        }
        let prepare = Prepare {
            meta,
            part_key,
            commit_id: TxnId(0),
            writes: Vec::new(),
            reads: Vec::new(),
            participants: Vec::new(),
            acceptors: Vec::new(),
            foreign_reads: false,
            catalog_id: None,
            token: None,
            held: None,
        };
        Some((route, prepare))
    }
}
