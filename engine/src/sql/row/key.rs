//! Columns of keys: bytes that sort as the values do. Each begins with a byte that tells NULL from all else.
//!
//! ```text
//!  NULL          fe                              last ascending, first descending, as in PostgreSQL
//!  bool, ints,   1c-n, n bytes BE                negative with n bytes (n = 1..8)
//!  oid, date,    40 + v                          -32 <= v < 80, one byte
//!  time(stamp)   8f + n, n bytes BE              positive with n bytes
//!  text          a0, bytes with 00 as 00 ff, 00 01     char(n) without its trailing blanks
//!  bytea         a1, the same
//!  float8        a2, 8 bytes BE, sign flipped    NaN greatest, -0 as 0
//!  float4        a3, 4 bytes BE, the same
//!  numeric       b0..b6, see `key_number`
//!  interval      c0, 16 bytes BE: length with months of 30 days, sign flipped
//!  uuid          c1, 16 bytes
//!  array, row    c2, columns, 00                 the shorter first if one begins with the other
//!  jsonb         c3, see `write_json`
//! ```
//! A descending column is the same with all its bits inverted.

use super::cursor::{Cursor, damaged};
use super::key_number;
use crate::error::Result;
use crate::sql::types::{Array, Interval, Json, Text, Type, Value};
use std::sync::Arc;

pub(super) const NULL: u8 = 0xfe;
const ZERO: u8 = 0x40;
const SMALL_MIN: i64 = -32;
const SMALL_END: i64 = 80;
const NEGATIVE: u8 = 0x20;
const POSITIVE: u8 = 0x8f;
const TEXT: u8 = 0xa0;
const BYTEA: u8 = 0xa1;
const FLOAT8: u8 = 0xa2;
const FLOAT4: u8 = 0xa3;
const INTERVAL: u8 = 0xc0;
const UUID: u8 = 0xc1;
const LIST: u8 = 0xc2;
const JSONB: u8 = 0xc3;
const END: u8 = 0x00;

const MAX_DEPTH: u8 = 8;

/// Appends a column of a key.
#[inline]
pub fn encode_key(out: &mut Vec<u8>, value: &Value, descending: bool) {
    let start = out.len();
    match value {
        Value::Int4(value) => put_int(i64::from(*value), out),
        Value::Int8(value) => put_int(*value, out),
        Value::Text(text) => put_bytes(TEXT, text.as_bytes(), out),
        other => encode_other(out, other),
    }
    if descending {
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
    }
}

fn encode_other(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(value) => put_int(i64::from(*value), out),
        Value::Int2(value) => put_int(i64::from(*value), out),
        Value::Int4(value) | Value::Date(value) => put_int(i64::from(*value), out),
        Value::Int8(value) | Value::Time(value) => put_int(*value, out),
        Value::Timestamp(value) | Value::Timestamptz(value) => put_int(*value, out),
        Value::Oid(value) => put_int(i64::from(*value), out),
        Value::Float8(value) => {
            out.push(FLOAT8);
            out.extend_from_slice(&ordered_f64(*value).to_be_bytes());
        }
        Value::Float4(value) => {
            out.push(FLOAT4);
            out.extend_from_slice(&ordered_f32(*value).to_be_bytes());
        }
        Value::Numeric(number) => key_number::encode(number, out),
        Value::Text(text) | Value::Json(text) => put_bytes(TEXT, text.as_bytes(), out),
        Value::Bpchar(text) => put_bytes(TEXT, text.trim_end_matches(' ').as_bytes(), out),
        Value::Bytea(bytes) => put_bytes(BYTEA, bytes, out),
        Value::Interval(interval) => {
            out.push(INTERVAL);
            out.extend_from_slice(&(interval.comparable() as u128 ^ 1 << 127).to_be_bytes());
        }
        Value::Uuid(uuid) => {
            out.push(UUID);
            out.extend_from_slice(uuid);
        }
        Value::Array(array) => put_list(array.values(), out),
        Value::Record(values) => put_list(values, out),
        Value::Jsonb(json) => {
            out.push(JSONB);
            write_json(json, out);
        }
    }
}

