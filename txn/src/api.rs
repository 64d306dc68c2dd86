//! What a gateway asks of a participant (the leaseholder of a range), and the answers: plain data that crosses the
//! network or a function call. Expected protocol outcomes are replies, not errors.
//!
//! Every request may be lost, duplicated, delayed and reordered. A refused [`Request::CommitOne`],
//! [`Request::CanCommit`] or [`Request::PrepareFast`] stays refused: its reason is permanent (a newer version, a promise
//! under a confirmed leadership), or the attempt has been made ABORTED durably before the refusal is answered.
//!
//! Values travel as [`Blob`], so that a local call hands over the engine's own bytes.

mod blob;
pub use blob::Blob;

use crate::oracle::CommitIds;
use crate::{Attempt, Ballot, ReadSpan, StartId, TxnId};
use bincode::{Decode, Encode};
use quorate_storage::{NodeId, RangeDescriptor, RangeId, Span};

/// A request to one range.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RangeRequest {
    /// The range that the router believes holds the keys.
    pub range: RangeId,
    /// Its generation in the router's descriptor.
    pub generation: u64,
    /// What to do.
    pub request: Request,
}

/// Who asks, in requests made on behalf of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TxnMeta {
    /// The attempt.
    pub attempt: Attempt,
    /// Its age.
    pub start: StartId,
    /// The ID it reads at.
    pub read_id: TxnId,
}

/// Volatile lock wanted on what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum LockMode {
    /// `FOR SHARE`.
    Share,
    /// `FOR UPDATE`, and rows about to be written.
    Update,
}

/// What to do when a lock is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum LockWait {
    /// Queue.
    #[default]
    Wait,
    /// Answer [`Reply::LockNotAvailable`].
    NoWait,
    /// Leave the row out.
    SkipLocked,
}

/// One read of several.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Read {
    /// The value of one key.
    Get {
        /// The key.
        key: Vec<u8>,
    },
    /// Pairs of a span.
    Scan {
        /// Where.
        span: Span,
        /// At most so many pairs (0: as many as fit into one reply).
        limit: u64,
        /// Descending order.
        reverse: bool,
    },
}

/// A request's body.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// Reads at `read_id`, promising that nobody commits at or below it later. With `lock`, first locks the keys of
    /// gets (also absent ones) and the rows that scans find, then reads the newest state: see [`Reply::Rows`].
    Read {
        /// Who.
        meta: TxnMeta,
        /// What.
        reads: Vec<Read>,
        /// Volatile lock.
        lock: Option<(LockMode, LockWait)>,
    },
    /// Drops the volatile locks of an attempt that ends without a commit here; its requests that wait for locks are
    /// answered [`Reply::Wounded`].
    Unlock {
        /// Whose volatile locks in this range to drop (also those it waits for).
        attempt: Attempt,
    },
    /// Refresh: are these spans unchanged by others in `(from, to]`? If so, promise them at `to`.
    Refresh {
        /// Who.
        meta: TxnMeta,
        /// What was read.
        spans: Vec<ReadSpan>,
        /// Where the reads are valid now.
        from: TxnId,
        /// Where they shall be valid.
        to: TxnId,
        /// Whether the attempt holds intents anywhere (it has been prepared): then it may wait only for intents of
        /// older transactions, or two of them could wait for each other.
        prepared: bool,
    },
    /// Commits a transaction that writes in this range only (path ONE).
    CommitOne(Prepare),
    /// First phase of three-phase commit.
    CanCommit(Prepare),
    /// The only phase of path FAST: votes for a commit at `prepare.commit_id`. Once all participants hold it, the attempt
    /// is committed.
    PrepareFast(Prepare),
    /// Asks for a register and fences lower ballots; NONE becomes ABORTED.
    Inquire {
        /// The participant's record.
        record: RecordKey,
        /// The fence.
        ballot: Ballot,
    },
    /// Second phase, or a terminator's proposal: the attempt shall commit at this ID.
    PreCommit {
        /// The participant's record.
        record: RecordKey,
        /// Whose proposal.
        ballot: Ballot,
        /// The commit ID.
        commit_id: TxnId,
    },
    /// Second phase, or a terminator's proposal: the attempt shall abort.
    PreAbort {
        /// The participant's record.
        record: RecordKey,
        /// Whose proposal.
        ballot: Ballot,
    },
    /// Third phase: intents become versions.
    DoCommit {
        /// The participant's record.
        record: RecordKey,
        /// The commit ID.
        commit_id: TxnId,
    },
    /// The attempt has aborted: intents go.
    DoAbort {
        /// The participant's record.
        record: RecordKey,
    },
    /// The final outcome of a one-range attempt: if no marker exists, writes ABORTED and says so.
    Settle {
        /// The attempt's record.
        record: RecordKey,
    },
    /// A chunk of intents of a transaction too large for one proposal; the record is PENDING until CanCommit, which
    /// carries the last chunk and names all participants. Chunks of one attempt in one range share a `part_key` and
    /// hold disjoint keys; a chunk may be sent again.
    Spill(Prepare),
    /// Cuts the range at `key` (inside it); the part from `key` on becomes range `right`.
    Split {
        /// First key of the new range.
        key: Vec<u8>,
        /// The new range's id, from the directory.
        right: RangeId,
    },
    /// Which of these records, all of committed attempts, need not be asked about ever again: decided and without
    /// intents, or forgotten.
    Ended {
        /// The records.
        records: Vec<RecordKey>,
    },
    /// Closes a commit token, unless an attempt newer than `aborted` has prepared under it; see [`Reply::Token`].
    CloseToken {
        /// Anchor and first attempt of the token.
        record: RecordKey,
        /// The newest attempt of the token that is known to be ABORTED.
        aborted: Attempt,
    },
}

