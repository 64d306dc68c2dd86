//! Holds a commit at its most delicate moment, so that a person can watch what everybody else does then.
//!
//! ```text
//!   pull ─► the next commit over several ranges: votes ─► held ─► release ─► PreCommit (three-phase), outcome (FAST)
//!                                                           └► the node dies: the participants recover it
//! ```
//! A commit that is held has decided nothing that was not decided before, so holding it is as safe as a slow node. Its
//! participants hear that the coordinator lives, and wait.

use super::outcome::Coordinator;
use crate::Attempt;
use crate::api::{RecordKey, Request};
use futures::future::join_all;
use std::time::Duration;
use tokio::sync::watch;

/// How often the participants of a commit that is held hear of it; they recover it after three times as long.
const NEWS: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Loose,
    Pulled,
    Holding(Attempt),
}

/// Holds the next commit over several ranges of this gateway between its votes and its outcome.
#[derive(Debug, Default)]
pub struct Brake {
    stage: watch::Sender<Stage>,
}

impl Brake {
    /// The next commit will be held.
    pub fn pull(&self) {
        self.stage.send_replace(Stage::Pulled);
    }

    /// What is held goes on, and nothing will be held.
    pub fn release(&self) {
        self.stage.send_replace(Stage::Loose);
    }

    /// The attempt that is held, as soon as one is; `None` if the brake is released before.
    pub async fn held(&self) -> Option<Attempt> {
        let mut stage = self.stage.subscribe();
        loop {
            match *stage.borrow_and_update() {
                Stage::Holding(attempt) => return Some(attempt),
                Stage::Loose => return None,
                Stage::Pulled => {}
            }
            stage.changed().await.ok()?;
        }
    }

    /// A commit of `attempt` has all votes.
    async fn pass(&self, attempt: Attempt) {
        if *self.stage.borrow() != Stage::Pulled {
            return;
        }
        let taken = self.stage.send_if_modified(|stage| {
            let pulled = *stage == Stage::Pulled;
            if pulled {
                *stage = Stage::Holding(attempt);
            }
            pulled
        });
        let mut stage = self.stage.subscribe();
        while taken && *stage.borrow_and_update() == Stage::Holding(attempt) {
            if stage.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Coordinator {
    /// All participants have voted: here a commit may be held.
    pub(super) async fn hold(&self, attempt: Attempt, participants: &[Vec<u8>]) {
        let passing = self.brake.pass(attempt);
        tokio::pin!(passing);
        while self.runtime().timeout(NEWS, &mut passing).await.is_none() {
            let tell = |part_key: &Vec<u8>| {
                let record = RecordKey { part_key: part_key.clone(), attempt };
                // It changes no vote.
                async move { self.router.send_to_key(&record.part_key, || Request::Settle { record: record.clone() }).await }
            };
            for lost in join_all(participants.iter().map(tell)).await.into_iter().filter_map(Result::err) {
                tracing::debug!(%attempt, %lost, "a participant does not know that its coordinator lives");
            }
        }
    }
}
