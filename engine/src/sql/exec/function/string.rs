//! String functions, over characters (not bytes), as PostgreSQL has them. Arguments are never NULL here: the caller
//! answers NULL for strict functions.

use crate::error::{Error, SqlState};
use crate::sql::types::{Text, Value};

/// Longest string that a function makes (PostgreSQL's allocation limit is 1 GiB; ours keeps a node alive).
const MAX_BYTES: usize = 64 << 20;

/// Refuses results that are too long before they are made.
pub fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes > MAX_BYTES {
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large"));
    }
    Ok(())
}

/// `upper`: character by character, as the C library has it; those without one capital stay.
pub fn upper(text: &str) -> String {
    text.chars()
        .map(|c| {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => c,
            }
        })
        .collect()
}

/// `initcap`
pub fn initcap(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric();
    }
    out
}

/// `substring(text from start for length)`; positions count from 1 and may lie outside.
pub fn substring(text: &str, start: i64, length: Option<i64>) -> Result<String, Error> {
    let end = match length {
        Some(length) if length < 0 => {
            return Err(Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
        }
        Some(length) => start.saturating_add(length),
        None => i64::MAX,
    };
    let first = start.max(1);
    let take = usize::try_from((end - first).max(0)).unwrap_or(usize::MAX);
    let skip = usize::try_from(first - 1).unwrap_or(usize::MAX);
    Ok(text.chars().skip(skip).take(take).collect())
}

/// `left(text, n)`: all but the last |n| for negative n.
pub fn left(text: &str, n: i64) -> &str {
    let count = chars_wanted(text, n);
    prefix(text, count)
}

/// `right(text, n)`: all but the first |n| for negative n.
pub fn right(text: &str, n: i64) -> &str {
    let count = chars_wanted(text, n);
    let skip = text.chars().count() - count;
    &text[prefix(text, skip).len()..]
}

fn chars_wanted(text: &str, n: i64) -> usize {
    let total = text.chars().count() as i64;
    let count = if n < 0 { total.saturating_add(n).max(0) } else { n.min(total) };
    count as usize
}

fn prefix(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(at, _)| &text[..at])
}

/// `lpad` and `rpad`
pub fn pad(text: &str, length: i64, fill: &str, on_left: bool) -> Result<String, Error> {
    let length = usize::try_from(length).unwrap_or(0);
    check_size(length.saturating_mul(4))?;
    let present = text.chars().count();
    if present >= length || fill.is_empty() {
        return Ok(prefix(text, length).to_owned());
    }
    let filling: String = fill.chars().cycle().take(length - present).collect();
    Ok(if on_left { filling + text } else { text.to_owned() + &filling })
}

/// Which ends `trim` works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// `ltrim`
    Left,
    /// `rtrim`
    Right,
    /// `btrim`
    Both,
}

/// `ltrim`, `rtrim`, `btrim`
pub fn trim<'a>(text: &'a str, set: &str, ends: Ends) -> &'a str {
    let in_set = |c: char| set.contains(c);
    match ends {
        Ends::Left => text.trim_start_matches(in_set),
        Ends::Right => text.trim_end_matches(in_set),
        Ends::Both => text.trim_matches(in_set),
    }
}

/// `position(part in text)`: from 1, 0 if absent.
pub fn position(text: &str, part: &str) -> i32 {
    text.find(part).map_or(0, |at| text[..at].chars().count() as i32 + 1)
}

/// `repeat`
pub fn repeat(text: &str, count: i64) -> Result<String, Error> {
    let count = usize::try_from(count).unwrap_or(0);
    check_size(text.len().saturating_mul(count))?;
    Ok(text.repeat(count))
}

/// `replace`
pub fn replace(text: &str, from: &str, to: &str) -> Result<String, Error> {
    if from.is_empty() {
        return Ok(text.to_owned());
    }
    check_size(text.len().saturating_add(text.matches(from).count().saturating_mul(to.len())))?;
    Ok(text.replace(from, to))
}

/// `translate`
pub fn translate(text: &str, from: &str, to: &str) -> String {
    let to: Vec<char> = to.chars().collect();
    text.chars().filter_map(|c| from.chars().position(|f| f == c).map_or(Some(c), |at| to.get(at).copied())).collect()
}

/// `split_part`: field `n` from 1, or from the end for negative n.
pub fn split_part(text: &str, delimiter: &str, n: i64) -> Result<String, Error> {
    if n == 0 {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    let fields: Vec<&str> = if delimiter.is_empty() { vec![text] } else { text.split(delimiter).collect() };
    let index = if n > 0 { n - 1 } else { fields.len() as i64 + n };
    let field = usize::try_from(index).ok().and_then(|index| fields.get(index)).copied();
    Ok(field.unwrap_or_default().to_owned())
}

/// `chr`
pub fn chr(code: i64) -> Result<String, Error> {
    if code == 0 {
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "null character not permitted"));
    }
    u32::try_from(code).ok().and_then(char::from_u32).map(String::from).ok_or_else(|| {
        Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("requested character too large for encoding: {code}"))
    })
}

