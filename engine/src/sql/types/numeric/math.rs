//! Roots, powers, exponentials and logarithms, in fixed-point big integers.
//!
//! A working number is `integer * 10^-digits` with some guard digits beyond the result's scale:
//!
//! ```text
//!  exp(x)   x = n ln 10 + r; exp(r) by halving r and a Taylor series; times 10^n, which is a shift
//!  ln(x)    x = f * 10^p; square roots until f is near 1; 2 artanh((f-1)/(f+1)) by its series; plus p ln 10
//! ```
//! The result scales are PostgreSQL's: at least 16 significant digits, at least the scales of the arguments.

use super::arith::{clamp_scale, division_by_zero, is_zero};
use super::round::div_round;
use super::{MIN_SIGNIFICANT, Numeric, overflow, pow10};
use crate::error::{Error, Result, SqlState};
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

const LOG10_E: f64 = std::f64::consts::LOG10_E;
const GUARD: u32 = 12;

impl Numeric {
    /// The square root; SQLSTATE 2201F for negative numbers.
    pub fn sqrt(&self) -> Result<Numeric> {
        if self.is_nan() {
            return Ok(Numeric::NAN);
        }
        if self.signum() < 0 {
            return Err(Error::new(
                SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                "cannot take square root of a negative number",
            ));
        }
        let Some((coefficient, from)) = self.finite() else {
            return Ok(Numeric::INFINITY);
        };
        let (weight, _) = self.base_10000_head();
        let scale = clamp_scale(MIN_SIGNIFICANT - (weight * 2 + 1), &[self.scale()]);
        // One digit more than wanted decides the rounding; the root is never exactly half between two results.
        let shift = 2 * (i64::from(scale) + 1) - i64::from(from);
        let root = (coefficient * pow10(shift.max(0) as u32)).sqrt();
        Numeric::from_big(div_round(&root, &pow10(1)), scale)
    }

    /// e to the power of the number.
    pub fn exp(&self) -> Result<Numeric> {
        if self.is_nan() {
            return Ok(Numeric::NAN);
        }
        let Some((coefficient, from)) = self.finite() else {
            return Ok(if self.signum() > 0 { Numeric::INFINITY } else { Numeric::ZERO });
        };
        let weight = (self.to_f64() * LOG10_E).clamp(-2000.0, 2000.0);
        let scale = clamp_scale(MIN_SIGNIFICANT - weight as i64, &[self.scale()]);
        exp_fixed(&coefficient, u32::from(from), self.to_f64(), scale)
    }

    /// The natural logarithm; SQLSTATE 2201E for zero and negative numbers.
    pub fn ln(&self) -> Result<Numeric> {
        if self.is_nan() {
            return Ok(Numeric::NAN);
        }
        check_log_argument(self)?;
        if !self.is_finite() {
            return Ok(Numeric::INFINITY);
        }
        let scale = clamp_scale(MIN_SIGNIFICANT - self.ln_weight(), &[self.scale()]);
        let digits = scale + GUARD;
        Numeric::from_big(div_round(&ln_fixed(self, digits), &pow10(GUARD)), scale)
    }

    /// The logarithm of the number to `base`.
    pub fn log(&self, base: &Numeric) -> Result<Numeric> {
        if self.is_nan() || base.is_nan() {
            return Ok(Numeric::NAN);
        }
        check_log_argument(base)?;
        check_log_argument(self)?;
        if !self.is_finite() || !base.is_finite() {
            return Ok(match (self.is_finite(), base.is_finite()) {
                (false, false) => Numeric::NAN,
                (false, true) => Numeric::INFINITY,
                _ => Numeric::ZERO,
            });
        }
        let weight = self.ln_weight() - base.ln_weight();
        let scale = clamp_scale(MIN_SIGNIFICANT - weight, &[self.scale(), base.scale()]);
        let digits = scale + GUARD + weight.unsigned_abs() as u32 + base.ln_weight().unsigned_abs() as u32;
        let below = ln_fixed(base, digits);
        if is_zero(&below) {
            return Err(division_by_zero());
        }
        Numeric::from_big(div_round(&(ln_fixed(self, digits) * pow10(scale)), &below), scale)
    }