/// Names a participant record: the smallest key of the attempt in the range when it was prepared, and the attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct RecordKey {
    /// A user key, so that the record stays with it over splits.
    pub part_key: Vec<u8>,
    /// The attempt.
    pub attempt: Attempt,
}

/// What one participant is asked to prepare (or to commit at once).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Prepare {
    /// Who; `meta.read_id` is S, where all `reads` are valid.
    pub meta: TxnMeta,
    /// This participant's record.
    pub part_key: Vec<u8>,
    /// The commit ID (paths ONE and FAST); 0 in three-phase commit, which learns it later.
    pub commit_id: TxnId,
    /// The writes of this range, ascending by key.
    pub writes: Vec<Write>,
    /// What was read in this range and must still be valid at the commit ID.
    pub reads: Vec<ReadSpan>,
    /// Part keys of every participant of the attempt.
    pub participants: Vec<Vec<u8>>,
    /// Part keys of those whose registers form the deciding quorum of three-phase commit.
    pub acceptors: Vec<Vec<u8>>,
    /// Whether the transaction read in ranges where it does not write (recovery may not commit on its own then).
    pub foreign_reads: bool,
    /// Path ONE, if nothing was read elsewhere: what the transaction knows of the catalog. A participant that must refuse the
    /// commit ID may then commit at a higher one of its own, as long as the catalog has not changed since.
    pub catalog_id: Option<TxnId>,
    /// For the participant of the anchor, in every attempt but the first: the first, which the commit token names.
    pub token: Option<Attempt>,
    /// The key of the record that decides this attempt, if it is held for a later statement (see [`crate::held`]).
    pub held: Option<Vec<u8>>,
}

/// One buffered write.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Write {
    /// The key.
    pub key: Vec<u8>,
    /// The new value, `None` to delete.
    pub value: Option<Vec<u8>>,
    /// What must still be the newest version for the write to be right.
    pub base: Base,
}

/// What a write assumes of the version that it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Base {
    /// Nothing newer than this ID (the S at which the row was read or found absent, or its lock's ID).
    NotAfter(TxnId),
    /// Whatever is there (blind write).
    Any,
}

