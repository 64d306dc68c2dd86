//! Values in the binary format of PostgreSQL's wire protocol (`*_send` and `*_recv`), integers big-endian.
//!
//! ```text
//!  bool 1   int2 2   int4 4   int8 8   float4 4   float8 8   oid 4   uuid 16
//!  date 4 (days)   time, timestamp, timestamptz 8 (microseconds)   interval 8 micros, 4 days, 4 months
//!  text, varchar, bpchar, name, bytea, json   the bytes       jsonb   01, then the text
//!  numeric    see `numeric::wire`
//!  array      i32 dimensions, i32 has nulls, u32 element OID, per dimension i32 length and i32 lower bound,
//!             per element i32 length (-1 NULL) and its bytes
//!  record     i32 fields, per field u32 OID, i32 length, bytes
//! ```

use super::array::{Dimension, MAX_DIMENSIONS, MAX_ELEMENTS};
use super::{Array, Interval, Json, Numeric, Text, Type, Value, cast, datetime, parse};
use crate::error::{Error, Result, SqlState};
use std::sync::Arc;

/// Appends the binary form of a value of type `ty`; the caller writes lengths and NULL.
pub fn encode(value: &Value, ty: &Type, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Bool(value) => out.push(u8::from(*value)),
        Value::Int2(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Int4(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Int8(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Float4(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Float8(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Numeric(number) => number.encode_wire(out),
        Value::Text(text) | Value::Bpchar(text) | Value::Json(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytea(bytes) => out.extend_from_slice(bytes),
        Value::Date(days) => out.extend_from_slice(&days.to_be_bytes()),
        Value::Time(micros) | Value::Timestamp(micros) | Value::Timestamptz(micros) => {
            out.extend_from_slice(&micros.to_be_bytes());
        }
        Value::Interval(interval) => {
            out.extend_from_slice(&interval.micros.to_be_bytes());
            out.extend_from_slice(&interval.days.to_be_bytes());
            out.extend_from_slice(&interval.months.to_be_bytes());
        }
        Value::Uuid(uuid) => out.extend_from_slice(uuid),
        Value::Jsonb(json) => {
            out.push(1);
            out.extend_from_slice(json.to_text().as_bytes());
        }
        Value::Oid(oid) => out.extend_from_slice(&oid.to_be_bytes()),
        Value::Array(array) => encode_array(array, ty, out),
        Value::Record(values) => encode_record(values, out),
    }
}

fn encode_array(array: &Array, ty: &Type, out: &mut Vec<u8>) {
    let element = ty.element().unwrap_or(array.element_type());
    let nulls = array.values().iter().any(Value::is_null);
    out.extend_from_slice(&(array.dimensions().len() as i32).to_be_bytes());
    out.extend_from_slice(&i32::from(nulls).to_be_bytes());
    out.extend_from_slice(&element.oid().to_be_bytes());
    for dimension in array.dimensions() {
        out.extend_from_slice(&dimension.length.to_be_bytes());
        out.extend_from_slice(&dimension.lower.to_be_bytes());
    }
    for value in array.values() {
        encode_sized(value, element, out);
    }
}

fn encode_record(values: &[Value], out: &mut Vec<u8>) {
    out.extend_from_slice(&(values.len() as i32).to_be_bytes());
    for value in values {
        let ty = value.natural_type();
        out.extend_from_slice(&ty.oid().to_be_bytes());
        encode_sized(value, &ty, out);
    }
}

/// Appends an i32 length (-1 for NULL) and the binary form.
pub fn encode_sized(value: &Value, ty: &Type, out: &mut Vec<u8>) {
    if value.is_null() {
        return out.extend_from_slice(&(-1i32).to_be_bytes());
    }
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    encode(value, ty, out);
    let length = (out.len() - at - 4) as i32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Reads a value of type `ty`; SQLSTATE 22P03 (or the type's own errors) for bytes that are none.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value> {
    Ok(match ty {
        Type::Bool => Value::Bool(u8::from_be_bytes(fixed(bytes)?) != 0),
        Type::Int2 => Value::Int2(i16::from_be_bytes(fixed(bytes)?)),
        Type::Int4 => Value::Int4(i32::from_be_bytes(fixed(bytes)?)),
        Type::Int8 => Value::Int8(i64::from_be_bytes(fixed(bytes)?)),
        Type::Float4 => Value::Float4(f32::from_be_bytes(fixed(bytes)?)),
        Type::Float8 => Value::Float8(f64::from_be_bytes(fixed(bytes)?)),
        Type::Numeric(typmod) => Value::Numeric(parse::fit(Numeric::decode_wire(bytes)?, *typmod)?),
        Type::Text | Type::Unknown => Value::Text(Text::new(utf8(bytes)?)),
        Type::Varchar(length) => Value::Text(cast::to_varchar(utf8(bytes)?, *length, false)?),
        Type::Char(length) => Value::Bpchar(cast::to_bpchar(utf8(bytes)?, *length, false)?),
        Type::Name => Value::Text(cast::to_name(utf8(bytes)?)),
        Type::InternalChar => Value::Text(cast::to_internal_char(utf8(bytes)?)),
        Type::Bytea => Value::bytea(bytes),
        Type::Date => Value::Date(decode_date(bytes)?),
        Type::Time(digits) => Value::Time(decode_time(bytes, *digits)?),
        Type::Timestamp(digits) => Value::Timestamp(decode_timestamp(bytes, *digits)?),
        Type::Timestamptz(digits) => Value::Timestamptz(decode_timestamp(bytes, *digits)?),
        Type::Interval(digits) => Value::Interval(decode_interval(bytes)?.round(digits.unwrap_or(6))),
        Type::Uuid => Value::Uuid(fixed(bytes)?),
        Type::Json => {
            let text = utf8(bytes)?;
            Json::check(text)?;
            Value::Json(Text::new(text))
        }
        Type::Jsonb => Value::Jsonb(Arc::new(decode_jsonb(bytes)?)),
        Type::Oid | Type::Xid | Type::Regclass | Type::Regtype | Type::Regproc | Type::Regnamespace | Type::Regrole => {
            Value::Oid(u32::from_be_bytes(fixed(bytes)?))
        }
        Type::Array(_) | Type::Int2vector | Type::Oidvector => Value::Array(Arc::new(decode_array(bytes, ty)?)),
        Type::Void => Value::Null,
        Type::Record => {
            let message = "input of anonymous composite types is not implemented";
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
    })
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| malformed())
}

fn malformed() -> Error {
    Error::new(SqlState::INVALID_BINARY_REPRESENTATION, "incorrect binary data format")
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let bad = bytes.get(error.valid_up_to()).copied().unwrap_or(0);
        let message = format!("invalid byte sequence for encoding \"UTF8\": 0x{bad:02x}");
        Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
    })?;
    parse::checked(text)
}

fn decode_date(bytes: &[u8]) -> Result<i32> {
    let days = i32::from_be_bytes(fixed(bytes)?);
    let known = datetime::is_infinite_date(days).then_some(days).or_else(|| datetime::check_date(i64::from(days)));
    known.ok_or_else(datetime::date_out_of_range)
}

fn decode_time(bytes: &[u8], digits: Option<u8>) -> Result<i64> {
    let micros = i64::from_be_bytes(fixed(bytes)?);
    if !(0..=datetime::DAY).contains(&micros) {
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "time out of range"));
    }
    Ok(datetime::round_micros(micros, digits.unwrap_or(6)))
}

fn decode_timestamp(bytes: &[u8], digits: Option<u8>) -> Result<i64> {
    let micros = i64::from_be_bytes(fixed(bytes)?);
    if datetime::is_infinite(micros) {
        return Ok(micros);
    }
    let micros = datetime::check_timestamp(micros).ok_or_else(datetime::timestamp_out_of_range)?;
    Ok(datetime::round_micros(micros, digits.unwrap_or(6)))
}

fn decode_interval(bytes: &[u8]) -> Result<Interval> {
    let bytes: [u8; 16] = fixed(bytes)?;
    let mut reader = Reader(&bytes);
    let micros = i64::from_be_bytes(reader.take()?);
    let days = i32::from_be_bytes(reader.take()?);
    Ok(Interval::new(i32::from_be_bytes(reader.take()?), days, micros))
}

fn decode_jsonb(bytes: &[u8]) -> Result<Json> {
    match bytes.split_first() {
        Some((1, text)) => Json::parse(utf8(text)?),
        Some((version, _)) => Err(Error::internal(format!("unsupported jsonb version number {version}"))),
        None => Err(malformed()),
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(short)?;
        self.0 = rest;
        Ok(*head)
    }

    fn int(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(head)
    }
}

fn short() -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, "insufficient data left in message")
}