    /// The number to the power of `exponent`.
    pub fn power(&self, exponent: &Numeric) -> Result<Numeric> {
        if !self.is_finite() || !exponent.is_finite() {
            return power_special(self, exponent);
        }
        if self.is_zero() && exponent.signum() < 0 {
            return Err(power_error("zero raised to a negative power is undefined"));
        }
        let integer = exponent.exact_i64();
        if self.signum() < 0 && integer.is_none() && exponent.min_scale() > 0 {
            return Err(power_error("a negative number raised to a non-integer power yields a complex result"));
        }
        match integer.and_then(|value| i32::try_from(value).ok()) {
            Some(integer) => power_integer(self, integer, exponent.scale()),
            None => power_general(self, exponent),
        }
    }

    /// PostgreSQL's `estimate_ln_dweight`: the decimal weight of the logarithm, roughly.
    fn ln_weight(&self) -> i64 {
        if self >= &Numeric::new(9, 1) && self <= &Numeric::new(11, 1) {
            let Ok(distance) = self.sub(&Numeric::ONE) else {
                return 0;
            };
            let (weight, first) = distance.base_10000_head();
            return if first == 0 { 0 } else { weight * 4 + i64::from(first.ilog10()) };
        }
        let (mantissa, exponent) = self.leading_f64();
        let logarithm = mantissa.ln() + exponent as f64 * std::f64::consts::LN_10;
        logarithm.abs().log10() as i64
    }

    /// `(m, e)` with the number's magnitude about `m * 10^e`, m with up to 17 digits.
    fn leading_f64(&self) -> (f64, i64) {
        let Some((coefficient, scale)) = self.finite() else {
            return (0.0, 0);
        };
        let digits = super::digits_of(&coefficient);
        let drop = digits.saturating_sub(17) as u32;
        let lead = (coefficient.abs() / pow10(drop)).to_f64().unwrap_or(0.0);
        (lead, i64::from(drop) - i64::from(scale))
    }
}

/// `exp(coefficient * 10^-from)` with `scale` digits; `approximate` is the argument as a double.
fn exp_fixed(coefficient: &BigInt, from: u32, approximate: f64, scale: u32) -> Result<Numeric> {
    if approximate.abs() >= 6000.0 {
        return if approximate > 0.0 { Err(overflow()) } else { Ok(Numeric::new(0, scale as u16)) };
    }
    let tens = (approximate * LOG10_E).floor() as i64;
    if tens + i64::from(scale) < -1 {
        return Ok(Numeric::new(0, scale as u16));
    }
    let digits = (i64::from(scale) + tens.max(0)) as u32 + GUARD + 8;
    let one = pow10(digits);
    let argument = coefficient * &one / pow10(from) - BigInt::from(tens) * ln_ten(digits);
    let power = exp_reduced(&argument, &one, digits);
    let drop = i64::from(digits) - tens - i64::from(scale);
    Numeric::from_big(div_round(&power, &pow10(drop.max(0) as u32)), scale)
}

/// `exp` of a small fixed-point number: halve, Taylor, square back.
fn exp_reduced(argument: &BigInt, one: &BigInt, digits: u32) -> BigInt {
    let halvings = 8 + digits / 16;
    let extra = pow10(halvings / 3 + 4);
    let one = one * &extra;
    let small = (argument * &extra) >> halvings;
    let mut sum = one.clone();
    let mut term = one.clone();
    let mut n = 1u32;
    while !is_zero(&term) && n < 10_000 {
        term = term * &small / &one / n;
        // Floor division of a negative term would end at -1, never at 0: cut towards zero, as BigInt does.
        sum += &term;
        n += 1;
    }
    for _ in 0..halvings {
        sum = &sum * &sum / &one;
    }
    sum / extra
}