/// The answer to a [`RangeRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Reply {
    /// Answers to a [`Request::Read`], one per read.
    Rows {
        /// One result per read.
        results: Vec<ReadResult>,
        /// Of a locking read only: `Some(n)` if what was read is the state at `n > read_id` instead of at `read_id`.
        /// The gateway moves to a new S >= n, with its earlier reads refreshed there; above n it reads these again.
        newest: Option<TxnId>,
        /// Of a locking read that had to wait only: a commit ID that was drawn for it meanwhile.
        drawn: Option<CommitIds>,
    },
    /// Done; nothing to say.
    Ok,
    /// Committed at this ID.
    Committed {
        /// The commit ID.
        commit_id: TxnId,
        /// Raft index of the entry; 0 if it was so before.
        index: u64,
    },
    /// The register of a participant.
    Register(Register),
    /// A value that was read has been overwritten at this ID: refresh failed.
    ReadInvalid {
        /// The key.
        key: Vec<u8>,
    },
    /// A key to be written has a newer version than its base.
    WriteConflict {
        /// The key.
        key: Vec<u8>,
        /// The newer version's ID.
        newest: TxnId,
    },
    /// Promised to a reader already: come again with an ID above this one.
    NeedHigherId {
        /// Greatest promise met.
        above: TxnId,
    },
    /// An older transaction took this attempt's locks: abort and run again.
    Wounded,
    /// `NOWAIT`, or the wait was limited and ran out.
    LockNotAvailable {
        /// The key.
        key: Vec<u8>,
    },
    /// Aborted, durably.
    Aborted,
    /// This node does not lead the range.
    NotLeader {
        /// Who does, as far as it knows.
        leader: Option<NodeId>,
        /// Whether a proposal of this request may still take effect.
        maybe_applied: bool,
    },
    /// This node leads the range but is still starting to serve, or the range is busy with a change of itself: come
    /// again soon. Nothing was done.
    NotReady,
    /// The range is not (any more) what the router thinks.
    EpochMismatch {
        /// Descriptors of what this node holds there now.
        descriptors: Vec<RangeDescriptor>,
    },
    /// The store stopped or a bound was met; text for people.
    Failed(String),
    /// Old versions are gone up to this ID, and the request needs to see them: never possible again, nothing was done.
    TooOld {
        /// Reads at or above it are possible.
        floor: TxnId,
    },
    /// There is no record of this attempt, and will not be: it is so old that what was decided about it may be
    /// forgotten. The range holds no intent of it.
    Forgotten,
    /// Answers to [`Request::Ended`], in its order.
    Ended(Vec<bool>),
    /// Answer to [`Request::CloseToken`]: the newest attempt that has prepared under the token; `None` if it is closed.
    Token(Option<Attempt>),
}

/// The answer to one [`Read`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ReadResult {
    /// Of a get: the value, if the key exists.
    Value(Option<Blob>),
    /// Of a scan.
    Pairs {
        /// Keys and values, in scan order.
        pairs: Vec<(Blob, Blob)>,
        /// Where to go on if the scan was cut short (limit of the reply's size, or end of the range): the next span.
        resume: Option<Span>,
    },
}

/// State of a participant's register (protocol chapter in [`crate::commit`]).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Register {
    /// Where it stands.
    pub state: RegisterState,
    /// Highest ballot promised.
    pub promised: Ballot,
    /// Ballot of the accepted value.
    pub accepted: Ballot,
    /// The commit ID, once one is known. PREPARED with a commit ID is a vote on path FAST: it holds for this ID alone.
    pub commit_id: TxnId,
    /// The commit ID must not be below it (readers below it have passed the intents).
    pub min_c: TxnId,
    /// All participants' part keys.
    pub participants: Vec<Vec<u8>>,
    /// The deciding ones.
    pub acceptors: Vec<Vec<u8>>,
    /// See [`Prepare::foreign_reads`].
    pub foreign_reads: bool,
    /// See [`Prepare::held`].
    pub held: bool,
    /// The reads to refresh if recovery commits.
    pub reads: Vec<ReadSpan>,
    /// S of the attempt, where all `reads` are valid.
    pub read_id: TxnId,
    /// Age of the attempt: recovery waits for the same transactions as its coordinator would, or two of them could wait
    /// for each other.
    pub start: StartId,
    /// Raft index of the entry that made it so, if this request did; else 0.
    pub index: u64,
}

impl Register {
    /// Whether this is a vote on path FAST.
    pub fn is_fast(&self) -> bool {
        self.state == RegisterState::Prepared && self.commit_id > TxnId(0)
    }
}

/// States of a register; it never leaves `Committed` or `Aborted`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum RegisterState {
    /// Never heard of the attempt.
    #[default]
    None,
    /// Intents are being laid in chunks.
    Pending,
    /// Voted yes.
    Prepared,
    /// Accepted a commit.
    PreCommit,
    /// Accepted an abort.
    PreAbort,
    /// Decided.
    Committed,
    /// Decided.
    Aborted,
}

impl RegisterState {
    /// Whether the register will never change again.
    pub fn is_decided(self) -> bool {
        matches!(self, RegisterState::Committed | RegisterState::Aborted)
    }
}

#[cfg(test)]
mod tests;
