//! Running a planned statement: attempts, rows, tags.
//!
//! ```text
//!   execute ─► attempt ─► first rows ──────────────► Execution ─► fetch ... ─► done ─► commit (implicit transactions)
//!                 ▲           │ 40001, and nothing of the transaction has been seen by anybody
//!                 └───────────┘ READ COMMITTED: the statement alone, at a new S
//! ```
//! Statements that change rows run to their end, and commit if they stand alone, before a row of theirs is shown.

use super::cancel::CancelHandle;
use super::prepared::{Planned, Prepared, writes};
use super::{ColumnDesc, CommandTag, CopyFormat, CopyIn, Fetch, Row, Session};
use crate::error::{Error, SqlState};
use crate::sql::exec::{DdlContext, Outcome, Run, copy, run_ddl, wants_restart};
use crate::sql::parser::StatementKind;
use crate::sql::plan::{Plan, PlanBody};
use crate::sql::types::{Type, Value};
use quorate_net::runtime::Runtime;
use quorate_txn::Mark;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Attempts at a statement before its 40001 is shown.
const ATTEMPTS: u32 = 100;
/// Rows that are pulled before the first is shown, so that small results end (and commit) at once.
const FIRST_ROWS: usize = 256;
/// Longest wait between attempts.
const MAX_BACKOFF: Duration = Duration::from_millis(100);

/// When an implicit transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecuteMode {
    /// With the statement.
    Autocommit,
    /// At [`Session::sync`].
    Pipelined,
}

/// A statement under way: a portal. Owned by the caller, driven by [`Session::fetch`].
#[derive(Debug)]
pub struct Execution {
    columns: Option<Arc<[ColumnDesc]>>,
    tag: CommandTag,
    ready: VecDeque<Row>,
    run: Option<Box<Run>>,
    mode: ExecuteMode,
    serial: u64,
    /// What `statement_timeout` leaves for the work to come; the client's own time between fetches does not count.
    left: Option<Duration>,
    copy_in: Option<Box<CopyIn>>,
    copy_layout: Option<copy::Layout>,
    header: Option<Vec<String>>,
    copy_types: Vec<Type>,
    copy_columns: usize,
}

impl Execution {
    /// A statement that is over.
    pub(super) fn done(tag: CommandTag) -> Execution {
        Execution {
            columns: None,
            tag,
            ready: VecDeque::new(),
            run: None,
            mode: ExecuteMode::Autocommit,
            serial: 0,
            left: None,
            copy_in: None,
            copy_layout: None,
            header: None,
            copy_types: Vec::new(),
            copy_columns: 0,
        }
    }

    /// A statement that is over, with rows.
    pub(super) fn with_rows(tag: CommandTag, columns: Option<Arc<[ColumnDesc]>>, rows: Vec<Row>) -> Execution {
        Execution { columns, ready: rows.into(), ..Execution::done(tag) }
    }

    /// Columns of the result; `None` if the statement returns no rows.
    pub fn columns(&self) -> Option<&Arc<[ColumnDesc]>> {
        self.columns.as_ref()
    }

    /// What has been done so far; final once [`Fetch::done`] was seen (at once, for statements without rows).
    pub fn tag(&self) -> &CommandTag {
        &self.tag
    }

    /// Format and columns, if the statement is COPY TO STDOUT: [`Session::fetch_copy`] gives its data.
    pub fn copy_out(&self) -> Option<(CopyFormat, usize)> {
        let layout = self.copy_layout.as_ref()?;
        Some((if layout.csv { CopyFormat::Csv } else { CopyFormat::Text }, self.copy_columns))
    }

    /// The data wanted, if the statement is COPY FROM STDIN: hand it to [`Session::copy_data`].
    pub fn take_copy_in(&mut self) -> Option<CopyIn> {
        self.copy_in.take().map(|copy| *copy)
    }
}

/// What an attempt at a statement gave.
pub(super) enum Attempted {
    /// All rows (or none), and the tag.
    Finished(CommandTag, Vec<Row>),
    /// The first rows; more follow.
    Streaming(Box<Run>, Vec<Row>),
    /// COPY FROM STDIN wants data.
    CopyIn(Box<Run>),
}

