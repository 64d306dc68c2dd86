//! The only writer of the engine: applies raft-committed entries, in order, in atomic batches.
//!
//! ```text
//!   entry ─ term, generation, guards ok? ─► its ops join the batch ─┐
//!                                no ─► no ops, only the outcome     ├─► engine.write ─► views ─► wake proposers
//!   applied position of every range in the batch ───────────────────┘
//! ```
//! Entries of many ranges share one engine batch. A guard must see the writes of earlier entries: the batch is written
//! before a guard is compared with a key that the batch (or another key of the same hash) has touched. That decides
//! only where batches end, never what an entry does.
//!
//! Invariant: an entry's ops and the applied position that covers it are in one engine batch.
//! Invariant: applying never fails for a logical reason; an entry that does not decode means damage.

use super::Views;
use super::batch::Batch;
use super::event::{ApplyEntry, ApplyResult, ApplyTask, ChangeOutcome, RangeChange, Waiting, answer};
use crate::mutation::planted;
use crate::range::local::{self, Position};
use crate::range::{Admin, MemberChange, create_right, raft_change};
use crate::{Command, Engine, Error, Expect, Guard, LogStore, NodeId, Op, Outcome, RangeDescriptor, RangeId, codec};
use raft::eraftpb::ConfChangeV2;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Writes after which a batch is closed.
const BATCH_OPS: usize = 4096;

/// What the applier knows about an initialized range.
#[derive(Debug)]
pub(super) struct RangeState {
    pub(super) descriptor: Arc<RangeDescriptor>,
    pub(super) applied: Position,
}

/// Applies what the store has raft-committed. See the module.
pub struct Applier {
    pub(super) node: NodeId,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) log: Arc<dyn LogStore>,
    pub(super) views: Arc<Views>,
    pub(super) ranges: BTreeMap<RangeId, RangeState>,
    batch: Batch,
}

impl std::fmt::Debug for Applier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier").field("node", &self.node).field("ranges", &self.ranges.len()).finish_non_exhaustive()
    }
}

impl Applier {
    pub(super) fn new(node: NodeId, engine: Arc<dyn Engine>, log: Arc<dyn LogStore>, views: Arc<Views>) -> Applier {
        Applier { node, engine, log, views, ranges: BTreeMap::new(), batch: Batch::default() }
    }

