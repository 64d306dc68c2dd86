//! `extract(field from ...)` and `date_part`: one field of a date, time, timestamp or interval.
//!
//! Results are exact numerics with PostgreSQL's scales: `second` and `epoch` have six digits after the point,
//! `millisecond` three, the rest none.

use super::{
    Civil, DAY, HOUR, Interval, MINUTE, SECOND, Zone, civil_from_days, days_from_civil, is_infinite, is_infinite_date,
    split_timestamp,
};
use crate::error::{Error, Result, SqlState};
use crate::sql::types::{Numeric, Type};

/// What a field is taken from.
#[derive(Clone, Copy, Debug)]
pub enum Moment<'a> {
    /// A date.
    Date(i32),
    /// A time of day.
    Time(i64),
    /// A timestamp without time zone.
    Timestamp(i64),
    /// An instant, seen in a zone.
    Timestamptz(i64, &'a Zone),
    /// An interval.
    Interval(Interval),
}

impl Moment<'_> {
    fn sql_type(&self) -> Type {
        match self {
            Moment::Date(_) => Type::Date,
            Moment::Time(_) => Type::TIME,
            Moment::Timestamp(_) => Type::TIMESTAMP,
            Moment::Timestamptz(..) => Type::TIMESTAMPTZ,
            Moment::Interval(_) => Type::INTERVAL,
        }
    }
}

/// The field called `field`; `None` is NULL (a field of an infinity that has no value).
pub fn extract(field: &str, from: Moment<'_>) -> Result<Option<Numeric>> {
    let lower = field.to_ascii_lowercase();
    let name = canonical(&lower);
    let found = match from {
        Moment::Date(days) if is_infinite_date(days) => {
            return infinite(&lower, name, from, days > 0);
        }
        Moment::Timestamp(micros) | Moment::Timestamptz(micros, _) if is_infinite(micros) => {
            return infinite(&lower, name, from, micros > 0);
        }
        Moment::Date(days) => date_field(name, days),
        Moment::Time(micros) => time_field(name, micros),
        Moment::Timestamp(micros) => timestamp_field(name, micros, 0),
        Moment::Timestamptz(micros, zone) => zoned_field(name, micros, zone),
        Moment::Interval(interval) => interval_field(name, interval),
    };
    match found {
        Some(number) => Ok(Some(number)),
        None => Err(refused(&lower, name, from)),
    }
}

/// [`extract`] as a double, for `date_part`.
pub fn extract_f64(field: &str, from: Moment<'_>) -> Result<Option<f64>> {
    Ok(extract(field, from)?.map(|number| number.to_f64()))
}

/// The singular name of a field; `""` if there is none of that name.
pub(super) fn canonical(field: &str) -> &'static str {
    match field {
        "microsecond" | "microseconds" | "us" | "usec" | "usecs" => "microseconds",
        "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => "milliseconds",
        "second" | "seconds" | "s" | "sec" | "secs" => "second",
        "minute" | "minutes" | "m" | "min" | "mins" => "minute",
        "hour" | "hours" | "h" | "hr" | "hrs" => "hour",
        "day" | "days" | "d" => "day",
        "week" | "weeks" | "w" => "week",
        "month" | "months" | "mon" | "mons" => "month",
        "quarter" | "qtr" => "quarter",
        "year" | "years" | "y" | "yr" | "yrs" => "year",
        "decade" | "decades" | "dec" | "decs" => "decade",
        "century" | "centuries" | "c" | "cent" => "century",
        "millennium" | "millennia" | "mil" | "mils" => "millennium",
        "epoch" => "epoch",
        "dow" => "dow",
        "isodow" => "isodow",
        "doy" => "doy",
        "isoyear" => "isoyear",
        "julian" | "jd" | "j" => "julian",
        "timezone" => "timezone",
        "timezone_hour" => "timezone_hour",
        "timezone_minute" => "timezone_minute",
        _ => "",
    }
}

fn refused(field: &str, name: &str, from: Moment<'_>) -> Error {
    let ty = from.sql_type().sql_name();
    if name.is_empty() {
        let message = format!("unit \"{field}\" not recognized for type {ty}");
        return Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    }
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, format!("unit \"{field}\" not supported for type {ty}"))
}

/// Fields that grow without bound are infinite, others NULL.
fn infinite(field: &str, name: &str, from: Moment<'_>, positive: bool) -> Result<Option<Numeric>> {
    match name {
        "year" | "decade" | "century" | "millennium" | "julian" | "isoyear" | "epoch" => {
            Ok(Some(if positive { Numeric::INFINITY } else { Numeric::NEG_INFINITY }))
        }
        "" => Err(refused(field, name, from)),
        _ if matches!(from, Moment::Date(_)) && date_field(name, 0).is_none() => Err(refused(field, name, from)),
        _ => Ok(None),
    }
}

fn whole(number: impl Into<i64>) -> Option<Numeric> {
    Some(Numeric::from(number.into()))
}

