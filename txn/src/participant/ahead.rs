//! Commit IDs that are drawn ahead, for who waits for a lock.
//!
//! ```text
//!   the holder commits ─► propose ───────────────────► applied ─► lock granted: with the newest value goes an ID above it
//!                    └──► oracle ─► a commit ID ────────────────────────────────┘
//! ```
//! On a row that many change, the way to the oracle is then no part of the time from one commit to the next. An ID that
//! comes too late, or turns out too low, is of no use and does no harm: its gateway asks for another one.

use super::service::Participant;
use crate::oracle::CommitIds;
use crate::{Attempt, TxnId};
use std::sync::Arc;

impl Participant {
    /// Draws an ID above `above` if somebody waits for what `attempt` has locked.
    pub(super) fn draw_ahead(self: &Arc<Self>, attempt: Attempt, above: TxnId) {
        if !self.state.lock().locks.is_awaited(attempt) {
            return;
        }
        let participant = self.clone();
        self.runtime.spawn(async move {
            let drawn = participant.draw(above).await;
            participant.state.lock().ahead = drawn;
        });
    }

    /// The ID that was drawn, for one who read the state at `at`.
    pub(super) fn drawn_ahead(&self, at: TxnId) -> Option<CommitIds> {
        self.state.lock().ahead.take().filter(|drawn| drawn.commit_id > at)
    }
}
