//! ALTER TABLE and ALTER INDEX.

use super::super::dml::TableLayout;
use super::build::{self, Rows};
use super::writer::Writer;
use super::{constraint, create, drop};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{Column, ColumnId, Identity, IndexId, SequenceOptions, Table, TableId};
use crate::sql::plan::Expr;
use crate::sql::plan::ddl::{AlterAction, NewIndex};
use crate::sql::types::{Type, Value};
use std::sync::Arc;

/// ALTER TABLE: the actions, in order.
pub async fn alter_table(writer: &mut Writer<'_, '_>, table: &Arc<Table>, actions: &[AlterAction]) -> Result<()> {
    let id = table.id;
    for action in actions {
        match action {
            AlterAction::AddColumn { column, serial, fill } => {
                add_column(writer, id, column, serial.as_ref(), fill.as_ref()).await?;
            }
            AlterAction::DropColumn { column, cascade } => drop_column(writer, id, *column, *cascade).await?,
            AlterAction::AddPrimaryKey(index) => add_primary_key(writer, id, index).await?,
            AlterAction::AddUnique(index) => create::create_index(writer, id, index).await?,
            AlterAction::AddCheck { check, not_valid } => {
                constraint::add_check(writer, id, check, *not_valid).await?;
            }
            AlterAction::AddForeignKey { key, not_valid } => {
                constraint::add_foreign_key(writer, id, key, !not_valid).await?;
            }
            AlterAction::DropConstraint { name, cascade } => drop_constraint(writer, id, name, *cascade).await?,
            AlterAction::SetNullable { column, nullable: false } => set_not_null(writer, id, *column).await?,
            AlterAction::SetType { column, ty, convert: Some(convert) } => {
                convert_column(writer, id, *column, ty, convert).await?;
            }
            simple => change(writer, id, simple).await?,
        }
    }
    Ok(())
}

/// Actions that only change the descriptor.
async fn change(writer: &mut Writer<'_, '_>, id: TableId, action: &AlterAction) -> Result<()> {
    let mut table = writer.table(id)?.as_ref().clone();
    match action {
        AlterAction::SetDefault { column, default } => column_mut(&mut table, *column)?.default = default.clone(),
        AlterAction::SetNullable { column, nullable } => column_mut(&mut table, *column)?.nullable = *nullable,
        AlterAction::SetType { column, ty, .. } => column_mut(&mut table, *column)?.ty = ty.clone(),
        AlterAction::RenameColumn { column, name } => {
            column_mut(&mut table, *column)?.name = name.clone();
        }
        AlterAction::RenameConstraint { from, to } => rename_constraint(&mut table, from, to)?,
        AlterAction::RenameTable { name } => table.name = name.clone(),
        AlterAction::SetSchema { schema } => table.schema = *schema,
        other => return Err(Error::internal(format!("{other:?} is more than a change of the descriptor"))),
    }
    writer.put_table(table).await
}

fn column_mut(table: &mut Table, id: ColumnId) -> Result<&mut Column> {
    let place = table.place(id).ok_or_else(|| Error::internal("a plan names a column that is gone"))?;
    Ok(&mut table.columns[place])
}

fn rename_constraint(table: &mut Table, from: &str, to: &str) -> Result<()> {
    let indexes = std::iter::once(&mut table.primary).chain(&mut table.indexes).filter(|index| index.constraint);
    let names = indexes
        .map(|index| &mut index.name)
        .chain(table.checks.iter_mut().map(|check| &mut check.name))
        .chain(table.foreign_keys.iter_mut().map(|key| &mut key.name));
    for name in names {
        if name == from {
            to.clone_into(name);
            return Ok(());
        }
    }
    Err(no_constraint(table, from))
}

fn no_constraint(table: &Table, name: &str) -> Error {
    Error::new(
        SqlState::UNDEFINED_OBJECT,
        format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name),
    )
}

/// ALTER INDEX ... RENAME TO.
pub async fn rename_index(writer: &mut Writer<'_, '_>, id: TableId, index: IndexId, name: &str) -> Result<()> {
    let mut table = writer.table(id)?.as_ref().clone();
    for candidate in std::iter::once(&mut table.primary).chain(&mut table.indexes) {
        if candidate.id == index {
            name.clone_into(&mut candidate.name);
        }
    }
    writer.put_table(table).await
}

