//! Casts between numbers: halves round to even from floats and away from zero from numeric, as in PostgreSQL.

use super::no_cast;
use crate::error::{Error, Result, SqlState};
use crate::sql::types::{Numeric, Type, Value, parse};

/// From smallint, integer or bigint.
pub(super) fn from_integer(value: &Value, to: &Type) -> Result<Value> {
    let number = value.as_i64().unwrap_or(0);
    match to {
        Type::Float4 => Ok(Value::Float4(number as f32)),
        Type::Float8 => Ok(Value::Float8(number as f64)),
        Type::Numeric(typmod) => Ok(Value::Numeric(parse::fit(Numeric::from(number), *typmod)?)),
        _ => narrow(Some(number), to),
    }
}

/// From numeric, real or double precision.
pub(super) fn from_inexact(value: &Value, to: &Type) -> Result<Value> {
    match (value, to) {
        (Value::Numeric(number), Type::Numeric(typmod)) => Ok(Value::Numeric(parse::fit(number.clone(), *typmod)?)),
        (Value::Numeric(number), Type::Float8) => to_float8(number),
        (Value::Numeric(number), Type::Float4) => to_float4(number),
        (Value::Numeric(number), to) => numeric_to_integer(number, to),
        (Value::Float4(float), Type::Float8) => Ok(Value::Float8(f64::from(*float))),
        (Value::Float8(float), Type::Float4) => double_to_single(*float),
        (Value::Float4(float), Type::Numeric(typmod)) => {
            Ok(Value::Numeric(parse::fit(Numeric::from_f32(*float), *typmod)?))
        }
        (Value::Float8(float), Type::Numeric(typmod)) => {
            Ok(Value::Numeric(parse::fit(Numeric::from_f64(*float), *typmod)?))
        }
        (value, to) => float_to_integer(value.as_f64().unwrap_or(f64::NAN), to),
    }
}

/// Oids wrap as PostgreSQL's casts of int4 do; a bigint must fit.
pub(super) fn to_oid(value: &Value) -> Result<Value> {
    match value {
        Value::Int2(number) => Ok(Value::Oid(i32::from(*number) as u32)),
        Value::Int4(number) => Ok(Value::Oid(*number as u32)),
        other => {
            let oid = other.as_i64().and_then(|number| u32::try_from(number).ok());
            oid.map(Value::Oid).ok_or_else(|| out_of_range("OID"))
        }
    }
}

fn narrow(number: Option<i64>, to: &Type) -> Result<Value> {
    match to {
        Type::Int2 => {
            number.and_then(|n| i16::try_from(n).ok()).map(Value::Int2).ok_or_else(|| out_of_range("smallint"))
        }
        Type::Int4 => {
            number.and_then(|n| i32::try_from(n).ok()).map(Value::Int4).ok_or_else(|| out_of_range("integer"))
        }
        Type::Int8 => number.map(Value::Int8).ok_or_else(|| out_of_range("bigint")),
        other => Err(no_cast(&Type::Int8, other)),
    }
}

fn numeric_to_integer(number: &Numeric, to: &Type) -> Result<Value> {
    if !number.is_finite() {
        let what = if number.is_nan() { "NaN" } else { "infinity" };
        let message = format!("cannot convert {what} to {}", to.sql_name());
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    narrow(number.to_i64(), to)
}

fn float_to_integer(float: f64, to: &Type) -> Result<Value> {
    let rounded = float.round_ties_even();
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded);
    narrow(fits.then_some(rounded as i64), to)
}

fn to_float8(number: &Numeric) -> Result<Value> {
    let float = number.to_f64();
    let lost = (float.is_infinite() && number.is_finite()) || (float == 0.0 && !number.is_zero());
    if lost {
        let message = format!("\"{number}\" is out of range for type double precision");
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    Ok(Value::Float8(float))
}

fn to_float4(number: &Numeric) -> Result<Value> {
    let float = number.to_f32();
    let lost = (float.is_infinite() && number.is_finite()) || (float == 0.0 && !number.is_zero());
    if lost {
        let message = format!("\"{number}\" is out of range for type real");
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    Ok(Value::Float4(float))
}

fn double_to_single(float: f64) -> Result<Value> {
    let single = float as f32;
    if single.is_infinite() && float.is_finite() {
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
    }
    if single == 0.0 && float != 0.0 {
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow"));
    }
    Ok(Value::Float4(single))
}

fn out_of_range(name: &str) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"))
}
