//! Rust values to SQL parameters.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::types::{Array, CastKind, Interval, Numeric, Text, Type, TypeContext, Value, can_cast, cast};
use std::sync::Arc;

/// A Rust value that can be a parameter.
///
/// The statement decides the SQL type: an `i32` fits any numeric column, a string any type that it can be read as, just like
/// a literal in quotes. `Option` is NULL when `None`; a `Vec` is an array.
pub trait IntoValue {
    /// The SQL value.
    fn into_value(self) -> Value;
}

/// The parameters of a statement: `()`, tuples of up to 16, arrays, slices, vectors.
///
/// ```
/// use quorate::Params;
/// assert_eq!((1, "Ann", None::<i64>).into_values().len(), 3);
/// assert_eq!([1, 2].into_values().len(), 2);
/// assert_eq!(().into_values().len(), 0);
/// ```
pub trait Params: Send {
    /// The values of `$1`, `$2`, ...
    fn into_values(self) -> Vec<Value>;
}

macro_rules! convert {
    ($($rust:ty),*) => { $(
        impl IntoValue for $rust {
            fn into_value(self) -> Value {
                self.into()
            }
        }
    )* };
}

convert!(bool, i16, i32, i64, f32, f64, &str, String, Numeric, Interval, Text);

impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

impl IntoValue for i8 {
    fn into_value(self) -> Value {
        Value::Int2(self.into())
    }
}

impl IntoValue for u8 {
    fn into_value(self) -> Value {
        Value::Int2(self.into())
    }
}

impl IntoValue for u16 {
    fn into_value(self) -> Value {
        Value::Int4(self.into())
    }
}

impl IntoValue for u32 {
    fn into_value(self) -> Value {
        Value::Int8(self.into())
    }
}

impl IntoValue for u64 {
    fn into_value(self) -> Value {
        i64::try_from(self).map_or_else(|_| Value::Numeric(Numeric::new(self.into(), 0)), Value::Int8)
    }
}

impl IntoValue for &[u8] {
    fn into_value(self) -> Value {
        Value::bytea(self)
    }
}

impl IntoValue for uuid::Uuid {
    fn into_value(self) -> Value {
        Value::Uuid(self.into_bytes())
    }
}

