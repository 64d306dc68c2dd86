//! Intervals: months, days and microseconds, read from and written as PostgreSQL's own style.
//!
//! ```text
//!  "1 year 2 mons 3 days 04:05:06.7"   "1-2"   "3 4:05"   "P1Y2M3DT4H5M6S"   "1.5 days ago"
//! ```
//! Two intervals compare as if a month had 30 days and a day 24 hours, so `1 mon` = `30 days`.

use super::format::write_seconds;
use super::parse::micros_of_fraction;
use super::{DAY, HOUR, MINUTE, SECOND, interval_out_of_range};
use crate::error::{Error, Result, SqlState};
use std::cmp::Ordering;
use std::fmt::Write;
use std::hash::{Hash, Hasher};

/// A span of time whose months and days keep their own count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interval {
    /// Months; a year is 12.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}

impl Interval {
    /// An interval of months, days and microseconds.
    pub const fn new(months: i32, days: i32, micros: i64) -> Interval {
        Interval { months, days, micros }
    }

    /// The length with months of 30 days and days of 24 hours, by which intervals compare.
    pub fn comparable(self) -> i128 {
        (i128::from(self.months) * 30 + i128::from(self.days)) * i128::from(DAY) + i128::from(self.micros)
    }

    /// An interval of the given comparable length: days and microseconds.
    pub(crate) fn from_comparable(length: i128) -> Option<Interval> {
        let days = i32::try_from(length / i128::from(DAY)).ok();
        match days {
            Some(days) => Some(Interval::new(0, days, (length % i128::from(DAY)) as i64)),
            None => {
                let month = 30 * i128::from(DAY);
                let rest = length % month;
                let months = i32::try_from(length / month).ok()?;
                Some(Interval::new(months, (rest / i128::from(DAY)) as i32, (rest % i128::from(DAY)) as i64))
            }
        }
    }

    /// The sum, if it is in range.
    pub fn checked_add(self, other: Interval) -> Result<Interval> {
        let sum = || {
            Some(Interval {
                months: self.months.checked_add(other.months)?,
                days: self.days.checked_add(other.days)?,
                micros: self.micros.checked_add(other.micros)?,
            })
        };
        sum().ok_or_else(interval_out_of_range)
    }

    /// The negative, if it is in range.
    pub fn checked_neg(self) -> Result<Interval> {
        let negated = || {
            Some(Interval {
                months: self.months.checked_neg()?,
                days: self.days.checked_neg()?,
                micros: self.micros.checked_neg()?,
            })
        };
        negated().ok_or_else(interval_out_of_range)
    }

    /// `self * factor`; fractions of months become days and fractions of days become time.
    pub fn checked_mul(self, factor: f64) -> Result<Interval> {
        self.scale(|part| part * factor)
    }

