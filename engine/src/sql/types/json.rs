//! JSON: a checked tree for jsonb, with PostgreSQL's canonical text and order.
//!
//! Object keys are unique and sorted by length, then bytes; numbers are exact; the text has a blank after `:` and `,`.
//! Order: Object > Array > Boolean > Number > String > null; of two arrays or objects the one with more members is
//! greater.

use super::{Numeric, Text};
use crate::error::{Error, Result, SqlState};
use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 200;

/// A JSON value.
#[derive(Clone, Debug)]
pub enum Json {
    /// null
    Null,
    /// A string.
    String(Text),
    /// A number.
    Number(Numeric),
    /// true or false
    Bool(bool),
    /// An array.
    Array(Vec<Json>),
    /// An object; keys unique, sorted by length and then by bytes.
    Object(Vec<(Text, Json)>),
}

impl Json {
    /// Reads JSON text; SQLSTATE 22P02 otherwise.
    pub fn parse(text: &str) -> Result<Json> {
        Parser { text, at: 0, check_only: false }.document()
    }

    /// Checks JSON text by the looser rules of type json: escapes need not stand for characters that exist.
    pub fn check(text: &str) -> Result<()> {
        Parser { text, at: 0, check_only: true }.document().map(|_| ())
    }

    /// An object of pairs in any order; of equal keys the last stays.
    pub fn object(mut pairs: Vec<(Text, Json)>) -> Json {
        pairs.reverse();
        pairs.sort_by(|(a, _), (b, _)| key_order(a, b));
        pairs.dedup_by(|(a, _), (b, _)| a == b);
        Json::Object(pairs)
    }

    /// The member of an object called `key`.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let Json::Object(pairs) = self else {
            return None;
        };
        let at = pairs.binary_search_by(|(name, _)| key_order(name, key)).ok()?;
        Some(&pairs[at].1)
    }

    /// The element of an array; negative subscripts count from the end.
    pub fn at(&self, subscript: i64) -> Option<&Json> {
        let Json::Array(elements) = self else {
            return None;
        };
        let length = elements.len() as i64;
        let at = if subscript < 0 { subscript + length } else { subscript };
        elements.get(usize::try_from(at).ok()?)
    }

    /// `json_typeof`
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::String(_) => "string",
            Json::Number(_) => "number",
            Json::Bool(_) => "boolean",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// Appends the canonical text.
    pub fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::String(text) => write_string(text, out),
            Json::Number(number) => {
                let written = write!(out, "{number}");
                assert!(written.is_ok(), "writing to a String never fails");
            }
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Array(elements) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    element.write(out);
                }
                out.push(']');
            }
            Json::Object(pairs) => {
                out.push('{');
                for (at, (key, value)) in pairs.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    write_string(key, out);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// The canonical text.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// Bytes on the heap, roughly.
    pub fn heap_size(&self) -> usize {
        let own = size_of::<Json>();
        match self {
            Json::String(text) => text.heap_size(),
            Json::Number(number) => number.heap_size(),
            Json::Array(elements) => elements.iter().map(|element| own + element.heap_size()).sum(),
            Json::Object(pairs) => pairs.iter().map(|(key, value)| 2 * own + key.heap_size() + value.heap_size()).sum(),
            _ => 0,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Json::Null => 0,
            Json::String(_) => 1,
            Json::Number(_) => 2,
            Json::Bool(_) => 3,
            Json::Array(_) => 4,
            Json::Object(_) => 5,
        }
    }
}

