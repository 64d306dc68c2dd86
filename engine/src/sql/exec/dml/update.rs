//! UPDATE.

use super::super::operator::Operator;
use super::super::run::Context;
use super::write::{check_row, replace};
use super::{Row, foreign_key, layout, returning};
use crate::error::{Error, Result};
use crate::sql::plan::Update;
use std::collections::BTreeSet;

/// Runs an UPDATE.
pub async fn run(context: &mut Context<'_>, update: &Update) -> Result<(u64, Option<Vec<Row>>)> {
    let source = context.program.source.clone().ok_or_else(|| Error::internal("UPDATE without source"))?;
    let layout = layout(context)?;
    let width = layout.table.columns.len();
    let mut rows = Operator::new(&source).collect(context).await?;
    if rows.len() > 1 {
        let mut seen = BTreeSet::new();
        rows.retain(|row| seen.insert(layout.primary.row_key(row)));
    }
    let mut changes = Vec::with_capacity(rows.len());
    let mut extras = Vec::new();
    for mut row in rows {
        let mut new = row[..width].to_vec();
        for (place, expr) in &update.set {
            new[*place] = context.evaluate(std::slice::from_ref(expr), &row).await?.pop().unwrap_or_default();
        }
        check_row(context, &layout.table, &update.checks, &new).await?;
        extras.push(row.split_off(width));
        changes.push((row, new));
    }
    replace(context, &layout, &changes).await?;
    foreign_key::check_changed_children(context, &layout.table, &update.foreign_keys, &changes).await?;
    foreign_key::parents_changed(context, &layout.table, &update.referenced_by, &changes).await?;
    let count = changes.len() as u64;
    let Some(exprs) = update.returning.as_deref() else { return Ok((count, None)) };
    let mut out = Vec::with_capacity(changes.len());
    for ((_, mut new), extra) in changes.into_iter().zip(extras) {
        new.extend(extra);
        returning(context, Some(exprs), &new, &mut out).await?;
    }
    Ok((count, Some(out)))
}