fn date_field(name: &str, days: i32) -> Option<Numeric> {
    let date = civil_from_days(days);
    let first = |year: i32| days_from_civil(Civil { year, month: 1, day: 1 });
    match name {
        "day" => whole(date.day),
        "month" => whole(date.month),
        "quarter" => whole((date.month - 1) / 3 + 1),
        "year" => whole(if date.year > 0 { date.year } else { date.year - 1 }),
        "decade" => whole(date.year.div_euclid(10)),
        "century" => whole(ordinal(date.year, 100)),
        "millennium" => whole(ordinal(date.year, 1000)),
        "dow" => whole((days + 6).rem_euclid(7)),
        "isodow" => whole((days + 5).rem_euclid(7) + 1),
        "doy" => whole(i64::from(days) - first(date.year) + 1),
        "week" => whole(iso_week(days).1),
        "isoyear" => {
            let year = iso_week(days).0;
            whole(if year > 0 { year } else { year - 1 })
        }
        "julian" => whole(i64::from(days) + i64::from(super::EPOCH_JULIAN)),
        "epoch" => whole((i64::from(days) + i64::from(super::UNIX_EPOCH_DAYS)) * 86_400),
        _ => None,
    }
}

/// The first century begins with the year 1, the one before with 1 BC backwards; there is no century 0.
pub(super) fn ordinal(year: i32, length: i32) -> i32 {
    if year > 0 { (year + length - 1) / length } else { -((length - 1 - (year - 1)) / length) }
}

/// ISO 8601 year and week: weeks begin on Monday, the first one holds January 4.
pub(super) fn iso_week(days: i32) -> (i32, i32) {
    let monday = days - (days + 5).rem_euclid(7);
    let thursday = civil_from_days(monday + 3);
    let january_4 = days_from_civil(Civil { year: thursday.year, month: 1, day: 4 }) as i32;
    let first_monday = january_4 - (january_4 + 5).rem_euclid(7);
    (thursday.year, (monday - first_monday) / 7 + 1)
}

fn time_field(name: &str, micros: i64) -> Option<Numeric> {
    match name {
        "epoch" => Some(Numeric::new(i128::from(micros), 6)),
        "hour" => whole(micros / HOUR),
        other => clock_field(other, micros % HOUR),
    }
}

/// The fields below the hour; `micros` may be negative.
fn clock_field(name: &str, micros: i64) -> Option<Numeric> {
    match name {
        "microseconds" => whole(micros % MINUTE),
        "milliseconds" => Some(Numeric::new(i128::from(micros % MINUTE), 3)),
        "second" => Some(Numeric::new(i128::from(micros % MINUTE), 6)),
        "minute" => whole(micros / MINUTE % 60),
        _ => None,
    }
}

/// `offset` is what was added to the instant, so that `epoch` counts from UTC.
fn timestamp_field(name: &str, micros: i64, offset: i64) -> Option<Numeric> {
    let (days, time) = split_timestamp(micros);
    match name {
        "epoch" => {
            let unix = i128::from(micros) - i128::from(offset) + i128::from(super::UNIX_EPOCH_DAYS) * i128::from(DAY);
            Some(Numeric::new(unix, 6))
        }
        "julian" => {
            let day = Numeric::from(i64::from(days) + i64::from(super::EPOCH_JULIAN));
            let fraction = Numeric::from(time).div(&Numeric::from(DAY)).ok()?;
            day.add(&fraction).ok()
        }
        "microseconds" | "milliseconds" | "second" | "minute" | "hour" => time_field(name, time),
        other => date_field(other, days),
    }
}

fn zoned_field(name: &str, micros: i64, zone: &Zone) -> Option<Numeric> {
    let offset = zone.offset_at(micros);
    match name {
        "timezone" => whole(offset),
        "timezone_hour" => whole(offset / 3600),
        "timezone_minute" => whole(offset / 60 % 60),
        other => {
            let shift = i64::from(offset) * SECOND;
            timestamp_field(other, micros + shift, shift)
        }
    }
}

fn interval_field(name: &str, interval: Interval) -> Option<Numeric> {
    let (years, months) = (interval.months / 12, interval.months % 12);
    match name {
        "day" => whole(interval.days),
        "month" => whole(months),
        "quarter" => whole(months / 3 + 1),
        "year" => whole(years),
        "decade" => whole(years / 10),
        "century" => whole(years / 100),
        "millennium" => whole(years / 1000),
        "hour" => whole(interval.micros / HOUR),
        "epoch" => {
            // A year counts 365.25 days here, a month 30.
            let days = i128::from(years) * 1461 * 6 + (i128::from(months) * 30 + i128::from(interval.days)) * 24;
            Some(Numeric::new(days * i128::from(HOUR) + i128::from(interval.micros), 6))
        }
        other => clock_field(other, interval.micros % HOUR),
    }
}
