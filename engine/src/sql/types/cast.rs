//! Casts: which ones exist, how strong each is, and what they do.
//!
//! ```text
//!  Implicit    anywhere                       int4 -> int8, text -> varchar, date -> timestamp
//!  Assignment  into a column as well          int8 -> int4, numeric -> int4, anything -> text
//!  Explicit    written as CAST or :: only     text -> int4, int4 -> bool, jsonb -> numeric
//! ```
//! A cast to a type with modifiers also applies these: explicitly to varchar(n) or char(n) it cuts, otherwise characters
//! that are not blanks are an error (22001).

mod numbers;
mod rules;
mod strings;
mod times;

pub(super) use strings::{to_bpchar, to_internal_char, to_name, to_varchar};

pub use rules::can_cast;

use super::{Array, Json, Text, Type, TypeContext, Value};
use crate::error::{Error, Result, SqlState};
use std::sync::Arc;

/// How strong a cast the place allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CastKind {
    /// In any expression.
    Implicit,
    /// Into a column of a row to be written.
    Assignment,
    /// Written by the user.
    Explicit,
}

/// Casts `value` of type `from` to `to`. Whether the cast is allowed at all is [`can_cast`]'s matter; a cast that does
/// not exist is SQLSTATE 42846. NULL stays NULL.
pub fn cast(value: &Value, from: &Type, to: &Type, kind: CastKind, ctx: &TypeContext) -> Result<Value> {
    if value.is_null() || super::is_binary_coercible(from, to) {
        return Ok(value.clone());
    }
    let explicit = kind == CastKind::Explicit;
    match (value, to) {
        (Value::Int2(_) | Value::Int4(_) | Value::Int8(_), _) if to.is_number() => numbers::from_integer(value, to),
        (Value::Numeric(_) | Value::Float4(_) | Value::Float8(_), _) if to.is_number() => {
            numbers::from_inexact(value, to)
        }
        (_, Type::Text | Type::Varchar(_) | Type::Char(_) | Type::Name | Type::InternalChar) => {
            strings::to_string_type(value, from, to, explicit, ctx)
        }
        (Value::Text(text), Type::Int4) if *from == Type::InternalChar => {
            Ok(Value::Int4(i32::from(text.as_bytes().first().copied().unwrap_or(0) as i8)))
        }
        (Value::Text(text), _) => Value::parse(text, to, ctx),
        (Value::Bpchar(text), _) => Value::parse(text.trim_end_matches(' '), to, ctx),
        (Value::Array(array), Type::Array(element)) => cast_array(array, element, kind, ctx),
        (Value::Array(array), Type::Int2vector | Type::Oidvector) => {
            let element = to.element().cloned().unwrap_or(Type::Unknown);
            cast_array(array, &element, kind, ctx)
        }
        (Value::Date(_) | Value::Time(_) | Value::Timestamp(_) | Value::Timestamptz(_) | Value::Interval(_), _) => {
            times::cast(value, from, to, ctx)
        }
        _ => cast_other(value, from, to, ctx),
    }
}

fn cast_other(value: &Value, from: &Type, to: &Type, ctx: &TypeContext) -> Result<Value> {
    match (value, to) {
        (Value::Bool(value), Type::Int4) => Ok(Value::Int4(i32::from(*value))),
        (Value::Int4(value), Type::Bool) => Ok(Value::Bool(*value != 0)),
        (Value::Oid(oid), Type::Int4) => Ok(Value::Int4(*oid as i32)),
        (Value::Oid(oid), Type::Int8) => Ok(Value::Int8(i64::from(*oid))),
        (Value::Oid(_), to) if to.is_oid() => Ok(value.clone()),
        (Value::Int2(_) | Value::Int4(_) | Value::Int8(_), to) if to.is_oid() => numbers::to_oid(value),
        (Value::Json(text), Type::Jsonb) => Ok(Value::Jsonb(Arc::new(Json::parse(text)?))),
        (Value::Jsonb(json), Type::Json) => Ok(Value::Json(Text::from(json.to_text()))),
        (Value::Jsonb(json), to) => cast_jsonb(json, to, ctx),
        _ => Err(no_cast(from, to)),
    }
}

fn cast_array(array: &Array, element: &Type, kind: CastKind, ctx: &TypeContext) -> Result<Value> {
    let from = array.element_type();
    let cast = array.map(element.clone(), |value| cast(value, from, element, kind, ctx))?;
    Ok(Value::Array(Arc::new(cast)))
}

fn cast_jsonb(json: &Json, to: &Type, ctx: &TypeContext) -> Result<Value> {
    match (json, to) {
        (Json::Bool(value), Type::Bool) => Ok(Value::Bool(*value)),
        (Json::Number(number), to) if to.is_number() => {
            cast(&Value::Numeric(number.clone()), &Type::NUMERIC, to, CastKind::Explicit, ctx)
        }
        (json, to) => {
            let what = match json.type_name() {
                "number" => "numeric",
                other => other,
            };
            let message = format!("cannot cast jsonb {what} to type {}", to.sql_name());
            Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

fn no_cast(from: &Type, to: &Type) -> Error {
    let message = format!("cannot cast type {} to {}", from.sql_name(), to.sql_name());
    Error::new(SqlState::CANNOT_COERCE, message)
}
