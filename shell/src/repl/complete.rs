//! What Tab offers: names and keywords, those first that fit the place in the statement.
//!
//! ```text
//!   after FROM, JOIN, INTO, UPDATE, TABLE     tables, then keywords
//!   after table.                              columns of that table
//!   elsewhere                                 columns of the statement's tables, keywords, functions, tables
//!   after a backslash or dot at the start     meta-commands
//! ```
//! Candidates begin with what was typed; if there is none, those that begin with its first letter and hold the others in
//! order.

use super::lex::{Piece, Token, pieces};
use super::meta::COMMANDS;
use super::schema::Schema;
use super::script::is_meta;
use reedline::{Completer, CompletionResult, Span, Suggestion};
use std::sync::{Arc, Mutex, PoisonError};

/// Words that statements are made of.
pub(super) const KEYWORDS: &[&str] = &[
    "ADD",
    "ALL",
    "ALTER",
    "ANALYZE",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CASCADE",
    "CASE",
    "CAST",
    "CHECK",
    "COLUMN",
    "COMMIT",
    "CONFLICT",
    "CONSTRAINT",
    "COPY",
    "CREATE",
    "CROSS",
    "DATABASE",
    "DEFAULT",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DO",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FOR",
    "FOREIGN",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IF",
    "ILIKE",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "ISOLATION",
    "JOIN",
    "KEY",
    "LEFT",
    "LEVEL",
    "LIKE",
    "LIMIT",
    "NODES",
    "NOT",
    "NOTHING",
    "NULL",
    "OFFSET",
    "ON",
    "ONLY",
    "OR",
    "ORDER",
    "PREPARE",
    "PREPARED",
    "PRIMARY",
    "RANGES",
    "READ",
    "REFERENCES",
    "RELEASE",
    "REPEATABLE",
    "RETURNING",
    "RIGHT",
    "ROLLBACK",
    "SAVEPOINT",
    "SCHEMA",
    "SELECT",
    "SERIALIZABLE",
    "SET",
    "SHOW",
    "SPLIT",
    "START",
    "STDIN",
    "TABLE",
    "THEN",
    "TO",
    "TRANSACTION",
    "TRUE",
    "TRUNCATE",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

const FUNCTIONS: &[&str] = &[
    "abs(",
    "avg(",
    "ceil(",
    "coalesce(",
    "count(",
    "date_trunc(",
    "extract(",
    "floor(",
    "generate_series(",
    "greatest(",
    "least(",
    "length(",
    "lower(",
    "max(",
    "min(",
    "mod(",
    "now()",
    "nullif(",
    "power(",
    "random()",
    "replace(",
    "round(",
    "sqrt(",
    "string_agg(",
    "substring(",
    "sum(",
    "trim(",
    "upper(",
];

/// Completes from the names that are known.
pub(super) struct Names {
    pub(super) schema: Arc<Mutex<Schema>>,
}

impl Completer for Names {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let schema = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, found) = suggest(line, pos, &schema);
        let suggestions: Vec<Suggestion> = found
            .into_iter()
            .map(|(value, kind)| Suggestion {
                append_whitespace: !value.ends_with(['(', '.']),
                value,
                description: Some(kind.to_owned()),
                span: Span::new(start, pos),
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

/// Candidates for the word that ends at `pos`, best first, with their kinds; and where that word begins.
fn suggest(line: &str, pos: usize, schema: &Schema) -> (usize, Vec<(String, &'static str)>) {
    let before = line.get(..pos).unwrap_or_default();
    if is_meta(before.trim_start()) && !before.trim_start().contains(' ') {
        let start = before.len() - before.trim_start().len();
        let typed = &before[start..];
        let names = COMMANDS.iter().map(|meta| meta.name).filter(|name| name.starts_with(typed));
        return (start, names.map(|name| (name.to_owned(), "command")).collect());
    }
    let words: Vec<Piece> =
        pieces(before).filter(|piece| !matches!(piece.token, Token::Space | Token::Comment)).collect();
    let typed = words.last().filter(|piece| piece.end == before.len() && piece.token == Token::Word);
    let (start, typed) = typed.map_or((pos, ""), |piece| (piece.start, piece.text(before)));
    let done = words.iter().filter(|piece| piece.end <= start).map(|piece| piece.text(before));
    let done: Vec<&str> = done.collect();
    let candidates = candidates(&done, line, schema);
    if typed.is_empty() && done.last() != Some(&".") && !wants_table(&done) {
        return (start, Vec::new());
    }
    (start, matching(typed, candidates))
}

fn wants_table(done: &[&str]) -> bool {
    let last = done.last().copied().unwrap_or_default().to_uppercase();
    matches!(last.as_str(), "FROM" | "JOIN" | "INTO" | "UPDATE" | "TABLE" | "TRUNCATE" | "REFERENCES" | "\\D")
}

fn candidates(done: &[&str], line: &str, schema: &Schema) -> Vec<(String, &'static str)> {
    let tables = || schema.table_names().into_iter().map(|name| (name, "table"));
    let columns = |table: &str| schema.columns(table).unwrap_or_default().iter().map(|name| (name.clone(), "column"));
    if let [.., table, "."] = done {
        return columns(aliased(table, line, schema).as_deref().unwrap_or(table)).collect();
    }
    let keywords = KEYWORDS.iter().map(|word| ((*word).to_owned(), "keyword"));
    if wants_table(done) {
        return tables().chain(keywords).collect();
    }
    let mut found: Vec<(String, &'static str)> = Vec::new();
    for word in pieces(line).filter(|piece| piece.token == Token::Word) {
        found.extend(columns(word.text(line)));
    }
    let functions = FUNCTIONS.iter().map(|name| ((*name).to_owned(), "function"));
    found.extend(keywords.chain(functions).chain(tables()));
    found
}

/// The table that has this alias in the statement: the known table in front of it.
fn aliased(alias: &str, line: &str, schema: &Schema) -> Option<String> {
    if schema.columns(alias).is_some() {
        return None;
    }
    let words: Vec<&str> = pieces(line)
        .filter(|piece| piece.token == Token::Word)
        .map(|piece| piece.text(line))
        .filter(|word| !word.eq_ignore_ascii_case("as"))
        .collect();
    let pair = words.windows(2).find(|pair| pair[1].eq_ignore_ascii_case(alias) && schema.columns(pair[0]).is_some());
    pair.map(|pair| pair[0].to_owned())
}

/// Those that begin with what was typed; else those that begin with the same letter and hold the others in order. Each once.
fn matching(typed: &str, candidates: Vec<(String, &'static str)>) -> Vec<(String, &'static str)> {
    let lower = typed.to_lowercase();
    let begins = |name: &str| name.to_lowercase().starts_with(&lower);
    let fuzzy = |name: &str| {
        let name = name.to_lowercase();
        if name.chars().next() != lower.chars().next() {
            return false;
        }
        let mut rest = name.chars();
        lower.chars().all(|wanted| rest.any(|c| c == wanted))
    };
    let pick = |fits: &dyn Fn(&str) -> bool| {
        let mut picked: Vec<(String, &'static str)> = Vec::new();
        for (name, kind) in &candidates {
            if fits(name) && !picked.iter().any(|(known, _)| known == name) {
                picked.push((cased(name, typed, kind), kind));
            }
        }
        picked
    };
    let found = pick(&begins);
    if found.is_empty() && typed.len() > 1 { pick(&fuzzy) } else { found }
}

/// Keywords follow the case of what was typed.
fn cased(name: &str, typed: &str, kind: &str) -> String {
    let lower = typed.starts_with(|c: char| c.is_lowercase());
    if kind == "keyword" && lower { name.to_lowercase() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let schema = Schema::sample(&[("accounts", &["id", "owner"]), ("orders", &["o_id", "o_owner"])]);
        suggest(line, line.len(), &schema).1.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn tables_come_after_from() {
        assert_eq!(offered("select * from acc"), vec!["accounts"]);
        assert_eq!(offered("select * from ")[..2], ["accounts", "orders"]);
        assert_eq!(offered("insert into o")[..1], ["orders"]);
    }

    #[test]
    fn columns_of_the_statement_come_first() {
        assert_eq!(offered("update accounts set ow"), vec!["owner"]);
        let schema = Schema::sample(&[("orders", &["o_id", "o_owner"])]);
        let line = "select o. from orders o";
        let found = suggest(line, 9, &schema);
        assert_eq!(found, (9, vec![("o_id".to_owned(), "column"), ("o_owner".to_owned(), "column")]));
    }

    #[test]
    fn keywords_keep_the_case_of_the_typist() {
        assert_eq!(offered("sel"), vec!["select"]);
        assert_eq!(offered("SEL"), vec!["SELECT"]);
        assert_eq!(offered("truncate tbl"), vec!["table"]);
    }

    #[test]
    fn commands_complete_at_the_start_only() {
        assert_eq!(offered("\\ti"), vec!["\\timing"]);
        assert_eq!(offered("select "), Vec::<String>::new());
    }
}
