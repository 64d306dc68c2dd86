//! Definitions of indexes and constraints as SQL, in the form in which `pg_get_indexdef` and `pg_get_constraintdef` give
//! them: tools print and parse these texts.

use crate::sql::catalog::names::quote_ident;
use crate::sql::catalog::{CatalogView, ColumnId, ForeignKey, ForeignKeyRule, Index, Table};

/// `CREATE UNIQUE INDEX name ON schema.table USING btree (a, b DESC)`
pub fn index_definition(catalog: &CatalogView, table: &Table, index: &Index) -> String {
    let unique = if index.unique { "UNIQUE " } else { "" };
    let columns: Vec<String> = index
        .columns
        .iter()
        .map(|key| {
            let name = column_name(table, key.column);
            if key.descending { format!("{name} DESC") } else { name }
        })
        .collect();
    let schema = quote_ident(catalog.schema_name(table.schema).unwrap_or_default());
    format!(
        "CREATE {unique}INDEX {} ON {schema}.{} USING btree ({})",
        quote_ident(&index.name),
        quote_ident(&table.name),
        columns.join(", ")
    )
}

/// The name of a column, quoted where needed.
pub fn column_name(table: &Table, id: ColumnId) -> String {
    table.column(id).map(|column| quote_ident(&column.name)).unwrap_or_default()
}

fn column_list(table: &Table, columns: impl Iterator<Item = ColumnId>) -> String {
    columns.map(|id| column_name(table, id)).collect::<Vec<_>>().join(", ")
}

/// The definition of the constraint with this OID: of an index, a check or a foreign key.
pub fn constraint_definition(catalog: &CatalogView, oid: u32) -> Option<String> {
    for table in catalog.tables() {
        if let Some(index) = table.all_indexes().find(|index| index.id.0 == oid && index.constraint) {
            let kind = if index.id == table.primary.id { "PRIMARY KEY" } else { "UNIQUE" };
            return Some(format!("{kind} ({})", column_list(table, index.columns.iter().map(|key| key.column))));
        }
        if let Some(check) = table.checks.iter().find(|check| check.id == oid) {
            return Some(format!("CHECK (({}))", check.expression));
        }
        if let Some(key) = table.foreign_keys.iter().find(|key| key.id == oid) {
            return Some(foreign_key_definition(catalog, table, key));
        }
    }
    None
}

fn foreign_key_definition(catalog: &CatalogView, table: &Table, key: &ForeignKey) -> String {
    let Some(parent) = catalog.table(key.parent) else { return String::new() };
    let mut text = format!(
        "FOREIGN KEY ({}) REFERENCES {}({})",
        column_list(table, key.columns.iter().copied()),
        quote_ident(&parent.name),
        column_list(parent, key.parent_columns.iter().copied())
    );
    for (event, rule) in [("UPDATE", key.on_update), ("DELETE", key.on_delete)] {
        let action = match rule {
            ForeignKeyRule::NoAction => continue,
            ForeignKeyRule::Restrict => "RESTRICT",
            ForeignKeyRule::Cascade => "CASCADE",
            ForeignKeyRule::SetNull => "SET NULL",
            ForeignKeyRule::SetDefault => "SET DEFAULT",
        };
        text.push_str(&format!(" ON {event} {action}"));
    }
    if !key.validated {
        text.push_str(" NOT VALID");
    }
    text
}
