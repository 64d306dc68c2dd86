//! Dates, times, timestamps and intervals as numbers of days and microseconds, counted as PostgreSQL counts them.
//!
//! ```text
//!  date         i32 days since 2000-01-01, proleptic Gregorian, 4714-11-24 BC to 5874897-12-31
//!  time         i64 microseconds since midnight, 0 to 24:00:00
//!  timestamp    i64 microseconds since 2000-01-01 00:00, up to 294276-12-31; tz: the same in UTC
//!  interval     months, days and microseconds apart, because months and days vary in length
//! ```
//! The extreme integers are `-infinity` and `infinity`. A timestamptz is an instant: its zone lives in the session and
//! matters for text, for fields and for adding months and days only.
//!
//! Invariant: every finite value here lies in PostgreSQL's range; each constructor checks it.

mod age;
mod arith;
mod extract;
mod format;
mod interval;
mod parse;
mod scan;
mod trunc;
mod zone;

pub use age::age;
pub use arith::{
    add_interval, add_interval_zoned, add_months, date_to_timestamp, interval_from_difference, local_to_utc,
    round_micros, timestamp_to_date, timestamp_to_time, utc_to_local,
};
pub use extract::{Moment, extract, extract_f64};
pub use format::{write_date, write_time, write_timestamp, write_timestamptz};
pub use interval::Interval;
pub use parse::{parse_date, parse_time, parse_timestamp, parse_timestamptz};
pub use trunc::{trunc_interval, trunc_timestamp, trunc_timestamptz};
pub use zone::Zone;

use crate::error::{Error, Result, SqlState};

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds of a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds of a day without change of clocks.
pub const DAY: i64 = 24 * HOUR;
/// 2000-01-01 as a Julian day.
pub const EPOCH_JULIAN: i32 = 2_451_545;
/// Days from 1970-01-01 to 2000-01-01.
pub const UNIX_EPOCH_DAYS: i32 = 10_957;

const MIN_DATE: i32 = -EPOCH_JULIAN;
const END_DATE: i32 = 2_147_483_494 - EPOCH_JULIAN;
const MIN_TIMESTAMP: i64 = -211_813_488_000_000_000;
const END_TIMESTAMP: i64 = 9_223_371_331_200_000_000;

/// A day of the calendar; year 0 is 1 BC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// The year; 0 is 1 BC.
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
    /// 1 to 31.
    pub day: i32,
}

/// Days since 2000-01-01 of a calendar day; the month and day may lie outside of their ranges by a little.
pub fn days_from_civil(date: Civil) -> i64 {
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": eras of 400 years that begin in March.
    let year = i64::from(date.year) - i64::from(date.month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from((date.month + 9) % 12);
    let day_of_year = (153 * month + 2) / 5 + i64::from(date.day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 730_425
}

/// The calendar day of a number of days since 2000-01-01.
pub fn civil_from_days(days: i32) -> Civil {
    let shifted = i64::from(days) + 730_425;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Civil { year: year as i32, month: month as i32, day: day as i32 }
}

/// Days of a month.
pub fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Whether a year has a 29th of February.
pub fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Splits a finite timestamp into its day and the microseconds since midnight.
pub fn split_timestamp(micros: i64) -> (i32, i64) {
    (micros.div_euclid(DAY) as i32, micros.rem_euclid(DAY))
}

/// Whether a date is `infinity` or `-infinity`.
pub fn is_infinite_date(days: i32) -> bool {
    days == i32::MIN || days == i32::MAX
}

/// Whether a timestamp is `infinity` or `-infinity`.
pub fn is_infinite(micros: i64) -> bool {
    micros == i64::MIN || micros == i64::MAX
}

/// A finite date, if it lies in range.
pub fn check_date(days: i64) -> Option<i32> {
    (i64::from(MIN_DATE)..i64::from(END_DATE)).contains(&days).then_some(days as i32)
}

/// A finite timestamp, if it lies in range.
pub fn check_timestamp(micros: i64) -> Option<i64> {
    (MIN_TIMESTAMP..END_TIMESTAMP).contains(&micros).then_some(micros)
}

/// `timestamp out of range`
pub fn timestamp_out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

/// `date out of range`
pub fn date_out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range")
}

/// `interval out of range`
pub fn interval_out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

/// A date from year, month and day as SQL's `make_date` takes them; the year is never 0, negative years are BC.
pub fn make_date(year: i32, month: i32, day: i32) -> Result<i32> {
    let wrong = || {
        Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date field value out of range: {year}-{month:02}-{day:02}"),
        )
    };
    let astronomical = if year < 0 { year + 1 } else { year };
    if year == 0 || !(1..=12).contains(&month) || day < 1 || day > days_in_month(astronomical, month) {
        return Err(wrong());
    }
    check_date(days_from_civil(Civil { year: astronomical, month, day })).ok_or_else(wrong)
}
