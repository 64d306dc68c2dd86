//! `Numeric`: PostgreSQL's exact decimal numbers.
//!
//! ```text
//!  value = coefficient * 10^-scale          scale is the display scale: 1.50 keeps its zero
//!  Small      coefficient in 128 bits, stored as two words so that a value stays 24 bytes
//!  Big        any coefficient that does not fit, shared by count
//!  NaN, +-Infinity
//! ```
//!
//! Every operation tries 128 bits first and falls back to big integers on overflow; the scales of results are those of
//! PostgreSQL 15's `numeric.c` (`div` takes at least 16 significant digits, and so on), because clients see them.
//!
//! Invariant: a coefficient that fits 128 bits is never Big. Invariant: scale <= 16383 and at most 131072 digits stand
//! before the decimal point, as in PostgreSQL. Invariant: numbers that compare equal hash equal, whatever their scale.

mod arith;
mod convert;
mod math;
mod parse;
mod round;
mod wire;

use num_bigint::{BigInt, Sign};
use num_traits::{Signed, ToPrimitive, Zero};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::error::{Error, SqlState};

/// Most digits after the decimal point.
pub(crate) const MAX_SCALE: u32 = 16_383;
/// Most digits before the decimal point.
pub(crate) const MAX_INTEGER_DIGITS: u64 = 131_072;
/// Most digits after the point that a computed (not given) scale reaches.
const MAX_RESULT_SCALE: i64 = 1_000;
/// Significant digits that inexact operations give at least.
const MIN_SIGNIFICANT: i64 = 16;

/// A decimal number. See the head of this file.
#[derive(Clone)]
pub struct Numeric(Repr);

#[derive(Clone)]
enum Repr {
    Small { scale: u16, high: i64, low: u64 },
    Big(Arc<Big>),
    NaN,
    Infinity,
    NegInfinity,
}

struct Big {
    coefficient: BigInt,
    scale: u16,
}

/// What a number is, for the operations.
#[derive(Clone, Copy)]
pub(crate) enum View<'a> {
    /// Coefficient and scale.
    Small(i128, u16),
    /// Coefficient and scale; the coefficient does not fit 128 bits.
    Big(&'a BigInt, u16),
    /// Not a number; greater than all others, equal to itself.
    NaN,
    /// Infinity
    Infinity,
    /// -Infinity
    NegInfinity,
}

impl Numeric {
    /// 0
    pub const ZERO: Numeric = Numeric::new(0, 0);
    /// 1
    pub const ONE: Numeric = Numeric::new(1, 0);
    /// NaN
    pub const NAN: Numeric = Numeric(Repr::NaN);
    /// Infinity
    pub const INFINITY: Numeric = Numeric(Repr::Infinity);
    /// -Infinity
    pub const NEG_INFINITY: Numeric = Numeric(Repr::NegInfinity);

    /// `coefficient * 10^-scale`; `scale` is at most 16383 (greater ones are cut to that).
    pub const fn new(coefficient: i128, scale: u16) -> Numeric {
        let scale = if scale as u32 > MAX_SCALE { MAX_SCALE as u16 } else { scale };
        Numeric(Repr::Small { scale, high: (coefficient >> 64) as i64, low: coefficient as u64 })
    }

    /// From a big coefficient; an error if the number has too many digits.
    pub(crate) fn from_big(coefficient: BigInt, scale: u32) -> Result<Numeric, Error> {
        if scale > MAX_SCALE {
            return Err(overflow());
        }
        if let Some(small) = coefficient.to_i128() {
            return Ok(Numeric::new(small, scale as u16));
        }
        // A digit takes 3.3219.. bits: a cheap upper bound first, the exact count near the limit only.
        if coefficient.bits() * 31 / 100 > MAX_INTEGER_DIGITS + u64::from(scale)
            && digits_of(&coefficient) > MAX_INTEGER_DIGITS + u64::from(scale)
        {
            return Err(overflow());
        }
        Ok(Numeric(Repr::Big(Arc::new(Big { coefficient, scale: scale as u16 }))))
    }

    #[inline]
    pub(crate) fn view(&self) -> View<'_> {
        match &self.0 {
            Repr::Small { scale, high, low } => View::Small((i128::from(*high) << 64) | i128::from(*low), *scale),
            Repr::Big(big) => View::Big(&big.coefficient, big.scale),
            Repr::NaN => View::NaN,
            Repr::Infinity => View::Infinity,
            Repr::NegInfinity => View::NegInfinity,
        }
    }

    /// Coefficient and scale of a finite number.
    pub(crate) fn finite(&self) -> Option<(BigInt, u16)> {
        match self.view() {
            View::Small(coefficient, scale) => Some((BigInt::from(coefficient), scale)),
            View::Big(coefficient, scale) => Some((coefficient.clone(), scale)),
            _ => None,
        }
    }

    /// The display scale: digits after the decimal point; 0 for NaN and infinities.
    pub fn scale(&self) -> u16 {
        match self.view() {
            View::Small(_, scale) | View::Big(_, scale) => scale,
            _ => 0,
        }
    }

    /// Whether the number is NaN.
    pub fn is_nan(&self) -> bool {
        matches!(self.0, Repr::NaN)
    }

    /// Whether the number is neither NaN nor infinite.
    pub fn is_finite(&self) -> bool {
        matches!(self.0, Repr::Small { .. } | Repr::Big(_))
    }

    /// Whether the number is zero.
    pub fn is_zero(&self) -> bool {
        matches!(self.view(), View::Small(0, _))
    }

    /// -1, 0 or 1; NaN counts as positive.
    pub fn signum(&self) -> i32 {
        match self.view() {
            View::Small(coefficient, _) => coefficient.signum() as i32,
            View::Big(coefficient, _) => {
                if coefficient.is_negative() {
                    -1
                } else {
                    1
                }
            }
            View::NaN | View::Infinity => 1,
            View::NegInfinity => -1,
        }
    }

    /// Bytes on the heap.
    pub fn heap_size(&self) -> usize {
        match &self.0 {
            Repr::Big(big) => big.coefficient.bits() as usize / 8 + 48,
            _ => 0,
        }
    }

    /// The number without trailing zeros after the point: its canonical form. NaN and infinities as they are.
    pub(crate) fn stripped(&self) -> Numeric {
        match self.view() {
            View::Small(coefficient, scale) if scale > 0 => {
                let (coefficient, scale) = strip_small(coefficient, scale);
                Numeric::new(coefficient, scale)
            }
            View::Big(coefficient, scale) if scale > 0 => {
                let (mut coefficient, mut scale) = (coefficient.clone(), scale);
                while scale > 0 && (&coefficient % 10u8).is_zero() {
                    coefficient /= 10u8;
                    scale -= 1;
                }
                match coefficient.to_i128() {
                    Some(small) => Numeric::new(small, scale),
                    None => Numeric(Repr::Big(Arc::new(Big { coefficient, scale }))),
                }
            }
            _ => self.clone(),
        }
    }
}