    /// `self / divisor`; SQLSTATE 22012 for zero.
    pub fn checked_div(self, divisor: f64) -> Result<Interval> {
        if divisor == 0.0 {
            return Err(Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        self.scale(|part| part / divisor)
    }

    fn scale(self, scale: impl Fn(f64) -> f64) -> Result<Interval> {
        let months = scale(f64::from(self.months));
        let days = scale(f64::from(self.days));
        let whole = |part: f64| {
            let fits = part.is_finite() && part.abs() < 2_147_483_648.0;
            fits.then_some(part.trunc() as i32).ok_or_else(interval_out_of_range)
        };
        let (whole_months, whole_days) = (whole(months)?, whole(days)?);
        // As PostgreSQL does: carry the fraction of a month down to days and of a day down to seconds, rounded to
        // microseconds so that a fraction of almost a whole day becomes one.
        let month_days = round_micro((months - f64::from(whole_months)) * 30.0);
        let mut seconds = round_micro((days - f64::from(whole_days) + month_days - month_days.trunc()) * 86_400.0);
        let mut carried = 0;
        if seconds.abs() >= 86_400.0 {
            carried = (seconds / 86_400.0) as i32;
            seconds -= f64::from(carried) * 86_400.0;
        }
        let days = whole_days.checked_add(month_days as i32).and_then(|days| days.checked_add(carried));
        let micros = (scale(self.micros as f64) + seconds * SECOND as f64).round_ties_even();
        if !micros.is_finite() || micros.abs() >= 9.223_372_036_854_775e18 {
            return Err(interval_out_of_range());
        }
        Ok(Interval { months: whole_months, days: days.ok_or_else(interval_out_of_range)?, micros: micros as i64 })
    }

    /// Hours beyond 24 become days.
    pub fn justify_hours(self) -> Result<Interval> {
        let carried = (self.micros / DAY) as i32;
        let mut days = self.days.checked_add(carried).ok_or_else(interval_out_of_range)?;
        let mut micros = self.micros % DAY;
        if days > 0 && micros < 0 {
            micros += DAY;
            days -= 1;
        } else if days < 0 && micros > 0 {
            micros -= DAY;
            days += 1;
        }
        Ok(Interval { months: self.months, days, micros })
    }

    /// Days beyond 30 become months.
    pub fn justify_days(self) -> Result<Interval> {
        let mut months = self.months.checked_add(self.days / 30).ok_or_else(interval_out_of_range)?;
        let mut days = self.days % 30;
        if months > 0 && days < 0 {
            days += 30;
            months -= 1;
        } else if months < 0 && days > 0 {
            days -= 30;
            months += 1;
        }
        Ok(Interval { months, days, micros: self.micros })
    }

    /// Rounds to `digits` after the second.
    pub fn round(self, digits: u8) -> Interval {
        Interval { micros: super::round_micros(self.micros, digits), ..self }
    }

    /// Appends PostgreSQL's style: `1 year 2 mons -3 days +04:05:06`.
    pub fn write(self, out: &mut String) {
        let start = out.len();
        let mut negative_before = false;
        let parts = [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")];
        for (count, unit) in parts {
            if count == 0 {
                continue;
            }
            let space = if out.len() > start { " " } else { "" };
            let plus = if negative_before && count > 0 { "+" } else { "" };
            let plural = if count == 1 { "" } else { "s" };
            append(out, format_args!("{space}{plus}{count} {unit}{plural}"));
            negative_before = count < 0;
        }
        if out.len() > start && self.micros == 0 {
            return;
        }
        if out.len() > start {
            out.push(' ');
        }
        if self.micros < 0 {
            out.push('-');
        } else if negative_before {
            out.push('+');
        }
        let time = self.micros.unsigned_abs();
        append(out, format_args!("{:02}:{:02}:", time / HOUR as u64, time / MINUTE as u64 % 60));
        write_seconds((time % MINUTE as u64) as i64, out);
    }

    /// Reads an interval; SQLSTATE 22007 or 22015.
    pub fn parse(text: &str) -> Result<Interval> {
        let trimmed = text.trim();
        let parsed = if trimmed.starts_with(['P', 'p']) { parse_iso(trimmed) } else { parse_postgres(trimmed) };
        parsed.map_err(|fault| match fault {
            Fault::Format => Error::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type interval: \"{text}\""),
            ),
            Fault::OutOfRange => interval_out_of_range(),
            Fault::Overflow => {
                Error::new(SqlState::INTERVAL_FIELD_OVERFLOW, format!("interval field value out of range: \"{text}\""))
            }
        })
    }
}

fn round_micro(seconds: f64) -> f64 {
    (seconds * 1e6).round_ties_even() / 1e6
}

fn append(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    assert!(written.is_ok(), "writing to a String never fails");
}

#[derive(Debug)]
enum Fault {
    Format,
    /// One field.
    Overflow,
    /// The sum of fields.
    OutOfRange,
}

/// A sum that notes overflow at the end, in parts wide enough for any text.
#[derive(Default)]
struct Sum {
    months: i128,
    days: i128,
    micros: i128,
    /// Bits of the fields that were given: each may occur once.
    seen: u16,
}

/// A decimal number of a text: sign, integer part, and fraction in units of 10^-12.
#[derive(Clone, Copy)]
struct Amount {
    negative: bool,
    whole: i64,
    fraction: f64,
}

impl Amount {
    /// `[sign] digits [. digits]`
    fn parse(text: &str) -> Result<Amount, Fault> {
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, text[1..].trim_start()),
            Some(b'+') => (false, text[1..].trim_start()),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !numeric(whole) || !numeric(fraction) || whole.len() + fraction.len() == 0 {
            return Err(Fault::Format);
        }
        let whole = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| Fault::Overflow)? };
        let fraction = format!("0.{fraction}0").parse().map_err(|_| Fault::Format)?;
        Ok(Amount { negative, whole, fraction })
    }

    fn signed(self, value: i128) -> i128 {
        if self.negative { -value } else { value }
    }
}

/// Units in microseconds, days or months.
enum Unit {
    Micros(i64),
    Days(i64),
    Months(i64),
}

fn unit_of(word: &str) -> Option<Unit> {
    Some(match word {
        "microsecond" | "microseconds" | "us" | "usec" | "usecs" | "usecond" | "useconds" => Unit::Micros(1),
        "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" | "msecond" | "mseconds" => Unit::Micros(1000),
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Micros(SECOND),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Micros(MINUTE),
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Micros(HOUR),
        "d" | "day" | "days" => Unit::Days(1),
        "w" | "week" | "weeks" => Unit::Days(7),
        "mon" | "mons" | "month" | "months" => Unit::Months(1),
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Months(12),
        "dec" | "decs" | "decade" | "decades" => Unit::Months(120),
        "c" | "cent" | "century" | "centuries" => Unit::Months(1200),
        "mil" | "mils" | "millennia" | "millennium" => Unit::Months(12_000),
        _ => return None,
    })
}

