//! The simple protocol: a text with any number of statements.

use super::backend::{Bare, Loudness};
use super::connection::Connection;
use super::ending::{Ending, Flow};
use super::frontend::{self, Format, Formats};
use super::output::Output;
use crate::error::{Error, SqlState};
use crate::session::{ColumnDesc, CommandTag, CopyFormat, Notice, ResultSink, Row};
use crate::sql::types::TypeContext;
use async_trait::async_trait;
use std::sync::Arc;

const TEXT: Formats = Formats::All(Format::Text);

impl Connection {
    /// Runs a text and says how it went, up to ReadyForQuery.
    pub(super) async fn query(&mut self, body: &[u8]) -> Flow<()> {
        self.names.remove_statement("");
        if let Some(portal) = self.names.remove_portal("") {
            self.close_portal(portal.progress).await;
        }
        let succeeded = match frontend::query(body) {
            Ok(sql) => self.run_text(sql).await?,
            Err(error) => self.fail_text(&error, None)?,
        };
        if self.pipelined || !succeeded {
            self.end_implicit().await?;
        }
        self.drop_portals_outside_of_transactions().await?;
        self.ready()
    }

    /// Runs a text; whether all of it succeeded.
    async fn run_text(&mut self, sql: &str) -> Flow<bool> {
        let mut sink = Sink::new(&mut self.output, true);
        let mut outcome = Box::pin(self.session.simple(sql, &mut sink)).await;
        let mut effects = sink.into_effects()?;
        while let Ok(Some(copy)) = outcome {
            match Box::pin(self.copy_in(copy)).await? {
                Ok((next, more)) => {
                    outcome = Ok(next);
                    effects.merge(more);
                }
                Err(error) => outcome = Err(error),
            }
        }
        if effects.forget_statements {
            self.names.follow(&self.session);
        }
        match outcome {
            Ok(_) => Ok(true),
            Err(error) => self.fail_text(&error, Some(sql)),
        }
    }

    fn fail_text(&mut self, error: &Error, sql: Option<&str>) -> Flow<bool> {
        self.send_notices()?;
        self.output.error(Loudness::Error, error, sql)?;
        self.session.fail();
        Ok(false)
    }
}

/// Writes the results of statements as messages.
pub(super) struct Sink<'a> {
    output: &'a mut Output,
    /// Whether results begin with a RowDescription.
    describe: bool,
    columns: Option<Arc<[ColumnDesc]>>,
    context: TypeContext,
    copying: bool,
    effects: Effects,
    /// Why writing failed, while the session unwinds.
    ending: Option<Ending>,
}

/// What finished statements mean for the connection.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Prepared statements are gone.
    pub(super) forget_statements: bool,
}

impl Effects {
    /// Notes what a finished statement means.
    pub(super) fn note(&mut self, tag: &CommandTag) {
        self.forget_statements |= matches!(tag.verb.as_ref(), "DEALLOCATE" | "DEALLOCATE ALL" | "DISCARD ALL");
    }

    fn merge(&mut self, other: Effects) {
        self.forget_statements |= other.forget_statements;
    }
}

impl<'a> Sink<'a> {
    pub(super) fn new(output: &'a mut Output, describe: bool) -> Sink<'a> {
        Sink {
            output,
            describe,
            columns: None,
            context: TypeContext::default(),
            copying: false,
            effects: Effects::default(),
            ending: None,
        }
    }

    /// Ends the use of the sink: the end of the connection, if writing failed.
    pub(super) fn into_effects(self) -> Flow<Effects> {
        self.ending.map_or(Ok(self.effects), Err)
    }

    /// Remembers why the connection ends, and stops the statement.
    fn check(&mut self, flow: Flow<()>) -> Result<(), Error> {
        flow.map_err(|ending| {
            self.ending = Some(ending);
            Error::new(SqlState::CONNECTION_FAILURE, "connection to client lost")
        })
    }
}

#[async_trait]
impl ResultSink for Sink<'_> {
    async fn columns(&mut self, columns: &Arc<[ColumnDesc]>, context: &TypeContext) -> Result<(), Error> {
        if self.describe {
            self.output.row_description(columns, &TEXT);
        }
        self.columns = Some(columns.clone());
        self.context = context.clone();
        Ok(())
    }

    async fn rows(&mut self, rows: Vec<Row>) -> Result<(), Error> {
        let Some(columns) = self.columns.clone() else {
            return Err(Error::internal("rows came before their columns"));
        };
        for row in rows {
            self.output.data_row(&row, &columns, &TEXT, &self.context);
            let flow = self.output.relieve().await;
            self.check(flow)?;
        }
        Ok(())
    }

    async fn complete(&mut self, tag: &CommandTag) -> Result<(), Error> {
        if std::mem::take(&mut self.copying) {
            self.output.bare(Bare::CopyDone);
        }
        self.columns = None;
        self.effects.note(tag);
        self.output.complete(tag);
        Ok(())
    }

    async fn empty(&mut self) -> Result<(), Error> {
        self.output.bare(Bare::EmptyQueryResponse);
        Ok(())
    }

    async fn copy_out(&mut self, format: CopyFormat, columns: usize) -> Result<(), Error> {
        self.copying = true;
        let flow = self.output.copy_out(format, columns);
        self.check(flow)
    }

    async fn copy_data(&mut self, data: Vec<u8>) -> Result<(), Error> {
        self.output.copy_lines(&data);
        let flow = self.output.relieve().await;
        self.check(flow)
    }

    async fn notice(&mut self, notice: &Notice) -> Result<(), Error> {
        let flow = self.output.notice(notice);
        self.check(flow)
    }

    async fn token(&mut self, token: &str) -> Result<(), Error> {
        let flow = self.output.token(token).await;
        self.check(flow)
    }
}
