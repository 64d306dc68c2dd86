//! The record of a transaction that is held: prepared under a name, to be committed or rolled back later, by anybody.
//!
//! It is an ordinary key of the map, written by ordinary transactions, so it is replicated, serializable, and seen from
//! all nodes. It is the one place where the attempt is decided; the registers of the participants follow it.
//!
//! ```text
//!            insert                all voted, reads hold at C              COMMIT              all acknowledged
//!   (none) ─────────► Preparing ─────────────────────────────► Prepared(C) ────────► Committing(C) ────────► (none)
//!                         │ it failed, or is silent                │ ROLLBACK
//!                         └──────────► (none)                      └──────────► (none)
//! ```
//! Deleting the record is the decision to abort: it is written before any participant is asked to prepare, so an attempt
//! without a record that is not decided everywhere never will be committed, and its name is free at once. (A state "rolling
//! back" would be one more that somebody must clear away.)
//!
//! The participants keep the key of the record in their plans. Silence makes them ask what it says: nothing, while it is
//! prepared, for as long as its client likes.
//!
//! Invariant: `Committing` follows `Prepared` at the same C, and nothing else; it is removed only when every participant has
//! acknowledged the commit.
//! Invariant: PreCommit is proposed for a held attempt only at the C of a record in `Committing`.

use crate::commit::Value;
use crate::{Attempt, TxnId};
use bincode::{Decode, Encode};
use quorate_storage::{Error, codec};

/// How far an attempt that is held has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Stage {
    /// Its participants are being asked for their votes.
    Preparing,
    /// It can be committed at this ID, whatever happens.
    Prepared(TxnId),
    /// It is committed at this ID; not all participants know.
    Committing(TxnId),
}

/// The record. No key of it says whose it is: that is its own key in the map.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Held {
    /// The attempt.
    pub attempt: Attempt,
    /// How far it has come.
    pub stage: Stage,
    /// Part keys of all participants; none if nothing was written.
    pub participants: Vec<Vec<u8>>,
    /// Part keys of the deciding ones.
    pub acceptors: Vec<Vec<u8>>,
    /// What the layer above wants to know of it.
    pub about: Vec<u8>,
}

/// What a record says about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Nothing yet: the client has the word.
    Wait,
    /// It is to become `Prepared` or to go; only a transaction on the record can tell.
    Open,
    /// This.
    Is(Value),
}

impl Held {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The record with these bytes.
    ///
    /// # Errors
    /// They are none.
    pub fn decode(bytes: &[u8]) -> Result<Held, Error> {
        codec::decode(bytes)
    }
}

/// What the record under an attempt's name says about that attempt.
pub fn word(record: Option<&Held>, attempt: Attempt) -> Word {
    match record.filter(|held| held.attempt == attempt).map(|held| held.stage) {
        None => Word::Is(Value::Abort),
        Some(Stage::Preparing) => Word::Open,
        Some(Stage::Prepared(_)) => Word::Wait,
        Some(Stage::Committing(commit_id)) => Word::Is(Value::Commit(commit_id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_says_what_becomes_of_its_own_attempt_and_that_others_are_aborted() {
        let attempt = |counter| Attempt { gateway: 1, incarnation: 2, counter, birth: TxnId(1) };
        let held = |stage| Held {
            attempt: attempt(7),
            stage,
            participants: vec![vec![1], vec![2]],
            acceptors: vec![vec![1]],
            about: b"who".to_vec(),
        };
        let prepared = held(Stage::Prepared(TxnId(9)));
        assert_eq!(Held::decode(&prepared.encode()).unwrap(), prepared);
        assert_eq!(word(Some(&prepared), attempt(7)), Word::Wait);
        assert_eq!(word(Some(&held(Stage::Preparing)), attempt(7)), Word::Open);
        let committing = held(Stage::Committing(TxnId(9)));
        assert_eq!(word(Some(&committing), attempt(7)), Word::Is(Value::Commit(TxnId(9))));
        assert_eq!(word(Some(&committing), attempt(8)), Word::Is(Value::Abort), "the name was given anew");
        assert_eq!(word(None, attempt(7)), Word::Is(Value::Abort));
    }
}
