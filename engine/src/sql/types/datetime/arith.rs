//! Adding to dates and times, and changing between them.
//!
//! Months are added first (a day beyond the month's end becomes its last), then days, then time; for instants the months
//! and days are added to the local time of the zone, so that a day across a change of clocks has 23 or 25 hours.

use super::{
    Civil, DAY, Interval, SECOND, Zone, check_timestamp, civil_from_days, date_out_of_range, days_from_civil,
    days_in_month, is_infinite, is_infinite_date, split_timestamp, timestamp_out_of_range,
};
use crate::error::Result;

/// A timestamp plus an interval; infinities stay.
pub fn add_interval(micros: i64, interval: Interval) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    let moved = add_months(micros, interval.months)?;
    i64::from(interval.days)
        .checked_mul(DAY)
        .and_then(|days| moved.checked_add(days))
        .and_then(|moved| moved.checked_add(interval.micros))
        .and_then(check_timestamp)
        .ok_or_else(timestamp_out_of_range)
}

/// An instant plus an interval, months and days counted in the zone's local time.
pub fn add_interval_zoned(micros: i64, interval: Interval, zone: &Zone) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    let mut moved = micros;
    if interval.months != 0 || interval.days != 0 {
        let local = utc_to_local(micros, zone);
        let shifted = add_interval(local, Interval { micros: 0, ..interval })?;
        moved = local_to_utc(shifted, zone)?;
    }
    moved.checked_add(interval.micros).and_then(check_timestamp).ok_or_else(timestamp_out_of_range)
}

/// A finite timestamp plus months.
pub fn add_months(micros: i64, months: i32) -> Result<i64> {
    if months == 0 {
        return Ok(micros);
    }
    let (days, time) = split_timestamp(micros);
    let date = civil_from_days(days);
    let total = i64::from(date.year) * 12 + i64::from(date.month) - 1 + i64::from(months);
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as i32 + 1);
    let year = i32::try_from(year).map_err(|_| timestamp_out_of_range())?;
    let day = date.day.min(days_in_month(year, month));
    days_from_civil(Civil { year, month, day })
        .checked_mul(DAY)
        .and_then(|midnight| midnight.checked_add(time))
        .and_then(check_timestamp)
        .ok_or_else(timestamp_out_of_range)
}

/// `a - b` of two finite timestamps: days and time.
pub fn interval_from_difference(a: i64, b: i64) -> Result<Interval> {
    let micros = a.checked_sub(b).ok_or_else(super::interval_out_of_range)?;
    Interval::new(0, 0, micros).justify_hours()
}

/// Midnight of a date.
pub fn date_to_timestamp(days: i32) -> Result<i64> {
    if is_infinite_date(days) {
        return Ok(if days > 0 { i64::MAX } else { i64::MIN });
    }
    let midnight = i64::from(days).checked_mul(DAY).and_then(check_timestamp);
    midnight.ok_or_else(|| {
        crate::error::Error::new(crate::error::SqlState::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")
    })
}

/// The day of a timestamp.
pub fn timestamp_to_date(micros: i64) -> Result<i32> {
    if is_infinite(micros) {
        return Ok(if micros > 0 { i32::MAX } else { i32::MIN });
    }
    super::check_date(micros.div_euclid(DAY)).ok_or_else(date_out_of_range)
}

/// The time of day of a finite timestamp; `None` for infinities.
pub fn timestamp_to_time(micros: i64) -> Option<i64> {
    (!is_infinite(micros)).then(|| micros.rem_euclid(DAY))
}

/// The instant of a local time; infinities stay.
pub fn local_to_utc(local: i64, zone: &Zone) -> Result<i64> {
    if is_infinite(local) {
        return Ok(local);
    }
    let offset = i64::from(zone.offset_of_local(local)) * SECOND;
    local.checked_sub(offset).and_then(check_timestamp).ok_or_else(timestamp_out_of_range)
}

/// The local time of an instant; infinities stay.
pub fn utc_to_local(micros: i64, zone: &Zone) -> i64 {
    if is_infinite(micros) {
        return micros;
    }
    micros.saturating_add(i64::from(zone.offset_at(micros)) * SECOND)
}

/// Rounds to `digits` after the second, halves away from zero.
pub fn round_micros(micros: i64, digits: u8) -> i64 {
    if digits >= 6 || is_infinite(micros) {
        return micros;
    }
    let unit = 10i64.pow(6 - u32::from(digits));
    let half = unit / 2;
    if micros >= 0 {
        micros.saturating_add(half) / unit * unit
    } else {
        -(micros.saturating_neg().saturating_add(half) / unit * unit)
    }
}
