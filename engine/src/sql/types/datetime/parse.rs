//! Text to dates and times: everything PostgreSQL's ISO output writes, and the usual other spellings.
//!
//! ```text
//!  date       2024-02-29  20240229  2/29/2024  29-Feb-2024  Feb 29, 2024  J2460370  2024-060
//!  time       12:30  12:30:05.25  0430 after a date  4:30 PM  allballs
//!  zone       Z  +02  -05:30  +0530  CET  Europe/Berlin
//!  special    infinity  -infinity  epoch  now  today  tomorrow  yesterday   BC and AD after a date
//! ```

use super::scan::{Field, scan};
use super::zone::{Zone, abbreviation};
use super::{
    Civil, DAY, EPOCH_JULIAN, HOUR, MINUTE, SECOND, check_date, check_timestamp, days_from_civil, days_in_month,
    split_timestamp,
};
use crate::error::{Error, Result, SqlState};
use crate::sql::types::{DateOrder, TypeContext};

/// Why a text is no date; becomes PostgreSQL's message with the text and the type's name.
#[derive(Debug, PartialEq)]
enum Fault {
    Format,
    FieldOverflow,
    MonthDayOverflow,
    ZoneOverflow,
    ZoneUnknown(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Special {
    Infinity,
    NegInfinity,
    Epoch,
    Now,
    /// Midnight, days from today.
    Day(i64),
}

/// What a text was found to say.
#[derive(Default)]
struct Parsed {
    date: Option<Civil>,
    time: Option<i64>,
    zone: Option<ZoneGiven>,
    special: Option<Special>,
    numbers: Vec<i32>,
    /// The year was written with one or two digits: it lies between 1970 and 2069, unless it is before Christ.
    short_year: bool,
    /// Digits without a date are a time.
    time_only: bool,
    month_name: Option<i32>,
    year: Option<i32>,
    before_christ: bool,
    afternoon: Option<bool>,
}

enum ZoneGiven {
    Offset(i32),
    Named(Zone),
}

/// Reads a date: days since 2000-01-01.
pub fn parse_date(text: &str, ctx: &TypeContext) -> Result<i32> {
    let parsed = Parsed::read(text, false, ctx).map_err(|fault| fault.error(text, "date"))?;
    match parsed.special {
        Some(Special::Infinity) => return Ok(i32::MAX),
        Some(Special::NegInfinity) => return Ok(i32::MIN),
        Some(Special::Epoch) => return Ok(-super::UNIX_EPOCH_DAYS),
        Some(Special::Now) => return Ok(today(ctx) as i32),
        Some(Special::Day(days)) => return Ok((today(ctx) + days) as i32),
        None => {}
    }
    let Some(date) = parsed.date else {
        return Err(Fault::Format.error(text, "date"));
    };
    check_date(days_from_civil(date)).ok_or_else(|| out_of_range("date", text))
}

/// Reads a time of day: microseconds since midnight. A date before it is ignored, as in PostgreSQL.
pub fn parse_time(text: &str, ctx: &TypeContext) -> Result<i64> {
    let parsed = Parsed::read(text, true, ctx).map_err(|fault| fault.error(text, "time"))?;
    match (parsed.special, parsed.time) {
        (Some(Special::Now), _) => {
            let local = ctx.now + i64::from(ctx.zone.offset_at(ctx.now)) * SECOND;
            Ok(split_timestamp(local).1)
        }
        (None, Some(time)) => Ok(time),
        _ => Err(Fault::Format.error(text, "time")),
    }
}

/// Reads a timestamp without time zone; a zone in the text is ignored, as in PostgreSQL.
pub fn parse_timestamp(text: &str, ctx: &TypeContext) -> Result<i64> {
    let parsed = Parsed::read(text, false, ctx).map_err(|fault| fault.error(text, "timestamp"))?;
    match parsed.special {
        Some(Special::Infinity) => return Ok(i64::MAX),
        Some(Special::NegInfinity) => return Ok(i64::MIN),
        Some(Special::Epoch) => return Ok(-i64::from(super::UNIX_EPOCH_DAYS) * DAY),
        Some(Special::Now) => return Ok(ctx.now + i64::from(ctx.zone.offset_at(ctx.now)) * SECOND),
        Some(Special::Day(days)) => return Ok((today(ctx) + days) * DAY + parsed.time.unwrap_or(0)),
        None => {}
    }
    check_timestamp(parsed.local(text, "timestamp")?).ok_or_else(|| out_of_range("timestamp", text))
}

/// Reads an instant: microseconds since 2000-01-01 UTC; without a zone in the text, the session's counts.
pub fn parse_timestamptz(text: &str, ctx: &TypeContext) -> Result<i64> {
    let name = "timestamp with time zone";
    let parsed = Parsed::read(text, false, ctx).map_err(|fault| fault.error(text, name))?;
    let local = match parsed.special {
        Some(Special::Infinity) => return Ok(i64::MAX),
        Some(Special::NegInfinity) => return Ok(i64::MIN),
        Some(Special::Epoch) => return Ok(-i64::from(super::UNIX_EPOCH_DAYS) * DAY),
        Some(Special::Now) => return Ok(ctx.now),
        Some(Special::Day(days)) => (today(ctx) + days) * DAY + parsed.time.unwrap_or(0),
        None => parsed.local(text, name)?,
    };
    let offset = match &parsed.zone {
        Some(ZoneGiven::Offset(seconds)) => *seconds,
        Some(ZoneGiven::Named(zone)) => zone.offset_of_local(local),
        None => ctx.zone.offset_of_local(local),
    };
    let instant = local.checked_sub(i64::from(offset) * SECOND).and_then(check_timestamp);
    instant.ok_or_else(|| out_of_range("timestamp", text))
}

fn today(ctx: &TypeContext) -> i64 {
    i64::from(split_timestamp(ctx.now + i64::from(ctx.zone.offset_at(ctx.now)) * SECOND).0)
}

fn out_of_range(what: &str, text: &str) -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{what} out of range: \"{text}\""))
}