    /// Carries out `tasks` in order; everything is in the engine, published and answered when it returns.
    ///
    /// # Errors
    /// What the engine fails with, or [`Error::Damaged`]: the store must stop.
    pub fn apply(&mut self, tasks: Vec<ApplyTask>) -> Result<Vec<ApplyResult>, Error> {
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(match task {
                ApplyTask::Entries { range, serial, entries, awaited } => {
                    let (applied, changes) = self.entries(range, entries)?;
                    ApplyResult::Entries { range, serial, applied, changes, awaited }
                }
                ApplyTask::Create { range, replica } => self.create(range, replica)?,
                ApplyTask::Install { range, serial, image } => self.install(range, serial, *image)?,
                ApplyTask::Destroy { range, smallest } => self.destroy(range, smallest)?,
                ApplyTask::Checkpoint => self.checkpoint()?,
            });
        }
        self.flush()?;
        Ok(results)
    }

    /// Makes the engine durable.
    ///
    /// # Errors
    /// What the engine fails with.
    pub fn persist(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.engine.persist()
    }

    pub(super) fn state(&mut self, range: RangeId) -> Result<&mut RangeState, Error> {
        if !self.ranges.contains_key(&range) {
            let found = local::load(self.engine.as_ref(), range)?;
            let Some(descriptor) = found.descriptor else {
                return Err(Error::Damaged(format!("{range} has entries to apply but no descriptor")));
            };
            let state = RangeState { descriptor: Arc::new(descriptor), applied: found.applied };
            self.ranges.insert(range, state);
        }
        self.ranges.get_mut(&range).ok_or_else(|| Error::Damaged(format!("{range} is not here")))
    }

    fn entries(&mut self, range: RangeId, entries: Vec<ApplyEntry>) -> Result<(Position, Vec<RangeChange>), Error> {
        let mut changes = Vec::new();
        let mut applied = self.state(range)?.applied;
        for entry in entries {
            if entry.position.index != applied.index + 1 {
                let at = entry.position.index;
                return Err(Error::Damaged(format!("{range}: entry {at} follows applied index {}", applied.index)));
            }
            applied = entry.position;
            if entry.change {
                changes.extend(self.change(range, entry)?);
            } else if !entry.data.is_empty() {
                changes.extend(self.command(range, entry)?);
            } else if let Some(waiting) = entry.waiting {
                waiting.ambiguous();
            }
            self.state(range)?.applied = applied;
            self.batch.ranges.insert(range, applied);
            if self.batch.ops.len() >= BATCH_OPS {
                self.flush()?;
            }
        }
        Ok((applied, changes))
    }

    fn command(&mut self, range: RangeId, entry: ApplyEntry) -> Result<Option<RangeChange>, Error> {
        let (command, reply) = match entry.waiting {
            Some(Waiting::Command(command, reply)) => (command, Some(reply)),
            Some(Waiting::Change(reply)) => {
                answer(reply, ChangeOutcome::Ambiguous);
                (codec::decode(&entry.data)?, None)
            }
            None => (codec::decode(&entry.data)?, None),
        };
        let (outcome, change) = self.evaluate(range, entry.position, command)?;
        if let Some(reply) = reply {
            self.batch.replies.push((reply, outcome));
        }
        Ok(change)
    }

    fn evaluate(
        &mut self,
        range: RangeId,
        position: Position,
        command: Command,
    ) -> Result<(Outcome, Option<RangeChange>), Error> {
        let descriptor = self.state(range)?.descriptor.clone();
        if command.term != position.term {
            return Ok((Outcome::Ambiguous, None));
        }
        if command.generation != descriptor.generation && !planted("generation-unchecked") {
            return Ok((Outcome::GenerationMismatch(Box::new(descriptor.as_ref().clone())), None));
        }
        if self.batch.has_touched(&command.guards) {
            self.flush()?;
        }
        if let Some(guard) = self.failing_guard(&command.guards)? {
            return Ok((Outcome::GuardFailed { guard }, None));
        }
        let applied = Outcome::Applied { index: position.index };
        let Some(Admin::Split { key, right }) = command.admin else {
            self.batch.extend(command.ops);
            return Ok((applied, None));
        };
        let Some((left, right)) = descriptor.split(&key, right) else {
            return Ok((Outcome::GenerationMismatch(Box::new(descriptor.as_ref().clone())), None));
        };
        let change = self.split(command.ops, left, right)?;
        Ok((applied, Some(change)))
    }

    fn failing_guard(&self, guards: &[Guard]) -> Result<Option<usize>, Error> {
        for (at, guard) in guards.iter().enumerate().filter(|_| !planted("guards-unchecked")) {
            let value = self.engine.get(guard.keyspace, &guard.key)?;
            let holds = match (&guard.expect, value) {
                (Expect::Absent, value) => value.is_none(),
                (Expect::Equals(expected), Some(value)) => value == expected,
                (Expect::StartsWith(prefix), Some(value)) => value.starts_with(prefix),
                (Expect::Equals(_) | Expect::StartsWith(_), None) => false,
            };
            if !holds {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// The command's own ops and both sides of the cut, in one batch. The right side is left out, and its data
    /// deleted, if this store has removed a replica of it already or knows a newer one.
    fn split(&mut self, ops: Vec<Op>, left: RangeDescriptor, right: RangeDescriptor) -> Result<RangeChange, Error> {
        self.flush()?;
        let known = local::load(self.engine.as_ref(), right.id)?;
        let here = right.replica_on(self.node).map(|member| member.replica);
        let free = known.descriptor.is_none();
        let allowed = here.filter(|id| free && known.allows(*id) && known.replica.is_none_or(|found| found <= *id));
        let (left, right) = (Arc::new(left), Arc::new(right));
        self.batch.extend(vec![local::put_descriptor(&left)]);
        self.state(left.id)?.descriptor = left.clone();
        self.batch.descriptors.push(left.clone());
        let change = if let Some(replica) = allowed {
            self.batch.extend(create_right(self.engine.as_ref(), &ops, left.id, &right, replica)?);
            self.ranges.insert(right.id, RangeState { descriptor: right.clone(), applied: Position::FIRST });
            self.batch.descriptors.push(right.clone());
            self.batch.ranges.insert(right.id, Position::FIRST);
            self.batch.splits = true;
            RangeChange::Split { left, right: Some(right) }
        } else {
            self.batch.discard(&right);
            RangeChange::Split { left, right: None }
        };
        self.batch.extend(ops);
        Ok(change)
    }

    fn change(&mut self, range: RangeId, entry: ApplyEntry) -> Result<Option<RangeChange>, Error> {
        let before = self.state(range)?.descriptor.clone();
        let entered = if entry.data.is_empty() {
            before.leave().map(|after| (ConfChangeV2::default(), after)).ok_or(crate::range::ChangeRefusal::Stale)
        } else {
            let change: MemberChange = codec::decode(&entry.data)?;
            before.enter(&change).map(|after| (raft_change(&before, &after), after))
        };
        let (outcome, change) = match entered {
            Err(refusal) => (ChangeOutcome::Refused(refusal), None),
            Ok((raft, after)) => {
                let descriptor = Arc::new(after);
                self.batch.extend(vec![local::put_descriptor(&descriptor)]);
                self.batch.descriptors.push(descriptor.clone());
                self.state(range)?.descriptor = descriptor.clone();
                let index = entry.position.index;
                let change = RangeChange::Members { index, raft, descriptor: descriptor.clone() };
                (ChangeOutcome::Applied(descriptor), Some(change))
            }
        };
        match entry.waiting {
            Some(Waiting::Change(reply)) => self.batch.changes.push((reply, outcome)),
            Some(waiting) => waiting.ambiguous(),
            None => {}
        }
        Ok(change)
    }

    /// Writes the batch, publishes what it changed, then answers who waits for it.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let mut batch = std::mem::take(&mut self.batch);
        let applied: Vec<(RangeId, u64)> = batch.ranges.iter().map(|(range, at)| (*range, at.index)).collect();
        let positions: Vec<Op> = batch.ranges.iter().map(|(range, at)| local::put_applied(*range, *at)).collect();
        if planted("applied-apart") {
            self.engine.write(positions)?;
        } else {
            batch.ops.extend(positions);
        }
        if !batch.ops.is_empty() {
            self.engine.write(batch.ops)?;
        }
        if batch.splits && !planted("split-unpersisted") {
            // The right side's log lives on its own. If a crash undid the split, an image of the left side could take its
            // place, and what this replica of the right side has acknowledged would have no state to go with.
            self.engine.persist()?;
        }
        if !applied.is_empty() {
            self.views.apply(batch.descriptors, &applied);
        }
        for (reply, outcome) in batch.replies {
            answer(reply, outcome);
        }
        for (reply, outcome) in batch.changes {
            answer(reply, outcome);
        }
        batch.discards.into_iter().try_for_each(|(range, span)| self.finish_discard(range, &span))
    }
}
