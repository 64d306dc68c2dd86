//! The record of a commit token, at its anchor: who has prepared under it, and whether it is closed.
//!
//! ```text
//!   state \\ event     attempt n prepares              status: newest known ABORTED is m
//!   absent            newest n                        closed
//!   newest k          k <= n: newest n                k > m: the answer is k; nothing changes
//!                     k >  n: n is refused            k <= m: closed
//!   closed            n is refused                    =
//! ```
//! The attempts of a token are of one gateway and count up. A late copy of an older one does not move the record back, or
//! somebody would find the older ABORTED and close the token over the newer.
//!
//! Invariant: the record changes in the entry that prepares, guarded by what was read; so the log says who was first.

use super::propose::{Applied, Entry};
use super::registers::MAX_RACES;
use super::service::{Halt, Participant};
use crate::Attempt;
use crate::api::{Prepare, RecordKey, Reply};
use crate::mvcc::Batch;
use crate::record::{self, TokenState};
use quorate_storage::store::ReplicaView;
use quorate_storage::{Error, Keyspace};
use std::sync::Arc;

impl Participant {
    /// Adds to an attempt's entry that it is the newest of its token; [`Reply::Aborted`] if it must not prepare any more.
    pub(super) fn name_newest(&self, batch: &mut Batch, prepare: &Prepare) -> Result<(), Halt> {
        let Some(first) = prepare.token else { return Ok(()) };
        let token = RecordKey { part_key: prepare.part_key.clone(), attempt: first };
        let attempt = prepare.meta.attempt;
        let before = self.token(&token).map_err(|error| self.failed(error))?;
        match before {
            Some(TokenState::Closed) => return Err(Box::new(Reply::Aborted)),
            Some(TokenState::Newest(newest)) if newest.counter > attempt.counter => {
                return Err(Box::new(Reply::Aborted));
            }
            Some(TokenState::Newest(_)) | None => {}
        }
        let key = record::token_key(&token);
        batch.guard(Keyspace::Record, key.clone(), TokenState::guard(before));
        batch.put(Keyspace::Record, key, TokenState::Newest(attempt).encode());
        Ok(())
    }

    /// A [`crate::api::Request::CloseToken`].
    pub(super) async fn close_token(
        self: &Arc<Self>,
        view: &ReplicaView,
        token: &RecordKey,
        aborted: Attempt,
    ) -> Result<Reply, Halt> {
        let _latched = self.latch_record(view, token, || Ok(self.token(token)?.is_some())).await?;
        for _ in 0..MAX_RACES {
            let before = self.token(token).map_err(|error| self.failed(error))?;
            match before {
                Some(TokenState::Closed) => return Ok(Reply::Token(None)),
                Some(TokenState::Newest(newest)) if newest.counter > aborted.counter => {
                    return Ok(Reply::Token(Some(newest)));
                }
                Some(TokenState::Newest(_)) | None => {}
            }
            let mut batch = Batch::default();
            let key = record::token_key(token);
            batch.guard(Keyspace::Record, key.clone(), TokenState::guard(before));
            batch.put(Keyspace::Record, key, TokenState::Closed.encode());
            let generation = view.descriptor.generation;
            let entry = Entry { generation, batch, admin: None, latched: None, wrote: None, patient: false };
            if let Applied::Yes(_) = self.propose(entry, |_| {}).await? {
                return Ok(Reply::Token(None));
            }
        }
        Err(Box::new(Reply::NotReady))
    }

    /// The record of a token as applied.
    fn token(&self, token: &RecordKey) -> Result<Option<TokenState>, Error> {
        let stored = self.engine.get(Keyspace::Record, &record::token_key(token))?;
        stored.map(|stored| TokenState::decode(&stored)).transpose()
    }
}
