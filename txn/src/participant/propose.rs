//! Proposing an entry, and what must happen afterwards whatever becomes of the caller.

use super::service::{Halt, Participant};
use super::state::{State, WHOLE_RANGE};
use crate::TxnId;
use crate::api::Reply;
use crate::mvcc::Batch;
use quorate_storage::range::Admin;
use quorate_storage::{Command, NodeId, Outcome};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

/// Latches that a request holds; dropping it releases them.
pub(super) struct Latched {
    participant: Arc<Participant>,
    record: Option<Vec<u8>>,
    keys: Vec<Vec<u8>>,
    /// Whether the whole range is latched.
    whole: bool,
    /// The keys have a version at this ID now.
    wrote: Option<TxnId>,
}

impl Latched {
    /// Of a record and keys.
    pub fn new(participant: &Arc<Participant>, record: Vec<u8>, keys: Vec<Vec<u8>>) -> Latched {
        Latched { participant: participant.clone(), record: Some(record), keys, whole: false, wrote: None }
    }

    /// Of nothing yet.
    pub fn nothing(participant: &Arc<Participant>) -> Latched {
        Latched { participant: participant.clone(), record: None, keys: Vec::new(), whole: false, wrote: None }
    }

    /// Takes over a key that has been latched.
    pub fn add(&mut self, key: Vec<u8>) {
        self.keys.push(key);
    }

    /// Of the whole range.
    pub fn whole(participant: &Arc<Participant>) -> Latched {
        Latched { participant: participant.clone(), record: None, keys: Vec::new(), whole: true, wrote: None }
    }
}

impl Drop for Latched {
    fn drop(&mut self) {
        let mut state = self.participant.state.lock();
        if self.whole {
            state.frozen = false;
            state.wake(WHOLE_RANGE);
        }
        state.unlatch(std::mem::take(&mut self.keys), self.wrote);
        state.unlatch(self.record.take().into_iter().collect(), None);
    }
}

/// An entry to be proposed.
pub(super) struct Entry {
    pub generation: u64,
    pub batch: Batch,
    pub admin: Option<Admin>,
    /// Held until the outcome is known.
    pub latched: Option<Latched>,
    /// The versions that the entry writes under the latched keys.
    pub wrote: Option<TxnId>,
    /// Nobody waits for it: it may wait for others itself.
    pub patient: bool,
}

/// What became of an entry that was raft-committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// It had its effect, at this Raft index.
    Yes(u64),
    /// The guard at this position did not hold.
    Guard(usize),
}

/// A proposal under way. Dropping it leaves the rest to a task.
struct UnderWay {
    future: Option<Pin<Box<dyn Future<Output = Outcome> + Send>>>,
}

impl Future for UnderWay {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let Some(future) = &mut self.future else {
            return Poll::Ready(Outcome::Stopped);
        };
        let outcome = std::task::ready!(future.as_mut().poll(context));
        self.future = None;
        Poll::Ready(outcome)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Some(future) = self.future.take() else { return };
        // Outside of a runtime the process is ending, and with it this leadership.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(future);
        }
    }
}

impl Participant {
    /// Proposes an entry; `applied` runs under the mutex once it is applied, before its latches are released.
    pub(super) async fn propose(
        self: &Arc<Self>,
        entry: Entry,
        applied: impl FnOnce(&mut State) + Send + 'static,
    ) -> Result<Applied, Halt> {
        let under_way = UnderWay { future: Some(Box::pin(self.clone().carry_out(entry, applied))) };
        match under_way.await {
            Outcome::Applied { index } => Ok(Applied::Yes(index)),
            Outcome::GuardFailed { guard } => Ok(Applied::Guard(guard)),
            Outcome::GenerationMismatch(descriptor) => {
                Err(Box::new(Reply::EpochMismatch { descriptors: vec![*descriptor] }))
            }
            Outcome::NotLeader { leader } => Err(not_leader(leader, false)),
            Outcome::Ambiguous => Err(self.not_leader(true)),
            Outcome::TooLarge => Err(Box::new(Reply::Failed("a proposal is larger than the log takes".into()))),
            Outcome::Stopped => Err(Box::new(Reply::Failed("the store stopped".into()))),
        }
    }

    async fn carry_out(self: Arc<Self>, entry: Entry, applied: impl FnOnce(&mut State) + Send) -> Outcome {
        let Entry { generation, batch: Batch { guards, ops }, admin, mut latched, wrote, patient } = entry;
        let command = Command { generation, term: self.term, guards, ops, admin };
        let seen = self.state.lock().max_seen;
        let outcome = if patient {
            self.convoy.travel(self.range, command, &self.runtime).await
        } else {
            self.convoy.leave();
            self.store.propose(self.range, command).await
        };
        match &outcome {
            Outcome::Applied { .. } => {
                // The entry was committed in this term after `seen` was handed out: as good as a confirming round.
                self.confirmed.fetch_max(seen.0, Ordering::AcqRel);
                applied(&mut self.state.lock());
                if let Some(latched) = &mut latched {
                    latched.wrote = wrote;
                }
            }
            // It may still be applied, in a later term: nothing may be answered any more.
            Outcome::Ambiguous | Outcome::Stopped => self.step_down(),
            _ => {}
        }
        drop(latched);
        outcome
    }
}

fn not_leader(leader: Option<NodeId>, maybe_applied: bool) -> Halt {
    Box::new(Reply::NotLeader { leader, maybe_applied })
}
