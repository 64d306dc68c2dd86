//! SHOW COMMIT TRACE FOR LAST TRANSACTION, and what EXPLAIN (ANALYZE, TXN) adds: how a transaction was committed.
//!
//! ```text
//!   at        took      event                                             range  key                raft_index
//!   0.000 ms  0.000 ms  attempt 1.5c0f.7, FAST: 2 ranges, one round
//!   0.001 ms  0.210 ms  commit ID 1042
//!   0.213 ms  1.330 ms  prepare: PREPARED                                 r12    /account/pkey/1    87
//!   0.214 ms  1.402 ms  prepare: PREPARED                                 r15    /account/pkey/9    45
//!   1.617 ms            committed at 1042, read at 1040; 1 Raft round, 2 messages
//! ```

use super::{ColumnDesc, Row, Session};
use crate::sql::catalog::CatalogView;
use crate::sql::exec::cluster::key_text;
use crate::sql::plan::OutputColumn;
use crate::sql::types::{Type, Value};
use quorate_txn::api::RegisterState;
use quorate_txn::trace::{Event, Phase, Said, Step};
use quorate_txn::{CommitPath, Committed, TxnId};
use std::sync::Arc;
use std::time::Duration;

/// The last transaction of a session that committed.
#[derive(Clone, Debug)]
pub(super) struct LastCommit {
    pub committed: Committed,
    pub read_id: TxnId,
    /// Names of the tables that it wrote.
    pub view: Arc<CatalogView>,
}

/// Columns of SHOW COMMIT TRACE.
pub(super) fn columns() -> Arc<[ColumnDesc]> {
    let column = |(name, ty): (&str, Type)| OutputColumn { name: name.to_owned(), ty, origin: None };
    let columns = [
        ("at", Type::Text),
        ("took", Type::Text),
        ("event", Type::Text),
        ("range", Type::Int8),
        ("key", Type::Text),
        ("raft_index", Type::Int8),
    ];
    super::prepared::describe(&columns.map(column))
}

impl Session {
    /// Rows of SHOW COMMIT TRACE; none before anything was committed.
    pub(super) fn show_commit_trace(&self) -> Vec<Row> {
        let Some(last) = &self.last_commit else { return Vec::new() };
        let mut rows: Vec<Row> = last.committed.trace.steps.iter().map(|step| row(step, &last.view)).collect();
        let took = text(milliseconds(last.committed.trace.took));
        rows.push(vec![took, Value::Null, text(summary(last)), Value::Null, Value::Null, Value::Null]);
        rows
    }

    /// The same as lines for EXPLAIN.
    pub(super) fn explain_commit(&self) -> Vec<String> {
        let Some(last) = &self.last_commit else { return Vec::new() };
        let mut lines = vec![format!("Commit: {}", last.committed.path)];
        for step in &last.committed.trace.steps {
            if let Event::Attempt { path, .. } = step.event
                && path == last.committed.path
            {
                continue;
            }
            let (at, took) = (milliseconds(step.at), milliseconds(step.took));
            let place = place(step, &last.view).map(|(range, key, _)| format!(" r{range} {key}")).unwrap_or_default();
            lines.push(format!("  +{at} {}{place} ({took})", event(step)));
        }
        lines.push(format!("  +{} {}", milliseconds(last.committed.trace.took), summary(last)));
        lines
    }
}

fn row(step: &Step, view: &CatalogView) -> Row {
    let (range, key, index) = match place(step, view) {
        Some((range, key, index)) => (number(range), text(key), if index > 0 { number(index) } else { Value::Null }),
        None => (Value::Null, Value::Null, Value::Null),
    };
    vec![text(milliseconds(step.at)), text(milliseconds(step.took)), text(event(step)), range, key, index]
}

/// Range, key and Raft index of a participant's answer.
fn place(step: &Step, view: &CatalogView) -> Option<(u64, String, u64)> {
    match &step.event {
        Event::Answered { range, part_key, index, .. } => Some((range.0, key_text(view, part_key), *index)),
        _ => None,
    }
}

fn event(step: &Step) -> String {
    match &step.event {
        Event::Attempt { attempt, path } => format!("attempt {attempt}, {path}"),
        Event::CommitId(id) => format!("commit ID {id}"),
        Event::Refreshed { spans, valid: true } => format!("{spans} reads hold at it"),
        Event::Refreshed { spans, valid: false } => format!("of {spans} reads one does not hold at it"),
        Event::Answered { phase, said, .. } => format!("{}: {}", phase_name(*phase), said_text(*said)),
        Event::Terminated { commit_id: Some(id) } => format!("asked every register: committed at {id}"),
        Event::Terminated { commit_id: None } => "asked every register: aborted".to_owned(),
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::CommitOne => "commit",
        Phase::PrepareFast => "prepare",
        Phase::Spill => "intents",
        Phase::CanCommit => "can commit",
        Phase::PreCommit => "pre-commit",
        Phase::PreAbort => "pre-abort",
    }
}

fn said_text(said: Said) -> &'static str {
    match said {
        Said::Register(state) => state_name(state),
        Said::Refused(why) => why,
    }
}

/// A register's state as people read it.
pub(super) fn state_name(state: RegisterState) -> &'static str {
    match state {
        RegisterState::None => "NONE",
        RegisterState::Pending => "PENDING",
        RegisterState::Prepared => "PREPARED",
        RegisterState::PreCommit => "PRECOMMIT",
        RegisterState::PreAbort => "PREABORT",
        RegisterState::Committed => "COMMITTED",
        RegisterState::Aborted => "ABORTED",
    }
}

fn summary(last: &LastCommit) -> String {
    let Committed { commit_id, path, trace } = &last.committed;
    let read = last.read_id;
    match (path, commit_id) {
        (CommitPath::ReadOnly, _) | (_, None) => format!("read-only at {read}; 0 Raft rounds"),
        (_, Some(id)) => {
            let rounds = if trace.rounds == 1 { "round" } else { "rounds" };
            format!("committed at {id}, read at {read}; {} Raft {rounds}, {} messages", trace.rounds, trace.messages)
        }
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1_000.0)
}

fn text(text: impl Into<crate::sql::types::Text>) -> Value {
    Value::Text(text.into())
}

fn number(number: u64) -> Value {
    Value::Int8(i64::try_from(number).unwrap_or(i64::MAX))
}
