//! Compiled regular expressions of a statement.
//!
//! PostgreSQL's "advanced" expressions and the `regex` crate's agree on what queries use (classes, repetition,
//! alternation, groups, anchors); look-around and back references are refused.

use crate::error::{Error, Result, SqlState};
use regex::Regex;
use std::cell::RefCell;
use std::sync::Arc;

/// Most patterns kept at a time.
const KEPT: usize = 16;
/// Bound on the memory of one compiled pattern.
const SIZE_LIMIT: usize = 1 << 20;

/// A few compiled patterns, the newest last.
#[derive(Debug, Default)]
pub struct Regexes {
    compiled: RefCell<Vec<(String, bool, Arc<Regex>)>>,
}

impl Regexes {
    /// Whether `pattern` matches somewhere in `text`.
    pub fn is_match(&self, pattern: &str, case_insensitive: bool, text: &str) -> Result<bool> {
        Ok(self.get(pattern, case_insensitive)?.is_match(text))
    }

    /// The compiled pattern.
    pub fn get(&self, pattern: &str, case_insensitive: bool) -> Result<Arc<Regex>> {
        let mut compiled = self.compiled.borrow_mut();
        let known = compiled.iter().find(|(text, fold, _)| text == pattern && *fold == case_insensitive);
        if let Some((_, _, regex)) = known {
            return Ok(regex.clone());
        }
        let regex = Arc::new(compile(pattern, case_insensitive)?);
        if compiled.len() == KEPT {
            compiled.remove(0);
        }
        compiled.push((pattern.to_owned(), case_insensitive, regex.clone()));
        Ok(regex)
    }
}

fn compile(pattern: &str, case_insensitive: bool) -> Result<Regex> {
    // `***:` says that an advanced expression follows, which is the default.
    let pattern = pattern.strip_prefix("***:").unwrap_or(pattern);
    regex::RegexBuilder::new(pattern)
        .case_insensitive(case_insensitive)
        .dot_matches_new_line(true)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Error::new(SqlState::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {reason}"))
        })
}
