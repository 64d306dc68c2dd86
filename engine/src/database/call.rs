//! One call on a line, and the methods that [`Database`], [`Transaction`] and [`Session`] share.
//!
//! [`Database`]: super::Database
//! [`Transaction`]: super::Transaction
//! [`Session`]: super::Session

use super::from_row::FromRow;
use super::line::{Inner, Line, Outcome};
use super::pool::Pool;
use super::row::Row;
use super::rows::Rows;
use crate::error::{Error, ErrorKind, Result};
use crate::session::TransactionStatus;
use crate::sql::types::Value;
use std::sync::Arc;

/// The use of a line.
pub(super) struct Call {
    pub(super) line: Arc<Line>,
    /// Where the line goes when the call has ended, if it came from a pool.
    pub(super) home: Option<Arc<Pool>>,
}

impl Call {
    /// Runs a statement to its end.
    pub(super) async fn run(self, sql: &str, values: Vec<Value>) -> Result<Outcome> {
        let mut inner = self.line.lock().await?;
        let outcome = inner.run(sql, values).await;
        let checked = if self.home.is_some() { check_pooled(&inner, outcome) } else { outcome };
        drop(inner);
        self.end();
        checked
    }

    /// Runs a text with any number of statements.
    pub(super) async fn batch(self, sql: &str) -> Result<()> {
        let mut inner = self.line.lock().await?;
        let outcome = inner.batch(sql).await;
        let open = self.home.is_some() && inner.status() != TransactionStatus::Idle;
        drop(inner);
        self.end();
        if open && outcome.is_ok() { Err(open_block()) } else { outcome }
    }

    /// Starts a statement whose rows come later.
    pub(super) async fn stream<T: FromRow>(self, sql: &str, values: Vec<Value>) -> Result<Rows<T>> {
        let mut inner = self.line.lock().await?;
        let started = inner.start(sql, values).await;
        drop(inner);
        match started {
            Ok(execution) => Rows::new(self, execution),
            Err(error) => {
                self.end();
                Err(error)
            }
        }
    }

    /// The line is not needed any more.
    pub(super) fn end(self) {
        if let Some(pool) = self.home {
            pool.give_back(self.line);
        }
    }
}

/// Statements that change their session have no meaning on a line that the next call may not get.
fn check_pooled(inner: &Inner, outcome: Result<Outcome>) -> Result<Outcome> {
    if outcome.is_ok() && inner.status() != TransactionStatus::Idle {
        return Err(open_block());
    }
    if outcome.is_ok() && inner.is_touched() {
        let hint = "Use Database::session, whose calls share one session.";
        return Err(Error::unsupported("this statement changes a session, and calls on a database share none", hint));
    }
    outcome
}

fn open_block() -> Error {
    let hint = "Use Database::transaction or Database::begin.";
    Error::unsupported("a transaction block cannot stay open after a call on a database", hint)
}

/// Reads all rows as `T`.
pub(super) fn decode_all<T: FromRow>(outcome: Outcome) -> Result<Vec<T>> {
    let columns = outcome.columns.ok_or_else(no_rows_at_all)?;
    let map = T::resolve(&columns)?;
    outcome.rows.into_iter().map(|values| T::from_row(Row::new(columns.clone(), values), &map)).collect()
}

/// Reads the only row as `T`, if there is one.
pub(super) fn decode_opt<T: FromRow>(mut outcome: Outcome) -> Result<Option<T>> {
    let columns = outcome.columns.ok_or_else(no_rows_at_all)?;
    if outcome.rows.len() > 1 {
        let message = format!("the query returned {} rows, but one is wanted", outcome.rows.len());
        return Err(Error::of_kind(ErrorKind::TooManyRows, message));
    }
    let Some(values) = outcome.rows.pop() else { return Ok(None) };
    let map = T::resolve(&columns)?;
    T::from_row(Row::new(columns, values), &map).map(Some)
}

/// A row that must be there is not.
pub(super) fn no_row() -> Error {
    Error::of_kind(ErrorKind::NoRows, "the query returned no rows")
}

fn no_rows_at_all() -> Error {
    Error::of_kind(ErrorKind::NoRows, "the statement returns no rows; use execute")
}

/// The methods that run statements, for a type with `async fn call(&self) -> Result<Call>` and
/// `fn note<T>(&self, Result<T>) -> Result<T>`.
macro_rules! statement_methods {
    ($type:ident) => {
        impl $type {
            /// Runs a statement and returns how many rows it changed; rows that it returns are let go of.
            ///
            /// # Errors
            /// The statement failed, or its parameters do not fit.
            pub async fn execute(&self, sql: impl ToStatement, params: impl Params) -> Result<u64> {
                let values = params.into_values();
                let outcome = self.call().await?.run(sql.sql(), values).await;
                self.note(outcome).map(|outcome| outcome.tag.affected())
            }

            /// Starts a query whose rows are streamed. Dropping them cancels the query.
            ///
            /// # Errors
            /// The query failed, its parameters do not fit, or its columns are not those of `T`.
            pub async fn query<T: FromRow>(&self, sql: impl ToStatement, params: impl Params) -> Result<Rows<T>> {
                let values = params.into_values();
                let rows = self.call().await?.stream(sql.sql(), values).await;
                self.note(rows)
            }

            /// Runs a query and returns all of its rows.
            ///
            /// # Errors
            /// As for `query`; [`ErrorKind::Decode`](crate::error::ErrorKind::Decode) if a value does not fit.
            pub async fn query_all<T: FromRow>(&self, sql: impl ToStatement, params: impl Params) -> Result<Vec<T>> {
                let values = params.into_values();
                let outcome = self.call().await?.run(sql.sql(), values).await;
                self.note(outcome).and_then(decode_all)
            }

            /// Runs a query and returns its only row.
            ///
            /// # Errors
            /// As for `query_all`; [`ErrorKind::NoRows`](crate::error::ErrorKind::NoRows),
            /// [`ErrorKind::TooManyRows`](crate::error::ErrorKind::TooManyRows).
            pub async fn query_one<T: FromRow>(&self, sql: impl ToStatement, params: impl Params) -> Result<T> {
                self.query_opt(sql, params).await?.ok_or_else(no_row)
            }

            /// Runs a query and returns its only row, if it has one.
            ///
            /// # Errors
            /// As for `query_all`; [`ErrorKind::TooManyRows`](crate::error::ErrorKind::TooManyRows).
            pub async fn query_opt<T: FromRow>(&self, sql: impl ToStatement, params: impl Params) -> Result<Option<T>> {
                let values = params.into_values();
                let outcome = self.call().await?.run(sql.sql(), values).await;
                self.note(outcome).and_then(decode_opt)
            }

            /// Runs a text of several statements, without parameters, as one transaction unless it says otherwise.
            ///
            /// # Errors
            /// The first statement that failed; nothing of its transaction happened.
            pub async fn batch(&self, sql: &str) -> Result<()> {
                let outcome = self.call().await?.batch(sql).await;
                self.note(outcome)
            }

            /// Parses and analyses a statement: tells its parameters and columns, and finds its errors early. Running a
            /// text many times is as fast: texts are prepared once per session by themselves.
            ///
            /// # Errors
            /// The text is wrong.
            pub async fn prepare(&self, sql: &str) -> Result<Statement> {
                let call = self.call().await?;
                let prepared = call.line.lock().await?.prepare(sql, &[]).await;
                call.end();
                self.note(prepared).map(Statement::new)
            }
        }
    };
}

pub(super) use statement_methods;
