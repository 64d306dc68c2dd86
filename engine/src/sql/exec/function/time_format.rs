//! `to_char`, `to_date`, `to_timestamp` and `to_number`: the patterns that applications use.
//!
//! ```text
//!   YYYY YY MM Mon Month DD DDD HH HH12 HH24 MI SS MS US AM PM Dy Day D Q TZ "quoted"      FM before a pattern: no padding
//!   9 0 . , D G S MI                                                                       numbers
//! ```
//! Any other pattern letter is refused rather than copied.

use super::{Call, text_value};
use crate::error::{Error, Result, SqlState};
use crate::sql::types::datetime::{
    Civil, civil_from_days, date_to_timestamp, days_from_civil, make_date, split_timestamp, utc_to_local,
};
use crate::sql::types::{Numeric, Value};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Patterns, the longer before the shorter that they begin with.
const PATTERNS: [&str; 28] = [
    "YYYY", "YYY", "YY", "MONTH", "MON", "MM", "MI", "MS", "DDD", "DAY", "DD", "DY", "D", "HH24", "HH12", "HH", "SSSS",
    "SS", "US", "AM", "PM", "Q", "WW", "IYYY", "IW", "TZ", "CC", "J",
];

enum Piece {
    Pattern { name: &'static str, written: String, bare: bool },
    Literal(char),
}

fn pieces(format: &str) -> Result<Vec<Piece>> {
    let mut out = Vec::new();
    let mut rest = format;
    let mut bare = false;
    while let Some(first) = rest.chars().next() {
        let upper: String = rest.chars().take(5).collect::<String>().to_ascii_uppercase();
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            out.extend(quoted[..end].chars().map(Piece::Literal));
            rest = quoted.get(end + 1..).unwrap_or_default();
        } else if upper.starts_with("FM") {
            bare = true;
            rest = &rest[2..];
        } else if let Some(name) = PATTERNS.iter().find(|name| upper.starts_with(**name)) {
            let written = rest[..name.len()].to_owned();
            out.push(Piece::Pattern { name, written, bare: std::mem::take(&mut bare) });
            rest = &rest[name.len()..];
            for suffix in ["TH", "th"] {
                rest = rest.strip_prefix(suffix).unwrap_or(rest);
            }
        } else if first.is_ascii_alphabetic() && first != 'T' && first != 'Z' {
            return Err(Error::unsupported(
                format!("pattern \"{rest}\" of a date format is not supported"),
                "Use extract() and concatenation, or quote literal text with double quotes.",
            ));
        } else {
            out.push(Piece::Literal(first));
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(out)
}

/// `to_char(value, format)`
pub fn to_char(call: &Call<'_>) -> Result<Value> {
    let format = call.text(1);
    let local = match &call.args[0] {
        Value::Timestamp(micros) => *micros,
        Value::Timestamptz(micros) => utc_to_local(*micros, &call.env.types.zone),
        Value::Interval(interval) => interval.micros,
        _ => return number_to_char(call, format).map(text_value),
    };
    let mut out = String::new();
    for piece in pieces(format)? {
        match piece {
            Piece::Literal(c) => out.push(c),
            Piece::Pattern { name, written, bare } => {
                out.push_str(&field(name, &written, bare, local, call.env.types.zone.name()));
            }
        }
    }
    Ok(text_value(out))
}

fn padded(value: i64, width: usize, bare: bool) -> String {
    if bare { value.to_string() } else { format!("{value:0width$}") }
}

fn field(name: &str, written: &str, bare: bool, local: i64, zone: &str) -> String {
    let (days, micros) = split_timestamp(local);
    let date = civil_from_days(days);
    let second = micros / 1_000_000;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let weekday = (i64::from(days) + 6).rem_euclid(7);
    let number = |value: i64, width| padded(value, width, bare);
    match name {
        "YYYY" | "IYYY" => number(i64::from(date.year), 4),
        "YYY" => number(i64::from(date.year) % 1_000, 3),
        "YY" => number(i64::from(date.year) % 100, 2),
        "CC" => number((i64::from(date.year) + 99) / 100, 2),
        "MM" => number(i64::from(date.month), 2),
        "MONTH" => named(MONTHS[(date.month - 1) as usize], written, if bare { 0 } else { 9 }),
        "MON" => named(&MONTHS[(date.month - 1) as usize][..3], written, 0),
        "DD" => number(i64::from(date.day), 2),
        "DDD" => number(day_of_year(date, days), 3),
        "WW" => number((day_of_year(date, days) - 1) / 7 + 1, 2),
        "IW" => number(iso_week(days), 2),
        "J" => (i64::from(days) + 2_451_545).to_string(),
        "DAY" => named(DAYS[weekday as usize], written, if bare { 0 } else { 9 }),
        "DY" => named(&DAYS[weekday as usize][..3], written, 0),
        "D" => (weekday + 1).to_string(),
        "Q" => ((date.month - 1) / 3 + 1).to_string(),
        "HH24" => number(hour, 2),
        "HH12" | "HH" => number((hour + 11) % 12 + 1, 2),
        "MI" => number(minute, 2),
        "SSSS" => second.to_string(),
        "SS" => number(second % 60, 2),
        "MS" => padded(micros / 1_000 % 1_000, 3, false),
        "US" => padded(micros % 1_000_000, 6, false),
        "AM" | "PM" => named(if hour < 12 { "AM" } else { "PM" }, written, 0),
        "TZ" => zone.to_owned(),
        _ => String::new(),
    }
}

/// Monday is day 1; week 1 holds the year's first Thursday.
fn iso_week(days: i32) -> i64 {
    let thursday = i64::from(days) + 3 - (i64::from(days) + 5).rem_euclid(7);
    let year = civil_from_days(thursday as i32).year;
    (thursday - days_from_civil(Civil { year, month: 1, day: 1 })) / 7 + 1
}

fn day_of_year(date: Civil, days: i32) -> i64 {
    i64::from(days) - days_from_civil(Civil { month: 1, day: 1, ..date }) + 1
}

/// A name in the case in which its pattern is written.
fn named(name: &str, written: &str, width: usize) -> String {
    let second_upper = written.chars().nth(1).is_some_and(|c| c.is_ascii_uppercase());
    let first_upper = written.starts_with(|c: char| c.is_ascii_uppercase());
    let cased = match (first_upper, second_upper) {
        (true, true) => name.to_uppercase(),
        (true, false) => name.to_owned(),
        _ => name.to_lowercase(),
    };
    format!("{cased:width$}")
}

/// `to_timestamp(text, format)`: microseconds of the local time.
pub fn to_timestamp(call: &Call<'_>) -> Result<i64> {
    let text = call.text(0);
    let mut parts = Parts { rest: text, year: 1, month: 1, day: 1, micros: 0, afternoon: None };
    for piece in pieces(call.text(1))? {
        match piece {
            Piece::Literal(c) => parts.rest = parts.rest.strip_prefix(c).unwrap_or(parts.rest.trim_start()),
            Piece::Pattern { name, .. } => parts.take(name, text)?,
        }
    }
    let mut micros = parts.micros;
    const NOON: i64 = 12 * 3_600_000_000;
    match parts.afternoon {
        Some(true) if micros < NOON => micros += NOON,
        Some(false) if micros >= NOON => micros -= NOON,
        _ => {}
    }
    Ok(date_to_timestamp(make_date(parts.year, parts.month, parts.day)?)? + micros)
}

struct Parts<'a> {
    rest: &'a str,
    year: i32,
    month: i32,
    day: i32,
    micros: i64,
    afternoon: Option<bool>,
}

impl Parts<'_> {
    fn number(&mut self, width: usize, whole: &str) -> Result<i64> {
        let text = self.rest.trim_start();
        let digits = text.bytes().take(width).take_while(u8::is_ascii_digit).count();
        let number = text[..digits].parse().map_err(|_| {
            Error::new(SqlState::INVALID_DATETIME_FORMAT, format!("invalid value \"{text}\" for \"{whole}\""))
        })?;
        self.rest = &text[digits..];
        Ok(number)
    }

