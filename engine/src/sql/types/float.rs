//! Text of real and double precision: the shortest digits that read back the same, laid out as PostgreSQL does.
//!
//! ```text
//!  1e-05   0.0001   123456   1e+15   -0   NaN   Infinity
//!  positional while -4 <= exponent < 15 (double) or 6 (real), else d.ddde+XX
//! ```

use crate::error::{Error, Result, SqlState};

/// Appends a double.
pub(super) fn write_f64(value: f64, out: &mut String) {
    write(value, || format!("{value:e}"), 15, out);
}

/// Appends a single.
pub(super) fn write_f32(value: f32, out: &mut String) {
    write(f64::from(value), || format!("{value:e}"), 6, out);
}

fn write(value: f64, scientific: impl Fn() -> String, limit: i32, out: &mut String) {
    if value.is_nan() {
        return out.push_str("NaN");
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    // Rust prints the shortest digits that read back the same, as d.ddde-7.
    let text = scientific();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    out.push_str(sign);
    if (-4..limit).contains(&exponent) {
        return write_positional(mantissa, exponent, out);
    }
    out.push_str(mantissa);
    let sign = if exponent < 0 { '-' } else { '+' };
    out.push_str(&format!("e{sign}{:02}", exponent.abs()));
}

fn write_positional(mantissa: &str, exponent: i32, out: &mut String) {
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', (-exponent - 1) as usize));
        return out.push_str(&digits);
    }
    let integer = exponent as usize + 1;
    if digits.len() <= integer {
        out.push_str(&digits);
        return out.extend(std::iter::repeat_n('0', integer - digits.len()));
    }
    out.push_str(&digits[..integer]);
    out.push('.');
    out.push_str(&digits[integer..]);
}

/// Reads a double; SQLSTATE 22P02 or 22003.
pub(super) fn parse_f64(text: &str) -> Result<f64> {
    let trimmed = text.trim();
    let value: f64 = read(trimmed).ok_or_else(|| syntax(text, "double precision"))?;
    if lost(trimmed, value.is_infinite(), value == 0.0) {
        return Err(out_of_range(trimmed, "double precision"));
    }
    Ok(value)
}

/// Reads a single; SQLSTATE 22P02 or 22003.
pub(super) fn parse_f32(text: &str) -> Result<f32> {
    let trimmed = text.trim();
    let value: f32 = read(trimmed).ok_or_else(|| syntax(text, "real"))?;
    if lost(trimmed, value.is_infinite(), value == 0.0) {
        return Err(out_of_range(trimmed, "real"));
    }
    Ok(value)
}

fn read<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// Whether digits were given but an infinity or zero came out of them.
fn lost(text: &str, infinite: bool, zero: bool) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or("");
    (infinite && text.bytes().any(|byte| byte.is_ascii_digit()))
        || (zero && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
}

fn syntax(text: &str, type_name: &str) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type {type_name}: \"{text}\""))
}

fn out_of_range(text: &str, type_name: &str) -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("\"{text}\" is out of range for type {type_name}"))
}
