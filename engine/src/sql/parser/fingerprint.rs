//! Fingerprints: the token stream of a text statement with its literals lifted out to parameters.
//!
//! ```text
//!  SELECT bal  FROM acc WHERE id = 42 AND name = 'Ann'  ─►  select bal from acc where id = $1 and name = $2
//!                                                           literals: [(Int4, 42), (Text, Ann)]
//! ```
//! The fingerprint is itself SQL: on a miss of the plan cache it is parsed and planned with parameters of the
//! literals' types; the next statement of the same form only supplies values. What must be constant for the meaning or
//! for the plan stays: ordinals and expressions in ORDER BY and GROUP BY, LIMIT, modifiers of types, `DATE '...'`.
//! If planning the fingerprint fails, the statement is planned as it was written, which also gives errors their
//! places; so a fingerprint may be refused (`None`) whenever that is simpler.
//!
//! Invariant: two texts with one key mean the same statement but for the values of their literals.

use super::lexer::{Lexeme, Lexer, Token};
use crate::sql::types::Type;
use std::borrow::Cow;

/// More literals than this are not worth a parameter each (bulk INSERT).
const MAX_LITERALS: usize = 100;
/// Longer texts are not fingerprinted.
const MAX_BYTES: usize = 16 << 10;

/// The form of a DML statement and its literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Key of the plan cache: SQL with parameters, a NUL, and one letter per literal's kind.
    pub key: String,
    /// The literals, for `$1`, `$2`, ...
    pub literals: Vec<Literal>,
}

/// A literal lifted out of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Its kind.
    pub kind: LiteralKind,
    /// Where its text is: the digits of a number, the inside of the quotes of a string.
    pub start: usize,
    /// Where its text ends.
    pub end: usize,
}

/// Kinds of literals, as PostgreSQL types them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralKind {
    /// An integer of 32 bits.
    Int4,
    /// A longer integer.
    Int8,
    /// Any other number.
    Numeric,
    /// A string: of the type that its place asks for.
    Text,
}

impl Literal {
    /// The text of the literal within the statement it came from.
    pub fn text<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        let text = sql.get(self.start..self.end).unwrap_or("");
        match self.kind {
            LiteralKind::Text if text.contains('\'') => Cow::Owned(text.replace("''", "'")),
            _ => Cow::Borrowed(text),
        }
    }
}

impl LiteralKind {
    /// The type of the parameter; `None`: to be inferred.
    pub fn ty(self) -> Option<Type> {
        match self {
            LiteralKind::Int4 => Some(Type::Int4),
            LiteralKind::Int8 => Some(Type::Int8),
            LiteralKind::Numeric => Some(Type::NUMERIC),
            LiteralKind::Text => None,
        }
    }

    fn letter(self) -> char {
        match self {
            LiteralKind::Int4 => 'i',
            LiteralKind::Int8 => 'l',
            LiteralKind::Numeric => 'n',
            LiteralKind::Text => 't',
        }
    }
}

impl Fingerprint {
    /// The statement with parameters instead of literals.
    pub fn sql(&self) -> &str {
        self.key.split('\0').next().unwrap_or("")
    }

    /// The types of its parameters, as far as the literals tell.
    pub fn parameter_types(&self) -> Vec<Option<Type>> {
        self.literals.iter().map(|literal| literal.kind.ty()).collect()
    }
}

/// The fingerprint of a single SELECT, INSERT, UPDATE or DELETE without parameters of its own; `None` for any other
/// text, and for what this lexer does not understand.
pub fn fingerprint(sql: &str) -> Option<Fingerprint> {
    if sql.len() > MAX_BYTES {
        return None;
    }
    let mut lexer = Lexer::new(sql);
    let first = lexer.next()?;
    let word = sql.get(first.start..first.end)?;
    if !["select", "insert", "update", "delete"].iter().any(|dml| word.eq_ignore_ascii_case(dml)) {
        return None;
    }
    let mut writer = Writer::new(sql);
    writer.push(first)?;
    while let Some(lexeme) = lexer.next() {
        if sql.as_bytes()[lexeme.start] == b';' {
            return if lexer.next().is_none() { Some(writer.finish()) } else { None };
        }
        writer.push(lexeme)?;
    }
    Some(writer.finish())
}

/// What the tokens before say about the next one.
struct Writer<'a> {
    sql: &'a str,
    key: String,
    literals: Vec<Literal>,
    depth: u32,
    /// Literals stay until the depth falls below this (in the parentheses of a type, in ORDER BY or GROUP BY).
    kept_from: Option<u32>,
    /// The words since `::` or AS may be the name of a type.
    in_type: bool,
    last: Option<Lexeme>,
}

