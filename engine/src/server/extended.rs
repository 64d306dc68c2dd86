//! The extended protocol: Parse, Bind, Describe, Execute, Close.
//!
//! A statement whose Execute is followed by Sync at once commits with itself, and may be run again by the session while no
//! row of it has left; any other one waits for Sync in one implicit transaction with its neighbours.

use super::backend::Bare;
use super::connection::{Connection, unknown_message};
use super::ending::Flow;
use super::frontend::{self, Bind, Execute, Format, Formats, Parse, Target, violation};
use super::input::Frame;
use super::params;
use super::portal::{Portal, Progress, Statement, is_blank};
use super::simple::Effects;
use crate::error::{Error, Result, SqlState};
use crate::session::{CommandTag, ExecuteMode, Execution, TransactionStatus};
use crate::sql::types::{Type, TypeContext, oid};
use pgwire::messages::extendedquery;
use std::sync::Arc;

/// Rows that are taken from a session at once when the client wants all of them.
const BATCH_ROWS: usize = 1024;

/// A statement that failed, and the text that the error's position counts in.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) sql: Option<Arc<str>>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { error, sql: None }
    }
}

type Outcome = std::result::Result<(), Failure>;

impl Connection {
    /// Handles one message of the extended protocol, apart from Sync and Flush.
    pub(super) async fn extended(&mut self, frame: &Frame) -> Flow<Outcome> {
        let body = &frame.body[..];
        match frame.kind {
            extendedquery::MESSAGE_TYPE_BYTE_PARSE => Ok(self.parse(body).await),
            extendedquery::MESSAGE_TYPE_BYTE_BIND => Ok(self.bind(body).await),
            extendedquery::MESSAGE_TYPE_BYTE_DESCRIBE => self.describe(body),
            extendedquery::MESSAGE_TYPE_BYTE_EXECUTE => self.execute(body).await,
            extendedquery::MESSAGE_TYPE_BYTE_CLOSE => Ok(self.close(body).await),
            other => Err(unknown_message(other)),
        }
    }

    async fn parse(&mut self, body: &[u8]) -> Outcome {
        let Parse { name, sql, types } = frontend::parse(body)?;
        let statement = if is_blank(sql) {
            Statement::empty()
        } else {
            let types: Vec<_> = types.into_iter().map(declared_type).collect::<Result<_>>()?;
            let prepared = Box::pin(self.session.prepare(sql, &types)).await;
            let prepared = prepared.map_err(|error| Failure { error, sql: Some(sql.into()) })?;
            if !name.is_empty() {
                self.session.keep_statement(name, prepared.clone())?;
            }
            Statement::new(prepared)
        };
        self.names.add_statement(name, statement)?;
        self.bare(Bare::ParseComplete);
        Ok(())
    }

    async fn bind(&mut self, body: &[u8]) -> Outcome {
        let bind = frontend::bind(body)?;
        let statement = self.names.statement(bind.statement, &self.session)?;
        let portal = self.portal(bind.portal, &bind, statement)?;
        if let Some(old) = self.names.add_portal(bind.portal, portal)? {
            self.close_portal(old.progress).await;
        }
        self.bare(Bare::BindComplete);
        Ok(())
    }

    fn portal(&self, name: &str, bind: &Bind<'_>, statement: Arc<Statement>) -> Result<Portal> {
        let own = statement.params_need_context.then(|| self.session.type_context());
        let context = own.as_ref().unwrap_or(&self.plain);
        let prepared = statement.prepared.as_ref();
        let types: &[Type] = prepared.map_or(&[], |prepared| &prepared.param_types);
        let values = params::decode(bind, types, context)?;
        let columns = prepared.and_then(|prepared| prepared.columns.as_ref()).map_or(0, |columns| columns.len());
        if let Some(formats) = bind.result_formats.count()
            && formats != columns
        {
            let message = format!("bind message has {formats} result formats but query has {columns} columns");
            return Err(violation(message));
        }
        tracing::trace!(portal = name, "bound");
        Ok(Portal { statement, formats: bind.result_formats.clone(), progress: Progress::Bound(values) })
    }

