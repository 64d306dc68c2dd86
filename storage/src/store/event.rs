//! Everything that goes into a store and comes out of it, as data.

use super::message::RaftMessage;
use super::{ReplicaView, Role};
use crate::range::image::{Image, ImageHeader};
use crate::range::local::Position;
use crate::range::{ChangeRefusal, MemberChange};
use crate::{Command, Error, NodeId, Outcome, RangeDescriptor, RangeId, ReplicaId};
use bytes::Bytes;
use parking_lot::Mutex;
use raft::eraftpb::ConfChangeV2;
use std::sync::Arc;
use tokio::sync::oneshot::Sender;

/// What happens to a store.
#[derive(Debug)]
pub enum Event {
    /// Append this command if this store leads the range in the command's term.
    Propose {
        /// The range.
        range: RangeId,
        /// What to apply.
        command: Command,
        /// Answered after apply.
        reply: Sender<Outcome>,
    },
    /// Confirm with a quorum that this store still leads the range in this term.
    Confirm {
        /// The range.
        range: RangeId,
        /// The term.
        term: u64,
        /// Whether it does.
        reply: Sender<bool>,
    },
    /// Raft messages from another node.
    Messages {
        /// The authenticated sender.
        from: NodeId,
        /// The messages, in order.
        messages: Vec<RaftMessage>,
    },
    /// One unit of time passed.
    Tick,
    /// Change who holds the range.
    ChangeReplicas {
        /// The range.
        range: RangeId,
        /// The steps, and the membership that they were made for.
        change: MemberChange,
        /// Answered when the change was entered.
        reply: Sender<ChangeOutcome>,
    },
    /// Hand the leadership of the range to this node, if its replica is a voter that keeps up.
    TransferLeader {
        /// The range.
        range: RangeId,
        /// The node.
        to: NodeId,
    },
    /// Try to lead the range.
    Campaign {
        /// The range.
        range: RangeId,
    },
    /// The first chunk of an image was received.
    ImageOffered {
        /// What it is of.
        header: Box<ImageHeader>,
        /// Whether the rest is wanted.
        reply: Sender<bool>,
    },
    /// A complete image was received.
    ImageArrived {
        /// The image.
        image: Box<Image>,
        /// Whether it is taken.
        reply: Sender<bool>,
    },
    /// An image that was wanted has been sent, or could not be.
    ImageSent {
        /// The range.
        range: RangeId,
        /// The receiving replica.
        to: ReplicaId,
        /// Whether the receiver took it.
        ok: bool,
    },
    /// The [`super::Applier`] did something that the store shall look at now; the results lie beside the channel.
    Applied,
    /// The network cannot reach this node now.
    Unreachable {
        /// The node.
        node: NodeId,
    },
    /// The newest descriptor of a range that this store may have been removed from, as the directory has it. For
    /// replicas that missed so much that they know no member any more; others ask the members themselves.
    Removed {
        /// The descriptor.
        descriptor: RangeDescriptor,
    },
    /// The applier, or a reader of the engine, failed: stop.
    Failed(Error),
    /// Stop the loop.
    Shutdown,
}

/// What became of a membership change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// Entered; the descriptor may be joint, which the group leaves by itself.
    Applied(Arc<RangeDescriptor>),
    /// Known not to happen.
    Refused(ChangeRefusal),
    /// Known not to happen: this store does not lead the range.
    NotLeader {
        /// The leader, if known.
        leader: Option<NodeId>,
    },
    /// The leader changed meanwhile: it may or may not happen.
    Ambiguous,
    /// The store stopped.
    Stopped,
}

/// Where a store's effects go, in the order in which they must happen.
pub trait EffectSink {
    /// Send these messages to `to`, as one envelope.
    fn send(&mut self, to: NodeId, messages: Vec<RaftMessage>);
    /// Something that the node should know.
    fn notice(&mut self, notice: Notice);
    /// The log has appended: what follows may happen only because that is durable.
    fn appended(&mut self) {}
}