impl Fault {
    fn error(self, text: &str, type_name: &str) -> Error {
        match self {
            Fault::Format => Error::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type {type_name}: \"{text}\""),
            ),
            Fault::FieldOverflow => {
                Error::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{text}\""))
            }
            Fault::MonthDayOverflow => Fault::FieldOverflow
                .error(text, type_name)
                .with_hint("Perhaps you need a different \"datestyle\" setting."),
            Fault::ZoneOverflow => Error::new(
                SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                format!("time zone displacement out of range: \"{text}\""),
            ),
            Fault::ZoneUnknown(name) => {
                Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
            }
        }
    }
}

impl Parsed {
    fn read(text: &str, time_only: bool, ctx: &TypeContext) -> Result<Parsed, Fault> {
        let mut parsed = Parsed { time_only, ..Parsed::default() };
        let fields = scan(text).ok_or(Fault::Format)?;
        for (at, field) in fields.iter().enumerate() {
            match field {
                Field::Word(word) => parsed.word(word, fields.get(at + 1))?,
                Field::Number(number) => parsed.number(number, fields.get(at.wrapping_sub(1)))?,
                Field::Date(parts) => parsed.joined_date(parts, ctx.date_order)?,
                Field::Time(time) => set(&mut parsed.time, clock(time)?)?,
                Field::Offset(negative, offset) => parsed.offset(*negative, offset)?,
            }
        }
        parsed.finish(ctx.date_order)?;
        Ok(parsed)
    }

    /// The local timestamp of a date with or without a time; its range is checked once the zone is known.
    fn local(&self, text: &str, name: &str) -> Result<i64> {
        let Some(date) = self.date else {
            return Err(Fault::Format.error(text, name));
        };
        let days = days_from_civil(date);
        days.checked_mul(DAY)
            .and_then(|midnight| midnight.checked_add(self.time.unwrap_or(0)))
            .ok_or_else(|| out_of_range("timestamp", text))
    }

