//! LIKE and ILIKE: `%` any characters, `_` one character, and an escape character.
//!
//! Matching goes once over the text and steps back to the last `%` only, so its time is at most pattern times text.

use crate::error::{Error, Result, SqlState};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Literal(String),
    One,
    Many,
}

/// A pattern made ready for matching.
#[derive(Clone, Debug)]
pub struct LikePattern {
    tokens: Vec<Token>,
    ignore_case: bool,
}

/// The escape character that an ESCAPE clause means: `None` for the empty string (no escape).
pub fn escape_char(text: &str) -> Result<Option<char>> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (first, None) => Ok(first),
        _ => Err(Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
            .with_hint("Escape string must be empty or one character.")),
    }
}

/// Whether `text` matches `pattern`; keep a [`LikePattern`] to match one pattern many times.
pub fn like(text: &str, pattern: &str, escape: Option<char>, ignore_case: bool) -> Result<bool> {
    Ok(LikePattern::new(pattern, escape, ignore_case)?.matches(text))
}

impl LikePattern {
    /// Reads a pattern; SQLSTATE 22025 if it ends with the escape character. The default escape is `\`.
    pub fn new(pattern: &str, escape: Option<char>, ignore_case: bool) -> Result<LikePattern> {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            let wildcard = match character {
                _ if Some(character) == escape => {
                    let escaped = characters.next().ok_or_else(|| {
                        let message = "LIKE pattern must not end with escape character";
                        Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, message)
                    })?;
                    push(&mut literal, escaped, ignore_case);
                    continue;
                }
                '%' => Token::Many,
                '_' => Token::One,
                _ => {
                    push(&mut literal, character, ignore_case);
                    continue;
                }
            };
            if !literal.is_empty() {
                tokens.push(Token::Literal(std::mem::take(&mut literal)));
            }
            if wildcard == Token::One || tokens.last() != Some(&Token::Many) {
                tokens.push(wildcard);
            }
        }
        if !literal.is_empty() {
            tokens.push(Token::Literal(literal));
        }
        Ok(LikePattern { tokens, ignore_case })
    }

    /// Whether `text` matches the whole pattern.
    pub fn matches(&self, text: &str) -> bool {
        if self.ignore_case { self.run(&fold(text)) } else { self.run(text) }
    }

    /// The text that every match begins with; empty with ILIKE.
    pub fn prefix(&self) -> &str {
        match self.tokens.first() {
            Some(Token::Literal(literal)) if !self.ignore_case => literal,
            _ => "",
        }
    }

    /// The only text that matches, if the pattern has no wildcard.
    pub fn exact(&self) -> Option<&str> {
        match (self.ignore_case, self.tokens.as_slice()) {
            (false, []) => Some(""),
            (false, [Token::Literal(literal)]) => Some(literal),
            _ => None,
        }
    }

    fn run(&self, text: &str) -> bool {
        let mut token = 0;
        let mut rest = text;
        let mut retry: Option<(usize, &str)> = None;
        loop {
            let stepped = match self.tokens.get(token) {
                None if rest.is_empty() => return true,
                None => None,
                Some(Token::Many) => {
                    if token + 1 == self.tokens.len() {
                        return true;
                    }
                    retry = Some((token + 1, rest));
                    Some(rest)
                }
                Some(Token::One) => skip_character(rest),
                Some(Token::Literal(literal)) => rest.strip_prefix(literal.as_str()),
            };
            if let Some(after) = stepped {
                token += 1;
                rest = after;
                continue;
            }
            let Some((from, start)) = retry else {
                return false;
            };
            let Some(next) = self.next_start(from, start) else {
                return false;
            };
            retry = Some((from, next));
            token = from;
            rest = next;
        }
    }

    /// The next place after `start` where the token behind a `%` may begin.
    fn next_start<'a>(&self, token: usize, start: &'a str) -> Option<&'a str> {
        let next = skip_character(start)?;
        match &self.tokens[token] {
            Token::Literal(literal) => next.find(literal.as_str()).map(|at| &next[at..]),
            _ => Some(next),
        }
    }
}

fn push(literal: &mut String, character: char, ignore_case: bool) {
    if ignore_case { literal.extend(character.to_lowercase()) } else { literal.push(character) }
}

/// Lower case character by character, so that `_` still means one of them wherever the mapping is one to one.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn skip_character(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    Some(&text[first.len_utf8()..])
}
