//! `+ - * / %` and negation for every pair of types that PostgreSQL has them for, with its errors.
//!
//! ```text
//!  int, int           the wider type; overflow 22003, division towards zero, division by zero 22012
//!  numeric, float     see `numeric`; a float that leaves its range is 22003
//!  date +- int        date         date - date       int4        date + time       timestamp
//!  date +- interval   timestamp    ts +- interval    ts          ts - ts           interval
//!  time +- interval   time         time - time       interval    interval +- ..    interval
//!  interval * / float interval
//! ```
//! Operators are strict: with a NULL operand the result is NULL.

mod bits;
mod dates;
mod resolve;

pub use bits::{bit_and, bit_not, bit_or, bit_xor, shift_left, shift_right};
pub use resolve::{Signature, resolve};

use super::{Numeric, Type, TypeContext, Value};
use crate::error::{Error, Result, SqlState};

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
}

impl ArithOp {
    /// The operator as SQL writes it.
    pub fn symbol(self) -> &'static str {
        match self {
            ArithOp::Add => "+",
            ArithOp::Sub => "-",
            ArithOp::Mul => "*",
            ArithOp::Div => "/",
            ArithOp::Rem => "%",
        }
    }
}

/// `a + b`
pub fn add(a: &Value, b: &Value, ctx: &TypeContext) -> Result<Value> {
    eval(ArithOp::Add, a, b, ctx)
}

/// `a - b`
pub fn sub(a: &Value, b: &Value, ctx: &TypeContext) -> Result<Value> {
    eval(ArithOp::Sub, a, b, ctx)
}

/// `a * b`
pub fn mul(a: &Value, b: &Value, ctx: &TypeContext) -> Result<Value> {
    eval(ArithOp::Mul, a, b, ctx)
}

/// `a / b`
pub fn div(a: &Value, b: &Value, ctx: &TypeContext) -> Result<Value> {
    eval(ArithOp::Div, a, b, ctx)
}

/// `a % b`
pub fn rem(a: &Value, b: &Value, ctx: &TypeContext) -> Result<Value> {
    eval(ArithOp::Rem, a, b, ctx)
}

/// Computes `a op b`. Numbers of different types meet at the wider one.
#[inline]
pub fn eval(op: ArithOp, a: &Value, b: &Value, ctx: &TypeContext) -> Result<Value> {
    match (a, b) {
        (Value::Int4(a), Value::Int4(b)) => int4(op, *a, *b),
        (Value::Int8(a), Value::Int8(b)) => int8(op, *a, *b),
        (Value::Numeric(a), Value::Numeric(b)) => numeric(op, a, b),
        (Value::Float8(a), Value::Float8(b)) => float8(op, *a, *b),
        _ => eval_mixed(op, a, b, ctx),
    }
}

fn eval_mixed(op: ArithOp, a: &Value, b: &Value, ctx: &TypeContext) -> Result<Value> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Int2(a), Value::Int2(b)) => int2(op, *a, *b),
        (Value::Float4(a), Value::Float4(b)) => float4(op, *a, *b),
        _ => match (number_rank(a), number_rank(b)) {
            (Some(a_rank), Some(b_rank)) => meet(op, a, b, a_rank.max(b_rank)),
            _ => dates::eval(op, a, b, ctx),
        },
    }
}

/// The order in which numbers widen.
fn number_rank(value: &Value) -> Option<u8> {
    Some(match value {
        Value::Int2(_) => 0,
        Value::Int4(_) => 1,
        Value::Int8(_) => 2,
        Value::Numeric(_) => 3,
        Value::Float4(_) | Value::Float8(_) => 4,
        _ => return None,
    })
}

