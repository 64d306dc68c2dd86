//! Dates and times as text, PostgreSQL's ISO style.
//!
//! ```text
//!  2024-02-29   0044-03-15 BC   12:30:00.5   2024-02-29 12:30:00+02   -infinity
//! ```

use super::{HOUR, MINUTE, SECOND, Zone, civil_from_days, is_infinite, is_infinite_date, split_timestamp};
use std::fmt::Write;

/// Appends a date.
pub fn write_date(days: i32, out: &mut String) {
    if is_infinite_date(days) {
        return out.push_str(infinity(days > 0));
    }
    if write_civil(days, out) {
        out.push_str(" BC");
    }
}

/// Appends a time of day.
pub fn write_time(micros: i64, out: &mut String) {
    two(out, micros / HOUR);
    out.push(':');
    two(out, micros / MINUTE % 60);
    out.push(':');
    write_seconds(micros % MINUTE, out);
}

/// Appends a timestamp without time zone.
pub fn write_timestamp(micros: i64, out: &mut String) {
    if is_infinite(micros) {
        return out.push_str(infinity(micros > 0));
    }
    let (days, time) = split_timestamp(micros);
    let before_christ = write_civil(days, out);
    out.push(' ');
    write_time(time, out);
    if before_christ {
        out.push_str(" BC");
    }
}

/// Appends an instant as it reads in `zone`, with the offset.
pub fn write_timestamptz(micros: i64, zone: &Zone, out: &mut String) {
    if is_infinite(micros) {
        return out.push_str(infinity(micros > 0));
    }
    let offset = zone.offset_at(micros);
    let (days, time) = split_timestamp(micros.saturating_add(i64::from(offset) * SECOND));
    let before_christ = write_civil(days, out);
    out.push(' ');
    write_time(time, out);
    write_offset(offset, out);
    if before_christ {
        out.push_str(" BC");
    }
}

fn infinity(positive: bool) -> &'static str {
    if positive { "infinity" } else { "-infinity" }
}

/// Returns whether the year is before Christ.
fn write_civil(days: i32, out: &mut String) -> bool {
    let date = civil_from_days(days);
    let before_christ = date.year <= 0;
    let year = if before_christ { 1 - date.year } else { date.year };
    if (1000..10_000).contains(&year) {
        two(out, i64::from(year / 100));
        two(out, i64::from(year % 100));
    } else {
        append(out, format_args!("{year:04}"));
    }
    out.push('-');
    two(out, i64::from(date.month));
    out.push('-');
    two(out, i64::from(date.day));
    before_christ
}

/// Appends `ss[.ffffff]` without trailing zeros.
pub(super) fn write_seconds(micros: i64, out: &mut String) {
    two(out, micros / SECOND);
    let fraction = micros % SECOND;
    if fraction != 0 {
        append(out, format_args!(".{fraction:06}"));
        let kept = out.trim_end_matches('0').len();
        out.truncate(kept);
    }
}

/// Appends `+hh[:mm[:ss]]`, counted east.
pub(super) fn write_offset(seconds: i32, out: &mut String) {
    out.push(if seconds < 0 { '-' } else { '+' });
    let seconds = i64::from(seconds.unsigned_abs());
    two(out, seconds / 3600);
    if seconds % 3600 != 0 {
        out.push(':');
        two(out, seconds / 60 % 60);
    }
    if seconds % 60 != 0 {
        out.push(':');
        two(out, seconds % 60);
    }
}

fn two(out: &mut String, number: i64) {
    if number < 100 {
        out.push(char::from(b'0' + (number / 10) as u8));
        out.push(char::from(b'0' + (number % 10) as u8));
    } else {
        append(out, format_args!("{number}"));
    }
}

fn append(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    assert!(written.is_ok(), "writing to a String never fails");
}
