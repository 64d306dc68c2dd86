//! A small lexer over the bytes of a statement, made for one purpose: a fast fingerprint. It knows words, numbers,
//! strings, comments and symbols, and gives up (`Token::Other`) on what it need not understand.

/// A token with its place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or unquoted name.
    Word,
    /// `"name"`.
    Quoted,
    /// An integer.
    Integer,
    /// A number with a point or exponent.
    Decimal,
    /// `'text'`.
    Text,
    /// `$1`.
    Placeholder,
    /// One byte of punctuation or of an operator; `::` is one symbol.
    Symbol,
    /// Something rare (`E'..'`, `$$..$$`, bytes beyond ASCII outside of strings), or broken.
    Other,
}

pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(sql: &'a str) -> Lexer<'a> {
        Lexer { bytes: sql.as_bytes(), at: 0 }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    pub(super) fn next(&mut self) -> Option<Lexeme> {
        let token = self.skip_space();
        let start = self.at;
        if let Some(broken) = token {
            self.at = self.bytes.len();
            return Some(Lexeme { token: broken, start, end: self.at });
        }
        if start >= self.bytes.len() {
            return None;
        }
        let token = self.scan();
        Some(Lexeme { token, start, end: self.at })
    }

    /// Passes over space and comments; an open comment is `Other`.
    fn skip_space(&mut self) -> Option<Token> {
        loop {
            match self.byte(0) {
                b' ' | b'\n' | b'\t' | b'\r' | b'\x0c' => self.at += 1,
                b'-' if self.byte(1) == b'-' => {
                    while self.at < self.bytes.len() && self.byte(0) != b'\n' {
                        self.at += 1;
                    }
                }
                // Hints and nested comments are left to the real tokenizer.
                b'/' if self.byte(1) == b'*' => return Some(Token::Other),
                _ => return None,
            }
        }
    }

    fn scan(&mut self) -> Token {
        match self.byte(0) {
            b'\'' => self.quoted(b'\'', Token::Text),
            b'"' => self.quoted(b'"', Token::Quoted),
            b'0'..=b'9' => self.number(),
            b'.' if self.byte(1).is_ascii_digit() => self.number(),
            b'$' if self.byte(1).is_ascii_digit() => {
                self.at += 1;
                self.digits();
                Token::Placeholder
            }
            b':' if self.byte(1) == b':' => {
                self.at += 2;
                Token::Symbol
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'$' | 128.. => {
                self.at += 1;
                Token::Other
            }
            _ => {
                self.at += 1;
                Token::Symbol
            }
        }
    }

    fn quoted(&mut self, quote: u8, token: Token) -> Token {
        self.at += 1;
        loop {
            let Some(length) = self.bytes[self.at..].iter().position(|byte| *byte == quote) else {
                self.at = self.bytes.len();
                return Token::Other;
            };
            self.at += length + 1;
            if self.byte(0) != quote {
                return token;
            }
            self.at += 1;
        }
    }

    fn digits(&mut self) {
        while self.byte(0).is_ascii_digit() {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Token {
        let mut token = Token::Integer;
        self.digits();
        if self.byte(0) == b'.' && self.byte(1) != b'.' {
            token = Token::Decimal;
            self.at += 1;
            self.digits();
        }
        if matches!(self.byte(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
            if self.byte(1 + sign).is_ascii_digit() {
                token = Token::Decimal;
                self.at += 1 + sign;
                self.digits();
            }
        }
        // 0x1f, 1_000, 12abc: the real tokenizer decides.
        let follower = self.byte(0);
        if follower.is_ascii_alphanumeric() || follower == b'_' { Token::Other } else { token }
    }

    fn word(&mut self) -> Token {
        let start = self.at;
        while self.byte(0).is_ascii_alphanumeric() || matches!(self.byte(0), b'_' | b'$') {
            self.at += 1;
        }
        let prefix = self.at - start == 1
            && matches!(self.bytes[start], b'e' | b'E' | b'b' | b'B' | b'x' | b'X' | b'n' | b'N' | b'u' | b'U');
        if (prefix && matches!(self.byte(0), b'\'' | b'&')) || self.byte(0) >= 128 { Token::Other } else { Token::Word }
    }
}
