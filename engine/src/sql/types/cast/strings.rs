//! Casts to text, varchar, char(n), name and "char".

use super::no_cast;
use crate::error::{Error, Result, SqlState};
use crate::sql::types::{Text, Type, TypeContext, Value};

/// Most bytes of a name.
const NAME_BYTES: usize = 63;

/// The text of a value, then the modifiers of `to`.
pub(super) fn to_string_type(
    value: &Value,
    from: &Type,
    to: &Type,
    explicit: bool,
    ctx: &TypeContext,
) -> Result<Value> {
    let rendered;
    let text: &str = match value {
        Value::Text(text) => {
            if *to == Type::Text {
                return Ok(value.clone());
            }
            text
        }
        Value::Bpchar(text) if matches!(to, Type::Char(_)) => text,
        Value::Bpchar(text) => text.trim_end_matches(' '),
        Value::Bool(value) => {
            if *value {
                "true"
            } else {
                "false"
            }
        }
        Value::Int4(code) if *to == Type::InternalChar => return char_from_code(*code),
        other => {
            let mut out = String::new();
            other.write_text(from, ctx, &mut out);
            rendered = out;
            &rendered
        }
    };
    Ok(match to {
        Type::Text => Value::Text(Text::new(text)),
        Type::Varchar(length) => Value::Text(to_varchar(text, *length, explicit)?),
        Type::Char(length) => Value::Bpchar(to_bpchar(text, *length, explicit)?),
        Type::Name => Value::Text(to_name(text)),
        Type::InternalChar => Value::Text(to_internal_char(text)),
        other => return Err(no_cast(from, other)),
    })
}

fn char_from_code(code: i32) -> Result<Value> {
    let byte = u8::try_from(code).ok().filter(u8::is_ascii);
    let byte = byte.ok_or_else(|| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range"))?;
    let text = if byte == 0 { String::new() } else { char::from(byte).to_string() };
    Ok(Value::Text(text.into()))
}

/// Fits a text into varchar(length): blanks beyond it are cut, other characters only if `explicit`.
pub(in crate::sql::types) fn to_varchar(text: &str, length: Option<u32>, explicit: bool) -> Result<Text> {
    match beyond(text, length) {
        None => Ok(Text::new(text)),
        Some(end) if explicit || text[end..].bytes().all(|byte| byte == b' ') => Ok(Text::new(&text[..end])),
        Some(_) => Err(too_long("character varying", length)),
    }
}

/// Pads a text with blanks to char(length), or cuts it like [`to_varchar`].
pub(in crate::sql::types) fn to_bpchar(text: &str, length: Option<u32>, explicit: bool) -> Result<Text> {
    let Some(wanted) = length else {
        return Ok(Text::new(text));
    };
    match beyond(text, length) {
        None => {
            let missing = wanted as usize - text.chars().count();
            if missing == 0 {
                return Ok(Text::new(text));
            }
            let mut padded = String::with_capacity(text.len() + missing);
            padded.push_str(text);
            padded.extend(std::iter::repeat_n(' ', missing));
            Ok(padded.into())
        }
        Some(end) if explicit || text[end..].bytes().all(|byte| byte == b' ') => Ok(Text::new(&text[..end])),
        Some(_) => Err(too_long("character", length)),
    }
}

/// The byte at which the characters beyond `length` begin, if there are any.
fn beyond(text: &str, length: Option<u32>) -> Option<usize> {
    let length = length? as usize;
    if text.len() <= length {
        return None;
    }
    text.char_indices().nth(length).map(|(at, _)| at)
}

fn too_long(type_name: &str, length: Option<u32>) -> Error {
    let length = length.unwrap_or(0);
    let message = format!("value too long for type {type_name}({length})");
    Error::new(SqlState::STRING_DATA_RIGHT_TRUNCATION, message)
}

/// Cuts a text to the 63 bytes of a name, between characters.
pub(in crate::sql::types) fn to_name(text: &str) -> Text {
    if text.len() <= NAME_BYTES {
        return Text::new(text);
    }
    let end = (0..=NAME_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Text::new(&text[..end])
}

/// The first character of a text.
pub(in crate::sql::types) fn to_internal_char(text: &str) -> Text {
    let end = text.chars().next().map_or(0, char::len_utf8);
    Text::new(&text[..end])
}
