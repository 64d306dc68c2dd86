//! The order and equality of values: what `=`, `<`, ORDER BY, GROUP BY and indexes agree on.
//!
//! ```text
//!  numbers       by value, across widths; NaN equals itself and is greatest; -0 = 0; 1.0 = 1.00
//!  text          by bytes (the C collation)
//!  char(n)       by bytes without trailing blanks
//!  intervals     as if a month had 30 days
//!  arrays, rows  element by element, then the shorter first
//!  NULL          greatest, equal to itself: for sorting and grouping only, operators handle NULL before
//! ```
//! Values of families that have no common order (a text and a date) are ordered by family, so that `Ord` is total; the
//! binder never lets operators meet them.

use super::datetime::{DAY, is_infinite_date};
use super::{Array, Numeric, Value};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

impl Value {
    /// The order of two values; NULL is greatest and equal to itself.
    #[inline]
    pub fn compare(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Int4(a), Value::Int4(b)) => a.cmp(b),
            (Value::Int8(a), Value::Int8(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (a, b) => a.compare_slow(b),
        }
    }

    fn compare_slow(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Int2(a), Value::Int2(b)) => a.cmp(b),
            (Value::Oid(a), Value::Oid(b)) => a.cmp(b),
            (Value::Numeric(a), Value::Numeric(b)) => a.cmp(b),
            (Value::Float8(a), Value::Float8(b)) => compare_floats(*a, *b),
            (Value::Float4(a), Value::Float4(b)) => compare_floats(f64::from(*a), f64::from(*b)),
            (Value::Bpchar(a), Value::Bpchar(b)) => trimmed(a).cmp(trimmed(b)),
            (Value::Bpchar(a), Value::Text(b)) => trimmed(a).cmp(b.as_bytes()),
            (Value::Text(a), Value::Bpchar(b)) => a.as_bytes().cmp(trimmed(b)),
            (Value::Bytea(a), Value::Bytea(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::Time(a), Value::Time(b)) => a.cmp(b),
            (Value::Interval(a), Value::Interval(b)) => a.cmp(b),
            (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
            (Value::Json(a), Value::Json(b)) => a.cmp(b),
            (Value::Jsonb(a), Value::Jsonb(b)) => a.cmp(b),
            (Value::Array(a), Value::Array(b)) => compare_arrays(a, b),
            (Value::Record(a), Value::Record(b)) => a.iter().cmp(b.iter()),
            (a, b) => a.compare_families(b),
        }
    }

    /// Values of different variants.
    fn compare_families(&self, other: &Value) -> Ordering {
        let by_family = self.family().cmp(&other.family());
        if by_family.is_ne() {
            return by_family;
        }
        match self.family() {
            Family::Number => compare_numbers(self, other),
            Family::Day => self.micros().cmp(&other.micros()),
            _ => Ordering::Equal,
        }
    }

    fn family(&self) -> Family {
        match self {
            Value::Bool(_) => Family::Bool,
            Value::Int2(_) | Value::Int4(_) | Value::Int8(_) | Value::Oid(_) => Family::Number,
            Value::Float4(_) | Value::Float8(_) | Value::Numeric(_) => Family::Number,
            Value::Text(_) | Value::Bpchar(_) => Family::Text,
            Value::Bytea(_) => Family::Bytea,
            Value::Date(_) | Value::Timestamp(_) | Value::Timestamptz(_) => Family::Day,
            Value::Time(_) => Family::Time,
            Value::Interval(_) => Family::Interval,
            Value::Uuid(_) => Family::Uuid,
            Value::Json(_) => Family::Json,
            Value::Jsonb(_) => Family::Jsonb,
            Value::Array(_) => Family::Array,
            Value::Record(_) => Family::Record,
            Value::Null => Family::Null,
        }
    }

    /// A date or timestamp in microseconds.
    fn micros(&self) -> i128 {
        match self {
            Value::Date(days) if is_infinite_date(*days) => i128::from(if *days > 0 { i64::MAX } else { i64::MIN }),
            Value::Date(days) => i128::from(*days) * i128::from(DAY),
            Value::Timestamp(micros) | Value::Timestamptz(micros) => i128::from(*micros),
            _ => 0,
        }
    }
}

/// Kinds of values, in the order in which `Ord` puts them; NULL is last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Family {
    Bool,
    Number,
    Text,
    Bytea,
    Day,
    Time,
    Interval,
    Uuid,
    Json,
    Jsonb,
    Array,
    Record,
    Null,
}

/// The bytes that count of a char(n).
#[inline]
pub(crate) fn trimmed(text: &str) -> &[u8] {
    text.trim_end_matches(' ').as_bytes()
}

/// NaN is equal to itself and greater than all others; the zeros are equal.
#[inline]
pub(crate) fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn compare_numbers(a: &Value, b: &Value) -> Ordering {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        return a.cmp(&b);
    }
    let is_float = |value: &Value| matches!(value, Value::Float4(_) | Value::Float8(_));
    if is_float(a) || is_float(b) {
        return compare_floats(a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
    }
    exact(a).cmp(&exact(b))
}

fn exact(value: &Value) -> Numeric {
    match value {
        Value::Numeric(number) => number.clone(),
        other => Numeric::from(other.as_i64().unwrap_or(0)),
    }
}

fn compare_arrays(a: &Array, b: &Array) -> Ordering {
    let by_element = a.values().iter().cmp(b.values().iter());
    by_element
        .then_with(|| a.dimensions().len().cmp(&b.dimensions().len()))
        .then_with(|| a.dimensions().cmp(b.dimensions()))
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => a == b,
            (a, b) => a.compare(b).is_eq(),
        }
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        self.compare(other)
    }
}

impl Hash for Value {
    /// Numbers hash by value: an integral float or numeric as the integer.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Value::Null => Family::Null.hash(state),
            Value::Bool(value) => value.hash(state),
            Value::Int2(_) | Value::Int4(_) | Value::Int8(_) | Value::Oid(_) => {
                self.as_i64().unwrap_or(0).hash(state);
            }
            Value::Float4(value) => hash_float(f64::from(*value), state),
            Value::Float8(value) => hash_float(*value, state),
            Value::Numeric(number) => number.hash(state),
            Value::Text(text) => text.as_bytes().hash(state),
            Value::Bpchar(text) => trimmed(text).hash(state),
            Value::Bytea(bytes) => bytes.hash(state),
            Value::Date(_) | Value::Timestamp(_) | Value::Timestamptz(_) => self.micros().hash(state),
            Value::Time(micros) => micros.hash(state),
            Value::Interval(interval) => interval.hash(state),
            Value::Uuid(uuid) => uuid.hash(state),
            Value::Json(text) => text.as_bytes().hash(state),
            Value::Jsonb(json) => json.hash(state),
            Value::Array(array) => array.values().hash(state),
            Value::Record(values) => values.hash(state),
        }
    }
}

fn hash_float<H: Hasher>(value: f64, state: &mut H) {
    if value.fract() == 0.0 && value.abs() < 9.2e18 {
        (value as i64).hash(state);
    } else if value.is_nan() {
        f64::NAN.to_bits().hash(state);
    } else {
        value.to_bits().hash(state);
    }
}
