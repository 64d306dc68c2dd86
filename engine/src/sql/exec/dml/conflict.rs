//! ON CONFLICT.

use super::super::run::Context;
use super::insert::check_unique;
use super::write::{TableLayout, check_row, read_keys, replace};
use super::{Row, foreign_key};
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::{Insert, OnConflict};
use quorate_txn::api::{LockMode, LockWait};
use std::collections::BTreeSet;

/// Place of the arbiter among the layout's indexes: `None` is any index, `Some(None)` the primary one.
fn arbiter(layout: &TableLayout, on_conflict: &OnConflict) -> Option<Option<usize>> {
    let id = on_conflict.arbiter?;
    Some(layout.table.indexes.iter().position(|index| index.id == id))
}

/// DO NOTHING: the rows whose keys (of the arbiter) are free.
pub async fn without_conflicts(
    context: &mut Context<'_>,
    layout: &TableLayout,
    on_conflict: &OnConflict,
    rows: Vec<Row>,
) -> Result<Vec<Row>> {
    let arbiter = arbiter(layout, on_conflict);
    let mut keys = Vec::with_capacity(rows.len());
    let mut owners = Vec::with_capacity(rows.len());
    for (place, row) in rows.iter().enumerate() {
        for (index, key) in layout.unique_keys(row) {
            if arbiter.is_none_or(|arbiter| arbiter == index) {
                keys.push(key);
                owners.push(place);
            }
        }
    }
    let present = read_keys(context.txn, &keys).await?;
    let mut conflicting = vec![false; rows.len()];
    for (place, present) in owners.iter().zip(&present) {
        conflicting[*place] |= present.is_some();
    }
    // Rows are taken in order; a row that conflicts with an earlier one of the statement is left out too.
    let mut taken: BTreeSet<&[u8]> = BTreeSet::new();
    let mut start = 0;
    for (place, conflicting) in conflicting.iter_mut().enumerate() {
        let end = start + owners[start..].iter().take_while(|owner| **owner == place).count();
        let own = &keys[start..end];
        *conflicting |= own.iter().any(|key| taken.contains(key.as_slice()));
        if !*conflicting {
            taken.extend(own.iter().map(Vec::as_slice));
        }
        start = end;
    }
    Ok(rows.into_iter().zip(conflicting).filter(|(_, conflicting)| !conflicting).map(|(row, _)| row).collect())
}

/// DO UPDATE of one row: inserts it, or updates the row that is in its way. The row written, if any.
pub async fn upsert(
    context: &mut Context<'_>,
    layout: &TableLayout,
    insert: &Insert,
    row: Row,
    touched: &mut BTreeSet<Vec<u8>>,
) -> Result<Option<Row>> {
    let Some(existing) = existing_row(context, layout, insert, &row).await? else {
        check_unique(context, layout, std::slice::from_ref(&row)).await?;
        layout.put(context.txn, &row)?;
        foreign_key::check_children(context, &layout.table, &insert.foreign_keys, std::slice::from_ref(&row)).await?;
        touched.insert(layout.primary.row_key(&row));
        return Ok(Some(row));
    };
    if !touched.insert(layout.primary.row_key(&existing)) {
        return Err(Error::new(
            SqlState::CARDINALITY_VIOLATION,
            "ON CONFLICT DO UPDATE command cannot affect row a second time",
        )
        .with_hint(
            "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
        ));
    }
    let Some(update) = insert.on_conflict.as_ref().and_then(|on_conflict| on_conflict.update.as_ref()) else {
        return Ok(None);
    };
    let mut both = existing.clone();
    both.extend(row);
    if let Some(filter) = &update.filter
        && !context.holds(filter, &both).await?
    {
        return Ok(None);
    }
    let mut new = existing.clone();
    for (place, expr) in &update.set {
        new[*place] = context.evaluate(std::slice::from_ref(expr), &both).await?.pop().unwrap_or_default();
    }
    check_row(context, &layout.table, &insert.checks, &new).await?;
    let changes = [(existing, new)];
    replace(context, layout, &changes).await?;
    foreign_key::check_changed_children(context, &layout.table, &insert.foreign_keys, &changes).await?;
    foreign_key::parents_changed(context, &layout.table, &insert.referenced_by, &changes).await?;
    let [(_, new)] = changes;
    Ok(Some(new))
}

/// The row in the way of `row`, locked.
async fn existing_row(
    context: &mut Context<'_>,
    layout: &TableLayout,
    insert: &Insert,
    row: &Row,
) -> Result<Option<Row>> {
    let arbiter = insert.on_conflict.as_ref().and_then(|on_conflict| arbiter(layout, on_conflict));
    for (index, key) in layout.unique_keys(row) {
        if arbiter.is_some_and(|arbiter| arbiter != index) {
            continue;
        }
        let row_key = match index {
            None => key,
            Some(_) => {
                let Some(suffix) = read_keys(context.txn, std::slice::from_ref(&key)).await?.pop().flatten() else {
                    continue;
                };
                [layout.primary.prefix.as_slice(), &suffix].concat()
            }
        };
        let found = context.txn.get(&row_key, Some((LockMode::Update, LockWait::Wait))).await?;
        super::write::depend_on(context.txn, &row_key);
        if let Some(value) = found {
            return layout.decode(&value).map(Some);
        }
    }
    Ok(None)
}
