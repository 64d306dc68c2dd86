//! CREATE TABLE and CREATE INDEX.

use super::super::dml::{Inserter, TableLayout};
use super::super::operator::Operator;
use super::super::sequence::SequenceState;
use super::writer::Writer;
use super::{build, constraint};
use crate::error::{Error, Result};
use crate::sql::catalog::names::quote_ident;
use crate::sql::catalog::{
    Check, Column, ColumnId, Index, IndexColumn, IndexId, SchemaId, Sequence, SequenceId, SequenceOptions, Table,
    TableId, store,
};
use crate::sql::plan::ddl::{CreateTable, NewIndex, sequence_default};
use crate::sql::plan::{Insert, Node, NodeKind};
use crate::sql::types::Type;
use std::sync::Arc;

/// Name of the hidden row id of tables without primary key.
const ROWID: &str = "rowid";

/// CREATE TABLE; the number of rows of CREATE TABLE AS.
pub async fn create_table(writer: &mut Writer<'_, '_>, create: &CreateTable) -> Result<Option<u64>> {
    let id = TableId(writer.id().await?);
    let mut table = Table {
        id,
        schema: create.schema,
        name: create.name.clone(),
        next_column: create.columns.len() as u32 + 1,
        columns: create.columns.clone(),
        primary: Index::default_for_rows(),
        indexes: Vec::new(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        referenced_by: Vec::new(),
    };
    table.primary = match &create.primary_key {
        Some(key) => new_index(writer, key).await?,
        None => add_rowid(writer, &mut table).await?,
    };
    for unique in &create.unique {
        let index = new_index(writer, unique).await?;
        table.indexes.push(index);
    }
    for check in &create.checks {
        let id = writer.id().await?;
        let (name, expression) = (check.name.clone(), check.expression.clone());
        table.checks.push(Check { id, name, expression, validated: true });
    }
    for (place, name, options) in &create.serials {
        let column = table.columns[*place].id;
        let default = create_serial(writer, create.schema, name, options, (id, column)).await?;
        if table.columns[*place].identity.is_none() {
            table.columns[*place].default = Some(default);
        }
    }
    writer.put_table(table).await?;
    for key in &create.foreign_keys {
        constraint::add_foreign_key(writer, id, key, true).await?;
    }
    match &create.source {
        Some(source) => fill(writer, id, source).await.map(Some),
        None => Ok(None),
    }
}

/// The sequence of a serial or identity column; the default expression that uses it.
pub async fn create_serial(
    writer: &mut Writer<'_, '_>,
    schema: SchemaId,
    name: &str,
    options: &SequenceOptions,
    owner: (TableId, ColumnId),
) -> Result<String> {
    let id = SequenceId(writer.id().await?);
    let sequence = Sequence { id, schema, name: name.to_owned(), options: options.clone(), owned_by: Some(owner) };
    writer.context.txn.put(store::sequence_key(id), SequenceState::start(options).to_bytes());
    writer.put_sequence(sequence).await?;
    let schema = writer.view.schema_name(schema).unwrap_or_default();
    let name = match schema {
        "public" => quote_ident(name),
        schema => format!("{}.{}", quote_ident(schema), quote_ident(name)),
    };
    Ok(sequence_default(&name))
}

/// An index with a new id.
pub async fn new_index(writer: &mut Writer<'_, '_>, index: &NewIndex) -> Result<Index> {
    Ok(Index {
        id: IndexId(writer.id().await?),
        name: index.name.clone(),
        columns: index.columns.clone(),
        unique: index.unique,
        constraint: index.constraint,
        ready: true,
    })
}

/// Adds the hidden row id and returns the index over it.
pub async fn add_rowid(writer: &mut Writer<'_, '_>, table: &mut Table) -> Result<Index> {
    let column = ColumnId(table.next_column);
    table.next_column += 1;
    table.columns.push(Column {
        id: column,
        name: ROWID.to_owned(),
        ty: Type::Int8,
        nullable: false,
        default: None,
        identity: None,
        hidden: true,
    });
    let name = format!("{}_{ROWID}", table.name);
    let columns = vec![IndexColumn { column, descending: false }];
    new_index(writer, &NewIndex { name, columns, unique: true, constraint: false }).await
}

/// CREATE INDEX.
pub async fn create_index(writer: &mut Writer<'_, '_>, table: TableId, index: &NewIndex) -> Result<()> {
    let index = new_index(writer, index).await?;
    let mut table = writer.table(table)?.as_ref().clone();
    table.indexes.push(index.clone());
    build::build_index(writer, &table, &index).await?;
    writer.put_table(table).await
}

/// Fills a new table with the rows of a query.
async fn fill(writer: &mut Writer<'_, '_>, id: TableId, source: &Node) -> Result<u64> {
    let table = writer.table(id)?;
    let tree = writer.context.program.source.clone();
    let tree = tree.ok_or_else(|| Error::internal("CREATE TABLE AS without a query"))?;
    let empty = Node { kind: NodeKind::Values { rows: Vec::new() }, types: source.types.clone(), rows: 0.0 };
    let insert = Insert {
        table: table.clone(),
        source: empty,
        on_conflict: None,
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        referenced_by: Vec::new(),
        returning: None,
    };
    let mut inserter = Inserter::new(Arc::new(TableLayout::new(table.clone())));
    let mut operator = Operator::new(&tree);
    while let Some(mut rows) = operator.next(writer.context).await? {
        for row in &mut rows {
            row.resize(table.columns.len(), crate::sql::types::Value::Null);
        }
        inserter.insert(writer.context, &insert, rows).await?;
    }
    Ok(inserter.count)
}

impl Index {
    /// An index without columns, until the real one is known.
    fn default_for_rows() -> Index {
        Index { id: IndexId(0), name: String::new(), columns: Vec::new(), unique: true, constraint: false, ready: true }
    }
}
