//! Raft messages as they cross the network: our own closed enum, never protobuf.
//!
//! ```text
//!   raft-rs Message ──to_wire──► RaftMessage ══ bincode, between authenticated nodes ══► from_wire ──► Message
//! ```
//! Only the message kinds that may come from outside exist here: no proposals (never forwarded), no snapshots (images
//! have their own stream), no local kinds. The data of a membership entry is our own encoding of the change, so that
//! no receiver parses protobuf.

use crate::{NodeId, RangeDescriptor, RangeId, ReplicaId};
use bincode::{Decode, Encode};
use bytes::Bytes;
use raft::eraftpb::{Entry, EntryType, Message, MessageType};

/// Context that raft-rs puts into votes of a leadership transfer.
const TRANSFER: &[u8] = b"CampaignTransfer";

/// One message between two replicas of a range.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RaftMessage {
    /// The group.
    pub range: RangeId,
    /// The receiving replica.
    pub to: ReplicaId,
    /// The sending replica.
    pub from: ReplicaId,
    /// The sender's term (a pre-vote's is the one it would campaign in).
    pub term: u64,
    /// What it says.
    pub body: RaftBody,
}

/// What a [`RaftMessage`] says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RaftBody {
    /// Entries after `(index, log_term)`, and how far the leader's log is raft-committed.
    Append {
        /// Index of the entry before the first one.
        index: u64,
        /// Its term.
        log_term: u64,
        /// The leader's commit index.
        commit: u64,
        /// The entries, gapless.
        entries: Vec<RaftEntry>,
    },
    /// The log matches up to `index` (or does not).
    AppendReply {
        /// Last matching index, or the refused one.
        index: u64,
        /// The follower's commit index.
        commit: u64,
        /// Set when refused: where to try next, and the term there.
        reject: Option<(u64, u64)>,
    },
    /// Asks for a vote.
    Vote {
        /// Only asks whether a vote would be granted.
        pre: bool,
        /// Index of the candidate's last entry.
        index: u64,
        /// Its term.
        log_term: u64,
        /// The candidate's commit index.
        commit: u64,
        /// The term there.
        commit_term: u64,
        /// The leader asked for this election.
        transfer: bool,
    },
    /// Answers a vote.
    VoteReply {
        /// Answers a pre-vote.
        pre: bool,
        /// Refused.
        reject: bool,
        /// The voter's commit index (when refused).
        commit: u64,
        /// The term there.
        commit_term: u64,
        /// The greatest bound of reads that the voter has granted.
        granted: u64,
    },
    /// The leader lives; with a read round's number when it wants its leadership confirmed.
    Heartbeat {
        /// How far the follower's matching log is raft-committed.
        commit: u64,
        /// Number of the read round.
        round: Option<u64>,
        /// The bound of reads that the leader asks for; 0 for none.
        grant: u64,
    },
    /// Answers a heartbeat.
    HeartbeatReply {
        /// The follower's commit index.
        commit: u64,
        /// The round that was asked for.
        round: Option<u64>,
        /// The greatest bound of reads that the follower has granted, durably, in this term or before.
        granted: u64,
    },
    /// Campaign now: leadership is handed over.
    TimeoutNow,
    /// A replica hears no leader: is it still a member? Members pass it on to their leader, which answers with
    /// [`RaftBody::Gone`] if it is not.
    AskMembership {
        /// The node of the replica that asks.
        node: NodeId,
    },
    /// The receiver is no longer part of the range; here is the newest descriptor known.
    Gone {
        /// A descriptor that the sender has applied.
        descriptor: RangeDescriptor,
    },
}

/// One log entry on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaftEntry {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// Whether it changes the membership.
    pub change: bool,
    /// An encoded [`crate::Command`], or an encoded membership change.
    pub data: Bytes,
}

impl Encode for RaftEntry {
    fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
        self.index.encode(encoder)?;
        self.term.encode(encoder)?;
        self.change.encode(encoder)?;
        self.data.as_ref().encode(encoder)
    }
}