/// Something that the node should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A replica plays another part.
    Role(RoleChange),
    /// Send an image to a replica that the log cannot help, then answer with [`Event::ImageSent`].
    ImageWanted(ImageRequest),
    /// A replica of this range is gone from this store, its data too.
    Removed(RangeId),
}

/// A replica plays another part, in this term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleChange {
    /// The range.
    pub range: RangeId,
    /// The term.
    pub term: u64,
    /// The new role.
    pub role: Role,
    /// The range as of now.
    pub descriptor: Arc<RangeDescriptor>,
}

/// Arguments of [`crate::range::image::ImageReader::open`], and where to send what it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRequest {
    /// The range.
    pub range: RangeId,
    /// The node that needs the image.
    pub node: NodeId,
    /// Its replica.
    pub to: ReplicaId,
    /// The leader's replica, on this store.
    pub from: ReplicaId,
    /// The leader's term.
    pub term: u64,
}

/// Effects collected in memory, for tests and simulation.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Envelopes, in sending order.
    pub messages: Vec<(NodeId, Vec<RaftMessage>)>,
    /// Role changes, oldest first.
    pub roles: Vec<RoleChange>,
    /// Images to send.
    pub images_wanted: Vec<ImageRequest>,
    /// Ranges gone from this store.
    pub removed: Vec<RangeId>,
}

impl EffectSink for Effects {
    fn send(&mut self, to: NodeId, messages: Vec<RaftMessage>) {
        self.messages.push((to, messages));
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Role(change) => self.roles.push(change),
            Notice::ImageWanted(request) => self.images_wanted.push(request),
            Notice::Removed(range) => self.removed.push(range),
        }
    }
}

/// What a proposer waits for.
#[derive(Debug)]
pub enum Waiting {
    /// A command, kept decoded so that its proposer's store does not decode it again.
    Command(Command, Sender<Outcome>),
    /// A membership change.
    Change(Sender<ChangeOutcome>),
}

impl Waiting {
    /// Answers that the entry may or may not take effect.
    pub(super) fn ambiguous(self) {
        match self {
            Waiting::Command(_, reply) => answer(reply, Outcome::Ambiguous),
            Waiting::Change(reply) => answer(reply, ChangeOutcome::Ambiguous),
        }
    }
}

/// Answers a caller; one that has gone away needs no answer.
pub(super) fn answer<T>(reply: Sender<T>, value: T) {
    drop(reply.send(value));
}

/// A raft-committed entry on its way to the engine.
#[derive(Debug)]
pub struct ApplyEntry {
    /// Its place in the log.
    pub position: Position,
    /// Whether it changes the membership.
    pub change: bool,
    /// Its bytes; empty for a new leader's first entry and for leaving a joint configuration.
    pub data: Bytes,
    /// Who waits for it on this store.
    pub waiting: Option<Waiting>,
}

/// Work of the [`super::Applier`], in order. `serial` names one life of one replica on this store.
#[derive(Debug)]
pub enum ApplyTask {
    /// Apply raft-committed entries.
    Entries {
        /// The range.
        range: RangeId,
        /// The replica's life.
        serial: u64,
        /// The entries, gapless.
        entries: Vec<ApplyEntry>,
        /// Whether the replica waits for them to be applied.
        awaited: bool,
    },
    /// Remember an uninitialized replica, if nothing forbids it.
    Create {
        /// The range.
        range: RangeId,
        /// The replica.
        replica: ReplicaId,
    },
    /// Replace the replica's data by an image.
    Install {
        /// The range.
        range: RangeId,
        /// The replica's life.
        serial: u64,
        /// The image.
        image: Box<Image>,
    },
    /// Delete the replica and leave a tombstone.
    Destroy {
        /// The range.
        range: RangeId,
        /// Smallest replica id that may come back.
        smallest: ReplicaId,
    },
    /// Make the engine durable and reclaim log files.
    Checkpoint,
}

