//! Checks on Raft messages before raft-rs sees them.
//!
//! Peers are authenticated but may be wrong: restored from an old backup, or of another release. raft-rs panics on a
//! commit index beyond the log and on entries with gaps; a replica without data would apply entries that it has no
//! state for. What fails a check here is dropped, as a network might drop it.
//!
//! Invariant: a message that passes cannot make raft-rs panic.

use super::message::{RaftBody, RaftEntry, RaftMessage};
use super::peer::{Peer, raft_last};
use crate::range::MAX_COMMAND_BYTES;
use crate::{NodeId, ReplicaId};

/// Larger indexes, terms and bounds cannot arise: they would take centuries.
pub(super) const MAX_NUMBER: u64 = 1 << 62;

/// Why a message is dropped.
pub(super) type Reason = &'static str;

/// What to do with a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Step it.
    Step,
    /// Drop it.
    Drop(Reason),
    /// Its sender was removed from the range: drop it, and say so if it asks for votes.
    SenderGone,
}

/// Judges a message for `peer`, from the replica's claimed node.
pub(super) fn judge(peer: &Peer, node: NodeId, message: &RaftMessage) -> Verdict {
    match check(peer, node, message) {
        Err(reason) => Verdict::Drop(reason),
        Ok(()) if is_gone(peer, message.from) => Verdict::SenderGone,
        Ok(()) => Verdict::Step,
    }
}

fn is_gone(peer: &Peer, sender: ReplicaId) -> bool {
    peer.descriptor
        .as_ref()
        .is_some_and(|descriptor| sender < descriptor.next_replica && descriptor.replica(sender).is_none())
}

fn check(peer: &Peer, node: NodeId, message: &RaftMessage) -> Result<(), Reason> {
    if message.to != peer.replica || message.from == peer.replica || message.from.0 == 0 {
        return Err("not for this replica");
    }
    if peer.addresses.get(&message.from).is_some_and(|known| *known != node) {
        return Err("the sending replica lives on another node");
    }
    if message.term == 0 || message.term >= MAX_NUMBER {
        return Err("impossible term");
    }
    let last = raft_last(&peer.node);
    match &message.body {
        RaftBody::Append { index, log_term, commit, entries } => {
            bounded(&[*index, *commit])?;
            // raft-rs takes term 0 for that of any entry it does not have; no log of ours begins before index 10.
            if *index == 0 || *log_term == 0 {
                return Err("entries after none");
            }
            check_entries(*index, *log_term, message.term, entries)
        }
        RaftBody::AppendReply { index, commit, reject } => {
            let (hint, term) = reject.unwrap_or_default();
            bounded(&[*index, *commit, hint, term])?;
            let beyond = peer.lead.is_some_and(|lead| lead.term == message.term) && *index > last && reject.is_none();
            if beyond || hint > *index {
                return Err("a reply about entries that were not sent");
            }
            Ok(())
        }
        RaftBody::Vote { index, log_term, commit, commit_term, .. } => {
            bounded(&[*index, *log_term, *commit, *commit_term])
        }
        RaftBody::VoteReply { commit, commit_term, granted, .. } => bounded(&[*commit, *commit_term, *granted]),
        RaftBody::Heartbeat { commit, .. } if *commit > last && peer.descriptor.is_some() => {
            Err("commit index beyond the log")
        }
        RaftBody::Heartbeat { grant, .. } => bounded(&[*grant]),
        RaftBody::HeartbeatReply { commit, granted, .. } => bounded(&[*commit, *granted]),
        RaftBody::TimeoutNow | RaftBody::AskMembership { .. } => Ok(()),
        RaftBody::Gone { .. } => Err("not a Raft message"),
    }
}

fn bounded(numbers: &[u64]) -> Result<(), Reason> {
    if numbers.iter().all(|number| *number < MAX_NUMBER) { Ok(()) } else { Err("impossible number") }
}

fn check_entries(index: u64, log_term: u64, term: u64, entries: &[RaftEntry]) -> Result<(), Reason> {
    let mut before = (index, log_term);
    for entry in entries {
        if entry.index != before.0 + 1 || entry.term < before.1 || entry.term > term {
            return Err("entries with a gap or of a later term");
        }
        if entry.data.len() > MAX_COMMAND_BYTES {
            return Err("an entry larger than any command");
        }
        before = (entry.index, entry.term);
    }
    Ok(())
}