impl IntoValue for serde_json::Value {
    fn into_value(self) -> Value {
        Value::Json(self.to_string().into())
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl<T: IntoValue + Clone> IntoValue for &T {
    fn into_value(self) -> Value {
        self.clone().into_value()
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Value {
        let values: Vec<Value> = self.into_iter().map(T::into_value).collect();
        let element = values.iter().find(|value| !value.is_null()).map_or(Type::Text, Value::natural_type);
        Value::Array(Arc::new(Array::new(element, values)))
    }
}

impl Params for () {
    fn into_values(self) -> Vec<Value> {
        Vec::new()
    }
}

impl<T: IntoValue + Send> Params for Vec<T> {
    fn into_values(self) -> Vec<Value> {
        self.into_iter().map(T::into_value).collect()
    }
}

impl<T: IntoValue + Send, const N: usize> Params for [T; N] {
    fn into_values(self) -> Vec<Value> {
        self.into_iter().map(T::into_value).collect()
    }
}

impl<T: IntoValue + Clone + Sync> Params for &[T] {
    fn into_values(self) -> Vec<Value> {
        self.iter().cloned().map(T::into_value).collect()
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => { $(
        impl<$($name: IntoValue + Send),+> Params for ($($name,)+) {
            #[allow(non_snake_case, reason = "the values are named like their types")]
            fn into_values(self) -> Vec<Value> {
                let ($($name,)+) = self;
                vec![$($name.into_value()),+]
            }
        }
    )* };
}

tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) (A B C D E F G H I)
    (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L) (A B C D E F G H I J K L M)
    (A B C D E F G H I J K L M N) (A B C D E F G H I J K L M N O) (A B C D E F G H I J K L M N O P)
}

/// Turns the given values into values of the types that a statement wants.
pub(super) fn fit(values: &mut [Value], types: &[Type], context: impl Fn() -> TypeContext) -> Result<()> {
    if values.len() != types.len() {
        let message = format!("the statement has {} parameters, but {} were given", types.len(), values.len());
        return Err(Error::of_kind(ErrorKind::Params, message));
    }
    for (index, (value, ty)) in values.iter_mut().zip(types).enumerate() {
        if !is_exactly(value, ty) {
            let given = std::mem::take(value);
            *value = fit_one(index, given, ty, &context())?;
        }
    }
    Ok(())
}

/// The cases in which nothing is to be done, without a look at tables.
fn is_exactly(value: &Value, ty: &Type) -> bool {
    matches!(
        (value, ty),
        (Value::Null, _)
            | (Value::Int4(_), Type::Int4)
            | (Value::Int8(_), Type::Int8)
            | (Value::Text(_), Type::Text | Type::Varchar(None) | Type::Unknown)
            | (Value::Bool(_), Type::Bool)
            | (Value::Float8(_), Type::Float8)
            | (Value::Numeric(_), Type::Numeric(None))
            | (Value::Bytea(_), Type::Bytea)
            | (Value::Uuid(_), Type::Uuid)
    )
}

fn fit_one(index: usize, value: Value, ty: &Type, context: &TypeContext) -> Result<Value> {
    match (value, ty) {
        (Value::Int4(value), Type::Int8) => Ok(Value::Int8(value.into())),
        (Value::Int2(value), Type::Int4) => Ok(Value::Int4(value.into())),
        (Value::Int2(value), Type::Int8) => Ok(Value::Int8(value.into())),
        (Value::Text(text), ty) => Value::parse(&text, ty, context),
        (value, ty) => {
            let from = value.natural_type();
            if !can_cast(&from, ty, CastKind::Assignment) {
                return Err(misfit(index, &from, ty));
            }
            cast(&value, &from, ty, CastKind::Assignment, context)
        }
    }
}

fn misfit(index: usize, from: &Type, to: &Type) -> Error {
    let message = format!("parameter ${} is of type {}, but {} is wanted", index + 1, from.sql_name(), to.sql_name());
    Error::of_kind(ErrorKind::Params, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(value: impl IntoValue, ty: Type) -> std::result::Result<String, String> {
        let mut values = [value.into_value()];
        fit(&mut values, std::slice::from_ref(&ty), TypeContext::default).map_err(|error| error.to_string())?;
        let mut text = String::new();
        values[0].write_text(&ty, &TypeContext::default(), &mut text);
        Ok(text)
    }

    #[test]
    fn the_statement_decides_the_type() {
        assert_eq!(fitted(7, Type::Int8), Ok("7".to_owned()));
        assert_eq!(fitted(7i64, Type::Int2), Ok("7".to_owned()));
        assert_eq!(fitted(7, Type::Numeric(Some((5, 2)))), Ok("7.00".to_owned()));
        assert_eq!(fitted("2024-02-29", Type::Date), Ok("2024-02-29".to_owned()));
        assert_eq!(fitted(vec![1, 2], Type::array_of(Type::Int8)), Ok("{1,2}".to_owned()));
        assert_eq!(fitted(7, Type::Text), Ok("7".to_owned()));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert_eq!(fitted(70_000, Type::Int2), Err("ERROR 22003: smallint out of range".to_owned()));
        assert_eq!(
            fitted("x", Type::Int4),
            Err("ERROR 22P02: invalid input syntax for type integer: \"x\"".to_owned())
        );
        assert_eq!(fitted(true, Type::Int8), Err("parameter $1 is of type boolean, but bigint is wanted".to_owned()));
        let error = fit(&mut [], &[Type::Int4], TypeContext::default).unwrap_err();
        assert_eq!(error.message(), "the statement has 1 parameters, but 0 were given");
        assert_eq!(error.kind(), ErrorKind::Params);
    }
}
