//! ORDER BY. With a limit, only the rows that can come out are kept.

use super::super::program::{Step, Tree};
use super::super::{Context, Row};
use super::{Operator, some_rows};
use crate::error::Result;
use crate::sql::plan::SortKey;
use crate::sql::types::Value;
use std::cmp::Ordering;
use std::sync::Arc;

/// State of a sort.
pub struct Sort {
    tree: Arc<Tree>,
    done: bool,
}

type Keyed = (Vec<Value>, Row);

impl Sort {
    /// An operator at its beginning.
    pub fn new(tree: Arc<Tree>) -> Sort {
        Sort { tree, done: false }
    }

    /// All rows, in order.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let Step::Sort(keys, limit) = &self.tree.step else { return Ok(None) };
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        let limit = match limit {
            Some(limit) => context.env.look(limit, &[])?.as_i64().and_then(|limit| usize::try_from(limit).ok()),
            None => None,
        };
        let mut input = Operator::new(&self.tree.inputs[0]);
        let mut rows: Vec<Keyed> = Vec::new();
        while let Some(batch) = input.next(context).await? {
            for row in batch {
                let values = keys.iter().map(|key| context.env.eval(&key.expr, &row)).collect::<Result<_>>()?;
                rows.push((values, row));
            }
            if let Some(limit) = limit
                && rows.len() > limit.saturating_mul(2).max(1_024)
            {
                cut(&mut rows, keys, limit);
            }
        }
        rows.sort_by(|left, right| compare_keys(keys, &left.0, &right.0));
        rows.truncate(limit.unwrap_or(usize::MAX));
        Ok(some_rows(rows.into_iter().map(|(_, row)| row).collect()))
    }
}

/// Keeps the first `limit` rows; stable, as the last sort is.
fn cut(rows: &mut Vec<Keyed>, keys: &[SortKey], limit: usize) {
    rows.sort_by(|left, right| compare_keys(keys, &left.0, &right.0));
    rows.truncate(limit);
}

/// The order of two rows by their key values.
pub fn compare_keys(keys: &[SortKey], left: &[Value], right: &[Value]) -> Ordering {
    for (key, (left, right)) in keys.iter().zip(left.iter().zip(right)) {
        let ordering = match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if key.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if key.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) if key.descending => right.compare(left),
            (false, false) => left.compare(right),
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
    Ordering::Equal
}
