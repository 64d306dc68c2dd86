//! COPY's text layout.

use super::{Fields, Layout, utf8};
use crate::error::Error;

/// Cuts a line into fields.
pub fn split(line: &[u8], layout: &Layout) -> Result<Fields, Error> {
    let mut fields = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b'\\' => at += 2,
            byte if byte == layout.delimiter => {
                fields.push(field(&line[start..at], layout)?);
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    fields.push(field(&line[start..], layout)?);
    Ok(fields)
}

fn field(raw: &[u8], layout: &Layout) -> Result<Option<String>, Error> {
    if raw == layout.null.as_bytes() {
        return Ok(None);
    }
    if !raw.contains(&b'\\') {
        return utf8(raw.to_vec()).map(Some);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            out.push(*first);
        } else {
            rest = unescape(rest, &mut out);
        }
    }
    utf8(out).map(Some)
}

/// Reads what follows a backslash; returns what is left.
fn unescape<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let [letter, tail @ ..] = rest else {
        out.push(b'\\');
        return rest;
    };
    let (byte, used) = match letter {
        b'b' => (8, 1),
        b'f' => (12, 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'v' => (11, 1),
        b'0'..=b'7' => number(rest, 8, 3),
        b'x' if tail.first().is_some_and(u8::is_ascii_hexdigit) => {
            let (byte, used) = number(tail, 16, 2);
            (byte, used + 1)
        }
        other => (*other, 1),
    };
    out.push(byte);
    &rest[used..]
}

fn number(digits: &[u8], radix: u32, most: usize) -> (u8, usize) {
    let mut value = 0u32;
    let mut used = 0;
    while used < most
        && let Some(digit) = digits.get(used).and_then(|byte| (*byte as char).to_digit(radix))
    {
        value = value * radix + digit;
        used += 1;
    }
    ((value & 0xff) as u8, used)
}

/// Writes a field.
pub fn write(field: &str, layout: &Layout, out: &mut Vec<u8>) {
    for &byte in field.as_bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            11 => out.extend_from_slice(b"\\v"),
            byte if byte == layout.delimiter => out.extend_from_slice(&[b'\\', byte]),
            byte => out.push(byte),
        }
    }
}
