//! Text of numbers: `numeric_in` and `numeric_out`.

use super::round::check_scale;
use super::{MAX_INTEGER_DIGITS, Numeric, View, overflow, pow10};
use crate::error::{Error, Result, SqlState};
use num_bigint::BigInt;
use num_traits::Signed;
use std::fmt;
use std::str::FromStr;

impl FromStr for Numeric {
    type Err = Error;

    /// Reads `12.50`, `-1e-3`, `NaN`, `Infinity`; SQLSTATE 22P02 or 22003 otherwise.
    fn from_str(text: &str) -> Result<Numeric> {
        let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace());
        match parse_finite(trimmed.as_bytes()) {
            Some(result) => result,
            None => parse_special(trimmed).ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    format!("invalid input syntax for type numeric: \"{text}\""),
                )
            }),
        }
    }
}

fn parse_special(text: &str) -> Option<Numeric> {
    let (sign, word) = match text.as_bytes().first()? {
        b'+' => (Some(1), &text[1..]),
        b'-' => (Some(-1), &text[1..]),
        _ => (None, text),
    };
    if word.eq_ignore_ascii_case("nan") && sign.is_none() {
        return Some(Numeric::NAN);
    }
    if word.eq_ignore_ascii_case("infinity") || word.eq_ignore_ascii_case("inf") {
        return Some(if sign == Some(-1) { Numeric::NEG_INFINITY } else { Numeric::INFINITY });
    }
    None
}

/// `None` if the text is not `[+-] digits [. digits] [e [+-] digits]`.
fn parse_finite(text: &[u8]) -> Option<Result<Numeric>> {
    let (negative, mut rest) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let start = rest;
    let integer = leading_digits(rest);
    rest = &rest[integer..];
    let mut fraction = 0;
    if let [b'.', after @ ..] = rest {
        fraction = leading_digits(after);
        rest = &after[fraction..];
    }
    if integer + fraction == 0 {
        return None;
    }
    let exponent = match rest {
        [] => 0,
        [b'e' | b'E', after @ ..] => parse_exponent(after)?,
        _ => return None,
    };
    let digits = start[..integer].iter().chain(start[integer..].iter().skip(1).take(fraction));
    Some(assemble(negative, digits.copied(), integer + fraction, fraction as i64 - exponent))
}

fn leading_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The exponent, cut to a size that overflows anyway.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text.split_first()? {
        (b'-', rest) => (-1, rest),
        (b'+', rest) => (1, rest),
        _ => (1, text),
    };
    if digits.is_empty() || leading_digits(digits) != digits.len() {
        return None;
    }
    let value = digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1 << 40));
    Some(sign * value)
}

/// The number `digits * 10^-scale`, where `scale` may be negative.
fn assemble(negative: bool, digits: impl Iterator<Item = u8>, count: usize, scale: i64) -> Result<Numeric> {
    let result_scale = check_scale(scale.max(0))?;
    let digits: Vec<u8> = digits.skip_while(|digit| *digit == b'0').collect();
    if digits.is_empty() {
        return Ok(Numeric::new(0, result_scale as u16));
    }
    if digits.len() as i64 - scale > MAX_INTEGER_DIGITS as i64 || count as u64 > 2 * MAX_INTEGER_DIGITS {
        return Err(overflow());
    }
    let zeros = (-scale).max(0) as u32;
    if digits.len() + zeros as usize <= 38 {
        let magnitude = digits.iter().fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'));
        let coefficient = magnitude * super::POW10[zeros as usize];
        return Ok(Numeric::new(if negative { -coefficient } else { coefficient }, result_scale as u16));
    }
    let Some(magnitude) = BigInt::parse_bytes(&digits, 10) else {
        return Err(overflow());
    };
    let coefficient = magnitude * pow10(zeros);
    Numeric::from_big(if negative { -coefficient } else { coefficient }, result_scale)
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.view() {
            View::Small(coefficient, scale) => {
                let mut buffer = [0u8; 40];
                write_decimal(f, coefficient < 0, small_digits(coefficient.unsigned_abs(), &mut buffer), scale)
            }
            View::Big(coefficient, scale) => {
                write_decimal(f, coefficient.is_negative(), &coefficient.magnitude().to_string(), scale)
            }
            View::NaN => f.write_str("NaN"),
            View::Infinity => f.write_str("Infinity"),
            View::NegInfinity => f.write_str("-Infinity"),
        }
    }
}

impl fmt::Debug for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The decimal digits of `value`, at the end of `buffer`.
fn small_digits(value: u128, buffer: &mut [u8; 40]) -> &str {
    let mut at = buffer.len();
    let mut wide = value;
    while wide > u128::from(u64::MAX) {
        at -= 1;
        buffer[at] = b'0' + (wide % 10) as u8;
        wide /= 10;
    }
    let mut narrow = wide as u64;
    loop {
        at -= 1;
        buffer[at] = b'0' + (narrow % 10) as u8;
        narrow /= 10;
        if narrow == 0 {
            break;
        }
    }
    std::str::from_utf8(&buffer[at..]).unwrap_or("")
}

fn write_decimal(f: &mut fmt::Formatter<'_>, negative: bool, digits: &str, scale: u16) -> fmt::Result {
    if negative {
        f.write_str("-")?;
    }
    let scale = usize::from(scale);
    if scale == 0 {
        return f.write_str(digits);
    }
    if digits.len() > scale {
        let (integer, fraction) = digits.split_at(digits.len() - scale);
        f.write_str(integer)?;
        f.write_str(".")?;
        return f.write_str(fraction);
    }
    f.write_str("0.")?;
    for _ in digits.len()..scale {
        f.write_str("0")?;
    }
    f.write_str(digits)
}
