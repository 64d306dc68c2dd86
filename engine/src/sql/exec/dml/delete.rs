//! DELETE.

use super::super::operator::Operator;
use super::super::run::Context;
use super::{Row, foreign_key, layout, returning};
use crate::error::{Error, Result};
use crate::sql::plan::Delete;
use std::collections::BTreeSet;

/// Runs a DELETE.
pub async fn run(context: &mut Context<'_>, delete: &Delete) -> Result<(u64, Option<Vec<Row>>)> {
    let source = context.program.source.clone().ok_or_else(|| Error::internal("DELETE without source"))?;
    let layout = layout(context)?;
    let mut rows = Operator::new(&source).collect(context).await?;
    if rows.len() > 1 {
        let mut seen = BTreeSet::new();
        rows.retain(|row| seen.insert(layout.primary.row_key(row)));
    }
    for row in &rows {
        layout.delete(context.txn, row);
    }
    foreign_key::parents_gone(context, &layout.table, &delete.referenced_by, &rows).await?;
    let count = rows.len() as u64;
    let Some(exprs) = delete.returning.as_deref() else { return Ok((count, None)) };
    let mut out = Vec::with_capacity(rows.len());
    for row in &rows {
        returning(context, Some(exprs), row, &mut out).await?;
    }
    Ok((count, Some(out)))
}
