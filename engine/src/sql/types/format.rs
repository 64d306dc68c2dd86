//! Values to text: PostgreSQL's output functions.

use super::context::ObjectKind;
use super::{Type, TypeContext, Value, bytea, datetime, float, uuid};
use std::fmt::Write;

impl Value {
    /// Appends the text of a value of type `ty`, as a client sees it. NULL appends nothing.
    pub fn write_text(&self, ty: &Type, ctx: &TypeContext, out: &mut String) {
        match (self, ty) {
            (Value::Oid(oid), ty) if ty.is_oid() => write_object(*oid, ty, ctx, out),
            (Value::Array(array), Type::Int2vector | Type::Oidvector) => {
                for (at, value) in array.values().iter().enumerate() {
                    out.push_str(if at > 0 { " " } else { "" });
                    value.write_plain(ctx, out);
                }
            }
            _ => self.write_plain(ctx, out),
        }
    }

    /// The text by the value's own type. Use [`Value::write_text`] where the column's type is known: `regclass` differs.
    pub fn to_text(&self, ctx: &TypeContext) -> String {
        let mut out = String::new();
        self.write_plain(ctx, &mut out);
        out
    }

    fn write_plain(&self, ctx: &TypeContext, out: &mut String) {
        match self {
            Value::Null => {}
            Value::Bool(value) => out.push(if *value { 't' } else { 'f' }),
            Value::Int2(value) => write_integer(i64::from(*value), out),
            Value::Int4(value) => write_integer(i64::from(*value), out),
            Value::Int8(value) => write_integer(*value, out),
            Value::Oid(value) => write_integer(i64::from(*value), out),
            Value::Float4(value) => float::write_f32(*value, out),
            Value::Float8(value) => float::write_f64(*value, out),
            Value::Numeric(number) => {
                let written = write!(out, "{number}");
                assert!(written.is_ok(), "writing to a String never fails");
            }
            Value::Text(text) | Value::Bpchar(text) | Value::Json(text) => out.push_str(text),
            Value::Bytea(bytes) => bytea::write(bytes, out),
            Value::Date(days) => datetime::write_date(*days, out),
            Value::Time(micros) => datetime::write_time(*micros, out),
            Value::Timestamp(micros) => datetime::write_timestamp(*micros, out),
            Value::Timestamptz(micros) => datetime::write_timestamptz(*micros, &ctx.zone, out),
            Value::Interval(interval) => interval.write(out),
            Value::Uuid(bytes) => uuid::write(bytes, out),
            Value::Jsonb(json) => json.write(out),
            Value::Array(array) => array.write(ctx, out),
            Value::Record(values) => write_record(values, ctx, out),
        }
    }
}

/// Appends an integer; the hot path of every result row.
fn write_integer(value: i64, out: &mut String) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    out.push_str(std::str::from_utf8(&buffer[at..]).unwrap_or(""));
}

fn write_object(oid: u32, ty: &Type, ctx: &TypeContext, out: &mut String) {
    let kind = match ty {
        Type::Oid | Type::Xid => return write_integer(i64::from(oid), out),
        _ if oid == 0 => return out.push('-'),
        Type::Regtype => {
            return match Type::from_oid(oid, -1) {
                Some(ty) => out.push_str(&ty.sql_name()),
                None => write_integer(i64::from(oid), out),
            };
        }
        Type::Regclass => ObjectKind::Relation,
        Type::Regproc => ObjectKind::Function,
        Type::Regnamespace => ObjectKind::Schema,
        _ => ObjectKind::Role,
    };
    match ctx.names.as_ref().and_then(|names| names.name_of(kind, oid)) {
        Some(name) => out.push_str(&name),
        None => write_integer(i64::from(oid), out),
    }
}

/// `(1,"a b",)`: NULL is empty, quotes and backslashes are doubled.
fn write_record(values: &[Value], ctx: &TypeContext, out: &mut String) {
    out.push('(');
    for (at, value) in values.iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        if value.is_null() {
            continue;
        }
        let text = value.to_text(ctx);
        let special = |byte: u8| matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || byte.is_ascii_whitespace();
        if !text.is_empty() && !text.bytes().any(special) {
            out.push_str(&text);
            continue;
        }
        out.push('"');
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                out.push(character);
            }
            out.push(character);
        }
        out.push('"');
    }
    out.push(')');
}