async fn add_column(
    writer: &mut Writer<'_, '_>,
    id: TableId,
    column: &Column,
    serial: Option<&(String, SequenceOptions)>,
    fill: Option<&Expr>,
) -> Result<()> {
    let mut table = writer.table(id)?.as_ref().clone();
    let before = TableLayout::new(Arc::new(table.clone()));
    let mut column = Column { id: ColumnId(table.next_column), ..column.clone() };
    table.next_column += 1;
    if let Some((name, options)) = serial {
        let default = create::create_serial(writer, table.schema, name, options, (id, column.id)).await?;
        column.default = column.identity.is_none().then_some(default);
    }
    let visible = table.columns.iter().filter(|column| !column.hidden).count();
    table.columns.insert(visible, column.clone());
    writer.put_table(table.clone()).await?;
    let after = TableLayout::new(Arc::new(table.clone()));
    let mut rows = Rows::new(writer, &before);
    while let Some(page) = rows.next(writer).await? {
        for mut row in page {
            let value = match fill {
                Some(fill) => writer.context.evaluate(std::slice::from_ref(fill), &[]).await?.pop(),
                None => None,
            };
            let value = value.unwrap_or(Value::Null);
            if value.is_null() {
                if !column.nullable {
                    return Err(contains_null(&table, &column.name));
                }
                // Rows carry column ids: a missing column is NULL.
                if fill.is_none() {
                    return Ok(());
                }
                continue;
            }
            row.insert(visible, value);
            let key = after.primary.row_key(&row);
            writer.context.txn.put(key, after.row_value(&row)?);
        }
    }
    Ok(())
}

fn contains_null(table: &Table, column: &str) -> Error {
    Error::new(
        SqlState::NOT_NULL_VIOLATION,
        format!("column \"{column}\" of relation \"{}\" contains null values", table.name),
    )
    .with_table(table.name.clone())
    .with_column(column)
}

async fn drop_column(writer: &mut Writer<'_, '_>, id: TableId, column: ColumnId, cascade: bool) -> Result<()> {
    let table = writer.table(id)?;
    if table.primary.columns.iter().any(|key| key.column == column) {
        drop_primary_key(writer, id, cascade).await?;
    }
    let table = writer.table(id)?;
    let uses = |index: &&crate::sql::catalog::Index| index.columns.iter().any(|key| key.column == column);
    for index in table.indexes.iter().filter(uses) {
        drop::free_index(writer, &table, index.id, cascade).await?;
    }
    for key in table.foreign_keys.iter().filter(|key| key.columns.contains(&column)) {
        constraint::drop_foreign_key(writer, id, key.id).await?;
    }
    let mut table = writer.table(id)?.as_ref().clone();
    let name = table.column(column).map(|column| column.name.clone()).unwrap_or_default();
    table.indexes.retain(|index| !uses(&index));
    table.checks.retain(|check| !mentions(&check.expression, &name));
    table.columns.retain(|candidate| candidate.id != column);
    writer.put_table(table).await?;
    let database = writer.context.env.facts.database_id;
    let owned = writer.view.sequences_of(database).filter(|sequence| sequence.owned_by == Some((id, column)));
    let owned: Vec<u32> = owned.map(|sequence| sequence.id.0).collect();
    for sequence in owned {
        writer.remove(sequence).await?;
    }
    Ok(())
}

/// Whether an expression's text has the column's name as a word.
fn mentions(expression: &str, column: &str) -> bool {
    expression.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).any(|word| word == column)
}

