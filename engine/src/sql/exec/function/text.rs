//! Calls of functions of texts; the work is done in [`string`].

use super::string::{self, Ends};
use super::{Call, md5, text_value};
use crate::error::Result;
use crate::sql::plan::Function;
use crate::sql::types::{Array, Type, Value};
use std::sync::Arc;

/// The result, if the function is one of texts.
pub fn call(call: &Call<'_>) -> Option<Result<Value>> {
    use Function as F;
    let text = call.text(0);
    let value = match call.function {
        F::Length => Ok(Value::Int4(length(call))),
        F::OctetLength => Ok(Value::Int4(bytes(call))),
        F::BitLength => Ok(Value::Int4(bytes(call) * 8)),
        F::Lower => Ok(text_value(text.to_lowercase())),
        F::Upper => Ok(text_value(string::upper(text))),
        F::Initcap => Ok(text_value(string::initcap(text))),
        F::Trim => Ok(trim(call, Ends::Both)),
        F::Ltrim => Ok(trim(call, Ends::Left)),
        F::Rtrim => Ok(trim(call, Ends::Right)),
        F::Substring => substring(call),
        F::SubstringRegex => substring_regex(call),
        F::Position => Ok(Value::Int4(string::position(text, call.text(1)))),
        F::Replace => string::replace(text, call.text(1), call.text(2)).map(text_value),
        F::Translate => Ok(text_value(string::translate(text, call.text(1), call.text(2)))),
        F::Overlay => overlay(call),
        F::Concat => Ok(text_value(shown(call, 0).concat())),
        F::ConcatWs => Ok(match call.args.first() {
            Some(Value::Null) | None => Value::Null,
            Some(_) => text_value(shown(call, 1).join(text)),
        }),
        F::Left => Ok(text_value(string::left(text, call.int(1)))),
        F::Right => Ok(text_value(string::right(text, call.int(1)))),
        F::Lpad => pad(call, true),
        F::Rpad => pad(call, false),
        F::Repeat => string::repeat(text, call.int(1)).map(text_value),
        F::Reverse => Ok(text_value(text.chars().rev().collect::<String>())),
        F::SplitPart => string::split_part(text, call.text(1), call.int(2)).map(text_value),
        F::StartsWith => Ok(Value::Bool(text.starts_with(call.text(1)))),
        F::Ascii => Ok(Value::Int4(text.chars().next().map_or(0, |c| c as i32))),
        F::Chr => string::chr(call.int(0)).map(text_value),
        _ => return more(call),
    };
    Some(value)
}

fn more(call: &Call<'_>) -> Option<Result<Value>> {
    use Function as F;
    let text = call.text(0);
    let value = match call.function {
        F::Md5 => Ok(text_value(md5::md5_hex(match call.args.first() {
            Some(Value::Bytea(bytes)) => bytes,
            _ => text.as_bytes(),
        }))),
        F::QuoteIdent => Ok(text_value(string::quote_ident(text))),
        F::QuoteLiteral => Ok(text_value(string::quote_literal(&call.shown(0)))),
        F::QuoteNullable => Ok(match call.args.first() {
            Some(Value::Null) | None => text_value("NULL"),
            Some(_) => text_value(string::quote_literal(&call.shown(0))),
        }),
        F::Format => format(call),
        F::ToHex => Ok(text_value(match call.args.first() {
            Some(Value::Int4(number)) => format!("{number:x}"),
            _ => format!("{:x}", call.int(0)),
        })),
        F::Encode => match call.args.first() {
            Some(Value::Bytea(bytes)) => string::encode(bytes, call.text(1)).map(text_value),
            _ => Ok(Value::Null),
        },
        F::Decode => string::decode(text, call.text(1)).map(|bytes| Value::bytea(&bytes)),
        F::RegexpReplace => regexp_replace(call),
        F::RegexpMatch => regexp_match(call),
        F::RegexpSplitToArray => split_by_regex(call).map(|parts| texts(parts.into_iter().map(Some))),
        F::StringToArray => Ok(string_to_array(call)),
        _ => return None,
    };
    Some(value)
}

/// `text[]`
pub fn texts(parts: impl Iterator<Item = Option<String>>) -> Value {
    let values = parts.map(|part| part.map_or(Value::Null, text_value)).collect();
    Value::Array(Arc::new(Array::new(Type::Text, values)))
}

/// char(n) is measured without its padding.
fn length(call: &Call<'_>) -> i32 {
    match call.args.first() {
        Some(Value::Bytea(bytes)) => bytes.len() as i32,
        Some(Value::Bpchar(text)) => text.trim_end_matches(' ').chars().count() as i32,
        _ => call.text(0).chars().count() as i32,
    }
}

fn bytes(call: &Call<'_>) -> i32 {
    match call.args.first() {
        Some(Value::Bytea(bytes)) => bytes.len() as i32,
        _ => call.text(0).len() as i32,
    }
}

