//! Text of uuid.

use crate::error::{Error, Result, SqlState};

/// Reads 32 hexadecimal digits, with a hyphen allowed after each group of four, perhaps in braces.
pub(super) fn parse(text: &str) -> Result<[u8; 16]> {
    read(text).ok_or_else(|| {
        Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type uuid: \"{text}\""))
    })
}

fn read(text: &str) -> Option<[u8; 16]> {
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => text,
    };
    let mut uuid = [0u8; 16];
    let mut digits = 0;
    let mut hyphen = true;
    for byte in inner.bytes() {
        if byte == b'-' {
            if hyphen || digits % 4 != 0 || digits == 32 {
                return None;
            }
            hyphen = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)? as u8;
        let slot = uuid.get_mut(digits / 2)?;
        *slot = *slot << 4 | digit;
        digits += 1;
        hyphen = false;
    }
    (digits == 32).then_some(uuid)
}

/// Appends the canonical form, 8-4-4-4-12.
pub(super) fn write(uuid: &[u8; 16], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (at, byte) in uuid.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}
