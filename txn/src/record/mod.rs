//! What an attempt leaves in its ranges: intents, its participant record, its marker.
//!
//! ```text
//!  Record   escape(part_key) 00 01 | attempt (32)               header
//!           escape(part_key) 00 01 | attempt (32) | 01          plan: participants, acceptors, reads, holder
//!           escape(anchor) 00 01 | first attempt (32) | 02      commit token: 0 closed, or 1 | newest attempt (32)
//!  Lock     key                                                 intent
//!
//!  header   seq (8, BE) | state (1) | commit ID (8, BE) | if undecided: Undecided (bincode)
//!  intent   attempt (32) | length of part_key (8, BE) | part_key | 1 if a value follows, 0 deletes | value
//!  attempt  gateway (8, BE) | incarnation (8, BE) | counter (8, BE) | birth (8, BE)
//! ```
//! `seq` counts the header's changes, so that a guard compares eight bytes ([`quorate_storage::Expect::StartsWith`]). A
//! decided header is the whole record: 17 bytes stay behind, the same for path ONE (where it is the marker) and for
//! three-phase commit. The plan lies apart because a register changes three times and the plan never does; once a commit
//! over several ranges is decided, its participants are left of it, and it goes together with the header. The keys written
//! are not listed: a leader indexes all intents of its range before it serves. A token's record appears with the second
//! attempt of a commit, or when somebody asks for its status ([`crate::token`]); there may be no header next to it.
//!
//! Invariant: the entry that writes an undecided header writes its intents, and the entry that removes the last intent
//! comes with or after the decided header.
//! Invariant: nothing is ever written under a decided header's key again, until it is collected together with every other
//! record of attempts that old.

use crate::api::{RecordKey, Register, RegisterState};
use crate::commit::Core;
use crate::{Attempt, Ballot, ReadSpan, StartId, TxnId};
use bincode::{Decode, Encode};
use quorate_storage::{Engine, Error, Expect, Keyspace, Span, codec, keys};

/// What follows the header's key in the key of a plan.
pub const PLAN: u8 = 1;
const TOKEN: u8 = 2;
const CLOSED: u8 = 0;
const NEWEST: u8 = 1;
/// Entries looked at by one call of [`decided`].
const STEP: usize = 8 << 10;
const ATTEMPT_LEN: usize = 32;

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Counts its changes, from 1.
    pub seq: u64,
    /// The register.
    pub core: Core,
    /// Age of the attempt.
    pub start: StartId,
    /// S of the attempt.
    pub read_id: TxnId,
}

/// What a decided header no longer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Undecided {
    promised: Ballot,
    accepted: Ballot,
    min_c: TxnId,
    start: StartId,
    read_id: TxnId,
}

/// The part of a record that never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Plan {
    /// Part keys of all participants.
    pub participants: Vec<Vec<u8>>,
    /// Part keys of the deciding ones.
    pub acceptors: Vec<Vec<u8>>,
    /// Reads of the attempt in this range.
    pub reads: Vec<ReadSpan>,
    /// Whether it read in ranges where it does not write.
    pub foreign_reads: bool,
    /// The key of the record that decides the attempt, if it is held for a later statement.
    pub held: Option<Vec<u8>>,
}

/// The record of a commit token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// None of its attempts prepares any more.
    Closed,
    /// The newest attempt that has prepared under it.
    Newest(Attempt),
}

/// A provisional version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Whose.
    pub attempt: Attempt,
    /// Where its record is.
    pub part_key: Vec<u8>,
    /// The value to be; `None` deletes.
    pub value: Option<Vec<u8>>,
}

/// The engine key of a record's header.
pub fn header_key(record: &RecordKey) -> Vec<u8> {
    let mut key = keys::escape_terminated(&record.part_key);
    key.extend_from_slice(&attempt_bytes(record.attempt));
    key
}

/// The engine key of a record's plan.
pub fn plan_key(record: &RecordKey) -> Vec<u8> {
    let mut key = header_key(record);
    key.push(PLAN);
    key
}

/// The engine key of the record of a token, which is named by its anchor and its first attempt.
pub fn token_key(token: &RecordKey) -> Vec<u8> {
    let mut key = header_key(token);
    key.push(TOKEN);
    key
}

/// The attempt whose header this engine key holds; `None` if it holds something else.
pub fn attempt_of_key(engine_key: &[u8]) -> Option<Attempt> {
    let (_, rest) = keys::unescape_terminated(engine_key)?;
    rest.try_into().ok().map(attempt_of)
}

/// What may be forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Old {
    /// Records of attempts.
    pub decided: Vec<Decided>,
    /// Engine keys of the records of tokens.
    pub tokens: Vec<Vec<u8>>,
}

