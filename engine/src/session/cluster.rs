//! SHOW RANGES, SHOW NODES and EXPLAIN.

use super::execution::Attempted;
use super::{CommandTag, Row, Session};
use crate::error::Error;
use crate::sql::catalog::{CatalogView, Table};
use crate::sql::exec::{Outcome, Program, Run};
use crate::sql::parser::ExplainOptions;
use crate::sql::plan::{Plan, explain};
use crate::sql::row::TableKey;
use crate::sql::types::{Text, Value};
use quorate_storage::Span;
use quorate_storage::keys::{END_PREFIX, USER_PREFIX};
use std::sync::Arc;

fn text(text: impl Into<Text>) -> Value {
    Value::Text(text.into())
}

fn number(number: u64) -> Value {
    Value::Int8(i64::try_from(number).unwrap_or(i64::MAX))
}

impl Session {
    /// Rows of SHOW RANGES: range, keys, table, leaseholder, replicas.
    pub(super) async fn show_ranges(&self, table: Option<&Table>) -> Result<Vec<Row>, Error> {
        let span = match table {
            Some(table) => TableKey::table_span(table.id.0),
            None => Span::new([USER_PREFIX], [END_PREFIX]),
        };
        let view = self.block.as_ref().and_then(|block| block.view.clone()).unwrap_or_default();
        let ranges = self.gateway.cluster.ranges(&span).await?;
        let row = |range: super::RangeStatus| {
            let replicas: Vec<String> = range
                .replicas
                .iter()
                .map(|node| if range.learners.contains(node) { format!("{node} (learner)") } else { node.to_string() })
                .collect();
            vec![
                number(range.id),
                text(show_key(&view, &range.span.start)),
                text(show_key(&view, &range.span.end)),
                tables_of(&view, &range.span).map_or(Value::Null, text),
                range.leaseholder.map_or(Value::Null, number),
                text(replicas.join(", ")),
            ]
        };
        Ok(ranges.into_iter().map(row).collect())
    }

    /// Rows of SHOW NODES.
    pub(super) async fn show_nodes(&self) -> Result<Vec<Row>, Error> {
        let nodes = self.gateway.cluster.nodes().await?;
        let row = |node: super::NodeStatus| {
            vec![
                number(node.id),
                text(node.address),
                node.sql_address.map_or(Value::Null, text),
                text(if node.live { "live" } else { "down" }),
                number(node.replicas),
                number(node.leases),
            ]
        };
        Ok(nodes.into_iter().map(row).collect())
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
        }
        let rows: Vec<Row> = lines.into_iter().map(|line| vec![text(line)]).collect();
        Ok(Attempted::Finished(CommandTag::new("EXPLAIN"), rows))
    }
}

/// `/table/index/bytes` of a key.
fn show_key(view: &CatalogView, key: &[u8]) -> String {
    let Some((table, index, rest)) = TableKey::parse(key) else {
        return key.iter().map(|byte| format!("{byte:02x}")).collect();
    };
    let found = view.table(crate::sql::catalog::TableId(table));
    let name = found.map_or_else(|| table.to_string(), |table| table.name.clone());
    let index_name = found.and_then(|it| it.index(crate::sql::catalog::IndexId(index)));
    let index_name = index_name.map_or_else(|| index.to_string(), |index| index.name.clone());
    let columns = found.zip(found.and_then(|it| it.index(crate::sql::catalog::IndexId(index))));
    let values = columns.map_or_else(|| hex(rest), |(table, index)| show_columns(table, index, rest));
    format!("/{name}/{index_name}{values}")
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/0x{digits}")
}

fn show_columns(table: &Table, index: &crate::sql::catalog::Index, mut rest: &[u8]) -> String {
    let mut out = String::new();
    for key in &index.columns {
        let Some(column) = table.column(key.column).filter(|_| !rest.is_empty()) else { break };
        match crate::sql::row::decode_key(&mut rest, &column.ty, key.descending) {
            Ok(value) if value.is_null() => out.push_str("/NULL"),
            Ok(value) => {
                out.push('/');
                out.push_str(&value.to_text(&Default::default()));
            }
            Err(_) => {
                out.push_str(&hex(rest));
                break;
            }
        }
    }
    out
}

/// Names of the tables with keys in the span.
fn tables_of(view: &CatalogView, span: &Span) -> Option<String> {
    let names: Vec<String> = view
        .tables()
        .filter(|table| table.all_indexes().any(|index| TableKey::span(table.id.0, index.id.0).overlaps(span)))
        .map(|table| table.name.clone())
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}
