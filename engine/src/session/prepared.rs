//! Prepared statements and cached plans.
//!
//! ```text
//!   text ─► fingerprint ─► PlanCache ─► Prepared ─► Planned { catalog version, search path, program }
//!                │ literals become parameters           └ made again when one of these has changed
//!                └ none: parsed and planned as written
//! ```
//! The cache belongs to the node: a plan holds no values, and what it depends on besides the catalog (database, search
//! path, types of parameters) is part of its key.
//!
//! Invariant: a plan runs only with the catalog version that it was made with; uncommitted DDL is planned with afresh.

use super::{ColumnDesc, Session};
use crate::error::{Error, SqlState};
use crate::sql::binder::BindContext;
use crate::sql::catalog::{CatalogView, SearchPath};
use crate::sql::exec::Program;
use crate::sql::optimizer;
use crate::sql::parser::{self, Fingerprint, Statement, StatementKind};
use crate::sql::plan::{OutputColumn, Plan, PlanBody};
use crate::sql::types::{Type, Value};
use lru::LruCache;
use parking_lot::Mutex;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Statements whose plans a node keeps.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);
/// Longer texts are planned anew each time.
const MAX_KEY: usize = 16 << 10;

/// A parsed and analysed statement.
pub struct Prepared {
    /// The text.
    pub sql: Arc<str>,
    /// Types of `$1`, `$2`, ...
    pub param_types: Vec<Type>,
    /// Columns of the result; `None` if the statement returns no rows.
    pub columns: Option<Arc<[ColumnDesc]>>,
    pub(super) statement: Statement,
    /// Types that the client gave.
    given: Vec<Option<Type>>,
    /// The parameters stand for literals of a text.
    literals: bool,
    /// The newest plan. The lock is held to clone a pointer, inside no other.
    planned: Mutex<Option<Planned>>,
}

/// A plan with what it was made for.
#[derive(Clone)]
pub(super) struct Planned {
    version: u64,
    path: Arc<SearchPath>,
    /// The plan, ready to run.
    pub program: Arc<Program>,
    /// Columns of its result.
    pub columns: Option<Arc<[ColumnDesc]>>,
}

/// Prepared statements by key. The lock is held for one look-up, inside no other.
pub(super) struct PlanCache {
    entries: Mutex<LruCache<String, Arc<Prepared>, ahash::RandomState>>,
}

impl Default for PlanCache {
    fn default() -> PlanCache {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        PlanCache { entries: Mutex::new(LruCache::with_hasher(KEPT, hasher)) }
    }
}

impl PlanCache {
    pub(super) fn get(&self, key: &str) -> Option<Arc<Prepared>> {
        self.entries.lock().get(key).cloned()
    }

    pub(super) fn put(&self, key: String, prepared: Arc<Prepared>) {
        self.entries.lock().put(key, prepared);
    }

