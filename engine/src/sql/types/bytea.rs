//! Text of bytea: `\x0aff` and the older form with escapes.

use crate::error::{Error, Result, SqlState};

/// Reads either form.
pub(super) fn parse(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => parse_hex(digits),
        None => parse_escapes(text),
    }
}

fn parse_hex(digits: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut high = None;
    for character in digits.chars().filter(|character| !character.is_ascii_whitespace()) {
        let Some(digit) = character.to_digit(16) else {
            let message = format!("invalid hexadecimal digit: \"{character}\"");
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        };
        match high.take() {
            Some(above) => bytes.push((above << 4 | digit) as u8),
            None => high = Some(digit),
        }
    }
    if high.is_some() {
        let message = "invalid hexadecimal data: odd number of digits";
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    Ok(bytes)
}

fn parse_escapes(text: &str) -> Result<Vec<u8>> {
    let source = text.as_bytes();
    let mut bytes = Vec::with_capacity(source.len());
    let mut at = 0;
    while let Some(byte) = source.get(at) {
        if *byte != b'\\' {
            bytes.push(*byte);
            at += 1;
            continue;
        }
        match source.get(at + 1..) {
            Some([b'\\', ..]) => {
                bytes.push(b'\\');
                at += 2;
            }
            Some([a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                at += 4;
            }
            _ => {
                let message = "invalid input syntax for type bytea";
                return Err(Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
            }
        }
    }
    Ok(bytes)
}

/// Appends the hexadecimal form.
pub(super) fn write(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 + 2 * bytes.len());
    out.push_str("\\x");
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}
