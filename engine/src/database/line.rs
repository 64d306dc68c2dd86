//! A line: a session with the statements that it has prepared.
//!
//! ```text
//!  lock ─► busy = true ─► statement ─► busy = false ─► unlock        a future dropped in between leaves busy = true
//! ```
//! Invariant: while `busy` is set and nobody holds the lock, a call was cancelled halfway, and the line runs nothing more.

use super::params;
use crate::error::{Error, ErrorKind, Result, SqlState};
use crate::session::{
    CancelHandle, ColumnDesc, CommandTag, CopyFormat, ExecuteMode, Execution, Notice, Prepared, ResultSink, Session,
    TransactionStatus,
};
use crate::sql::types::{Type, TypeContext, Value};
use ahash::RandomState;
use async_trait::async_trait;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// Statements that a line keeps prepared.
const KEEP_STATEMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// A session that calls take turns on.
pub(super) struct Line {
    /// Held while a statement runs or a batch of rows is fetched.
    inner: Mutex<Inner>,
    /// Executions whose rows nobody wants any more; closed by the next call. Held for moments only.
    abandoned: parking_lot::Mutex<Vec<Execution>>,
    cancel: CancelHandle,
}

pub(super) struct Inner {
    session: Session,
    statements: LruCache<Arc<str>, Arc<Prepared>, RandomState>,
    busy: bool,
    /// Whether something outlives its transaction that the next user of a pooled line must not see.
    touched: bool,
}

/// Everything that a statement returned.
pub(super) struct Outcome {
    pub(super) columns: Option<Arc<[ColumnDesc]>>,
    pub(super) rows: Vec<Vec<Value>>,
    pub(super) tag: CommandTag,
}

impl Line {
    pub(super) fn new(session: Session) -> Line {
        let statements = LruCache::with_hasher(KEEP_STATEMENTS, RandomState::with_seeds(1, 2, 3, 4));
        Line {
            cancel: session.cancel_handle(),
            inner: Mutex::new(Inner { session, statements, busy: false, touched: false }),
            abandoned: parking_lot::Mutex::default(),
        }
    }

    /// Waits for the line.
    pub(super) async fn lock(&self) -> Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner.lock().await;
        if inner.busy {
            let message = "an earlier call on this session was cancelled while it ran";
            return Err(Error::of_kind(ErrorKind::Canceled, message));
        }
        let abandoned = std::mem::take(&mut *self.abandoned.lock());
        for execution in abandoned {
            inner.close(execution).await?;
        }
        Ok(inner)
    }

    /// Gives an execution up; its rows are let go of by the next call.
    pub(super) fn abandon(&self, execution: Execution) {
        self.abandoned.lock().push(execution);
    }

    /// Cancels what runs.
    pub(super) fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }

    /// Whether the line is as good as new. It is not while a call uses it.
    pub(super) fn is_clean(&self) -> bool {
        let idle = self.inner.try_lock().is_ok_and(|inner| inner.is_clean());
        idle && self.abandoned.lock().is_empty()
    }
}

impl Inner {
    fn is_clean(&self) -> bool {
        !self.busy && !self.touched && self.session.transaction_status() == TransactionStatus::Idle
    }

    pub(super) fn status(&self) -> TransactionStatus {
        self.session.transaction_status()
    }

    pub(super) fn is_touched(&self) -> bool {
        self.touched
    }

    /// The statement of a text, parsed now or earlier. `values` help where the text alone leaves types open.
    pub(super) async fn prepare(&mut self, sql: &str, values: &[Value]) -> Result<Arc<Prepared>> {
        if let Some(prepared) = self.statements.get(sql) {
            return Ok(prepared.clone());
        }
        self.busy = true;
        let prepared = Box::pin(self.prepare_now(sql, values)).await;
        self.busy = false;
        let prepared = prepared?;
        self.statements.put(prepared.sql.clone(), prepared.clone());
        Ok(prepared)
    }

    async fn prepare_now(&mut self, sql: &str, values: &[Value]) -> Result<Arc<Prepared>> {
        match self.session.prepare(sql, &[]).await {
            Err(error) if !values.is_empty() && leaves_types_open(&error) => {
                let types: Vec<_> = values.iter().map(type_hint).collect();
                self.session.prepare(sql, &types).await
            }
            other => other,
        }
    }

