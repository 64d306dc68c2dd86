//! `Value`: one field of a row, 32 bytes, without allocation for everything but long strings and composites.
//!
//! ```text
//!  Date         days since 2000-01-01                      i32::MIN / i32::MAX are -infinity / infinity
//!  Timestamp(tz) microseconds since 2000-01-01 00:00 (UTC) i64::MIN / i64::MAX are -infinity / infinity
//!  Time         microseconds since midnight, 24:00 included
//!  Bpchar       char(n), with its padding                  compared without trailing blanks
//!  Text         text, varchar, name, "char", unknown
//!  Oid          oid, xid and the reg* types
//! ```

use super::{Array, Interval, Json, Numeric, Text, Type};
use std::sync::Arc;

/// A SQL value. See the head of this file for the units.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// NULL of any type.
    #[default]
    Null,
    /// boolean
    Bool(bool),
    /// smallint
    Int2(i16),
    /// integer
    Int4(i32),
    /// bigint
    Int8(i64),
    /// real
    Float4(f32),
    /// double precision
    Float8(f64),
    /// numeric
    Numeric(Numeric),
    /// text, varchar, name, "char" and literals of unknown type
    Text(Text),
    /// char(n), blank-padded
    Bpchar(Text),
    /// bytea
    Bytea(Arc<[u8]>),
    /// date: days since 2000-01-01
    Date(i32),
    /// time: microseconds since midnight
    Time(i64),
    /// timestamp: microseconds since 2000-01-01 00:00
    Timestamp(i64),
    /// timestamp with time zone: microseconds since 2000-01-01 00:00 UTC
    Timestamptz(i64),
    /// interval
    Interval(Interval),
    /// uuid
    Uuid([u8; 16]),
    /// json, as given
    Json(Text),
    /// jsonb
    Jsonb(Arc<Json>),
    /// oid and its relatives
    Oid(u32),
    /// An array
    Array(Arc<Array>),
    /// A row
    Record(Arc<[Value]>),
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<Text>) -> Value {
        Value::Text(text.into())
    }

    /// A bytea value.
    pub fn bytea(bytes: &[u8]) -> Value {
        Value::Bytea(bytes.into())
    }

    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The boolean; `None` for NULL and other types.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether a condition holds: true, not NULL.
    pub fn is_true(&self) -> bool {
        matches!(self, Value::Bool(true))
    }

    /// The number if this is an integer of any width or an oid.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int2(value) => Some(i64::from(*value)),
            Value::Int4(value) => Some(i64::from(*value)),
            Value::Int8(value) => Some(*value),
            Value::Oid(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    /// The nearest double of any number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float4(value) => Some(f64::from(*value)),
            Value::Float8(value) => Some(*value),
            Value::Numeric(value) => Some(value.to_f64()),
            other => other.as_i64().map(|value| value as f64),
        }
    }

    /// The string of text, char(n) (padding included) and json.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Bpchar(text) | Value::Json(text) => Some(text),
            _ => None,
        }
    }

    /// The type that a value shows by itself, without modifiers; [`Type::Unknown`] for NULL.
    pub fn natural_type(&self) -> Type {
        match self {
            Value::Null => Type::Unknown,
            Value::Bool(_) => Type::Bool,
            Value::Int2(_) => Type::Int2,
            Value::Int4(_) => Type::Int4,
            Value::Int8(_) => Type::Int8,
            Value::Float4(_) => Type::Float4,
            Value::Float8(_) => Type::Float8,
            Value::Numeric(_) => Type::NUMERIC,
            Value::Text(_) => Type::Text,
            Value::Bpchar(_) => Type::BPCHAR,
            Value::Bytea(_) => Type::Bytea,
            Value::Date(_) => Type::Date,
            Value::Time(_) => Type::TIME,
            Value::Timestamp(_) => Type::TIMESTAMP,
            Value::Timestamptz(_) => Type::TIMESTAMPTZ,
            Value::Interval(_) => Type::INTERVAL,
            Value::Uuid(_) => Type::Uuid,
            Value::Json(_) => Type::Json,
            Value::Jsonb(_) => Type::Jsonb,
            Value::Oid(_) => Type::Oid,
            Value::Array(array) => Type::array_of(array.element_type().clone()),
            Value::Record(_) => Type::Record,
        }
    }

    /// Bytes that the value holds on the heap, roughly; for memory budgets.
    pub fn heap_size(&self) -> usize {
        match self {
            Value::Text(text) | Value::Bpchar(text) | Value::Json(text) => text.heap_size(),
            Value::Numeric(number) => number.heap_size(),
            Value::Bytea(bytes) => bytes.len() + 16,
            Value::Jsonb(json) => json.heap_size(),
            Value::Array(array) => array.values().iter().map(Value::size).sum::<usize>() + 64,
            Value::Record(values) => values.iter().map(Value::size).sum::<usize>() + 16,
            _ => 0,
        }
    }

    /// Bytes that the value takes in all, roughly.
    pub fn size(&self) -> usize {
        size_of::<Value>() + self.heap_size()
    }
}

macro_rules! from {
    ($($rust:ty => $variant:ident;)*) => { $(
        impl From<$rust> for Value {
            fn from(value: $rust) -> Value {
                Value::$variant(value.into())
            }
        }
    )* };
}

from! {
    bool => Bool;
    i16 => Int2;
    i32 => Int4;
    i64 => Int8;
    f32 => Float4;
    f64 => Float8;
    Numeric => Numeric;
    &str => Text;
    String => Text;
    Text => Text;
    Interval => Interval;
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
