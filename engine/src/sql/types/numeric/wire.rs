//! The binary format of numbers on the wire, PostgreSQL's `numeric_send` and `numeric_recv`.
//!
//! ```text
//!  i16 digits   i16 weight of the first digit   u16 sign   i16 display scale   digits in base 10000, i16 each
//!  sign: 0000 plus, 4000 minus, c000 NaN, d000 Infinity, f000 -Infinity
//! ```

use super::{MAX_INTEGER_DIGITS, MAX_SCALE, Numeric, View, pow10};
use crate::error::{Error, Result, SqlState};
use num_bigint::BigInt;
use num_traits::Signed;

const MINUS: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEG_INFINITY: u16 = 0xf000;

impl Numeric {
    /// Appends the wire format.
    pub fn encode_wire(&self, out: &mut Vec<u8>) {
        let special = match self.view() {
            View::Small(..) | View::Big(..) => return self.encode_finite(out),
            View::NaN => NAN,
            View::Infinity => INFINITY,
            View::NegInfinity => NEG_INFINITY,
        };
        let scale: u16 = if special == NAN { 0 } else { 0x20 };
        for word in [0, 0, special, scale] {
            out.extend_from_slice(&word.to_be_bytes());
        }
    }

    fn encode_finite(&self, out: &mut Vec<u8>) {
        let (negative, text, scale) = match self.view() {
            View::Small(coefficient, scale) => (coefficient < 0, coefficient.unsigned_abs().to_string(), scale),
            View::Big(coefficient, scale) => (coefficient.is_negative(), coefficient.magnitude().to_string(), scale),
            _ => return,
        };
        let (weight, digits) = base_10000(text.as_bytes(), usize::from(scale));
        out.extend_from_slice(&(digits.len() as u16).to_be_bytes());
        out.extend_from_slice(&weight.to_be_bytes());
        out.extend_from_slice(&(if negative { MINUS } else { 0 }).to_be_bytes());
        out.extend_from_slice(&scale.to_be_bytes());
        for digit in digits {
            out.extend_from_slice(&digit.to_be_bytes());
        }
    }

    /// Reads the wire format; SQLSTATE 22P03 for anything else.
    pub fn decode_wire(bytes: &[u8]) -> Result<Numeric> {
        let word = |at: usize| -> Option<u16> {
            let pair = bytes.get(2 * at..2 * at + 2)?;
            Some(u16::from_be_bytes([pair[0], pair[1]]))
        };
        let (Some(count), Some(weight), Some(sign), Some(scale)) = (word(0), word(1), word(2), word(3)) else {
            return Err(invalid("insufficient data left in message"));
        };
        match sign {
            0 | MINUS => {}
            NAN => return Ok(Numeric::NAN),
            INFINITY => return Ok(Numeric::INFINITY),
            NEG_INFINITY => return Ok(Numeric::NEG_INFINITY),
            _ => return Err(invalid("invalid sign in external \"numeric\" value")),
        }
        if u32::from(scale) > MAX_SCALE {
            return Err(invalid("invalid scale in external \"numeric\" value"));
        }
        if bytes.len() != 8 + 2 * usize::from(count) {
            return Err(invalid("incorrect binary data format"));
        }
        let digits = (0..usize::from(count)).map(|at| word(4 + at).unwrap_or(u16::MAX));
        decode_digits(digits, count, weight as i16, sign == MINUS, scale)
    }
}

fn decode_digits(
    digits: impl Iterator<Item = u16>,
    count: u16,
    weight: i16,
    negative: bool,
    scale: u16,
) -> Result<Numeric> {
    let mut text = Vec::with_capacity(4 * usize::from(count) + 1);
    text.push(b'0');
    for digit in digits {
        if digit > 9999 {
            return Err(invalid("invalid digit in external \"numeric\" value"));
        }
        for unit in [1000, 100, 10, 1] {
            text.push(b'0' + (digit / unit % 10) as u8);
        }
    }
    let Some(magnitude) = BigInt::parse_bytes(&text, 10) else {
        return Err(invalid("invalid digit in external \"numeric\" value"));
    };
    // The digits as an integer stand for magnitude * 10000^(weight - count + 1).
    let exponent = 4 * (i64::from(weight) - i64::from(count) + 1);
    if 4 * (i64::from(weight) + 1) > MAX_INTEGER_DIGITS as i64 {
        return Err(super::overflow());
    }
    let shift = exponent + i64::from(scale);
    // PostgreSQL cuts digits beyond the display scale off.
    let coefficient =
        if shift >= 0 { magnitude * pow10(shift as u32) } else { magnitude / pow10(shift.unsigned_abs() as u32) };
    Numeric::from_big(if negative { -coefficient } else { coefficient }, u32::from(scale))
}

/// Digits in base 10000 without leading and trailing zeros, and the weight of the first.
fn base_10000(decimal: &[u8], scale: usize) -> (i16, Vec<u16>) {
    let integer = decimal.len().saturating_sub(scale);
    let fraction_zeros = scale.saturating_sub(decimal.len());
    let head = (4 - integer % 4) % 4;
    let mut groups = Vec::with_capacity(decimal.len() / 4 + 2);
    let padded = std::iter::repeat_n(b'0', head)
        .chain(decimal[..integer].iter().copied())
        .chain(std::iter::repeat_n(b'0', fraction_zeros))
        .chain(decimal[integer..].iter().copied());
    let mut filled = 0;
    for digit in padded {
        if filled == 0 {
            groups.push(0);
        }
        if let Some(group) = groups.last_mut() {
            *group = *group * 10 + u16::from(digit - b'0');
        }
        filled = (filled + 1) % 4;
    }
    if filled != 0
        && let Some(group) = groups.last_mut()
    {
        *group *= 10u16.pow(4 - filled);
    }
    let mut weight = integer.div_ceil(4) as i16 - 1;
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..zeros);
    weight -= zeros as i16;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    (weight, groups)
}

fn invalid(message: &'static str) -> Error {
    Error::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
}