    /// Forgets everything (DISCARD PLANS).
    pub(super) fn clear(&self) {
        self.entries.lock().clear();
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("sql", &self.sql)
            .field("param_types", &self.param_types)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl Prepared {
    /// A statement of the session itself, which has no plan.
    pub(super) fn of_session(sql: Arc<str>, statement: Statement, columns: Option<Arc<[ColumnDesc]>>) -> Prepared {
        Prepared {
            sql,
            param_types: Vec::new(),
            columns,
            statement,
            given: Vec::new(),
            literals: false,
            planned: Mutex::new(None),
        }
    }

    /// Whether a plan is made for it.
    pub(super) fn is_planned(&self) -> bool {
        is_planned(&self.statement.kind)
    }
}

/// Whether the binder knows the statement; all others are the session's.
pub(super) fn is_planned(kind: &StatementKind) -> bool {
    matches!(
        kind,
        StatementKind::Sql(_)
            | StatementKind::Copy(_)
            | StatementKind::Explain { .. }
            | StatementKind::SplitAt { .. }
            | StatementKind::ShowRanges { .. }
            | StatementKind::ShowNodes
            | StatementKind::Vacuum { .. }
    )
}

/// Columns of a result as clients see them.
pub(super) fn describe(columns: &[OutputColumn]) -> Arc<[ColumnDesc]> {
    let describe = |column: &OutputColumn| ColumnDesc {
        name: column.name.as_str().into(),
        ty: column.ty.clone(),
        origin: column.origin.map_or((0, 0), |(table, id)| (table.0, i16::try_from(id.0).unwrap_or(0))),
    };
    columns.iter().map(describe).collect()
}

impl Session {
    /// Parses and analyses one statement. `None` among the types: decide from the use.
    pub async fn prepare(&mut self, sql: &str, param_types: &[Option<Type>]) -> Result<Arc<Prepared>, Error> {
        let key = self.cache_key('p', sql, param_types);
        if let Some(key) = &key
            && !self.has_overlay()
            && let Some(known) = self.gateway.plans.get(key)
            && self.is_fresh(&known)
        {
            return Ok(known);
        }
        let result = self.prepare_anew(sql, param_types).await;
        if let Err(error) = &result {
            self.statement_failed(None, error).await;
        }
        let prepared = result?;
        if let Some(key) = key
            && prepared.is_planned()
            && prepared.statement.as_of.is_none()
            && !self.has_overlay()
        {
            self.gateway.plans.put(key, prepared.clone());
        }
        Ok(prepared)
    }

    async fn prepare_anew(&mut self, sql: &str, param_types: &[Option<Type>]) -> Result<Arc<Prepared>, Error> {
        let mut statements = parser::parse(sql)?;
        let statement = match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => statement,
            (None, _) => Statement { kind: StatementKind::Nothing(""), start: 0, end: 0, as_of: None },
            (Some(_), false) => {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    "cannot insert multiple commands into a prepared statement",
                ));
            }
        };
        self.refuse_in_failed(&statement.kind)?;
        if !is_planned(&statement.kind) {
            let columns = self.session_columns(&statement.kind);
            return Ok(Arc::new(Prepared::of_session(sql.into(), statement, columns)));
        }
        self.analyse(sql.into(), statement, param_types.to_vec(), false).await
    }

    /// Plans a statement in a transaction, which is not kept if none was open.
    pub(super) async fn analyse(
        &mut self,
        sql: Arc<str>,
        statement: Statement,
        given: Vec<Option<Type>>,
        literals: bool,
    ) -> Result<Arc<Prepared>, Error> {
        let was_open = self.block.is_some();
        self.read_as_of(statement.as_of)?;
        let result = match self.ensure_transaction().await {
            Ok(()) => self.plan_new(sql, statement, given, literals),
            Err(error) => Err(error),
        };
        if !was_open {
            self.abandon().await;
        }
        result
    }

    fn plan_new(
        &self,
        sql: Arc<str>,
        statement: Statement,
        given: Vec<Option<Type>>,
        literals: bool,
    ) -> Result<Arc<Prepared>, Error> {
        let view = self.view()?;
        let context = BindContext { catalog: view, path: &self.path, sql: &sql, parameters: &given, literals };
        let plan = optimizer::plan(&statement, context)?;
        let param_types = plan.parameters.clone();
        let planned = self.planned(plan, view)?;
        Ok(Arc::new(Prepared {
            param_types,
            columns: planned.columns.clone(),
            planned: Mutex::new((!self.has_overlay()).then_some(planned)),
            sql,
            statement,
            given,
            literals,
        }))
    }

    fn planned(&self, plan: Plan, view: &CatalogView) -> Result<Planned, Error> {
        let columns = plan.columns.as_deref().map(describe);
        let program = Arc::new(Program::new(Arc::new(plan))?);
        Ok(Planned { version: view.version(), path: self.path.clone(), program, columns })
    }

    /// The plan of a statement for the catalog of the open transaction.
    pub(super) fn plan_of(&self, prepared: &Prepared) -> Result<Planned, Error> {
        let view = self.view()?;
        if !self.has_overlay()
            && let Some(planned) = prepared.planned.lock().clone()
            && planned.version == view.version()
            && planned.path == self.path
        {
            return Ok(planned);
        }
        let given: Vec<Option<Type>> = if prepared.literals {
            prepared.given.clone()
        } else {
            prepared.param_types.iter().cloned().map(Some).collect()
        };
        let context = BindContext {
            catalog: view,
            path: &self.path,
            sql: &prepared.sql,
            parameters: &given,
            literals: prepared.literals,
        };
        let plan = optimizer::plan(&prepared.statement, context)?;
        if plan.parameters != prepared.param_types {
            return Err(replanned());
        }
        let planned = self.planned(plan, view)?;
        if !prepared.literals && !same_types(planned.columns.as_deref(), prepared.columns.as_deref()) {
            return Err(replanned());
        }
        if !self.has_overlay() {
            *prepared.planned.lock() = Some(planned.clone());
        }
        Ok(planned)
    }

    fn view(&self) -> Result<&CatalogView, Error> {
        let view = self.block.as_ref().and_then(|block| block.view.as_deref());
        view.ok_or_else(|| Error::internal("no transaction is open"))
    }

    fn has_overlay(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.overlay)
    }

    /// Whether the plan is that of the newest catalog known here; the transaction looks again.
    fn is_fresh(&self, prepared: &Prepared) -> bool {
        let newest = self.gateway.catalog.latest().map(|view| view.version());
        prepared.planned.lock().as_ref().is_some_and(|planned| Some(planned.version) == newest)
    }

    fn cache_key(&self, kind: char, text: &str, types: &[Option<Type>]) -> Option<String> {
        use std::fmt::Write;
        if text.len() > MAX_KEY {
            return None;
        }
        let mut key = String::with_capacity(text.len() + 40);
        key.push(kind);
        key.push_str(text);
        let written = types.iter().try_for_each(|ty| match ty {
            Some(ty) => write!(key, "\0{}.{}", ty.oid(), ty.typmod()),
            None => write!(key, "\0"),
        });
        let path = &self.path;
        let written = written.and_then(|()| write!(key, "\0{}", path.database));
        let written = written.and_then(|()| path.schemas.iter().try_for_each(|name| write!(key, "\0{name}")));
        written.is_ok().then_some(key)
    }

    /// The prepared form of a text, with the values of its literals, if it has a fingerprint.
    pub(super) async fn by_fingerprint(
        &mut self,
        sql: &str,
        fingerprint: &Fingerprint,
    ) -> Option<(Arc<Prepared>, Vec<Value>)> {
        let key = self.cache_key('t', &fingerprint.key, &[])?;
        let known = self.gateway.plans.get(&key).filter(|known| !self.has_overlay() && self.is_fresh(known));
        let prepared = match known {
            Some(known) => known,
            None => {
                let text = fingerprint.sql();
                let statement = parser::parse(text).ok()?.pop()?;
                let given = fingerprint.literals.iter().map(|literal| literal.kind.ty()).collect();
                // What fails is planned again as it was written, which gives errors their places.
                let prepared = self.analyse(text.into(), statement, given, true).await.ok()?;
                if !self.has_overlay() {
                    self.gateway.plans.put(key, prepared.clone());
                }
                prepared
            }
        };
        let context = self.type_context();
        let literals = fingerprint.literals.iter().zip(&prepared.param_types);
        let values = literals.map(|(literal, ty)| Value::parse(&literal.text(sql), ty, &context).ok());
        let values = values.collect::<Option<Vec<Value>>>()?;
        Some((prepared, values))
    }
}

fn replanned() -> Error {
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type")
}

fn same_types(left: Option<&[ColumnDesc]>, right: Option<&[ColumnDesc]>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.ty == right.ty)
        }
        (None, None) => true,
        _ => false,
    }
}

/// The verb with which a read-only transaction refuses a plan; `None` if it only reads.
pub(super) fn writes(plan: &Plan) -> Option<&'static str> {
    match &plan.body {
        PlanBody::Insert(_) => Some("INSERT"),
        PlanBody::Update(_) => Some("UPDATE"),
        PlanBody::Delete(_) => Some("DELETE"),
        PlanBody::Ddl(_) => Some(plan.tag),
        PlanBody::CopyFrom(_) => Some("COPY FROM"),
        PlanBody::Explain { options, plan } if options.analyze => writes(plan),
        _ => None,
    }
}
