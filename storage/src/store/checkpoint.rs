//! Checkpoints: the engine becomes durable, then the log behind it may go.
//!
//! ```text
//!   begin ........ durable applied ........ applied ........ last
//!         ^ truncated up to: min(durable applied, what live followers and images under way still need)
//! ```
//! The entry at the new beginning stays in the log: it tells its term after a restart.
//!
//! Invariant: the log is never truncated beyond what the engine holds durably.

use super::Store;
use super::event::ApplyTask;
use super::peer::{Peer, raft_last};
use crate::log::{GroupAppend, LogBatch};
use crate::range::local::Position;
use crate::{Error, RangeId};

/// A truncation that gains fewer entries is not worth its write.
const MIN_GAIN: u64 = 64;

impl Store {
    /// Asks for a checkpoint when enough was logged since the last one.
    pub(super) fn maybe_checkpoint(&mut self) {
        if !self.checkpointing && self.log_bytes >= self.settings.checkpoint_bytes {
            self.checkpointing = true;
            self.log_bytes = 0;
            self.tasks.push(ApplyTask::Checkpoint);
        }
    }

    pub(super) fn on_checkpointed(&mut self, durable: Vec<(RangeId, u64)>, pinned: &[RangeId]) -> Result<(), Error> {
        self.checkpointing = false;
        let mut batch = LogBatch::default();
        for (range, index) in durable {
            let keep = if pinned.contains(&range) { 0 } else { self.settings.keep_entries };
            let budget = self.settings.follower_budget;
            let Some(peer) = self.peers.get_mut(&range).filter(|peer| !peer.is_installing()) else {
                continue;
            };
            let Some(position) = truncate_at(peer, index, keep, budget) else {
                continue;
            };
            batch.groups.push(GroupAppend { truncate_to: Some(position.index), ..GroupAppend::new(range) });
            peer.node.mut_store().truncated(position);
        }
        if batch.groups.is_empty() { Ok(()) } else { self.log.append(batch, false) }
    }
}

/// Where a group's log may begin now; `None` if not much would be gained.
fn truncate_at(peer: &Peer, durable: u64, keep: u64, budget: u64) -> Option<Position> {
    let raft = &peer.node.raft;
    let mut index = durable.min(raft.raft_log.applied);
    if peer.lead.is_some() {
        let last = raft_last(&peer.node);
        for (id, progress) in raft.prs().iter() {
            let needed = *id != peer.replica.0 && progress.recent_active && progress.matched + budget >= last;
            if needed {
                index = index.min(progress.matched);
            }
        }
        index = peer.images.values().fold(index, |index, pin| index.min(pin.index));
    } else if !peer.votes_alone() {
        index = index.saturating_sub(keep);
    }
    let window = peer.node.store();
    if index < window.begin().index + MIN_GAIN || index > window.last() {
        return None;
    }
    Some(Position { index, term: window.term_at(index)? })
}
