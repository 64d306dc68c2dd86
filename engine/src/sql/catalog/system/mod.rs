//! System tables: names, OIDs and columns. Their rows are made by the executor when they are read.
//!
//! Invariant: columns are those of PostgreSQL 15, in its order, so that `SELECT *` and drivers find what they expect.

mod information_schema;
mod pg_catalog;
mod quorate;

use super::SchemaId;
use crate::sql::types::Type;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// Name of the schema of PostgreSQL's own tables.
pub const PG_CATALOG: &str = "pg_catalog";
/// Its id.
pub const PG_CATALOG_ID: SchemaId = SchemaId(11);
/// Name of the standard's schema.
pub const INFORMATION_SCHEMA: &str = "information_schema";
/// Its id.
pub const INFORMATION_SCHEMA_ID: SchemaId = SchemaId(12_499);
/// Name of the schema of our own tables.
pub const QUORATE: &str = "quorate";
/// Its id.
pub const QUORATE_ID: SchemaId = SchemaId(12_799);

const SCHEMAS: [(SchemaId, &str); 3] =
    [(PG_CATALOG_ID, PG_CATALOG), (INFORMATION_SCHEMA_ID, INFORMATION_SCHEMA), (QUORATE_ID, QUORATE)];

/// A system table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualTable {
    /// Its id in `pg_class`.
    pub oid: u32,
    /// Its schema.
    pub schema: SchemaId,
    /// Its name.
    pub name: &'static str,
    /// Whether PostgreSQL has a view of this name rather than a table.
    pub is_view: bool,
    /// Names and types of its columns.
    pub columns: Vec<(&'static str, Type)>,
}

struct Registry {
    by_name: BTreeMap<(SchemaId, &'static str), Arc<VirtualTable>>,
    by_oid: BTreeMap<u32, Arc<VirtualTable>>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let lists = [
        (PG_CATALOG_ID, pg_catalog::TABLES),
        (INFORMATION_SCHEMA_ID, information_schema::TABLES),
        (QUORATE_ID, quorate::TABLES),
    ];
    let mut registry = Registry { by_name: BTreeMap::new(), by_oid: BTreeMap::new() };
    for (schema, lines) in lists {
        for table in lines.iter().filter_map(|line| read(schema, line)).map(Arc::new) {
            registry.by_oid.insert(table.oid, table.clone());
            registry.by_name.insert((schema, table.name), table);
        }
    }
    registry
});

/// Reads `name oid kind column:type ...`; a test proves that every line is read.
fn read(schema: SchemaId, line: &'static str) -> Option<VirtualTable> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    let oid = words.next()?.parse().ok()?;
    let is_view = words.next()? == "v";
    let column = |word: &'static str| {
        let (name, ty) = word.split_once(':')?;
        Some((name, Type::by_name(ty)?))
    };
    Some(VirtualTable { oid, schema, name, is_view, columns: words.map(column).collect::<Option<Vec<_>>>()? })
}

/// The id of a system schema.
pub fn schema_id(name: &str) -> Option<SchemaId> {
    SCHEMAS.iter().find(|(_, schema)| *schema == name).map(|(id, _)| *id)
}

/// The name of a system schema.
pub fn schema_name(id: SchemaId) -> Option<&'static str> {
    SCHEMAS.iter().find(|(schema, _)| *schema == id).map(|(_, name)| *name)
}

/// All system schemas.
pub fn schemas() -> &'static [(SchemaId, &'static str)] {
    &SCHEMAS
}

/// All system tables, by id.
pub fn tables() -> impl Iterator<Item = &'static Arc<VirtualTable>> {
    REGISTRY.by_oid.values()
}

/// The system table with this id.
pub fn by_oid(oid: u32) -> Option<Arc<VirtualTable>> {
    REGISTRY.by_oid.get(&oid).cloned()
}

/// The system table of this name.
pub fn by_name(schema: SchemaId, name: &str) -> Option<Arc<VirtualTable>> {
    REGISTRY
        .by_name
        .range((schema, name)..)
        .next()
        .filter(|((id, found), _)| *id == schema && *found == name)
        .map(|(_, table)| table.clone())
}

/// Names of the tables of a system schema.
pub fn names_of(schema: SchemaId) -> impl Iterator<Item = &'static str> {
    REGISTRY.by_name.keys().filter(move |(id, _)| *id == schema).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        for (schema, lines) in [
            (PG_CATALOG_ID, pg_catalog::TABLES),
            (INFORMATION_SCHEMA_ID, information_schema::TABLES),
            (QUORATE_ID, quorate::TABLES),
        ] {
            for line in lines {
                assert!(read(schema, line).is_some(), "{line}");
            }
        }
        let class = by_name(PG_CATALOG_ID, "pg_class").unwrap();
        assert_eq!((class.oid, class.columns[1].clone()), (1259, ("relname", Type::Name)));
    }
}
