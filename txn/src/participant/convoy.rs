//! Entries that may wait a moment for others: they leave together, and share one fsync on every replica.
//!
//! ```text
//!   DoCommit ─► join ─────────────────┐
//!   DoCommit ─► join ─────────────────┤            what waited, then the entry itself: one batch of the store
//!   any other entry of this node ─► leave ─► propose
//!   somebody waits for an intent, or nothing came for a while ─► leave
//! ```
//! Only what nobody waits for joins: the outcome has been answered, and its intents are in nobody's way. Without this the
//! entry that turns the intents of one transaction into versions delays the votes of the next.
//!
//! Invariant: what has joined leaves, whatever becomes of whoever brought it.

use parking_lot::Mutex;
use quorate_net::Runtime;
use quorate_storage::{Command, Outcome, RangeId, StoreHandle};
use std::time::Duration;
use tokio::sync::oneshot::{self, Receiver, Sender};

/// How long an entry waits for another.
const LINGER: Duration = Duration::from_millis(5);
/// So many do not wait any longer.
const FULL: usize = 64;

/// The entries of a node that wait.
#[derive(Debug)]
pub(super) struct Convoy {
    store: StoreHandle,
    /// Held for one change.
    waiting: Mutex<Vec<(RangeId, Command, Sender<Outcome>)>>,
}

impl Convoy {
    /// Nobody waits yet.
    pub fn new(store: StoreHandle) -> Convoy {
        Convoy { store, waiting: Mutex::default() }
    }

    /// Proposes what waits.
    pub fn leave(&self) {
        for (range, command, reply) in std::mem::take(&mut *self.waiting.lock()) {
            self.store.propose_for(range, command, reply);
        }
    }

    /// Proposes an entry together with the next one of this node, or a moment later.
    pub async fn travel(&self, range: RangeId, command: Command, runtime: &Runtime) -> Outcome {
        let mut answer = self.join(range, command);
        let outcome = match runtime.timeout(LINGER, &mut answer).await {
            Some(outcome) => outcome,
            None => {
                self.leave();
                answer.await
            }
        };
        outcome.unwrap_or(Outcome::Stopped)
    }

    fn join(&self, range: RangeId, command: Command) -> Receiver<Outcome> {
        let (reply, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        waiting.push((range, command, reply));
        let full = waiting.len() >= FULL;
        drop(waiting);
        if full {
            self.leave();
        }
        answer
    }
}
