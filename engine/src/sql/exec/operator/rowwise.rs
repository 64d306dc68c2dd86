//! Operators that look at one row at a time: filter, projection, set-returning projection, limit.

use super::super::program::{Step, Tree};
use super::super::{Context, Row};
use super::{Operator, leaf, some_rows};
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::{Expr, TableFunction};
use crate::sql::types::Value;
use std::sync::Arc;

/// State of a filter or projection.
pub struct Rowwise {
    tree: Arc<Tree>,
    input: Operator,
}

impl Rowwise {
    /// An operator at its beginning.
    pub fn new(tree: Arc<Tree>) -> Rowwise {
        let input = Operator::new(&tree.inputs[0]);
        Rowwise { tree, input }
    }

    /// The next rows.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let tree = self.tree.clone();
        while let Some(mut batch) = self.input.next(context).await? {
            match &tree.step {
                Step::Filter(predicate) => {
                    let mut kept = Vec::with_capacity(batch.len());
                    for row in batch {
                        if context.holds(predicate, &row).await? {
                            kept.push(row);
                        }
                    }
                    batch = kept;
                }
                Step::Project(exprs) => {
                    for row in &mut batch {
                        *row = context.evaluate(exprs, row).await?;
                    }
                }
                Step::ProjectSet(functions) => {
                    let mut out = Vec::new();
                    for row in batch {
                        project_set(functions, row, &mut out, context).await?;
                    }
                    batch = out;
                }
                _ => return Ok(None),
            }
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

/// Repeats `row` for every row of the functions, side by side.
async fn project_set(
    functions: &[(TableFunction, Vec<Expr>)],
    row: Row,
    out: &mut Vec<Row>,
    context: &mut Context<'_>,
) -> Result<()> {
    let mut columns: Vec<Vec<Row>> = Vec::with_capacity(functions.len());
    for (function, args) in functions {
        let args = (context.evaluate(args, &row).await?, args.as_slice());
        columns.push(leaf::table_function(*function, args.0, args.1, context)?);
    }
    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
    for place in 0..longest {
        let mut values = row.clone();
        for rows in &columns {
            values.push(rows.get(place).and_then(|row| row.first()).cloned().unwrap_or(Value::Null));
        }
        out.push(values);
    }
    Ok(())
}

/// State of LIMIT and OFFSET.
pub struct Limit {
    tree: Arc<Tree>,
    input: Operator,
    window: Option<(u64, u64)>,
}

impl Limit {
    /// An operator at its beginning.
    pub fn new(tree: Arc<Tree>) -> Limit {
        let input = Operator::new(&tree.inputs[0]);
        Limit { tree, input, window: None }
    }

    /// The next rows.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let Step::Limit(limit, offset) = &self.tree.step else { return Ok(None) };
        let (skip, left) = match &mut self.window {
            Some((skip, left)) => (skip, left),
            none => {
                let skip = count(offset.as_ref(), "OFFSET", context)?.unwrap_or(0);
                let (skip, left) = none.insert((skip, count(limit.as_ref(), "LIMIT", context)?.unwrap_or(u64::MAX)));
                (skip, left)
            }
        };
        while *left > 0 {
            let Some(mut batch) = self.input.next(context).await? else { return Ok(None) };
            let skipped = (*skip).min(batch.len() as u64);
            batch.drain(..skipped as usize);
            *skip -= skipped;
            batch.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= batch.len() as u64;
            if let Some(rows) = some_rows(batch) {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }
}

/// The number of LIMIT or OFFSET; NULL is none.
fn count(expr: Option<&Expr>, clause: &str, context: &Context<'_>) -> Result<Option<u64>> {
    let Some(expr) = expr else { return Ok(None) };
    let Some(number) = context.env.look(expr, &[])?.as_i64() else { return Ok(None) };
    u64::try_from(number).map(Some).map_err(|_| {
        let code = match clause {
            "LIMIT" => SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE,
            _ => SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE,
        };
        Error::new(code, format!("{clause} must not be negative"))
    })
}