    fn word(&mut self, word: &str, next: Option<&Field<'_>>) -> Result<(), Fault> {
        let lower = word.to_ascii_lowercase();
        if let Some(month) = month_of(&lower) {
            return set(&mut self.month_name, month);
        }
        match lower.as_str() {
            "bc" | "ad" => self.before_christ = lower == "bc",
            "am" | "pm" => set(&mut self.afternoon, lower == "pm")?,
            "t" if matches!(next, Some(Field::Time(_) | Field::Number(_))) => {}
            "j" if matches!(next, Some(Field::Number(_))) => self.year = Some(i32::MIN),
            "at" | "on" => {}
            "infinity" => set(&mut self.special, Special::Infinity)?,
            "-infinity" => set(&mut self.special, Special::NegInfinity)?,
            "epoch" => set(&mut self.special, Special::Epoch)?,
            "now" => set(&mut self.special, Special::Now)?,
            "today" => set(&mut self.special, Special::Day(0))?,
            "tomorrow" => set(&mut self.special, Special::Day(1))?,
            "yesterday" => set(&mut self.special, Special::Day(-1))?,
            "allballs" => set(&mut self.time, 0)?,
            day if is_weekday(day) => {}
            _ => self.zone_word(word)?,
        }
        Ok(())
    }

    fn zone_word(&mut self, word: &str) -> Result<(), Fault> {
        let zone = match abbreviation(word) {
            Some(seconds) => ZoneGiven::Offset(seconds),
            None if word.contains('/') => {
                ZoneGiven::Named(Zone::by_name(word).map_err(|_| Fault::ZoneUnknown(word.to_ascii_lowercase()))?)
            }
            None => match Zone::by_name(word) {
                Ok(zone) if word.len() > 2 => ZoneGiven::Named(zone),
                _ => return Err(Fault::Format),
            },
        };
        if self.zone.is_some() {
            return Err(Fault::Format);
        }
        self.zone = Some(zone);
        Ok(())
    }

    fn number(&mut self, number: &str, previous: Option<&Field<'_>>) -> Result<(), Fault> {
        if self.year == Some(i32::MIN) {
            return self.julian(number);
        }
        let (digits, fraction) = number.split_once('.').unwrap_or((number, ""));
        let after_mark = matches!(previous, Some(Field::Word(word)) if word.eq_ignore_ascii_case("t"));
        let dated = self.date.is_some() || (self.month_name.is_some() && self.numbers.len() >= 2);
        if (after_mark || dated || self.time_only) && self.time.is_none() && matches!(digits.len(), 4 | 6) {
            return set(&mut self.time, compact_clock(digits, fraction)?);
        }
        if digits.len() == 4 && fraction.len() == 3 && self.date.is_none() {
            self.date = Some(day_of_year(small(digits)?, small(fraction)?).ok_or(Fault::FieldOverflow)?);
            return Ok(());
        }
        if !fraction.is_empty() {
            return Err(Fault::Format);
        }
        match digits.len() {
            8 if self.date.is_none() && self.numbers.is_empty() => {
                let part = |range: std::ops::Range<usize>| small(&digits[range]);
                self.date = Some(Civil { year: part(0..4)?, month: part(4..6)?, day: part(6..8)? });
                Ok(())
            }
            6 if self.date.is_none() && self.numbers.is_empty() && self.month_name.is_none() => {
                let part = |range: std::ops::Range<usize>| small(&digits[range]);
                self.short_year = true;
                self.date = Some(Civil { year: part(0..2)?, month: part(2..4)?, day: part(4..6)? });
                Ok(())
            }
            3.. if self.year.is_none() && self.date.is_none() => {
                self.year = Some(small(digits)?);
                Ok(())
            }
            1 | 2 if self.numbers.len() < 3 && self.date.is_none() => {
                self.numbers.push(small(digits)?);
                Ok(())
            }
            // 4 PM
            1 | 2 if self.time.is_none() => set(&mut self.time, i64::from(small(digits)?) * HOUR),
            _ => Err(Fault::Format),
        }
    }

    fn julian(&mut self, number: &str) -> Result<(), Fault> {
        let day = small(number)?;
        self.year = None;
        self.date = Some(super::civil_from_days(day.checked_sub(EPOCH_JULIAN).ok_or(Fault::FieldOverflow)?));
        Ok(())
    }

