//! Foreign keys, from both sides, after the statement's writes.
//!
//! ```text
//!   child row is new      its parent must exist: a read of the parent's unique key, promised at commit
//!   parent row is gone    its children: none (NO ACTION, RESTRICT), deleted (CASCADE), or set to NULL
//! ```
//! A read promised at commit, not a lock on the parent: rows of one parent are inserted side by side.
//!
//! Invariant: a key with a NULL refers to nothing (MATCH SIMPLE).

use super::super::keys::IndexLayout;
use super::super::run::Context;
use super::write::{TableLayout, depend_on, replace};
use super::{Row, violation};
use crate::error::{Error, Result};
use crate::sql::catalog::{CatalogView, Column, ForeignKeyRule, IndexId, Table};
use crate::sql::plan::{ForeignKeyAction, ForeignKeyCheck};
use crate::sql::types::{CastKind, TypeContext, Value, cast};
use futures::future::BoxFuture;
use quorate_storage::Span;
use quorate_txn::{Columns, Isolation, Scan};
use std::sync::Arc;

/// Checks that the parents of new rows exist.
pub async fn check_children(
    context: &mut Context<'_>,
    child: &Table,
    keys: &[ForeignKeyCheck],
    rows: &[Row],
) -> Result<()> {
    for check in keys {
        check_parents(context, child, check, rows.iter()).await?;
    }
    Ok(())
}

/// Checks that the parents of changed rows exist, where the reference changed.
pub async fn check_changed_children(
    context: &mut Context<'_>,
    child: &Table,
    keys: &[ForeignKeyCheck],
    changes: &[(Row, Row)],
) -> Result<()> {
    for check in keys {
        let differs = |(old, new): &&(Row, Row)| check.child_columns.iter().any(|place| old[*place] != new[*place]);
        let rows: Vec<&Row> = changes.iter().filter(differs).map(|(_, new)| new).collect();
        check_parents(context, child, check, rows.into_iter()).await?;
    }
    Ok(())
}

async fn check_parents<'r>(
    context: &mut Context<'_>,
    child: &Table,
    check: &ForeignKeyCheck,
    rows: impl Iterator<Item = &'r Row>,
) -> Result<()> {
    let parent = context.env.facts.catalog.table(check.parent.id).cloned().unwrap_or_else(|| check.parent.clone());
    let index = parent.index(check.parent_index).ok_or_else(|| Error::internal("a foreign key has no index"))?;
    let layout = IndexLayout::new(&parent, index);
    let mut wanted: Vec<(Vec<u8>, &Row)> = Vec::new();
    for row in rows {
        let mut values = Vec::with_capacity(check.child_columns.len());
        for (place, column) in check.child_columns.iter().zip(&layout.columns) {
            values.push(convert(&row[*place], &child.columns[*place], &column.ty, &context.env.types)?);
        }
        if !values.iter().any(Value::is_null) {
            wanted.push((layout.prefix_key(&values), row));
        }
    }
    wanted.sort_by(|left, right| left.0.cmp(&right.0));
    wanted.dedup_by(|left, right| left.0 == right.0);
    for (key, _) in &wanted {
        depend_on(context.txn, key);
    }
    // Only that it is there counts: a parent may be changed meanwhile.
    let there: Columns = Some([].into());
    let found = match wanted.as_slice() {
        [] => return Ok(()),
        [(key, _)] => vec![context.txn.get_columns(key, None, &there).await?],
        many => {
            let keys = many.iter().map(|(key, _)| key.clone()).collect();
            context.txn.get_many_columns(keys, None, &there).await?
        }
    };
    match wanted.iter().zip(found).find(|(_, found)| found.is_none()) {
        None => Ok(()),
        Some(((_, row), _)) => {
            let (name, columns) = (&check.key.name, &check.key.columns);
            Err(violation::no_parent(context.env, child, name, columns, row, &parent.name))
        }
    }
}

