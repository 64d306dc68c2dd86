//! DROP TABLE, DROP INDEX, TRUNCATE.

use super::super::sequence::SequenceState;
use super::writer::Writer;
use super::{build, constraint};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{IndexId, Sequence, Table, TableId, store};
use crate::sql::exec::Notice;
use std::sync::Arc;

/// DROP TABLE.
pub async fn drop_tables(writer: &mut Writer<'_, '_>, tables: &[Arc<Table>], cascade: bool) -> Result<()> {
    let ids: Vec<TableId> = tables.iter().map(|table| table.id).collect();
    for id in &ids {
        let table = writer.table(*id)?;
        for reference in &table.referenced_by {
            if ids.contains(&reference.child) {
                continue;
            }
            if !cascade {
                return Err(still_needed(writer, &table, reference.child, reference.foreign_key));
            }
            constraint::drop_foreign_key(writer, reference.child, reference.foreign_key).await?;
        }
    }
    for id in ids {
        let table = writer.table(id)?;
        for key in &table.foreign_keys {
            if key.parent != id {
                constraint::drop_foreign_key(writer, id, key.id).await?;
            }
        }
        for sequence in owned_sequences(writer, id) {
            writer.context.env.facts.sequences.forget(sequence.id);
            writer.context.txn.delete(store::sequence_key(sequence.id));
            writer.remove(sequence.id.0).await?;
        }
        writer.remove(id.0).await?;
    }
    Ok(())
}

fn owned_sequences(writer: &Writer<'_, '_>, table: TableId) -> Vec<Arc<Sequence>> {
    let database = writer.context.env.facts.database_id;
    let owned = |sequence: &&Arc<Sequence>| sequence.owned_by.is_some_and(|(owner, _)| owner == table);
    writer.view.sequences_of(database).filter(owned).cloned().collect()
}

fn still_needed(writer: &Writer<'_, '_>, table: &Table, child: TableId, key: u32) -> Error {
    let child = writer.view.table(child);
    let name = child.and_then(|child| child.foreign_keys.iter().find(|it| it.id == key)).map_or("", |it| &it.name);
    let child = child.map_or("", |child| &child.name);
    Error::new(
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop table {} because other objects depend on it", table.name),
    )
    .with_detail(format!("constraint {name} on table {child} depends on table {}", table.name))
    .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

/// DROP INDEX.
pub async fn drop_indexes(writer: &mut Writer<'_, '_>, indexes: &[(Arc<Table>, IndexId)], cascade: bool) -> Result<()> {
    for (table, id) in indexes {
        let before = writer.table(table.id)?;
        let Some(index) = before.index(*id).cloned() else { continue };
        if index.constraint || *id == before.primary.id {
            let message = format!(
                "cannot drop index {} because constraint {} on table {} requires it",
                index.name, index.name, before.name
            );
            return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_hint(format!("You can drop constraint {} on table {} instead.", index.name, before.name)));
        }
        free_index(writer, &before, *id, cascade).await?;
        let mut table = writer.table(table.id)?.as_ref().clone();
        table.indexes.retain(|index| index.id != *id);
        writer.put_table(table).await?;
    }
    Ok(())
}

/// Makes sure that no foreign key of another table relies on an index: drops it with `cascade`, refuses otherwise.
pub async fn free_index(writer: &mut Writer<'_, '_>, table: &Table, id: IndexId, cascade: bool) -> Result<()> {
    let Some(index) = table.index(id).filter(|index| index.unique) else { return Ok(()) };
    let covers = |candidate: &crate::sql::catalog::Index, columns: &[crate::sql::catalog::ColumnId]| {
        candidate.unique
            && candidate.columns.len() == columns.len()
            && candidate.columns.iter().all(|column| columns.contains(&column.column))
    };
    for reference in &table.referenced_by {
        let child = writer.table(reference.child)?;
        let Some(key) = child.foreign_keys.iter().find(|key| key.id == reference.foreign_key) else { continue };
        let other = table.all_indexes().any(|other| other.id != id && covers(other, &key.parent_columns));
        if !covers(index, &key.parent_columns) || other {
            continue;
        }
        if !cascade {
            let message = format!("cannot drop index {} because other objects depend on it", index.name);
            return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(format!("constraint {} on table {} depends on index {}", key.name, child.name, index.name))
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        constraint::drop_foreign_key(writer, reference.child, reference.foreign_key).await?;
    }
    Ok(())
}

/// TRUNCATE: the tables go on under new index ids.
pub async fn truncate(
    writer: &mut Writer<'_, '_>,
    tables: &[Arc<Table>],
    restart_identity: bool,
    cascade: bool,
) -> Result<()> {
    let mut ids: Vec<TableId> = tables.iter().map(|table| table.id).collect();
    let mut place = 0;
    while let Some(id) = ids.get(place).copied() {
        place += 1;
        let table = writer.table(id)?;
        for reference in &table.referenced_by {
            if ids.contains(&reference.child) {
                continue;
            }
            let child = writer.table(reference.child)?;
            if !cascade {
                return Err(referenced(&table, &child));
            }
            let message = format!("truncate cascades to table \"{}\"", child.name);
            writer.context.env.notice(Notice::new(message));
            ids.push(reference.child);
        }
    }
    for id in ids {
        let mut table = writer.table(id)?.as_ref().clone();
        build::renew_index_ids(writer, &mut table).await?;
        writer.put_table(table).await?;
        if restart_identity {
            for sequence in owned_sequences(writer, id) {
                let state = SequenceState::start(&sequence.options);
                writer.context.txn.put(store::sequence_key(sequence.id), state.to_bytes());
                writer.context.env.facts.sequences.forget(sequence.id);
            }
        }
    }
    Ok(())
}

fn referenced(table: &Table, child: &Table) -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cannot truncate a table referenced in a foreign key constraint")
        .with_detail(format!("Table \"{}\" references \"{}\".", child.name, table.name))
        .with_hint(format!("Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.", child.name))
}
