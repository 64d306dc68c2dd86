//! From the store's notices to participants: one for each range and term that this node leads.
//!
//! The Raft thread only hands notices over; what they ask for happens in tasks. A participant that is told late of the
//! end of its term harms nobody: it compares the published term and role with its own at every request.

use super::images;
use super::late::LateTransport;
use super::start::Tasks;
use quorate_net::runtime::Runtime;
use quorate_net::{PeerId, Transport};
use quorate_storage::store::{EffectSink, Notice, RaftMessage};
use quorate_storage::{Engine, NodeId, StoreHandle, codec};
use quorate_txn::participant::Participants;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The store's effects, as the Raft thread meets them.
pub(super) struct Sink {
    transport: Arc<LateTransport>,
    notices: UnboundedSender<Notice>,
}

impl Sink {
    pub(super) fn new(transport: Arc<LateTransport>) -> (Sink, UnboundedReceiver<Notice>) {
        let (notices, receiver) = unbounded_channel();
        (Sink { transport, notices }, receiver)
    }
}

impl EffectSink for Sink {
    fn send(&mut self, to: NodeId, messages: Vec<RaftMessage>) {
        self.transport.send(PeerId(to.0), images::envelope(codec::encode(&messages)));
    }

    fn notice(&mut self, notice: Notice) {
        // A node that is stopping has dropped the receiver; then nobody needs the notice.
        drop(self.notices.send(notice));
    }
}

/// Carries out what notices ask for.
pub(super) struct Leases {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) store: StoreHandle,
    pub(super) transport: Arc<LateTransport>,
    pub(super) tasks: Tasks,
    pub(super) runtime: Runtime,
}

impl Leases {
    pub(super) async fn run(self, mut notices: UnboundedReceiver<Notice>, participants: Arc<Participants>) {
        while let Some(notice) = notices.recv().await {
            match notice {
                Notice::Role(change) => {
                    tracing::debug!(range = %change.range, term = change.term, role = ?change.role, "role changed");
                    participants.on_role(change.range);
                }
                Notice::ImageWanted(request) => self.tasks.spawn(images::send(
                    request,
                    self.engine.clone(),
                    self.store.clone(),
                    self.transport.clone(),
                    self.runtime.clone(),
                )),
                Notice::Removed(range) => {
                    tracing::info!(%range, "a replica was removed");
                    participants.on_role(range);
                }
            }
        }
    }
}
