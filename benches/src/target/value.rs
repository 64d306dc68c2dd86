//! Values that cross to a target and back, in the protocol's text and binary forms.

use bytes::{BufMut, BytesMut};
use std::error::Error;
use std::fmt::{self, Write as _};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A fixed-point number: `units / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// The number times `10^scale`.
    pub units: i64,
    /// Digits after the point.
    pub scale: u8,
}

impl Decimal {
    /// `units / 100`.
    pub const fn cents(units: i64) -> Decimal {
        Decimal { units, scale: 2 }
    }

    /// `units / 10000`.
    pub const fn rate(units: i64) -> Decimal {
        Decimal { units, scale: 4 }
    }

    /// The nearest `f64`.
    pub fn to_f64(self) -> f64 {
        self.units as f64 / 10f64.powi(i32::from(self.scale))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = u32::from(self.scale);
        let power = 10i64.pow(scale).unsigned_abs();
        let sign = if self.units < 0 { "-" } else { "" };
        let units = self.units.unsigned_abs();
        if scale == 0 {
            return write!(f, "{sign}{units}");
        }
        write!(f, "{sign}{}.{:0width$}", units / power, units % power, width = usize::from(self.scale))
    }
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// Any integer column.
    Int(i64),
    /// A numeric column.
    Decimal(Decimal),
    /// A text column.
    Text(String),
    /// A timestamp, microseconds since 2000-01-01.
    Time(i64),
    /// NULL.
    Null,
}

impl Param {
    /// Appends the parameter as an SQL literal.
    pub fn write_literal(&self, out: &mut String) {
        let written = match self {
            Param::Int(value) => write!(out, "{value}"),
            Param::Decimal(value) => write!(out, "{value}"),
            Param::Text(value) => write!(out, "'{}'", value.replace('\'', "''")),
            Param::Time(micros) => write!(out, "'{}'", timestamp_text(*micros)),
            Param::Null => write!(out, "NULL"),
        };
        written.unwrap_or_default();
    }
}

/// `YYYY-MM-DD hh:mm:ss.ffffff` of microseconds since 2000-01-01.
pub fn timestamp_text(micros: i64) -> String {
    let (days, in_day) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    // Civil date of a day count (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let z = days + 10_957 + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let seconds = in_day / 1_000_000;
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:06}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        in_day % 1_000_000
    )
}

impl ToSql for Param {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, ty) {
            (Param::Null, _) => return Ok(IsNull::Yes),
            (Param::Int(value), &Type::INT2) => out.put_i16(i16::try_from(*value)?),
            (Param::Int(value), &Type::INT4) => out.put_i32(i32::try_from(*value)?),
            (Param::Int(value), &Type::INT8) => out.put_i64(*value),
            (Param::Int(value), &Type::NUMERIC) => put_numeric(Decimal { units: *value, scale: 0 }, out),
            (Param::Decimal(value), &Type::NUMERIC) => put_numeric(*value, out),
            (Param::Text(value), _) => out.put_slice(value.as_bytes()),
            (Param::Time(micros), &Type::TIMESTAMP | &Type::TIMESTAMPTZ) => out.put_i64(*micros),
            (value, ty) => return Err(format!("a parameter of type {ty} cannot be {value:?}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// PostgreSQL's binary numeric: base-10000 digits, weight of the first, sign, display scale.
fn put_numeric(value: Decimal, out: &mut BytesMut) {
    let scale = u32::from(value.scale);
    let padded = scale.div_ceil(4) * 4;
    let mut rest = u128::from(value.units.unsigned_abs()) * 10u128.pow(padded - scale);
    let mut digits = Vec::with_capacity(8);
    while rest > 0 {
        digits.push((rest % 10_000) as i16);
        rest /= 10_000;
    }
    digits.reverse();
    let weight = digits.len() as i16 - (padded / 4) as i16 - 1;
    while digits.last() == Some(&0) {
        digits.pop();
    }
    out.put_i16(digits.len() as i16);
    out.put_i16(if digits.is_empty() { 0 } else { weight });
    out.put_i16(if value.units < 0 { 0x4000 } else { 0 });
    out.put_i16(i16::from(value.scale));
    for digit in digits {
        out.put_i16(digit);
    }
}

/// One value of a result row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// Any integer.
    Int(i64),
    /// Any fraction; exact enough for what workloads compute.
    Float(f64),
    /// Everything else, as text.
    Text(String),
}

/// One result row.
pub type Row = Vec<Cell>;

impl Cell {
    /// The integer; text is parsed (simple protocol). 0 for NULL.
    pub fn int(&self) -> i64 {
        match self {
            Cell::Int(value) => *value,
            Cell::Float(value) => *value as i64,
            Cell::Text(text) => text.parse().or_else(|_| text.parse().map(|f: f64| f as i64)).unwrap_or_default(),
            Cell::Null => 0,
        }
    }

    /// The number; text is parsed. 0 for NULL.
    pub fn float(&self) -> f64 {
        match self {
            Cell::Int(value) => *value as f64,
            Cell::Float(value) => *value,
            Cell::Text(text) => text.parse().unwrap_or_default(),
            Cell::Null => 0.0,
        }
    }

    /// The text; empty for NULL and numbers.
    pub fn text(&self) -> &str {
        if let Cell::Text(text) = self { text } else { "" }
    }
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Cell, Box<dyn Error + Sync + Send>> {
        Ok(match *ty {
            Type::INT2 => Cell::Int(i64::from(i16::from_sql(ty, raw)?)),
            Type::INT4 => Cell::Int(i64::from(i32::from_sql(ty, raw)?)),
            Type::INT8 | Type::TIMESTAMP | Type::TIMESTAMPTZ => Cell::Int(i64::from_be_bytes(raw.try_into()?)),
            Type::FLOAT8 => Cell::Float(f64::from_sql(ty, raw)?),
            Type::NUMERIC => Cell::Float(numeric(raw)?),
            Type::BOOL => Cell::Int(i64::from(raw == [1])),
            _ => Cell::Text(std::str::from_utf8(raw)?.to_owned()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Cell, Box<dyn Error + Sync + Send>> {
        Ok(Cell::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn numeric(raw: &[u8]) -> Result<f64, Box<dyn Error + Sync + Send>> {
    let words: Vec<i16> = raw.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
    let [count, weight, sign, scale, digits @ ..] = words.as_slice() else { return Err("short numeric".into()) };
    if digits.len() != usize::try_from(*count)? {
        return Err("numeric of another length".into());
    }
    let whole = digits.iter().fold(0f64, |sum, digit| sum * 10_000.0 + f64::from(*digit));
    let value = whole * 10_000f64.powi(i32::from(*weight) - i32::from(*count) + 1);
    // Back to the exact decimal that the digits stand for, so that sums compare equal.
    let unit = 10f64.powi(i32::from(*scale));
    let value = (value * unit).round() / unit;
    Ok(if *sign == 0x4000 { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerics_cross_in_binary() {
        for (units, scale) in [(0, 2), (1, 2), (-12_345, 2), (100_000_000, 2), (1_999, 4), (50_000, 0), (10_000, 4)] {
            let mut out = BytesMut::new();
            put_numeric(Decimal { units, scale }, &mut out);
            assert_eq!(numeric(&out).unwrap(), Decimal { units, scale }.to_f64(), "{units} / 10^{scale}");
        }
    }

    #[test]
    fn literals() {
        let mut text = String::new();
        for param in [Param::Int(-3), Param::Decimal(Decimal::cents(-5)), Param::Text("O'B".into()), Param::Null] {
            param.write_literal(&mut text);
            text.push(' ');
        }
        Param::Time(86_400_000_000 * 59 + 1).write_literal(&mut text);
        assert_eq!(text, "-3 -0.05 'O''B' NULL '2000-02-29 00:00:00.000001'");
    }
}