impl<C> Decode<C> for RaftEntry {
    fn decode<D: bincode::de::Decoder<Context = C>>(decoder: &mut D) -> Result<Self, bincode::error::DecodeError> {
        Ok(RaftEntry {
            index: u64::decode(decoder)?,
            term: u64::decode(decoder)?,
            change: bool::decode(decoder)?,
            data: Bytes::from(Vec::<u8>::decode(decoder)?),
        })
    }
}

bincode::impl_borrow_decode!(RaftEntry);

/// The raft-rs message as ours, with nothing said about bounds of reads; `None` for kinds that never leave the store.
pub(super) fn to_wire(range: RangeId, mut message: Message) -> Option<RaftMessage> {
    let body = match message.get_msg_type() {
        MessageType::MsgAppend => RaftBody::Append {
            index: message.index,
            log_term: message.log_term,
            commit: message.commit,
            entries: message.take_entries().into_iter().map(entry_to_wire).collect(),
        },
        MessageType::MsgAppendResponse => RaftBody::AppendReply {
            index: message.index,
            commit: message.commit,
            reject: message.reject.then_some((message.reject_hint, message.log_term)),
        },
        MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => RaftBody::Vote {
            pre: message.get_msg_type() == MessageType::MsgRequestPreVote,
            index: message.index,
            log_term: message.log_term,
            commit: message.commit,
            commit_term: message.commit_term,
            transfer: message.context.as_ref() == TRANSFER,
        },
        MessageType::MsgRequestVoteResponse | MessageType::MsgRequestPreVoteResponse => RaftBody::VoteReply {
            pre: message.get_msg_type() == MessageType::MsgRequestPreVoteResponse,
            reject: message.reject,
            commit: message.commit,
            commit_term: message.commit_term,
            granted: 0,
        },
        MessageType::MsgHeartbeat => {
            RaftBody::Heartbeat { commit: message.commit, round: round_from(&message.context), grant: 0 }
        }
        MessageType::MsgHeartbeatResponse => {
            RaftBody::HeartbeatReply { commit: message.commit, round: round_from(&message.context), granted: 0 }
        }
        MessageType::MsgTimeoutNow => RaftBody::TimeoutNow,
        _ => return None,
    };
    Some(RaftMessage { range, to: ReplicaId(message.to), from: ReplicaId(message.from), term: message.term, body })
}

/// Our message as raft-rs'; `None` for those that are for the store.
pub(super) fn from_wire(wire: RaftMessage) -> Option<Message> {
    let mut message = Message { to: wire.to.0, from: wire.from.0, term: wire.term, ..Default::default() };
    match wire.body {
        RaftBody::Append { index, log_term, commit, entries } => {
            message.set_msg_type(MessageType::MsgAppend);
            message.index = index;
            message.log_term = log_term;
            message.commit = commit;
            message.set_entries(entries.into_iter().map(entry_from_wire).collect::<Vec<_>>().into());
        }
        RaftBody::AppendReply { index, commit, reject } => {
            message.set_msg_type(MessageType::MsgAppendResponse);
            message.index = index;
            message.commit = commit;
            message.reject = reject.is_some();
            (message.reject_hint, message.log_term) = reject.unwrap_or_default();
        }
        RaftBody::Vote { pre, index, log_term, commit, commit_term, transfer } => {
            let kind = if pre { MessageType::MsgRequestPreVote } else { MessageType::MsgRequestVote };
            message.set_msg_type(kind);
            message.index = index;
            message.log_term = log_term;
            message.commit = commit;
            message.commit_term = commit_term;
            if transfer {
                message.context = Bytes::from_static(TRANSFER);
            }
        }
        RaftBody::VoteReply { pre, reject, commit, commit_term, granted: _ } => {
            let kind = if pre { MessageType::MsgRequestPreVoteResponse } else { MessageType::MsgRequestVoteResponse };
            message.set_msg_type(kind);
            message.reject = reject;
            message.commit = commit;
            message.commit_term = commit_term;
        }
        RaftBody::Heartbeat { commit, round, grant: _ } => {
            message.set_msg_type(MessageType::MsgHeartbeat);
            message.commit = commit;
            message.context = round_to(round);
        }
        RaftBody::HeartbeatReply { commit, round, granted: _ } => {
            message.set_msg_type(MessageType::MsgHeartbeatResponse);
            message.commit = commit;
            message.context = round_to(round);
        }
        RaftBody::TimeoutNow => message.set_msg_type(MessageType::MsgTimeoutNow),
        RaftBody::AskMembership { .. } | RaftBody::Gone { .. } => return None,
    }
    Some(message)
}