/// Appends an integer of any width.
#[inline]
pub(super) fn put_int(value: i64, out: &mut Vec<u8>) {
    if (SMALL_MIN..SMALL_END).contains(&value) {
        return out.push((i64::from(ZERO) + value) as u8);
    }
    let bits = if value < 0 { !value } else { value };
    let length = (8 - bits.leading_zeros() as usize / 8).max(1);
    out.push(if value < 0 { NEGATIVE - length as u8 } else { POSITIVE + length as u8 });
    out.extend_from_slice(&value.to_be_bytes()[8 - length..]);
}

fn put_bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 3);
    out.push(tag);
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|byte| *byte == 0) {
        out.extend_from_slice(&rest[..=zero]);
        out.push(0xff);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 1]);
}

fn put_list(values: &[Value], out: &mut Vec<u8>) {
    out.push(LIST);
    for value in values {
        encode_key(out, value, false);
    }
    out.push(END);
}

/// Kind by rank (null, string, number, false, true, array, object), then the value; arrays and objects begin with their
/// number of members.
fn write_json(json: &Json, out: &mut Vec<u8>) {
    match json {
        Json::Null => out.push(1),
        Json::String(text) => {
            out.push(2);
            put_bytes(TEXT, text.as_bytes(), out);
        }
        Json::Number(number) => {
            out.push(3);
            key_number::encode(number, out);
        }
        Json::Bool(value) => out.push(4 + u8::from(*value)),
        Json::Array(elements) => {
            out.push(6);
            put_int(elements.len() as i64, out);
            elements.iter().for_each(|element| write_json(element, out));
        }
        Json::Object(pairs) => {
            out.push(7);
            put_int(pairs.len() as i64, out);
            for (key, value) in pairs {
                put_bytes(TEXT, key.as_bytes(), out);
                write_json(value, out);
            }
        }
    }
}

