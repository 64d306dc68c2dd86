//! COPY FROM STDIN: bytes to lines, lines to rows, rows in batches into the table.

use super::execution::ExecuteMode;
use super::{CommandTag, CopyFormat, ResultSink, Session};
use crate::error::{Error, SqlState};
use crate::sql::exec::copy::{Decoder, Fields};
use crate::sql::exec::{Inserter, Run};
use crate::sql::parser::Statement;
use crate::sql::plan::{CopyFrom, PlanBody};
use crate::sql::types::Value;
use std::sync::Arc;

/// Rows that are written at a time.
const BATCH: usize = 1_000;

/// A COPY FROM STDIN under way.
pub struct CopyIn {
    run: Box<Run>,
    decoder: Decoder,
    inserter: Inserter,
    pending: Vec<Fields>,
    mode: ExecuteMode,
    serial: u64,
    /// Statements of the same text that come after.
    pub(super) rest: Option<(Arc<str>, Vec<Statement>)>,
}

impl std::fmt::Debug for CopyIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyIn")
            .field("format", &self.format())
            .field("rows", &self.inserter.count)
            .finish_non_exhaustive()
    }
}

fn plan(run: &Run) -> Option<&CopyFrom> {
    match &run.program().plan.body {
        PlanBody::CopyFrom(copy) => Some(copy),
        _ => None,
    }
}

impl CopyIn {
    pub(super) fn new(run: Box<Run>, mode: ExecuteMode, serial: u64) -> Option<CopyIn> {
        let decoder = Decoder::new(plan(&run)?.format.clone());
        let inserter = Inserter::new(run.program().target.clone()?);
        Some(CopyIn { run, decoder, inserter, pending: Vec::new(), mode, serial, rest: None })
    }

    /// Layout of the data wanted.
    pub fn format(&self) -> CopyFormat {
        match plan(&self.run) {
            Some(copy) if copy.format.csv => CopyFormat::Csv,
            _ => CopyFormat::Text,
        }
    }

    /// Columns in each line.
    pub fn columns(&self) -> usize {
        plan(&self.run).map_or(0, |copy| copy.fields.len())
    }

    /// The values of a line.
    fn values(&self, copy: &CopyFrom, fields: Fields) -> Result<Vec<Value>, Error> {
        if fields.len() < copy.fields.len() {
            let name = copy.names.get(fields.len()).map_or("", String::as_str);
            let message = format!("missing data for column \"{name}\"");
            return Err(Error::new(SqlState::BAD_COPY_FILE_FORMAT, message));
        }
        if fields.len() > copy.fields.len() {
            return Err(Error::new(SqlState::BAD_COPY_FILE_FORMAT, "extra data after last expected column"));
        }
        let types = &self.run.env().types;
        let value = |(field, ty): (Option<String>, &crate::sql::types::Type)| match field {
            Some(text) => Value::parse(&text, ty, types),
            None => Ok(Value::Null),
        };
        fields.into_iter().zip(&copy.fields).map(value).collect()
    }
}

impl Session {
    /// Takes any piece of the data of a COPY; lines may be cut anywhere.
    pub async fn copy_data(&mut self, copy: &mut CopyIn, data: &[u8]) -> Result<(), Error> {
        let mut rows = std::mem::take(&mut copy.pending);
        copy.decoder.feed(data, &mut rows)?;
        copy.pending = rows;
        while copy.pending.len() >= BATCH {
            self.copy_batch(copy).await?;
        }
        Ok(())
    }

    async fn copy_batch(&mut self, copy: &mut CopyIn) -> Result<(), Error> {
        let program = copy.run.program().clone();
        let PlanBody::CopyFrom(plan) = &program.plan.body else { return Ok(()) };
        let block = self.block.as_mut().filter(|_| copy.serial == self.serial);
        let txn = block.and_then(|block| block.txn.as_mut());
        let txn = txn.ok_or_else(|| Error::internal("the transaction of a COPY has ended"))?;
        let source = program.source.clone().ok_or_else(|| Error::internal("COPY without a source"))?;
        let count = copy.pending.len().min(BATCH);
        let lines: Vec<Fields> = copy.pending.drain(..count).collect();
        let mut rows = Vec::with_capacity(count);
        for fields in lines {
            let values = copy.values(plan, fields)?;
            copy.run.env_mut().params = values;
            let mut context = copy.run.context(txn, &self.gateway.client);
            rows.extend(context.collect(&source).await?);
        }
        let mut context = copy.run.context(txn, &self.gateway.client);
        copy.inserter.insert(&mut context, &plan.insert, rows).await
    }

    /// The data are complete. Goes on with the statements after the COPY, if it came from [`Session::simple`].
    pub async fn copy_done(&mut self, mut copy: CopyIn, sink: &mut dyn ResultSink) -> Result<Option<CopyIn>, Error> {
        let rest = copy.rest.take();
        let tag = match self.copy_finish(&mut copy).await {
            Ok(tag) => tag,
            Err(error) => {
                self.statement_failed(None, &error).await;
                return Err(error);
            }
        };
        self.send_notices(sink).await?;
        sink.complete(&tag).await?;
        match rest {
            Some((sql, statements)) => Box::pin(self.run_statements(sql, statements, sink)).await,
            None => Ok(None),
        }
    }

    async fn copy_finish(&mut self, copy: &mut CopyIn) -> Result<CommandTag, Error> {
        let mut rows = std::mem::take(&mut copy.pending);
        copy.decoder.finish(&mut rows)?;
        copy.pending = rows;
        while !copy.pending.is_empty() {
            self.copy_batch(copy).await?;
        }
        if copy.mode == ExecuteMode::Autocommit {
            self.commit_block().await?;
        }
        Ok(CommandTag::counted("COPY", copy.inserter.count))
    }

    /// The client gives up: the statement fails with 57014 and this reason.
    pub async fn copy_fail(&mut self, copy: CopyIn, reason: &str) -> Error {
        let error = Error::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {reason}"));
        drop(copy);
        self.statement_failed(None, &error).await;
        error
    }

    /// A COPY whose data failed (an error of [`Session::copy_data`], a broken protocol) ends without effect.
    pub async fn copy_abort(&mut self, copy: CopyIn) {
        drop(copy);
        let error = Error::new(SqlState::QUERY_CANCELED, "COPY from stdin failed");
        self.statement_failed(None, &error).await;
    }
}
