//! The value of a row: its columns by id, in ascending order, NULLs left out.
//!
//! ```text
//!  row       01 column*
//!  column    varint((id - previous id - 1) << 3 | class)   payload         the first id is counted from -1
//!
//!  class     payload                          types
//!  0 null    none                             an explicit NULL, for columns whose absence means another value
//!  1 int     varint(zigzag)                   bool, ints, oid, date, time
//!  2 four    4 bytes, little-endian           real
//!  3 eight   8 bytes, little-endian           double precision, timestamp, timestamptz
//!  4 sixteen 16 bytes                         uuid; interval (micros 8, days 4, months 4, little-endian)
//!  5 bytes   varint(length) bytes             text, varchar, bytea, json, jsonb (as text);
//!                                             char(n) as varint(blanks at the end) text; arrays and rows as below
//!  6 number  varint(scale) varint(zigzag)     numeric whose coefficient fits 128 bits
//!
//!  wide numeric (class 5)   00 NaN | 01 Infinity | 02 -Infinity | 03, varint(scale), sign 0 or 1, magnitude BE
//!  array        (class 5)   varint(OID) varint(dimensions) {varint(length) varint(zigzag(lower))}* element*
//!  row          (class 5)   {varint(OID) element}*
//!  element                  class, payload
//! ```
//! A class says how long its payload is, so columns that are not wanted are skipped without knowing their types, and an
//! integer column that was widened reads old rows unchanged.

use super::cursor::{Cursor, damaged, put_varint, put_varint128, unzigzag, unzigzag128, zigzag, zigzag128};
use crate::error::Result;
use crate::sql::types::numeric::{View, magnitude_bytes};
use crate::sql::types::{Array, Interval, Json, Numeric, Text, Type, Value};
use num_bigint::{BigInt, Sign};
use std::sync::Arc;

const VERSION: u8 = 1;

const NULL: u8 = 0;
const INT: u8 = 1;
const FOUR: u8 = 2;
const EIGHT: u8 = 3;
const SIXTEEN: u8 = 4;
const BYTES: u8 = 5;
const NUMBER: u8 = 6;

/// Deepest nesting of rows in arrays in rows.
const MAX_DEPTH: u8 = 8;

/// Writes one row, column by column in ascending order of their ids.
pub struct RowWriter<'a> {
    out: &'a mut Vec<u8>,
    next: u32,
}

impl<'a> RowWriter<'a> {
    /// Begins a row at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> RowWriter<'a> {
        out.push(VERSION);
        RowWriter { out, next: 0 }
    }

    /// Adds a column; NULL adds nothing. Ids must ascend.
    #[inline]
    pub fn push(&mut self, id: u32, value: &Value) {
        if !value.is_null() {
            self.head(id, class_of(value));
            write_payload(value, self.out);
        }
    }

    /// Adds a NULL that is written down, because the column's absence would mean its default.
    pub fn push_null(&mut self, id: u32) {
        self.head(id, NULL);
    }

    #[inline]
    fn head(&mut self, id: u32, class: u8) {
        assert!(id >= self.next, "the columns of a row are written in ascending order of their ids");
        put_varint(u64::from(id - self.next) << 3 | u64::from(class), self.out);
        self.next = id + 1;
    }
}

/// Appends a row of columns, given in ascending order of their ids.
pub fn encode_row<'a>(columns: impl IntoIterator<Item = (u32, &'a Value)>, out: &mut Vec<u8>) {
    let mut writer = RowWriter::new(out);
    for (id, value) in columns {
        writer.push(id, value);
    }
}

fn class_of(value: &Value) -> u8 {
    match value {
        Value::Null => NULL,
        Value::Bool(_) | Value::Int2(_) | Value::Int4(_) | Value::Int8(_) => INT,
        Value::Oid(_) | Value::Date(_) | Value::Time(_) => INT,
        Value::Float4(_) => FOUR,
        Value::Float8(_) | Value::Timestamp(_) | Value::Timestamptz(_) => EIGHT,
        Value::Uuid(_) | Value::Interval(_) => SIXTEEN,
        Value::Numeric(number) if matches!(number.view(), View::Small(..)) => NUMBER,
        _ => BYTES,
    }
}