fn meet(op: ArithOp, a: &Value, b: &Value, rank: u8) -> Result<Value> {
    let (Some(x), Some(y)) = (a.as_i64(), b.as_i64()) else {
        if rank == 4 {
            return float8(op, a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
        }
        return numeric(op, &to_numeric(a), &to_numeric(b));
    };
    // Both came from integers no wider than the rank, so that the narrowing is exact.
    if rank == 1 { int4(op, x as i32, y as i32) } else { int8(op, x, y) }
}

fn to_numeric(value: &Value) -> Numeric {
    match value {
        Value::Numeric(number) => number.clone(),
        other => Numeric::from(other.as_i64().unwrap_or(0)),
    }
}

macro_rules! integers {
    ($name:ident $integer:ty, $variant:ident, $type_name:literal) => {
        #[inline]
        fn $name(op: ArithOp, a: $integer, b: $integer) -> Result<Value> {
            let result = match op {
                ArithOp::Add => a.checked_add(b),
                ArithOp::Sub => a.checked_sub(b),
                ArithOp::Mul => a.checked_mul(b),
                ArithOp::Div | ArithOp::Rem if b == 0 => return Err(division_by_zero()),
                ArithOp::Div => a.checked_div(b),
                ArithOp::Rem => Some(a.wrapping_rem(b)),
            };
            result.map(Value::$variant).ok_or_else(|| out_of_range($type_name))
        }
    };
}

integers!(int2 i16, Int2, "smallint");
integers!(int4 i32, Int4, "integer");
integers!(int8 i64, Int8, "bigint");

fn numeric(op: ArithOp, a: &Numeric, b: &Numeric) -> Result<Value> {
    let result = match op {
        ArithOp::Add => a.add(b),
        ArithOp::Sub => a.sub(b),
        ArithOp::Mul => a.mul(b),
        ArithOp::Div => a.div(b),
        ArithOp::Rem => a.rem(b),
    };
    result.map(Value::Numeric)
}

fn float8(op: ArithOp, a: f64, b: f64) -> Result<Value> {
    let result = float(op, a, b)?;
    check_float(op, result.is_infinite(), result == 0.0, a, b)?;
    Ok(Value::Float8(result))
}

fn float4(op: ArithOp, a: f32, b: f32) -> Result<Value> {
    let (wide_a, wide_b) = (f64::from(a), f64::from(b));
    let result = float(op, wide_a, wide_b)? as f32;
    check_float(op, result.is_infinite(), result == 0.0, wide_a, wide_b)?;
    Ok(Value::Float4(result))
}

fn float(op: ArithOp, a: f64, b: f64) -> Result<f64> {
    Ok(match op {
        ArithOp::Add => a + b,
        ArithOp::Sub => a - b,
        ArithOp::Mul => a * b,
        ArithOp::Div if b == 0.0 && !a.is_nan() => return Err(division_by_zero()),
        ArithOp::Div => a / b,
        ArithOp::Rem => {
            return Err(undefined_operator("%", Some(&Type::Float8), &Type::Float8));
        }
    })
}

/// An infinity from finite operands, or a zero from a product or quotient without one, left the range.
fn check_float(op: ArithOp, infinite: bool, zero: bool, a: f64, b: f64) -> Result<()> {
    if infinite && !a.is_infinite() && !b.is_infinite() {
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
    }
    let multiplied = matches!(op, ArithOp::Mul | ArithOp::Div);
    if zero && multiplied && a != 0.0 && (op == ArithOp::Div || b != 0.0) && !b.is_infinite() {
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow"));
    }
    Ok(())
}

/// `-a`
pub fn neg(a: &Value) -> Result<Value> {
    Ok(match a {
        Value::Null => Value::Null,
        Value::Int2(value) => Value::Int2(value.checked_neg().ok_or_else(|| out_of_range("smallint"))?),
        Value::Int4(value) => Value::Int4(value.checked_neg().ok_or_else(|| out_of_range("integer"))?),
        Value::Int8(value) => Value::Int8(value.checked_neg().ok_or_else(|| out_of_range("bigint"))?),
        Value::Float4(value) => Value::Float4(-value),
        Value::Float8(value) => Value::Float8(-value),
        Value::Numeric(value) => Value::Numeric(value.neg()),
        Value::Interval(value) => Value::Interval(value.checked_neg()?),
        other => {
            return Err(undefined_operator("-", None, &other.natural_type()));
        }
    })
}

/// `abs(a)`
pub fn abs(a: &Value) -> Result<Value> {
    match a {
        Value::Int2(value) if *value < 0 => neg(a),
        Value::Int4(value) if *value < 0 => neg(a),
        Value::Int8(value) if *value < 0 => neg(a),
        Value::Float4(value) => Ok(Value::Float4(value.abs())),
        Value::Float8(value) => Ok(Value::Float8(value.abs())),
        Value::Numeric(value) => Ok(Value::Numeric(value.abs())),
        other => Ok(other.clone()),
    }
}

/// `operator does not exist: text * integer` with PostgreSQL's hint (42883). `left` is `None` for a prefix operator.
pub fn undefined_operator(symbol: &str, left: Option<&Type>, right: &Type) -> Error {
    let left = left.map_or(String::new(), |ty| format!("{} ", ty.sql_name()));
    let message = format!("operator does not exist: {left}{symbol} {}", right.sql_name());
    Error::new(SqlState::UNDEFINED_FUNCTION, message)
        .with_hint("No operator matches the given name and argument types. You might need to add explicit type casts.")
}

/// `division by zero`
pub(super) fn division_by_zero() -> Error {
    Error::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

fn out_of_range(name: &str) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"))
}
