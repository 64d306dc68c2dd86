//! A cursor over the tokens of one statement, for the parts of the grammar that we read ourselves.

use super::error;
use super::place::Places;
use crate::error::Result;
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// sqlparser's own limit of nested calls.
const RECURSION_LIMIT: usize = 100;

/// Where we are in the tokens of a statement. White space and comments are passed over.
pub(super) struct Cursor<'a> {
    pub(super) places: Places<'a>,
    tokens: &'a [TokenWithSpan],
    next: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(places: Places<'a>, tokens: &'a [TokenWithSpan]) -> Cursor<'a> {
        let mut cursor = Cursor { places, tokens, next: 0 };
        cursor.skip();
        cursor
    }

    fn skip(&mut self) {
        while self.tokens.get(self.next).is_some_and(|token| !error::is_significant(token)) {
            self.next += 1;
        }
    }

    pub(super) fn peek(&self) -> Option<&'a TokenWithSpan> {
        self.tokens.get(self.next)
    }

    /// The significant token after `ahead` others.
    pub(super) fn peek_nth(&self, ahead: usize) -> Option<&'a TokenWithSpan> {
        self.tokens[self.next.min(self.tokens.len())..].iter().filter(|token| error::is_significant(token)).nth(ahead)
    }

    pub(super) fn take(&mut self) -> Option<&'a TokenWithSpan> {
        let token = self.tokens.get(self.next)?;
        self.next += 1;
        self.skip();
        Some(token)
    }

    /// Tokens that are left, white space included.
    pub(super) fn left(&self) -> usize {
        self.tokens.len() - self.next
    }

    pub(super) fn at_end(&self) -> bool {
        self.next >= self.tokens.len()
    }

    /// Whether the next token but `ahead` is this unquoted word (given in lower case).
    pub(super) fn is_word(&self, ahead: usize, word: &str) -> bool {
        self.peek_nth(ahead).is_some_and(|token| is_word(&token.token, word))
    }

    /// Takes the words if they come next, all of them.
    pub(super) fn eat(&mut self, words: &str) -> bool {
        let count = words.split(' ').count();
        let matches = words.split(' ').enumerate().all(|(ahead, word)| self.is_word(ahead, word));
        if matches {
            for _ in 0..count {
                self.take();
            }
        }
        matches
    }

    pub(super) fn eat_token(&mut self, token: &Token) -> bool {
        let matches = self.peek().is_some_and(|next| next.token == *token);
        if matches {
            self.take();
        }
        matches
    }

    pub(super) fn expect(&mut self, words: &str) -> Result<()> {
        if self.eat(words) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.eat_token(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn expect_end(&self) -> Result<()> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The error that the next token deserves.
    pub(super) fn unexpected(&self) -> crate::error::Error {
        match self.peek() {
            Some(token) => error::at_token(&self.places, token, false),
            None => error::at_end(&self.places),
        }
    }

    /// A name: quoted as it is, otherwise in lower case.
    pub(super) fn name(&mut self) -> Result<String> {
        let Some(Token::Word(word)) = self.peek().map(|token| &token.token) else { return Err(self.unexpected()) };
        let name = if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() };
        self.take();
        Ok(name)
    }

    /// A string literal.
    pub(super) fn string(&mut self) -> Result<String> {
        let text = match self.peek().map(|token| &token.token) {
            Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => text.clone(),
            Some(Token::DollarQuotedString(text)) => text.value.clone(),
            _ => return Err(self.unexpected()),
        };
        self.take();
        Ok(text)
    }

    /// Reads on with a rule of sqlparser's grammar.
    pub(super) fn parse<T>(&mut self, rule: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>) -> Result<T> {
        let dialect = PostgreSqlDialect {};
        let rest = &self.tokens[self.next..];
        let mut parser =
            Parser::new(&dialect).with_recursion_limit(RECURSION_LIMIT).with_tokens_with_locations(rest.to_vec());
        let parsed = rule(&mut parser);
        let stopped = parser.peek_token().span;
        let read = rest.iter().position(|token| token.span == stopped).unwrap_or(rest.len());
        match parsed {
            Ok(value) => {
                self.next += read;
                self.skip();
                Ok(value)
            }
            Err(error) => Err(error::of_parser(&self.places, error, rest, read)),
        }
    }

    pub(super) fn object_name(&mut self) -> Result<ast::ObjectName> {
        self.parse(|parser| parser.parse_object_name(false))
    }

    /// `( name, ... )`.
    pub(super) fn idents(&mut self) -> Result<Vec<ast::Ident>> {
        self.expect_token(&Token::LParen)?;
        let names = self.parse(|parser| parser.parse_comma_separated(|parser| parser.parse_identifier()))?;
        self.expect_token(&Token::RParen)?;
        Ok(names)
    }

    /// `( expression, ... )`.
    pub(super) fn exprs(&mut self) -> Result<Vec<ast::Expr>> {
        self.expect_token(&Token::LParen)?;
        let exprs = self.parse(|parser| parser.parse_comma_separated(|parser| parser.parse_expr()))?;
        self.expect_token(&Token::RParen)?;
        Ok(exprs)
    }
}

pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}