impl Session {
    /// Starts a statement; one that returns no rows is over when this returns.
    pub async fn execute(
        &mut self,
        prepared: &Arc<Prepared>,
        params: Vec<Value>,
        mode: ExecuteMode,
    ) -> Result<Execution, Error> {
        self.cancel.reset();
        if !prepared.is_planned() {
            return self.execute_session(prepared).await;
        }
        // Boxed: the callers' futures would otherwise hold (and copy) all of its state.
        Box::pin(self.execute_planned(prepared, params, mode)).await
    }

    async fn execute_session(&mut self, prepared: &Arc<Prepared>) -> Result<Execution, Error> {
        let result = match self.refuse_in_failed(&prepared.statement.kind) {
            Ok(()) => Box::pin(self.command(&prepared.statement, &prepared.sql)).await,
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.fail();
        }
        result
    }

    /// In the Failed state only the end of the block is accepted.
    pub(super) fn refuse_in_failed(&self, kind: &StatementKind) -> Result<(), Error> {
        use StatementKind as K;
        let failed = self.block.as_ref().is_some_and(|block| block.failed);
        let ends = matches!(kind, K::Commit { .. } | K::Rollback { .. } | K::RollbackTo(_) | K::PrepareTransaction(_));
        if !failed || ends {
            return Ok(());
        }
        Err(Error::new(
            SqlState::IN_FAILED_SQL_TRANSACTION,
            "current transaction is aborted, commands ignored until end of transaction block",
        ))
    }