/// The number of a read round as raft-rs carries it.
pub(super) fn round_to(round: Option<u64>) -> Bytes {
    round.map(|round| Bytes::copy_from_slice(&round.to_be_bytes())).unwrap_or_default()
}

/// Reverses [`round_to`].
pub(super) fn round_from(context: &[u8]) -> Option<u64> {
    context.try_into().ok().map(u64::from_be_bytes)
}

fn entry_to_wire(mut entry: Entry) -> RaftEntry {
    let change = entry.get_entry_type() != EntryType::EntryNormal;
    let data = if change { entry.take_context() } else { entry.take_data() };
    RaftEntry { index: entry.index, term: entry.term, change, data }
}

fn entry_from_wire(wire: RaftEntry) -> Entry {
    let mut entry = Entry { index: wire.index, term: wire.term, ..Default::default() };
    if wire.change {
        entry.set_entry_type(EntryType::EntryConfChangeV2);
        entry.context = wire.data;
    } else {
        entry.data = wire.data;
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(body: RaftBody) -> RaftMessage {
        RaftMessage { range: RangeId(4), to: ReplicaId(2), from: ReplicaId(1), term: 7, body }
    }

    fn every_body() -> [RaftBody; 10] {
        let entry = |change| RaftEntry { index: 12, term: 7, change, data: Bytes::from_static(b"bytes") };
        [
            RaftBody::Append { index: 11, log_term: 6, commit: 9, entries: vec![entry(false), entry(true)] },
            RaftBody::AppendReply { index: 11, commit: 9, reject: None },
            RaftBody::AppendReply { index: 11, commit: 9, reject: Some((8, 5)) },
            RaftBody::Vote { pre: true, index: 11, log_term: 6, commit: 9, commit_term: 5, transfer: false },
            RaftBody::Vote { pre: false, index: 11, log_term: 6, commit: 9, commit_term: 5, transfer: true },
            RaftBody::VoteReply { pre: true, reject: true, commit: 9, commit_term: 5, granted: 0 },
            RaftBody::VoteReply { pre: false, reject: false, commit: 0, commit_term: 0, granted: 0 },
            RaftBody::Heartbeat { commit: 9, round: Some(0), grant: 0 },
            RaftBody::HeartbeatReply { commit: 9, round: None, granted: 0 },
            RaftBody::TimeoutNow,
        ]
    }

    #[test]
    fn every_body_survives_both_conversions() {
        for body in every_body() {
            let wire = message(body);
            let back = from_wire(wire.clone()).and_then(|raft| to_wire(RangeId(4), raft));
            assert_eq!(back.as_ref(), Some(&wire));
            let bytes = crate::codec::encode(&wire);
            assert_eq!(crate::codec::decode::<RaftMessage>(&bytes).unwrap(), wire);
        }
    }

    proptest! {
        #[test]
        fn damaged_messages_are_read_or_refused(body in 0usize..10, at: prop::sample::Index, flip: u8, cut: bool) {
            let messages = vec![message(every_body()[body].clone())];
            let mut bytes = crate::codec::encode(&messages);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if cut {
                bytes.truncate(at);
            }
            if let Ok(messages) = crate::codec::decode::<Vec<RaftMessage>>(&bytes) {
                prop_assert_eq!(crate::codec::encode(&messages), bytes);
                messages.into_iter().for_each(|message| drop(from_wire(message)));
            }
        }
    }

    #[test]
    fn proposals_and_snapshots_never_leave() {
        for kind in [MessageType::MsgPropose, MessageType::MsgSnapshot, MessageType::MsgReadIndex, MessageType::MsgHup]
        {
            let mut raft = Message::default();
            raft.set_msg_type(kind);
            assert_eq!(to_wire(RangeId(4), raft), None);
        }
    }
}
