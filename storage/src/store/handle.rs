//! The way into a store: a cheap handle that sends events to the loop which owns it.

use super::event::{ApplyResult, ChangeOutcome, Results};
use super::{Event, Lease, Views};
use crate::range::image::{Image, ImageHeader};
use crate::range::{MAX_COMMAND_BYTES, MemberChange};
use crate::{Command, Error, NodeId, Outcome, RangeDescriptor, RangeId};
use std::sync::Arc;
use tokio::sync::Notify;

/// The part that a replica plays now, as published by the store loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Leads in this term, and has applied everything raft-committed before its term began.
    Leader,
    /// Won the election, but has not yet applied its term's first entry.
    Candidate,
    /// Follows (or learns from) this leader, if one is known.
    Follower(Option<NodeId>),
}

/// What others may know about a replica: published after every change, never behind the effects of an answer.
#[derive(Clone, Debug)]
pub struct ReplicaView {
    /// The replicated descriptor.
    pub descriptor: Arc<RangeDescriptor>,
    /// Current term.
    pub term: u64,
    /// Current role.
    pub role: Role,
    /// Index of the newest applied entry.
    pub applied: u64,
}

/// Sends events to the store loop. Clones share one bounded channel.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    pub(super) sender: std::sync::mpsc::SyncSender<Event>,
    /// Wakes an owner that waits asynchronously (simulation) instead of blocking on the channel.
    pub(super) wake: Arc<Notify>,
    pub(super) views: Arc<Views>,
    pub(super) results: Arc<Results>,
}

impl StoreHandle {
    /// Sends an event; `false` if the store stopped. Blocks while the channel is full.
    pub fn send(&self, event: Event) -> bool {
        let sent = self.sender.send(event).is_ok();
        self.wake.notify_one();
        sent
    }

    /// Sends an event if the channel has room, without blocking: for what the sender repeats anyway (Raft messages).
    pub fn try_send(&self, event: Event) -> bool {
        let sent = self.sender.try_send(event).is_ok();
        self.wake.notify_one();
        sent
    }

    /// Hands in what was applied.
    pub(super) fn applied(&self, results: Vec<ApplyResult>) {
        if self.results.add(results) {
            self.send(Event::Applied);
        }
    }

    /// Proposes `command` to the range's group if this store leads it in `command.term`; answers after apply.
    /// Never proposes twice, never forwards.
    pub async fn propose(&self, range: RangeId, command: Command) -> Outcome {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.propose_for(range, command, reply);
        answer.await.unwrap_or(Outcome::Stopped)
    }

    /// As [`StoreHandle::propose`], at once: what is proposed by calls in a row is written with one fsync. A `reply` that is
    /// dropped means [`Outcome::Stopped`].
    pub fn propose_for(&self, range: RangeId, command: Command, reply: tokio::sync::oneshot::Sender<Outcome>) {
        self.send(Event::Propose { range, command, reply });
    }

    /// Confirms that this store still leads `range` in `term`, with a quorum round that starts after the call
    /// (coalesced with other callers'). `true`: at some moment after the call no later leader existed.
    pub async fn confirm_leadership(&self, range: RangeId, term: u64) -> bool {
        let (reply, answer) = tokio::sync::oneshot::channel();
        if !self.send(Event::Confirm { range, term, reply }) {
            return false;
        }
        answer.await.unwrap_or(false)
    }

    /// Proposes a membership change; answers when it was entered (a joint configuration is left by itself later).
    pub async fn change_replicas(&self, range: RangeId, change: MemberChange) -> ChangeOutcome {
        let (reply, answer) = tokio::sync::oneshot::channel();
        if !self.send(Event::ChangeReplicas { range, change, reply }) {
            return ChangeOutcome::Stopped;
        }
        answer.await.unwrap_or(ChangeOutcome::Stopped)
    }

    /// Whether the image that this header announces is wanted; asked before the rest of it is received.
    pub async fn offer_image(&self, header: ImageHeader) -> bool {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.send(Event::ImageOffered { header: Box::new(header), reply }) && answer.await.unwrap_or(false)
    }

    /// Hands in a complete image; whether it is taken. It is in the engine some time later.
    pub async fn install_image(&self, image: Image) -> bool {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.send(Event::ImageArrived { image: Box::new(image), reply }) && answer.await.unwrap_or(false)
    }

    /// The newest published view of a replica of this store.
    pub fn view(&self, range: RangeId) -> Option<ReplicaView> {
        self.views.get(range)
    }

    /// The views of all replicas of this store, by range id.
    pub fn all_views(&self) -> Vec<ReplicaView> {
        self.views.all()
    }

    /// What the store grants to this leadership of a range, if it lasts.
    pub fn lease(&self, range: RangeId, term: u64) -> Option<Arc<Lease>> {
        self.views.lease(range, term)
    }

    /// What stopped the store, if it failed: it serves nothing any more.
    pub fn failure(&self) -> Option<Error> {
        self.views.failure()
    }

    /// Resolves when the store has failed, with what stopped it.
    pub async fn failed(&self) -> Error {
        self.views.failed().await
    }

    /// Tells the store that bytes of its disk could not be read, or are not what was written: it stops.
    pub fn fail(&self, error: Error) {
        self.views.fail(&error);
        self.send(Event::Failed(error));
    }

    /// Largest encoded command that [`StoreHandle::propose`] takes.
    pub const MAX_COMMAND_BYTES: usize = MAX_COMMAND_BYTES;
}
