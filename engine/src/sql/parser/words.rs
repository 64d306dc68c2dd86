//! Keywords: which are reserved, and which one a misspelt word was meant to be.

use crate::sql::catalog::closest;

/// PostgreSQL's reserved words: not usable as names without quotes.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

/// Words that begin a statement.
const STATEMENTS: &[&str] = &[
    "abort",
    "alter",
    "analyze",
    "begin",
    "close",
    "commit",
    "copy",
    "create",
    "deallocate",
    "declare",
    "delete",
    "discard",
    "drop",
    "end",
    "execute",
    "explain",
    "fetch",
    "grant",
    "insert",
    "listen",
    "lock",
    "prepare",
    "release",
    "reset",
    "revoke",
    "rollback",
    "savepoint",
    "select",
    "set",
    "show",
    "start",
    "table",
    "truncate",
    "unlisten",
    "update",
    "vacuum",
    "values",
    "with",
];

/// Words that begin a clause.
const CLAUSES: &[&str] = &[
    "between",
    "cascade",
    "conflict",
    "constraint",
    "database",
    "default",
    "distinct",
    "exists",
    "foreign",
    "from",
    "group",
    "having",
    "index",
    "inner",
    "intersect",
    "into",
    "join",
    "limit",
    "offset",
    "order",
    "primary",
    "references",
    "returning",
    "schema",
    "sequence",
    "table",
    "union",
    "unique",
    "update",
    "using",
    "values",
    "where",
];

/// Whether a lower-case word is reserved by PostgreSQL.
pub fn is_reserved_word(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// The keyword, in capitals, that an unexpected word was probably meant to be.
pub(super) fn meant(word: &str, begins_statement: bool) -> Option<String> {
    let word = word.to_lowercase();
    if STATEMENTS.contains(&word.as_str()) || CLAUSES.contains(&word.as_str()) || is_reserved_word(&word) {
        return None;
    }
    let known = if begins_statement { STATEMENTS } else { CLAUSES };
    closest(&word, known.iter().copied()).map(str::to_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_slips_are_found() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved_word("order") && !is_reserved_word("orders"));
        assert_eq!(meant("selct", true).as_deref(), Some("SELECT"));
        assert_eq!(meant("FORM", false).as_deref(), Some("FROM"));
        assert_eq!(meant("select", true), None);
    }
}