fn key_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Appends a quoted JSON string.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// The canonical text.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl Ord for Json {
    fn cmp(&self, other: &Json) -> Ordering {
        match (self, other) {
            (Json::String(a), Json::String(b)) => a.cmp(b),
            (Json::Number(a), Json::Number(b)) => a.cmp(b),
            (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
            (Json::Array(a), Json::Array(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Json::Object(a), Json::Object(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

impl PartialOrd for Json {
    fn partial_cmp(&self, other: &Json) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Json {}

impl Hash for Json {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Json::Null => {}
            Json::String(text) => text.hash(state),
            Json::Number(number) => number.hash(state),
            Json::Bool(value) => value.hash(state),
            Json::Array(elements) => elements.hash(state),
            Json::Object(pairs) => pairs.hash(state),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// The tree is not wanted: numbers are not converted, escapes not looked up.
    check_only: bool,
}

impl<'a> Parser<'a> {
    /// The token at the current place: a word or number, the rest of the text from a quote, or one character.
    fn token(&self) -> &'a str {
        let text: &'a str = self.text;
        let rest = &text[self.at.min(text.len())..];
        let Some(first) = rest.chars().next() else {
            return "";
        };
        let word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '+' | '.');
        let end = match first {
            '"' => rest.len(),
            first if word(first) => rest.find(|character| !word(character)).unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        &rest[..end]
    }

    fn document(&mut self) -> Result<Json> {
        let value = self.value(0)?;
        self.blanks();
        if self.at < self.text.len() {
            return Err(self.expected("end of input"));
        }
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json> {
        if depth > MAX_DEPTH {
            let message = format!("JSON is nested more than {MAX_DEPTH} levels deep");
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, message));
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(self.expected("JSON value")),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json> {
        let rest = &self.text[self.at..];
        let next = rest.as_bytes().get(word.len());
        if !rest.starts_with(word) || next.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return Err(self.unexpected());
        }
        self.at += word.len();
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Json> {
        self.at += 1;
        let mut elements = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.expected("\",\" or \"]\"")),
            }
        }
        self.at += 1;
        Ok(Json::Array(elements))
    }

    fn object(&mut self, depth: usize) -> Result<Json> {
        self.at += 1;
        let mut pairs = Vec::new();
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(pairs));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.expected(if pairs.is_empty() { "string or \"}\"" } else { "string" }));
            }
            let key = self.string()?;
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.expected("\":\""));
            }
            self.at += 1;
            pairs.push((key, self.value(depth + 1)?));
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.expected("\",\" or \"}\"")),
            }
        }
        self.at += 1;
        Ok(Json::object(pairs))
    }

    fn number(&mut self) -> Result<Json> {
        let start = self.at;
        let digits = |parser: &mut Self| {
            let from = parser.at;
            while matches!(parser.peek(), Some(b'0'..=b'9')) {
                parser.at += 1;
            }
            parser.at > from
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        let integer = self.at;
        let mut valid = digits(self) && !(zero && self.at > integer + 1);
        if self.peek() == Some(b'.') {
            self.at += 1;
            valid &= digits(self);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            valid &= digits(self);
        }
        if !valid || self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.at = start;
            return Err(self.unexpected());
        }
        if self.check_only {
            return Ok(Json::Null);
        }
        Ok(Json::Number(self.text[start..self.at].parse()?))
    }

    fn string(&mut self) -> Result<Text> {
        let open = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(length) = rest.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < 0x20) else {
                self.at = open;
                return Err(self.unexpected());
            };
            out.push_str(&rest[..length]);
            self.at += length + 1;
            match rest.as_bytes()[length] {
                b'"' => return Ok(out.into()),
                b'\\' => out.push(self.escape()?),
                byte => {
                    let detail = format!("Character with value 0x{byte:02x} must be escaped.");
                    return Err(syntax(detail));
                }
            }
        }
    }

    /// The character of an escape whose backslash was read.
    fn escape(&mut self) -> Result<char> {
        let Some(byte) = self.peek() else {
            return Err(syntax(ENDED));
        };
        let start = self.at - 1;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => {
                let end = self.text[start + 1..].chars().next().map_or(1, char::len_utf8);
                let found = &self.text[start..start + 1 + end];
                return Err(syntax(format!("Escape sequence \"{found}\" is invalid.")));
            }
        })
    }

    fn unicode(&mut self) -> Result<char> {
        let first = self.hex4()?;
        if self.check_only {
            return Ok(' ');
        }
        let code = match first {
            0xd800..=0xdbff => {
                let paired = self.text[self.at..].starts_with("\\u");
                self.at += if paired { 2 } else { 0 };
                let second = if paired { self.hex4()? } else { 0 };
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(syntax("Unicode low surrogate must follow a high surrogate."));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            0xdc00..=0xdfff => {
                return Err(syntax("Unicode low surrogate must follow a high surrogate."));
            }
            other => other,
        };
        match char::from_u32(code) {
            Some('\0') | None => {
                Err(Error::new(SqlState::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
                    .with_detail("\\u0000 cannot be converted to text."))
            }
            Some(character) => Ok(character),
        }
    }

    fn hex4(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let code = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = code.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        code.ok_or_else(|| syntax("\"\\u\" must be followed by four hexadecimal digits."))
    }

    /// The error for a token that is none.
    fn unexpected(&self) -> Error {
        match self.token() {
            "" => syntax(ENDED),
            token => syntax(format!("Token \"{token}\" is invalid.")),
        }
    }

    /// The error for a token in the wrong place, or for one that is none.
    fn expected(&mut self, wanted: &str) -> Error {
        let token = self.token();
        let known = match token.as_bytes().first() {
            None => return syntax(ENDED),
            Some(b'{' | b'}' | b'[' | b']' | b',' | b':') => true,
            Some(b'"') => return self.expected_string(wanted),
            Some(b'-' | b'0'..=b'9') => self.number().is_ok(),
            _ => matches!(token, "true" | "false" | "null"),
        };
        if known { mismatch(wanted, token) } else { syntax(format!("Token \"{token}\" is invalid.")) }
    }

    fn expected_string(&mut self, wanted: &str) -> Error {
        let start = self.at;
        match self.string() {
            Ok(_) => mismatch(wanted, &self.text[start..self.at]),
            Err(error) => error,
        }
    }
}

fn mismatch(wanted: &str, found: &str) -> Error {
    syntax(format!("Expected {wanted}, but found \"{found}\"."))
}

const ENDED: &str = "The input string ended unexpectedly.";

fn syntax(detail: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json").with_detail(detail)
}
