//! Images between stores: when one is wanted, whether one is taken, what happens when it is in the engine.
//!
//! ```text
//!   leader                                     follower
//!   raft-rs wants a snapshot for p4
//!   Notice::ImageWanted, log pinned ──node──►  first chunk: Event::ImageOffered, go on only if it is of use
//!                                              chunks gathered and checked
//!                                              Event::ImageArrived: checks, step into raft-rs
//!                                              Ready with snapshot is held; applier replaces the data, persists
//!                                              log reset with the vote, fsync; Ready goes on
//!   ◄────────────── AppendReply{index} ──────  acknowledged like any append
//!   Event::ImageSent, pin ends a little later
//! ```
//! raft-rs on the leader never sees a snapshot leave: it probes the follower until the acknowledgement arrives.

use super::Store;
use super::event::{ImageRequest, Notice, answer};
use super::peer::{Incoming, Peer, Pin};
use super::process::post;
use super::validate::MAX_NUMBER;
use crate::log::{GroupAppend, LogBatch};
use crate::mutation::planted;
use crate::range::image::{Image, ImageHeader, is_floor};
use crate::{Error, NodeId, RangeDescriptor, RangeId, ReplicaId};
use raft::eraftpb::{Message, MessageType, Snapshot, SnapshotMetadata};
use std::collections::BTreeSet;
use tokio::sync::oneshot::Sender;

impl Store {
    /// Asks the node for images that raft-rs wants to send, once each.
    pub(super) fn request_images(&mut self, range: RangeId) {
        let Some(peer) = self.peers.get_mut(&range) else { return };
        let wanted = peer.node.mut_store().take_wanted();
        let Some(lead) = peer.lead else { return };
        for to in wanted {
            let Some(node) = peer.addresses.get(&to).copied().filter(|_| !peer.images.contains_key(&to)) else {
                continue;
            };
            peer.images.insert(to, Pin { index: peer.node.raft.raft_log.applied, until: None });
            let request = ImageRequest { range, node, to, from: peer.replica, term: lead.term };
            self.notices.push(Notice::ImageWanted(request));
        }
    }

    pub(super) fn on_image_sent(&mut self, range: RangeId, to: ReplicaId, ok: bool) {
        let until = self.ticks + 2 * self.settings.election_ticks as u64;
        let Some(peer) = self.touch(range) else { return };
        if !ok {
            peer.images.remove(&to);
        } else if let Some(pin) = peer.images.get_mut(&to) {
            pin.until = Some(until);
        }
    }

    /// Whether an image would be taken; asked before the rest of it is received.
    pub(super) fn on_image_offered(&mut self, header: &ImageHeader, reply: Sender<bool>) {
        let wanted = self.wants(header);
        answer(reply, wanted);
    }

    pub(super) fn on_image(&mut self, image: Box<Image>, reply: Sender<bool>) {
        let taken = self.wants(&image.header)
            && self.touch(image.header.descriptor.id).is_some_and(|peer| step_image(peer, image));
        answer(reply, taken);
    }

    /// Whether an image is of use. A replica that has its content already lets raft-rs say so to the leader, which
    /// otherwise would never learn where the log can go on: the replica may have been empty when the leader asked, and
    /// come to its data by a split since.
    fn wants(&mut self, header: &ImageHeader) -> bool {
        match self.check_image(header) {
            Ok(Offer::New) => true,
            Ok(Offer::Known) => {
                if let Some(peer) = self.touch(header.descriptor.id).filter(|_| !planted("known-image-unanswered")) {
                    step_snapshot(peer, header);
                }
                false
            }
            Err(reason) => {
                tracing::debug!(range = %header.descriptor.id, reason, "image refused");
                false
            }
        }
    }