fn strip_small(mut coefficient: i128, mut scale: u16) -> (i128, u16) {
    if coefficient == 0 {
        return (0, 0);
    }
    if let Ok(mut short) = i64::try_from(coefficient) {
        while scale > 0 && short % 10 == 0 {
            short /= 10;
            scale -= 1;
        }
        return (i128::from(short), scale);
    }
    while scale > 0 && coefficient % 10 == 0 {
        coefficient /= 10;
        scale -= 1;
    }
    (coefficient, scale)
}

/// Powers of ten that fit 128 bits.
const POW10: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut at = 1;
    while at < 39 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// 10^exponent.
fn pow10(exponent: u32) -> BigInt {
    match POW10.get(exponent as usize) {
        Some(power) => BigInt::from(*power),
        None => BigInt::from(10u8).pow(exponent),
    }
}

/// Decimal digits of a coefficient; 0 has none.
fn digits_of(coefficient: &BigInt) -> u64 {
    match coefficient.to_i128() {
        Some(0) => 0,
        Some(small) => u64::from(small.unsigned_abs().ilog10()) + 1,
        None => coefficient.magnitude().to_string().len() as u64,
    }
}

fn overflow() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

fn rank(view: &View<'_>) -> i8 {
    match view {
        View::NegInfinity => -1,
        View::Small(..) | View::Big(..) => 0,
        View::Infinity => 1,
        View::NaN => 2,
    }
}

/// Orders `a * 10^-a_scale` and `b * 10^-b_scale`.
fn compare_small(a: i128, a_scale: u16, b: i128, b_scale: u16) -> Ordering {
    if a_scale == b_scale || a.signum() != b.signum() {
        return a.cmp(&b);
    }
    let gap = usize::from(a_scale.abs_diff(b_scale));
    let power = POW10.get(gap);
    if a_scale < b_scale {
        match power.and_then(|power| a.checked_mul(*power)) {
            Some(a) => a.cmp(&b),
            // `a` at the finer scale exceeds every 128-bit number, so its sign decides.
            None => a.cmp(&0),
        }
    } else {
        match power.and_then(|power| b.checked_mul(*power)) {
            Some(b) => a.cmp(&b),
            None => 0.cmp(&b),
        }
    }
}

fn compare_big(a: &BigInt, a_scale: u16, b: &BigInt, b_scale: u16) -> Ordering {
    match a_scale.cmp(&b_scale) {
        Ordering::Equal => a.cmp(b),
        Ordering::Less => (a * pow10(u32::from(b_scale - a_scale))).cmp(b),
        Ordering::Greater => a.cmp(&(b * pow10(u32::from(a_scale - b_scale)))),
    }
}

impl Ord for Numeric {
    fn cmp(&self, other: &Numeric) -> Ordering {
        let (a, b) = (self.view(), other.view());
        match (a, b) {
            (View::Small(a, a_scale), View::Small(b, b_scale)) => compare_small(a, a_scale, b, b_scale),
            (View::Big(a, a_scale), View::Big(b, b_scale)) => compare_big(a, a_scale, b, b_scale),
            (View::Big(a, a_scale), View::Small(b, b_scale)) => compare_big(a, a_scale, &BigInt::from(b), b_scale),
            (View::Small(a, a_scale), View::Big(b, b_scale)) => compare_big(&BigInt::from(a), a_scale, b, b_scale),
            (a, b) => rank(&a).cmp(&rank(&b)),
        }
    }
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Numeric) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Numeric) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl Hash for Numeric {
    /// An integer that fits `i64` hashes as that `i64`, so that it meets equal integers in a hash join.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let stripped = self.stripped();
        match stripped.view() {
            View::Small(coefficient, 0) if i64::try_from(coefficient).is_ok() => (coefficient as i64).hash(state),
            View::Small(coefficient, scale) => (coefficient, scale).hash(state),
            View::Big(coefficient, scale) => (coefficient, scale).hash(state),
            other => rank(&other).hash(state),
        }
    }
}

impl Default for Numeric {
    fn default() -> Numeric {
        Numeric::ZERO
    }
}

/// Sign and magnitude of a coefficient as big-endian bytes, for storage.
pub(crate) fn magnitude_bytes(coefficient: &BigInt) -> (bool, Vec<u8>) {
    let (sign, bytes) = coefficient.to_bytes_be();
    (sign == Sign::Minus, bytes)
}

#[cfg(test)]
mod tests;
