//! Rows of system tables, made from the catalog when they are read; those of the schema `quorate` come from the cluster.
//!
//! ```text
//!   relations.rs    pg_class, pg_attribute, pg_attrdef, pg_index, pg_constraint, pg_sequence, pg_tables, pg_indexes
//!   objects.rs      pg_namespace, pg_database, pg_roles, pg_settings, pg_type, pg_am, pg_collation ...
//!   information.rs  information_schema
//! ```
//! Tables of things that do not exist here (triggers, policies, extensions, ...) are empty, as they would be in a fresh
//! PostgreSQL database without them.
//!
//! Invariant: OIDs are consistent between the tables, so that joins of tools find what they expect.

mod information;
mod objects;
mod relations;

use super::{Env, Row, cluster};
use crate::error::Result;
use crate::sql::catalog::{VirtualTable, store, system};
use crate::sql::types::{Text, Value};

/// All rows of a system table.
pub async fn rows(table: &VirtualTable, env: &mut Env) -> Result<Vec<Row>> {
    if table.schema == system::QUORATE_ID {
        let facts = env.facts.clone();
        return cluster::rows(table.name, facts.cluster.as_ref(), &facts.catalog).await;
    }
    if table.name == "pg_prepared_xacts" {
        return cluster::prepared_rows(env.facts.clone().cluster.as_ref()).await;
    }
    Ok(catalog_rows(table, env))
}

fn catalog_rows(table: &VirtualTable, env: &Env) -> Vec<Row> {
    let mut rows = Rows { table, rows: Vec::new() };
    if table.schema == system::INFORMATION_SCHEMA_ID {
        information::fill(&mut rows, env);
    } else if !relations::fill(&mut rows, env) {
        objects::fill(&mut rows, env);
    }
    rows.rows
}

/// Rows under way; columns are set by name, and NULL otherwise.
pub struct Rows<'a> {
    table: &'a VirtualTable,
    rows: Vec<Row>,
}

impl Rows<'_> {
    /// Name of the table.
    pub fn name(&self) -> &'static str {
        self.table.name
    }

    /// Appends a row of these columns.
    pub fn push<const N: usize>(&mut self, values: [(&str, Value); N]) {
        let mut row = vec![Value::Null; self.table.columns.len()];
        for (name, value) in values {
            let place = self.table.columns.iter().position(|(column, _)| *column == name);
            assert!(place.is_some(), "{}.{name} is a column that the catalog defines", self.table.name);
            if let Some(place) = place {
                row[place] = value;
            }
        }
        self.rows.push(row);
    }
}

/// A text or name.
pub fn text(text: impl AsRef<str>) -> Value {
    Value::Text(Text::new(text.as_ref()))
}

/// An OID.
pub fn oid(oid: u32) -> Value {
    Value::Oid(oid)
}

/// A one-letter code.
pub fn letter(letter: char) -> Value {
    Value::Text(Text::from(letter.to_string()))
}

/// A small number.
pub fn int2(number: usize) -> Value {
    Value::Int2(i16::try_from(number).unwrap_or(i16::MAX))
}

/// `YES` or `NO`, as information_schema has it.
pub fn yes_no(yes: bool) -> Value {
    text(if yes { "YES" } else { "NO" })
}

/// The owner of everything.
pub const OWNER: u32 = store::POSTGRES_ROLE.0;
/// The access method of tables, as in PostgreSQL.
pub const HEAP_AM: u32 = 2;
/// The access method of indexes.
pub const BTREE_AM: u32 = 403;
/// The default collation.
pub const DEFAULT_COLLATION: u32 = 100;
