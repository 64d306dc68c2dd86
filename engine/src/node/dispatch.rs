//! What other nodes send to this one: Raft envelopes to the store, calls to the transaction layer, images.

use super::{images, upkeep};
use async_trait::async_trait;
use bytes::Bytes;
use quorate_net::{ChunkStream, Handler, Message, PeerId};
use quorate_storage::store::{Event, RaftMessage};
use quorate_storage::{NodeId, StoreHandle, codec};
use quorate_txn::router::Server;
use std::sync::OnceLock;

/// Kind of a call that asks how many user ranges the node leads; answered by a `u32`.
pub(crate) const LEADS: u16 = 0x0103;

/// The receiving half of a node. The transport is bound before the node is whole, so it is completed later; until then
/// peers get no answer and try again.
#[derive(Default)]
pub(crate) struct Dispatch {
    parts: OnceLock<Parts>,
}

struct Parts {
    store: StoreHandle,
    server: Server,
}

impl Dispatch {
    pub(crate) fn complete(&self, store: StoreHandle, server: Server) {
        let fresh = self.parts.set(Parts { store, server }).is_ok();
        assert!(fresh, "a node completes its dispatch once, while it starts");
    }
}

#[async_trait]
impl Handler for Dispatch {
    fn on_message(&self, from: PeerId, message: Message) {
        let Some(parts) = self.parts.get() else { return };
        if message.kind != images::RAFT {
            tracing::warn!(%from, kind = message.kind, "dropped a message of an unknown kind");
            return;
        }
        match codec::decode::<Vec<RaftMessage>>(&message.payload) {
            Ok(messages) => {
                if !parts.store.try_send(Event::Messages { from: NodeId(from.0), messages }) {
                    tracing::trace!(%from, "dropped a Raft envelope: the store is behind");
                }
            }
            Err(error) => tracing::warn!(%from, %error, "dropped a Raft envelope that cannot be read"),
        }
    }

    async fn on_call(&self, from: PeerId, message: Message) -> Bytes {
        let Some(parts) = self.parts.get() else {
            return Bytes::new();
        };
        if message.kind == LEADS {
            return Bytes::from(codec::encode(&upkeep::leads(&parts.store)));
        }
        match parts.server.serve(message.kind, &message.payload).await {
            Some(answer) => answer,
            None => {
                tracing::warn!(%from, kind = message.kind, "a call cannot be read");
                Bytes::new()
            }
        }
    }

    async fn on_bulk(&self, from: PeerId, kind: u16, _header: Bytes, chunks: &mut dyn ChunkStream) -> Bytes {
        match self.parts.get() {
            Some(parts) if kind == images::IMAGE => images::receive(from, chunks, &parts.store).await,
            _ => Bytes::new(),
        }
    }
}
