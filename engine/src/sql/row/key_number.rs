//! Numeric columns of keys.
//!
//! ```text
//!  b0 -Infinity   b1 negative   b2 zero   b3 positive   b4 Infinity   b5 NaN
//!  positive       b3, exponent as an integer column, digits, 00
//!  negative       b1, then the same bytes inverted
//!
//!  |value| = 0.d1 d2 d3 ... * 10^exponent      d1 is not 0; no trailing zeros
//!  digits in pairs, one byte each: 2 * pair + 1; at the end of an odd number a zero fills the pair
//! ```
//! Equal numbers have equal digits, so their scales do not show; the order of the exponents, then of the digits, is the
//! order of the magnitudes.

use super::cursor::{Cursor, damaged};
use super::key::{int, put_int};
use crate::error::Result;
use crate::sql::types::Numeric;
use crate::sql::types::numeric::{MAX_INTEGER_DIGITS, MAX_SCALE, View};
use num_bigint::BigInt;
use num_traits::Signed;

const NEG_INFINITY: u8 = 0xb0;
const NEGATIVE: u8 = 0xb1;
const ZERO: u8 = 0xb2;
const POSITIVE: u8 = 0xb3;
const INFINITY: u8 = 0xb4;
const NAN: u8 = 0xb5;
const END: u8 = 0x00;

/// Appends a number.
pub(super) fn encode(number: &Numeric, out: &mut Vec<u8>) {
    match number.view() {
        View::Small(0, _) => out.push(ZERO),
        View::Small(coefficient, scale) => {
            let mut buffer = [0u8; 40];
            encode_digits(coefficient < 0, small_digits(coefficient.unsigned_abs(), &mut buffer), scale, out);
        }
        View::Big(coefficient, scale) => {
            let digits: Vec<u8> = coefficient.magnitude().to_string().bytes().map(|byte| byte - b'0').collect();
            encode_digits(coefficient.is_negative(), &digits, scale, out);
        }
        View::NaN => out.push(NAN),
        View::Infinity => out.push(INFINITY),
        View::NegInfinity => out.push(NEG_INFINITY),
    }
}

/// The decimal digits of a positive number, as numbers, at the end of `buffer`.
fn small_digits(value: u128, buffer: &mut [u8; 40]) -> &[u8] {
    let mut at = buffer.len();
    let mut rest = value;
    while rest > u128::from(u64::MAX) {
        at -= 1;
        buffer[at] = (rest % 10) as u8;
        rest /= 10;
    }
    let mut rest = rest as u64;
    while rest > 0 {
        at -= 1;
        buffer[at] = (rest % 10) as u8;
        rest /= 10;
    }
    &buffer[at..]
}

fn encode_digits(negative: bool, digits: &[u8], scale: u16, out: &mut Vec<u8>) {
    let exponent = digits.len() as i64 - i64::from(scale);
    let zeros = digits.iter().rev().take_while(|digit| **digit == 0).count();
    let digits = &digits[..digits.len() - zeros];
    out.push(if negative { NEGATIVE } else { POSITIVE });
    let start = out.len();
    put_int(exponent, out);
    for pair in digits.chunks(2) {
        out.push(2 * (10 * pair[0] + pair.get(1).copied().unwrap_or(0)) + 1);
    }
    out.push(END);
    if negative {
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
    }
}

/// Reads a number. With a scale (of the column's type) it is filled up with zeros to that, otherwise it has none.
pub(super) fn decode(cursor: &mut Cursor<'_>, typmod: Option<(u16, i16)>) -> Result<Numeric> {
    let scale = typmod.map_or(0, |(_, scale)| scale.max(0) as u16);
    match cursor.byte()? {
        ZERO => Ok(Numeric::new(0, scale)),
        NEG_INFINITY => Ok(Numeric::NEG_INFINITY),
        INFINITY => Ok(Numeric::INFINITY),
        NAN => Ok(Numeric::NAN),
        POSITIVE => finite(cursor, scale),
        NEGATIVE => {
            let length = negative_length(*cursor)?;
            let inverted: Vec<u8> = cursor.take(length)?.iter().map(|byte| !byte).collect();
            Ok(finite(&mut Cursor(&inverted), scale)?.neg())
        }
        _ => Err(damaged()),
    }
}

/// Skips a number.
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Result<()> {
    match cursor.byte()? {
        POSITIVE => {
            int(cursor)?;
            let end = cursor.0.iter().position(|byte| *byte == END).ok_or_else(damaged)?;
            cursor.take(end + 1).map(|_| ())
        }
        NEGATIVE => {
            let length = negative_length(*cursor)?;
            cursor.take(length).map(|_| ())
        }
        ZERO | NEG_INFINITY | INFINITY | NAN => Ok(()),
        _ => Err(damaged()),
    }
}

/// Bytes of a negative number after its first.
fn negative_length(cursor: Cursor<'_>) -> Result<usize> {
    let head: Vec<u8> = cursor.0.iter().take(9).map(|byte| !byte).collect();
    let mut exponent = Cursor(&head);
    int(&mut exponent)?;
    let used = head.len() - exponent.0.len();
    let end = cursor.0[used..].iter().position(|byte| *byte == !END).ok_or_else(damaged)?;
    Ok(used + end + 1)
}

fn finite(cursor: &mut Cursor<'_>, least_scale: u16) -> Result<Numeric> {
    let exponent = int(cursor)?;
    let end = cursor.0.iter().position(|byte| *byte == END).ok_or_else(damaged)?;
    let pairs = cursor.take(end)?;
    cursor.byte()?;
    if pairs.is_empty() || exponent > MAX_INTEGER_DIGITS as i64 || exponent < -i64::from(MAX_SCALE) {
        return Err(damaged());
    }
    let mut digits = Vec::with_capacity(2 * pairs.len());
    for pair in pairs {
        let value = pair >> 1;
        if pair & 1 == 0 || value > 99 {
            return Err(damaged());
        }
        digits.extend([value / 10, value % 10]);
    }
    if digits.last() == Some(&0) {
        digits.pop();
    }
    let scale = (digits.len() as i64 - exponent).max(i64::from(least_scale));
    let zeros = (scale + exponent - digits.len() as i64).max(0) as usize;
    let scale = u16::try_from(scale).map_err(|_| damaged())?;
    if digits.len() + zeros <= 38 {
        let coefficient = digits.iter().fold(0i128, |value, digit| value * 10 + i128::from(*digit));
        return Ok(Numeric::new(coefficient * 10i128.pow(zeros as u32), scale));
    }
    digits.resize(digits.len() + zeros, 0);
    let text: Vec<u8> = digits.iter().map(|digit| digit + b'0').collect();
    let coefficient = BigInt::parse_bytes(&text, 10).ok_or_else(damaged)?;
    Numeric::from_big(coefficient, u32::from(scale)).map_err(|_| damaged())
}