    fn check_image(&self, header: &ImageHeader) -> Result<Offer, &'static str> {
        let descriptor = &header.descriptor;
        let Some(peer) = self.peers.get(&descriptor.id) else {
            return Err("no replica of the range here");
        };
        if header.to != peer.replica || peer.incoming.is_some() {
            return Err("for another replica, or beside another image");
        }
        check_members(descriptor, self.node, header)?;
        if header.index >= MAX_NUMBER || header.term >= MAX_NUMBER || !(1..=header.term).contains(&header.entry_term) {
            return Err("impossible position");
        }
        if !header.floors.iter().all(|(suffix, _)| is_floor(suffix)) {
            return Err("local state other than floors");
        }
        let overlaps = self
            .peers
            .values()
            .filter(|other| other.range != descriptor.id)
            .any(|other| other.descriptor.as_ref().is_some_and(|held| held.span.overlaps(&descriptor.span)));
        if overlaps {
            return Err("another replica here holds keys of it");
        }
        if header.index > peer.node.raft.raft_log.committed {
            return Ok(Offer::New);
        }
        let ours = peer.node.store().term_at(header.index);
        if ours.is_none_or(|term| term == header.entry_term) { Ok(Offer::Known) } else { Err("contradicts the log") }
    }

    /// The image is in the engine: forget the log that it replaces, then let the held `Ready` go on.
    pub(super) fn on_installed(&mut self, range: RangeId, serial: u64) -> Result<(), Error> {
        let Some(peer) = self.peers.get_mut(&range).filter(|peer| peer.serial == serial) else {
            return Ok(());
        };
        let Some(Incoming::Installing(mut ready, descriptor, position)) = peer.incoming.take() else {
            return Ok(());
        };
        let hard_state = Some(peer.node.raft.hard_state());
        let group = GroupAppend { reset: true, hard_state, ..GroupAppend::new(range) };
        self.log.append(LogBatch { groups: vec![group], ..LogBatch::default() }, true)?;
        peer.node.mut_store().installed(position);
        peer.set_descriptor(descriptor);
        // The applier has published the replica as one that just began.
        peer.published = Peer::UNPUBLISHED;
        let messages = ready.take_persisted_messages();
        let mut light = peer.node.advance_append(*ready);
        peer.node.advance_apply_to(position.index);
        post(&mut self.outbox, peer, messages, self.granted);
        post(&mut self.outbox, peer, light.take_messages(), self.granted);
        peer.observe();
        self.dirty.insert(range);
        Ok(())
    }
}

/// What an image is to its receiver.
enum Offer {
    /// It holds more than the replica knows to be raft-committed.
    New,
    /// It holds nothing new.
    Known,
}

fn check_members(descriptor: &RangeDescriptor, node: NodeId, header: &ImageHeader) -> Result<(), &'static str> {
    let ids: BTreeSet<ReplicaId> = descriptor.replicas.iter().map(|member| member.replica).collect();
    let valid = ids.iter().all(|id| (1..MAX_NUMBER).contains(&id.0) && *id < descriptor.next_replica);
    if ids.len() != descriptor.replicas.len() || !valid || descriptor.conf_state().voters.is_empty() {
        return Err("impossible membership");
    }
    if descriptor.span.start >= descriptor.span.end {
        return Err("empty span");
    }
    let ours = descriptor.replica(header.to).is_some_and(|member| member.node == node);
    if !ours || descriptor.replica(header.from).is_none() || header.from == header.to {
        return Err("sent between replicas that are no members");
    }
    Ok(())
}

/// Steps the image into raft-rs as a snapshot; whether raft-rs wants it.
fn step_image(peer: &mut Peer, image: Box<Image>) -> bool {
    step_snapshot(peer, &image.header);
    let pending = peer.node.snap().map(|snapshot| snapshot.get_metadata().index);
    let taken = pending == Some(image.header.index);
    if taken {
        peer.incoming = Some(Incoming::Stepped(image));
    }
    taken
}

fn step_snapshot(peer: &mut Peer, header: &ImageHeader) {
    let mut metadata = SnapshotMetadata { index: header.index, term: header.entry_term, ..Default::default() };
    metadata.set_conf_state(header.descriptor.conf_state());
    let mut snapshot = Snapshot::default();
    snapshot.set_metadata(metadata);
    let mut message = Message { to: header.to.0, from: header.from.0, term: header.term, ..Default::default() };
    message.set_msg_type(MessageType::MsgSnapshot);
    message.set_snapshot(snapshot);
    if peer.descriptor.is_none() {
        // The answer goes to the leader's node, which this replica may not have met.
        peer.addresses.extend(header.descriptor.replicas.iter().map(|member| (member.replica, member.node)));
    }
    if let Err(error) = peer.node.step(message) {
        tracing::debug!(range = %peer.range, %error, "image refused");
    }
    peer.observe();
}
