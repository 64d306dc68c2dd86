//! `date_trunc`: a timestamp, instant or interval cut down to a unit.

use super::extract::{canonical, ordinal};
use super::{
    Civil, DAY, HOUR, Interval, MINUTE, SECOND, Zone, civil_from_days, days_from_civil, is_infinite, local_to_utc,
    split_timestamp, timestamp_out_of_range, utc_to_local,
};
use crate::error::{Error, Result, SqlState};
use crate::sql::types::Type;

/// Cuts a timestamp down to `unit`.
pub fn trunc_timestamp(unit: &str, micros: i64) -> Result<i64> {
    trunc_local(unit, micros, &Type::TIMESTAMP)
}

/// Cuts an instant down to `unit` of the zone's local time.
pub fn trunc_timestamptz(unit: &str, micros: i64, zone: &Zone) -> Result<i64> {
    let local = trunc_local(unit, utc_to_local(micros, zone), &Type::TIMESTAMPTZ)?;
    local_to_utc(local, zone)
}

fn trunc_local(unit: &str, micros: i64, ty: &Type) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    let name = canonical(&unit.to_ascii_lowercase());
    if let Some(length) = fixed_length(name) {
        return Ok(micros - micros.rem_euclid(length));
    }
    if !matches!(name, "week" | "month" | "quarter" | "year" | "decade" | "century" | "millennium") {
        return Err(refused(unit, name, ty));
    }
    let (days, _) = split_timestamp(micros);
    let date = civil_from_days(days);
    let start = |year, month| days_from_civil(Civil { year, month, day: 1 });
    let day = match name {
        "week" => i64::from(days - (days + 5).rem_euclid(7)),
        "month" => start(date.year, date.month),
        "quarter" => start(date.year, (date.month - 1) / 3 * 3 + 1),
        "year" => start(date.year, 1),
        "decade" => start(date.year.div_euclid(10) * 10, 1),
        "century" => start(first_year(date.year, 100), 1),
        _ => start(first_year(date.year, 1000), 1),
    };
    day.checked_mul(DAY).ok_or_else(timestamp_out_of_range)
}

/// The year in which the century or millennium of `year` began.
fn first_year(year: i32, length: i32) -> i32 {
    let ordinal = ordinal(year, length);
    if ordinal > 0 { (ordinal - 1) * length + 1 } else { ordinal * length + 1 }
}

fn fixed_length(name: &str) -> Option<i64> {
    Some(match name {
        "microseconds" => 1,
        "milliseconds" => 1000,
        "second" => SECOND,
        "minute" => MINUTE,
        "hour" => HOUR,
        "day" => DAY,
        _ => return None,
    })
}

/// Cuts an interval down to `unit`.
pub fn trunc_interval(unit: &str, interval: Interval) -> Result<Interval> {
    let name = canonical(&unit.to_ascii_lowercase());
    let (ty, Interval { months, days, micros }) = (&Type::INTERVAL, interval);
    if name == "day" {
        return Ok(Interval { months, days, micros: 0 });
    }
    if let Some(length) = fixed_length(name) {
        return Ok(Interval { months, days, micros: micros / length * length });
    }
    let length = match name {
        "month" => 1,
        "quarter" => 3,
        "year" => 12,
        "decade" => 120,
        "century" => 1200,
        "millennium" => 12_000,
        "week" => {
            return Err(refused(unit, name, ty).with_detail("Months usually have fractional weeks."));
        }
        _ => return Err(refused(unit, name, ty)),
    };
    Ok(Interval { months: months / length * length, days: 0, micros: 0 })
}

fn refused(unit: &str, name: &str, ty: &Type) -> Error {
    let known = matches!(name, "week" | "julian" | "timezone" | "timezone_hour" | "timezone_minute");
    let (verb, sqlstate) = if known {
        ("supported", SqlState::FEATURE_NOT_SUPPORTED)
    } else {
        ("recognized", SqlState::INVALID_PARAMETER_VALUE)
    };
    Error::new(sqlstate, format!("unit \"{unit}\" not {verb} for type {}", ty.sql_name()))
}
