//! `\h NAME`: the syntax of statements, as far as this release has them.

use crate::client::SqlError;
use quorate::sql::catalog::closest;

/// Name and grammar of each statement.
const STATEMENTS: &[(&str, &str)] = &[
    (
        "ALTER TABLE",
        "ALTER TABLE name ADD [COLUMN] column type [constraint ...]\nALTER TABLE name ADD [CONSTRAINT name] \
         { PRIMARY KEY | UNIQUE | FOREIGN KEY | CHECK } ...\nALTER TABLE name SPLIT AT VALUES ( value [, ...] ) [, ...]",
    ),
    (
        "BEGIN",
        "BEGIN [ ISOLATION LEVEL { SERIALIZABLE | REPEATABLE READ | READ COMMITTED } ] [ READ ONLY | READ WRITE ]",
    ),
    ("COMMIT", "{ COMMIT | END } [ WORK | TRANSACTION ]"),
    ("COMMIT PREPARED", "COMMIT PREPARED 'name'"),
    (
        "COPY",
        "COPY table [ ( column [, ...] ) ] FROM STDIN [ WITH ( FORMAT { text | csv } [, option ...] ) ]\n\
         COPY { table [ ( column [, ...] ) ] | ( query ) } TO STDOUT [ WITH ( ... ) ]",
    ),
    ("CREATE DATABASE", "CREATE DATABASE name"),
    ("CREATE INDEX", "CREATE [ UNIQUE ] INDEX [ IF NOT EXISTS ] [ name ] ON table ( column [ ASC | DESC ] [, ...] )"),
    ("CREATE SCHEMA", "CREATE SCHEMA [ IF NOT EXISTS ] name"),
    (
        "CREATE TABLE",
        "CREATE TABLE [ IF NOT EXISTS ] name (\n  { column type [ NOT NULL ] [ DEFAULT expression ] [ PRIMARY KEY ] \
         [ UNIQUE ]\n      [ REFERENCES table [ ( column ) ] ] [ CHECK ( expression ) ]\n  | [ CONSTRAINT name ] \
         { PRIMARY KEY ( column [, ...] ) | UNIQUE ( column [, ...] )\n      | CHECK ( expression )\n      | FOREIGN KEY \
         ( column [, ...] ) REFERENCES table [ ( column [, ...] ) ] } } [, ...] )",
    ),
    ("DELETE", "DELETE FROM table [ [ AS ] alias ] [ WHERE condition ] [ RETURNING expression [, ...] ]"),
    ("DROP", "DROP { TABLE | INDEX | SCHEMA | DATABASE | SEQUENCE } [ IF EXISTS ] name [, ...] [ CASCADE | RESTRICT ]"),
    ("EXPLAIN", "EXPLAIN [ ANALYZE ] statement"),
    (
        "INSERT",
        "INSERT INTO table [ ( column [, ...] ) ] { VALUES ( value [, ...] ) [, ...] | query | DEFAULT VALUES }\n  \
         [ ON CONFLICT [ ( column [, ...] ) ] { DO NOTHING | DO UPDATE SET column = expression [, ...] [ WHERE condition ] } ]\n  \
         [ RETURNING expression [, ...] ]",
    ),
    ("PREPARE TRANSACTION", "PREPARE TRANSACTION 'name'     instead of COMMIT; listed in pg_prepared_xacts"),
    ("ROLLBACK", "ROLLBACK [ WORK | TRANSACTION ] [ TO [ SAVEPOINT ] name ]"),
    ("ROLLBACK PREPARED", "ROLLBACK PREPARED 'name'"),
    ("SAVEPOINT", "SAVEPOINT name\nRELEASE [ SAVEPOINT ] name"),
    (
        "SELECT",
        "SELECT [ ALL | DISTINCT ] expression [ [ AS ] name ] [, ...]\n  [ FROM item [, ...] ]     item: table [ [ AS ] alias ] \
         | ( query ) alias | item [ LEFT | RIGHT | FULL ] JOIN item ON condition\n  [ WHERE condition ]\n  \
         [ GROUP BY expression [, ...] ] [ HAVING condition ]\n  [ { UNION | INTERSECT | EXCEPT } [ ALL ] query ]\n  \
         [ ORDER BY expression [ ASC | DESC ] [ NULLS { FIRST | LAST } ] [, ...] ]\n  [ LIMIT count ] [ OFFSET start ]\n  \
         [ FOR { UPDATE | SHARE } [ NOWAIT | SKIP LOCKED ] ]",
    ),
    ("SET", "SET [ SESSION | LOCAL ] setting { TO | = } { value | DEFAULT }\nSET TRANSACTION ISOLATION LEVEL level"),
    ("SHOW", "SHOW { setting | ALL | NODES | RANGES [ FROM TABLE table ] }"),
    ("TRUNCATE", "TRUNCATE [ TABLE ] name [, ...]"),
    (
        "UPDATE",
        "UPDATE table [ [ AS ] alias ] SET column = { expression | DEFAULT } [, ...]\n  [ FROM item [, ...] ] \
         [ WHERE condition ] [ RETURNING expression [, ...] ]",
    ),
    ("VALUES", "VALUES ( expression [, ...] ) [, ...]"),
];

/// The page of a statement, or the list of all.
pub(super) fn page(name: &str) -> Result<String, SqlError> {
    let wanted = name.trim().to_uppercase();
    if wanted.is_empty() {
        let names: Vec<&str> = STATEMENTS.iter().map(|(name, _)| *name).collect();
        return Ok(format!("\\h NAME shows the syntax of: {}", names.join(", ")));
    }
    let found: Vec<String> = STATEMENTS
        .iter()
        .filter(|(name, _)| *name == wanted || name.starts_with(&format!("{wanted} ")))
        .map(|(_, grammar)| (*grammar).to_owned())
        .collect();
    if !found.is_empty() {
        return Ok(found.join("\n"));
    }
    let error = SqlError::usage(format!("there is no page about {name}"));
    Err(match closest(&wanted, STATEMENTS.iter().map(|(name, _)| *name)) {
        Some(near) => error.with_hint(format!("Did you mean {near}?")),
        None => error.with_hint("\\h lists all."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_by_name_and_by_their_first_word() {
        assert!(page("update").unwrap().starts_with("UPDATE table"));
        assert_eq!(page("create").unwrap().matches("CREATE").count(), 4);
        assert_eq!(page("selct").unwrap_err().hint.as_deref(), Some("Did you mean SELECT?"));
        assert!(page("").unwrap().contains("TRUNCATE"));
    }
}
