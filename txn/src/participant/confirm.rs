//! Whether a read may be promised: under the bound of the lease, or after a round that confirms the leadership. Rounds are
//! held one at a time, shared by all reads that wait; each asks for the next bound too.

use super::admit::Block;
use super::service::{Halt, Participant};
use crate::api::Reply;
use crate::{Attempt, TxnId};
use quorate_storage::mutation::planted;
use quorate_storage::store::ReplicaView;
use quorate_storage::{NodeId, ReplicaRole};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

/// The round under way, and who waits for the next one.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    running: bool,
    next: Vec<Asking>,
}

/// A read that waits for a round, with the ID that it wants to promise.
type Asking = (TxnId, oneshot::Sender<bool>);

impl Rounds {
    /// Nobody waits any more.
    pub fn abandon(&mut self) {
        self.next.clear();
    }
}

impl Participant {
    /// Waits until a promise at `at` is allowed.
    pub(super) async fn may_promise(self: &Arc<Self>, view: &ReplicaView, at: TxnId) -> Result<(), Halt> {
        self.lease.saw(at.0);
        if at.0 <= self.lease.bound()
            || at.0 <= self.confirmed.load(Ordering::Acquire)
            || is_only_voter(view, self.node)
            || planted("read-unconfirmed")
        {
            return Ok(());
        }
        let confirmed = {
            let mut state = self.state.lock();
            let (sender, receiver) = oneshot::channel();
            state.confirm.next.push((at, sender));
            if !std::mem::replace(&mut state.confirm.running, true) {
                self.runtime.spawn(self.clone().run_rounds());
            }
            receiver
        };
        match confirmed.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(self.not_leader(false)),
        }
    }

    /// Waits until this leadership is confirmed by a round that begins now: what is applied here then is the newest state.
    pub(super) async fn confirmed_leader(&self) -> Result<(), Halt> {
        let confirmed = self.store.confirm_leadership(self.range, self.term).await;
        if confirmed { Ok(()) } else { Err(self.not_leader(false)) }
    }

    /// The refusal of an attempt that has no record here. An earlier copy of the request may have been taken, and its record
    /// collected before this one could look: then it is no refusal.
    pub(super) fn refusal(&self, attempt: Attempt, halt: Halt) -> Halt {
        match self.state.lock().is_remembered(attempt) {
            Err(Block::Forgotten) => Box::new(Reply::Forgotten),
            _ => halt,
        }
    }

    async fn run_rounds(self: Arc<Self>) {
        while let Some((waiting, at)) = self.next_round() {
            let confirmed = self.store.confirm_leadership(self.range, self.term).await;
            if confirmed {
                self.confirmed.fetch_max(at.0, Ordering::AcqRel);
            }
            for (_, sender) in waiting {
                if sender.send(confirmed).is_err() {
                    tracing::trace!("a read went away while its leadership was confirmed");
                }
            }
        }
    }

    /// Those who wait, and the greatest ID known to be handed out before the round starts.
    fn next_round(&self) -> Option<(Vec<Asking>, TxnId)> {
        let mut state = self.state.lock();
        let waiting = std::mem::take(&mut state.confirm.next);
        if waiting.is_empty() {
            state.confirm.running = false;
            return None;
        }
        let at = waiting.iter().map(|(at, _)| *at).fold(state.max_seen, TxnId::max);
        Some((waiting, at))
    }
}

/// Whether nobody but `node` could be elected.
fn is_only_voter(view: &ReplicaView, node: NodeId) -> bool {
    let mut voters = view.descriptor.replicas.iter().filter(|replica| replica.role != ReplicaRole::Learner);
    voters.next().is_some_and(|only| only.node == node) && voters.next().is_none()
}
