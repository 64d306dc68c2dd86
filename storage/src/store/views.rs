//! The published state of every replica of a store.
//!
//! Two writers: the store loop (term and role) and the applier (descriptor and applied index). Readers take a short
//! read lock and a clone of one small view.
//!
//! Invariant: the applier publishes before it wakes a proposer, so whoever got an answer finds its effects here.
//! Invariant: a term is here before the first message of that term leaves, so whoever finds an older one here knows that this
//! replica has voted for nobody in a later term.

use super::Lease;
use super::handle::{ReplicaView, Role};
use crate::{Error, RangeDescriptor, RangeId};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// The views of all initialized replicas of one store.
#[derive(Debug, Default)]
pub struct Views {
    /// Held for one lookup or one assignment; no other lock is taken inside.
    map: RwLock<BTreeMap<RangeId, ReplicaView>>,
    /// Of the replicas that lead. Held as `map` is.
    leases: RwLock<BTreeMap<RangeId, Arc<Lease>>>,
    /// What stopped the store.
    failure: OnceLock<Error>,
    /// Wakes who waits for the failure.
    failing: Notify,
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

    /// What is granted to this leadership, if it lasts.
    pub fn lease(&self, range: RangeId, term: u64) -> Option<Arc<Lease>> {
        self.leases.read().get(&range).filter(|lease| lease.term() == term).cloned()
    }

    /// What stopped the store, if it failed.
    pub fn failure(&self) -> Option<Error> {
        self.failure.get().cloned()
    }

    /// Resolves when the store has failed, with what stopped it.
    pub async fn failed(&self) -> Error {
        loop {
            let failing = self.failing.notified();
            if let Some(failure) = self.failure() {
                return failure;
            }
            failing.await;
        }
    }

    /// Remembers the first failure.
    pub(super) fn fail(&self, error: &Error) {
        if self.failure.set(error.clone()).is_ok() {
            self.failing.notify_waiters();
        }
    }

    pub(super) fn insert(&self, view: ReplicaView) {
        self.map.write().insert(view.descriptor.id, view);
    }

    pub(super) fn remove(&self, range: RangeId) {
        self.map.write().remove(&range);
        self.leases.write().remove(&range);
    }

    /// Publishes a role; first of all, if it is a leader's, what it is granted.
    pub(super) fn set_role(&self, range: RangeId, term: u64, role: Role, lease: Option<Arc<Lease>>) {
        match lease {
            Some(lease) => self.leases.write().insert(range, lease),
            None => self.leases.write().remove(&range),
        };
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