/// What the applier did.
#[derive(Debug)]
pub enum ApplyResult {
    /// Entries up to here are in the engine.
    Entries {
        /// The range.
        range: RangeId,
        /// The replica's life.
        serial: u64,
        /// Newest entry applied.
        applied: Position,
        /// What they changed about the range, oldest first.
        changes: Vec<RangeChange>,
        /// Whether the replica waits for them.
        awaited: bool,
    },
    /// Answers [`ApplyTask::Create`].
    Created {
        /// The range.
        range: RangeId,
        /// The replica; `None` if a tombstone forbids it or another replica exists.
        replica: Option<ReplicaId>,
    },
    /// The image is in the engine, durably.
    Installed {
        /// The range.
        range: RangeId,
        /// The replica's life.
        serial: u64,
    },
    /// The replica is gone, durably.
    Destroyed {
        /// The range.
        range: RangeId,
    },
    /// The engine is durable up to here.
    Checkpointed {
        /// Newest durable entry of each range.
        durable: Vec<(RangeId, u64)>,
        /// Ranges whose oldest log entries pin files.
        pinned: Vec<RangeId>,
    },
}

impl ApplyResult {
    /// Whether the store shall look at it now. What is not urgent only tells how far a replica has come.
    fn is_urgent(&self) -> bool {
        match self {
            ApplyResult::Entries { changes, awaited, .. } => *awaited || !changes.is_empty(),
            _ => true,
        }
    }
}

/// What the applier did, oldest first, until the store looks: at its next event, with the next tick at the latest. So the
/// thread that keeps the log is not woken for every batch.
#[derive(Debug, Default)]
pub struct Results {
    /// Held for a push or a take.
    results: Mutex<Vec<ApplyResult>>,
}

impl Results {
    /// Adds some; whether the store has to be woken for them.
    pub(super) fn add(&self, results: Vec<ApplyResult>) -> bool {
        let urgent = results.iter().any(ApplyResult::is_urgent);
        self.results.lock().extend(results);
        urgent
    }

    pub(super) fn take(&self) -> Vec<ApplyResult> {
        std::mem::take(&mut self.results.lock())
    }
}

/// How applying entries changed the range.
#[derive(Clone, Debug)]
pub enum RangeChange {
    /// Another membership.
    Members {
        /// The entry's index.
        index: u64,
        /// What raft-rs has to do.
        raft: ConfChangeV2,
        /// The new descriptor.
        descriptor: Arc<RangeDescriptor>,
    },
    /// The range was cut.
    Split {
        /// What is left.
        left: Arc<RangeDescriptor>,
        /// The new range; `None` if this store may not hold it.
        right: Option<Arc<RangeDescriptor>>,
    },
}

/// The view of a replica that nobody leads yet.
pub(super) fn idle_view(descriptor: Arc<RangeDescriptor>, applied: u64) -> ReplicaView {
    ReplicaView { descriptor, term: 0, role: Role::Follower(None), applied }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_woken_only_for_what_it_waits_for() {
        let entries = |index, awaited, changes| {
            let applied = Position { index, term: 1 };
            ApplyResult::Entries { range: RangeId(7), serial: 1, applied, changes, awaited }
        };
        let results = Results::default();
        assert!(!results.add(vec![entries(1, false, vec![])]), "only how far it has come");
        assert!(results.add(vec![entries(2, true, vec![])]), "a leader begins to serve");
        let left_out = RangeChange::Split { left: Arc::new(descriptor()), right: None };
        assert!(results.add(vec![entries(3, false, vec![left_out])]), "the range has changed");
        assert!(results.add(vec![ApplyResult::Destroyed { range: RangeId(7) }]));
        let order = results.take().into_iter().map(|result| match result {
            ApplyResult::Entries { applied, .. } => applied.index,
            _ => 4,
        });
        assert_eq!(order.collect::<Vec<_>>(), [1, 2, 3, 4], "nothing overtakes anything");
        assert!(results.take().is_empty());
    }

    fn descriptor() -> RangeDescriptor {
        RangeDescriptor {
            id: RangeId(7),
            span: crate::Span::new([1], [2]),
            generation: 1,
            conf_ver: 1,
            replicas: Vec::new(),
            next_replica: ReplicaId(1),
        }
    }
}
