//! The receiving side: what other nodes' routers, oracles' and directory's clients ask of this node.

use super::directory::DirectoryService;
use crate::api::{RangeRequest, Reply};
use crate::inspect::{Commits, Inspection, Open};
use crate::oracle::{OracleService, Witness};
use crate::participant::Participants;
use crate::service::{MOST_BYTES, kind, serve_encoded};
use bytes::Bytes;
use quorate_net::codec;
use quorate_storage::{NodeId, Role, StoreHandle};
use std::sync::Arc;

/// Answers calls of other nodes.
#[derive(Clone, Debug)]
pub struct Server {
    node: NodeId,
    store: StoreHandle,
    participants: Arc<Participants>,
    oracle: Arc<OracleService>,
    directory: Arc<DirectoryService>,
    commits: Arc<Commits>,
    open: Arc<Open>,
}

impl Server {
    /// Answers for these.
    pub(crate) fn new(
        (node, store): (NodeId, StoreHandle),
        participants: Arc<Participants>,
        oracle: Arc<OracleService>,
        directory: Arc<DirectoryService>,
        (commits, open): (Arc<Commits>, Arc<Open>),
    ) -> Server {
        Server { node, store, participants, oracle, directory, commits, open }
    }

    /// The encoded answer to a call; `None` if its kind is not one of [`kind`], or its payload cannot be read.
    pub async fn serve(&self, kind: u16, payload: &[u8]) -> Option<Bytes> {
        match kind {
            kind::RANGE => {
                let request: RangeRequest = codec::decode(payload, MOST_BYTES).ok()?;
                Some(Bytes::from(codec::encode(&self.handle(request).await)))
            }
            kind::ORACLE => serve_encoded(&*self.oracle, payload).await,
            kind::DIRECTORY => serve_encoded(&*self.directory, payload).await,
            kind::ALIVE => {
                self.participants.heard(codec::decode(payload, MOST_BYTES).ok()?);
                Some(Bytes::new())
            }
            kind::TERM => {
                let witness: Witness = codec::decode(payload, MOST_BYTES).ok()?;
                Some(Bytes::from(codec::encode(&witness.confirms(self.node, &self.store))))
            }
            kind::INSPECT => Some(Bytes::from(codec::encode(&self.inspect()))),
            _ => None,
        }
    }

    /// What this node has to show.
    pub fn inspect(&self) -> Inspection {
        Inspection { commits: self.commits.list(), sessions: self.open.list(), ..self.participants.inspect() }
    }

    async fn handle(&self, request: RangeRequest) -> Reply {
        if let Some(participant) = self.participants.get(request.range) {
            return participant.handle(request).await;
        }
        match self.store.view(request.range).map(|view| view.role) {
            Some(Role::Leader | Role::Candidate) => Reply::NotReady,
            Some(Role::Follower(leader)) => Reply::NotLeader { leader, maybe_applied: false },
            None => Reply::NotLeader { leader: None, maybe_applied: false },
        }
    }
}
