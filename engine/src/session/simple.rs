//! The simple protocol: a text of statements, one after the other.

use super::execution::{ExecuteMode, Execution};
use super::prepared::is_planned;
use super::{CopyIn, Prepared, ResultSink, Session};
use crate::error::{Error, SqlState};
use crate::sql::parser::{self, Statement};
use std::sync::Arc;

impl Session {
    /// Runs the statements of `sql` one after the other, outside of a block as one implicit transaction. `Some` if one
    /// is COPY FROM STDIN: its data come next, the statements after it follow from [`Session::copy_done`].
    pub async fn simple(&mut self, sql: &str, sink: &mut dyn ResultSink) -> Result<Option<CopyIn>, Error> {
        self.cancel.reset();
        if let Some(fingerprint) = parser::fingerprint(sql)
            && self.block.as_ref().is_none_or(|block| !block.failed)
            && let Some((prepared, values)) = self.by_fingerprint(sql, &fingerprint).await
        {
            // A value that does not fit is planned as it was written, so that its error has a place.
            let execution = Box::pin(self.execute_planned(&prepared, values, ExecuteMode::Autocommit)).await?;
            return self.send(execution, sink).await;
        }
        let statements = match parser::parse(sql) {
            Ok(statements) => statements,
            Err(error) => {
                self.statement_failed(None, &error).await;
                return Err(error);
            }
        };
        if statements.is_empty() {
            sink.empty().await?;
            return Ok(None);
        }
        self.run_statements(sql.into(), statements, sink).await
    }

    /// Runs statements; several outside of a block share an implicit transaction, which ends with the last.
    pub(super) async fn run_statements(
        &mut self,
        sql: Arc<str>,
        statements: Vec<Statement>,
        sink: &mut dyn ResultSink,
    ) -> Result<Option<CopyIn>, Error> {
        let in_pipeline = self.block.as_ref().is_some_and(|block| !block.explicit);
        let mode = if statements.len() > 1 || in_pipeline { ExecuteMode::Pipelined } else { ExecuteMode::Autocommit };
        let mut statements = statements.into_iter();
        while let Some(statement) = statements.next() {
            if let Some(token) = self.commit_token(&statement.kind) {
                sink.token(&token).await?;
            }
            let result = self.run_statement(&sql, statement, mode).await;
            let execution = match result {
                Ok(execution) => execution,
                Err(error) => {
                    self.send_notices(sink).await?;
                    self.sync().await?;
                    return Err(error);
                }
            };
            if let Some(mut copy) = self.send(execution, sink).await? {
                let rest: Vec<Statement> = statements.collect();
                copy.rest = (!rest.is_empty() || mode == ExecuteMode::Pipelined).then_some((sql, rest));
                return Ok(Some(copy));
            }
        }
        self.sync().await?;
        Ok(None)
    }

    async fn run_statement(
        &mut self,
        sql: &Arc<str>,
        statement: Statement,
        mode: ExecuteMode,
    ) -> Result<Execution, Error> {
        if !is_planned(&statement.kind) {
            let prepared = Arc::new(Prepared::of_session(sql.clone(), statement, None));
            return self.execute(&prepared, Vec::new(), mode).await;
        }
        self.refuse_in_failed(&statement.kind)?;
        let prepared = match self.analyse(sql.clone(), statement, Vec::new(), false).await {
            Ok(prepared) => prepared,
            Err(error) => {
                self.statement_failed(None, &error).await;
                return Err(error);
            }
        };
        if !prepared.param_types.is_empty() {
            let error = Error::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1");
            self.statement_failed(None, &error).await;
            return Err(error);
        }
        Box::pin(self.execute_planned(&prepared, Vec::new(), mode)).await
    }

    /// Sends the results of a statement.
    async fn send(&mut self, mut execution: Execution, sink: &mut dyn ResultSink) -> Result<Option<CopyIn>, Error> {
        if let Some(copy) = execution.take_copy_in() {
            return Ok(Some(copy));
        }
        if let Some((format, columns)) = execution.copy_out() {
            sink.copy_out(format, columns).await?;
            while let Some(data) = self.fetch_copy(&mut execution).await? {
                sink.copy_data(data).await?;
            }
        } else if let Some(columns) = execution.columns().cloned() {
            let context = self.type_context();
            sink.columns(&columns, &context).await?;
            loop {
                let fetch = self.fetch(&mut execution, 0).await?;
                if !fetch.rows.is_empty() {
                    sink.rows(fetch.rows).await?;
                }
                if fetch.done {
                    break;
                }
            }
        }
        self.send_notices(sink).await?;
        if !execution.tag().verb.is_empty() {
            sink.complete(execution.tag()).await?;
        }
        Ok(None)
    }

    /// Sends what came up beside the results.
    pub(super) async fn send_notices(&mut self, sink: &mut dyn ResultSink) -> Result<(), Error> {
        for notice in std::mem::take(&mut self.notices) {
            sink.notice(&notice).await?;
        }
        Ok(())
    }
}
