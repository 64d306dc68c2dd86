//! Reads that lock: `FOR UPDATE`, `FOR SHARE`, and rows about to be written.
//!
//! Keys are locked first, then their newest state is read, so that whoever waited goes on with what the holder before
//! it wrote. What is read is the state at one ID: at S if nothing newer was met, else at the newest ID met.

use super::admit::{Block, Reading};
use super::read::NEWEST;
use super::service::{Halt, Participant};
use super::wait::Waiting;
use crate::TxnId;
use crate::api::{LockMode, LockWait, Read, ReadResult, Reply, TxnMeta};
use quorate_storage::store::ReplicaView;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long an older request lets younger holders go on before it takes their locks. Most holders commit within it.
const WOUND_GRACE: Duration = Duration::from_millis(30);
/// How often a read starts over because somebody wrote meanwhile, before its gateway is asked to come again.
const MAX_ROUNDS: usize = 16;

/// A read that locks, and what it has locked so far.
struct Locker<'a> {
    meta: TxnMeta,
    reads: &'a [Read],
    mode: LockMode,
    wait: LockWait,
    /// Rows of scans that are locked.
    locked: BTreeSet<Vec<u8>>,
    /// Keys that are left out because somebody else has them.
    skipped: BTreeSet<Vec<u8>>,
    /// Whether it had to wait for a lock.
    waited: bool,
}

impl Participant {
    /// Locks what `reads` find, then reads the newest state.
    pub(super) async fn read_locked(
        self: &Arc<Self>,
        view: &ReplicaView,
        meta: TxnMeta,
        reads: &[Read],
        mode: LockMode,
        wait: LockWait,
    ) -> Result<Reply, Halt> {
        let (locked, skipped) = (BTreeSet::new(), BTreeSet::new());
        let mut locker = Locker { meta, reads, mode, wait, locked, skipped, waited: false };
        for read in reads {
            if let Read::Get { key } = read {
                self.lock_key(view, &mut locker, key).await?;
            }
        }
        for _ in 0..MAX_ROUNDS {
            let (results, at) = self.read_newest(view, &mut locker).await?;
            let found = locker.not_yet_locked(&results);
            if found.is_empty() {
                let newest = (at > meta.read_id).then_some(at);
                let drawn = if locker.waited { self.drawn_ahead(at) } else { None };
                return Ok(Reply::Rows { results: locker.without_skipped(results), newest, drawn });
            }
            for key in found {
                if self.lock_key(view, &mut locker, &key).await? {
                    locker.locked.insert(key);
                }
            }
        }
        Err(Box::new(Reply::NotReady))
    }

    /// Locks one key; `false` if it was skipped.
    async fn lock_key(&self, view: &ReplicaView, locker: &mut Locker<'_>, key: &[u8]) -> Result<bool, Halt> {
        let owner = locker.meta.owner();
        let waiting = {
            let mut state = self.state.lock();
            if state.locks.is_wounded(owner.attempt) {
                return Err(Box::new(Reply::Wounded));
            }
            if locker.wait != LockWait::Wait && state.locks.would_wait(key, owner, locker.mode) {
                return locker.give_up(key);
            }
            let ticket = state.ticket();
            if state.locks.request(key, owner, locker.mode, ticket) {
                return Ok(true);
            }
            Waiting::new(self, (ticket, state.expect(ticket)))
        };
        locker.waited = true;
        waiting.granted(WOUND_GRACE).await?;
        self.current(view.descriptor.generation)?;
        Ok(true)
    }

    /// Reads the newest state once no write in it is under way, and promises it at the ID where it holds.
    async fn read_newest(
        self: &Arc<Self>,
        view: &ReplicaView,
        locker: &mut Locker<'_>,
    ) -> Result<(Vec<ReadResult>, TxnId), Halt> {
        let mut at = locker.meta.read_id;
        for _ in 0..MAX_ROUNDS {
            self.may_promise(view, at).await?;
            self.admit_newest(view, locker, at).await?;
            let (results, greatest) = self.evaluate_reads(locker.reads, NEWEST).map_err(|error| self.failed(error))?;
            self.still_whole(locker.meta.read_id)?;
            self.current(view.descriptor.generation)?;
            if greatest <= at {
                return Ok((results, at));
            }
            at = greatest;
        }
        Err(Box::new(Reply::NotReady))
    }

    async fn admit_newest(&self, view: &ReplicaView, locker: &mut Locker<'_>, at: TxnId) -> Result<(), Halt> {
        loop {
            let mut held = None;
            let patient = locker.wait == LockWait::Wait;
            let reading = Reading {
                attempt: locker.meta.attempt,
                reads: locker.reads,
                at,
                settled: NEWEST,
                skipped: &locker.skipped,
            };
            self.admit(view, locker.meta.attempt, |state| match state.admit_read(&reading) {
                Err(Block::Intent(key)) if !patient => {
                    held = Some(key);
                    Ok(())
                }
                other => other,
            })
            .await?;
            match held {
                None => return Ok(()),
                Some(key) => locker.give_up(&key)?,
            };
        }
    }
}

impl Locker<'_> {
    /// The key is held by somebody else, and this request does not wait.
    fn give_up(&mut self, key: &[u8]) -> Result<bool, Halt> {
        if self.wait == LockWait::NoWait {
            return Err(Box::new(Reply::LockNotAvailable { key: key.to_vec() }));
        }
        self.skipped.insert(key.to_vec());
        Ok(false)
    }

    fn not_yet_locked(&self, results: &[ReadResult]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for result in results {
            let ReadResult::Pairs { pairs, .. } = result else {
                continue;
            };
            let new = pairs.iter().filter(|(key, _)| !self.locked.contains(&**key) && !self.skipped.contains(&**key));
            found.extend(new.map(|(key, _)| key.to_vec()));
        }
        found
    }

    fn without_skipped(&self, mut results: Vec<ReadResult>) -> Vec<ReadResult> {
        if self.skipped.is_empty() {
            return results;
        }
        for (read, result) in self.reads.iter().zip(&mut results) {
            match (read, result) {
                (Read::Get { key }, ReadResult::Value(value)) if self.skipped.contains(key) => *value = None,
                (_, ReadResult::Pairs { pairs, .. }) => pairs.retain(|(key, _)| !self.skipped.contains(&**key)),
                _ => {}
            }
        }
        results
    }
}
