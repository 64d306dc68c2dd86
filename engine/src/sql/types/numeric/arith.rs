//! Sums, products, quotients and remainders, with PostgreSQL's result scales.
//!
//! ```text
//!  a + b, a - b    max(scale a, scale b)
//!  a * b           scale a + scale b
//!  a / b           enough for 16 significant digits, at least either scale, at most 1000; rounded half away from zero
//!  a % b           max(scale a, scale b); the sign of a
//! ```

use super::round::{div_round, div_round_small};
use super::{MAX_RESULT_SCALE, MAX_SCALE, MIN_SIGNIFICANT, Numeric, POW10, View, digits_of, pow10};
use crate::error::{Error, Result, SqlState};
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

impl Numeric {
    /// `self + other`.
    pub fn add(&self, other: &Numeric) -> Result<Numeric> {
        match (self.view(), other.view()) {
            (View::Small(a, a_scale), View::Small(b, b_scale)) => {
                if let Some((a, b, scale)) = align(a, a_scale, b, b_scale)
                    && let Some(sum) = a.checked_add(b)
                {
                    return Ok(Numeric::new(sum, scale));
                }
                self.add_big(other)
            }
            (View::NaN, _) | (_, View::NaN) => Ok(Numeric::NAN),
            (View::Infinity, View::NegInfinity) | (View::NegInfinity, View::Infinity) => Ok(Numeric::NAN),
            (View::Infinity, _) | (_, View::Infinity) => Ok(Numeric::INFINITY),
            (View::NegInfinity, _) | (_, View::NegInfinity) => Ok(Numeric::NEG_INFINITY),
            _ => self.add_big(other),
        }
    }

    fn add_big(&self, other: &Numeric) -> Result<Numeric> {
        let (Some((a, a_scale)), Some((b, b_scale))) = (self.finite(), other.finite()) else {
            return Ok(Numeric::NAN);
        };
        let (a, b, scale) = align_big(a, a_scale, b, b_scale);
        Numeric::from_big(a + b, scale)
    }

    /// `self - other`.
    pub fn sub(&self, other: &Numeric) -> Result<Numeric> {
        if let (View::Small(a, a_scale), View::Small(b, b_scale)) = (self.view(), other.view())
            && let Some((a, b, scale)) = align(a, a_scale, b, b_scale)
            && let Some(difference) = a.checked_sub(b)
        {
            return Ok(Numeric::new(difference, scale));
        }
        self.add(&other.neg())
    }

    /// `self * other`.
    pub fn mul(&self, other: &Numeric) -> Result<Numeric> {
        if let (View::Small(a, a_scale), View::Small(b, b_scale)) = (self.view(), other.view())
            && let Some(product) = a.checked_mul(b)
            && u32::from(a_scale) + u32::from(b_scale) <= MAX_SCALE
        {
            return Ok(Numeric::new(product, a_scale + b_scale));
        }
        let (Some((a, a_scale)), Some((b, b_scale))) = (self.finite(), other.finite()) else {
            return Ok(mul_special(self, other));
        };
        let scale = u32::from(a_scale) + u32::from(b_scale);
        let product = a * b;
        if scale > MAX_SCALE {
            return Numeric::from_big(div_round(&product, &pow10(scale - MAX_SCALE)), MAX_SCALE);
        }
        Numeric::from_big(product, scale)
    }

