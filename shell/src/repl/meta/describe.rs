//! Lists of the catalog: tables, indexes, schemas, roles, databases.

use super::super::shell::Shell;
use super::literal;
use crate::client::SqlError;
use crate::repl::run::CopySource;

/// Schemas that lists leave out.
const OURS: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'quorate', 'pg_toast')";

const KINDS: &str = "CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' \
                     WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' ELSE 'other' END";

/// Relations of these kinds whose names fit.
pub(super) fn relations(shell: &mut Shell, kinds: &[&str], pattern: Option<&str>) -> Result<(), SqlError> {
    let kinds: Vec<String> = kinds.iter().map(|kind| literal(kind)).collect();
    let sql = format!(
        "SELECT n.nspname AS schema, c.relname AS name, {KINDS} AS kind, r.rolname AS owner \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.relowner \
         WHERE c.relkind IN ({}) AND {OURS}{} ORDER BY 1, 2",
        kinds.join(", "),
        filter(pattern, "c.relname"),
    );
    query(shell, &sql)
}

/// Indexes whose names fit.
pub(super) fn indexes(shell: &mut Shell, pattern: Option<&str>) -> Result<(), SqlError> {
    let sql = format!(
        "SELECT n.nspname AS schema, c.relname AS name, t.relname AS \"table\", i.indisunique AS \"unique\" \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE {OURS}{} ORDER BY 1, 3, 2",
        filter(pattern, "c.relname"),
    );
    query(shell, &sql)
}

/// Schemas.
pub(super) fn schemas(shell: &mut Shell) -> Result<(), SqlError> {
    let sql = format!("SELECT n.nspname AS name FROM pg_catalog.pg_namespace n WHERE {OURS} ORDER BY 1");
    query(shell, &sql)
}

/// Roles.
pub(super) fn roles(shell: &mut Shell) -> Result<(), SqlError> {
    let sql = "SELECT rolname AS name, rolsuper AS superuser, rolcanlogin AS login FROM pg_catalog.pg_roles ORDER BY 1";
    query(shell, sql)
}

/// Databases.
pub(super) fn databases(shell: &mut Shell) -> Result<(), SqlError> {
    let sql = "SELECT d.datname AS name, r.rolname AS owner FROM pg_catalog.pg_database d \
               LEFT JOIN pg_catalog.pg_roles r ON r.oid = d.datdba ORDER BY 1";
    query(shell, sql)
}

/// Runs a query of the shell's own; its name stays out of `\g`.
fn query(shell: &mut Shell, sql: &str) -> Result<(), SqlError> {
    let last = shell.last.clone();
    let done = shell.statement(sql, false, CopySource::Typed);
    shell.last = last;
    done
}

/// A condition for psql's patterns: `*` any characters, `?` one.
fn filter(pattern: Option<&str>, column: &str) -> String {
    let Some(pattern) = pattern else { return String::new() };
    let mut like = String::new();
    for c in pattern.to_lowercase().chars() {
        match c {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '_' | '%' | '\\' => like.extend(['\\', c]),
            c => like.push(c),
        }
    }
    format!(" AND {column} LIKE {}", literal(&like))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_psql() {
        assert_eq!(filter(Some("Acc*_?"), "n"), " AND n LIKE 'acc%\\__'");
        assert_eq!(filter(Some("o'b"), "n"), " AND n LIKE 'o''b'");
        assert_eq!(filter(None, "n"), "");
    }
}
