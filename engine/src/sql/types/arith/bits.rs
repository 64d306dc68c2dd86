//! `& | # ~ << >>` of integers.

use super::undefined_operator;
use crate::error::{Error, Result};
use crate::sql::types::Value;

/// `a & b`
pub fn bit_and(a: &Value, b: &Value) -> Result<Value> {
    combine("&", a, b, |a, b| a & b)
}

/// `a | b`
pub fn bit_or(a: &Value, b: &Value) -> Result<Value> {
    combine("|", a, b, |a, b| a | b)
}

/// `a # b`
pub fn bit_xor(a: &Value, b: &Value) -> Result<Value> {
    combine("#", a, b, |a, b| a ^ b)
}

/// `~a`
pub fn bit_not(a: &Value) -> Result<Value> {
    match a {
        Value::Int2(value) => Ok(Value::Int2(!value)),
        Value::Int4(value) => Ok(Value::Int4(!value)),
        Value::Int8(value) => Ok(Value::Int8(!value)),
        Value::Null => Ok(Value::Null),
        other => Err(undefined_operator("~", None, &other.natural_type())),
    }
}

/// `a << b`; the distance counts modulo the width, as on the machine.
pub fn shift_left(a: &Value, b: &Value) -> Result<Value> {
    shift("<<", a, b, i64::wrapping_shl, i32::wrapping_shl, i16::wrapping_shl)
}

/// `a >> b`, keeping the sign.
pub fn shift_right(a: &Value, b: &Value) -> Result<Value> {
    shift(">>", a, b, i64::wrapping_shr, i32::wrapping_shr, i16::wrapping_shr)
}

/// Both operands sign-extended to 64 bits, the result cut back to the wider type: exact for bitwise operators.
fn combine(symbol: &str, a: &Value, b: &Value, op: impl Fn(i64, i64) -> i64) -> Result<Value> {
    if a.is_null() || b.is_null() {
        return Ok(Value::Null);
    }
    let result = match (integer(a), integer(b)) {
        (Some(a), Some(b)) => op(a, b),
        _ => return Err(undefined_pair(symbol, a, b)),
    };
    Ok(match (a, b) {
        (Value::Int8(_), _) | (_, Value::Int8(_)) => Value::Int8(result),
        (Value::Int4(_), _) | (_, Value::Int4(_)) => Value::Int4(result as i32),
        _ => Value::Int2(result as i16),
    })
}

fn shift(
    symbol: &str,
    a: &Value,
    b: &Value,
    wide: fn(i64, u32) -> i64,
    middle: fn(i32, u32) -> i32,
    narrow: fn(i16, u32) -> i16,
) -> Result<Value> {
    if a.is_null() || b.is_null() {
        return Ok(Value::Null);
    }
    let distance = integer(b).ok_or_else(|| undefined_pair(symbol, a, b))? as u32;
    match a {
        Value::Int2(value) => Ok(Value::Int2(narrow(*value, distance))),
        Value::Int4(value) => Ok(Value::Int4(middle(*value, distance))),
        Value::Int8(value) => Ok(Value::Int8(wide(*value, distance))),
        _ => Err(undefined_pair(symbol, a, b)),
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Oid(_) => None,
        other => other.as_i64(),
    }
}

fn undefined_pair(symbol: &str, a: &Value, b: &Value) -> Error {
    undefined_operator(symbol, Some(&a.natural_type()), &b.natural_type())
}
