//! Join by equality: the right input is hashed, the left one probes.

use super::super::program::{Step, Tree};
use super::super::{Context, Row};
use super::Operator;
use super::join::{Matched, Pairing};
use crate::error::Result;
use crate::sql::types::Value;
use ahash::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// A hash map whose order of iteration nobody looks at, hashed the same way in every run.
pub type Table<V> = HashMap<Vec<Value>, V, RandomState>;

/// An empty table.
pub fn table<V>() -> Table<V> {
    HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4))
}

/// State of a hash join.
pub struct HashJoin {
    tree: Arc<Tree>,
    left: Operator,
    hashed: Option<Hashed>,
    left_done: bool,
}

struct Hashed {
    rows: Vec<Row>,
    matched: Vec<bool>,
    places: Table<Vec<usize>>,
}

impl HashJoin {
    /// A join at its beginning.
    pub fn new(tree: Arc<Tree>) -> HashJoin {
        let left = Operator::new(&tree.inputs[0]);
        HashJoin { tree, left, hashed: None, left_done: false }
    }

    /// The next rows.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let tree = self.tree.clone();
        let Step::HashJoin { kind, left_keys, right_keys, filter } = &tree.step else { return Ok(None) };
        let pairing = Pairing { kind: *kind, filter: filter.as_ref(), right_width: tree.inputs[1].types.len() };
        let hashed = match &mut self.hashed {
            Some(hashed) => hashed,
            none => none.insert(hash(&tree.inputs[1], right_keys, context).await?),
        };
        let mut out = Vec::new();
        while !self.left_done && out.is_empty() {
            let Some(batch) = self.left.next(context).await? else {
                self.left_done = true;
                for (row, matched) in hashed.rows.iter().zip(&hashed.matched) {
                    if !matched {
                        pairing.lonely_right(tree.inputs[0].types.len(), row, &mut out);
                    }
                }
                break;
            };
            for row in batch {
                let key = context.env.eval_all(left_keys, &row)?;
                let mut any = Matched::default();
                if !key.iter().any(Value::is_null) {
                    for &place in hashed.places.get(&key).map_or(&[][..], Vec::as_slice) {
                        let mut matched = Matched::default();
                        let right = &hashed.rows[place];
                        let enough = pairing.pair(&row, right, &mut matched, &mut out, context).await?;
                        if matched.is_set() {
                            hashed.matched[place] = true;
                            any = matched;
                        }
                        if enough {
                            break;
                        }
                    }
                }
                pairing.finish(row, &any, &mut out);
            }
        }
        Ok(super::some_rows(out))
    }
}

async fn hash(tree: &Arc<Tree>, keys: &[crate::sql::plan::Expr], context: &mut Context<'_>) -> Result<Hashed> {
    let rows = Operator::new(tree).collect(context).await?;
    let mut places: Table<Vec<usize>> = table();
    for (place, row) in rows.iter().enumerate() {
        let key = context.env.eval_all(keys, row)?;
        if !key.iter().any(Value::is_null) {
            places.entry(key).or_default().push(place);
        }
    }
    Ok(Hashed { matched: vec![false; rows.len()], rows, places })
}