/// A record that may be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Which.
    pub record: RecordKey,
    /// COMMITTED or ABORTED.
    pub state: RegisterState,
    /// All participants, if there are several that may be asked about the attempt; else none.
    pub participants: Vec<Vec<u8>>,
}

/// The decided records, and those of tokens, of attempts born below `floor` in `rest` (engine keys), at most about `most`
/// of them. `rest` becomes what is still to be searched.
///
/// # Errors
/// The engine cannot be read, or holds what is no record.
pub fn old(engine: &dyn Engine, rest: &mut Span, floor: TxnId, most: usize) -> Result<Old, Error> {
    let Old { decided: mut found, mut tokens } = Old::default();
    // The engine key of the header found last.
    let mut last = Vec::new();
    for (seen, pair) in engine.scan(Keyspace::Record, &rest.clone()).enumerate() {
        let (engine_key, stored) = pair?;
        let Some(attempt) = attempt_of_key(&engine_key) else {
            let born_below = |key: &[u8]| attempt_of_key(key).is_some_and(|attempt| attempt.birth < floor);
            if engine_key.strip_suffix(&[TOKEN]).is_some_and(born_below) {
                tokens.push(engine_key.to_vec());
            } else if let Some(decided) =
                found.last_mut().filter(|_| engine_key.strip_prefix(last.as_slice()) == Some(&[PLAN]))
            {
                decided.participants = Plan::decode(&stored)?.participants;
            }
            continue;
        };
        if seen >= STEP || found.len() + tokens.len() >= most {
            rest.start = engine_key.to_vec();
            return Ok(Old { decided: found, tokens });
        }
        let state = Header::decode(&stored)?.core.state;
        if attempt.birth < floor && state.is_decided() {
            let (part_key, _) = keys::unescape_terminated(&engine_key).ok_or_else(|| damaged("record"))?;
            found.push(Decided { record: RecordKey { part_key, attempt }, state, participants: Vec::new() });
            last = engine_key.to_vec();
        }
    }
    rest.start.clone_from(&rest.end);
    Ok(Old { decided: found, tokens })
}

/// The undecided records whose part keys lie in `span`.
///
/// # Errors
/// The engine cannot be read, or holds what is no record.
pub fn undecided(engine: &dyn Engine, span: &Span) -> Result<Vec<RecordKey>, Error> {
    let mut found = Vec::new();
    for pair in engine.scan(Keyspace::Record, &span.in_keyspace(Keyspace::Record)) {
        let (engine_key, stored) = pair?;
        let Some(attempt) = attempt_of_key(&engine_key) else { continue };
        if !Header::decode(&stored)?.core.state.is_decided() {
            let (part_key, _) = keys::unescape_terminated(&engine_key).ok_or_else(|| damaged("record"))?;
            found.push(RecordKey { part_key, attempt });
        }
    }
    Ok(found)
}

impl Header {
    /// The header of an attempt that is decided.
    pub fn decided(seq: u64, core: Core) -> Header {
        Header { seq, core, start: StartId::default(), read_id: TxnId(0) }
    }

    /// The next header of the same record.
    pub fn next(&self, core: Core) -> Header {
        Header { seq: self.seq + 1, core, ..*self }
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.push(state_byte(self.core.state));
        bytes.extend_from_slice(&self.core.commit_id.0.to_be_bytes());
        if !self.core.state.is_decided() {
            let Core { promised, accepted, min_c, .. } = self.core;
            let rest = Undecided { promised, accepted, min_c, start: self.start, read_id: self.read_id };
            bytes.extend_from_slice(&codec::encode(&rest));
        }
        bytes
    }

    /// The header with these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Header, Error> {
        let (seq, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| damaged("record"))?;
        let (state, rest) = rest.split_first().ok_or_else(|| damaged("record"))?;
        let (commit_id, rest) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("record"))?;
        let state = state_of(*state)?;
        let mut core = Core { state, commit_id: TxnId(u64::from_be_bytes(*commit_id)), ..Core::default() };
        let seq = u64::from_be_bytes(*seq);
        if state.is_decided() {
            return if rest.is_empty() { Ok(Header::decided(seq, core)) } else { Err(damaged("record")) };
        }
        let rest: Undecided = codec::decode(rest)?;
        core = Core { promised: rest.promised, accepted: rest.accepted, min_c: rest.min_c, ..core };
        Ok(Header { seq, core, start: rest.start, read_id: rest.read_id })
    }

    /// What a guard expects if this is the header now.
    pub fn guard(header: Option<&Header>) -> Expect {
        header.map_or(Expect::Absent, |header| Expect::StartsWith(header.seq.to_be_bytes().to_vec()))
    }

    /// The register as others see it.
    pub fn register(header: Option<&Header>, plan: Plan) -> Register {
        let core = header.map_or_else(Core::default, |header| header.core);
        Register {
            state: core.state,
            promised: core.promised,
            accepted: core.accepted,
            commit_id: core.commit_id,
            min_c: core.min_c,
            participants: plan.participants,
            acceptors: plan.acceptors,
            foreign_reads: plan.foreign_reads,
            held: plan.held.is_some(),
            reads: plan.reads,
            read_id: header.map_or(TxnId(0), |header| header.read_id),
            start: header.map_or(StartId::default(), |header| header.start),
            index: 0,
        }
    }
}