    fn take(&mut self, name: &str, whole: &str) -> Result<()> {
        match name {
            "YYYY" => self.year = self.number(4, whole)? as i32,
            "YY" => {
                let year = self.number(2, whole)? as i32;
                self.year = year + if year < 70 { 2_000 } else { 1_900 };
            }
            "MM" => self.month = self.number(2, whole)? as i32,
            "MON" | "MONTH" => self.month_name(name, whole)?,
            "DD" => self.day = self.number(2, whole)? as i32,
            "HH24" | "HH12" | "HH" => self.micros += self.number(2, whole)? * 3_600_000_000,
            "MI" => self.micros += self.number(2, whole)? * 60_000_000,
            "SS" => self.micros += self.number(2, whole)? * 1_000_000,
            "MS" => self.micros += self.number(3, whole)? * 1_000,
            "US" => self.micros += self.number(6, whole)?,
            "AM" | "PM" => {
                let word: String = self.rest.trim_start().chars().take(2).collect::<String>().to_ascii_uppercase();
                self.afternoon = Some(word == "PM");
                self.rest = self.rest.trim_start().get(2..).unwrap_or_default();
            }
            other => {
                return Err(Error::unsupported(
                    format!("pattern \"{other}\" is not supported for reading dates"),
                    "Use YYYY, MM, DD, HH24, MI, SS, MS, US, AM, Mon.",
                ));
            }
        }
        Ok(())
    }

