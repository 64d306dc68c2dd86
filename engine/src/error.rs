//! What goes wrong, told the way PostgreSQL tells it.
//!
//! One opaque error, one word wide, for the whole crate: a SQL error carries the fields of PostgreSQL's ErrorResponse
//! (SQLSTATE, message, detail, hint, position, names of the objects concerned); an error of the embedded API carries
//! a [`ErrorKind`] that says what the caller does next.
//!
//! ```text
//!  Error ─► Box<Inner>   kind        what happened, for the caller's `match`
//!                        sqlstate    five characters, PostgreSQL's where the condition exists there
//!                        message     one line, lower case, no final period; stable, clients match on it
//!                        detail      complete sentences; the only field that may hold values of rows
//!                        hint        what to do about it
//!                        span        bytes of the statement text that are to blame
//!                        source      the cause, or the caller's own error on its way through a transaction closure
//! ```
//! Invariant: `is_retryable` is true only if nothing was committed; an unknown outcome is `is_ambiguous`, never both.

mod sqlstate;

pub use sqlstate::SqlState;
use std::borrow::Cow;
use std::fmt;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What happened, by what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The database refused the statement: see [`Error::sqlstate`].
    Db,
    /// A query that must return a row returned none.
    NoRows,
    /// A query that must return one row returned more.
    TooManyRows,
    /// A value of a row does not fit the Rust type asked for.
    Decode,
    /// Parameters do not fit the statement.
    Params,
    /// A connection could not be made.
    Connect,
    /// The database, session or transaction is closed.
    Closed,
    /// The disk or the network refused.
    Io,
    /// A setting has no meaning.
    Config,
    /// The data cannot be reached at the moment: try again later.
    Unavailable,
    /// The caller cancelled the statement.
    Canceled,
    /// A deadline passed.
    Timeout,
    /// An error of the caller's own on its way out of a transaction closure: see [`Error::downcast`].
    User,
}

/// Why a statement or a call failed.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    sqlstate: Option<SqlState>,
    message: Cow<'static, str>,
    detail: Option<String>,
    hint: Option<Cow<'static, str>>,
    span: Option<(u32, u32)>,
    names: Names,
    txn_id: Option<String>,
    txn_token: Option<String>,
    attempts: u32,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Default)]
struct Names {
    schema: Option<String>,
    table: Option<String>,
    column: Option<String>,
    datatype: Option<String>,
    constraint: Option<String>,
}

impl Error {
    /// An error of a statement. `message` follows PostgreSQL's style: one line, lower case, no final period.
    pub fn new(sqlstate: SqlState, message: impl Into<Cow<'static, str>>) -> Error {
        Error::build(kind_of(sqlstate), Some(sqlstate), message.into())
    }

    /// An error of a call, without SQLSTATE.
    pub fn of_kind(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        Error::build(kind, None, message.into())
    }

    /// Something that PostgreSQL has and this release has not (SQLSTATE 0A000); `hint` says what to use instead.
    pub fn unsupported(message: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Error {
        Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(hint)
    }

    /// A state that must not occur (SQLSTATE XX000).
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(SqlState::INTERNAL_ERROR, message)
    }

    /// Wraps the caller's own error, so that it can leave a transaction closure; [`Error::downcast`] gets it back.
    pub fn user(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let source = error.into();
        let mut wrapped = Error::build(ErrorKind::User, None, source.to_string().into());
        wrapped.0.source = Some(source);
        wrapped
    }

    fn build(kind: ErrorKind, sqlstate: Option<SqlState>, message: Cow<'static, str>) -> Error {
        Error(Box::new(Inner {
            kind,
            sqlstate,
            message,
            detail: None,
            hint: None,
            span: None,
            names: Names::default(),
            txn_id: None,
            txn_token: None,
            attempts: 1,
            source: None,
        }))
    }

    /// What happened, by what the caller does next.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// PostgreSQL's code, for errors of the database.
    pub fn sqlstate(&self) -> Option<SqlState> {
        self.0.sqlstate
    }

    /// The primary message, one line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Facts beyond the message; may hold values of rows, which logs drop.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// A suggestion.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Byte offset (from 0) into the statement text where the blamed part begins.
    pub fn position(&self) -> Option<usize> {
        self.0.span.map(|(start, _)| start as usize)
    }