/// `overlay(text placing with from start for length)`
pub fn overlay(text: &str, with: &str, start: i64, length: i64) -> Result<String, Error> {
    if start <= 0 {
        return Err(Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let head = substring(text, 1, Some(start - 1))?;
    let tail = substring(text, start.saturating_add(length), None)?;
    Ok(head + with + &tail)
}

/// `quote_ident`
pub fn quote_ident(name: &str) -> String {
    crate::sql::catalog::names::quote_ident(name)
}

/// `quote_literal`
pub fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

/// `format`: `%s`, `%I`, `%L`, `%%`, with `%n$s` positions. `args` are texts; `None` is NULL.
pub fn format(template: &str, args: &[Option<String>]) -> Result<String, Error> {
    let mut out = String::with_capacity(template.len());
    let mut next = 0;
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        if chars.next_if_eq(&'$').is_some() {
            next = digits.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "format specifies argument 0, but arguments are numbered from 1",
                )
            })?;
        }
        let argument = args
            .get(next)
            .ok_or_else(|| Error::new(SqlState::INVALID_PARAMETER_VALUE, "too few arguments for format()"))?;
        next += 1;
        write_argument(chars.next(), argument.as_deref(), &mut out)?;
        check_size(out.len())?;
    }
    Ok(out)
}

fn write_argument(kind: Option<char>, argument: Option<&str>, out: &mut String) -> Result<(), Error> {
    match (kind, argument) {
        (Some('s'), argument) => out.push_str(argument.unwrap_or_default()),
        (Some('I'), Some(name)) => out.push_str(&quote_ident(name)),
        (Some('I'), None) => {
            return Err(Error::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "null values cannot be formatted as an SQL identifier",
            ));
        }
        (Some('L'), Some(text)) => out.push_str(&quote_literal(text)),
        (Some('L'), None) => out.push_str("NULL"),
        (Some(other), _) => {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("unrecognized format() type specifier \"{other}\""),
            ));
        }
        (None, _) => {
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "unterminated format() type specifier"));
        }
    }
    Ok(())
}

/// `encode(bytes, format)`
pub fn encode(bytes: &[u8], format: &str) -> Result<String, Error> {
    match format.to_ascii_lowercase().as_str() {
        "hex" => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        "base64" => Ok(base64_encode(bytes)),
        "escape" => Ok(bytes.iter().map(escape_byte).collect()),
        _ => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized encoding: \"{format}\""))),
    }
}

fn escape_byte(byte: &u8) -> String {
    match byte {
        b'\\' => "\\\\".to_owned(),
        0 | 0x80.. => format!("\\{byte:03o}"),
        _ => (*byte as char).to_string(),
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for (index, chunk) in bytes.chunks(3).enumerate() {
        if index > 0 && index % 19 == 0 {
            out.push('\n');
        }
        let bits = chunk.iter().fold(0u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let digit = (bits >> (18 - 6 * position)) & 63;
            out.push(if position <= chunk.len() { BASE64[digit as usize] as char } else { '=' });
        }
    }
    out
}

/// `decode(text, format)`
pub fn decode(text: &str, format: &str) -> Result<Vec<u8>, Error> {
    let invalid = || Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid {format} data"));
    match format.to_ascii_lowercase().as_str() {
        "hex" => {
            let digits: Option<Vec<u32>> =
                text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect();
            let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(invalid)?;
            Ok(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
        }
        "base64" => base64_decode(text).ok_or_else(invalid),
        _ => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized encoding: \"{format}\""))),
    }
}

fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut bits = 0u32;
    let mut count = 0;
    for c in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let digit = BASE64.iter().position(|letter| *letter == c)?;
        bits = (bits << 6) | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

/// A text value, or NULL.
pub fn text_or_null(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(Text::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_may_lie_outside() {
        assert_eq!(substring("häuser", 2, Some(3)).unwrap(), "äus");
        assert_eq!(substring("abc", -1, Some(3)).unwrap(), "a");
        assert_eq!(substring("abc", 2, None).unwrap(), "bc");
        assert_eq!(left("häuser", -2), "häus");
        assert_eq!(right("häuser", 2), "er");
        assert_eq!(position("häuser", "us"), 3);
        assert_eq!(pad("ab", 5, "xy", true).unwrap(), "xyxab");
        assert_eq!(split_part("a,b,c", ",", -1).unwrap(), "c");
        assert_eq!(translate("12345", "143", "ax"), "a2x5");
    }

    #[test]
    fn sizes_are_bounded() {
        assert!(repeat("abcdefgh", i64::MAX).is_err());
        assert!(pad("", i64::MAX, "x", true).is_err());
    }

    #[test]
    fn format_quotes() {
        let args = [Some("a\"b".to_owned()), Some("it's".to_owned()), None];
        assert_eq!(format("%I=%L %L %1$s %%", &args).unwrap(), "\"a\"\"b\"='it''s' NULL a\"b %");
    }

    #[test]
    fn base64_and_hex() {
        assert_eq!(encode(b"hello", "base64").unwrap(), "aGVsbG8=");
        assert_eq!(decode("aGVsbG8=", "base64").unwrap(), b"hello");
        assert_eq!(decode("68 65", "hex").unwrap(), b"he");
    }
}
