//! Whether a range may soon be out of reach: what a gateway can see without asking anybody.
//!
//! One-round commit waits for all of its participants if its coordinator dies; three-phase commit only for a majority. So
//! the former is taken only when nothing speaks against any participant. Being wrong costs time, never correctness.

use super::cache::Route;
use super::send::Router;
use quorate_net::PeerId;
use quorate_storage::ReplicaRole;
use std::time::Duration;

/// A range whose leader was lost or changed within this time is not relied on: about two elections.
const RECENTLY: Duration = Duration::from_secs(2);
/// A leader farther away than this lies in another failure domain.
const FAR: Duration = Duration::from_millis(10);

/// Why a range may soon be out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suspicion {
    /// Its leader was lost or changed a moment ago.
    LeaderChanged,
    /// If one more of its voters were lost, it would have no quorum.
    UnderReplicated,
    /// Its leader is far away.
    Far,
}

impl Router {
    /// What speaks against relying on the range, if anything does.
    pub fn suspicion(&self, route: &Route) -> Option<Suspicion> {
        if route.last_trouble().is_some_and(|at| self.runtime().now().saturating_duration_since(at) < RECENTLY) {
            return Some(Suspicion::LeaderChanged);
        }
        let transport = self.transport()?;
        let voters = || route.descriptor.replicas.iter().filter(|replica| replica.role != ReplicaRole::Learner);
        let distance = |node: quorate_storage::NodeId| match node == self.node() {
            true => Some(Duration::ZERO),
            false => transport.round_trip(PeerId(node.0)),
        };
        let count = voters().count();
        let connected = voters().filter(|replica| distance(replica.node).is_some()).count();
        if count > 2 && connected <= count / 2 + 1 {
            return Some(Suspicion::UnderReplicated);
        }
        let leader = if self.is_local(route.descriptor.id) { None } else { self.target(route, 0) };
        leader.and_then(distance).filter(|distance| *distance > FAR).map(|_| Suspicion::Far)
    }
}