    /// Byte offsets `[start, end)` of the blamed part of the statement text; `end == start` if only its start is known.
    pub fn span(&self) -> Option<(usize, usize)> {
        self.0.span.map(|(start, end)| (start as usize, end as usize))
    }

    /// The position as the wire protocol counts it: characters of `sql`, from 1.
    pub fn char_position(&self, sql: &str) -> Option<usize> {
        let start = self.position()?;
        Some(sql.char_indices().take_while(|(at, _)| *at < start).count() + 1)
    }

    /// Schema of the object concerned.
    pub fn schema(&self) -> Option<&str> {
        self.0.names.schema.as_deref()
    }

    /// Table concerned.
    pub fn table(&self) -> Option<&str> {
        self.0.names.table.as_deref()
    }

    /// Column concerned.
    pub fn column(&self) -> Option<&str> {
        self.0.names.column.as_deref()
    }

    /// Data type concerned.
    pub fn datatype(&self) -> Option<&str> {
        self.0.names.datatype.as_deref()
    }

    /// Constraint that was violated.
    pub fn constraint(&self) -> Option<&str> {
        self.0.names.constraint.as_deref()
    }

    /// The transaction concerned, in its text form.
    pub fn txn_id(&self) -> Option<&str> {
        self.0.txn_id.as_deref()
    }

    /// Of an ambiguous error: what `quorate.txn_status` takes to find out, on any node, how the commit ended.
    pub fn txn_token(&self) -> Option<&str> {
        self.0.txn_token.as_deref()
    }

    /// How often the transaction was tried, at least 1.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the whole transaction may simply be run again: nothing of it was committed.
    pub fn is_retryable(&self) -> bool {
        self.0.sqlstate.is_some_and(SqlState::is_retryable)
    }

    /// Whether the commit may or may not have happened.
    pub fn is_ambiguous(&self) -> bool {
        self.0.sqlstate.is_some_and(SqlState::is_ambiguous)
    }

    /// Whether a unique constraint or primary key was violated.
    pub fn is_unique_violation(&self) -> bool {
        self.0.sqlstate == Some(SqlState::UNIQUE_VIOLATION)
    }

    /// Whether the code is `sqlstate`.
    pub fn is(&self, sqlstate: SqlState) -> bool {
        self.0.sqlstate == Some(sqlstate)
    }

    /// The caller's own error, if this is one of type `E`; otherwise the error unchanged.
    pub fn downcast<E: std::error::Error + Send + Sync + 'static>(mut self) -> Result<E, Error> {
        if self.0.kind != ErrorKind::User {
            return Err(self);
        }
        match self.0.source.take().map(|source| source.downcast::<E>()) {
            Some(Ok(own)) => Ok(*own),
            Some(Err(other)) => {
                self.0.source = Some(other);
                Err(self)
            }
            None => Err(self),
        }
    }
}

/// Builder style: each takes the error and returns it with one more field.
impl Error {
    /// Adds facts; complete sentences.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Error {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a suggestion; complete sentences.
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    /// Blames the statement text from byte `position` on.
    pub fn at(self, position: usize) -> Error {
        self.with_span(position, position)
    }

    /// Blames the bytes `[start, end)` of the statement text.
    pub fn with_span(mut self, start: usize, end: usize) -> Error {
        self.0.span = Some((offset(start), offset(end.max(start))));
        self
    }

    /// Blames `[start, end)` unless a more precise place is known already.
    pub fn or_span(self, start: usize, end: usize) -> Error {
        if self.0.span.is_some() { self } else { self.with_span(start, end) }
    }

    /// Names the schema.
    pub fn with_schema(mut self, schema: impl Into<String>) -> Error {
        self.0.names.schema = Some(schema.into());
        self
    }

    /// Names the table.
    pub fn with_table(mut self, table: impl Into<String>) -> Error {
        self.0.names.table = Some(table.into());
        self
    }

    /// Names the column.
    pub fn with_column(mut self, column: impl Into<String>) -> Error {
        self.0.names.column = Some(column.into());
        self
    }

    /// Names the data type.
    pub fn with_datatype(mut self, datatype: impl Into<String>) -> Error {
        self.0.names.datatype = Some(datatype.into());
        self
    }

    /// Names the constraint.
    pub fn with_constraint(mut self, constraint: impl Into<String>) -> Error {
        self.0.names.constraint = Some(constraint.into());
        self
    }

