//! What no reader will ever see again.
//!
//! ```text
//!                 floor 50
//!   a   70 | 40 | 12        12 is garbage: whoever reads at 50 or above sees 70 or 40
//!   b   45 | 30 | 20        30 and 20 are
//!   c   41 (deleted) | 9    all of it is, and the tombstone goes last: nobody finds it without its history
//! ```
//! Only the history is searched, so that the search costs what there is to forget and what must be kept for the past,
//! not what the table holds.

use super::version;
use crate::TxnId;
use quorate_storage::{Engine, Error, Keyspace, Span};

/// Old versions looked at in one step.
const STEP: usize = 8 << 10;

/// Garbage found in one step.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Engine keys in History.
    pub history: Vec<Vec<u8>>,
    /// User keys of deleted rows whose history is in this batch, or gone, with the IDs of their tombstones.
    pub tombstones: Vec<(Vec<u8>, TxnId)>,
}

/// A walk through the history of a span.
#[derive(Debug)]
pub struct Sweep {
    /// What is left, in engine keys of History.
    rest: Span,
    floor: TxnId,
    /// The user key at which the walk is.
    at: Option<At>,
}

#[derive(Debug)]
struct At {
    /// Its part of the engine key.
    prefix: Vec<u8>,
    /// The ID of the next newer version than the one to be looked at; unknown as long as only Data has it.
    newer: Option<TxnId>,
    /// The tombstone in Data below the floor.
    tombstone: Option<TxnId>,
}

impl Sweep {
    /// Looks for what reads at or above `floor` do not see in `span`.
    pub fn new(span: &Span, floor: TxnId) -> Sweep {
        Sweep { rest: span.in_keyspace(Keyspace::History), floor, at: None }
    }

    /// The next garbage, at most about `most` versions; `None` at the end.
    ///
    /// # Errors
    /// The engine cannot be read, or holds what is no version.
    pub fn next(&mut self, engine: &dyn Engine, most: usize) -> Result<Option<Garbage>, Error> {
        let mut garbage = Garbage::default();
        if self.rest.start >= self.rest.end {
            return Ok(None);
        }
        for (seen, pair) in engine.scan(Keyspace::History, &self.rest.clone()).enumerate() {
            let (engine_key, _) = pair?;
            let id = version::history_id(&engine_key)?;
            let prefix = &engine_key[..engine_key.len() - version::ID_LEN];
            if self.at.as_ref().is_none_or(|at| at.prefix != prefix) {
                self.leave(&mut garbage)?;
                self.at = Some(At { prefix: prefix.to_vec(), newer: None, tombstone: None });
            }
            if (seen >= STEP || garbage.history.len() >= most) && self.may_stop(&garbage) {
                self.rest.start = engine_key.to_vec();
                self.keep_one(&mut garbage);
                return Ok(Some(garbage));
            }
            if self.is_garbage(engine, id)? {
                garbage.history.push(engine_key.to_vec());
            }
        }
        self.leave(&mut garbage)?;
        self.rest.start.clone_from(&self.rest.end);
        Ok(Some(garbage))
    }

    /// Whether the version at `id` of the current key is; the walk goes on to the next older one.
    fn is_garbage(&mut self, engine: &dyn Engine, id: TxnId) -> Result<bool, Error> {
        let Some(at) = &mut self.at else { return Ok(false) };
        if at.newer.is_none() && id < self.floor {
            let newest = super::newest(engine, &user_key(&at.prefix)?)?;
            at.newer = newest.as_ref().map(|version| version.id);
            at.tombstone = newest.filter(|version| version.value.is_none()).map(|version| version.id);
            at.tombstone = at.tombstone.filter(|id| *id <= self.floor);
        }
        let newer = at.newer.replace(id);
        Ok(newer.is_some_and(|newer| newer <= self.floor))
    }

    /// Whether the step makes progress if it ends here.
    fn may_stop(&self, garbage: &Garbage) -> bool {
        garbage.history.len() != 1 || self.at.as_ref().is_none_or(|at| at.tombstone.is_none())
    }

    /// The walk stops inside the history of a deleted row: one version of it goes with the tombstone.
    fn keep_one(&mut self, garbage: &mut Garbage) {
        let Some(at) = self.at.as_mut().filter(|at| at.tombstone.is_some()) else { return };
        if let Some(last) = garbage.history.pop_if(|last| last.starts_with(&at.prefix)) {
            at.newer = Some(self.floor);
            self.rest.start = last;
        }
    }

    /// The history of the current key has been walked through.
    fn leave(&mut self, garbage: &mut Garbage) -> Result<(), Error> {
        if let Some(At { prefix, tombstone: Some(id), .. }) = self.at.take() {
            garbage.tombstones.push((user_key(&prefix)?, id));
        }
        Ok(())
    }
}

fn user_key(prefix: &[u8]) -> Result<Vec<u8>, Error> {
    let key = quorate_storage::keys::unescape_terminated(prefix).map(|(key, _)| key);
    key.ok_or_else(|| version::damaged("history key"))
}
