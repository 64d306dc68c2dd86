//! Why a statement failed, with everything that the user may be shown.

use crate::exit::{Exit, Failure};
use std::io;

/// What kind of failure it is, by what the shell does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The database refused the statement; the session goes on.
    Statement,
    /// The session is gone, or never came to be.
    Connection,
    /// The results could not be written: give up.
    Output,
}

/// An error of a statement or of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// What the shell does next.
    pub kind: ErrorKind,
    /// `ERROR`, `FATAL`, `PANIC`.
    pub severity: String,
    /// PostgreSQL's code.
    pub sqlstate: Option<String>,
    /// One line.
    pub message: String,
    /// Facts beyond it.
    pub detail: Option<String>,
    /// A suggestion.
    pub hint: Option<String>,
    /// Bytes of the statement that are to blame; empty if only the start is known.
    pub span: Option<(usize, usize)>,
}

impl SqlError {
    /// A connection that could not be made or was lost.
    pub fn connection(message: impl Into<String>) -> SqlError {
        SqlError {
            kind: ErrorKind::Connection,
            severity: "ERROR".to_owned(),
            sqlstate: Some("08006".to_owned()),
            message: message.into(),
            detail: None,
            hint: None,
            span: None,
        }
    }

    /// Something the shell itself cannot do.
    pub fn usage(message: impl Into<String>) -> SqlError {
        let mut error = SqlError::connection(message);
        error.kind = ErrorKind::Statement;
        error.sqlstate = None;
        error
    }

    /// Results could not be written.
    pub fn output(error: &io::Error) -> SqlError {
        let mut failed = SqlError::connection(error.to_string());
        failed.kind = ErrorKind::Output;
        failed.sqlstate = None;
        if error.kind() == io::ErrorKind::BrokenPipe {
            failed.message.clear();
        }
        failed
    }

    /// Adds a suggestion.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> SqlError {
        self.hint = Some(hint.into());
        self
    }

    /// An error of a session in this process.
    pub fn of_session(error: &quorate::error::Error) -> SqlError {
        let kind = match error.kind() {
            quorate::error::ErrorKind::Closed | quorate::error::ErrorKind::Connect => ErrorKind::Connection,
            _ => ErrorKind::Statement,
        };
        SqlError {
            kind,
            severity: "ERROR".to_owned(),
            sqlstate: error.sqlstate().map(|code| code.as_str().to_owned()),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            span: error.span(),
        }
    }

    /// The fields of an ErrorResponse; `sql` is the text that its position counts in.
    pub fn of_fields(fields: Vec<(u8, String)>, sql: &str) -> SqlError {
        let mut error = SqlError::connection("");
        error.kind = ErrorKind::Statement;
        for (field, text) in fields {
            match field {
                b'S' => error.severity = text,
                b'C' => error.sqlstate = Some(text),
                b'M' => error.message = text,
                b'D' => error.detail = Some(text),
                b'H' => error.hint = Some(text),
                b'P' => error.span = text.parse().ok().and_then(|at| span_of(sql, at)),
                _ => {}
            }
        }
        if error.severity == "FATAL" || error.severity == "PANIC" {
            error.kind = ErrorKind::Connection;
        }
        error
    }

    /// Whether nobody knows if the transaction was committed.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self.sqlstate.as_deref(), Some("40003" | "08007"))
    }

    /// How the program ends if this error ends it.
    pub fn exit(&self) -> Exit {
        match self.kind {
            ErrorKind::Connection => match Exit::of_statement(self.sqlstate.as_deref(), &self.message) {
                Exit::Failed => Exit::NoConnection,
                other => other,
            },
            ErrorKind::Statement | ErrorKind::Output => Exit::of_statement(self.sqlstate.as_deref(), &self.message),
        }
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        let message = match &error.detail {
            Some(detail) => format!("{}\n{detail}", error.message),
            None => error.message.clone(),
        };
        Failure { exit: error.exit(), message, hint: error.hint }
    }
}

/// Bytes of `sql` for a position that counts characters from 1: up to the end of the word or symbol there.
fn span_of(sql: &str, position: usize) -> Option<(usize, usize)> {
    let (start, first) = sql.char_indices().nth(position.checked_sub(1)?)?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let rest = &sql[start..];
    let length = match first {
        '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
        _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        _ => first.len_utf8(),
    };
    Some((start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_grows_into_the_word_there() {
        assert_eq!(span_of("select * from nope;", 15), Some((14, 18)));
        assert_eq!(span_of("sélect 'a b' x", 8), Some((8, 13)));
        assert_eq!(span_of("select +", 8), Some((7, 8)));
        assert_eq!(span_of("select", 8), None);
        assert_eq!(span_of("select", 0), None);
    }
}