async fn add_primary_key(writer: &mut Writer<'_, '_>, id: TableId, index: &NewIndex) -> Result<()> {
    let before = writer.table(id)?;
    if before.has_primary_key() {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!("multiple primary keys for table \"{}\" are not allowed", before.name),
        ));
    }
    let mut table = before.as_ref().clone();
    table.primary = create::new_index(writer, index).await?;
    build::renew_index_ids(writer, &mut table).await?;
    let hidden = table.columns.iter().position(|column| column.hidden);
    if let Some(hidden) = hidden {
        table.columns.remove(hidden);
    }
    let keys: Vec<ColumnId> = index.columns.iter().map(|key| key.column).collect();
    for column in table.columns.iter_mut().filter(|column| keys.contains(&column.id)) {
        column.nullable = false;
    }
    let new = table.clone();
    build::rebuild(writer, &before, &table, |_, mut row| {
        if let Some(hidden) = hidden {
            row.remove(hidden);
        }
        match new.columns.iter().zip(&row).find(|(column, value)| keys.contains(&column.id) && value.is_null()) {
            Some((column, _)) => Err(contains_null(&new, &column.name)),
            None => Ok(row),
        }
    })
    .await?;
    writer.put_table(table).await
}

async fn drop_primary_key(writer: &mut Writer<'_, '_>, id: TableId, cascade: bool) -> Result<()> {
    let before = writer.table(id)?;
    drop::free_index(writer, &before, before.primary.id, cascade).await?;
    let before = writer.table(id)?;
    let mut table = before.as_ref().clone();
    table.primary = create::add_rowid(writer, &mut table).await?;
    build::renew_index_ids(writer, &mut table).await?;
    build::rebuild(writer, &before, &table, |env, mut row| {
        row.push(Value::Int8(env.facts.sequences.rowid(&env.facts.runtime)));
        Ok(row)
    })
    .await?;
    writer.put_table(table).await
}

async fn drop_constraint(writer: &mut Writer<'_, '_>, id: TableId, name: &str, cascade: bool) -> Result<()> {
    let table = writer.table(id)?;
    if table.has_primary_key() && table.primary.name == name {
        return drop_primary_key(writer, id, cascade).await;
    }
    if let Some(key) = table.foreign_keys.iter().find(|key| key.name == name) {
        return constraint::drop_foreign_key(writer, id, key.id).await;
    }
    if let Some(index) = table.indexes.iter().find(|index| index.constraint && index.name == name) {
        drop::free_index(writer, &table, index.id, cascade).await?;
        let mut changed = writer.table(id)?.as_ref().clone();
        changed.indexes.retain(|candidate| candidate.id != index.id);
        return writer.put_table(changed).await;
    }
    if !table.checks.iter().any(|check| check.name == name) {
        return Err(no_constraint(&table, name));
    }
    let mut table = table.as_ref().clone();
    table.checks.retain(|check| check.name != name);
    writer.put_table(table).await
}

async fn set_not_null(writer: &mut Writer<'_, '_>, id: TableId, column: ColumnId) -> Result<()> {
    let before = writer.table(id)?;
    let place = before.place(column).ok_or_else(|| Error::internal("a plan names a column that is gone"))?;
    let layout = TableLayout::new(before.clone());
    let mut rows = Rows::new(writer, &layout);
    while let Some(page) = rows.next(writer).await? {
        if page.iter().any(|row| row[place].is_null()) {
            return Err(contains_null(&before, &before.columns[place].name));
        }
    }
    let mut table = before.as_ref().clone();
    table.columns[place].nullable = false;
    writer.put_table(table).await
}

/// ALTER COLUMN ... TYPE where stored values change.
async fn convert_column(
    writer: &mut Writer<'_, '_>,
    id: TableId,
    column: ColumnId,
    ty: &Type,
    convert: &Expr,
) -> Result<()> {
    let before = writer.table(id)?;
    let mut table = before.as_ref().clone();
    let place = before.place(column).ok_or_else(|| Error::internal("a plan names a column that is gone"))?;
    table.columns[place].ty = ty.clone();
    if table.columns[place].identity == Some(Identity::Always) && !ty.is_integer() {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "identity column type must be smallint, integer, or bigint",
        ));
    }
    build::renew_index_ids(writer, &mut table).await?;
    build::rebuild(writer, &before, &table, |env, mut row| {
        row[place] = env.eval(convert, &row)?;
        Ok(row)
    })
    .await?;
    writer.put_table(table).await
}
