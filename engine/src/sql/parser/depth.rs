//! Bounds on nesting and on chains of operators, checked on the tokens, before any tree is built.
//!
//! A chain `a + b + c + ...` makes a tree as deep as it is long, and whoever walks or drops the tree goes down that
//! far. Chains of AND and OR are walked without recursion and may be longer.

use super::error::too_deep;
use crate::error::Result;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Parentheses and brackets inside each other.
const MAX_NESTING: usize = 200;
/// Operators one after the other, without a comma or clause between them.
const MAX_CHAIN: usize = 400;
/// AND and OR one after the other.
const MAX_CONDITIONS: usize = 4_000;

#[derive(Clone, Copy, Default)]
struct Chain {
    operators: usize,
    conditions: usize,
}

/// Refuses statements that would make trees too deep to walk.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut levels = vec![Chain::default()];
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => {
                levels.push(Chain::default());
                if levels.len() > MAX_NESTING {
                    return Err(too_deep());
                }
            }
            Token::RParen | Token::RBracket if levels.len() > 1 => {
                levels.pop();
            }
            // CASE nests as a parenthesis does; its branches stand side by side.
            Token::Word(word) if word.keyword == Keyword::CASE => {
                levels.push(Chain::default());
                if levels.len() > MAX_NESTING {
                    return Err(too_deep());
                }
            }
            Token::Word(word) if word.keyword == Keyword::END && levels.len() > 1 => {
                levels.pop();
            }
            other => {
                if let Some(chain) = levels.last_mut() {
                    count(other, chain);
                }
            }
        }
        let chain = levels.last().copied().unwrap_or_default();
        if chain.operators > MAX_CHAIN || chain.conditions > MAX_CONDITIONS {
            return Err(too_deep());
        }
    }
    Ok(())
}

fn count(token: &Token, chain: &mut Chain) {
    match token {
        Token::Comma => *chain = Chain::default(),
        Token::Word(word) => match word.keyword {
            Keyword::AND | Keyword::OR => {
                chain.conditions += 1;
                chain.operators = 0;
            }
            Keyword::NOT | Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::JOIN => {
                chain.operators += 1
            }
            Keyword::WHEN | Keyword::THEN | Keyword::ELSE => *chain = Chain::default(),
            _ => {}
        },
        token if is_operator(token) => chain.operators += 1,
        _ => {}
    }
}

fn is_operator(token: &Token) -> bool {
    !matches!(
        token,
        Token::Whitespace(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::Placeholder(_)
            | Token::SemiColon
            | Token::Period
            | Token::RParen
            | Token::RBracket
            | Token::EOF
    )
}
