//! What the synchronous part of an execution sees: parameters, rows outside, facts of the session.

use super::cluster::{ClusterCall, ClusterInfo};
use super::regexes::Regexes;
use super::sequence::Sequences;
use super::settings::Settings;
use super::{Notice, Row};
use crate::sql::catalog::{CatalogView, DatabaseId, SearchPath, SequenceId};
use crate::sql::types::{TypeContext, Value};
use parking_lot::Mutex;
use quorate_net::runtime::Runtime;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Facts of a session that stay the same while a statement runs.
#[derive(Clone)]
pub struct Facts {
    /// The role that connected.
    pub user: Arc<str>,
    /// The database's name.
    pub database: Arc<str>,
    /// The database.
    pub database_id: DatabaseId,
    /// Where names without schema are looked for.
    pub search_path: Arc<SearchPath>,
    /// The number by which clients know the session.
    pub process_id: i32,
    /// The catalog that the statement was planned with.
    pub catalog: Arc<CatalogView>,
    /// Clock and randomness.
    pub runtime: Runtime,
    /// Sequences of this node.
    pub sequences: Arc<Sequences>,
    /// Sequences of this session.
    pub session_sequences: Arc<SessionSequences>,
    /// Nodes, ranges and join tokens.
    pub cluster: Arc<dyn ClusterInfo>,
    /// Whether the transaction may not write.
    pub read_only: bool,
    /// Whether a transaction block is open, so that SET must be undone by a rollback.
    pub in_block: bool,
    /// The id that the transaction reads at.
    pub read_id: u64,
}

/// The last values that a session took from sequences. The lock is held for one look-up, inside no other.
#[derive(Debug, Default)]
pub struct SessionSequences {
    /// By sequence, and the newest of all.
    pub values: Mutex<(BTreeMap<SequenceId, i64>, Option<i64>)>,
}

/// Everything that evaluating an expression may look at.
pub struct Env {
    /// `$1`, `$2`, ...
    pub params: Vec<Value>,
    /// Values of subqueries that ran before the body.
    pub init: Vec<Value>,
    /// Rows of enclosing Applies, the nearest last.
    pub outer: Vec<Row>,
    /// Time zone, time of the transaction, names for `regclass`.
    pub types: TypeContext,
    /// Time of the statement, in microseconds since 2000.
    pub statement_time: i64,
    /// The session.
    pub facts: Arc<Facts>,
    /// Compiled patterns.
    pub regexes: Regexes,
    /// What evaluation did or wants besides its value.
    pub effects: RefCell<Effects>,
    /// The session's settings, as the statement found them.
    pub settings: Arc<Settings>,
}

/// What evaluation did or wants besides its value.
#[derive(Default)]
pub struct Effects {
    /// `nextval` found no value at hand: fetch some and evaluate again.
    pub wanted_sequence: Option<SequenceId>,
    /// A function wants this of the cluster: do it and evaluate again.
    pub wanted_call: Option<ClusterCall>,
    /// Answers of the cluster to the calls of the row under evaluation, in order; how many of them this attempt took.
    pub answers: (Vec<Value>, usize),
    /// `setval` to be done: sequence, value, and whether that value counts as taken.
    pub set_sequence: Vec<(SequenceId, i64, bool)>,
    /// `pg_sleep`: microseconds to wait before going on.
    pub sleep: u64,
    /// Settings after `set_config`.
    pub settings: Option<Settings>,
    /// Messages.
    pub notices: Vec<Notice>,
}

impl Effects {
    /// Ends the evaluation of a row: its calls of the cluster are over.
    pub fn forget_answers(&mut self) {
        if !self.answers.0.is_empty() {
            self.answers = Default::default();
        }
    }
}

impl Env {
    /// What the expressions of one statement see.
    pub fn new(
        params: Vec<Value>,
        types: TypeContext,
        statement_time: i64,
        facts: Arc<Facts>,
        settings: Arc<Settings>,
    ) -> Env {
        Env {
            params,
            init: Vec::new(),
            outer: Vec::new(),
            types,
            statement_time,
            facts,
            regexes: Regexes::default(),
            effects: RefCell::default(),
            settings,
        }
    }

    /// The time now, in microseconds since 2000.
    pub fn clock(&self) -> i64 {
        wall_to_pg(self.facts.runtime.wall())
    }

    /// Adds a message.
    pub fn notice(&self, notice: Notice) {
        self.effects.borrow_mut().notices.push(notice);
    }

    /// The setting of this name, as `set_config` left it.
    pub fn setting(&self, name: &str) -> Option<String> {
        let effects = self.effects.borrow();
        effects.settings.as_ref().unwrap_or(&self.settings).get(name).map(str::to_owned)
    }
}

/// Microseconds between 1970-01-01 and 2000-01-01.
const EPOCH_OFFSET: i64 = 946_684_800_000_000;

/// Microseconds since 2000 as microseconds since 1970; what lies before that is 0.
pub fn pg_to_wall(time: i64) -> u64 {
    u64::try_from(time.saturating_add(EPOCH_OFFSET)).unwrap_or(0)
}

/// Wall time in microseconds since 1970 as microseconds since 2000.
pub fn wall_to_pg(wall: u64) -> i64 {
    i64::try_from(wall).unwrap_or(i64::MAX).saturating_sub(EPOCH_OFFSET)
}