    fn joined_date(&mut self, parts: &[&str], order: DateOrder) -> Result<(), Fault> {
        if self.date.is_some() {
            return Err(Fault::Format);
        }
        let month_at = parts.iter().position(|part| part.bytes().all(|byte| byte.is_ascii_alphabetic()));
        let date = match (month_at, parts) {
            (Some(at), [_, _, _]) => {
                let month = month_of(&parts[at].to_ascii_lowercase()).ok_or(Fault::Format)?;
                let others: Vec<&str> = (0..3).filter(|part| *part != at).map(|part| parts[part]).collect();
                let (day, year) = if others[0].len() > 2 { (others[1], others[0]) } else { (others[0], others[1]) };
                self.short_year = year.len() <= 2;
                Civil { year: small(year)?, month, day: small(day)? }
            }
            (None, [year, day]) if year.len() >= 4 && day.len() == 3 => {
                day_of_year(small(year)?, small(day)?).ok_or(Fault::FieldOverflow)?
            }
            (None, [first, second, third]) => {
                let year = if first.len() > 2 || order == DateOrder::Ymd { first } else { third };
                self.short_year = year.len() <= 2;
                ordered(first, second, third, order)?
            }
            _ => return Err(Fault::Format),
        };
        self.date = Some(date);
        Ok(())
    }

    fn offset(&mut self, negative: bool, offset: &str) -> Result<(), Fault> {
        // A sign after a date and before the time separates nothing: PostgreSQL reads it as a zone too.
        let seconds = offset_seconds(offset)?;
        let named_zero = matches!(self.zone, Some(ZoneGiven::Offset(0)));
        if self.zone.is_some() && !named_zero {
            return Err(Fault::Format);
        }
        self.zone = Some(ZoneGiven::Offset(if negative { -seconds } else { seconds }));
        Ok(())
    }

    /// Puts numbers and names together and checks the ranges.
    fn finish(&mut self, order: DateOrder) -> Result<(), Fault> {
        self.assemble_date(order)?;
        self.apply_afternoon()?;
        if let Some(date) = &mut self.date {
            if self.before_christ {
                if date.year <= 0 {
                    return Err(Fault::FieldOverflow);
                }
                date.year = 1 - date.year;
            } else if self.short_year {
                date.year = widen_year(date.year);
            } else if date.year == 0 {
                return Err(Fault::FieldOverflow);
            }
            if !(1..=12).contains(&date.month) || !(1..=31).contains(&date.day) {
                return Err(Fault::MonthDayOverflow);
            }
            if date.day > days_in_month(date.year, date.month) {
                return Err(Fault::FieldOverflow);
            }
            if self.special.is_some() {
                return Err(Fault::Format);
            }
        } else if self.before_christ {
            return Err(Fault::Format);
        }
        Ok(())
    }

    fn assemble_date(&mut self, order: DateOrder) -> Result<(), Fault> {
        let date = match (self.month_name, self.year, self.numbers.as_slice()) {
            (None, None, []) => return Ok(()),
            (Some(month), Some(year), [day]) => Civil { year, month, day: *day },
            (Some(month), None, [day, year]) => {
                self.short_year = true;
                Civil { year: *year, month, day: *day }
            }
            (None, Some(year), [first, second]) => {
                let (month, day) = if order == DateOrder::Dmy { (*second, *first) } else { (*first, *second) };
                Civil { year, month, day }
            }
            _ => return Err(Fault::Format),
        };
        if self.date.is_some() {
            return Err(Fault::Format);
        }
        self.date = Some(date);
        Ok(())
    }

    fn apply_afternoon(&mut self) -> Result<(), Fault> {
        let Some(afternoon) = self.afternoon else {
            return Ok(());
        };
        let Some(time) = &mut self.time else {
            return Err(Fault::Format);
        };
        let hour = *time / HOUR;
        if !(0..=12).contains(&hour) {
            return Err(Fault::FieldOverflow);
        }
        if afternoon && hour != 12 {
            *time += 12 * HOUR;
        } else if !afternoon && hour == 12 {
            *time -= 12 * HOUR;
        }
        Ok(())
    }
}

fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), Fault> {
    if slot.is_some() {
        return Err(Fault::Format);
    }
    *slot = Some(value);
    Ok(())
}

fn small(digits: &str) -> Result<i32, Fault> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Format);
    }
    digits.parse().map_err(|_| Fault::FieldOverflow)
}

/// 70 to 99 are of the last century.
fn widen_year(year: i32) -> i32 {
    if year < 70 { year + 2000 } else { year + 1900 }
}

