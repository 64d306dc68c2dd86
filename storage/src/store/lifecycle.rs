//! Replicas that come and go, as the applier carries it out: create, install an image, destroy, checkpoint.
//!
//! Replacing or deleting data takes many engine batches. The first marks the span as unfinished and forgets the
//! descriptor; the last clears the mark. The engine keeps a prefix of the batches over a crash, so a store that finds
//! the mark deletes the rest of the span and has an uninitialized replica, or none.
//!
//! Invariant: an image is durable in the engine before the log that it replaces is dropped.
//! Invariant: a tombstone is durable before the removed replica's vote is dropped.

use super::Applier;
use super::applier::RangeState;
use super::event::{ApplyResult, idle_view};
use crate::mutation::planted;
use crate::range::image::Image;
use crate::range::{delete_data, local};
use crate::{Error, RangeId, ReplicaId, Span};
use std::sync::Arc;

impl Applier {
    /// Remembers an uninitialized replica unless a tombstone forbids it or another replica is here.
    pub(super) fn create(&mut self, range: RangeId, replica: ReplicaId) -> Result<ApplyResult, Error> {
        self.flush()?;
        let known = local::load(self.engine.as_ref(), range)?;
        if known.replica.is_some() || known.unfinished.is_some() || !known.allows(replica) {
            return Ok(ApplyResult::Created { range, replica: None });
        }
        self.engine.write(vec![local::put_replica(range, replica)])?;
        Ok(ApplyResult::Created { range, replica: Some(replica) })
    }

    /// Replaces the replica's data by an image.
    pub(super) fn install(&mut self, range: RangeId, serial: u64, image: Image) -> Result<ApplyResult, Error> {
        self.flush()?;
        let header = image.header;
        let position = header.position();
        let descriptor = Arc::new(header.descriptor);
        let old = local::load(self.engine.as_ref(), range)?.descriptor.map(|old| old.span);
        let hull = old.map_or_else(|| descriptor.span.clone(), |old| hull(&old, &descriptor.span));
        let mut ops = vec![local::put_unfinished(range, &hull)];
        ops.extend(local::delete_state(self.engine.as_ref(), range)?);
        self.engine.write(ops)?;
        delete_data(self.engine.as_ref(), &hull)?;
        image.batches.into_iter().try_for_each(|batch| self.engine.write(batch))?;
        let mut ops = vec![
            local::put_replica(range, header.to),
            local::put_descriptor(&descriptor),
            local::put_applied(range, position),
            local::put_initial(range, position),
            local::delete_unfinished(range),
        ];
        ops.extend(header.floors.into_iter().map(|(suffix, value)| local::put_floor(range, &suffix, value)));
        self.engine.write(ops)?;
        self.engine.persist()?;
        self.views.insert(idle_view(descriptor.clone(), position.index));
        self.ranges.insert(range, RangeState { descriptor, applied: position });
        Ok(ApplyResult::Installed { range, serial })
    }

    /// Deletes the replica and its data; replicas with an id below `smallest` never come back.
    pub(super) fn destroy(&mut self, range: RangeId, smallest: ReplicaId) -> Result<ApplyResult, Error> {
        self.flush()?;
        let known = local::load(self.engine.as_ref(), range)?;
        let smallest = known.tombstone.map_or(smallest, |before| before.max(smallest));
        let mut ops = vec![local::put_tombstone(range, smallest), local::delete_replica(range)];
        ops.extend(local::delete_state(self.engine.as_ref(), range)?);
        if let Some(descriptor) = &known.descriptor {
            ops.push(local::put_unfinished(range, &descriptor.span));
        }
        self.engine.write(ops)?;
        if let Some(descriptor) = &known.descriptor {
            self.finish_discard(range, &descriptor.span)?;
        }
        self.engine.persist()?;
        self.ranges.remove(&range);
        self.views.remove(range);
        Ok(ApplyResult::Destroyed { range })
    }

    /// Deletes the data of a span that is marked as unfinished, then the mark.
    pub(super) fn finish_discard(&mut self, range: RangeId, span: &Span) -> Result<(), Error> {
        delete_data(self.engine.as_ref(), span)?;
        self.engine.write(vec![local::delete_unfinished(range)])
    }

    /// Makes the engine durable and reclaims log files.
    pub(super) fn checkpoint(&mut self) -> Result<ApplyResult, Error> {
        self.flush()?;
        if !planted("checkpoint-unpersisted") {
            self.engine.persist()?;
        }
        let pinned = self.log.purge()?;
        for range in &pinned {
            let known = local::load(self.engine.as_ref(), *range)?;
            if let (Some(descriptor), false) = (known.descriptor, self.ranges.contains_key(range)) {
                let state = RangeState { descriptor: Arc::new(descriptor), applied: known.applied };
                self.ranges.insert(*range, state);
            }
        }
        let durable = self.ranges.iter().map(|(range, state)| (*range, state.applied.index)).collect();
        Ok(ApplyResult::Checkpointed { durable, pinned })
    }
}

/// The smallest span that holds both. The spans of one range overlap: it only ever shrinks.
fn hull(old: &Span, new: &Span) -> Span {
    Span::new(old.start.clone().min(new.start.clone()), old.end.clone().max(new.end.clone()))
}
