//! One pass: `Ready` of every dirty group, one log batch, one fsync, then what may leave only after it.

use super::Store;
use super::event::{ApplyTask, EffectSink};
use super::message::{RaftMessage, to_wire};
use super::peer::{Incoming, Peer};
use crate::log::{GroupAppend, LogBatch};
use crate::mutation::planted;
use crate::{Error, NodeId, RangeId, ReplicaId};
use raft::Ready;
use raft::eraftpb::{Entry, EntryType, Message};
use std::collections::BTreeMap;

/// What one pass gathers before its fsync.
#[derive(Default)]
struct Pass {
    batch: LogBatch,
    /// The greatest bound that a group has granted.
    granted: u64,
    taken: Vec<Taken>,
}

/// What one group does once the pass is durable.
struct Taken {
    range: RangeId,
    ready: Ready,
    entries: Vec<Entry>,
    messages: Vec<Message>,
}

impl Store {
    /// Makes durable and lets out what the events since the last call caused. Messages and notices go to `sink`;
    /// what is returned goes to the [`super::Applier`], whose results come back as an event.
    ///
    /// # Errors
    /// What the log fails with; the store is stopped then.
    pub fn process<S: EffectSink>(&mut self, sink: &mut S) -> Result<Vec<ApplyTask>, Error> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        while !self.dirty.is_empty() {
            if let Err(error) = self.pass(sink) {
                self.poison(&error);
                return Err(error);
            }
        }
        self.maybe_checkpoint();
        self.flush(sink);
        Ok(std::mem::take(&mut self.tasks))
    }

    fn pass<S: EffectSink>(&mut self, sink: &mut S) -> Result<(), Error> {
        let mut pass = Pass::default();
        for range in std::mem::take(&mut self.dirty) {
            self.collect(range, &mut pass)?;
        }
        self.flush(sink);
        pass.batch.granted = self.raise_granted(pass.granted);
        let granted = pass.batch.granted.unwrap_or(self.granted);
        if !pass.batch.groups.is_empty() || granted > self.granted {
            match self.log.append(pass.batch, !planted("fsync-skipped")) {
                Err(_) if planted("fsync-failure-ignored") => {}
                appended => appended?,
            }
            sink.appended();
        }
        self.granted = granted;
        pass.taken.into_iter().try_for_each(|taken| self.advance(taken))
    }

    fn collect(&mut self, range: RangeId, pass: &mut Pass) -> Result<(), Error> {
        let Some(peer) = self.peers.get_mut(&range).filter(|peer| !peer.is_installing()) else {
            return Ok(());
        };
        peer.begin_confirm();
        pass.granted = pass.granted.max(peer.grants.granted());
        if !peer.node.has_ready() {
            return self.settle(range);
        }
        let mut ready = peer.node.ready();
        let mut messages = ready.take_messages();
        if peer.led == Some(peer.term()) {
            post(&mut self.outbox, peer, std::mem::take(&mut messages), self.granted);
        }
        for state in ready.take_read_states() {
            peer.end_confirm(&state.request_ctx);
        }
        if !ready.snapshot().is_empty() {
            let task = hold(peer, ready)?;
            self.tasks.push(task);
            return Ok(());
        }
        let committed = ready.take_committed_entries();
        let saves_commit = committed.iter().any(|entry| entry.get_entry_type() != EntryType::EntryNormal);
        self.tasks.extend(peer.hand_over(committed));
        let entries = ready.take_entries();
        if ready.must_sync() || saves_commit {
            self.log_bytes += entries.iter().map(|entry| entry.data.len() as u64 + 64).sum::<u64>();
            let hard_state = Some(peer.node.raft.hard_state());
            pass.batch.groups.push(GroupAppend { entries: entries.clone(), hard_state, ..GroupAppend::new(range) });
        }
        pass.taken.push(Taken { range, ready, entries, messages });
        Ok(())
    }

    fn advance(&mut self, taken: Taken) -> Result<(), Error> {
        let Taken { range, mut ready, entries, messages } = taken;
        let Some(peer) = self.peers.get_mut(&range) else {
            return Ok(());
        };
        let granted = self.granted;
        post(&mut self.outbox, peer, messages, granted);
        post(&mut self.outbox, peer, ready.take_persisted_messages(), granted);
        peer.node.mut_store().appended(entries);
        let mut light = peer.node.advance_append(ready);
        post(&mut self.outbox, peer, light.take_messages(), granted);
        self.tasks.extend(peer.hand_over(light.take_committed_entries()));
        if peer.node.has_ready() {
            self.dirty.insert(range);
        }
        self.settle(range)
    }

    /// What follows every step of a group: read errors, images that its followers need, its role.
    pub(super) fn settle(&mut self, range: RangeId) -> Result<(), Error> {
        let Some(peer) = self.peers.get_mut(&range) else {
            return Ok(());
        };
        if let Some(error) = peer.node.mut_store().take_failure() {
            return Err(error);
        }
        peer.led = peer.lead.map(|lead| lead.term);
        peer.count_grants(self.granted);
        self.request_images(range);
        self.publish_role(range);
        Ok(())
    }
}

/// Sorts a group's messages by destination node. Bounds that they acknowledge are durable up to `granted`.
pub(super) fn post(outbox: &mut BTreeMap<NodeId, Vec<RaftMessage>>, peer: &Peer, messages: Vec<Message>, granted: u64) {
    for message in messages {
        let Some(node) = peer.addresses.get(&ReplicaId(message.to)) else {
            continue;
        };
        if let Some(mut wire) = to_wire(peer.range, message) {
            peer.speak(wire.term, &mut wire.body, granted);
            outbox.entry(*node).or_default().push(wire);
        }
    }
}

/// The image behind a snapshot goes to the applier; the `Ready` waits until it is in the engine.
fn hold(peer: &mut Peer, ready: Ready) -> Result<ApplyTask, Error> {
    let Some(Incoming::Stepped(image)) = peer.incoming.take() else {
        return Err(Error::Poisoned(format!("{} restores a snapshot without an image", peer.range)));
    };
    let descriptor = std::sync::Arc::new(image.header.descriptor.clone());
    peer.incoming = Some(Incoming::Installing(Box::new(ready), descriptor, image.header.position()));
    Ok(ApplyTask::Install { range: peer.range, serial: peer.serial, image })
}
