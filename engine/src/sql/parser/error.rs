//! Syntax errors as PostgreSQL words them, with the place and a hint for misspelt keywords.

use super::place::Places;
use super::words;
use crate::error::{Error, SqlState};
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

/// `syntax error at or near "x"`, at this token.
pub(super) fn at_token(places: &Places<'_>, token: &TokenWithSpan, begins_statement: bool) -> Error {
    let Some((start, end)) = places.span(token.span).filter(|_| token.token != Token::EOF) else {
        return at_end(places);
    };
    let text = places.text(start, end);
    let error = syntax(format!("syntax error at or near \"{text}\"")).with_span(start, end);
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => match words::meant(&word.value, begins_statement) {
            Some(meant) => error.with_hint(format!("Did you mean \"{meant}\"?")),
            None => error,
        },
        _ => error,
    }
}

/// `syntax error at end of input`.
pub(super) fn at_end(places: &Places<'_>) -> Error {
    syntax("syntax error at end of input".to_string()).at(places.offset(Location::new(u64::MAX, 1)))
}

fn syntax(message: String) -> Error {
    Error::new(SqlState::SYNTAX_ERROR, message)
}

/// The error of sqlparser's tokenizer.
pub(super) fn of_tokenizer(places: &Places<'_>, message: &str, location: Location) -> Error {
    let start = places.offset(location);
    let rest = places.text(start, places.offset(Location::new(u64::MAX, 1)));
    let near: String = rest.chars().take(64).collect();
    let lower = message.to_lowercase();
    let what = if lower.contains("unterminated string") || lower.contains("unterminated dollar") {
        "unterminated quoted string"
    } else if lower.contains("comment") {
        "unterminated /* comment"
    } else if lower.contains("expected close delimiter '\"'") {
        "unterminated quoted identifier"
    } else {
        "syntax error"
    };
    if near.is_empty() {
        return syntax(format!("{what} at end of input")).at(start);
    }
    syntax(format!("{what} at or near \"{near}\"")).with_span(start, start + near.len())
}

/// The error of sqlparser's parser over `tokens`, which stopped before `next`.
pub(super) fn of_parser(places: &Places<'_>, error: ParserError, tokens: &[TokenWithSpan], next: usize) -> Error {
    let message = match error {
        ParserError::RecursionLimitExceeded => return too_deep(),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    let named = location_in(&message);
    let found = named.and_then(|location| tokens.iter().position(|token| token.span.start == location));
    let first = tokens.iter().position(is_significant);
    let at = found.unwrap_or_else(|| next.min(tokens.len()));
    match tokens[at..].iter().position(is_significant) {
        Some(skip) => at_token(places, &tokens[at + skip], Some(at + skip) == first),
        None => at_end(places),
    }
}

/// `54001`, for nesting or chains beyond our bounds.
pub(super) fn too_deep() -> Error {
    Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
        .with_hint("Split the statement, or use = ANY (array) instead of long chains of OR.")
}

/// Whether the token is more than white space or a comment.
pub(super) fn is_significant(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_) | Token::EOF)
}

/// The location at the end of a message of sqlparser: ` at Line: 1, Column: 8`.
fn location_in(message: &str) -> Option<Location> {
    let (_, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    Some(Location::new(line.parse().ok()?, digits.parse().ok()?))
}