    pub(super) async fn execute_planned(
        &mut self,
        prepared: &Arc<Prepared>,
        params: Vec<Value>,
        mode: ExecuteMode,
    ) -> Result<Execution, Error> {
        self.refuse_in_failed(&prepared.statement.kind)?;
        if params.len() != prepared.param_types.len() {
            let message = format!(
                "bind message supplies {} parameters, but prepared statement requires {}",
                params.len(),
                prepared.param_types.len()
            );
            self.fail();
            return Err(Error::new(SqlState::PROTOCOL_VIOLATION, message));
        }
        if self.block.as_ref().is_some_and(|block| block.alone) {
            // A portal of one statement was left before its end.
            self.commit_block().await?;
        }
        let alone = mode == ExecuteMode::Autocommit && self.block.is_none();
        let timeout = self.settings.derived().statement_timeout;
        let mut left = (timeout > 0).then(|| Duration::from_millis(timeout));
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.attempt(prepared, &params, alone, &mut left).await {
                Ok(execution) => return Ok(execution),
                Err(Failed { error, again }) => {
                    if !again || attempt >= ATTEMPTS {
                        return Err(error.with_attempts(attempt));
                    }
                    self.back_off(attempt).await;
                }
            }
        }
    }

    /// Full jitter, 1 ms doubling.
    async fn back_off(&self, attempt: u32) {
        let longest = MAX_BACKOFF.min(Duration::from_millis(1 << attempt.min(10)));
        let micros = self.gateway.runtime.random_u64() % (longest.as_micros() as u64 + 1);
        if attempt > 1 {
            self.gateway.runtime.sleep(Duration::from_micros(micros)).await;
        }
    }

    /// One attempt: runs the statement, and commits it if it stands alone and is over.
    async fn attempt(
        &mut self,
        prepared: &Arc<Prepared>,
        params: &[Value],
        alone: bool,
        left: &mut Option<Duration>,
    ) -> Result<Execution, Failed> {
        if let Err(error) = self.read_as_of(prepared.statement.as_of) {
            return Err(Box::pin(self.failed_attempt(None, error, false)).await);
        }
        let one_write = alone && prepared.statement.kind.is_dml();
        if let Err(error) = self.ensure_transaction_of(one_write).await {
            return Err(Box::pin(self.failed_attempt(None, error, true)).await);
        }
        if let Some(block) = &mut self.block {
            block.alone = alone;
            if let Some(txn) = &mut block.txn {
                txn.works_on(self.process_id, Arc::clone(&prepared.sql));
            }
        }
        let first = self.block.as_ref().is_some_and(|block| block.statements == 0);
        let mark = self.block.as_ref().and_then(|block| block.txn.as_ref()).map(|txn| txn.mark());
        let result = match self.plan_of(prepared) {
            Ok(planned) => {
                let attempted = self.guarded(&planned, params, left).await;
                attempted.map(|attempted| (planned, attempted))
            }
            Err(error) => Err(error),
        };
        let (planned, mut attempted) = match result {
            Ok(done) => done,
            Err(error) => return Err(Box::pin(self.failed_attempt(mark, error, first)).await),
        };
        if let Some(block) = &mut self.block {
            block.statements += 1;
        }
        let streaming = matches!(attempted, Attempted::Streaming(..) | Attempted::CopyIn(_));
        if alone && !streaming {
            let start = self.block.as_ref().and_then(|block| block.txn.as_ref()).map(|txn| txn.start_id());
            if let Err(error) = self.commit_block().await {
                let again = error.is_retryable();
                if again {
                    self.open_block(false, Default::default());
                    if let Some(block) = &mut self.block {
                        block.start = start;
                    }
                }
                return Err(Failed { error, again });
            }
            if let (Attempted::Finished(_, rows), PlanBody::Explain { options, .. }) =
                (&mut attempted, &planned.program.plan.body)
                && options.analyze
                && options.txn
            {
                rows.extend(self.explain_commit().into_iter().map(|line| vec![Value::Text(line.into())]));
            }
        }
        let mode = if alone { ExecuteMode::Autocommit } else { ExecuteMode::Pipelined };
        Ok(Execution { left: *left, ..self.execution(&planned, attempted, mode) })
    }

    /// Decides whether an attempt that failed is made again, and brings the transaction into the state for it.
    async fn failed_attempt(&mut self, mark: Option<Mark>, error: Error, first: bool) -> Failed {
        let error = self.gateway.told(error);
        if wants_restart(&error)
            && let (Some(block), Some(mark)) = (&mut self.block, mark)
            && let Some(txn) = &mut block.txn
        {
            txn.rollback_to(mark);
            match txn.restart_statement().await {
                Ok(()) => return Failed { error, again: true },
                Err(again) => {
                    let error = Error::from(again);
                    self.statement_failed(None, &error).await;
                    return Failed { error, again: false };
                }
            }
        }
        if first
            && error.is_retryable()
            && !error.is(SqlState::ADMIN_SHUTDOWN)
            && !error.is(SqlState::RANGE_UNAVAILABLE)
        {
            self.drop_attempt().await;
            return Failed { error, again: true };
        }
        self.statement_failed(mark, &error).await;
        Failed { error, again: false }
    }

    /// Runs a statement until it is over or has first rows, unless it is cancelled or takes too long.
    async fn guarded(
        &mut self,
        planned: &Planned,
        params: &[Value],
        left: &mut Option<Duration>,
    ) -> Result<Attempted, Error> {
        let (cancel, runtime) = (self.cancel.clone(), self.gateway.runtime.clone());
        let work = std::pin::pin!(self.run(planned, params));
        unless_stopped(&cancel, &runtime, left, work).await
    }

    async fn run(&mut self, planned: &Planned, params: &[Value]) -> Result<Attempted, Error> {
        let plan = &planned.program.plan;
        if let Some(verb) = writes(plan).filter(|_| self.is_read_only()) {
            return Err(Error::new(
                SqlState::READ_ONLY_SQL_TRANSACTION,
                format!("cannot execute {verb} in a read-only transaction"),
            ));
        }
        for notice in &plan.notices {
            self.notices.push(super::Notice::new(notice.clone()));
        }
        match &plan.body {
            PlanBody::Ddl(_) | PlanBody::Explain { .. } | PlanBody::ShowRanges { .. } | PlanBody::ShowNodes => {
                Box::pin(self.run_special(planned, params)).await
            }
            PlanBody::CopyFrom(_) => {
                let env = self.env(params.to_vec())?;
                Ok(Attempted::CopyIn(Box::new(Run::new(planned.program.clone(), env))))
            }
            _ => self.run_rows(planned, params).await,
        }
    }

    async fn run_rows(&mut self, planned: &Planned, params: &[Value]) -> Result<Attempted, Error> {
        let env = self.env(params.to_vec())?;
        let mut run = Run::new(planned.program.clone(), env);
        let mut rows = Vec::new();
        while rows.len() < FIRST_ROWS {
            match self.pull(&mut run).await? {
                Outcome::Rows(more) if rows.is_empty() => rows = more,
                Outcome::Rows(more) => rows.extend(more),
                Outcome::Done => return Ok(Attempted::Finished(tag_of(&run), rows)),
            }
            if !matches!(run.program().plan.body, PlanBody::Query(_) | PlanBody::CopyTo(_)) {
                return Ok(Attempted::Finished(tag_of(&run), rows));
            }
        }
        Ok(Attempted::Streaming(Box::new(run), rows))
    }

    /// The next rows of a run in the open transaction, with what evaluation left behind.
    pub(super) async fn pull(&mut self, run: &mut Run) -> Result<Outcome, Error> {
        let block = self.block.as_mut().ok_or_else(|| Error::internal("no transaction is open"))?;
        let txn = block.txn.as_mut().ok_or_else(|| Error::internal("no transaction is open"))?;
        let outcome = run.next(txn, &self.gateway.client).await;
        self.take_effects(run);
        outcome
    }

    /// Notices and settings that evaluation left behind.
    pub(super) fn take_effects(&mut self, run: &Run) {
        let mut effects = run.env().effects.borrow_mut();
        if !effects.notices.is_empty() {
            self.notices.append(&mut effects.notices);
        }
        if let Some(settings) = effects.settings.take() {
            self.settings = Arc::new(settings);
            self.settings_changed();
        }
    }

    async fn run_special(&mut self, planned: &Planned, params: &[Value]) -> Result<Attempted, Error> {
        let plan = planned.program.plan.clone();
        match &plan.body {
            PlanBody::Ddl(ddl) => {
                let mut run = Run::new(planned.program.clone(), self.env(params.to_vec())?);
                let block = self.block.as_mut().ok_or_else(|| Error::internal("no transaction is open"))?;
                let in_block = !block.alone;
                let txn = block.txn.as_mut().ok_or_else(|| Error::internal("no transaction is open"))?;
                let context = run.context(txn, &self.gateway.client);
                let changed = run_ddl(&mut DdlContext { context, in_block }, ddl).await?;
                if let Some(view) = changed.view {
                    block.view = Some(view);
                    block.overlay = true;
                }
                self.take_effects(&run);
                for key in changed.splits {
                    self.gateway.cluster.split_at(key).await?;
                }
                let tag = match changed.rows {
                    Some(rows) => CommandTag::counted("SELECT", rows),
                    None => CommandTag::new(plan.tag),
                };
                Ok(Attempted::Finished(tag, Vec::new()))
            }
            PlanBody::Explain { options, plan } => self.explain(plan, *options, params).await,
            PlanBody::ShowRanges { table } => {
                let rows = self.show_ranges(table.as_deref()).await?;
                Ok(Attempted::Finished(CommandTag::counted("SHOW", rows.len() as u64), rows))
            }
            _ => {
                let rows = self.show_nodes().await?;
                Ok(Attempted::Finished(CommandTag::counted("SHOW", rows.len() as u64), rows))
            }
        }
    }

    fn execution(&mut self, planned: &Planned, attempted: Attempted, mode: ExecuteMode) -> Execution {
        let columns = planned.columns.clone();
        let serial = self.serial;
        let mut execution = match attempted {
            Attempted::Finished(tag, rows) => Execution::with_rows(tag, columns, rows),
            Attempted::Streaming(run, rows) => {
                let tag = tag_of(&run);
                Execution { run: Some(run), serial, mode, ..Execution::with_rows(tag, columns, rows) }
            }
            Attempted::CopyIn(run) => {
                let tag = CommandTag::counted("COPY", 0);
                let copy_in = CopyIn::new(run, mode, serial).map(Box::new);
                Execution { copy_in, ..Execution::done(tag) }
            }
        };
        if let PlanBody::CopyTo(copy) = &planned.program.plan.body {
            execution.copy_layout = Some(copy.format.clone());
            execution.header = Some(copy.names.clone());
            execution.copy_columns = copy.names.len();
            execution.copy_types = copy.source.types.clone();
            execution.columns = None;
        }
        execution
    }

    /// The next rows, at most `max_rows` (0: as many as come in one batch).
    pub async fn fetch(&mut self, execution: &mut Execution, max_rows: usize) -> Result<Fetch, Error> {
        let wanted = if max_rows == 0 { 1 } else { max_rows };
        while execution.ready.len() < wanted && execution.run.is_some() {
            Box::pin(self.fetch_more(execution)).await?;
        }
        let count = if max_rows == 0 { execution.ready.len() } else { max_rows.min(execution.ready.len()) };
        let rows: Vec<Row> = execution.ready.drain(..count).collect();
        Ok(Fetch { rows, done: execution.ready.is_empty() && execution.run.is_none() })
    }

    async fn fetch_more(&mut self, execution: &mut Execution) -> Result<(), Error> {
        let Some(run) = &mut execution.run else { return Ok(()) };
        if self.block.is_none() || execution.serial != self.serial {
            execution.run = None;
            return Err(Error::new(SqlState::INVALID_CURSOR_NAME, "portal does not exist: its transaction has ended"));
        }
        let (cancel, runtime) = (self.cancel.clone(), self.gateway.runtime.clone());
        let result = {
            let pulling = std::pin::pin!(self.pull(run));
            unless_stopped(&cancel, &runtime, &mut execution.left, pulling).await
        };
        match result {
            Ok(Outcome::Rows(rows)) => {
                execution.ready.extend(rows);
                execution.tag = tag_of(run);
                Ok(())
            }
            Ok(Outcome::Done) => {
                execution.tag = tag_of(run);
                execution.run = None;
                if execution.mode == ExecuteMode::Autocommit { self.commit_block().await } else { Ok(()) }
            }
            Err(error) => {
                execution.run = None;
                let error = self.gateway.told(error);
                self.statement_failed(None, &error).await;
                Err(error)
            }
        }
    }

    /// The next whole lines of COPY TO STDOUT; `None` at the end, when [`Execution::tag`] is final.
    pub async fn fetch_copy(&mut self, execution: &mut Execution) -> Result<Option<Vec<u8>>, Error> {
        let Some(layout) = execution.copy_layout.clone() else { return Ok(None) };
        let mut out = Vec::new();
        if let Some(names) = execution.header.take().filter(|_| layout.header) {
            let fields: Vec<Option<String>> = names.into_iter().map(Some).collect();
            copy::encode_line(&layout, &fields, &mut out);
        }
        let fetch = self.fetch(execution, 0).await?;
        let context = self.type_context();
        for row in &fetch.rows {
            let shown = |(value, ty): (&Value, &Type)| {
                let mut text = String::new();
                value.write_text(ty, &context, &mut text);
                (!value.is_null()).then_some(text)
            };
            let fields: Vec<Option<String>> = row.iter().zip(&execution.copy_types).map(shown).collect();
            copy::encode_line(&layout, &fields, &mut out);
        }
        Ok((!out.is_empty() || !fetch.done).then_some(out))
    }

    /// Gives up a portal before its end.
    pub async fn close(&mut self, execution: Execution) -> Result<(), Error> {
        if execution.run.is_some() && execution.mode == ExecuteMode::Autocommit && execution.serial == self.serial {
            return self.commit_block().await;
        }
        Ok(())
    }
}

