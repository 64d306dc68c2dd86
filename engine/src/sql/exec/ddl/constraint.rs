//! Foreign keys and checks of tables that exist.

use super::super::dml::{TableLayout, check_children};
use super::build::Rows;
use super::writer::Writer;
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{Check, ForeignKey, Reference, Table, TableId};
use crate::sql::plan::ForeignKeyCheck;
use crate::sql::plan::ddl::{NewCheck, NewForeignKey};
use std::sync::Arc;

/// Adds a foreign key; rows that exist are checked unless there can be none (`validate` false leaves them unchecked).
pub async fn add_foreign_key(
    writer: &mut Writer<'_, '_>,
    child: TableId,
    key: &NewForeignKey,
    validate: bool,
) -> Result<()> {
    let id = writer.id().await?;
    let parent = key.parent.as_ref().map_or(child, |parent| parent.id);
    let foreign_key = ForeignKey {
        id,
        name: key.name.clone(),
        columns: key.columns.clone(),
        parent,
        parent_columns: key.parent_columns.clone(),
        on_delete: key.on_delete,
        on_update: key.on_update,
        validated: validate,
    };
    if validate {
        validate_foreign_key(writer, child, &foreign_key).await?;
    }
    let mut table = writer.table(child)?.as_ref().clone();
    table.foreign_keys.push(foreign_key);
    writer.put_table(table).await?;
    let mut parent = writer.table(parent)?.as_ref().clone();
    parent.referenced_by.push(Reference { child, foreign_key: id });
    writer.put_table(parent).await
}

/// The check of a foreign key in the form of plans.
fn check_of(writer: &Writer<'_, '_>, child: &Table, key: &ForeignKey) -> Result<ForeignKeyCheck> {
    let parent = writer.table(key.parent)?;
    let index = parent
        .all_indexes()
        .find(|index| {
            index.unique
                && index.columns.len() == key.parent_columns.len()
                && index.columns.iter().all(|column| key.parent_columns.contains(&column.column))
        })
        .ok_or_else(|| {
            Error::new(
                SqlState::INVALID_FOREIGN_KEY,
                format!("there is no unique constraint matching given keys for referenced table \"{}\"", parent.name),
            )
        })?;
    let place = |column: &crate::sql::catalog::IndexColumn| {
        let position = key.parent_columns.iter().position(|id| *id == column.column)?;
        child.place(*key.columns.get(position)?)
    };
    let child_columns = index.columns.iter().filter_map(place).collect();
    let parent_index = index.id;
    Ok(ForeignKeyCheck { key: key.clone(), parent, parent_index, child_columns })
}

async fn validate_foreign_key(writer: &mut Writer<'_, '_>, child: TableId, key: &ForeignKey) -> Result<()> {
    let child = writer.table(child)?;
    let check = [check_of(writer, &child, key)?];
    let layout = TableLayout::new(child.clone());
    let mut rows = Rows::new(writer, &layout);
    while let Some(page) = rows.next(writer).await? {
        check_children(writer.context, &child, &check, &page).await?;
    }
    Ok(())
}

/// Adds a CHECK constraint.
pub async fn add_check(writer: &mut Writer<'_, '_>, table: TableId, check: &NewCheck, not_valid: bool) -> Result<()> {
    let before = writer.table(table)?;
    if !not_valid {
        let layout = TableLayout::new(before.clone());
        let mut rows = Rows::new(writer, &layout);
        while let Some(page) = rows.next(writer).await? {
            for row in &page {
                if writer.context.env.eval(&check.condition, row)?.as_bool() == Some(false) {
                    return Err(violated(&before, &check.name));
                }
            }
        }
    }
    let id = writer.id().await?;
    let mut table = before.as_ref().clone();
    let (name, expression) = (check.name.clone(), check.expression.clone());
    table.checks.push(Check { id, name, expression, validated: !not_valid });
    writer.put_table(table).await
}

fn violated(table: &Table, name: &str) -> Error {
    let message = format!("check constraint \"{name}\" of relation \"{}\" is violated by some row", table.name);
    Error::new(SqlState::CHECK_VIOLATION, message).with_table(table.name.clone()).with_constraint(name)
}

/// Takes a foreign key from its table and from its parent.
pub async fn drop_foreign_key(writer: &mut Writer<'_, '_>, child: TableId, id: u32) -> Result<()> {
    let mut table = writer.table(child)?.as_ref().clone();
    let Some(place) = table.foreign_keys.iter().position(|key| key.id == id) else { return Ok(()) };
    let key = table.foreign_keys.remove(place);
    writer.put_table(table).await?;
    if let Some(parent) = writer.view.table(key.parent) {
        let mut parent: Table = Arc::as_ref(parent).clone();
        parent.referenced_by.retain(|reference| reference.foreign_key != id);
        writer.put_table(parent).await?;
    }
    Ok(())
}
