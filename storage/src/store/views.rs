//! The published state of every replica of a store.
//!
//! Two writers: the store loop (term and role) and the applier (descriptor and applied index). Readers take a short
//! read lock and a clone of one small view.
//!
//! Invariant: the applier publishes before it wakes a proposer, so whoever got an answer finds its effects here.

use super::handle::{ReplicaView, Role};
use crate::{Error, RangeDescriptor, RangeId};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// The views of all initialized replicas of one store.
#[derive(Debug, Default)]
pub struct Views {
    /// Held for one lookup or one assignment; no other lock is taken inside.
    map: RwLock<BTreeMap<RangeId, ReplicaView>>,
    /// What stopped the store.
    failure: watch::Sender<Option<Error>>,
}

impl Views {
    /// The view of a replica.
    pub fn get(&self, range: RangeId) -> Option<ReplicaView> {
        self.map.read().get(&range).cloned()
    }

    /// All views, by range id.
    pub fn all(&self) -> Vec<ReplicaView> {
        self.map.read().values().cloned().collect()
    }

    /// What stopped the store, if it failed.
    pub fn failure(&self) -> Option<Error> {
        self.failure.borrow().clone()
    }

    /// Resolves when the store has failed, with what stopped it.
    pub async fn failed(&self) -> Error {
        let mut seen = self.failure.subscribe();
        let failure = seen.wait_for(Option::is_some).await.ok().and_then(|failure| failure.clone());
        match failure {
            Some(failure) => failure,
            // The sender lives as long as `self`.
            None => std::future::pending().await,
        }
    }

    /// Remembers the first failure.
    pub(super) fn fail(&self, error: &Error) {
        self.failure.send_if_modified(|first| {
            let news = first.is_none();
            first.get_or_insert_with(|| error.clone());
            news
        });
    }

    pub(super) fn insert(&self, view: ReplicaView) {
        self.map.write().insert(view.descriptor.id, view);
    }

    pub(super) fn remove(&self, range: RangeId) {
        self.map.write().remove(&range);
    }

    pub(super) fn set_role(&self, range: RangeId, term: u64, role: Role) {
        if let Some(view) = self.map.write().get_mut(&range) {
            view.term = term;
            view.role = role;
        }
    }

    /// Publishes what an engine batch changed: new descriptors first, then applied indexes.
    pub(super) fn apply(&self, descriptors: Vec<Arc<RangeDescriptor>>, applied: &[(RangeId, u64)]) {
        let mut map = self.map.write();
        for descriptor in descriptors {
            let range = descriptor.id;
            match map.get_mut(&range) {
                Some(view) => view.descriptor = descriptor,
                None => {
                    let view = ReplicaView { descriptor, term: 0, role: Role::Follower(None), applied: 0 };
                    map.insert(range, view);
                }
            }
        }
        for (range, index) in applied {
            if let Some(view) = map.get_mut(range) {
                view.applied = *index;
            }
        }
    }
}
