//! SQL text as coloured pieces: enough to find where a statement ends, which words it has, and what is left open.
//!
//! Pieces cover the text without gaps, so that the highlighter can paint them one after the other.
//!
//! Invariant: any text gives pieces, in order, and each boundary is a character boundary.

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// Space and newlines.
    Space,
    /// `-- ...` or `/* ... */`.
    Comment,
    /// A keyword or a name.
    Word,
    /// `"name"`.
    Quoted,
    /// `'text'`, `E'text'`, `$$text$$`.
    Text,
    /// A number.
    Number,
    /// `\g`, `\gx`, `\G`: a backslash and letters.
    Backslash,
    /// `;`.
    Semicolon,
    /// One character of anything else.
    Symbol,
    /// A string, a quoted name or a comment that does not end.
    Open,
}

/// A piece of the text: bytes `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub token: Token,
    /// Its first byte.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
}

impl Piece {
    /// Its text.
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        sql.get(self.start..self.end).unwrap_or_default()
    }
}

/// Cuts a text into pieces.
pub fn pieces(sql: &str) -> impl Iterator<Item = Piece> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = sql.get(at..).filter(|rest| !rest.is_empty())?;
        let (token, length) = first(rest);
        let piece = Piece { token, start: at, end: at + length };
        at = piece.end;
        Some(piece)
    })
}

/// The first piece of a text that is not empty: what it is, and its bytes.
fn first(rest: &str) -> (Token, usize) {
    let bytes = rest.as_bytes();
    let next = bytes.get(1).copied().unwrap_or(0);
    match bytes[0] {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => {
            (Token::Space, run(rest, |b| b.is_ascii_whitespace() || b == 0x0b))
        }
        b'-' if next == b'-' => (Token::Comment, rest.find('\n').unwrap_or(rest.len())),
        b'/' if next == b'*' => comment(bytes),
        b'\'' => string(bytes, 0, b'\'', false, Token::Text),
        b'"' => string(bytes, 0, b'"', false, Token::Quoted),
        b'e' | b'E' if next == b'\'' => string(bytes, 1, b'\'', true, Token::Text),
        b'$' => dollar(rest),
        b'0'..=b'9' => (Token::Number, run(rest, |b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_')),
        b';' => (Token::Semicolon, 1),
        b'\\' if next.is_ascii_alphabetic() => (Token::Backslash, 1 + run(&rest[1..], |b| b.is_ascii_alphabetic())),
        first if is_word(first) => (Token::Word, run(rest, |b| is_word(b) || b.is_ascii_digit() || b == b'$')),
        _ => (Token::Symbol, 1),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn run(rest: &str, inside: impl Fn(u8) -> bool) -> usize {
    rest.bytes().position(|byte| !inside(byte)).unwrap_or(rest.len())
}

/// Comments nest.
fn comment(bytes: &[u8]) -> (Token, usize) {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (at, depth) = (at + 2, depth + 1),
            Some(b"*/") => (at, depth) = (at + 2, depth - 1),
            Some(_) => at += 1,
            None => return (Token::Open, bytes.len()),
        }
    }
    (Token::Comment, at)
}

/// A string whose quote is at `open`; a doubled quote, and with `escapes` one after a backslash, is part of it.
fn string(bytes: &[u8], open: usize, quote: u8, escapes: bool, token: Token) -> (Token, usize) {
    let mut at = open + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if escapes => at += 2,
            byte if *byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if *byte == quote => return (token, at + 1),
            _ => at += 1,
        }
    }
    (Token::Open, bytes.len())
}

/// `$tag$ ... $tag$`, or the parameter `$1`.
fn dollar(rest: &str) -> (Token, usize) {
    let digits = run(&rest[1..], |b| b.is_ascii_digit());
    if digits > 0 {
        return (Token::Number, 1 + digits);
    }
    let tag = 1 + run(&rest[1..], |b| is_word(b) || b.is_ascii_digit());
    if rest.as_bytes().get(tag) != Some(&b'$') {
        return (Token::Symbol, 1);
    }
    let mark = &rest[..=tag];
    match rest[tag + 1..].find(mark) {
        Some(at) => (Token::Text, tag + 1 + at + mark.len()),
        None => (Token::Open, rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sql: &str) -> Vec<(Token, &str)> {
        pieces(sql).filter(|piece| piece.token != Token::Space).map(|piece| (piece.token, piece.text(sql))).collect()
    }

    #[test]
    fn strings_and_comments_hide_what_they_hold() {
        use Token::*;
        assert_eq!(
            shown("a 'b;''c' \"d;\" E'\\';' $$;$$ $x$ $$ ; $x$ /* ; /* */ ; */ -- ;\n;"),
            vec![
                (Word, "a"),
                (Text, "'b;''c'"),
                (Quoted, "\"d;\""),
                (Text, "E'\\';'"),
                (Text, "$$;$$"),
                (Text, "$x$ $$ ; $x$"),
                (Comment, "/* ; /* */ ; */"),
                (Comment, "-- ;"),
                (Semicolon, ";"),
            ]
        );
    }

    #[test]
    fn what_does_not_end_is_open() {
        for open in ["'a", "\"a", "/* a", "$$ a", "E'a\\'"] {
            assert_eq!(shown(open), vec![(Token::Open, open)]);
        }
        assert_eq!(shown("$1"), vec![(Token::Number, "$1")]);
        assert_eq!(shown("$"), vec![(Token::Symbol, "$")]);
    }

    #[test]
    fn boundaries_are_characters() {
        let sql = "sélect 'é' © \u{1F600}; \\g";
        let mut at = 0;
        for piece in pieces(sql) {
            assert_eq!(piece.start, at);
            assert!(sql.is_char_boundary(piece.end));
            at = piece.end;
        }
        assert_eq!(at, sql.len());
    }
}
