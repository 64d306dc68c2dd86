//! Functions of numbers. Exact numbers stay exact; the rest is double precision.

use super::Call;
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::Function;
use crate::sql::types::{Numeric, Value, arith};

fn out_of_range(what: &'static str) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, what)
}

/// The result, if the function is one of numbers or choices.
pub fn call(call: &Call<'_>) -> Option<Result<Value>> {
    use Function as F;
    let first = call.args.first();
    let value = match call.function {
        F::Abs => arith::abs(first?),
        F::Ceil => rounded(first?, Numeric::ceil, f64::ceil),
        F::Floor => rounded(first?, Numeric::floor, f64::floor),
        F::Round => digits(call, Numeric::round, f64::round_ties_even),
        F::Trunc => digits(call, Numeric::trunc, f64::trunc),
        F::Sqrt => sqrt(first?),
        F::Cbrt => Ok(Value::Float8(call.float(0).cbrt())),
        F::Exp => exact_or(first?, Numeric::exp, f64::exp),
        F::Ln => ln(first?),
        F::Log => log(call),
        F::Power => power(first?, call.given(1)?),
        F::Mod => arith::eval(arith::ArithOp::Rem, first?, call.given(1)?, &call.env.types),
        F::DivInteger => match (call.number(0), call.number(1)) {
            (Some(left), Some(right)) => left.div_trunc(&right).map(Value::Numeric),
            _ => Ok(Value::Null),
        },
        F::Sign => Ok(sign(first?)),
        F::Pi => Ok(Value::Float8(std::f64::consts::PI)),
        F::Random => Ok(Value::Float8((call.env.facts.runtime.random_u64() >> 11) as f64 / (1u64 << 53) as f64)),
        F::Degrees => Ok(Value::Float8(call.float(0).to_degrees())),
        F::Radians => Ok(Value::Float8(call.float(0).to_radians())),
        F::Sin => Ok(Value::Float8(call.float(0).sin())),
        F::Cos => Ok(Value::Float8(call.float(0).cos())),
        F::Tan => Ok(Value::Float8(call.float(0).tan())),
        F::Asin => within_one(call, f64::asin),
        F::Acos => within_one(call, f64::acos),
        F::Atan => Ok(Value::Float8(call.float(0).atan())),
        F::Atan2 => Ok(Value::Float8(call.float(0).atan2(call.float(1)))),
        F::Gcd => gcd(call).map(|value| sized(value, call)),
        F::Lcm => lcm(call).map(|value| sized(value, call)),
        F::Scale => Ok(Value::Int4(call.number(0).map_or(0, |number| i32::from(number.scale())))),
        F::Factorial => factorial(call.int(0)),
        F::Greatest => Ok(best(call.args, std::cmp::Ordering::is_gt)),
        F::Least => Ok(best(call.args, std::cmp::Ordering::is_lt)),
        F::NullIf => Ok(match (first?, call.given(1)?) {
            (left, right) if !left.is_null() && !right.is_null() && left.compare(right).is_eq() => Value::Null,
            (left, _) => left.clone(),
        }),
        F::NumNulls => Ok(Value::Int4(call.args.iter().filter(|value| value.is_null()).count() as i32)),
        F::NumNonnulls => Ok(Value::Int4(call.args.iter().filter(|value| !value.is_null()).count() as i32)),
        _ => return None,
    };
    Some(value)
}

fn best(args: &[Value], better: fn(std::cmp::Ordering) -> bool) -> Value {
    let mut values = args.iter().filter(|value| !value.is_null());
    let Some(mut best) = values.next() else { return Value::Null };
    for value in values {
        if better(value.compare(best)) {
            best = value;
        }
    }
    best.clone()
}

fn rounded(value: &Value, exact: fn(&Numeric) -> Result<Numeric>, float: fn(f64) -> f64) -> Result<Value> {
    match value {
        Value::Numeric(number) => exact(number).map(Value::Numeric),
        other => Ok(Value::Float8(float(other.as_f64().unwrap_or_default()))),
    }
}

fn digits(call: &Call<'_>, exact: fn(&Numeric, i32) -> Result<Numeric>, float: fn(f64) -> f64) -> Result<Value> {
    match call.args.first() {
        Some(Value::Numeric(number)) => {
            let digits = call.int(1).clamp(-2_000, 2_000) as i32;
            exact(number, digits).map(Value::Numeric)
        }
        _ => Ok(Value::Float8(float(call.float(0)))),
    }
}

