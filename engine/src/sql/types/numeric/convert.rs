//! Conversions between numbers and the machine's integers and floats.

use super::{Numeric, View};
use num_traits::ToPrimitive;

impl Numeric {
    /// The nearest integer, halves away from zero; `None` if it does not fit or the number is not finite.
    pub fn to_i64(&self) -> Option<i64> {
        if let View::Small(coefficient, 0) = self.view() {
            return i64::try_from(coefficient).ok();
        }
        match self.round(0).ok()?.view() {
            View::Small(coefficient, _) => i64::try_from(coefficient).ok(),
            _ => None,
        }
    }

    /// The nearest double; beyond its range an infinity.
    pub fn to_f64(&self) -> f64 {
        match self.view() {
            // Both operands are exact doubles, so that the quotient is correctly rounded.
            View::Small(coefficient, scale) if coefficient.unsigned_abs() < 1 << 53 && scale <= 22 => {
                coefficient as f64 / EXACT_POWERS[usize::from(scale)]
            }
            View::Small(..) | View::Big(..) => self.to_string().parse().unwrap_or(f64::NAN),
            View::NaN => f64::NAN,
            View::Infinity => f64::INFINITY,
            View::NegInfinity => f64::NEG_INFINITY,
        }
    }

    /// The nearest single; beyond its range an infinity.
    pub fn to_f32(&self) -> f32 {
        match self.view() {
            View::Small(..) | View::Big(..) => self.to_string().parse().unwrap_or(f32::NAN),
            _ => self.to_f64() as f32,
        }
    }

    /// A double with its 15 significant digits, as PostgreSQL converts it.
    pub fn from_f64(value: f64) -> Numeric {
        special(value).unwrap_or_else(|| format!("{value:.14e}").parse::<Numeric>().map_or(Numeric::NAN, plain))
    }

    /// A single with its 6 significant digits, as PostgreSQL converts it.
    pub fn from_f32(value: f32) -> Numeric {
        let text = || format!("{value:.5e}").parse::<Numeric>().map_or(Numeric::NAN, plain);
        special(f64::from(value)).unwrap_or_else(text)
    }

    /// The integer value if the number is an integer that fits.
    pub fn exact_i64(&self) -> Option<i64> {
        match self.stripped().view() {
            View::Small(coefficient, 0) => coefficient.to_i64(),
            _ => None,
        }
    }
}

/// `%.15g` prints no trailing zeros.
fn plain(number: Numeric) -> Numeric {
    number.stripped()
}

fn special(value: f64) -> Option<Numeric> {
    if value.is_nan() {
        return Some(Numeric::NAN);
    }
    value.is_infinite().then_some(if value > 0.0 { Numeric::INFINITY } else { Numeric::NEG_INFINITY })
}

const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

macro_rules! from_integers {
    ($($integer:ty)*) => { $(
        impl From<$integer> for Numeric {
            fn from(value: $integer) -> Numeric {
                Numeric::new(i128::from(value), 0)
            }
        }
    )* };
}

from_integers!(i16 i32 i64 u32 u64);