fn convert(value: &Value, from: &Column, to: &crate::sql::types::Type, types: &TypeContext) -> Result<Value> {
    if value.is_null() || from.ty.same_base(to) {
        return Ok(value.clone());
    }
    cast(value, &from.ty, to, CastKind::Implicit, types)
}

/// Rows of a parent were deleted.
pub fn parents_gone<'s>(
    context: &'s mut Context<'_>,
    parent: &'s Table,
    actions: &'s [ForeignKeyAction],
    rows: &'s [Row],
) -> BoxFuture<'s, Result<()>> {
    Box::pin(async move {
        for action in actions {
            for row in rows {
                let rule = action.key.on_delete;
                follow(context, parent, action, rule, row, None).await?;
            }
        }
        Ok(())
    })
}

/// Rows of a parent were changed.
pub fn parents_changed<'s>(
    context: &'s mut Context<'_>,
    parent: &'s Table,
    actions: &'s [ForeignKeyAction],
    changes: &'s [(Row, Row)],
) -> BoxFuture<'s, Result<()>> {
    Box::pin(async move {
        for action in actions {
            for (old, new) in changes {
                let same = action.parent_columns.iter().all(|place| old[*place] == new[*place]);
                let taken_over = || {
                    changes.iter().any(|(_, new)| action.parent_columns.iter().all(|place| old[*place] == new[*place]))
                };
                if !same && !taken_over() {
                    let rule = action.key.on_update;
                    follow(context, parent, action, rule, old, Some(new)).await?;
                }
            }
        }
        Ok(())
    })
}

/// Does what the rule says to the children of `old`.
async fn follow(
    context: &mut Context<'_>,
    parent: &Table,
    action: &ForeignKeyAction,
    rule: ForeignKeyRule,
    old: &Row,
    new: Option<&Row>,
) -> Result<()> {
    let Some(children) = find_children(context, parent, action, old).await? else { return Ok(()) };
    if children.is_empty() {
        return Ok(());
    }
    let child = context.env.facts.catalog.table(action.child.id).cloned().unwrap_or_else(|| action.child.clone());
    let layout = TableLayout::new(child.clone());
    let places: Vec<usize> = action.key.columns.iter().filter_map(|id| child.place(*id)).collect();
    let replaced: Vec<Value> = match (rule, new) {
        (ForeignKeyRule::NoAction | ForeignKeyRule::Restrict, _) => {
            let name = &action.key.name;
            return Err(violation::still_referenced(context.env, parent, &action.parent_columns, old, &child, name));
        }
        (ForeignKeyRule::SetDefault, _) => {
            return Err(Error::unsupported(
                "SET DEFAULT of a foreign key is not supported",
                "Use ON DELETE SET NULL or CASCADE.",
            ));
        }
        (ForeignKeyRule::Cascade, None) => {
            for row in &children {
                layout.delete(context.txn, row);
            }
            let below = actions_of(&child, &context.env.facts.catalog);
            return parents_gone(context, &child, &below, &children).await;
        }
        (ForeignKeyRule::SetNull, _) => vec![Value::Null; places.len()],
        (ForeignKeyRule::Cascade, Some(new)) => {
            let mut values = Vec::with_capacity(places.len());
            for (from, to) in action.parent_columns.iter().zip(&places) {
                let ty = &child.columns[*to].ty;
                values.push(convert(&new[*from], &parent.columns[*from], ty, &context.env.types)?);
            }
            values
        }
    };
    let changes: Vec<(Row, Row)> = children
        .into_iter()
        .map(|row| {
            let mut new = row.clone();
            for (place, value) in places.iter().zip(&replaced) {
                new[*place] = value.clone();
            }
            (row, new)
        })
        .collect();
    for (_, new) in &changes {
        super::write::check_row(context, &child, &[], new).await?;
    }
    replace(context, &layout, &changes).await?;
    let below = actions_of(&child, &context.env.facts.catalog);
    parents_changed(context, &child, &below, &changes).await
}

