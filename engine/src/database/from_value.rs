//! SQL values to Rust values.

use crate::sql::types::{Interval, Numeric, Text, Type, TypeContext, Value};
use num_traits::ToPrimitive;

/// A Rust type that a column can be read as.
///
/// Integers may be narrower or wider than the column as long as the value fits; `f64` reads any number; `String` reads text
/// types; `Option` reads NULL as `None`.
pub trait FromValue: Sized {
    /// What people call the type, for messages.
    const NAME: &'static str;

    /// The Rust value, or `None` if the SQL value is not one of this type.
    fn from_value(value: Value) -> Option<Self>;
}

impl FromValue for Value {
    const NAME: &'static str = "any value";

    fn from_value(value: Value) -> Option<Value> {
        Some(value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const NAME: &'static str = T::NAME;

    fn from_value(value: Value) -> Option<Option<T>> {
        if value.is_null() { Some(None) } else { T::from_value(value).map(Some) }
    }
}

impl FromValue for bool {
    const NAME: &'static str = "bool";

    fn from_value(value: Value) -> Option<bool> {
        value.as_bool()
    }
}

macro_rules! integers {
    ($($rust:ident)*) => { $(
        impl FromValue for $rust {
            const NAME: &'static str = stringify!($rust);

            fn from_value(value: Value) -> Option<$rust> {
                $rust::try_from(integer(&value)?).ok()
            }
        }
    )* };
}

integers!(i8 i16 i32 i64 u8 u16 u32 u64);

/// The integer that a value is, exactly.
fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Numeric(number) => whole(number),
        other => other.as_i64().map(i128::from),
    }
}

fn whole(number: &Numeric) -> Option<i128> {
    let text = number.to_string();
    let (digits, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if fraction.bytes().all(|digit| digit == b'0') { digits.parse().ok() } else { None }
}

impl FromValue for f64 {
    const NAME: &'static str = "f64";

    fn from_value(value: Value) -> Option<f64> {
        value.as_f64()
    }
}

impl FromValue for f32 {
    const NAME: &'static str = "f32";

    fn from_value(value: Value) -> Option<f32> {
        match value {
            Value::Float4(value) => Some(value),
            other => other.as_f64()?.to_f32(),
        }
    }
}

impl FromValue for String {
    const NAME: &'static str = "String";

    fn from_value(value: Value) -> Option<String> {
        Text::from_value(value).map(String::from)
    }
}

impl FromValue for Text {
    const NAME: &'static str = "Text";

    fn from_value(value: Value) -> Option<Text> {
        match value {
            Value::Text(text) | Value::Bpchar(text) | Value::Json(text) => Some(text),
            Value::Jsonb(_) => Some(value.to_text(&TypeContext::default()).into()),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    const NAME: &'static str = "Vec<u8>";

    fn from_value(value: Value) -> Option<Vec<u8>> {
        match value {
            Value::Bytea(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl FromValue for Numeric {
    const NAME: &'static str = "Numeric";

    fn from_value(value: Value) -> Option<Numeric> {
        match value {
            Value::Numeric(number) => Some(number),
            other => other.as_i64().map(|integer| Numeric::new(integer.into(), 0)),
        }
    }
}

impl FromValue for Interval {
    const NAME: &'static str = "Interval";

    fn from_value(value: Value) -> Option<Interval> {
        match value {
            Value::Interval(interval) => Some(interval),
            _ => None,
        }
    }
}

impl FromValue for uuid::Uuid {
    const NAME: &'static str = "Uuid";

    fn from_value(value: Value) -> Option<uuid::Uuid> {
        match value {
            Value::Uuid(bytes) => Some(uuid::Uuid::from_bytes(bytes)),
            _ => None,
        }
    }
}

impl FromValue for serde_json::Value {
    const NAME: &'static str = "serde_json::Value";

    fn from_value(value: Value) -> Option<serde_json::Value> {
        match value {
            Value::Json(text) => serde_json::from_str(&text).ok(),
            Value::Jsonb(_) => serde_json::from_str(&value.to_text(&TypeContext::default())).ok(),
            _ => None,
        }
    }
}

macro_rules! arrays {
    ($($rust:ty)*) => { $(
        impl FromValue for Vec<$rust> {
            const NAME: &'static str = concat!("Vec<", stringify!($rust), ">");

            fn from_value(value: Value) -> Option<Vec<$rust>> {
                elements(value)
            }
        }
    )* };
}

arrays!(bool i16 i32 i64 f32 f64 String Option<bool> Option<i32> Option<i64> Option<f64> Option<String>);

/// The elements of an array of one dimension.
fn elements<T: FromValue>(value: Value) -> Option<Vec<T>> {
    match value {
        Value::Array(array) if array.dimensions().len() <= 1 => {
            array.values().iter().cloned().map(T::from_value).collect()
        }
        _ => None,
    }
}

/// What a value is, for messages.
pub(super) fn describe(null: bool, ty: &Type) -> String {
    if null { "NULL".to_owned() } else { format!("of type {}", ty.sql_name()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::types::Array;

    #[test]
    fn integers_fit_or_fail() {
        assert_eq!(i64::from_value(Value::Int2(-7)), Some(-7));
        assert_eq!(i16::from_value(Value::Int8(40_000)), None);
        assert_eq!(u8::from_value(Value::Int4(-1)), None);
        assert_eq!(i64::from_value(Value::Numeric(Numeric::new(500, 2))), Some(5));
        assert_eq!(i64::from_value(Value::Numeric(Numeric::new(501, 2))), None);
        assert_eq!(i32::from_value(Value::Null), None);
        assert_eq!(Option::<i32>::from_value(Value::Null), Some(None));
    }

    #[test]
    fn arrays_are_vectors() {
        let array = Value::Array(Array::new(Type::Int4, vec![Value::Int4(1), Value::Null]).into());
        assert_eq!(Vec::<Option<i32>>::from_value(array.clone()), Some(vec![Some(1), None]));
        assert_eq!(Vec::<i32>::from_value(array), None);
    }
}
