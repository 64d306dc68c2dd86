//! Names of the catalog for completion: read when the catalog may have changed, never while somebody types.

use crate::client::{Connection, Row, SqlError, fetch};
use std::collections::BTreeMap;

const COLUMNS: &str = "SELECT table_schema, table_name, column_name FROM information_schema.columns \
                       WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'quorate') \
                       ORDER BY table_schema, table_name, ordinal_position";

/// Tables and their columns.
#[derive(Debug, Default)]
pub struct Schema {
    /// By table name as it may be written; tables outside of `public` with their schema.
    tables: BTreeMap<String, Vec<String>>,
    /// Whether it may be out of date.
    pub stale: bool,
}

impl Schema {
    /// Reads the names.
    pub async fn read(connection: &mut dyn Connection) -> Result<Schema, SqlError> {
        Ok(Schema::of_rows(fetch(connection, COLUMNS).await?))
    }

    fn of_rows(rows: Vec<Row>) -> Schema {
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in rows {
            let [Some(schema), Some(table), Some(column)] = row.as_slice() else { continue };
            let table = quorate::sql::catalog::quote_ident(table);
            let name = if schema == "public" {
                table
            } else {
                format!("{}.{table}", quorate::sql::catalog::quote_ident(schema))
            };
            tables.entry(name).or_default().push(quorate::sql::catalog::quote_ident(column));
        }
        Schema { tables, stale: false }
    }

    /// Names of all tables.
    pub fn table_names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    /// Columns of a table; none if there is no such table.
    pub fn columns(&self, table: &str) -> Option<&[String]> {
        self.tables.get(&table.to_lowercase()).or_else(|| self.tables.get(table)).map(Vec::as_slice)
    }

    #[cfg(test)]
    pub(super) fn sample(tables: &[(&str, &[&str])]) -> Schema {
        let rows = tables.iter().flat_map(|(table, columns)| {
            columns.iter().map(|column| ["public", table, column].map(|text| Some(text.to_owned())).to_vec())
        });
        Schema::of_rows(rows.collect())
    }
}