fn exact_or(value: &Value, exact: fn(&Numeric) -> Result<Numeric>, float: fn(f64) -> f64) -> Result<Value> {
    match value {
        Value::Numeric(number) => exact(number).map(Value::Numeric),
        other => {
            let argument = other.as_f64().unwrap_or_default();
            let result = float(argument);
            if result.is_infinite() && argument.is_finite() {
                return Err(out_of_range("value out of range: overflow"));
            }
            Ok(Value::Float8(result))
        }
    }
}

fn positive(value: &Value) -> Option<Result<()>> {
    let number = value.as_f64()?;
    let refuse = |text| Some(Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_LOG, text)));
    match number {
        0.0 => refuse("cannot take logarithm of zero"),
        number if number < 0.0 => refuse("cannot take logarithm of a negative number"),
        _ => Some(Ok(())),
    }
}

fn sqrt(value: &Value) -> Result<Value> {
    if value.as_f64().is_some_and(|number| number < 0.0) {
        return Err(Error::new(
            SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "cannot take square root of a negative number",
        ));
    }
    exact_or(value, Numeric::sqrt, f64::sqrt)
}

fn ln(value: &Value) -> Result<Value> {
    if let Some(checked) = positive(value) {
        checked?;
    }
    exact_or(value, Numeric::ln, f64::ln)
}

fn log(call: &Call<'_>) -> Result<Value> {
    for value in call.args {
        if let Some(checked) = positive(value) {
            checked?;
        }
    }
    match (call.number(0), call.number(1)) {
        (Some(base), Some(number)) => number.log(&base).map(Value::Numeric),
        (Some(number), None) if matches!(call.args[0], Value::Numeric(_)) => {
            number.log(&Numeric::from(10i64)).map(Value::Numeric)
        }
        _ => Ok(Value::Float8(call.float(0).log10())),
    }
}

/// `left ^ right`
pub fn power(left: &Value, right: &Value) -> Result<Value> {
    if let (Value::Numeric(base), Value::Numeric(exponent)) = (left, right) {
        return base.power(exponent).map(Value::Numeric);
    }
    let (base, exponent) = (left.as_f64().unwrap_or_default(), right.as_f64().unwrap_or_default());
    let refuse = |text| Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, text));
    if base == 0.0 && exponent < 0.0 {
        return refuse("zero raised to a negative power is undefined");
    }
    if base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        return refuse("a negative number raised to a non-integer power yields a complex result");
    }
    let result = base.powf(exponent);
    if result.is_infinite() && base.is_finite() && exponent.is_finite() {
        return Err(out_of_range("value out of range: overflow"));
    }
    Ok(Value::Float8(result))
}

fn sign(value: &Value) -> Value {
    match value {
        Value::Numeric(number) => Value::Numeric(Numeric::from(i64::from(number.signum()))),
        other => {
            let number = other.as_f64().unwrap_or_default();
            Value::Float8(if number == 0.0 || number.is_nan() { number } else { number.signum() })
        }
    }
}

fn within_one(call: &Call<'_>, function: fn(f64) -> f64) -> Result<Value> {
    let argument = call.float(0);
    if argument.abs() > 1.0 {
        return Err(out_of_range("input is out of range"));
    }
    Ok(Value::Float8(function(argument)))
}

fn gcd(call: &Call<'_>) -> Result<i128> {
    let (mut a, mut b) = (i128::from(call.int(0)).abs(), i128::from(call.int(1)).abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Ok(a)
}

fn lcm(call: &Call<'_>) -> Result<i128> {
    let divisor = gcd(call)?;
    if divisor == 0 {
        return Ok(0);
    }
    Ok((i128::from(call.int(0)) / divisor * i128::from(call.int(1))).abs())
}

/// An integer of the result's type.
fn sized(value: i128, call: &Call<'_>) -> Value {
    match call.ty {
        crate::sql::types::Type::Int4 => Value::Int4(value as i32),
        crate::sql::types::Type::Numeric(_) => Value::Numeric(Numeric::new(value, 0)),
        _ => Value::Int8(value as i64),
    }
}

fn factorial(n: i64) -> Result<Value> {
    if n < 0 {
        return Err(out_of_range("factorial of a negative number is undefined"));
    }
    if n > 5_000 {
        return Err(out_of_range("value overflows numeric format"));
    }
    let mut product = Numeric::from(1i64);
    for factor in 2..=n {
        product = product.mul(&Numeric::from(factor))?;
    }
    Ok(Value::Numeric(product))
}
