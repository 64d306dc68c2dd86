//! AS OF SYSTEM TIME: taken out of a query before the rest is read, since it may stand in the middle of it.
//!
//! ```text
//!   SELECT ... FROM t AS OF SYSTEM TIME '-10s' WHERE ...       an interval: so long ago
//!                                       '2026-11-29 10:00'     a time; without a zone, UTC
//!                                       12345                  a transaction ID
//! ```

use super::cursor::{Cursor, is_word};
use super::error;
use super::statement::AsOf;
use crate::error::{Error, Result, SqlState};
use crate::sql::types::TypeContext;
use crate::sql::types::datetime::{Interval, parse_timestamptz};
use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

const WORDS: [&str; 4] = ["as", "of", "system", "time"];
/// Microseconds of a day and a month, as ages count them.
const DAY: i64 = 86_400_000_000;
const MONTH: i64 = 30 * DAY;

/// Takes the clause out of the tokens of a query: the clause, and the tokens without it.
pub(super) fn take(
    places: super::place::Places<'_>,
    tokens: &[TokenWithSpan],
) -> Result<Option<(AsOf, Vec<TokenWithSpan>)>> {
    let words: Vec<usize> = (0..tokens.len()).filter(|at| error::is_significant(&tokens[*at])).collect();
    let begins = |word: &str| words.first().is_some_and(|first| is_word(&tokens[*first].token, word));
    if !["select", "with", "table", "values", "explain"].into_iter().any(begins) {
        return Ok(None);
    }
    let is_clause = |at: &usize| {
        WORDS
            .iter()
            .enumerate()
            .all(|(ahead, word)| words.get(at + ahead).is_some_and(|token| is_word(&tokens[*token].token, word)))
    };
    let Some(at) = (0..words.len()).find(is_clause) else { return Ok(None) };
    let depth = words[..at].iter().fold(0, |depth, token| match tokens[*token].token {
        Token::LParen => depth + 1,
        Token::RParen => depth - 1,
        _ => depth,
    });
    let mut cursor = Cursor::new(places, &tokens[words[at]..]);
    if depth > 0 {
        return Err(Error::unsupported(
            "AS OF SYSTEM TIME inside a query is not supported",
            "Put it at the end of the outermost FROM: the whole statement reads the same state.",
        ));
    }
    let before = cursor.left();
    cursor.expect("as of system time")?;
    let as_of = value(&mut cursor)?;
    let taken = words[at]..words[at] + (before - cursor.left());
    let mut rest = tokens.to_vec();
    for token in &mut rest[taken] {
        token.token = Token::Whitespace(Whitespace::Space);
    }
    Ok(Some((as_of, rest)))
}

/// What follows the words.
pub(super) fn value(cursor: &mut Cursor<'_>) -> Result<AsOf> {
    let Some(token) = cursor.peek() else { return Err(cursor.unexpected()) };
    let span = cursor.places.span(token.span);
    let text = match &token.token {
        Token::Number(digits, _) => {
            let digits = digits.clone();
            cursor.take();
            digits
        }
        _ => cursor.string().map_err(|error| {
            error.with_hint("AS OF SYSTEM TIME takes an interval ('-10s'), a time, or a transaction ID.")
        })?,
    };
    read(text.trim()).map_err(|error| match span {
        Some((start, end)) => error.or_span(start, end),
        None => error,
    })
}

fn read(text: &str) -> Result<AsOf> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let id = text.parse().map_err(|_| invalid(text))?;
        return Ok(AsOf::Id(id));
    }
    if text.starts_with('-') {
        let Interval { months, days, micros } = Interval::parse(text)?;
        let age = i64::from(months)
            .checked_mul(MONTH)
            .and_then(|months| months.checked_add(i64::from(days).checked_mul(DAY)?))
            .and_then(|days| days.checked_add(micros))
            .and_then(i64::checked_neg)
            .filter(|age| *age > 0);
        return age.map(AsOf::Ago).ok_or_else(|| invalid(text));
    }
    Ok(AsOf::Time(parse_timestamptz(text, &TypeContext::default())?))
}

fn invalid(text: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for AS OF SYSTEM TIME: \"{text}\""))
        .with_hint("Give a negative interval ('-10s'), a time, or a transaction ID.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::parser::{StatementKind, parse};

    fn as_of(sql: &str) -> Option<AsOf> {
        let statement = parse(sql).unwrap().remove(0);
        assert!(matches!(statement.kind, StatementKind::Sql(_)), "{sql}");
        statement.as_of
    }

    #[test]
    fn the_clause_may_stand_in_the_middle() {
        assert_eq!(as_of("SELECT a FROM t AS OF SYSTEM TIME '-10s' WHERE b = 1"), Some(AsOf::Ago(10_000_000)));
        assert_eq!(as_of("select * from t as of system time 42"), Some(AsOf::Id(42)));
        assert_eq!(as_of("SELECT 1 AS OF SYSTEM TIME '2000-01-01 00:00:01'"), Some(AsOf::Time(1_000_000)));
        assert_eq!(as_of("SELECT 1 AS OF SYSTEM TIME '-1 day 2 hours'"), Some(AsOf::Ago(22 * 3_600_000_000)));
        assert_eq!(as_of("SELECT system AS of FROM t"), None);
    }

    #[test]
    fn what_is_no_past_is_refused_where_it_stands() {
        for bad in ["''", "'soon'", "'10s'", "'-0s'", "99999999999999999999", "now()", "$1"] {
            let sql = format!("SELECT 1 AS OF SYSTEM TIME {bad}");
            let error = parse(&sql).unwrap_err();
            assert!(["22023", "22007", "42601"].contains(&error.sqlstate().unwrap().as_str()), "{sql}: {error}");
        }
        assert_eq!(
            parse("SELECT 1 FROM (SELECT 2 AS OF SYSTEM TIME 1) a").unwrap_err().sqlstate().unwrap().as_str(),
            "0A000"
        );
        assert!(parse("INSERT INTO t VALUES (1) AS OF SYSTEM TIME 1").is_err());
    }
}
