//! Rounding: to a scale, to a type's precision, up, down and towards zero.

use super::{Numeric, POW10, View, overflow, pow10};
use crate::error::{Error, Result, SqlState};
use num_bigint::BigInt;
use num_traits::{Signed, Zero};

/// How digits are cut off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Half away from zero.
    Round,
    /// Towards zero.
    Trunc,
    /// Towards -Infinity.
    Floor,
    /// Towards Infinity.
    Ceil,
}

/// `a / b`, rounded half away from zero; `b` is not zero.
pub(super) fn div_round_small(a: i128, b: i128) -> i128 {
    let (quotient, remainder) = (a.wrapping_div(b), a.wrapping_rem(b));
    let twice_exceeds = remainder.unsigned_abs() >= b.unsigned_abs() - remainder.unsigned_abs();
    if remainder == 0 || !twice_exceeds {
        return quotient;
    }
    if (a < 0) == (b < 0) { quotient + 1 } else { quotient - 1 }
}

/// `a / b`, rounded half away from zero; `b` is not zero.
pub(super) fn div_round(a: &BigInt, b: &BigInt) -> BigInt {
    let (quotient, remainder) = (a / b, a % b);
    if remainder.abs() * 2u8 < b.abs() {
        return quotient;
    }
    if a.is_negative() == b.is_negative() { quotient + 1u8 } else { quotient - 1u8 }
}

impl Numeric {
    /// Rounds half away from zero to `scale` digits after the point; a negative scale rounds to tens, hundreds, ...
    pub fn round(&self, scale: i32) -> Result<Numeric> {
        self.cut(scale, Mode::Round)
    }

    /// Cuts digits off towards zero.
    pub fn trunc(&self, scale: i32) -> Result<Numeric> {
        self.cut(scale, Mode::Trunc)
    }

    /// The greatest integer not above the number.
    pub fn floor(&self) -> Result<Numeric> {
        self.cut(0, Mode::Floor)
    }

    /// The least integer not below the number.
    pub fn ceil(&self) -> Result<Numeric> {
        self.cut(0, Mode::Ceil)
    }

    /// The result has `max(scale, 0)` digits after the point, filled up with zeros.
    fn cut(&self, scale: i32, mode: Mode) -> Result<Numeric> {
        let scale = scale.clamp(-200_000, super::MAX_SCALE as i32);
        let (coefficient, old) = match self.view() {
            View::Small(coefficient, old) => {
                if i32::from(old) == scale {
                    return Ok(self.clone());
                }
                if let Some(cut) = cut_small(coefficient, i32::from(old) - scale, scale, mode) {
                    return Ok(cut);
                }
                (BigInt::from(coefficient), old)
            }
            View::Big(coefficient, old) => (coefficient.clone(), old),
            _ => return Ok(self.clone()),
        };
        let drop = i32::from(old) - scale;
        if drop <= 0 {
            return Numeric::from_big(coefficient * pow10(drop.unsigned_abs()), scale as u32);
        }
        let unit = pow10(drop as u32);
        let kept = match mode {
            Mode::Round => div_round(&coefficient, &unit),
            Mode::Trunc => &coefficient / &unit,
            Mode::Floor | Mode::Ceil => {
                let (quotient, remainder) = (&coefficient / &unit, &coefficient % &unit);
                quotient + step(mode, remainder.is_zero(), coefficient.is_negative())
            }
        };
        let kept = if scale < 0 { kept * pow10(scale.unsigned_abs()) } else { kept };
        Numeric::from_big(kept, scale.max(0) as u32)
    }

    /// Fits the number into `numeric(precision, scale)`; SQLSTATE 22003 if it has too many digits.
    pub fn fit(&self, precision: u16, scale: i16) -> Result<Numeric> {
        let room = i64::from(precision) - i64::from(scale);
        if !self.is_finite() {
            if self.is_nan() {
                return Ok(self.clone());
            }
            let detail = format!("A field with precision {precision}, scale {scale} cannot hold an infinite value.");
            return Err(field_overflow(detail));
        }
        let rounded = self.round(i32::from(scale))?;
        let fits = match rounded.view() {
            View::Small(coefficient, found) => {
                let limit = usize::try_from(room + i64::from(found)).ok().and_then(|digits| POW10.get(digits));
                limit.map_or(rounded.has_room(room), |limit| coefficient.unsigned_abs() < limit.unsigned_abs())
            }
            _ => rounded.has_room(room),
        };
        if fits {
            return Ok(rounded);
        }
        let limit = if room == 0 { "1".to_string() } else { format!("10^{room}") };
        Err(field_overflow(format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value less than {limit}."
        )))
    }

    /// Whether at most `room` digits stand before the point (negative: that many zeros follow the point).
    fn has_room(&self, room: i64) -> bool {
        self.decimal_weight().is_none_or(|weight| weight < room)
    }

    /// The fewest digits after the point that keep the value.
    pub fn min_scale(&self) -> u16 {
        self.stripped().scale()
    }

    /// The value with [`Numeric::min_scale`] digits after the point.
    pub fn trim_scale(&self) -> Numeric {
        self.stripped()
    }
}

fn field_overflow(detail: String) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(detail)
}

fn step(mode: Mode, exact: bool, negative: bool) -> i8 {
    match mode {
        Mode::Floor if negative && !exact => -1,
        Mode::Ceil if !negative && !exact => 1,
        _ => 0,
    }
}

/// `None` if the result does not fit 128 bits.
fn cut_small(coefficient: i128, drop: i32, scale: i32, mode: Mode) -> Option<Numeric> {
    let power = *POW10.get(drop.unsigned_abs() as usize)?;
    let result_scale = scale.max(0) as u16;
    if drop <= 0 {
        return Some(Numeric::new(coefficient.checked_mul(power)?, result_scale));
    }
    let kept = match mode {
        Mode::Round => div_round_small(coefficient, power),
        Mode::Trunc => coefficient / power,
        Mode::Floor | Mode::Ceil => {
            coefficient / power + i128::from(step(mode, coefficient % power == 0, coefficient < 0))
        }
    };
    let kept = if scale < 0 { kept.checked_mul(*POW10.get(scale.unsigned_abs() as usize)?)? } else { kept };
    Some(Numeric::new(kept, result_scale))
}

/// A result scale beyond the format.
pub(super) fn check_scale(scale: i64) -> Result<u32> {
    u32::try_from(scale).ok().filter(|scale| *scale <= super::MAX_SCALE).ok_or_else(overflow)
}