    /// `self / other`, rounded at `Numeric::div_scale`.
    pub fn div(&self, other: &Numeric) -> Result<Numeric> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        match (self.is_finite(), other.is_finite()) {
            (true, true) => self.div_to(other, div_scale(self, other)),
            (true, false) => Ok(Numeric::ZERO),
            (false, false) => Ok(Numeric::NAN),
            (false, true) => Ok(infinity(self.signum() * other.signum())),
        }
    }

    /// `self / other` with `scale` digits after the point; both finite, `other` not zero.
    pub(super) fn div_to(&self, other: &Numeric, scale: u32) -> Result<Numeric> {
        if let (View::Small(a, a_scale), View::Small(b, b_scale)) = (self.view(), other.view()) {
            let shift = i64::from(scale) + i64::from(b_scale) - i64::from(a_scale);
            if let Some(power) = usize::try_from(shift).ok().and_then(|shift| POW10.get(shift))
                && let Some(a) = a.checked_mul(*power)
            {
                return Ok(Numeric::new(div_round_small(a, b), scale as u16));
            }
        }
        let (Some((a, a_scale)), Some((b, b_scale))) = (self.finite(), other.finite()) else {
            return Ok(Numeric::NAN);
        };
        let shift = i64::from(scale) + i64::from(b_scale) - i64::from(a_scale);
        let quotient = if shift >= 0 {
            div_round(&(a * pow10(shift as u32)), &b)
        } else {
            div_round(&a, &(b * pow10(shift.unsigned_abs() as u32)))
        };
        Numeric::from_big(quotient, scale)
    }

    /// The integer part of `self / other` (`div(a, b)` of SQL).
    pub fn div_trunc(&self, other: &Numeric) -> Result<Numeric> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        match (self.finite(), other.finite()) {
            (Some((a, a_scale)), Some((b, b_scale))) => {
                let (a, b, _) = align_big(a, a_scale, b, b_scale);
                Numeric::from_big(a / b, 0)
            }
            (Some(_), None) => Ok(Numeric::ZERO),
            (None, None) => Ok(Numeric::NAN),
            (None, Some(_)) => Ok(infinity(self.signum() * other.signum())),
        }
    }

    /// The remainder of `self / other`, with the sign of `self`.
    pub fn rem(&self, other: &Numeric) -> Result<Numeric> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        if let (View::Small(a, a_scale), View::Small(b, b_scale)) = (self.view(), other.view())
            && let Some((a, b, scale)) = align(a, a_scale, b, b_scale)
        {
            return Ok(Numeric::new(a.wrapping_rem(b), scale));
        }
        match (self.finite(), other.finite()) {
            (Some((a, a_scale)), Some((b, b_scale))) => {
                let (a, b, scale) = align_big(a, a_scale, b, b_scale);
                Numeric::from_big(a % b, scale)
            }
            (Some(_), None) => Ok(self.clone()),
            (None, _) => Ok(Numeric::NAN),
        }
    }

    /// `-self`.
    pub fn neg(&self) -> Numeric {
        match self.view() {
            View::Small(coefficient, scale) => match coefficient.checked_neg() {
                Some(negated) => Numeric::new(negated, scale),
                None => Numeric::from_big(-BigInt::from(coefficient), u32::from(scale)).unwrap_or(Numeric::NAN),
            },
            View::Big(coefficient, scale) => Numeric::from_big(-coefficient, u32::from(scale)).unwrap_or(Numeric::NAN),
            View::NaN => Numeric::NAN,
            View::Infinity => Numeric::NEG_INFINITY,
            View::NegInfinity => Numeric::INFINITY,
        }
    }

    /// The absolute value.
    pub fn abs(&self) -> Numeric {
        if self.signum() < 0 { self.neg() } else { self.clone() }
    }

    /// The number's decimal weight: it has its first digit at `10^weight`; `None` for zero and non-finite numbers.
    pub(super) fn decimal_weight(&self) -> Option<i64> {
        let (digits, scale) = match self.view() {
            View::Small(0, _) => return None,
            View::Small(coefficient, scale) => (u64::from(coefficient.unsigned_abs().ilog10()) + 1, scale),
            View::Big(coefficient, scale) => (digits_of(coefficient), scale),
            _ => return None,
        };
        Some(digits as i64 - 1 - i64::from(scale))
    }

    /// Weight and first digit in base 10000, as PostgreSQL stores numbers; (0, 0) for zero.
    pub(super) fn base_10000_head(&self) -> (i64, u32) {
        let Some(weight) = self.decimal_weight() else {
            return (0, 0);
        };
        let group = weight.div_euclid(4);
        let wanted = weight.rem_euclid(4) as u32 + 1;
        let first = match self.view() {
            View::Small(coefficient, _) => {
                let magnitude = coefficient.unsigned_abs();
                let digits = magnitude.ilog10() + 1;
                if digits >= wanted {
                    (magnitude / 10u128.pow(digits - wanted)) as u32
                } else {
                    magnitude as u32 * 10u32.pow(wanted - digits)
                }
            }
            View::Big(coefficient, _) => {
                let digits = digits_of(coefficient) as u32;
                (coefficient.abs() / pow10(digits.saturating_sub(wanted))).to_u32().unwrap_or(0)
            }
            _ => 0,
        };
        (group, first)
    }
}

/// PostgreSQL's `select_div_scale`.
fn div_scale(a: &Numeric, b: &Numeric) -> u32 {
    let (a_weight, a_first) = a.base_10000_head();
    let (b_weight, b_first) = b.base_10000_head();
    let mut weight = a_weight - b_weight;
    if a_first <= b_first {
        weight -= 1;
    }
    clamp_scale(MIN_SIGNIFICANT - weight * 4, &[a.scale(), b.scale()])
}

/// At least each of `scales`, at least 0, at most 1000.
pub(super) fn clamp_scale(wanted: i64, scales: &[u16]) -> u32 {
    let least = scales.iter().map(|scale| i64::from(*scale)).max().unwrap_or(0);
    wanted.max(least).clamp(0, MAX_RESULT_SCALE) as u32
}

/// Both coefficients at the greater scale; `None` if that exceeds 128 bits.
#[inline]
fn align(a: i128, a_scale: u16, b: i128, b_scale: u16) -> Option<(i128, i128, u16)> {
    if a_scale == b_scale {
        return Some((a, b, a_scale));
    }
    let power = *POW10.get(usize::from(a_scale.abs_diff(b_scale)))?;
    if a_scale < b_scale {
        Some((a.checked_mul(power)?, b, b_scale))
    } else {
        Some((a, b.checked_mul(power)?, a_scale))
    }
}

fn align_big(a: BigInt, a_scale: u16, b: BigInt, b_scale: u16) -> (BigInt, BigInt, u32) {
    if a_scale < b_scale {
        (a * pow10(u32::from(b_scale - a_scale)), b, u32::from(b_scale))
    } else {
        let b = if a_scale == b_scale { b } else { b * pow10(u32::from(a_scale - b_scale)) };
        (a, b, u32::from(a_scale))
    }
}

/// A product of which at least one factor is not finite.
fn mul_special(a: &Numeric, b: &Numeric) -> Numeric {
    if a.is_nan() || b.is_nan() || a.is_zero() || b.is_zero() {
        return Numeric::NAN;
    }
    infinity(a.signum() * b.signum())
}

fn infinity(sign: i32) -> Numeric {
    if sign < 0 { Numeric::NEG_INFINITY } else { Numeric::INFINITY }
}

pub(super) fn division_by_zero() -> Error {
    Error::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

/// Whether a big integer is zero; for the modules beside.
pub(super) fn is_zero(value: &BigInt) -> bool {
    value.is_zero()
}