/// `ln(number) * 10^digits`; the number is positive and finite.
fn ln_fixed(number: &Numeric, digits: u32) -> BigInt {
    let Some((coefficient, scale)) = number.finite() else {
        return BigInt::from(0);
    };
    let work = digits + 10;
    let length = super::digits_of(&coefficient) as i64;
    // f = coefficient / 10^length lies in [0.1, 1).
    let power = length - i64::from(scale);
    let shift = i64::from(work) - length;
    let fraction =
        if shift >= 0 { coefficient * pow10(shift as u32) } else { coefficient / pow10(shift.unsigned_abs() as u32) };
    if power == 0 || power == 1 {
        // Near 1 the two parts would cancel out, so the number itself is taken.
        let fraction = if power == 1 { exact_near_one(number, work) } else { fraction };
        return ln_near_one(&fraction, work) / pow10(work - digits);
    }
    let sum = ln_near_one(&fraction, work) + BigInt::from(power) * ln_ten(work);
    sum / pow10(work - digits)
}

fn exact_near_one(number: &Numeric, work: u32) -> BigInt {
    let Some((coefficient, scale)) = number.finite() else {
        return BigInt::from(0);
    };
    coefficient * pow10(work) / pow10(u32::from(scale))
}

fn ln_ten(digits: u32) -> BigInt {
    ln_near_one(&(BigInt::from(10u8) * pow10(digits + 6)), digits + 6) / pow10(6)
}

/// `ln(value * 10^-digits) * 10^digits` for values of about 0.1 to 10.
fn ln_near_one(value: &BigInt, digits: u32) -> BigInt {
    let guard = pow10(8);
    let one = pow10(digits) * &guard;
    let mut value = value * &guard;
    let mut doublings = 0u32;
    let near = &one / 64u8;
    while (&value - &one).abs() > near && doublings < 64 {
        value = (&value * &one).sqrt();
        doublings += 1;
    }
    let ratio = (&value - &one) * &one / (&value + &one);
    let square = &ratio * &ratio / &one;
    let (mut power, mut sum, mut n) = (ratio.clone(), ratio, 3u32);
    while !is_zero(&power) && n < 20_000 {
        power = power * &square / &one;
        sum += &power / n;
        n += 2;
    }
    ((sum * 2u8) << doublings) / guard
}

/// PostgreSQL's `power_var_int`.
fn power_integer(base: &Numeric, exponent: i32, exponent_scale: u16) -> Result<Numeric> {
    let estimate = if base.is_zero() {
        0.0
    } else {
        let (mantissa, tens) = base.leading_f64();
        f64::from(exponent) * (mantissa.log10() + tens as f64)
    };
    if estimate > 131_073.0 {
        return Err(overflow());
    }
    let scale = clamp_scale(MIN_SIGNIFICANT, &[base.scale(), exponent_scale]);
    if estimate + 1.0 < -f64::from(scale) {
        return Ok(Numeric::new(0, scale as u16));
    }
    match exponent {
        0 => return Numeric::ONE.round(scale as i32),
        1 => return base.round(scale as i32),
        2 => return base.mul(base)?.round(scale as i32),
        _ if base.is_zero() => return Ok(Numeric::new(0, scale as u16)),
        -1 => return Numeric::ONE.div_to(base, scale),
        _ => {}
    }
    let significant = (i64::from(scale) + estimate as i64).max(0) as u32 + GUARD + 16;
    let (mantissa, tens) = power_float(base, exponent.unsigned_abs(), significant);
    let (above, below, shift) = if exponent > 0 {
        (mantissa, BigInt::from(1u8), tens + i64::from(scale))
    } else {
        (BigInt::from(1u8), mantissa, i64::from(scale) - tens)
    };
    let quotient = if shift >= 0 {
        div_round(&(above * pow10(shift as u32)), &below)
    } else {
        div_round(&above, &(below * pow10(shift.unsigned_abs() as u32)))
    };
    Numeric::from_big(quotient, scale)
}

