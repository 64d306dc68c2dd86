//! Subqueries in expressions: the value of each is appended to the row.

use super::super::program::{Step, Tree};
use super::super::run::{quantified, subquery_value};
use super::super::{Context, Row};
use super::Operator;
use crate::error::Result;
use crate::sql::plan::ApplyKind;
use crate::sql::types::Value;
use std::sync::Arc;

/// State of an apply.
pub struct Apply {
    tree: Arc<Tree>,
    input: Operator,
    once: Option<Once>,
}

/// What an uncorrelated subquery gave.
enum Once {
    Value(Value),
    Rows(Vec<Row>),
}

impl Apply {
    /// An operator at its beginning.
    pub fn new(tree: Arc<Tree>) -> Apply {
        let input = Operator::new(&tree.inputs[0]);
        Apply { tree, input, once: None }
    }

    /// The next rows.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let tree = self.tree.clone();
        let Step::Apply(kind, correlated) = &tree.step else { return Ok(None) };
        let Some(mut batch) = self.input.next(context).await? else { return Ok(None) };
        for row in &mut batch {
            let value = if *correlated {
                context.env.outer.push(row.clone());
                let value = correlated_value(context, kind, &tree.inputs[1], row).await;
                context.env.outer.pop();
                value?
            } else {
                self.shared_value(context, kind, row).await?
            };
            row.push(value);
        }
        Ok(Some(batch))
    }

    async fn shared_value(&mut self, context: &mut Context<'_>, kind: &ApplyKind, row: &Row) -> Result<Value> {
        let subquery = &self.tree.inputs[1];
        let once = match &mut self.once {
            Some(once) => once,
            none => {
                let result = match kind {
                    ApplyKind::Quantified { .. } => Once::Rows(context.collect(subquery).await?),
                    other => Once::Value(subquery_value(context, other, subquery, row).await?),
                };
                none.insert(result)
            }
        };
        match (once, kind) {
            (Once::Value(value), _) => Ok(value.clone()),
            (Once::Rows(rows), ApplyKind::Quantified { left, op, all }) => {
                quantified(context, left, *op, *all, rows, row)
            }
            (Once::Rows(_), _) => Ok(Value::Null),
        }
    }
}

/// The row is outside of the subquery, but `left` of a quantified comparison is over the row itself.
async fn correlated_value(
    context: &mut Context<'_>,
    kind: &ApplyKind,
    tree: &Arc<Tree>,
    row: &[Value],
) -> Result<Value> {
    let ApplyKind::Quantified { left, op, all } = kind else {
        return subquery_value(context, kind, tree, row).await;
    };
    let rows = context.collect(tree).await?;
    let own = context.env.outer.pop();
    let value = quantified(context, left, *op, *all, &rows, row);
    context.env.outer.extend(own);
    value
}
