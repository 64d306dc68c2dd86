//! Opening a store: which replicas are there, and whether engine and log belong together.
//!
//! ```text
//!   log      begin | first ................ last         begin: `initial`, or the first entry once truncated
//!   engine             ^ applied
//! ```
//! The engine may have lost its newest batches (it is not fsynced), never those before the last checkpoint; the log
//! lost nothing that was acknowledged. So `begin <= applied <= last`, or the disk lost something: refuse.
//!
//! What a crash may have left, and what happens to it:
//! - an `unfinished` span: data half deleted or half replaced. Delete the rest; an image will come again.
//! - a log that ends before, or contradicts, the image in the engine: its entries are covered by the image; drop them.
//! - a log whose range the engine does not know: splits are persisted before a log of the right side begins, so only a
//!   directory put together from parts has this. Keep the log, and let no message create the replica before a split does.

use super::driver::Inbox;
use super::event::Results;
use super::peer::{Peer, PeerStart};
use super::{Applier, Store, StoreHandle, StoreSettings, Views};
use crate::log::{GroupAppend, LogBatch};
use crate::mutation::planted;
use crate::range::delete_data;
use crate::range::local::{self, FIRST_INDEX, LocalState, Position};
use crate::{Engine, Error, LogStore, NodeId, RangeDescriptor, RangeId, ReplicaId, Span};
use raft::eraftpb::HardState;
use std::sync::Arc;

/// A store that was opened: the parts that the node drives, and the way in.
#[derive(Debug)]
pub struct Opened {
    /// For the loop that owns the store.
    pub store: Store,
    /// For the loop that writes the engine.
    pub applier: Applier,
    /// Where events arrive.
    pub inbox: Inbox,
    /// The way in; clone it freely.
    pub handle: StoreHandle,
}

impl Store {
    /// Opens the replicas that `engine` and `log` hold for `node`. A range whose only voter is here elects it in the
    /// first [`Store::process`].
    ///
    /// # Errors
    /// [`Error::Damaged`] if engine and log contradict each other; otherwise what they fail with.
    pub fn open(
        node: NodeId,
        engine: Arc<dyn Engine>,
        log: Arc<dyn LogStore>,
        settings: StoreSettings,
    ) -> Result<Opened, Error> {
        let views = Arc::new(Views::default());
        let (sender, receiver) = std::sync::mpsc::sync_channel(settings.queue);
        let wake = Arc::new(tokio::sync::Notify::new());
        let inbox = Inbox::new(receiver, wake.clone());
        let results = Arc::new(Results::default());
        let handle = StoreHandle { sender, wake, views: views.clone(), results: results.clone() };
        let applier = Applier::new(node, engine.clone(), log.clone(), views.clone());
        let mut store = Store::new(node, engine, log, settings, (views, results));
        store.granted = store.log.granted()?;
        store.restored = if planted("grant-unpersisted") { 0 } else { store.granted };
        for (range, state) in local::load_all(store.engine.as_ref())? {
            store.open_replica(range, state)?;
        }
        Ok(Opened { store, applier, inbox, handle })
    }

    fn open_replica(&mut self, range: RangeId, mut state: LocalState) -> Result<(), Error> {
        if let Some(span) = state.unfinished.take() {
            self.finish_deleting(range, &span)?;
            (state.descriptor, state.applied, state.initial) = Default::default();
            self.forget_entries(range)?;
        }
        let Some(replica) = state.replica else {
            return if state.tombstone.is_some() { self.reset_log(range) } else { Ok(()) };
        };
        if state.descriptor.is_none() && self.awaits_split(range) {
            return Ok(());
        }
        let begin = if state.descriptor.is_some() { self.reconcile(range, &state)? } else { Position::default() };
        let descriptor = state.descriptor.map(Arc::new);
        let serial = self.next_serial();
        let start = PeerStart { range, replica, serial, descriptor, applied: state.applied, begin };
        self.insert_peer(start)
    }

    /// Where the log of an initialized replica begins, after dropping entries that an image covers.
    fn reconcile(&mut self, range: RangeId, state: &LocalState) -> Result<Position, Error> {
        let node = self.node;
        let damaged = |what: String| Err(Error::Damaged(format!("{range} on {node}: {what}")));
        let (applied, initial) = (state.applied.index, state.initial);
        let hard_state = self.log.hard_state(range)?;
        if hard_state.is_none() && applied > FIRST_INDEX {
            return damaged("the log has lost its vote".into());
        }
        if applied < initial.index {
            return damaged(format!("applied index {applied} lies before its image at {}", initial.index));
        }
        let bounds = self.log.bounds(range)?;
        let begin = match bounds {
            Some((first, last)) if last < initial.index || self.contradicts(range, first, initial)? => {
                self.forget_entries(range)?;
                initial
            }
            Some((first, _)) if first > initial.index + 1 => self.position(range, first)?,
            _ => initial,
        };
        let last = self.log.bounds(range)?.map_or(begin.index, |(_, last)| last);
        let commit = hard_state.map_or(0, |state| state.commit);
        if applied < begin.index {
            return damaged(format!("applied index {applied} lies before the log's first index {}", begin.index + 1));
        }
        if applied.max(commit) > last {
            return damaged(format!("applied index {applied}, commit index {commit}, but the log ends at {last}"));
        }
        Ok(begin)
    }

