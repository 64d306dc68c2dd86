//! DISTINCT, UNION ALL, UNION, EXCEPT and INTERSECT. Rows count as equal if none of their values is distinct.

use super::super::program::{Step, Tree};
use super::super::{Context, Row};
use super::hash_join::{Table, table};
use super::{Operator, some_rows};
use crate::error::Result;
use crate::sql::plan::{Expr, SetOperation};
use crate::sql::types::Value;
use std::sync::Arc;

/// State of a set operator.
pub struct Set {
    tree: Arc<Tree>,
    inputs: Vec<Operator>,
    current: usize,
    seen: Table<usize>,
    last: Option<Vec<Value>>,
    prepared: bool,
}

impl Set {
    /// An operator at its beginning.
    pub fn new(tree: Arc<Tree>) -> Set {
        let inputs = tree.inputs.iter().map(Operator::new).collect();
        Set { tree, inputs, current: 0, seen: table(), last: None, prepared: false }
    }

    /// The next rows.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let tree = self.tree.clone();
        if let Step::SetOp(SetOperation::Except | SetOperation::Intersect, _) = &tree.step
            && !std::mem::replace(&mut self.prepared, true)
        {
            for row in self.inputs[1].collect(context).await? {
                *self.seen.entry(row).or_default() += 1;
            }
            self.inputs.truncate(1);
        }
        while let Some(input) = self.inputs.get_mut(self.current) {
            let Some(mut batch) = input.next(context).await? else {
                self.current += 1;
                continue;
            };
            match &tree.step {
                Step::Distinct(Some(on)) => self.first_of_each(on, &mut batch, context)?,
                Step::Distinct(None) | Step::SetOp(SetOperation::Union, _) => batch.retain(|row| self.is_new(row)),
                Step::SetOp(operation, all) => batch.retain(|row| self.survives(*operation, *all, row)),
                _ => {}
            }
            if let Some(rows) = some_rows(batch) {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    fn is_new(&mut self, row: &Row) -> bool {
        if self.seen.contains_key(row) {
            return false;
        }
        self.seen.insert(row.clone(), 1).is_none()
    }

    /// Counts of the right side are used up by the left rows. Without ALL, a row comes out once: EXCEPT by adding what
    /// came out to the right side, INTERSECT by taking it out.
    fn survives(&mut self, operation: SetOperation, all: bool, row: &Row) -> bool {
        let count = self.seen.get_mut(row);
        match (operation, all, count) {
            (SetOperation::Except, true, Some(count)) if *count > 0 => {
                *count -= 1;
                false
            }
            (SetOperation::Except, true, _) => true,
            (SetOperation::Except, false, None) => self.seen.insert(row.clone(), 1).is_none(),
            (SetOperation::Except, false, Some(_)) => false,
            (_, true, Some(count)) if *count > 0 => {
                *count -= 1;
                true
            }
            (_, false, Some(count)) => std::mem::take(count) > 0,
            _ => false,
        }
    }

    /// DISTINCT ON: the input is sorted by the expressions.
    fn first_of_each(&mut self, on: &[Expr], batch: &mut Vec<Row>, context: &Context<'_>) -> Result<()> {
        let mut kept = Vec::new();
        for row in batch.drain(..) {
            let values = context.env.eval_all(on, &row)?;
            if self.last.as_ref() != Some(&values) {
                self.last = Some(values);
                kept.push(row);
            }
        }
        *batch = kept;
        Ok(())
    }
}