fn decode_array(bytes: &[u8], ty: &Type) -> Result<Array> {
    let Some(element) = ty.element() else {
        return Err(malformed());
    };
    let mut reader = Reader(bytes);
    let dimensions = reader.int()?;
    if !(0..=MAX_DIMENSIONS as i32).contains(&dimensions) {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("number of array dimensions ({dimensions}) exceeds the maximum allowed ({MAX_DIMENSIONS})"),
        ));
    }
    if !(0..=1).contains(&reader.int()?) {
        return Err(Error::new(SqlState::INVALID_BINARY_REPRESENTATION, "invalid array flags"));
    }
    let found = u32::from_be_bytes(reader.take()?);
    if found != element.oid() {
        let message = format!("binary data has array element type {found} instead of expected {}", element.oid());
        return Err(Error::new(SqlState::DATATYPE_MISMATCH, message));
    }
    let dimensions = decode_dimensions(&mut reader, dimensions as usize)?;
    let size = dimensions.iter().fold(1usize, |size, dimension| size.saturating_mul(dimension.length as usize));
    let count = if dimensions.is_empty() { 0 } else { size };
    // Every element takes four bytes at least, so the message bounds what is allocated.
    if count > MAX_ELEMENTS || count.saturating_mul(4) > reader.0.len() {
        return Err(short());
    }
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(decode_sized(&mut reader, element)?);
    }
    if !reader.0.is_empty() {
        return Err(malformed());
    }
    Array::with_dimensions(element.clone(), dimensions, values)
}

fn decode_dimensions(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Dimension>> {
    let mut dimensions = Vec::with_capacity(count);
    for _ in 0..count {
        let length = u32::try_from(reader.int()?).map_err(|_| malformed())?;
        dimensions.push(Dimension { length, lower: reader.int()? });
    }
    Ok(dimensions)
}

fn decode_sized(reader: &mut Reader<'_>, element: &Type) -> Result<Value> {
    match reader.int()? {
        -1 => Ok(Value::Null),
        length => {
            let length = usize::try_from(length).map_err(|_| short())?;
            decode(reader.bytes(length)?, element)
        }
    }
}
