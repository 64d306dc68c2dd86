//! `\d NAME`: the columns, indexes and constraints of one table.

use super::super::shell::Shell;
use super::literal;
use crate::client::{Column, Row, SqlError, fetch};
use crate::render::{Format, write_result};
use quorate::sql::catalog::closest;

/// What `\d` shows about a relation.
struct Found {
    oid: String,
    schema: String,
    name: String,
    kind: String,
}

/// Shows a table, view, index or sequence.
pub(super) fn describe(shell: &mut Shell, name: &str) -> Result<(), SqlError> {
    let found = find(shell, name)?;
    let title = format!("{} \"{}.{}\"", kind(&found.kind), found.schema, found.name);
    shell.say(&title)?;
    show_columns(shell, &found)?;
    list(shell, "Indexes:", &indexes(&found.oid), |row| {
        let marks = match (row[1].as_deref(), row[2].as_deref()) {
            (Some("t"), _) => "PRIMARY KEY, ",
            (_, Some("t")) => "UNIQUE, ",
            _ => "",
        };
        let definition = row[3].clone().unwrap_or_default();
        let columns = definition.split_once(" USING ").map_or(definition.as_str(), |(_, columns)| columns);
        format!("\"{}\" {marks}{columns}", row[0].clone().unwrap_or_default())
    })?;
    let constraint =
        |row: &Row| format!("\"{}\" {}", row[0].clone().unwrap_or_default(), row[1].clone().unwrap_or_default());
    list(shell, "Check constraints:", &constraints(&found.oid, "c"), constraint)?;
    list(shell, "Foreign-key constraints:", &constraints(&found.oid, "f"), constraint)
}

fn find(shell: &mut Shell, name: &str) -> Result<Found, SqlError> {
    let (schema, table) = match name.split_once('.') {
        Some((schema, table)) => (Some(folded(schema)), folded(table)),
        None => (None, folded(name)),
    };
    let place = match &schema {
        Some(schema) => format!("n.nspname = {}", literal(schema)),
        None => "pg_catalog.pg_table_is_visible(c.oid)".to_owned(),
    };
    let sql = format!(
        "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = {} AND {place} ORDER BY 2",
        literal(&table)
    );
    let runtime = shell.runtime.clone();
    let rows = runtime.block_on(fetch(shell.session()?.as_mut(), &sql))?;
    let text = |row: &Row, at: usize| row.get(at).cloned().flatten().unwrap_or_default();
    match rows.first() {
        Some(row) => Ok(Found { oid: text(row, 0), schema: text(row, 1), name: text(row, 2), kind: text(row, 3) }),
        None => Err(missing(shell, name, &table)),
    }
}

fn missing(shell: &mut Shell, name: &str, table: &str) -> SqlError {
    let error = SqlError::usage(format!("relation \"{name}\" does not exist"));
    let tables = shell.schema().table_names();
    match closest(table, tables.iter().map(String::as_str)) {
        Some(near) => error.with_hint(format!("Did you mean \"{near}\"?")),
        None => error,
    }
}

/// A name as the catalog has it: lower case unless quoted.
fn folded(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(quoted) => quoted.to_owned(),
        None => name.to_lowercase(),
    }
}

fn kind(letter: &str) -> &'static str {
    match letter {
        "r" | "p" => "Table",
        "v" => "View",
        "i" => "Index",
        "S" => "Sequence",
        _ => "Relation",
    }
}

fn show_columns(shell: &mut Shell, found: &Found) -> Result<(), SqlError> {
    let sql = format!(
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, \
         pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attribute a \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attrelid = {}::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        literal(&found.oid)
    );
    let runtime = shell.runtime.clone();
    let rows = runtime.block_on(fetch(shell.session()?.as_mut(), &sql))?;
    let rows: Vec<Row> = rows
        .into_iter()
        .map(|mut row| {
            let not_null = row.get(2).cloned().flatten().as_deref() == Some("t");
            let default = row.pop().flatten().unwrap_or_default();
            vec![
                row.first().cloned().flatten(),
                row.get(1).cloned().flatten(),
                Some(if not_null { "not null" } else { "" }.to_owned()),
                Some(default),
            ]
        })
        .collect();
    let columns = ["Column", "Type", "Nullable", "Default"].map(Column::text).to_vec();
    let mut style = shell.style(false);
    if style.format == Format::Box {
        style.format = Format::Table;
    }
    write_result(&style, columns, rows, &mut shell.output).map(|_| ()).map_err(|error| SqlError::output(&error))
}

fn indexes(oid: &str) -> String {
    format!(
        "SELECT c.relname, i.indisprimary, i.indisunique, pg_catalog.pg_get_indexdef(i.indexrelid) \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid = {}::oid ORDER BY i.indisprimary DESC, c.relname",
        literal(oid)
    )
}

fn constraints(oid: &str, kind: &str) -> String {
    format!(
        "SELECT r.conname, pg_catalog.pg_get_constraintdef(r.oid) FROM pg_catalog.pg_constraint r \
         WHERE r.conrelid = {}::oid AND r.contype = {} ORDER BY 1",
        literal(oid),
        literal(kind)
    )
}

/// Writes a line per row of a query under a title, if there are rows.
fn list(shell: &mut Shell, title: &str, sql: &str, line: impl Fn(&Row) -> String) -> Result<(), SqlError> {
    let runtime = shell.runtime.clone();
    let rows = runtime.block_on(fetch(shell.session()?.as_mut(), sql))?;
    if rows.is_empty() {
        return Ok(());
    }
    shell.say(title)?;
    for row in &rows {
        let text = format!("    {}", line(row));
        shell.say(&text)?;
    }
    Ok(())
}
