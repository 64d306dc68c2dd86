//! Cutting a range in two: what the split makes of the descriptor and of the replica's local state.
//!
//! ```text
//!   before   r4 [a, z)  generation 3
//!   after    r4 [a, m)  generation 4        r9 [m, z)  generation 4, log begins after (index 10, term 5)
//! ```
//! The right range has the replicas of the left one, ids included: they are unique inside a range, and this range is
//! new. Data does not move, because keys lie where they lay; only the floors are copied.

use super::local::Position;
use super::{RangeDescriptor, local};
use crate::keys::local_key;
use crate::{Engine, Error, Keyspace, Op, RangeId, ReplicaId, Span};

impl RangeDescriptor {
    /// The two sides of a cut at `key`; `None` if the key is not strictly inside.
    pub fn split(&self, key: &[u8], right: RangeId) -> Option<(RangeDescriptor, RangeDescriptor)> {
        if key <= self.span.start.as_slice() || key >= self.span.end.as_slice() || right == self.id {
            return None;
        }
        let generation = self.generation + 1;
        let left = RangeDescriptor { span: Span::new(self.span.start.clone(), key), generation, ..self.clone() };
        let span = Span::new(key, self.span.end.clone());
        Some((left, RangeDescriptor { id: right, span, generation, ..self.clone() }))
    }
}

/// The writes that create this store's replica of the right side. `ops` are writes of the same batch: floors among
/// them are inherited too.
pub(crate) fn create_right(
    engine: &dyn Engine,
    ops: &[Op],
    left: RangeId,
    right: &RangeDescriptor,
    replica: ReplicaId,
) -> Result<Vec<Op>, Error> {
    let mut floors = local::floors(|span| engine.scan(Keyspace::Local, span), left)?;
    let prefix = local_key(left, local::FLOOR);
    for op in ops {
        let (Op::Put { keyspace, key, .. } | Op::Delete { keyspace, key }) = op;
        if *keyspace != Keyspace::Local || !key.starts_with(&prefix) {
            continue;
        }
        floors.retain(|(suffix, _)| suffix != &key[8..]);
        if let Op::Put { key, value, .. } = op {
            floors.push((key[8..].to_vec(), value.clone()));
        }
    }
    let created = [
        local::put_replica(right.id, replica),
        local::put_descriptor(right),
        local::put_applied(right.id, Position::FIRST),
        local::put_initial(right.id, Position::FIRST),
    ];
    let inherited = floors.into_iter().map(|(suffix, value)| local::put_floor(right.id, &suffix, value));
    Ok(created.into_iter().chain(inherited).collect())
}