impl<'a> Writer<'a> {
    fn new(sql: &'a str) -> Writer<'a> {
        Writer {
            sql,
            key: String::with_capacity(sql.len() + 24),
            literals: Vec::new(),
            depth: 0,
            kept_from: None,
            in_type: false,
            last: None,
        }
    }

    fn push(&mut self, lexeme: Lexeme) -> Option<()> {
        match lexeme.token {
            Token::Other | Token::Placeholder => return None,
            Token::Word => self.word(lexeme),
            Token::Quoted => self.copy(lexeme),
            Token::Symbol => self.symbol(lexeme),
            Token::Integer | Token::Decimal | Token::Text => self.literal(lexeme)?,
        }
        self.last = Some(lexeme);
        Some(())
    }

    /// A space where the text had one or where two words would run together.
    fn space(&mut self, lexeme: Lexeme) {
        if self.last.is_some_and(|last| last.end < lexeme.start) {
            self.key.push(' ');
        }
    }

    fn copy(&mut self, lexeme: Lexeme) {
        self.space(lexeme);
        self.key.push_str(&self.sql[lexeme.start..lexeme.end]);
    }

    fn word(&mut self, lexeme: Lexeme) {
        self.space(lexeme);
        let start = self.key.len();
        self.key.push_str(&self.sql[lexeme.start..lexeme.end]);
        self.key[start..].make_ascii_lowercase();
        match &self.key[start..] {
            "as" => self.in_type = true,
            "order" | "group" | "limit" | "fetch" => self.keep(),
            "having" | "offset" | "for" | "union" | "except" | "intersect" | "returning" | "where"
                if self.kept_from == Some(self.depth) =>
            {
                self.kept_from = None;
            }
            _ => {}
        }
    }

    fn keep(&mut self) {
        self.kept_from = Some(self.kept_from.unwrap_or(self.depth));
    }

    fn symbol(&mut self, lexeme: Lexeme) {
        self.copy(lexeme);
        match self.sql.as_bytes()[lexeme.start] {
            b'(' => {
                self.depth += 1;
                if self.in_type {
                    self.keep();
                }
                self.in_type = false;
            }
            b')' => {
                if self.kept_from.is_some_and(|from| from >= self.depth) {
                    self.kept_from = None;
                }
                self.depth = self.depth.saturating_sub(1);
                self.in_type = false;
            }
            b':' => self.in_type = true,
            _ => self.in_type = false,
        }
    }

    fn literal(&mut self, lexeme: Lexeme) -> Option<()> {
        let is_text = lexeme.token == Token::Text;
        if is_text && self.last.is_some_and(|last| last.token == Token::Text) {
            return None;
        }
        self.in_type = false;
        if self.kept_from.is_some() || (is_text && self.follows_type()) {
            self.copy(lexeme);
            return Some(());
        }
        if self.literals.len() == MAX_LITERALS {
            return None;
        }
        let quotes = usize::from(is_text);
        let (start, end) = (lexeme.start + quotes, lexeme.end - quotes);
        let kind = match lexeme.token {
            Token::Text => LiteralKind::Text,
            Token::Integer => integer_kind(&self.sql[start..end]),
            _ => LiteralKind::Numeric,
        };
        self.space(lexeme);
        self.literals.push(Literal { kind, start, end });
        self.key.push('$');
        push_number(&mut self.key, self.literals.len());
        Some(())
    }

    /// `DATE '...'`, `INTERVAL '...'`: the word before a string is a type unless it is a keyword before expressions.
    fn follows_type(&self) -> bool {
        const BEFORE_EXPRESSIONS: &[&str] = &[
            "all",
            "and",
            "any",
            "between",
            "by",
            "case",
            "distinct",
            "else",
            "escape",
            "from",
            "having",
            "ilike",
            "in",
            "is",
            "like",
            "not",
            "offset",
            "on",
            "or",
            "returning",
            "select",
            "set",
            "similar",
            "some",
            "symmetric",
            "then",
            "to",
            "values",
            "when",
            "where",
        ];
        let Some(last) = self.last.filter(|last| last.token == Token::Word) else { return false };
        let word = &self.sql[last.start..last.end];
        !BEFORE_EXPRESSIONS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
    }

    fn finish(mut self) -> Fingerprint {
        self.key.push('\0');
        self.key.extend(self.literals.iter().map(|literal| literal.kind.letter()));
        Fingerprint { key: self.key, literals: self.literals }
    }
}

fn integer_kind(digits: &str) -> LiteralKind {
    if digits.len() < 10 || digits.parse::<i32>().is_ok() {
        LiteralKind::Int4
    } else if digits.parse::<i64>().is_ok() {
        LiteralKind::Int8
    } else {
        LiteralKind::Numeric
    }
}

fn push_number(out: &mut String, number: usize) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(char::from(b'0' + (number % 10) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, key: &str, literals: &[&str]) {
        let found = fingerprint(sql).expect("has a fingerprint");
        assert_eq!(found.key.replace('\0', "|"), key);
        let texts: Vec<Cow<'_, str>> = found.literals.iter().map(|literal| literal.text(sql)).collect();
        assert_eq!(texts, literals);
    }

    #[test]
    fn literals_become_parameters() {
        check(
            "SELECT bal  FROM acc WHERE id=42 AND name = 'O''Hara' -- x\n AND d < 12.50;",
            "select bal from acc where id=$1 and name = $2 and d < $3|itn",
            &["42", "O'Hara", "12.50"],
        );
        check(
            "update \"T\" set a = a + -5 where b=3000000000",
            "update \"T\" set a = a + -$1 where b=$2|il",
            &["5", "3000000000"],
        );
    }

    #[test]
    fn what_must_stay_constant_stays() {
        check("select a, 1 from t order by 2 limit 10", "select a, $1 from t order by 2 limit 10|i", &["1"]);
        check("select x::numeric(12,2) from t where y = 1", "select x::numeric(12,2) from t where y = $1|i", &["1"]);
        check("select cast(x as varchar(3)), f(1)", "select cast(x as varchar(3)), f($1)|i", &["1"]);
        check("select date '2020-01-01', 'x'", "select date '2020-01-01', $1|t", &["x"]);
        check("select (select a from t limit 1), 2", "select (select a from t limit 1), $1|i", &["2"]);
        check(
            "select sum(a) from t group by b % 2 having sum(a) > 3",
            "select sum(a) from t group by b % 2 having sum(a) > $1|i",
            &["3"],
        );
    }

    #[test]
    fn other_texts_have_none() {
        for sql in [
            "begin",
            "select $1",
            "select 1; select 2",
            "select E'a'",
            "select /* x */ 1",
            "select 'open",
            "create table t (a int)",
        ] {
            assert_eq!(fingerprint(sql), None, "{sql}");
        }
    }
}
