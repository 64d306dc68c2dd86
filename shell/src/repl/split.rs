//! Where a statement ends: at a semicolon, or at one of psql's `\g`, `\gx`, `\G` in its place.

use super::lex::{Token, pieces};

/// The first statement of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut<'a> {
    /// Its text, with the semicolon.
    pub sql: &'a str,
    /// Bytes before its first word (space and comments).
    pub skipped: usize,
    /// Whether it ended with `\gx` or `\G`: one value per line, this once.
    pub vertical: bool,
    /// What follows it.
    pub rest: &'a str,
}

/// Cuts the first statement off; none if it does not end in this text.
pub fn cut(text: &str) -> Option<Cut<'_>> {
    let mut start = None;
    for piece in pieces(text) {
        let end = match piece.token {
            Token::Space | Token::Comment => continue,
            Token::Semicolon => piece.end,
            Token::Backslash if matches!(piece.text(text), "\\g" | "\\gx" | "\\G") && start.is_some() => piece.start,
            _ => {
                start.get_or_insert(piece.start);
                continue;
            }
        };
        let skipped = start.unwrap_or(piece.start);
        let vertical = piece.token == Token::Backslash && piece.text(text) != "\\g";
        let rest = text.get(piece.end..).unwrap_or_default();
        return Some(Cut { sql: text.get(skipped..end)?.trim_end(), skipped, vertical, rest });
    }
    None
}

/// Whether the text holds nothing but space and comments.
pub fn is_blank(text: &str) -> bool {
    pieces(text).all(|piece| matches!(piece.token, Token::Space | Token::Comment))
}

/// Whether the text ends after a complete statement, so that Enter runs it.
pub fn is_complete(text: &str) -> bool {
    let mut rest = text;
    while let Some(cut) = cut(rest) {
        rest = cut.rest;
    }
    is_blank(rest)
}

/// The first words of a statement, in capitals.
pub fn first_words<const N: usize>(sql: &str) -> [String; N] {
    let mut words = pieces(sql).filter(|piece| piece.token == Token::Word).map(|piece| piece.text(sql).to_uppercase());
    std::array::from_fn(|_| words.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<&str> {
        let mut statements = Vec::new();
        let mut rest = text;
        while let Some(cut) = cut(rest) {
            statements.push(cut.sql);
            rest = cut.rest;
        }
        statements
    }

    #[test]
    fn statements_end_at_semicolons_outside_of_strings() {
        assert_eq!(all("select ';'; -- ;\n/*;*/ select 2 ; select 3"), vec!["select ';';", "select 2 ;"]);
        assert_eq!(all(";;"), vec![";", ";"]);
        assert_eq!(all("select 'a;"), Vec::<&str>::new());
    }

    #[test]
    fn backslash_g_ends_a_statement_too() {
        let cut = cut("select 1 \\gx\nselect 2;").unwrap();
        assert_eq!((cut.sql, cut.vertical, cut.rest), ("select 1", true, "\nselect 2;"));
        assert!(!super::cut("select 1\\g").unwrap().vertical);
    }

    #[test]
    fn enter_runs_what_is_complete() {
        assert!(is_complete("select 1;"));
        assert!(is_complete("select 1; -- done"));
        assert!(is_complete("  "));
        assert!(!is_complete("select 1"));
        assert!(!is_complete("select 1; select"));
        assert!(!is_complete("select 1; /* not"));
    }

    #[test]
    fn lines_before_a_statement_are_counted() {
        let cut = cut("\n-- note\n  select 1;").unwrap();
        assert_eq!((cut.sql, cut.skipped), ("select 1;", 11));
        assert_eq!(first_words::<2>("/* x */ create  table t"), ["CREATE".to_owned(), "TABLE".to_owned()]);
    }
}
