//! What a node does again and again: ticks, placement, the address book.

use super::Inner;
use super::dispatch::LEADS;
use super::placement::{self, Situation, Step};
use super::start::tell;
use bytes::Bytes;
use quorate_net::runtime::Runtime;
use quorate_net::{Message, PeerId};
use quorate_storage::mutation::planted;
use quorate_storage::range::ReplicaChange;
use quorate_storage::store::{ChangeOutcome, Event, ReplicaView};
use quorate_storage::{FIRST_USER_RANGE, RangeDescriptor, RangeId, Role, StoreHandle, codec};
use quorate_txn::router::DirectoryRequest;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Raft's unit of time.
const TICK: Duration = Duration::from_millis(100);
/// How often a node looks at its ranges: when nothing was to be done, and while something is.
const PLACEMENT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(100));
/// How long a node may take to say how many ranges it leads.
const ASKING: Duration = Duration::from_secs(1);
/// How often a node reads who the members are.
const ADDRESSES: Duration = Duration::from_secs(2);

/// Lets time pass for the store.
pub(super) async fn ticks(store: StoreHandle, runtime: Runtime) {
    loop {
        runtime.sleep(TICK).await;
        tell(&store, Event::Tick);
    }
}

/// Reads the member nodes now and then, and tells the transport where they are.
pub(super) async fn address_book(node: Weak<Inner>) {
    while let Some(inner) = node.upgrade() {
        if let Some(transport) = &inner.transport {
            match inner.membership.nodes().await {
                Ok(nodes) => {
                    inner.members.store(nodes.len(), std::sync::atomic::Ordering::Relaxed);
                    for record in nodes.iter().filter(|record| record.id != inner.id) {
                        transport.set_peer(PeerId(record.id.0), record.socket_addresses());
                    }
                }
                Err(error) => tracing::debug!(%error, "the member nodes cannot be read now"),
            }
        }
        let runtime = inner.runtime.clone();
        drop(inner);
        runtime.sleep(ADDRESSES).await;
    }
}

/// Brings the ranges that this node leads to where they should be, and keeps the directory up to date.
pub(super) async fn placement(node: Weak<Inner>) {
    let mut noted = BTreeMap::new();
    while let Some(inner) = node.upgrade() {
        inner.note_descriptors(&mut noted).await;
        let steps = inner.placement_steps().await;
        let pause = if steps.is_empty() { PLACEMENT.0 } else { PLACEMENT.1 };
        for step in steps {
            inner.carry_out(step).await;
        }
        let runtime = inner.runtime.clone();
        drop(inner);
        runtime.sleep(pause).await;
    }
}

/// How many user ranges this node leads.
pub(super) fn leads(store: &StoreHandle) -> u32 {
    let user = |view: &ReplicaView| view.descriptor.id >= FIRST_USER_RANGE && view.role == Role::Leader;
    u32::try_from(store.all_views().iter().filter(|view| user(view)).count()).unwrap_or(u32::MAX)
}

impl Inner {
    /// What is to be done now. Nodes that would be given a leader have been asked how many they lead.
    async fn placement_steps(&self) -> Vec<Step> {
        let Some(transport) = &self.transport else { return Vec::new() };
        let mut situation = self.situation();
        loop {
            let steps = placement::decide(&situation);
            let asked = |step: &&Step| matches!(step, Step::Transfer(_, to) if !situation.told.contains_key(to));
            let unasked = steps.iter().find(asked).filter(|_| !planted("leads-unasked"));
            let Some(Step::Transfer(_, to)) = unasked else { return steps };
            let question = Message { kind: LEADS, payload: Bytes::new() };
            let answer = transport.call(PeerId(to.0), question, ASKING).await;
            match answer.ok().and_then(|bytes| codec::decode::<u32>(&bytes).ok()) {
                Some(count) => drop(situation.told.insert(*to, count as usize)),
                None => drop(situation.live.remove(to)),
            }
        }
    }

    fn situation(&self) -> Situation {
        let ranges = self.store.all_views().into_iter().map(|view| {
            let leader = match view.role {
                Role::Leader => Some(self.id),
                Role::Candidate => None,
                Role::Follower(leader) => leader,
            };
            ((*view.descriptor).clone(), leader)
        });
        Situation {
            node: self.id,
            live: self.live_nodes(),
            members: self.members.load(std::sync::atomic::Ordering::Relaxed),
            ranges: ranges.collect(),
            told: BTreeMap::new(),
        }
    }

    async fn carry_out(&self, step: Step) {
        match step {
            Step::Transfer(range, to) => {
                tracing::info!(%range, %to, "hands over the leadership");
                tell(&self.store, Event::TransferLeader { range, to });
            }
            Step::Change(range, change) => {
                let promotes = matches!(change.changes[..], [ReplicaChange::Promote(_)]);
                match self.store.change_replicas(range, change).await {
                    ChangeOutcome::Applied(descriptor) => {
                        tracing::info!(%range, conf_ver = descriptor.conf_ver, "changed the replicas");
                    }
                    // A learner that has not caught up is promoted later.
                    outcome if promotes => tracing::trace!(%range, ?outcome, "not promoted yet"),
                    outcome => tracing::debug!(%range, ?outcome, "the replicas were not changed"),
                }
            }
        }
    }

    /// Writes descriptors of led ranges that changed into the directory.
    async fn note_descriptors(&self, noted: &mut BTreeMap<RangeId, (u64, u64)>) {
        let led = self.store.all_views().into_iter().filter(|view| view.role == Role::Leader);
        let changed: Vec<RangeDescriptor> = led
            .map(|view| Arc::unwrap_or_clone(view.descriptor))
            .filter(|range| noted.get(&range.id) != Some(&(range.generation, range.conf_ver)))
            .collect();
        if changed.is_empty() {
            return;
        }
        let versions: Vec<_> = changed.iter().map(|range| (range.id, (range.generation, range.conf_ver))).collect();
        match self.router.ask_directory(&DirectoryRequest::Update(changed)).await {
            Ok(_) => noted.extend(versions),
            Err(error) => tracing::debug!(%error, "the directory cannot be written now"),
        }
    }

    /// Gives every led range to another live voter, so that a planned stop costs no election timeout.
    pub(super) async fn hand_over(&self) {
        if self.transport.is_none() {
            return;
        }
        let live = self.live_nodes();
        for _ in 0..20 {
            let led: Vec<_> = self.store.all_views().into_iter().filter(|view| view.role == Role::Leader).collect();
            let mut asked = false;
            for view in led {
                let others = view.descriptor.replicas.iter().filter(|replica| replica.node != self.id);
                if let Some(to) = others.map(|replica| replica.node).find(|node| live.contains(node)) {
                    tell(&self.store, Event::TransferLeader { range: view.descriptor.id, to });
                    asked = true;
                }
            }
            if !asked {
                return;
            }
            self.runtime.sleep(TICK).await;
        }
    }
}