fn ordered(first: &str, second: &str, third: &str, order: DateOrder) -> Result<Civil, Fault> {
    if first.len() > 2 {
        return Ok(Civil { year: small(first)?, month: small(second)?, day: small(third)? });
    }
    Ok(match order {
        DateOrder::Mdy => Civil { year: small(third)?, month: small(first)?, day: small(second)? },
        DateOrder::Dmy => Civil { year: small(third)?, month: small(second)?, day: small(first)? },
        DateOrder::Ymd => Civil { year: small(first)?, month: small(second)?, day: small(third)? },
    })
}

fn day_of_year(year: i32, day: i32) -> Option<Civil> {
    // Day 366 of a common year is the first of the next, as PostgreSQL reads it.
    if !(1..=366).contains(&day) {
        return None;
    }
    let start = days_from_civil(Civil { year, month: 1, day: 1 });
    Some(super::civil_from_days(i32::try_from(start + i64::from(day) - 1).ok()?))
}

fn month_of(word: &str) -> Option<i32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if word == "sept" {
        return Some(9);
    }
    let found = MONTHS.iter().position(|month| *month == word || (word.len() == 3 && month.starts_with(word)))?;
    Some(found as i32 + 1)
}

fn is_weekday(word: &str) -> bool {
    const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    word.len() >= 3 && DAYS.iter().any(|day| *day == word || (word.len() <= 5 && day.starts_with(word)))
}

/// `hh:mm[:ss[.ffffff]]`, 24:00:00 included.
fn clock(text: &str) -> Result<i64, Fault> {
    let mut parts = text.split(':');
    let hour = small(parts.next().unwrap_or(""))?;
    let (minute, minute_fraction) = split_fraction(parts.next().ok_or(Fault::Format)?)?;
    let (second, micros) = match parts.next() {
        Some(seconds) => split_fraction(seconds)?,
        None => (0, 0),
    };
    if parts.next().is_some() || minute_fraction != 0 {
        return Err(Fault::Format);
    }
    of_clock(hour, minute, second, micros)
}

fn compact_clock(digits: &str, fraction: &str) -> Result<i64, Fault> {
    let second = if digits.len() == 6 { small(&digits[4..6])? } else { 0 };
    of_clock(small(&digits[..2])?, small(&digits[2..4])?, second, micros_of(fraction)?)
}

fn of_clock(hour: i32, minute: i32, second: i32, micros: i64) -> Result<i64, Fault> {
    let in_range = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    let time = i64::from(hour) * HOUR + i64::from(minute) * MINUTE + i64::from(second) * SECOND + micros;
    if in_range && time <= DAY { Ok(time) } else { Err(Fault::FieldOverflow) }
}

fn split_fraction(text: &str) -> Result<(i32, i64), Fault> {
    match text.split_once('.') {
        Some((whole, fraction)) => Ok((small(whole)?, micros_of(fraction)?)),
        None => Ok((small(text)?, 0)),
    }
}

/// The first six digits count, rounded by the seventh.
pub(super) fn micros_of_fraction(fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut micros = 0;
    for at in 0..6 {
        micros = micros * 10 + fraction.as_bytes().get(at).map_or(0, |digit| i64::from(digit - b'0'));
    }
    let up = fraction.as_bytes().get(6).is_some_and(|digit| *digit >= b'5');
    Some(micros + i64::from(up))
}

fn micros_of(fraction: &str) -> Result<i64, Fault> {
    micros_of_fraction(fraction).ok_or(Fault::Format)
}

/// `hh`, `hhmm`, `hh:mm` or `hh:mm:ss` as seconds.
fn offset_seconds(text: &str) -> Result<i32, Fault> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [digits] if digits.len() == 4 => (small(&digits[..2])?, small(&digits[2..])?, 0),
        [digits] if digits.len() <= 2 => (small(digits)?, 0, 0),
        [hour, minute] => (small(hour)?, small(minute)?, 0),
        [hour, minute, second] => (small(hour)?, small(minute)?, small(second)?),
        _ => return Err(Fault::ZoneOverflow),
    };
    if hour > 15 || minute > 59 || second > 59 {
        return Err(Fault::ZoneOverflow);
    }
    Ok(hour * 3600 + minute * 60 + second)
}