/// An attempt that failed.
struct Failed {
    error: Error,
    again: bool,
}

/// The result of `work`, unless it is cancelled or takes longer than what is `left`, which becomes less by what it took.
async fn unless_stopped<T>(
    cancel: &CancelHandle,
    runtime: &Runtime,
    left: &mut Option<Duration>,
    work: Pin<&mut impl Future<Output = Result<T, Error>>>,
) -> Result<T, Error> {
    // A timer gives work that is always ready no chance to be late: what has been used up is looked at first.
    if left.is_some_and(|left| left.is_zero()) {
        return Err(canceled("statement timeout"));
    }
    let began = left.map(|_| runtime.now());
    let result = tokio::select! {
        // The work comes last: it may use up what its task may do before it gives way, and a timer that is asked
        // after that does not answer.
        biased;
        () = cancel.requested() => Err(canceled("user request")),
        () = runtime.sleep(left.unwrap_or_default()), if left.is_some() => Err(canceled("statement timeout")),
        result = work => result,
    };
    if let (Some(left), Some(began)) = (left, began) {
        *left = left.saturating_sub(runtime.now() - began);
    }
    result
}

fn canceled(why: &str) -> Error {
    Error::new(SqlState::QUERY_CANCELED, format!("canceling statement due to {why}"))
}

/// The tag of a run as far as it has come.
fn tag_of(run: &Run) -> CommandTag {
    let plan: &Plan = &run.program().plan;
    match &plan.body {
        PlanBody::Query(_) => CommandTag::counted("SELECT", run.count()),
        PlanBody::CopyTo(_) => CommandTag::counted("COPY", run.count()),
        PlanBody::Insert(_) | PlanBody::Update(_) | PlanBody::Delete(_) => CommandTag::counted(plan.tag, run.count()),
        _ => CommandTag::new(plan.tag),
    }
}