fn ordered_f64(value: f64) -> u64 {
    let value = if value == 0.0 { 0.0 } else { value };
    let bits = if value.is_nan() { f64::NAN.to_bits() & (u64::MAX >> 1) } else { value.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn ordered_f32(value: f32) -> u32 {
    let value = if value == 0.0 { 0.0 } else { value };
    let bits = if value.is_nan() { f32::NAN.to_bits() & (u32::MAX >> 1) } else { value.to_bits() };
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// Reads a column of a key from the front of `key`. Where [`is_exact_in_key`] does not hold, the value is equal to the
/// one that was written, not identical: a numeric lost its trailing zeros, for example.
pub fn decode_key(key: &mut &[u8], ty: &Type, descending: bool) -> Result<Value> {
    if descending {
        let mut length = 0;
        let inverted = invert_column(key, &mut length)?;
        let value = decode(&mut Cursor(&inverted), ty, 0)?;
        *key = &key[length..];
        return Ok(value);
    }
    let mut cursor = Cursor(key);
    let value = decode(&mut cursor, ty, 0)?;
    *key = cursor.0;
    Ok(value)
}

/// Skips a column of a key.
pub fn skip_key(key: &mut &[u8], descending: bool) -> Result<()> {
    if descending {
        let mut length = 0;
        invert_column(key, &mut length)?;
        *key = &key[length..];
        return Ok(());
    }
    let mut cursor = Cursor(key);
    skip(&mut cursor, 0)?;
    *key = cursor.0;
    Ok(())
}

/// The bytes of a descending column as ascending ones, and their number.
fn invert_column(key: &[u8], length: &mut usize) -> Result<Vec<u8>> {
    let inverted: Vec<u8> = key.iter().map(|byte| !byte).collect();
    let mut cursor = Cursor(&inverted);
    skip(&mut cursor, 0)?;
    *length = inverted.len() - cursor.0.len();
    Ok(inverted)
}

/// Whether every value of the type comes out of a key exactly as it went in.
pub fn is_exact_in_key(ty: &Type) -> bool {
    match ty {
        Type::Numeric(Some((_, scale))) => *scale >= 0,
        Type::Numeric(None) | Type::Float4 | Type::Float8 | Type::Interval(_) | Type::Char(None) => false,
        Type::Array(_) | Type::Int2vector | Type::Oidvector | Type::Record | Type::Json | Type::Jsonb => false,
        _ => true,
    }
}

fn decode(cursor: &mut Cursor<'_>, ty: &Type, depth: u8) -> Result<Value> {
    if cursor.0.first() == Some(&NULL) {
        cursor.byte()?;
        return Ok(Value::Null);
    }
    Ok(match ty {
        Type::Bool => Value::Bool(int(cursor)? != 0),
        Type::Int2 => Value::Int2(narrow(int(cursor)?)?),
        Type::Int4 => Value::Int4(narrow(int(cursor)?)?),
        Type::Int8 => Value::Int8(int(cursor)?),
        Type::Date => Value::Date(narrow(int(cursor)?)?),
        Type::Time(_) => Value::Time(int(cursor)?),
        Type::Timestamp(_) => Value::Timestamp(int(cursor)?),
        Type::Timestamptz(_) => Value::Timestamptz(int(cursor)?),
        Type::Float4 => Value::Float4(float4(cursor)?),
        Type::Float8 => Value::Float8(float8(cursor)?),
        Type::Numeric(typmod) => Value::Numeric(key_number::decode(cursor, *typmod)?),
        Type::Text | Type::Varchar(_) | Type::Name | Type::InternalChar | Type::Unknown => Value::Text(text(cursor)?),
        Type::Json => Value::Json(text(cursor)?),
        Type::Char(length) => Value::Bpchar(padded(text(cursor)?, *length)),
        Type::Bytea => Value::bytea(&bytes(cursor, BYTEA)?),
        Type::Interval(_) => Value::Interval(interval(cursor)?),
        Type::Uuid => {
            expect(cursor, UUID)?;
            Value::Uuid(cursor.array()?)
        }
        Type::Jsonb => {
            expect(cursor, JSONB)?;
            Value::Jsonb(Arc::new(json(cursor, 0)?))
        }
        Type::Array(_) | Type::Int2vector | Type::Oidvector => list(cursor, ty, depth)?,
        ty if ty.is_oid() => Value::Oid(narrow(int(cursor)?)?),
        _ => return Err(damaged()),
    })
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T> {
    T::try_from(value).map_err(|_| damaged())
}

fn expect(cursor: &mut Cursor<'_>, tag: u8) -> Result<()> {
    if cursor.byte()? == tag { Ok(()) } else { Err(damaged()) }
}

/// Reads an integer.
pub(super) fn int(cursor: &mut Cursor<'_>) -> Result<i64> {
    let tag = cursor.byte()?;
    let (length, fill) = match tag {
        0x20..=0x8f => return Ok(i64::from(tag) - i64::from(ZERO)),
        0x18..=0x1f => (NEGATIVE - tag, 0xff),
        0x90..=0x97 => (tag - POSITIVE, 0),
        _ => return Err(damaged()),
    };
    let mut wide = [fill; 8];
    wide[8 - usize::from(length)..].copy_from_slice(cursor.take(usize::from(length))?);
    Ok(i64::from_be_bytes(wide))
}

fn float8(cursor: &mut Cursor<'_>) -> Result<f64> {
    expect(cursor, FLOAT8)?;
    let bits = u64::from_be_bytes(cursor.array()?);
    Ok(f64::from_bits(if bits >> 63 == 1 { bits & (u64::MAX >> 1) } else { !bits }))
}

fn float4(cursor: &mut Cursor<'_>) -> Result<f32> {
    expect(cursor, FLOAT4)?;
    let bits = u32::from_be_bytes(cursor.array()?);
    Ok(f32::from_bits(if bits >> 31 == 1 { bits & (u32::MAX >> 1) } else { !bits }))
}

fn interval(cursor: &mut Cursor<'_>) -> Result<Interval> {
    expect(cursor, INTERVAL)?;
    let length = (u128::from_be_bytes(cursor.array()?) ^ 1 << 127) as i128;
    Interval::from_comparable(length).ok_or_else(damaged)
}

/// The bytes up to the terminator, unescaped.
fn bytes(cursor: &mut Cursor<'_>, tag: u8) -> Result<Vec<u8>> {
    expect(cursor, tag)?;
    let mut out = Vec::new();
    loop {
        let zero = cursor.0.iter().position(|byte| *byte == 0).ok_or_else(damaged)?;
        out.extend_from_slice(cursor.take(zero)?);
        match cursor.array::<2>()? {
            [0, 1] => return Ok(out),
            [0, 0xff] => out.push(0),
            _ => return Err(damaged()),
        }
    }
}

fn text(cursor: &mut Cursor<'_>) -> Result<Text> {
    // A text holds no byte 0, so it ends at the first.
    let zero = cursor.0.iter().position(|byte| *byte == 0).ok_or_else(damaged)?;
    let field = cursor.take(zero)?;
    if cursor.array::<2>()? != [0, 1] {
        return Err(damaged());
    }
    let (tag, body) = field.split_first().ok_or_else(damaged)?;
    let body = std::str::from_utf8(body).map_err(|_| damaged())?;
    if *tag == TEXT { Ok(Text::new(body)) } else { Err(damaged()) }
}

fn padded(text: Text, length: Option<u32>) -> Text {
    let missing = (length.unwrap_or(0) as usize).saturating_sub(text.chars().count());
    if missing == 0 {
        return text;
    }
    let mut padded = String::from(text);
    padded.extend(std::iter::repeat_n(' ', missing));
    padded.into()
}

fn list(cursor: &mut Cursor<'_>, ty: &Type, depth: u8) -> Result<Value> {
    expect(cursor, LIST)?;
    let element = ty.element().ok_or_else(damaged)?;
    let mut values = Vec::new();
    while cursor.0.first() != Some(&END) {
        if depth >= MAX_DEPTH {
            return Err(damaged());
        }
        values.push(decode(cursor, element, depth + 1)?);
    }
    cursor.byte()?;
    Ok(Value::Array(Arc::new(Array::new(element.clone(), values))))
}

fn json(cursor: &mut Cursor<'_>, depth: u8) -> Result<Json> {
    if depth > 200 {
        return Err(damaged());
    }
    Ok(match cursor.byte()? {
        1 => Json::Null,
        2 => Json::String(text(cursor)?),
        3 => Json::Number(key_number::decode(cursor, None)?),
        kind @ (4 | 5) => Json::Bool(kind == 5),
        6 => {
            let count = int(cursor)?;
            Json::Array((0..count).map(|_| json(cursor, depth + 1)).collect::<Result<_>>()?)
        }
        7 => {
            let count = int(cursor)?;
            Json::Object((0..count).map(|_| Ok((text(cursor)?, json(cursor, depth + 1)?))).collect::<Result<_>>()?)
        }
        _ => return Err(damaged()),
    })
}

/// Skips an ascending column of any type.
fn skip(cursor: &mut Cursor<'_>, depth: u8) -> Result<()> {
    let tag = *cursor.0.first().ok_or_else(damaged)?;
    match tag {
        0x18..=0x97 => {
            int(cursor)?;
        }
        TEXT | BYTEA => skip_bytes(cursor)?,
        FLOAT8 => skip_fixed(cursor, 9)?,
        FLOAT4 => skip_fixed(cursor, 5)?,
        0xb0..=0xb6 => key_number::skip(cursor)?,
        INTERVAL | UUID => skip_fixed(cursor, 17)?,
        NULL => skip_fixed(cursor, 1)?,
        LIST => {
            cursor.byte()?;
            while cursor.0.first() != Some(&END) {
                if depth >= MAX_DEPTH {
                    return Err(damaged());
                }
                skip(cursor, depth + 1)?;
            }
            cursor.byte()?;
        }
        JSONB => {
            cursor.byte()?;
            json(cursor, 0)?;
        }
        _ => return Err(damaged()),
    }
    Ok(())
}

fn skip_fixed(cursor: &mut Cursor<'_>, length: usize) -> Result<()> {
    cursor.take(length).map(|_| ())
}

fn skip_bytes(cursor: &mut Cursor<'_>) -> Result<()> {
    loop {
        let zero = cursor.0.iter().position(|byte| *byte == 0).ok_or_else(damaged)?;
        cursor.take(zero)?;
        match cursor.array::<2>()? {
            [0, 1] => return Ok(()),
            [0, 0xff] => {}
            _ => return Err(damaged()),
        }
    }
}
