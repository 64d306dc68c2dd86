//! Casts between dates, times, timestamps and intervals.

use super::no_cast;
use crate::error::Result;
use crate::sql::types::datetime::{
    DAY, date_to_timestamp, local_to_utc, round_micros, timestamp_to_date, timestamp_to_time, utc_to_local,
};
use crate::sql::types::{Interval, Type, TypeContext, Value};

pub(super) fn cast(value: &Value, from: &Type, to: &Type, ctx: &TypeContext) -> Result<Value> {
    let zone = &ctx.zone;
    Ok(match (value, to) {
        (Value::Date(days), Type::Date) => Value::Date(*days),
        (Value::Date(days), Type::Timestamp(_)) => Value::Timestamp(date_to_timestamp(*days)?),
        (Value::Date(days), Type::Timestamptz(_)) => Value::Timestamptz(local_to_utc(date_to_timestamp(*days)?, zone)?),
        (Value::Time(micros), Type::Time(digits)) => Value::Time(rounded(*micros, *digits)),
        (Value::Time(micros), Type::Interval(digits)) => {
            Value::Interval(Interval::new(0, 0, rounded(*micros, *digits)))
        }
        (Value::Timestamp(micros), Type::Timestamp(digits)) => Value::Timestamp(rounded(*micros, *digits)),
        (Value::Timestamp(micros), Type::Timestamptz(digits)) => {
            Value::Timestamptz(rounded(local_to_utc(*micros, zone)?, *digits))
        }
        (Value::Timestamp(micros), Type::Date) => Value::Date(timestamp_to_date(*micros)?),
        (Value::Timestamp(micros), Type::Time(digits)) => time_of(*micros, *digits),
        (Value::Timestamptz(micros), Type::Timestamptz(digits)) => Value::Timestamptz(rounded(*micros, *digits)),
        (Value::Timestamptz(micros), Type::Timestamp(digits)) => {
            Value::Timestamp(rounded(utc_to_local(*micros, zone), *digits))
        }
        (Value::Timestamptz(micros), Type::Date) => Value::Date(timestamp_to_date(utc_to_local(*micros, zone))?),
        (Value::Timestamptz(micros), Type::Time(digits)) => time_of(utc_to_local(*micros, zone), *digits),
        (Value::Interval(interval), Type::Interval(digits)) => Value::Interval(interval.round(digits.unwrap_or(6))),
        (Value::Interval(interval), Type::Time(digits)) => {
            Value::Time(rounded(interval.micros.rem_euclid(DAY), *digits))
        }
        _ => return Err(no_cast(from, to)),
    })
}

fn rounded(micros: i64, digits: Option<u8>) -> i64 {
    round_micros(micros, digits.unwrap_or(6))
}

/// The time of an infinity is NULL.
fn time_of(micros: i64, digits: Option<u8>) -> Value {
    timestamp_to_time(micros).map_or(Value::Null, |time| Value::Time(rounded(time, digits)))
}