    fn describe(&mut self, body: &[u8]) -> Flow<Outcome> {
        let target = match frontend::target(body) {
            Ok(target) => target,
            Err(error) => return Ok(Err(error.into())),
        };
        let found = match target {
            Target::Statement(name) => {
                self.names.statement(name, &self.session).map(|s| (s, Formats::All(Format::Text), true))
            }
            Target::Portal(name) => self.names.portal(name).map(|p| (p.statement.clone(), p.formats.clone(), false)),
        };
        let (statement, formats, with_params) = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error.into())),
        };
        let prepared = statement.prepared.as_ref();
        if with_params {
            self.output.parameter_description(prepared.map_or(&[], |prepared| &prepared.param_types))?;
        }
        match prepared.and_then(|prepared| prepared.columns.as_ref()) {
            Some(columns) => self.output.row_description(columns, &formats),
            None => self.bare(Bare::NoData),
        }
        Ok(Ok(()))
    }

    async fn close(&mut self, body: &[u8]) -> Outcome {
        match frontend::target(body)? {
            Target::Statement(name) => {
                self.session.forget_statement(name);
                self.names.remove_statement(name);
            }
            Target::Portal(name) => {
                if let Some(portal) = self.names.remove_portal(name) {
                    self.close_portal(portal.progress).await;
                }
            }
        }
        self.bare(Bare::CloseComplete);
        Ok(())
    }

    async fn execute(&mut self, body: &[u8]) -> Flow<Outcome> {
        let taken = frontend::execute(body).and_then(|message| Ok((message.max_rows, self.take(&message)?)));
        let (max_rows, run) = match taken {
            Ok(taken) => taken,
            Err(error) => return Ok(Err(error.into())),
        };
        let Some(prepared) = run.statement.prepared.clone() else {
            self.bare(Bare::EmptyQueryResponse);
            return Ok(Ok(()));
        };
        let outcome = self.run_portal(run, max_rows).await?;
        self.send_notices()?;
        Ok(outcome.map_err(|error| Failure { error, sql: Some(prepared.sql.clone()) }))
    }

    /// Takes a portal's work out of it; what is left of it is put back.
    fn take<'a>(&mut self, message: &Execute<'a>) -> Result<Run<'a>> {
        let name = message.portal;
        let portal = self.names.portal(name)?;
        let returns_rows = portal.statement.prepared.as_ref().is_none_or(|prepared| prepared.columns.is_some());
        if matches!(portal.progress, Progress::Done) && !returns_rows {
            let message = format!("portal \"{name}\" cannot be run");
            return Err(Error::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        Ok(Run {
            name,
            statement: portal.statement.clone(),
            formats: portal.formats.clone(),
            progress: std::mem::replace(&mut portal.progress, Progress::Done),
        })
    }

    async fn run_portal(&mut self, run: Run<'_>, max_rows: usize) -> Flow<Result<()>> {
        let before = self.session.transaction_status();
        let (execution, resumed) = match run.progress {
            Progress::Running(execution) => (execution, true),
            Progress::Done => {
                self.output.complete(&CommandTag::counted("SELECT", 0));
                return Ok(Ok(()));
            }
            Progress::Bound(params) => {
                let Some(prepared) = run.statement.prepared.as_ref() else { return Ok(Ok(())) };
                let mode = self.mode();
                if let Some(token) = self.session.token_before(prepared) {
                    self.output.token(&token).await?;
                }
                match self.session.execute(prepared, params, mode).await {
                    Ok(execution) => (execution, false),
                    Err(error) => return Ok(Err(error)),
                }
            }
        };
        let rows = Rows { name: run.name, statement: &run.statement, formats: &run.formats, max_rows, resumed };
        let outcome = self.send(execution, rows).await?;
        let ended = self.session.transaction_status() == TransactionStatus::Idle;
        if before != TransactionStatus::Idle && ended {
            self.drop_portals_outside_of_transactions().await?;
        }
        Ok(outcome)
    }

    /// Whether the statement about to run is alone in its transaction.
    fn mode(&mut self) -> ExecuteMode {
        if !self.pipelined && self.input.peek() == Some(extendedquery::MESSAGE_TYPE_BYTE_SYNC) {
            return ExecuteMode::Autocommit;
        }
        self.pipelined = true;
        ExecuteMode::Pipelined
    }

    async fn send(&mut self, mut execution: Execution, rows: Rows<'_>) -> Flow<Result<()>> {
        if let Some(copy) = execution.take_copy_in() {
            return Box::pin(self.feed(copy)).await;
        }
        if let Some((format, columns)) = execution.copy_out() {
            self.output.copy_out(format, columns)?;
            return Box::pin(self.copy_out(execution)).await;
        }
        let (sent, done) = match self.send_rows(&mut execution, &rows).await? {
            Ok(sent) => sent,
            Err(error) => return Ok(Err(error)),
        };
        if !done {
            self.bare(Bare::PortalSuspended);
            self.put_back(rows.name, execution);
            return Ok(Ok(()));
        }
        self.finish(execution.tag(), rows.resumed.then_some(sent));
        Ok(Ok(()))
    }

    /// Sends rows until the limit or the end; returns how many, and whether it was the end.
    async fn send_rows(&mut self, execution: &mut Execution, rows: &Rows<'_>) -> Flow<Result<(usize, bool)>> {
        let Some(columns) = execution.columns().cloned() else { return Ok(Ok((0, true))) };
        let own = rows.statement.rows_need_context.then(|| self.session.type_context());
        let mut sent = 0;
        loop {
            let wanted = if rows.max_rows == 0 { BATCH_ROWS } else { (rows.max_rows - sent).min(BATCH_ROWS) };
            let fetch = match self.session.fetch(execution, wanted).await {
                Ok(fetch) => fetch,
                Err(error) => return Ok(Err(error)),
            };
            sent += fetch.rows.len();
            let context: &TypeContext = own.as_ref().unwrap_or(&self.plain);
            for row in &fetch.rows {
                self.output.data_row(row, &columns, rows.formats, context);
                self.output.relieve().await?;
            }
            if fetch.done || sent == rows.max_rows && rows.max_rows > 0 {
                return Ok(Ok((sent, fetch.done)));
            }
        }
    }

    /// `sent`: what the tag of a resumed SELECT counts, which is this Execute's rows only.
    fn finish(&mut self, tag: &CommandTag, sent: Option<usize>) {
        match sent {
            Some(sent) if tag.verb == "SELECT" => self.output.complete(&CommandTag::counted("SELECT", sent as u64)),
            _ => self.output.complete(tag),
        }
        let mut effects = Effects::default();
        effects.note(tag);
        if effects.forget_statements {
            self.names.follow(&self.session);
        }
    }

    fn put_back(&mut self, name: &str, execution: Execution) {
        if let Ok(portal) = self.names.portal(name) {
            portal.progress = Progress::Running(execution);
        }
    }

    async fn feed(&mut self, copy: crate::session::CopyIn) -> Flow<Result<()>> {
        Ok(match self.copy_in(copy).await? {
            Ok((None, _)) => Ok(()),
            Ok((Some(next), _)) => {
                Box::pin(self.session.copy_abort(next)).await;
                Err(Error::internal("a prepared COPY was followed by another"))
            }
            Err(error) => Err(error),
        })
    }

    async fn copy_out(&mut self, mut execution: Execution) -> Flow<Result<()>> {
        loop {
            match Box::pin(self.session.fetch_copy(&mut execution)).await {
                Ok(Some(data)) => self.output.copy_lines(&data),
                Ok(None) => break,
                Err(error) => return Ok(Err(error)),
            }
            self.output.relieve().await?;
        }
        self.bare(Bare::CopyDone);
        self.output.complete(execution.tag());
        Ok(Ok(()))
    }
}

/// A portal taken to be run.
struct Run<'a> {
    name: &'a str,
    statement: Arc<Statement>,
    formats: Formats,
    progress: Progress,
}

/// How rows are sent.
struct Rows<'a> {
    name: &'a str,
    statement: &'a Statement,
    formats: &'a Formats,
    max_rows: usize,
    resumed: bool,
}

fn declared_type(declared: u32) -> Result<Option<Type>> {
    match declared {
        0 | oid::UNKNOWN => Ok(None),
        declared => match Type::from_oid(declared, -1) {
            Some(ty) => Ok(Some(ty)),
            None => Err(Error::new(SqlState::UNDEFINED_OBJECT, format!("type with OID {declared} does not exist"))),
        },
    }
}