/// `base^exponent` as `mantissa * 10^tens`, cut to `significant` digits whenever it grows beyond.
fn power_float(base: &Numeric, mut exponent: u32, significant: u32) -> (BigInt, i64) {
    let Some((coefficient, scale)) = base.finite() else {
        return (BigInt::from(0), 0);
    };
    let cut = |mantissa: BigInt, tens: i64| {
        let excess = super::digits_of(&mantissa).saturating_sub(u64::from(significant)) as u32;
        if excess == 0 { (mantissa, tens) } else { (mantissa / pow10(excess), tens + i64::from(excess)) }
    };
    let mut square = (coefficient, -i64::from(scale));
    let mut result = (BigInt::from(1u8), 0i64);
    loop {
        if exponent & 1 == 1 {
            result = cut(result.0 * &square.0, result.1 + square.1);
        }
        exponent >>= 1;
        if exponent == 0 {
            return result;
        }
        square = cut(&square.0 * &square.0, 2 * square.1);
    }
}

/// `exp(exponent * ln(base))`.
fn power_general(base: &Numeric, exponent: &Numeric) -> Result<Numeric> {
    if base.is_zero() {
        return Ok(Numeric::new(0, MIN_SIGNIFICANT as u16));
    }
    let negative = base.signum() < 0;
    let base = base.abs();
    let estimate = estimate_logarithm(&base, exponent)?;
    if estimate.abs() > 2000.0 * 3.01 {
        return if estimate > 0.0 { Err(overflow()) } else { Ok(Numeric::new(0, 1000)) };
    }
    let weight = (estimate * LOG10_E) as i64;
    let scale = clamp_scale(MIN_SIGNIFICANT - weight, &[base.scale(), exponent.scale()]);
    let Some((factor, factor_scale)) = exponent.finite() else {
        return Ok(Numeric::NAN);
    };
    let exponent_digits = super::digits_of(&factor) as u32;
    let digits = (i64::from(scale) + weight.max(0)) as u32 + exponent_digits + GUARD + 8;
    let product = ln_fixed(&base, digits) * factor / pow10(u32::from(factor_scale));
    let result = exp_fixed(&product, digits, estimate, scale)?;
    // Only an even or odd integer exponent gets here with a negative base.
    let odd = negative && exponent.rem(&Numeric::from(2i32))?.signum() != 0;
    Ok(if odd { result.neg() } else { result })
}

/// `exponent * ln(base)` to about eight digits, rounded as PostgreSQL does, because the result's scale follows from it.
fn estimate_logarithm(base: &Numeric, exponent: &Numeric) -> Result<f64> {
    let scale = (8 - base.ln_weight()).max(0) as u32;
    let logarithm = Numeric::from_big(div_round(&ln_fixed(base, scale + GUARD), &pow10(GUARD)), scale)?;
    Ok(logarithm.mul(exponent)?.round(scale as i32)?.to_f64())
}

/// Powers with an infinite or undefined part, by the rules of POSIX `pow`.
fn power_special(base: &Numeric, exponent: &Numeric) -> Result<Numeric> {
    if base == &Numeric::ONE || exponent.is_zero() {
        return Ok(Numeric::ONE);
    }
    if base.is_nan() || exponent.is_nan() {
        return Ok(Numeric::NAN);
    }
    if base.is_zero() && exponent.signum() < 0 {
        return Err(power_error("zero raised to a negative power is undefined"));
    }
    if base.signum() < 0 && exponent.is_finite() && exponent.min_scale() > 0 {
        return Err(power_error("a negative number raised to a non-integer power yields a complex result"));
    }
    if !exponent.is_finite() {
        let grows = (base.abs() > Numeric::ONE) == (exponent.signum() > 0);
        if base.abs() == Numeric::ONE {
            return Ok(Numeric::ONE);
        }
        return Ok(if grows { Numeric::INFINITY } else { Numeric::ZERO });
    }
    if exponent.signum() < 0 {
        return Ok(Numeric::ZERO);
    }
    if base.signum() > 0 {
        return Ok(Numeric::INFINITY);
    }
    let odd = exponent.rem(&Numeric::from(2i32))?.signum() != 0;
    Ok(if odd { Numeric::NEG_INFINITY } else { Numeric::INFINITY })
}

fn check_log_argument(number: &Numeric) -> Result<()> {
    let message = match number.signum() {
        0 => "cannot take logarithm of zero",
        -1 => "cannot take logarithm of a negative number",
        _ => return Ok(()),
    };
    Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_LOG, message))
}

fn power_error(message: &'static str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}