/// Whole rows of the child table that point to `parent_row`; `None` if it cannot be pointed to.
async fn find_children(
    context: &mut Context<'_>,
    parent: &Table,
    action: &ForeignKeyAction,
    parent_row: &Row,
) -> Result<Option<Vec<Row>>> {
    let child = context.env.facts.catalog.table(action.child.id).cloned().unwrap_or_else(|| action.child.clone());
    let places: Vec<usize> = action.key.columns.iter().filter_map(|id| child.place(*id)).collect();
    let mut values = Vec::with_capacity(places.len());
    for (from, to) in action.parent_columns.iter().zip(&places) {
        let ty = &child.columns[*to].ty;
        values.push(convert(&parent_row[*from], &parent.columns[*from], ty, &context.env.types)?);
    }
    if values.iter().any(Value::is_null) {
        return Ok(None);
    }
    let layout = TableLayout::new(child.clone());
    let index = action.child_index.and_then(|id| child.index(id)).unwrap_or(&child.primary);
    let index_layout = IndexLayout::new(&child, index);
    let ordered: Vec<Value> = index_layout
        .columns
        .iter()
        .map_while(|column| places.iter().position(|place| *place == column.place))
        .map(|position| values[position].clone())
        .collect();
    let span = index_layout.prefix_span(if action.child_index.is_some() { &ordered } else { &[] });
    if context.txn.isolation() != Isolation::Serializable {
        context.txn.must_stay_valid(span.clone(), &None);
    }
    let matches = |row: &Row| places.iter().zip(&values).all(|(place, value)| row[*place] == *value);
    let is_primary = index.id == child.primary.id;
    read_children(context, &layout, span, is_primary, &matches).await.map(Some)
}

async fn read_children(
    context: &mut Context<'_>,
    layout: &TableLayout,
    span: Span,
    is_primary: bool,
    matches: &(dyn Fn(&Row) -> bool + Sync),
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut next = Some(span);
    while let Some(span) = next {
        let page = context.txn.scan(Scan { span, limit: Some(1_024), reverse: false, lock: None }).await?;
        next = page.resume;
        let values: Vec<bytes::Bytes> = if is_primary {
            page.pairs.into_iter().map(|(_, value)| value).collect()
        } else {
            let key = |suffix: &bytes::Bytes| [layout.primary.prefix.as_slice(), suffix].concat();
            let keys: Vec<Vec<u8>> = page.pairs.iter().map(|(_, suffix)| key(suffix)).collect();
            context.txn.get_many(keys, None).await?.into_iter().flatten().collect()
        };
        for value in values {
            let row = layout.decode(&value)?;
            if matches(&row) {
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// The foreign keys of other tables that point to `table`, as a plan would list them.
pub fn actions_of(table: &Table, catalog: &CatalogView) -> Vec<ForeignKeyAction> {
    let action = |reference: &crate::sql::catalog::Reference| {
        let child: Arc<Table> = catalog.table(reference.child)?.clone();
        let key = child.foreign_keys.iter().find(|key| key.id == reference.foreign_key)?.clone();
        let parent_columns = key.parent_columns.iter().filter_map(|id| table.place(*id)).collect();
        let child_index = index_over(&child, &key.columns);
        Some(ForeignKeyAction { key, child, child_index, parent_columns })
    };
    table.referenced_by.iter().filter_map(action).collect()
}

/// An index that is ready and whose first columns are these, in any order.
fn index_over(table: &Table, columns: &[crate::sql::catalog::ColumnId]) -> Option<IndexId> {
    let fits = |index: &&crate::sql::catalog::Index| {
        index.ready
            && index.columns.len() >= columns.len()
            && index.columns[..columns.len()].iter().all(|key| columns.contains(&key.column))
    };
    table.all_indexes().find(fits).map(|index| index.id)
}