    /// Whether the log holds another entry at the image's position.
    fn contradicts(&self, range: RangeId, first: u64, initial: Position) -> Result<bool, Error> {
        Ok(first <= initial.index && self.position(range, initial.index)?.term != initial.term)
    }

    fn position(&self, range: RangeId, index: u64) -> Result<Position, Error> {
        let found = self.log.entries(range, index, index + 1, u64::MAX)?;
        let term = found.first().map(|entry| entry.term).unwrap_or_default();
        Ok(Position { index, term })
    }

    /// Drops a group's entries and keeps its vote.
    fn forget_entries(&mut self, range: RangeId) -> Result<(), Error> {
        let mut group = GroupAppend { reset: true, ..GroupAppend::new(range) };
        group.hard_state = self.log.hard_state(range)?.map(|state| HardState { commit: 0, ..state });
        self.log.append(LogBatch { groups: vec![group], ..LogBatch::default() }, true)
    }

    pub(super) fn reset_log(&mut self, range: RangeId) -> Result<(), Error> {
        if self.log.hard_state(range)?.is_none() && self.log.bounds(range)?.is_none() {
            return Ok(());
        }
        let group = GroupAppend { reset: true, ..GroupAppend::new(range) };
        self.log.append(LogBatch { groups: vec![group], ..LogBatch::default() }, true)
    }

    fn finish_deleting(&mut self, range: RangeId, span: &Span) -> Result<(), Error> {
        delete_data(self.engine.as_ref(), span)?;
        let mut ops = local::delete_state(self.engine.as_ref(), range)?;
        ops.push(local::delete_unfinished(range));
        self.engine.write(ops)?;
        self.engine.persist()
    }

    /// Creates the first replicas of a new cluster, those whose descriptors name this node. The ranges begin at a
    /// fixed position that no log holds, so that a replica which joins later needs an image.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if one of the ranges exists here; otherwise what log and engine fail with.
    pub fn bootstrap(&mut self, descriptors: &[RangeDescriptor]) -> Result<(), Error> {
        let node = self.node;
        let mine = |descriptor: &RangeDescriptor| Some(descriptor.replica_on(node)?.replica);
        let found: Vec<(RangeDescriptor, ReplicaId)> =
            descriptors.iter().filter_map(|descriptor| Some((descriptor.clone(), mine(descriptor)?))).collect();
        let vote = HardState { term: Position::FIRST.term, commit: Position::FIRST.index, ..HardState::default() };
        let groups = found.iter().map(|(descriptor, _)| GroupAppend {
            hard_state: Some(vote.clone()),
            reset: true,
            ..GroupAppend::new(descriptor.id)
        });
        self.log.append(LogBatch { groups: groups.collect(), ..LogBatch::default() }, true)?;
        let ops = found.iter().flat_map(|(descriptor, replica)| {
            [
                local::put_replica(descriptor.id, *replica),
                local::put_descriptor(descriptor),
                local::put_applied(descriptor.id, Position::FIRST),
                local::put_initial(descriptor.id, Position::FIRST),
            ]
        });
        self.engine.write(ops.collect())?;
        self.engine.persist()?;
        found.into_iter().try_for_each(|(descriptor, replica)| self.insert_new(Arc::new(descriptor), replica))
    }

    /// Adds the replica of a range that begins at the fixed first position.
    pub(super) fn insert_new(&mut self, descriptor: Arc<RangeDescriptor>, replica: ReplicaId) -> Result<(), Error> {
        let serial = self.next_serial();
        let range = descriptor.id;
        let descriptor = Some(descriptor);
        let (applied, begin) = (Position::FIRST, Position::FIRST);
        self.insert_peer(PeerStart { range, replica, serial, descriptor, applied, begin })
    }

    pub(super) fn insert_peer(&mut self, start: PeerStart) -> Result<(), Error> {
        let range = start.range;
        if let Some(descriptor) = &start.descriptor {
            self.views.insert(super::event::idle_view(descriptor.clone(), start.applied.index));
        }
        let mut peer = Peer::new(start, &self.log, &self.settings, self.restored)?;
        if peer.votes_alone() {
            peer.campaign();
        }
        self.peers.insert(range, peer);
        self.dirty.insert(range);
        Ok(())
    }
}
