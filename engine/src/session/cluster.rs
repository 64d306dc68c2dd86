//! SHOW RANGES, SHOW NODES and EXPLAIN.

use super::execution::Attempted;
use super::{CommandTag, Row, Session};
use crate::error::Error;
use crate::sql::catalog::Table;
use crate::sql::exec::{Outcome, Program, Run, cluster};
use crate::sql::parser::ExplainOptions;
use crate::sql::plan::{Plan, explain};
use crate::sql::types::Value;
use std::sync::Arc;

impl Session {
    /// Rows of SHOW RANGES.
    pub(super) async fn show_ranges(&self, table: Option<&Table>) -> Result<Vec<Row>, Error> {
        let view = self.block.as_ref().and_then(|block| block.view.clone()).unwrap_or_default();
        cluster::range_rows(self.gateway.cluster.as_ref(), &view, table).await
    }

    /// Rows of SHOW NODES.
    pub(super) async fn show_nodes(&self) -> Result<Vec<Row>, Error> {
        cluster::node_rows(self.gateway.cluster.as_ref()).await
    }

    /// EXPLAIN; with ANALYZE, after running the statement.
    pub(super) async fn explain(
        &mut self,
        plan: &Plan,
        options: ExplainOptions,
        params: &[Value],
    ) -> Result<Attempted, Error> {
        let mut lines = explain::explain(plan, options);
        if options.analyze {
            let begin = self.gateway.runtime.now();
            let program = Arc::new(Program::new(Arc::new(plan.clone()))?);
            let mut run = Run::new(program, self.env(params.to_vec())?);
            let mut returned = 0;
            loop {
                match self.pull(&mut run).await? {
                    Outcome::Rows(rows) => returned += rows.len(),
                    Outcome::Done => break,
                }
                if !matches!(plan.body, crate::sql::plan::PlanBody::Query(_)) {
                    break;
                }
            }
            let time = self.gateway.runtime.now().saturating_duration_since(begin);
            lines.push(format!("Rows: {}", run.count().max(returned as u64)));
            lines.push(format!("Execution Time: {:.3} ms", time.as_secs_f64() * 1_000.0));
            if options.txn && !self.block.as_ref().is_some_and(|block| block.alone) {
                lines.push("Commit: with the transaction; ask SHOW COMMIT TRACE after it".to_owned());
            }
        }
        let rows: Vec<Row> = lines.into_iter().map(|line| vec![Value::Text(line.into())]).collect();
        Ok(Attempted::Finished(CommandTag::new("EXPLAIN"), rows))
    }
}