    fn month_name(&mut self, pattern: &str, whole: &str) -> Result<()> {
        let text = self.rest.trim_start().to_ascii_lowercase();
        let length = |name: &str| if pattern == "MON" { 3 } else { name.len() };
        let found = MONTHS.iter().position(|name| text.starts_with(&name[..length(name)].to_ascii_lowercase()));
        let place = found.ok_or_else(|| {
            Error::new(SqlState::INVALID_DATETIME_FORMAT, format!("invalid value \"{text}\" for \"{whole}\""))
        })?;
        self.month = place as i32 + 1;
        self.rest = self.rest.trim_start().get(length(MONTHS[place])..).unwrap_or_default();
        Ok(())
    }
}

/// `to_char(number, format)`
fn number_to_char(call: &Call<'_>, format: &str) -> Result<String> {
    let number = match &call.args[0] {
        Value::Float8(value) => Numeric::from_f64(*value),
        Value::Float4(value) => Numeric::from_f32(*value),
        _ => call.number(0).unwrap_or_default(),
    };
    let bare = format.to_ascii_uppercase().starts_with("FM");
    let pattern = if bare { &format[2..] } else { format };
    if let Some(bad) = pattern.chars().find(|c| !"90.,DGSMI -$".contains(c.to_ascii_uppercase())) {
        return Err(Error::unsupported(
            format!("pattern \"{bad}\" of a number format is not supported"),
            "Use 9, 0, a period, commas, S, MI and FM.",
        ));
    }
    let upper = pattern.to_ascii_uppercase();
    let (whole, fraction) = upper.split_once(['.', 'D']).unwrap_or((&upper, ""));
    let is_digit = |c: &char| matches!(c, '9' | '0');
    let scale = fraction.chars().filter(is_digit).count();
    let rounded = number.round(scale as i32)?.abs().to_string();
    let (digits, decimals) = rounded.split_once('.').unwrap_or((&rounded, ""));
    let places = whole.chars().filter(is_digit).count();
    if digits.len() > places {
        return Ok(format!("{}{}", " ".repeat(usize::from(!bare)), whole.replace(['9', '0'], "#")));
    }
    let mut body = fill_digits(whole, digits, bare);
    if scale > 0 {
        body.push('.');
        body.push_str(decimals);
    }
    let negative = number.signum() < 0;
    let sign = if negative {
        "-"
    } else if upper.contains('S') {
        "+"
    } else if bare {
        ""
    } else {
        " "
    };
    let at = body.len() - body.trim_start().len();
    body.insert_str(at, sign);
    Ok(body)
}

/// Digits into the places of a pattern; leading 9s become blanks.
fn fill_digits(pattern: &str, digits: &str, bare: bool) -> String {
    let places: Vec<char> = pattern.chars().filter(|c| matches!(c, '9' | '0' | ',' | 'G')).collect();
    let mut out: Vec<char> = Vec::new();
    let mut left = digits.chars().rev().filter(|_| digits != "0" || pattern.contains('0')).peekable();
    let zeros = places.iter().position(|c| *c == '0').unwrap_or(places.len());
    for (index, place) in places.iter().enumerate().rev() {
        match place {
            ',' | 'G' if left.peek().is_some() || index > zeros => out.push(','),
            ',' | 'G' if !bare => out.push(' '),
            ',' | 'G' => {}
            _ => match left.next() {
                Some(digit) => out.push(digit),
                None if index >= zeros => out.push('0'),
                None if !bare => out.push(' '),
                None => {}
            },
        }
    }
    out.iter().rev().collect()
}

/// `to_number(text, format)`: the digits, sign and point of the text.
pub fn to_number(call: &Call<'_>) -> Result<Value> {
    let kept: String = call.text(0).chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | '-')).collect();
    let number: Numeric = kept.parse().map_err(|_| {
        Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type numeric: \"{}\"", call.text(0)),
        )
    })?;
    Ok(Value::Numeric(number))
}