fn write_payload(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Bool(value) => put_varint(zigzag(i64::from(*value)), out),
        Value::Int2(value) => put_varint(zigzag(i64::from(*value)), out),
        Value::Int4(value) => put_varint(zigzag(i64::from(*value)), out),
        Value::Int8(value) => put_varint(zigzag(*value), out),
        Value::Oid(value) => put_varint(zigzag(i64::from(*value)), out),
        Value::Date(value) => put_varint(zigzag(i64::from(*value)), out),
        Value::Time(value) => put_varint(zigzag(*value), out),
        Value::Float4(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::Float8(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::Timestamp(value) | Value::Timestamptz(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::Uuid(value) => out.extend_from_slice(value),
        Value::Interval(value) => {
            out.extend_from_slice(&value.micros.to_le_bytes());
            out.extend_from_slice(&value.days.to_le_bytes());
            out.extend_from_slice(&value.months.to_le_bytes());
        }
        Value::Text(text) | Value::Json(text) => put_bytes(text.as_bytes(), out),
        Value::Bytea(bytes) => put_bytes(bytes, out),
        Value::Jsonb(json) => put_bytes(json.to_text().as_bytes(), out),
        Value::Bpchar(text) => put_sized(out, |out| {
            let kept = text.trim_end_matches(' ');
            put_varint((text.len() - kept.len()) as u64, out);
            out.extend_from_slice(kept.as_bytes());
        }),
        Value::Numeric(number) => write_number(number, out),
        Value::Array(array) => put_sized(out, |out| write_array(array, out)),
        Value::Record(values) => put_sized(out, |out| {
            for value in values.iter() {
                put_varint(u64::from(value.natural_type().oid()), out);
                write_element(value, out);
            }
        }),
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn put_sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    write(&mut body);
    put_bytes(&body, out);
}

fn write_number(number: &Numeric, out: &mut Vec<u8>) {
    match number.view() {
        View::Small(coefficient, scale) => {
            put_varint(u64::from(scale), out);
            match i64::try_from(coefficient) {
                Ok(short) if short.unsigned_abs() < 1 << 62 => put_varint(zigzag(short), out),
                _ => put_varint128(zigzag128(coefficient), out),
            }
        }
        View::Big(coefficient, scale) => put_sized(out, |out| {
            let (negative, magnitude) = magnitude_bytes(coefficient);
            out.push(3);
            put_varint(u64::from(scale), out);
            out.push(u8::from(negative));
            out.extend_from_slice(&magnitude);
        }),
        View::NaN => put_bytes(&[0], out),
        View::Infinity => put_bytes(&[1], out),
        View::NegInfinity => put_bytes(&[2], out),
    }
}

fn write_array(array: &Array, out: &mut Vec<u8>) {
    put_varint(u64::from(array.element_type().oid()), out);
    put_varint(array.dimensions().len() as u64, out);
    for dimension in array.dimensions() {
        put_varint(u64::from(dimension.length), out);
        put_varint(zigzag(i64::from(dimension.lower)), out);
    }
    for value in array.values() {
        write_element(value, out);
    }
}

fn write_element(value: &Value, out: &mut Vec<u8>) {
    out.push(class_of(value));
    write_payload(value, out);
}

/// Reads the wanted columns of a row: `wanted` names column ids in ascending order, the slot of `out` to fill, and the
/// type. Slots of columns that the row does not hold are left as they are: the caller puts NULL (or the value that the
/// column's absence means) there before.
///
/// SQLSTATE XX001 if the bytes are not a row of these types.
pub fn decode_row(bytes: &[u8], wanted: &[(u32, usize, Type)], out: &mut [Value]) -> Result<()> {
    let mut cursor = Cursor(bytes);
    if cursor.byte()? != VERSION {
        return Err(damaged());
    }
    let mut wanted = wanted.iter();
    let Some(mut want) = wanted.next() else {
        return Ok(());
    };
    let mut next = 0u64;
    while !cursor.0.is_empty() {
        let head = cursor.varint()?;
        let (id, class) = (next.saturating_add(head >> 3), (head & 7) as u8);
        next = id.saturating_add(1);
        while u64::from(want.0) < id {
            match wanted.next() {
                Some(following) => want = following,
                None => return Ok(()),
            }
        }
        if u64::from(want.0) > id {
            skip_payload(class, &mut cursor)?;
            continue;
        }
        let value = read_payload(class, &want.2, &mut cursor, 0)?;
        *out.get_mut(want.1).ok_or_else(damaged)? = value;
        match wanted.next() {
            Some(following) => want = following,
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Whether two rows have the same values in these columns, whose ids ascend. A column that one of them lacks must be lacking
/// in the other.
///
/// # Errors
/// XX001 if either is no row.
pub fn same_columns(one: &[u8], other: &[u8], ids: &[u32]) -> Result<bool> {
    if ids.is_empty() {
        return Ok(true);
    }
    let (mut one, mut other) = (Encoded::new(one)?, Encoded::new(other)?);
    for id in ids {
        if one.column(*id)? != other.column(*id)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A row whose columns are looked at as bytes.
struct Encoded<'a> {
    cursor: Cursor<'a>,
    next: u64,
    /// The column that was passed last.
    last: Option<(u64, &'a [u8])>,
    class: u8,
}

impl<'a> Encoded<'a> {
    fn new(bytes: &'a [u8]) -> Result<Encoded<'a>> {
        let mut cursor = Cursor(bytes);
        if cursor.byte()? != VERSION {
            return Err(damaged());
        }
        Ok(Encoded { cursor, next: 0, last: None, class: NULL })
    }

    /// Class and payload of a column; ids must ascend from call to call.
    fn column(&mut self, id: u32) -> Result<Option<(u8, &'a [u8])>> {
        let id = u64::from(id);
        while self.last.is_none_or(|(last, _)| last < id) && !self.cursor.0.is_empty() {
            let head = self.cursor.varint()?;
            let found = self.next.saturating_add(head >> 3);
            self.next = found.saturating_add(1);
            let before = self.cursor.0;
            skip_payload((head & 7) as u8, &mut self.cursor)?;
            self.last = Some((found, &before[..before.len() - self.cursor.0.len()]));
            self.class = (head & 7) as u8;
        }
        Ok(self.last.filter(|(found, _)| *found == id).map(|(_, payload)| (self.class, payload)))
    }
}

#[inline]
fn skip_payload(class: u8, cursor: &mut Cursor<'_>) -> Result<()> {
    match class {
        NULL => {}
        INT => skip_varint(cursor)?,
        FOUR => drop_bytes(cursor, 4)?,
        EIGHT => drop_bytes(cursor, 8)?,
        SIXTEEN => drop_bytes(cursor, 16)?,
        BYTES => {
            cursor.sized()?;
        }
        NUMBER => {
            skip_varint(cursor)?;
            skip_varint(cursor)?;
        }
        _ => return Err(damaged()),
    }
    Ok(())
}

fn drop_bytes(cursor: &mut Cursor<'_>, length: usize) -> Result<()> {
    cursor.take(length).map(|_| ())
}

#[inline]
fn skip_varint(cursor: &mut Cursor<'_>) -> Result<()> {
    while cursor.byte()? >= 0x80 {}
    Ok(())
}

#[inline]
fn read_payload(class: u8, ty: &Type, cursor: &mut Cursor<'_>, depth: u8) -> Result<Value> {
    match class {
        INT => read_int(unzigzag(cursor.varint()?), ty),
        BYTES => read_bytes(cursor.sized()?, ty, depth),
        NUMBER => read_number(cursor, ty),
        EIGHT => {
            let bytes = cursor.array::<8>()?;
            match ty {
                Type::Timestamp(_) => Ok(Value::Timestamp(i64::from_le_bytes(bytes))),
                Type::Timestamptz(_) => Ok(Value::Timestamptz(i64::from_le_bytes(bytes))),
                Type::Float8 => Ok(Value::Float8(f64::from_le_bytes(bytes))),
                _ => Err(damaged()),
            }
        }
        FOUR => {
            let value = f32::from_le_bytes(cursor.array()?);
            match ty {
                Type::Float4 => Ok(Value::Float4(value)),
                Type::Float8 => Ok(Value::Float8(f64::from(value))),
                _ => Err(damaged()),
            }
        }
        SIXTEEN => read_sixteen(cursor, ty),
        NULL => Ok(Value::Null),
        _ => Err(damaged()),
    }
}

#[inline]
fn read_int(number: i64, ty: &Type) -> Result<Value> {
    Ok(match ty {
        Type::Int4 => Value::Int4(i32::try_from(number).map_err(|_| damaged())?),
        Type::Int8 => Value::Int8(number),
        Type::Int2 => Value::Int2(i16::try_from(number).map_err(|_| damaged())?),
        Type::Bool => Value::Bool(number != 0),
        Type::Date => Value::Date(i32::try_from(number).map_err(|_| damaged())?),
        Type::Time(_) => Value::Time(number),
        ty if ty.is_oid() => Value::Oid(u32::try_from(number).map_err(|_| damaged())?),
        _ => return Err(damaged()),
    })
}

fn read_sixteen(cursor: &mut Cursor<'_>, ty: &Type) -> Result<Value> {
    match ty {
        Type::Uuid => Ok(Value::Uuid(cursor.array()?)),
        Type::Interval(_) => {
            let micros = i64::from_le_bytes(cursor.array()?);
            let days = i32::from_le_bytes(cursor.array()?);
            Ok(Value::Interval(Interval::new(i32::from_le_bytes(cursor.array()?), days, micros)))
        }
        _ => Err(damaged()),
    }
}

fn read_number(cursor: &mut Cursor<'_>, ty: &Type) -> Result<Value> {
    let scale = u16::try_from(cursor.varint()?).map_err(|_| damaged())?;
    let mut short = *cursor;
    let coefficient = match short.varint() {
        Ok(value) => {
            *cursor = short;
            i128::from(unzigzag(value))
        }
        Err(_) => unzigzag128(cursor.varint128()?),
    };
    if !matches!(ty, Type::Numeric(_)) {
        return Err(damaged());
    }
    Ok(Value::Numeric(Numeric::new(coefficient, scale)))
}

#[inline]
fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| damaged())
}

fn read_bytes(bytes: &[u8], ty: &Type, depth: u8) -> Result<Value> {
    Ok(match ty {
        Type::Text | Type::Varchar(_) | Type::Name | Type::InternalChar | Type::Unknown => {
            Value::Text(Text::new(utf8(bytes)?))
        }
        Type::Char(_) => Value::Bpchar(read_padded(bytes)?),
        Type::Bytea => Value::bytea(bytes),
        Type::Json => Value::Json(Text::new(utf8(bytes)?)),
        Type::Jsonb => Value::Jsonb(Arc::new(Json::parse(utf8(bytes)?).map_err(|_| damaged())?)),
        Type::Numeric(_) => Value::Numeric(read_wide_number(bytes)?),
        Type::Array(_) | Type::Int2vector | Type::Oidvector => Value::Array(Arc::new(read_array(bytes, depth)?)),
        Type::Record => Value::Record(read_record(bytes, depth)?.into()),
        _ => return Err(damaged()),
    })
}

fn read_padded(bytes: &[u8]) -> Result<Text> {
    let mut cursor = Cursor(bytes);
    let blanks = usize::try_from(cursor.varint()?).map_err(|_| damaged())?;
    let kept = utf8(cursor.0)?;
    if blanks == 0 {
        return Ok(Text::new(kept));
    }
    // The longest char(n) bounds the blanks that damaged bytes can ask for.
    if blanks > 10_485_760 {
        return Err(damaged());
    }
    let mut text = String::with_capacity(kept.len() + blanks);
    text.push_str(kept);
    text.extend(std::iter::repeat_n(' ', blanks));
    Ok(text.into())
}

fn read_wide_number(bytes: &[u8]) -> Result<Numeric> {
    let mut cursor = Cursor(bytes);
    match cursor.byte()? {
        0 => Ok(Numeric::NAN),
        1 => Ok(Numeric::INFINITY),
        2 => Ok(Numeric::NEG_INFINITY),
        3 => {
            let scale = u32::try_from(cursor.varint()?).map_err(|_| damaged())?;
            let sign = if cursor.byte()? == 0 { Sign::Plus } else { Sign::Minus };
            Numeric::from_big(BigInt::from_bytes_be(sign, cursor.0), scale).map_err(|_| damaged())
        }
        _ => Err(damaged()),
    }
}

fn read_array(bytes: &[u8], depth: u8) -> Result<Array> {
    let mut cursor = Cursor(bytes);
    let element = read_type(&mut cursor)?;
    let count = cursor.varint()?;
    let mut dimensions = Vec::new();
    for _ in 0..count.min(7) {
        let length = u32::try_from(cursor.varint()?).map_err(|_| damaged())?;
        let lower = i32::try_from(unzigzag(cursor.varint()?)).map_err(|_| damaged())?;
        dimensions.push(crate::sql::types::Dimension { length, lower });
    }
    let mut values = Vec::new();
    while !cursor.0.is_empty() {
        values.push(read_element(&mut cursor, &element, depth)?);
    }
    Array::with_dimensions(element, dimensions, values).map_err(|_| damaged())
}

fn read_record(bytes: &[u8], depth: u8) -> Result<Vec<Value>> {
    let mut cursor = Cursor(bytes);
    let mut values = Vec::new();
    while !cursor.0.is_empty() {
        let ty = read_type(&mut cursor)?;
        values.push(read_element(&mut cursor, &ty, depth)?);
    }
    Ok(values)
}

fn read_type(cursor: &mut Cursor<'_>) -> Result<Type> {
    let oid = u32::try_from(cursor.varint()?).map_err(|_| damaged())?;
    Type::from_oid(oid, -1).ok_or_else(damaged)
}

fn read_element(cursor: &mut Cursor<'_>, ty: &Type, depth: u8) -> Result<Value> {
    if depth >= MAX_DEPTH {
        return Err(damaged());
    }
    let class = cursor.byte()?;
    read_payload(class, ty, cursor, depth + 1)
}
