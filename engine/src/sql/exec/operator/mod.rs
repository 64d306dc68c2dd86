//! Operators: each owns its part of the program and its state, and is pulled for batches of rows.
//!
//! ```text
//!   leaf       scan.rs (tables), leaf.rs (values, functions, WITH, system tables)
//!   row-wise   rowwise.rs (filter, project, set-returning projection, limit)
//!   joins      join.rs (nested loop), hash_join.rs, lookup.rs
//!   whole      sort.rs, aggregate.rs, set.rs (distinct, append, set operations), apply.rs
//! ```
//! Invariant: a batch is never empty; the end is `None`, and stays so.

mod aggregate;
mod apply;
mod hash_join;
mod join;
mod leaf;
mod lookup;
mod rowwise;
mod scan;
mod set;
mod sort;

use super::program::{Step, Tree};
use super::{Context, Row};
use crate::error::Result;
use futures::future::BoxFuture;
use std::sync::Arc;

pub use sort::compare_keys;

/// An operator with its inputs.
pub struct Operator(State);

enum State {
    Scan(Box<scan::ScanOperator>),
    Leaf(Box<leaf::Leaf>),
    Rowwise(Box<rowwise::Rowwise>),
    Limit(Box<rowwise::Limit>),
    NestedLoop(Box<join::NestedLoop>),
    HashJoin(Box<hash_join::HashJoin>),
    Lookup(Box<lookup::Lookup>),
    Aggregate(Box<aggregate::Aggregate>),
    Sort(Box<sort::Sort>),
    Set(Box<set::Set>),
    Apply(Box<apply::Apply>),
}

impl Operator {
    /// The operator of a tree, at its beginning.
    pub fn new(tree: &Arc<Tree>) -> Operator {
        let own = tree.clone();
        Operator(match &tree.step {
            Step::Scan(..) => State::Scan(Box::new(scan::ScanOperator::new(own))),
            Step::VirtualScan(..) | Step::CteScan(_) | Step::FunctionScan { .. } | Step::Values(_) => {
                State::Leaf(Box::new(leaf::Leaf::new(own)))
            }
            Step::Filter(_) | Step::Project(_) | Step::ProjectSet(_) => {
                State::Rowwise(Box::new(rowwise::Rowwise::new(own)))
            }
            Step::Limit(..) => State::Limit(Box::new(rowwise::Limit::new(own))),
            Step::NestedLoop { .. } => State::NestedLoop(Box::new(join::NestedLoop::new(own))),
            Step::HashJoin { .. } => State::HashJoin(Box::new(hash_join::HashJoin::new(own))),
            Step::LookupJoin { .. } => State::Lookup(Box::new(lookup::Lookup::new(own))),
            Step::Aggregate { .. } => State::Aggregate(Box::new(aggregate::Aggregate::new(own))),
            Step::Sort(..) => State::Sort(Box::new(sort::Sort::new(own))),
            Step::Distinct(_) | Step::Append | Step::SetOp(..) => State::Set(Box::new(set::Set::new(own))),
            Step::Apply(..) => State::Apply(Box::new(apply::Apply::new(own))),
        })
    }

    /// The next rows; `None` at the end.
    pub fn next<'s>(&'s mut self, context: &'s mut Context<'_>) -> BoxFuture<'s, Result<Option<Vec<Row>>>> {
        match &mut self.0 {
            State::Scan(operator) => Box::pin(operator.next(context)),
            State::Leaf(operator) => Box::pin(async move {
                give_way().await;
                operator.next(context).await
            }),
            State::Rowwise(operator) => Box::pin(operator.next(context)),
            State::Limit(operator) => Box::pin(operator.next(context)),
            State::NestedLoop(operator) => Box::pin(operator.next(context)),
            State::HashJoin(operator) => Box::pin(operator.next(context)),
            State::Lookup(operator) => Box::pin(operator.next(context)),
            State::Aggregate(operator) => Box::pin(operator.next(context)),
            State::Sort(operator) => Box::pin(operator.next(context)),
            State::Set(operator) => Box::pin(operator.next(context)),
            State::Apply(operator) => Box::pin(operator.next(context)),
        }
    }

    /// All rows that are left.
    pub async fn collect(&mut self, context: &mut Context<'_>) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        while let Some(batch) = self.next(context).await? {
            rows.extend(batch);
        }
        Ok(rows)
    }
}

/// Lets others run now and then: a statement that waits for nothing must still be cancelled, and must not keep its
/// thread from other sessions.
async fn give_way() {
    tokio::task::coop::consume_budget().await;
}

/// The end, instead of an empty batch.
fn some_rows(rows: Vec<Row>) -> Option<Vec<Row>> {
    (!rows.is_empty()).then_some(rows)
}
