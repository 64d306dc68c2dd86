//! Arithmetic of dates, times and intervals.

use super::{ArithOp, undefined_operator};
use crate::error::{Error, Result, SqlState};
use crate::sql::types::datetime::{
    DAY, add_interval, add_interval_zoned, check_date, date_out_of_range, date_to_timestamp, interval_from_difference,
    is_infinite, is_infinite_date,
};
use crate::sql::types::{Interval, TypeContext, Value};

pub(super) fn eval(op: ArithOp, a: &Value, b: &Value, ctx: &TypeContext) -> Result<Value> {
    match op {
        ArithOp::Add => add(a, b, ctx),
        ArithOp::Sub => sub(a, b, ctx),
        ArithOp::Mul => match (a, b) {
            (Value::Interval(interval), factor) | (factor, Value::Interval(interval)) => {
                let factor = factor.as_f64().ok_or_else(|| undefined(op, a, b))?;
                Ok(Value::Interval(interval.checked_mul(factor)?))
            }
            _ => Err(undefined(op, a, b)),
        },
        ArithOp::Div => match (a, b.as_f64()) {
            (Value::Interval(interval), Some(divisor)) => Ok(Value::Interval(interval.checked_div(divisor)?)),
            _ => Err(undefined(op, a, b)),
        },
        ArithOp::Rem => Err(undefined(op, a, b)),
    }
}

fn add(a: &Value, b: &Value, ctx: &TypeContext) -> Result<Value> {
    match (a, b) {
        (Value::Interval(a), Value::Interval(b)) => Ok(Value::Interval(a.checked_add(*b)?)),
        (Value::Interval(interval), moment) | (moment, Value::Interval(interval)) => {
            moved(moment, *interval, ctx).unwrap_or_else(|| Err(undefined(ArithOp::Add, a, b)))
        }
        (Value::Date(days), Value::Time(time)) | (Value::Time(time), Value::Date(days)) => {
            let midnight = date_to_timestamp(*days)?;
            let sum = if is_infinite(midnight) { midnight } else { midnight + time };
            Ok(Value::Timestamp(sum))
        }
        (Value::Date(days), other) | (other, Value::Date(days)) => match other.as_i64() {
            Some(count) => shifted(*days, count),
            None => Err(undefined(ArithOp::Add, a, b)),
        },
        _ => Err(undefined(ArithOp::Add, a, b)),
    }
}

fn sub(a: &Value, b: &Value, ctx: &TypeContext) -> Result<Value> {
    match (a, b) {
        (Value::Interval(a), Value::Interval(b)) => Ok(Value::Interval(a.checked_add(b.checked_neg()?)?)),
        (moment, Value::Interval(interval)) => {
            moved(moment, interval.checked_neg()?, ctx).unwrap_or_else(|| Err(undefined(ArithOp::Sub, a, b)))
        }
        (Value::Date(a), Value::Date(b)) => {
            if is_infinite_date(*a) || is_infinite_date(*b) {
                let message = "cannot subtract infinite dates";
                return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
            }
            Ok(Value::Int4(a - b))
        }
        (Value::Time(a), Value::Time(b)) => Ok(Value::Interval(Interval::new(0, 0, a - b))),
        (Value::Timestamp(a), Value::Timestamp(b)) | (Value::Timestamptz(a), Value::Timestamptz(b)) => {
            if is_infinite(*a) || is_infinite(*b) {
                let message = "cannot subtract infinite timestamps";
                return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
            }
            Ok(Value::Interval(interval_from_difference(*a, *b)?))
        }
        (Value::Date(days), other) => match other.as_i64().and_then(i64::checked_neg) {
            Some(count) => shifted(*days, count),
            None => Err(undefined(ArithOp::Sub, a, b)),
        },
        _ => Err(undefined(ArithOp::Sub, a, b)),
    }
}

/// A moment plus an interval; `None` if the value is no moment.
fn moved(moment: &Value, interval: Interval, ctx: &TypeContext) -> Option<Result<Value>> {
    Some(match moment {
        Value::Date(days) => {
            date_to_timestamp(*days).and_then(|start| add_interval(start, interval)).map(Value::Timestamp)
        }
        Value::Timestamp(micros) => add_interval(*micros, interval).map(Value::Timestamp),
        Value::Timestamptz(micros) => add_interval_zoned(*micros, interval, &ctx.zone).map(Value::Timestamptz),
        // Only the time part moves a time of day, around midnight.
        Value::Time(micros) => Ok(Value::Time((micros + interval.micros.rem_euclid(DAY)).rem_euclid(DAY))),
        _ => return None,
    })
}

fn shifted(days: i32, count: i64) -> Result<Value> {
    if is_infinite_date(days) {
        return Ok(Value::Date(days));
    }
    let moved = i64::from(days).checked_add(count).and_then(check_date);
    moved.map(Value::Date).ok_or_else(date_out_of_range)
}

fn undefined(op: ArithOp, a: &Value, b: &Value) -> Error {
    undefined_operator(op.symbol(), Some(&a.natural_type()), &b.natural_type())
}
