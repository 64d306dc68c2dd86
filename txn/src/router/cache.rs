//! Descriptors that a gateway knows, by end key (pure).
//!
//! ```text
//!   end key      b          f                 z
//!   route      [a,b) r4   [c,f) r7          [k,z) r5        first entry with end > key; it may not hold the key (a gap)
//! ```
//! Invariant: no two routes of the cache overlap.

use parking_lot::Mutex;
use quorate_net::runtime::Instant;
use quorate_storage::{NodeId, RangeDescriptor, Span};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A range, and who leads it as far as known.
#[derive(Debug)]
pub struct Route {
    /// The range.
    pub descriptor: RangeDescriptor,
    /// Node id of the leader; 0 if unknown.
    leader: AtomicU64,
    /// When its leader was last found to be another one, or gone. Held for moments only.
    trouble: Mutex<Option<Instant>>,
}

impl Route {
    fn new(descriptor: RangeDescriptor) -> Route {
        Route { descriptor, leader: AtomicU64::new(0), trouble: Mutex::new(None) }
    }

    /// The leader, as far as known.
    pub fn leader(&self) -> Option<NodeId> {
        match self.leader.load(Ordering::Relaxed) {
            0 => None,
            node => Some(NodeId(node)),
        }
    }

    /// Remembers the leader, or that it is not known.
    pub fn set_leader(&self, leader: Option<NodeId>) {
        self.leader.store(leader.map_or(0, |node| node.0), Ordering::Relaxed);
    }

    /// Who was thought to lead does not; `leader` may.
    pub fn not_leader(&self, leader: Option<NodeId>, now: Instant) {
        // Whoever did not know before learns where the leader is, which is no trouble.
        if self.leader().is_some_and(|known| Some(known) != leader) {
            *self.trouble.lock() = Some(now);
        }
        self.set_leader(leader);
    }

    /// The leader cannot be reached.
    pub fn unreachable(&self, now: Instant) {
        *self.trouble.lock() = Some(now);
        self.set_leader(None);
    }

    /// When the leader was last lost.
    pub fn last_trouble(&self) -> Option<Instant> {
        *self.trouble.lock()
    }
}

/// Known routes.
#[derive(Debug, Default)]
pub struct Cache {
    by_end: BTreeMap<Vec<u8>, Arc<Route>>,
}

impl Cache {
    /// The route of the range that holds `key`.
    pub fn holding(&self, key: &[u8]) -> Option<&Arc<Route>> {
        let (_, route) = self.by_end.range::<[u8], _>((Bound::Excluded(key), Bound::Unbounded)).next()?;
        (route.descriptor.span.start.as_slice() <= key).then_some(route)
    }

    /// The route of the range that holds the largest keys below `end`.
    pub fn below(&self, end: &[u8]) -> Option<&Arc<Route>> {
        let (_, route) = self.by_end.range::<[u8], _>((Bound::Included(end), Bound::Unbounded)).next()?;
        (route.descriptor.span.start.as_slice() < end).then_some(route)
    }

    /// Takes a descriptor unless something newer is known about its keys. Returns whether it was taken.
    pub fn insert(&mut self, descriptor: RangeDescriptor) -> bool {
        let overlapping = self.overlapping(&descriptor.span);
        let outdated = |known: &RangeDescriptor| {
            if known.id == descriptor.id {
                descriptor.is_newer_than(known)
            } else {
                descriptor.generation >= known.generation
            }
        };
        if !overlapping.iter().all(|route| outdated(&route.descriptor)) {
            return false;
        }
        for route in &overlapping {
            self.by_end.remove(&route.descriptor.span.end);
        }
        let route = Route::new(descriptor);
        let same = overlapping.iter().find(|known| known.descriptor.id == route.descriptor.id);
        if let Some(known) = same {
            route.set_leader(known.leader());
            *route.trouble.lock() = known.last_trouble();
        }
        self.by_end.insert(route.descriptor.span.end.clone(), Arc::new(route));
        true
    }

    /// Forgets exactly this route.
    pub fn evict(&mut self, route: &Arc<Route>) {
        let end = &route.descriptor.span.end;
        if self.by_end.get(end).is_some_and(|known| Arc::ptr_eq(known, route)) {
            self.by_end.remove(end);
        }
    }

    fn overlapping(&self, span: &Span) -> Vec<Arc<Route>> {
        let from = (Bound::Excluded(span.start.as_slice()), Bound::Unbounded);
        let behind = self.by_end.range::<[u8], _>(from).map(|(_, route)| route);
        behind.take_while(|route| route.descriptor.span.start < span.end).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_storage::{RangeId, ReplicaId};

    fn descriptor(id: u64, start: &str, end: &str, generation: u64) -> RangeDescriptor {
        RangeDescriptor {
            id: RangeId(id),
            span: Span::new(start, end),
            generation,
            conf_ver: 1,
            replicas: Vec::new(),
            next_replica: ReplicaId(1),
        }
    }

    fn ids(cache: &Cache, keys: &[&str]) -> Vec<u64> {
        keys.iter().map(|key| cache.holding(key.as_bytes()).map_or(0, |route| route.descriptor.id.0)).collect()
    }

    #[test]
    fn finds_by_key_and_from_below() {
        let mut cache = Cache::default();
        assert!(cache.insert(descriptor(4, "a", "d", 1)));
        assert!(cache.insert(descriptor(5, "f", "k", 1)));
        assert_eq!(ids(&cache, &["a", "czz", "d", "e", "f", "k"]), [4, 4, 0, 0, 5, 0]);
        let below = |end: &str| cache.below(end.as_bytes()).map_or(0, |route| route.descriptor.id.0);
        assert_eq!(
            [below("a"), below("b"), below("d"), below("e"), below("f"), below("k"), below("l")],
            [0, 4, 4, 0, 0, 5, 0]
        );
    }

    #[test]
    fn a_split_replaces_the_parent_and_never_goes_back() {
        let mut cache = Cache::default();
        cache.insert(descriptor(4, "a", "z", 1));
        cache.holding(b"a").unwrap().set_leader(Some(NodeId(3)));
        assert!(cache.insert(descriptor(4, "a", "m", 2)));
        assert_eq!(cache.holding(b"a").unwrap().leader(), Some(NodeId(3)));
        assert!(!cache.insert(descriptor(4, "a", "z", 1)));
        assert!(cache.insert(descriptor(9, "m", "z", 2)));
        assert_eq!(ids(&cache, &["b", "n"]), [4, 9]);
        assert!(!cache.insert(descriptor(4, "a", "z", 1)));
        let route = Arc::clone(cache.holding(b"b").unwrap());
        cache.insert(descriptor(4, "a", "m", 3));
        cache.evict(&route);
        assert_eq!(ids(&cache, &["b"]), [4]);
    }
}