fn trim(call: &Call<'_>, ends: Ends) -> Value {
    let set = if call.args.len() > 1 { call.text(1) } else { " " };
    text_value(string::trim(call.text(0), set, ends))
}

fn substring(call: &Call<'_>) -> Result<Value> {
    let length = call.given(2).and_then(Value::as_i64);
    if let Some(Value::Bytea(bytes)) = call.args.first() {
        let end = length.map_or(i64::MAX, |length| call.int(1).saturating_add(length));
        let first = call.int(1).max(1) - 1;
        let take = (end - 1 - first).max(0);
        let part: Vec<u8> = bytes.iter().copied().skip(first as usize).take(take as usize).collect();
        return Ok(Value::bytea(&part));
    }
    string::substring(call.text(0), call.int(1), length).map(text_value)
}

fn overlay(call: &Call<'_>) -> Result<Value> {
    let with = call.text(1);
    let length = call.given(3).and_then(Value::as_i64).unwrap_or(with.chars().count() as i64);
    string::overlay(call.text(0), with, call.int(2), length).map(text_value)
}

fn pad(call: &Call<'_>, on_left: bool) -> Result<Value> {
    let fill = if call.args.len() > 2 { call.text(2) } else { " " };
    string::pad(call.text(0), call.int(1), fill, on_left).map(text_value)
}

fn shown(call: &Call<'_>, from: usize) -> Vec<String> {
    let args = call.args.iter().enumerate().skip(from).filter(|(_, value)| !value.is_null());
    args.map(|(index, _)| call.shown(index)).collect()
}

fn format(call: &Call<'_>) -> Result<Value> {
    if call.args.first().is_none_or(Value::is_null) {
        return Ok(Value::Null);
    }
    let args: Vec<Option<String>> =
        (1..call.args.len()).map(|index| (!call.args[index].is_null()).then(|| call.shown(index))).collect();
    string::format(call.text(0), &args).map(text_value)
}

fn flags(call: &Call<'_>, index: usize) -> (bool, bool) {
    let flags = call.text(index);
    (flags.contains('i'), flags.contains('g'))
}

fn substring_regex(call: &Call<'_>) -> Result<Value> {
    let regex = call.env.regexes.get(call.text(1), false)?;
    let found = regex.captures(call.text(0)).and_then(|found| found.get(1).or_else(|| found.get(0)));
    Ok(string::text_or_null(found.map(|found| found.as_str())))
}

/// `\1` and `\&` of PostgreSQL are `${1}` and `${0}` of the regex crate.
fn replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(digit @ '1'..='9') => out.push_str(&format!("${{{digit}}}")),
                Some('&') => out.push_str("${0}"),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

fn regexp_replace(call: &Call<'_>) -> Result<Value> {
    let (fold, all) = flags(call, 3);
    let regex = call.env.regexes.get(call.text(1), fold)?;
    let with = replacement(call.text(2));
    let limit = usize::from(!all);
    let replaced = regex.replacen(call.text(0), limit, with.as_str());
    string::check_size(replaced.len())?;
    Ok(text_value(replaced.into_owned()))
}

/// The groups of a match, or the whole match if there are none.
pub fn groups(found: &regex::Captures<'_>) -> Value {
    let skip = usize::from(found.len() > 1);
    texts(found.iter().skip(skip).map(|group| group.map(|group| group.as_str().to_owned())))
}

fn regexp_match(call: &Call<'_>) -> Result<Value> {
    let regex = call.env.regexes.get(call.text(1), flags(call, 2).0)?;
    Ok(regex.captures(call.text(0)).map_or(Value::Null, |found| groups(&found)))
}

/// The parts between matches.
pub fn split_by_regex(call: &Call<'_>) -> Result<Vec<String>> {
    let regex = call.env.regexes.get(call.text(1), flags(call, 2).0)?;
    Ok(regex.split(call.text(0)).map(str::to_owned).collect())
}

/// Parts of a text between separators; a NULL separator cuts between all characters.
pub fn split(call: &Call<'_>) -> Option<Vec<Option<String>>> {
    let text = call.args.first()?.as_str()?;
    let null = call.given(2).and_then(Value::as_str);
    let parts: Vec<String> = match call.given(1).and_then(Value::as_str) {
        _ if text.is_empty() => Vec::new(),
        None => text.chars().map(String::from).collect(),
        Some("") => vec![text.to_owned()],
        Some(separator) => text.split(separator).map(str::to_owned).collect(),
    };
    Some(parts.into_iter().map(|part| (Some(part.as_str()) != null).then_some(part)).collect())
}

fn string_to_array(call: &Call<'_>) -> Value {
    split(call).map_or(Value::Null, |parts| texts(parts.into_iter()))
}
