//! Cuts the text of a date or time into fields: the words, numbers and separators that `parse` gives meaning to.
//!
//! ```text
//!  "Mon Jan 8, 1999 04:05:06.5 PST"  ─►  Word(mon) Word(jan) Number(8) Number(1999) Time(04:05:06.5) Word(pst)
//!  "2024-02-29T12:30Z"               ─►  Date([2024,02,29]) Word(t) Time(12:30) Word(z)
//!  "12:30+02:00"                     ─►  Time(12:30) Offset(+02:00)
//! ```

/// One piece of a date or time.
#[derive(Debug, PartialEq)]
pub(super) enum Field<'a> {
    /// Letters; zone names keep their slashes and underscores.
    Word(&'a str),
    /// Digits, perhaps with a fraction.
    Number(&'a str),
    /// Parts joined by `-`, `/` or `.`: numbers, or a month's name in the middle or front.
    Date(Vec<&'a str>),
    /// Digits and colons, perhaps with a fraction.
    Time(&'a str),
    /// A sign and an offset from UTC.
    Offset(bool, &'a str),
}

/// More fields than any date has.
const MAX_FIELDS: usize = 25;

/// The fields of `text`; `None` if it holds other characters or too many fields.
pub(super) fn scan(text: &str) -> Option<Vec<Field<'_>>> {
    let bytes = text.as_bytes();
    let mut fields: Vec<Field<'_>> = Vec::with_capacity(4);
    let mut at = 0;
    while at < bytes.len() {
        if fields.len() >= MAX_FIELDS {
            return None;
        }
        let rest = &text[at..];
        let taken = match bytes[at] {
            byte if byte.is_ascii_whitespace() || byte == b',' => 1,
            byte if byte.is_ascii_digit() => scan_number(rest, &mut fields),
            byte if byte.is_ascii_alphabetic() => scan_word(rest, &mut fields),
            b'+' | b'-' => scan_sign(rest, &mut fields)?,
            _ => return None,
        };
        at += taken;
    }
    Some(fields)
}

fn run(text: &str, accept: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| accept(*byte)).count()
}

fn scan_number<'a>(text: &'a str, fields: &mut Vec<Field<'a>>) -> usize {
    let digits = run(text, |byte| byte.is_ascii_digit());
    match text.as_bytes().get(digits) {
        Some(b':') => {
            let length = run(text, |byte| byte.is_ascii_digit() || byte == b':' || byte == b'.');
            fields.push(Field::Time(&text[..length]));
            length
        }
        Some(separator @ (b'-' | b'/' | b'.')) if joins(text, digits, fields) => {
            let length = run(text, |byte| byte.is_ascii_alphanumeric() || byte == *separator);
            let date = text[..length].trim_end_matches(*separator as char);
            let parts: Vec<&str> = date.split(*separator as char).collect();
            // Two numbers around a point are one number with a fraction.
            if *separator == b'.' && parts.len() == 2 {
                fields.push(Field::Number(date));
            } else {
                fields.push(Field::Date(split_time_mark(parts, fields)));
            }
            trailing_mark(date, length)
        }
        _ => {
            let fraction = match text.as_bytes().get(digits) {
                Some(b'.') => 1 + run(&text[digits + 1..], |byte| byte.is_ascii_digit()),
                _ => 0,
            };
            fields.push(Field::Number(&text[..digits + fraction]));
            digits + fraction
        }
    }
}

/// A separator after the first number starts a date, unless a date or time stands there already and a sign follows.
fn joins(text: &str, digits: usize, fields: &[Field<'_>]) -> bool {
    let next = text.as_bytes().get(digits + 1);
    let dated = fields.iter().any(|field| matches!(field, Field::Date(_)));
    !dated && next.is_some_and(u8::is_ascii_alphanumeric)
}

/// `29T12` of an ISO timestamp: the part after the mark belongs to the time, so only the number before it is kept.
fn split_time_mark<'a>(mut parts: Vec<&'a str>, _fields: &[Field<'a>]) -> Vec<&'a str> {
    if let Some(last) = parts.last_mut() {
        *last = &last[..mark_at(last).unwrap_or(last.len())];
    }
    parts
}

/// Where a `T` (or any letters) ends a number, as in `29T12`.
fn mark_at(part: &str) -> Option<usize> {
    let digits = run(part, |byte| byte.is_ascii_digit());
    (digits > 0 && digits < part.len()).then_some(digits)
}

/// Bytes of the date itself: up to the mark, or all of it.
fn trailing_mark(date: &str, length: usize) -> usize {
    let last = date.rfind(['-', '/', '.']).map_or(0, |at| at + 1);
    mark_at(&date[last..]).map_or(length, |digits| last + digits)
}

fn scan_word<'a>(text: &'a str, fields: &mut Vec<Field<'a>>) -> usize {
    let letters = run(text, |byte| byte.is_ascii_alphabetic());
    match text.as_bytes().get(letters) {
        // Jan-08-1999
        Some(separator @ b'-') if letters == 3 && text.as_bytes().get(letters + 1).is_some_and(u8::is_ascii_digit) => {
            let length = run(text, |byte| byte.is_ascii_alphanumeric() || byte == *separator);
            fields.push(Field::Date(text[..length].split('-').collect()));
            length
        }
        Some(b'/' | b'_') => {
            let length = run(text, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+'));
            fields.push(Field::Word(&text[..length]));
            length
        }
        _ => {
            // A point after an abbreviation, as in `Jan.`, has no meaning.
            let point = usize::from(text.as_bytes().get(letters) == Some(&b'.'));
            fields.push(Field::Word(&text[..letters]));
            letters + point
        }
    }
}

/// A sign begins an offset, or the word `-infinity`.
fn scan_sign<'a>(text: &'a str, fields: &mut Vec<Field<'a>>) -> Option<usize> {
    let negative = text.starts_with('-');
    let rest = text[1..].trim_start();
    let skipped = text.len() - rest.len();
    if rest.as_bytes().first()?.is_ascii_alphabetic() {
        let letters = run(rest, |byte| byte.is_ascii_alphabetic());
        let infinite = rest[..letters].eq_ignore_ascii_case("infinity") || rest[..letters].eq_ignore_ascii_case("inf");
        if !infinite || !fields.is_empty() {
            return None;
        }
        fields.push(Field::Word(if negative { "-infinity" } else { "infinity" }));
        return Some(skipped + letters);
    }
    let length = run(rest, |byte| byte.is_ascii_digit() || byte == b':');
    if length == 0 {
        return None;
    }
    fields.push(Field::Offset(negative, &rest[..length]));
    Some(skipped + length)
}