/// The bits of [`Sum::seen`] that hours, minutes and seconds take.
const CLOCK_FIELDS: u16 = 0b1_1111;
/// The bits of years and months.
const YEAR_MONTH_FIELDS: u16 = 0b1_1000_0000;

/// The bit of a unit.
fn field_bit(unit: &Unit) -> u16 {
    let position = match unit {
        Unit::Micros(1) => 0,
        Unit::Micros(1000) => 1,
        Unit::Micros(SECOND) => 2,
        Unit::Micros(MINUTE) => 3,
        Unit::Micros(_) => 4,
        Unit::Days(1) => 5,
        Unit::Days(_) => 6,
        Unit::Months(1) => 7,
        Unit::Months(12) => 8,
        Unit::Months(120) => 9,
        Unit::Months(1200) => 10,
        Unit::Months(_) => 11,
    };
    1 << position
}

impl Sum {
    fn mark(&mut self, fields: u16) -> Result<(), Fault> {
        if self.seen & fields != 0 {
            return Err(Fault::Format);
        }
        self.seen |= fields;
        Ok(())
    }

    fn add(&mut self, amount: Amount, unit: Unit) -> Result<(), Fault> {
        self.mark(field_bit(&unit))?;
        if !matches!(unit, Unit::Micros(_)) && amount.whole > i64::from(i32::MAX) + i64::from(amount.negative) {
            return Err(Fault::Overflow);
        }
        match unit {
            Unit::Micros(micros) => {
                let fraction = (amount.fraction * micros as f64).round_ties_even() as i128;
                self.micros += amount.signed(i128::from(amount.whole) * i128::from(micros) + fraction);
            }
            Unit::Days(days) => {
                self.days += amount.signed(i128::from(amount.whole) * i128::from(days));
                self.add_days(amount, amount.fraction * days as f64);
            }
            Unit::Months(months) => {
                self.months += amount.signed(i128::from(amount.whole) * i128::from(months));
                let fraction = amount.fraction * months as f64;
                if months == 1 {
                    self.add_days(amount, (fraction.fract() * 30.0 * 1e9).round() / 1e9);
                } else {
                    self.months += amount.signed(fraction.round_ties_even() as i128);
                }
            }
        }
        Ok(())
    }

    /// Adds a fraction of days, its own fraction as time.
    fn add_days(&mut self, amount: Amount, days: f64) {
        self.days += amount.signed(days.trunc() as i128);
        self.micros += amount.signed((days.fract() * DAY as f64).round_ties_even() as i128);
    }

    fn interval(self, ago: bool) -> Result<Interval, Fault> {
        let sign = if ago { -1 } else { 1 };
        Ok(Interval {
            months: i32::try_from(sign * self.months).map_err(|_| Fault::OutOfRange)?,
            days: i32::try_from(sign * self.days).map_err(|_| Fault::Overflow)?,
            micros: i64::try_from(sign * self.micros).map_err(|_| Fault::OutOfRange)?,
        })
    }
}

/// `[@] {amount unit | y-m | [d] h:m[:s]} [ago]`
fn parse_postgres(text: &str) -> Result<Interval, Fault> {
    let tokens = tokens(text)?;
    let mut sum = Sum::default();
    let mut ago = false;
    let mut at = 0;
    let mut seen = false;
    while let Some(token) = tokens.get(at) {
        at += 1;
        if token.eq_ignore_ascii_case("ago") && seen && at == tokens.len() {
            ago = true;
        } else if token.contains(':') {
            sum.mark(CLOCK_FIELDS)?;
            sum.micros += clock(token)?;
        } else if let Some(year_month) = parse_year_month(token)? {
            sum.mark(YEAR_MONTH_FIELDS)?;
            sum.months += year_month;
        } else {
            let amount = Amount::parse(token)?;
            match tokens.get(at) {
                Some(next) if next.contains(':') => sum.add(amount, Unit::Days(1))?,
                Some(next) if next.as_bytes()[0].is_ascii_alphabetic() && !next.eq_ignore_ascii_case("ago") => {
                    sum.add(amount, unit_of(&next.to_ascii_lowercase()).ok_or(Fault::Format)?)?;
                    at += 1;
                }
                _ => sum.add(amount, Unit::Micros(SECOND))?,
            }
        }
        seen = true;
    }
    if !seen {
        return Err(Fault::Format);
    }
    sum.interval(ago)
}

