//! DDL: ordinary transactions on the catalog.
//!
//! ```text
//!   statement ─► Writer: descriptors changed in the transaction and in a copy of the view (the session's overlay)
//!                  └► data: built under new index ids, which nobody reads before the commit
//! ```
//! Data of a statement outside a block are written in chunks, each in a transaction of its own; the statement's
//! transaction has read the whole table, so that its commit fails if anybody wrote to it meanwhile. Inside a block the
//! data go into the transaction itself, because later statements of it must see them.
//!
//! Invariant: a dropped or truncated table's data are left in place under ids that are never used again.

mod alter;
mod build;
mod constraint;
mod create;
mod drop;
mod object;
mod writer;

use super::Row;
use super::run::Context;
use crate::error::{Error, Result};
use crate::sql::catalog::CatalogView;
use crate::sql::plan::Ddl;
use std::sync::Arc;
use writer::Writer;

/// What a DDL statement works with.
pub struct DdlContext<'a> {
    /// The transaction, and what expressions see.
    pub context: Context<'a>,
    /// Whether later statements of the same transaction may follow.
    pub in_block: bool,
}

/// What a DDL statement did.
#[derive(Debug)]
pub struct CatalogChange {
    /// The catalog as the transaction sees it from now on; `None` if nothing changed.
    pub view: Option<Arc<CatalogView>>,
    /// Rows that CREATE TABLE AS filled in.
    pub rows: Option<u64>,
    /// Keys at which ranges are to be split.
    pub splits: Vec<Vec<u8>>,
}

/// Runs a DDL statement.
pub async fn run_ddl(ddl_context: &mut DdlContext<'_>, ddl: &Ddl) -> Result<CatalogChange> {
    let view = ddl_context.context.env.facts.catalog.clone();
    let mut writer = Writer::new(&mut ddl_context.context, view, ddl_context.in_block);
    let mut rows = None;
    let mut splits = Vec::new();
    match ddl {
        Ddl::Nothing => {}
        Ddl::CreateDatabase { name } => object::create_database(&mut writer, name).await?,
        Ddl::DropDatabase { database } => object::drop_database(&mut writer, database).await?,
        Ddl::CreateSchema { database, name } => object::create_schema(&mut writer, *database, name).await?,
        Ddl::DropSchemas { schemas, cascade } => object::drop_schemas(&mut writer, schemas, *cascade).await?,
        Ddl::CreateTable(table) => rows = create::create_table(&mut writer, table).await?,
        Ddl::DropTables { tables, cascade } => drop::drop_tables(&mut writer, tables, *cascade).await?,
        Ddl::AlterTable { table, actions } => alter::alter_table(&mut writer, table, actions).await?,
        Ddl::CreateIndex { table, index } => create::create_index(&mut writer, table.id, index).await?,
        Ddl::DropIndexes { indexes, cascade } => drop::drop_indexes(&mut writer, indexes, *cascade).await?,
        Ddl::RenameIndex { table, index, name } => alter::rename_index(&mut writer, table.id, *index, name).await?,
        Ddl::CreateSequence { schema, name, options, owned_by } => {
            object::create_sequence(&mut writer, *schema, name, options, *owned_by).await?;
        }
        Ddl::DropSequences { sequences, cascade } => {
            object::drop_sequences(&mut writer, sequences, *cascade).await?;
        }
        Ddl::AlterSequence { sequence, options, restart, owned_by } => {
            object::alter_sequence(&mut writer, sequence, options, *restart, *owned_by).await?;
        }
        Ddl::Truncate { tables, restart_identity, cascade } => {
            drop::truncate(&mut writer, tables, *restart_identity, *cascade).await?;
        }
        Ddl::SplitAt { table, index, rows } => splits = split_keys(writer.context, table, *index, rows)?,
        Ddl::CreateRole { name, login, superuser, password } => {
            object::create_role(&mut writer, name, *login, *superuser, password.as_deref()).await?;
        }
        Ddl::DropRoles { names } => object::drop_roles(&mut writer, names).await?,
        Ddl::AlterRole { name, password, login, superuser } => {
            object::alter_role(&mut writer, name, password.as_ref(), *login, *superuser).await?;
        }
    }
    Ok(CatalogChange { view: writer.finish(), rows, splits })
}

/// The keys of ALTER TABLE ... SPLIT AT VALUES.
fn split_keys(
    context: &Context<'_>,
    table: &crate::sql::catalog::Table,
    index: crate::sql::catalog::IndexId,
    rows: &[Vec<crate::sql::plan::Expr>],
) -> Result<Vec<Vec<u8>>> {
    let index = table.index(index).ok_or_else(|| Error::internal("a plan names an index that is gone"))?;
    let layout = super::keys::IndexLayout::new(table, index);
    let key = |row: &Vec<crate::sql::plan::Expr>| {
        let values: Row = context.env.eval_all(row, &[])?;
        Ok(layout.prefix_key(&values))
    };
    rows.iter().map(key).collect()
}