    /// Names the transaction.
    pub fn with_txn_id(mut self, txn_id: impl Into<String>) -> Error {
        self.0.txn_id = Some(txn_id.into());
        self
    }

    /// Names the commit whose outcome is unknown, and says how to find it out.
    pub fn with_txn_token(mut self, token: impl Into<String>) -> Error {
        let token = token.into();
        self.0.hint = Some(format!("Find out how it ended, on any node: SELECT quorate.txn_status('{token}')").into());
        self.0.txn_token = Some(token);
        self
    }

    /// Notes how often the transaction was tried.
    pub fn with_attempts(mut self, attempts: u32) -> Error {
        self.0.attempts = attempts.max(1);
        self
    }

    /// Keeps the cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// Overrides the kind that follows from the SQLSTATE.
    pub fn with_kind(mut self, kind: ErrorKind) -> Error {
        self.0.kind = kind;
        self
    }
}

fn offset(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn kind_of(sqlstate: SqlState) -> ErrorKind {
    match sqlstate {
        SqlState::RANGE_UNAVAILABLE => ErrorKind::Unavailable,
        SqlState::QUERY_CANCELED => ErrorKind::Canceled,
        SqlState::CONNECTION_FAILURE | SqlState::CONNECTION_DOES_NOT_EXIST => ErrorKind::Connect,
        SqlState::IO_ERROR | SqlState::DISK_FULL => ErrorKind::Io,
        _ => ErrorKind::Db,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.sqlstate {
            Some(sqlstate) => write!(f, "ERROR {sqlstate}: {}", self.0.message),
            None => f.write_str(&self.0.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut out = f.debug_struct("Error");
        out.field("kind", &inner.kind);
        if let Some(sqlstate) = inner.sqlstate {
            out.field("sqlstate", &sqlstate.as_str());
        }
        out.field("message", &inner.message);
        let optional = [
            ("detail", inner.detail.as_deref()),
            ("hint", inner.hint.as_deref()),
            ("schema", inner.names.schema.as_deref()),
            ("table", inner.names.table.as_deref()),
            ("column", inner.names.column.as_deref()),
            ("datatype", inner.names.datatype.as_deref()),
            ("constraint", inner.names.constraint.as_deref()),
            ("txn_id", inner.txn_id.as_deref()),
            ("txn_token", inner.txn_token.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                out.field(name, &value);
            }
        }
        if let Some(span) = inner.span {
            out.field("span", &span);
        }
        if inner.attempts > 1 {
            out.field("attempts", &inner.attempts);
        }
        if let Some(source) = &inner.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        let sqlstate = if full { SqlState::DISK_FULL } else { SqlState::IO_ERROR };
        Error::new(sqlstate, error.to_string()).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_word_and_shows_one_line() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let error = Error::new(SqlState::UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"a_pkey\"")
            .with_detail("Key (id)=(1) already exists.")
            .with_constraint("a_pkey");
        assert_eq!(error.to_string(), "ERROR 23505: duplicate key value violates unique constraint \"a_pkey\"");
        assert!(error.is_unique_violation());
        assert!(!error.is_retryable());
        assert_eq!(error.constraint(), Some("a_pkey"));
    }

    #[test]
    fn own_errors_come_back() {
        let own = "x".parse::<i32>().unwrap_err();
        let wrapped = Error::user(own.clone());
        assert_eq!(wrapped.kind(), ErrorKind::User);
        let wrapped = wrapped.downcast::<std::fmt::Error>().unwrap_err();
        assert_eq!(wrapped.downcast::<std::num::ParseIntError>().unwrap(), own);
    }

    #[test]
    fn positions_count_characters_from_one() {
        let error = Error::new(SqlState::SYNTAX_ERROR, "syntax error at or near \"x\"").at("sélect ".len());
        assert_eq!(error.char_position("sélect x"), Some(8));
        assert_eq!(error.span(), Some((8, 8)));
    }

    #[test]
    fn retry_and_ambiguity_exclude_each_other() {
        assert!(Error::new(SqlState::SERIALIZATION_FAILURE, "x").is_retryable());
        let unknown = Error::new(SqlState::STATEMENT_COMPLETION_UNKNOWN, "x");
        assert!(unknown.is_ambiguous() && !unknown.is_retryable());
    }
}