    /// Starts a statement.
    pub(super) async fn start(&mut self, sql: &str, mut values: Vec<Value>) -> Result<Execution> {
        let prepared = self.prepare(sql, &values).await?;
        params::fit(&mut values, &prepared.param_types, || self.session.type_context())?;
        self.busy = true;
        let started = self.session.execute(&prepared, values, ExecuteMode::Autocommit).await;
        self.busy = false;
        let mut execution = started?;
        if let Some(copy) = execution.take_copy_in() {
            Box::pin(self.session.copy_abort(copy)).await;
            return Err(no_copy());
        }
        if execution.copy_out().is_some() {
            self.close(execution).await?;
            return Err(no_copy());
        }
        if execution.columns().is_none() {
            self.note(execution.tag());
        }
        Ok(execution)
    }

    /// The next rows; 0 takes as many as come at once.
    pub(super) async fn fetch(&mut self, execution: &mut Execution, max_rows: usize) -> Result<crate::session::Fetch> {
        self.busy = true;
        let fetched = self.session.fetch(execution, max_rows).await;
        self.busy = false;
        fetched
    }

    /// Runs a statement to its end.
    pub(super) async fn run(&mut self, sql: &str, values: Vec<Value>) -> Result<Outcome> {
        let mut execution = self.start(sql, values).await?;
        let mut rows = Vec::new();
        if execution.columns().is_some() {
            loop {
                let fetch = self.fetch(&mut execution, 0).await?;
                if rows.is_empty() {
                    rows = fetch.rows
                } else {
                    rows.extend(fetch.rows)
                }
                if fetch.done {
                    break;
                }
            }
        }
        Ok(Outcome { columns: execution.columns().cloned(), rows, tag: execution.tag().clone() })
    }

    /// Runs a text with any number of statements; results are let go of.
    pub(super) async fn batch(&mut self, sql: &str) -> Result<()> {
        let mut sink = Discard::default();
        self.busy = true;
        let outcome = Box::pin(self.session.simple(sql, &mut sink)).await;
        self.busy = false;
        for tag in &sink.tags {
            self.note(tag);
        }
        match outcome? {
            Some(copy) => {
                Box::pin(self.session.copy_abort(copy)).await;
                Err(no_copy())
            }
            None => Ok(()),
        }
    }

    /// Lets go of an execution.
    pub(super) async fn close(&mut self, execution: Execution) -> Result<()> {
        self.busy = true;
        let closed = Box::pin(self.session.close(execution)).await;
        self.busy = false;
        closed
    }

    /// Messages that came up.
    pub(super) fn notices(&mut self) -> Vec<Notice> {
        self.session.notices()
    }

    fn note(&mut self, tag: &CommandTag) {
        self.touched |= matches!(
            tag.verb.as_ref(),
            "SET" | "RESET" | "PREPARE" | "DEALLOCATE" | "DEALLOCATE ALL" | "DISCARD ALL" | "LISTEN"
        );
    }
}

fn leaves_types_open(error: &Error) -> bool {
    error.is(SqlState::INDETERMINATE_DATATYPE) || error.is(SqlState::AMBIGUOUS_FUNCTION)
}

fn type_hint(value: &Value) -> Option<Type> {
    (!value.is_null()).then(|| value.natural_type())
}

fn no_copy() -> Error {
    let hint = "Use INSERT with several rows, or COPY through a client of the wire protocol.";
    Error::unsupported("COPY FROM STDIN and COPY TO STDOUT are not part of the embedded API", hint)
}

/// Lets go of results.
#[derive(Default)]
struct Discard {
    tags: Vec<CommandTag>,
}

#[async_trait]
impl ResultSink for Discard {
    async fn columns(&mut self, _columns: &Arc<[ColumnDesc]>, _context: &TypeContext) -> Result<()> {
        Ok(())
    }

    async fn rows(&mut self, _rows: Vec<crate::session::Row>) -> Result<()> {
        Ok(())
    }

    async fn complete(&mut self, tag: &CommandTag) -> Result<()> {
        self.tags.push(tag.clone());
        Ok(())
    }

    async fn empty(&mut self) -> Result<()> {
        Ok(())
    }

    async fn copy_out(&mut self, _format: CopyFormat, _columns: usize) -> Result<()> {
        Err(no_copy())
    }

    async fn copy_data(&mut self, _data: Vec<u8>) -> Result<()> {
        Err(no_copy())
    }

    async fn notice(&mut self, _notice: &Notice) -> Result<()> {
        Ok(())
    }
}
