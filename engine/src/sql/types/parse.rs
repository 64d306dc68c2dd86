//! Text to values: PostgreSQL's input functions.

use super::context::ObjectKind;
use super::{Array, Interval, Json, Numeric, Text, Type, TypeContext, Value, bytea, cast, datetime, float, uuid};
use crate::error::{Error, Result, SqlState};
use std::sync::Arc;

impl Value {
    /// Reads `text` as a value of `ty`, as a client or a string literal gives it.
    ///
    /// Errors as PostgreSQL's: `invalid input syntax for type integer: "x"` (22P02), `value "99999999999" is out of range
    /// for type integer` (22003), `value too long for type character varying(3)` (22001), and so on.
    pub fn parse(text: &str, ty: &Type, ctx: &TypeContext) -> Result<Value> {
        Ok(match ty {
            Type::Bool => Value::Bool(parse_bool(text)?),
            Type::Int2 => Value::Int2(parse_integer(text, "smallint")?),
            Type::Int4 => Value::Int4(parse_integer(text, "integer")?),
            Type::Int8 => Value::Int8(parse_integer(text, "bigint")?),
            Type::Float4 => Value::Float4(float::parse_f32(text)?),
            Type::Float8 => Value::Float8(float::parse_f64(text)?),
            Type::Numeric(typmod) => Value::Numeric(fit(text.parse()?, *typmod)?),
            Type::Text | Type::Unknown => Value::Text(Text::new(checked(text)?)),
            Type::Varchar(length) => Value::Text(cast::to_varchar(checked(text)?, *length, false)?),
            Type::Char(length) => Value::Bpchar(cast::to_bpchar(checked(text)?, *length, false)?),
            Type::Name => Value::Text(cast::to_name(checked(text)?)),
            Type::InternalChar => Value::Text(cast::to_internal_char(text)),
            Type::Bytea => Value::bytea(&bytea::parse(text)?),
            Type::Date => Value::Date(datetime::parse_date(text, ctx)?),
            Type::Time(digits) => Value::Time(round(datetime::parse_time(text, ctx)?, *digits)),
            Type::Timestamp(digits) => Value::Timestamp(round(datetime::parse_timestamp(text, ctx)?, *digits)),
            Type::Timestamptz(digits) => Value::Timestamptz(round(datetime::parse_timestamptz(text, ctx)?, *digits)),
            Type::Interval(digits) => Value::Interval(Interval::parse(text)?.round(digits.unwrap_or(6))),
            Type::Uuid => Value::Uuid(uuid::parse(text)?),
            Type::Json => {
                Json::check(text)?;
                Value::Json(Text::new(text))
            }
            Type::Jsonb => Value::Jsonb(Arc::new(Json::parse(text)?)),
            Type::Oid | Type::Xid => Value::Oid(parse_oid(text, ty)?),
            Type::Regclass | Type::Regtype | Type::Regproc | Type::Regnamespace | Type::Regrole => {
                Value::Oid(parse_object(text, ty, ctx)?)
            }
            Type::Int2vector => Value::Array(Arc::new(parse_vector(text, &Type::Int2, ctx)?)),
            Type::Oidvector => Value::Array(Arc::new(parse_vector(text, &Type::Oid, ctx)?)),
            Type::Array(element) => Value::Array(Arc::new(Array::parse(text, element, ctx)?)),
            Type::Record => {
                let message = "input of anonymous composite types is not implemented";
                return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            Type::Void => Value::Null,
        })
    }
}

fn round(micros: i64, digits: Option<u8>) -> i64 {
    datetime::round_micros(micros, digits.unwrap_or(6))
}

/// Fits a number into `numeric(p,s)`.
pub(super) fn fit(number: Numeric, typmod: Option<(u16, i16)>) -> Result<Numeric> {
    match typmod {
        Some((precision, scale)) => number.fit(precision, scale),
        None => Ok(number),
    }
}

/// `invalid input syntax for type ...`
pub(super) fn syntax(type_name: &str, text: &str) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type {type_name}: \"{text}\""))
}

/// Text cannot hold the character 0.
pub(super) fn checked(text: &str) -> Result<&str> {
    if text.as_bytes().contains(&0) {
        let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
        return Err(Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message));
    }
    Ok(text)
}

fn parse_bool(text: &str) -> Result<bool> {
    let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let lower = trimmed.to_ascii_lowercase();
    let begins = |word: &str, least: usize| lower.len() >= least && word.starts_with(&lower);
    if begins("true", 1) || begins("yes", 1) || lower == "on" || lower == "1" {
        return Ok(true);
    }
    if begins("false", 1) || begins("no", 1) || begins("off", 2) || lower == "0" {
        return Ok(false);
    }
    Err(syntax("boolean", text))
}

fn parse_integer<T: std::str::FromStr>(text: &str, type_name: &str) -> Result<T> {
    let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace());
    if let Ok(value) = trimmed.parse() {
        return Ok(value);
    }
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(syntax(type_name, text));
    }
    let message = format!("value \"{text}\" is out of range for type {type_name}");
    Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message))
}

/// PostgreSQL reads oids with `strtoul`, so that negative numbers wrap.
fn parse_oid(text: &str, ty: &Type) -> Result<u32> {
    let name = ty.sql_name();
    let wide: i64 = parse_integer(text, &name).map_err(|error| {
        let out_of_range = error.is(SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
        if out_of_range { oid_out_of_range(text, &name) } else { error }
    })?;
    if let Ok(oid) = u32::try_from(wide) {
        return Ok(oid);
    }
    i32::try_from(wide).map(|negative| negative as u32).map_err(|_| oid_out_of_range(text, &name))
}

fn oid_out_of_range(text: &str, name: &str) -> Error {
    let message = format!("value \"{text}\" is out of range for type {name}");
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

fn parse_object(text: &str, ty: &Type, ctx: &TypeContext) -> Result<u32> {
    if text == "-" {
        return Ok(0);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return parse_oid(text, &Type::Oid);
    }
    let (kind, sqlstate, what) = match ty {
        Type::Regtype => {
            let named = Type::by_name(text.trim()).or_else(|| Type::by_name(&text.trim().to_ascii_lowercase()));
            let missing = || Error::new(SqlState::UNDEFINED_OBJECT, format!("type \"{text}\" does not exist"));
            return named.map(|ty| ty.oid()).ok_or_else(missing);
        }
        Type::Regclass => (ObjectKind::Relation, SqlState::UNDEFINED_TABLE, "relation"),
        Type::Regproc => (ObjectKind::Function, SqlState::UNDEFINED_FUNCTION, "function"),
        Type::Regnamespace => (ObjectKind::Schema, SqlState::INVALID_SCHEMA_NAME, "schema"),
        _ => (ObjectKind::Role, SqlState::UNDEFINED_OBJECT, "role"),
    };
    let found = ctx.names.as_ref().and_then(|names| names.oid_of(kind, text));
    found.ok_or_else(|| Error::new(sqlstate, format!("{what} \"{text}\" does not exist")))
}

/// Numbers between blanks; subscripts from 0.
fn parse_vector(text: &str, element: &Type, ctx: &TypeContext) -> Result<Array> {
    let values = text.split_ascii_whitespace().map(|word| Value::parse(word, element, ctx)).collect::<Result<_>>()?;
    Ok(Array::with_lower(element.clone(), values, 0))
}