/// Numbers with their signs, words, and clock times; `1day` is two tokens.
fn tokens(text: &str) -> Result<Vec<&str>, Fault> {
    let text = text.strip_prefix('@').unwrap_or(text);
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        if bytes[at].is_ascii_whitespace() || bytes[at] == b',' {
            at += 1;
            continue;
        }
        if bytes[at].is_ascii_alphabetic() {
            at += bytes[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        } else {
            at += 1;
            if matches!(bytes[start], b'+' | b'-') {
                at += bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            }
            let inside = |byte: &u8| byte.is_ascii_digit() || matches!(*byte, b'.' | b':' | b'-');
            at += bytes[at..].iter().take_while(|byte| inside(byte)).count();
        }
        if !text.is_char_boundary(at) {
            return Err(Fault::Format);
        }
        tokens.push(&text[start..at]);
        if tokens.len() > 50 {
            return Err(Fault::Format);
        }
    }
    Ok(tokens)
}

/// `[sign] hh:mm[:ss[.ffffff]]`; hours may exceed 24. `mm:ss.f` with a fraction is minutes and seconds.
fn clock(token: &str) -> Result<i128, Fault> {
    let (negative, digits) = match token.as_bytes()[0] {
        b'-' => (true, &token[1..]),
        b'+' => (false, &token[1..]),
        _ => (false, token),
    };
    let (digits, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let parts: Vec<i64> = digits
        .split(':')
        .map(|part| {
            let numeric = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if numeric { part.parse().map_err(|_| Fault::Overflow) } else { Err(Fault::Format) }
        })
        .collect::<Result<_, _>>()?;
    let (hour, minute, second) = match (parts.as_slice(), fraction.is_empty()) {
        ([hour, minute], true) => (*hour, *minute, 0),
        ([minute, second], false) => (0, *minute, *second),
        ([hour, minute, second], _) => (*hour, *minute, *second),
        _ => return Err(Fault::Format),
    };
    if minute > 59 || second > 59 {
        return Err(Fault::Overflow);
    }
    let micros = i128::from(micros_of_fraction(fraction).ok_or(Fault::Format)?);
    let total = i128::from(hour) * i128::from(HOUR)
        + i128::from(minute) * i128::from(MINUTE)
        + i128::from(second) * i128::from(SECOND)
        + micros;
    Ok(if negative { -total } else { total })
}

/// `[sign] years-months` as months.
fn parse_year_month(token: &str) -> Result<Option<i128>, Fault> {
    let (negative, rest) = match token.as_bytes()[0] {
        b'-' => (true, &token[1..]),
        b'+' => (false, &token[1..]),
        _ => (false, token),
    };
    let Some((years, months)) = rest.split_once('-') else {
        return Ok(None);
    };
    let number = |part: &str| part.parse::<u32>().map_err(|_| Fault::Format);
    let (years, months) = (number(years)?, number(months)?);
    if months > 11 {
        return Err(Fault::Overflow);
    }
    let total = i128::from(years) * 12 + i128::from(months);
    Ok(Some(if negative { -total } else { total }))
}

/// ISO 8601: `P[nY][nM][nW][nD][T[nH][nM][nS]]`.
fn parse_iso(text: &str) -> Result<Interval, Fault> {
    let mut sum = Sum::default();
    let mut rest = &text[1..];
    let mut in_time = false;
    if rest.is_empty() {
        return Err(Fault::Format);
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(['T', 't']) {
            if in_time {
                return Err(Fault::Format);
            }
            in_time = true;
            rest = after;
            continue;
        }
        let length = rest.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+')).count();
        let amount = Amount::parse(&rest[..length])?;
        let unit = match (rest.as_bytes().get(length).map(u8::to_ascii_uppercase), in_time) {
            (Some(b'Y'), false) => Unit::Months(12),
            (Some(b'M'), false) => Unit::Months(1),
            (Some(b'W'), false) => Unit::Days(7),
            (Some(b'D'), false) => Unit::Days(1),
            (Some(b'H'), true) => Unit::Micros(HOUR),
            (Some(b'M'), true) => Unit::Micros(MINUTE),
            (Some(b'S'), true) => Unit::Micros(SECOND),
            _ => return Err(Fault::Format),
        };
        sum.add(amount, unit)?;
        rest = &rest[length + 1..];
    }
    sum.interval(false)
}

impl Ord for Interval {
    fn cmp(&self, other: &Interval) -> Ordering {
        self.comparable().cmp(&other.comparable())
    }
}

impl PartialOrd for Interval {
    fn partial_cmp(&self, other: &Interval) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Interval {
    fn eq(&self, other: &Interval) -> bool {
        self.comparable() == other.comparable()
    }
}

impl Eq for Interval {}

impl Hash for Interval {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.comparable().hash(state);
    }
}