impl Plan {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The plan with these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Plan, Error> {
        codec::decode(bytes)
    }
}

impl TokenState {
    /// Its bytes.
    pub fn encode(self) -> Vec<u8> {
        match self {
            TokenState::Closed => vec![CLOSED],
            TokenState::Newest(attempt) => [&[NEWEST], attempt_bytes(attempt).as_slice()].concat(),
        }
    }

    /// The state with these bytes.
    pub fn decode(bytes: &[u8]) -> Result<TokenState, Error> {
        match bytes {
            [CLOSED] => Ok(TokenState::Closed),
            [NEWEST, rest @ ..] => {
                let attempt = rest.try_into().map_err(|_| damaged("token"))?;
                Ok(TokenState::Newest(attempt_of(attempt)))
            }
            _ => Err(damaged("token")),
        }
    }

    /// What a guard expects if this is the state now.
    pub fn guard(state: Option<TokenState>) -> Expect {
        state.map_or(Expect::Absent, |state| Expect::StartsWith(state.encode()))
    }
}

impl Intent {
    /// The bytes of an intent; they begin with its attempt.
    pub fn encode(attempt: Attempt, part_key: &[u8], value: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ATTEMPT_LEN + 9 + part_key.len() + value.map_or(0, <[u8]>::len));
        bytes.extend_from_slice(&attempt_bytes(attempt));
        bytes.extend_from_slice(&(part_key.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part_key);
        bytes.push(u8::from(value.is_some()));
        bytes.extend_from_slice(value.unwrap_or_default());
        bytes
    }

    /// The intent with these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Intent, Error> {
        let bad = || damaged("intent");
        let (attempt, rest) = bytes.split_first_chunk::<ATTEMPT_LEN>().ok_or_else(bad)?;
        let (len, rest) = rest.split_first_chunk::<8>().ok_or_else(bad)?;
        let len = usize::try_from(u64::from_be_bytes(*len)).map_err(|_| bad())?;
        let (part_key, rest) = rest.split_at_checked(len).ok_or_else(bad)?;
        let value = match rest.split_first().ok_or_else(bad)? {
            (0, []) => None,
            (1, value) => Some(value.to_vec()),
            _ => return Err(bad()),
        };
        Ok(Intent { attempt: attempt_of(attempt), part_key: part_key.to_vec(), value })
    }
}

pub(crate) fn attempt_bytes(attempt: Attempt) -> [u8; ATTEMPT_LEN] {
    let mut bytes = [0; ATTEMPT_LEN];
    bytes[..8].copy_from_slice(&attempt.gateway.to_be_bytes());
    bytes[8..16].copy_from_slice(&attempt.incarnation.to_be_bytes());
    bytes[16..24].copy_from_slice(&attempt.counter.to_be_bytes());
    bytes[24..].copy_from_slice(&attempt.birth.0.to_be_bytes());
    bytes
}

pub(crate) fn attempt_of(bytes: &[u8; ATTEMPT_LEN]) -> Attempt {
    let part = |at: usize| bytes[at..at + 8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
    Attempt { gateway: part(0), incarnation: part(8), counter: part(16), birth: TxnId(part(24)) }
}

/// Bytes of the states; part of the format.
const STATES: [(RegisterState, u8); 6] = [
    (RegisterState::Pending, 1),
    (RegisterState::Prepared, 2),
    (RegisterState::PreCommit, 3),
    (RegisterState::PreAbort, 4),
    (RegisterState::Committed, 5),
    (RegisterState::Aborted, 6),
];

fn state_byte(state: RegisterState) -> u8 {
    STATES.iter().find(|(known, _)| *known == state).map_or(0, |(_, byte)| *byte)
}

fn state_of(byte: u8) -> Result<RegisterState, Error> {
    STATES.iter().find(|(_, known)| *known == byte).map(|(state, _)| *state).ok_or_else(|| damaged("record"))
}

fn damaged(what: &str) -> Error {
    Error::Damaged(format!("a {what} of a transaction is malformed"))
}

#[cfg(test)]
mod tests;
