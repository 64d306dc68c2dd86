//! Statements that destroy more than their author may have meant: a person is asked once before they run.

use super::lex::{Piece, Token, pieces};

/// What a statement would destroy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Danger {
    /// All rows of a table, by DELETE or TRUNCATE.
    DeletesAll(String),
    /// All rows of a table are changed.
    UpdatesAll(String),
    /// A table and its rows.
    DropsTable(String),
    /// A schema or a database: its kind and name.
    DropsAll(&'static str, String),
}

impl Danger {
    /// The table whose rows are concerned.
    pub fn table(&self) -> Option<&str> {
        match self {
            Danger::DeletesAll(table) | Danger::UpdatesAll(table) | Danger::DropsTable(table) => Some(table),
            Danger::DropsAll(..) => None,
        }
    }

    /// The question; `rows` is what is known about their number, such as `100,000`.
    pub fn question(&self, rows: Option<&str>) -> String {
        let rows = rows.map(|rows| format!("{rows} ")).unwrap_or_default();
        let what = match self {
            Danger::DeletesAll(table) => format!("This deletes all {rows}rows of {table}."),
            Danger::UpdatesAll(table) => format!("This changes all {rows}rows of {table}."),
            Danger::DropsTable(table) if rows.is_empty() => format!("This drops the table {table}."),
            Danger::DropsTable(table) => format!("This drops the table {table} with its {rows}rows."),
            Danger::DropsAll(kind, name) => format!("This drops the {kind} {name} and all that is in it."),
        };
        format!("{what} Go on? [y/N] ")
    }
}

/// What is dangerous about a statement, if anything.
pub fn danger(sql: &str) -> Option<Danger> {
    let words: Vec<Piece> =
        pieces(sql).filter(|piece| matches!(piece.token, Token::Word | Token::Quoted | Token::Symbol)).collect();
    let word = |at: usize| words.get(at).map(|piece| piece.text(sql).to_uppercase()).unwrap_or_default();
    let has_where =
        words.iter().any(|piece| piece.token == Token::Word && piece.text(sql).eq_ignore_ascii_case("where"));
    let after = |mut at: usize, skip: &[&str]| {
        while skip.contains(&word(at).as_str()) {
            at += 1;
        }
        name(&words, at, sql)
    };
    match (word(0).as_str(), word(1).as_str()) {
        ("DELETE", "FROM") if !has_where => Some(Danger::DeletesAll(after(2, &["ONLY"])?)),
        ("UPDATE", _) if !has_where => Some(Danger::UpdatesAll(after(1, &["ONLY"])?)),
        ("TRUNCATE", _) => Some(Danger::DeletesAll(after(1, &["TABLE", "ONLY"])?)),
        ("DROP", "TABLE") => Some(Danger::DropsTable(after(2, &["IF", "EXISTS"])?)),
        ("DROP", "SCHEMA") => Some(Danger::DropsAll("schema", after(2, &["IF", "EXISTS"])?)),
        ("DROP", "DATABASE") => Some(Danger::DropsAll("database", after(2, &["IF", "EXISTS"])?)),
        _ => None,
    }
}

/// A name with its qualification, as written.
fn name(words: &[Piece], at: usize, sql: &str) -> Option<String> {
    let is_name = |at: usize| words.get(at).is_some_and(|piece| piece.token != Token::Symbol);
    if !is_name(at) {
        return None;
    }
    let mut last = at;
    while words.get(last + 1).is_some_and(|piece| piece.text(sql) == ".") && is_name(last + 2) {
        last += 2;
    }
    Some(words[at..=last].iter().map(|piece| piece.text(sql)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_destroys_all_is_found() {
        let table = |name: &str| name.to_owned();
        assert_eq!(danger("delete from accounts;"), Some(Danger::DeletesAll(table("accounts"))));
        assert_eq!(
            danger("DELETE FROM only public.\"Acc\" -- where\n;"),
            Some(Danger::DeletesAll(table("public.\"Acc\"")))
        );
        assert_eq!(danger("update t set a = 'where'"), Some(Danger::UpdatesAll(table("t"))));
        assert_eq!(danger("truncate table t, u"), Some(Danger::DeletesAll(table("t"))));
        assert_eq!(danger("drop table if exists t"), Some(Danger::DropsTable(table("t"))));
        assert_eq!(danger("drop database bank"), Some(Danger::DropsAll("database", table("bank"))));
    }

    #[test]
    fn what_is_meant_runs_unasked() {
        for sql in
            ["delete from t where a = 1", "update t set a = 1 where b", "select 1", "drop index i", "drop table", ""]
        {
            assert_eq!(danger(sql), None, "{sql}");
        }
    }

    #[test]
    fn questions_name_rows_if_they_are_known() {
        let danger = Danger::DeletesAll("t".to_owned());
        assert_eq!(danger.question(Some("100,000")), "This deletes all 100,000 rows of t. Go on? [y/N] ");
        assert_eq!(danger.question(None), "This deletes all rows of t. Go on? [y/N] ");
    }
}
