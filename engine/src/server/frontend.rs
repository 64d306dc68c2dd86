//! Messages of clients, borrowed from their frames.
//!
//! Invariant: a body is never read beyond its end, and bytes that are left over are an error.

use crate::error::{Error, Result, SqlState};

/// `Parse`: text becomes a named statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parse<'a> {
    pub(super) name: &'a str,
    pub(super) sql: &'a str,
    /// OIDs of parameter types; 0 where the server decides.
    pub(super) types: Vec<u32>,
}

/// `Bind`: a statement and parameters become a portal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bind<'a> {
    pub(super) portal: &'a str,
    pub(super) statement: &'a str,
    pub(super) param_formats: Formats,
    /// `None` is NULL.
    pub(super) params: Vec<Option<&'a [u8]>>,
    pub(super) result_formats: Formats,
}

/// What Describe and Close speak of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    Statement(&'a str),
    Portal(&'a str),
}

/// `Execute`: rows of a portal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Execute<'a> {
    pub(super) portal: &'a str,
    /// 0: all of them.
    pub(super) max_rows: usize,
}

/// Formats of parameters or result columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Formats {
    /// The same for all.
    All(Format),
    /// One each.
    Each(Vec<Format>),
}

/// How a value is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Binary,
}

impl Formats {
    /// The format of the value at `index`.
    pub(super) fn get(&self, index: usize) -> Format {
        match self {
            Formats::All(format) => *format,
            Formats::Each(formats) => formats.get(index).copied().unwrap_or(Format::Text),
        }
    }

    /// How many formats were given, if not one for all.
    pub(super) fn count(&self) -> Option<usize> {
        match self {
            Formats::All(_) => None,
            Formats::Each(formats) => Some(formats.len()),
        }
    }
}

pub(super) fn query(body: &[u8]) -> Result<&str> {
    let mut reader = Reader(body);
    let sql = reader.string()?;
    reader.end(sql)
}

pub(super) fn parse(body: &[u8]) -> Result<Parse<'_>> {
    let mut reader = Reader(body);
    let (name, sql) = (reader.string()?, reader.string()?);
    let count = reader.count(4)?;
    let types = (0..count).map(|_| reader.u32()).collect::<Result<_>>()?;
    reader.end(Parse { name, sql, types })
}

pub(super) fn bind(body: &[u8]) -> Result<Bind<'_>> {
    let mut reader = Reader(body);
    let (portal, statement) = (reader.string()?, reader.string()?);
    let param_formats = reader.formats()?;
    let count = reader.count(4)?;
    let params = (0..count).map(|_| reader.value()).collect::<Result<_>>()?;
    let result_formats = reader.formats()?;
    reader.end(Bind { portal, statement, param_formats, params, result_formats })
}

pub(super) fn target(body: &[u8]) -> Result<Target<'_>> {
    let mut reader = Reader(body);
    let kind = reader.u8()?;
    let name = reader.string()?;
    match kind {
        b'S' => reader.end(Target::Statement(name)),
        b'P' => reader.end(Target::Portal(name)),
        other => Err(violation(format!("invalid message subtype {other}"))),
    }
}

pub(super) fn execute(body: &[u8]) -> Result<Execute<'_>> {
    let mut reader = Reader(body);
    let portal = reader.string()?;
    let max_rows = usize::try_from(reader.u32()? as i32).unwrap_or(0);
    reader.end(Execute { portal, max_rows })
}

pub(super) fn copy_fail(body: &[u8]) -> Result<&str> {
    query(body)
}

/// The pairs of a StartupMessage, which end with an empty name.
pub(super) fn startup_pairs(body: &[u8]) -> Result<Vec<(&str, &str)>> {
    let mut reader = Reader(body);
    let mut pairs = Vec::new();
    loop {
        match reader.string()? {
            "" => return reader.end(pairs),
            name => pairs.push((name, reader.string()?)),
        }
    }
}

/// The rest of a body.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    /// A count of items that take at least `size` bytes each.
    fn count(&mut self, size: usize) -> Result<usize> {
        let count = usize::from(self.u16()?);
        if count * size > self.0.len() { Err(short()) } else { Ok(count) }
    }

    fn string(&mut self) -> Result<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| violation("invalid string in message"))?;
        let bytes = self.take(end)?;
        self.take(1)?;
        utf8(bytes)
    }

    fn value(&mut self) -> Result<Option<&'a [u8]>> {
        match self.u32()? as i32 {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| short())?).map(Some),
        }
    }

    fn formats(&mut self) -> Result<Formats> {
        let count = self.count(2)?;
        match count {
            0 => Ok(Formats::All(Format::Text)),
            1 => Ok(Formats::All(self.format()?)),
            _ => (0..count).map(|_| self.format()).collect::<Result<_>>().map(Formats::Each),
        }
    }

    fn format(&mut self) -> Result<Format> {
        match self.u16()? {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            other => {
                let message = format!("unsupported format code: {}", other as i16);
                Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message))
            }
        }
    }

    fn end<T>(self, message: T) -> Result<T> {
        if self.0.is_empty() { Ok(message) } else { Err(violation("invalid message format")) }
    }
}

/// Text of a client, which speaks UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let from = error.valid_up_to();
        let until = error.error_len().map_or(bytes.len(), |length| from + length);
        let shown: Vec<String> = bytes[from..until].iter().take(4).map(|byte| format!("0x{byte:02x}")).collect();
        let message = format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "));
        Error::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
    })
}

fn short() -> Error {
    violation("insufficient data left in message")
}

/// The client breaks the protocol.
pub(super) fn violation(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bind_borrows_its_parts() {
        let body = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\x02\0\0\0\x01";
        let bind = bind(body).unwrap();
        assert_eq!((bind.portal, bind.statement), ("p", "s"));
        assert_eq!(bind.param_formats, Formats::All(Format::Binary));
        assert_eq!(bind.params, [Some(&b"x"[..]), None]);
        assert_eq!(bind.result_formats, Formats::Each(vec![Format::Text, Format::Binary]));
    }

    #[test]
    fn damage_is_told() {
        let message = |error: Error| (error.sqlstate().map(|code| code.to_string()), error.message().to_owned());
        let told = |code: &str, text: &str| (Some(code.to_owned()), text.to_owned());
        let invalid = "invalid byte sequence for encoding \"UTF8\": 0xff";
        assert_eq!(message(query(b"a\xff\0").unwrap_err()), told("22021", invalid));
        assert_eq!(message(query(b"a").unwrap_err()), told("08P01", "invalid string in message"));
        assert_eq!(message(query(b"a\0b").unwrap_err()), told("08P01", "invalid message format"));
        assert_eq!(message(parse(b"\0\0\xff\xff").unwrap_err()), told("08P01", "insufficient data left in message"));
        assert_eq!(message(target(b"X\0").unwrap_err()), told("08P01", "invalid message subtype 88"));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(body: Vec<u8>) {
            prop_assert!(query(&body).is_err() || body.last() == Some(&0));
            prop_assert!(parse(&body).is_err() || body.len() >= 4);
            prop_assert!(bind(&body).is_err() || body.len() >= 8);
            prop_assert!(target(&body).is_err() || body.len() >= 2);
            prop_assert!(execute(&body).is_err() || body.len() >= 5);
            prop_assert!(startup_pairs(&body).is_err() || body.last() == Some(&0));
        }
    }
}
