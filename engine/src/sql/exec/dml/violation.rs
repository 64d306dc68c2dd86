//! Constraint violations in PostgreSQL's words.

use super::write::TableLayout;
use crate::error::{Error, SqlState};
use crate::sql::catalog::{ColumnId, Table};
use crate::sql::exec::Env;
use crate::sql::types::Value;

/// Longest text of one value in a DETAIL; PostgreSQL cuts at 64 bytes.
const MAX_SHOWN: usize = 64;

/// `null value in column ...`
pub fn not_null(env: &Env, table: &Table, column: &str, row: &[Value]) -> Error {
    let message =
        format!("null value in column \"{column}\" of relation \"{}\" violates not-null constraint", table.name);
    named(env, table, Error::new(SqlState::NOT_NULL_VIOLATION, message))
        .with_column(column)
        .with_detail(failing_row(env, table, row))
}

/// `new row ... violates check constraint ...`
pub fn check(env: &Env, table: &Table, name: &str, row: &[Value]) -> Error {
    let message = format!("new row for relation \"{}\" violates check constraint \"{name}\"", table.name);
    named(env, table, Error::new(SqlState::CHECK_VIOLATION, message))
        .with_constraint(name)
        .with_detail(failing_row(env, table, row))
}

/// `duplicate key value violates unique constraint ...`
pub fn unique(env: &Env, layout: &TableLayout, index: Option<usize>, row: &[Value]) -> Error {
    let table = &layout.table;
    let name = index.map_or(&table.primary.name, |place| &table.indexes[place].name);
    let message = format!("duplicate key value violates unique constraint \"{name}\"");
    let places = layout.index(index).columns.iter().map(|column| column.place);
    let key = key_detail(env, places.map(|place| (table.columns[place].name.as_str(), &row[place])));
    named(env, table, Error::new(SqlState::UNIQUE_VIOLATION, message))
        .with_constraint(name.clone())
        .with_detail(format!("{key} already exists."))
}

/// `insert or update on table ... violates foreign key constraint ...`
pub fn no_parent(env: &Env, child: &Table, name: &str, columns: &[ColumnId], row: &[Value], parent: &str) -> Error {
    let message = format!("insert or update on table \"{}\" violates foreign key constraint \"{name}\"", child.name);
    let places = columns.iter().filter_map(|id| child.place(*id));
    let key = key_detail(env, places.map(|place| (child.columns[place].name.as_str(), &row[place])));
    named(env, child, Error::new(SqlState::FOREIGN_KEY_VIOLATION, message))
        .with_constraint(name)
        .with_detail(format!("{key} is not present in table \"{parent}\"."))
}

/// `update or delete on table ... violates foreign key constraint ... on table ...`
pub fn still_referenced(
    env: &Env,
    parent: &Table,
    places: &[usize],
    row: &[Value],
    child: &Table,
    name: &str,
) -> Error {
    let message = format!(
        "update or delete on table \"{}\" violates foreign key constraint \"{name}\" on table \"{}\"",
        parent.name, child.name
    );
    let key = key_detail(env, places.iter().map(|place| (parent.columns[*place].name.as_str(), &row[*place])));
    named(env, child, Error::new(SqlState::FOREIGN_KEY_VIOLATION, message))
        .with_constraint(name)
        .with_detail(format!("{key} is still referenced from table \"{}\".", child.name))
}

/// `Key (a, b)=(1, 2)`
pub fn key_detail<'a>(env: &Env, columns: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for (name, value) in columns {
        names.push(name.to_owned());
        values.push(shown(env, value));
    }
    format!("Key ({})=({})", names.join(", "), values.join(", "))
}

fn failing_row(env: &Env, table: &Table, row: &[Value]) -> String {
    let values = table.visible_columns().map(|(place, _)| {
        let mut text = shown(env, &row[place]);
        if text.len() > MAX_SHOWN {
            let end = (0..=MAX_SHOWN).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
            text.push_str("...");
        }
        text
    });
    format!("Failing row contains ({}).", values.collect::<Vec<_>>().join(", "))
}

fn shown(env: &Env, value: &Value) -> String {
    if value.is_null() { "null".to_owned() } else { value.to_text(&env.types) }
}

fn named(env: &Env, table: &Table, error: Error) -> Error {
    let schema = env.facts.catalog.schema_name(table.schema).unwrap_or_default();
    error.with_schema(schema).with_table(table.name.clone())
}
