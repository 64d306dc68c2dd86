//! Binding: names to columns, texts to types, and the errors of PostgreSQL where that fails.
//!
//! ```text
//!  ast::Statement ─► Binder ─► Bound: logical trees (optimizer::logical) and what to do with their rows
//!     scope      which names mean which columns, from the innermost query outwards
//!     expr       expressions: operator, call (functions, aggregates), subquery, literal, coerce (casts)
//!     from, select, group, query   FROM, the select list, GROUP BY, ORDER BY, set operations, WITH
//!     insert, update   rows to change;  ddl  changes of the catalog
//! ```
//! Untyped literals and parameters have the type `unknown` until their place asks for one; a parameter keeps the first
//! type that it is asked for.
//!
//! Invariant: binding reads nothing but the catalog view; it neither runs functions of users nor looks at data.
//! Invariant: what the tree holds and is not looked at here does not exist: every clause is bound or refused.

mod alter;
mod call;
mod coerce;
mod conflict;
mod constraint;
mod copy;
mod create;
mod data_type;
mod ddl;
mod expr;
mod from;
mod functions;
mod group;
mod insert;
mod literal;
mod operator;
mod query;
mod refuse;
mod row_ops;
mod scope;
mod select;
mod special;
mod subquery;
mod update;

use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::system;
use crate::sql::catalog::{CatalogView, ColumnId, SearchPath, TableId};
use crate::sql::optimizer::logical::{Col, ColId, Query, Rel};
use crate::sql::parser::{CopySource, Places, Statement, StatementKind};
use crate::sql::plan::{self, Ddl, Expr, OutputColumn};
use crate::sql::types::{Type, TypeContext};
use scope::Level;
use sqlparser::ast;
use sqlparser::tokenizer::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a statement is bound in.
#[derive(Clone, Copy, Debug)]
pub struct BindContext<'a> {
    /// The catalog.
    pub catalog: &'a CatalogView,
    /// Where names without schema are looked for.
    pub path: &'a SearchPath,
    /// The text that the statement was parsed from, for positions.
    pub sql: &'a str,
    /// Types of parameters given by the client; `None`: to be inferred.
    pub parameters: &'a [Option<Type>],
    /// The parameters stand for literals of a text (a fingerprint): numbers may take the type of their place.
    pub literals: bool,
}

/// A bound statement, before optimization.
#[derive(Clone, Debug)]
pub enum Bound {
    /// Rows.
    Query(Query),
    /// INSERT; the plan's `source` is still empty.
    Insert(Box<plan::Insert>, Query),
    /// UPDATE.
    Update(Box<plan::Update>, Query),
    /// DELETE.
    Delete(Box<plan::Delete>, Query),
    /// DDL; with the rows of CREATE TABLE AS.
    Ddl(Box<Ddl>, Option<Query>),
    /// COPY FROM: the insert, its source, types and names of fields.
    CopyFrom(Box<plan::Insert>, Query, Vec<Type>, Vec<String>),
    /// COPY TO with the names of its columns.
    CopyTo(Query, Vec<String>),
    /// Done by others.
    Body(plan::PlanBody),
}

/// A bound statement with what belongs to the statement as a whole.
#[derive(Clone, Debug)]
pub struct BoundStatement {
    /// What to do.
    pub bound: Bound,
    /// Materialised WITH queries.
    pub ctes: Vec<Query>,
    /// Columns of the result.
    pub columns: Option<Vec<OutputColumn>>,
    /// Types of parameters.
    pub parameters: Vec<Type>,
    /// Command tag.
    pub tag: &'static str,
    /// Notices.
    pub notices: Vec<String>,
    /// The next free column id.
    pub next_col: ColId,
}

/// Binds a statement. Session statements are not bound: 0A000 for those.
pub fn bind(statement: &Statement, context: BindContext<'_>) -> Result<BoundStatement> {
    let mut binder = Binder::new(context);
    let bound = binder.statement(statement)?;
    Ok(binder.finish(bound))
}

/// Binds expressions without columns to types, as a query of one row: arguments of EXECUTE.
pub fn bind_arguments(args: &[ast::Expr], types: &[Type], context: BindContext<'_>) -> Result<BoundStatement> {
    let mut binder = Binder::new(context);
    let mut row = Vec::with_capacity(args.len());
    let mut columns = Vec::with_capacity(args.len());
    for (arg, ty) in args.iter().zip(types) {
        let expr = binder.expr_without_columns(arg, "EXECUTE")?;
        row.push(binder.assign(expr, ty, arg)?);
        columns.push(binder.new_col(ty.clone()));
    }
    let query = Query { rel: Rel::Values { rows: vec![row], columns: columns.clone() }, columns };
    binder.result = Some(Vec::new());
    Ok(binder.finish(Bound::Query(query)))
}

/// Where a column of a table came from, by column id.
#[derive(Clone, Debug)]
struct ColumnFacts {
    table: String,
    name: String,
    origin: Option<(TableId, ColumnId)>,
}

/// The state of binding one statement.
struct Binder<'a> {
    context: BindContext<'a>,
    places: Places<'a>,
    types: TypeContext,
    /// Query levels, the innermost last.
    levels: Vec<Level>,
    parameters: Vec<Option<Type>>,
    /// Parameters whose type must not change any more.
    pinned: std::collections::BTreeSet<usize>,
    /// WITH queries in sight, the nearest last.
    ctes: Vec<query::CteName>,
    cte_queries: Vec<Query>,
    next_col: ColId,
    facts: BTreeMap<ColId, ColumnFacts>,
    /// Where each column was named last, for errors found later.
    seen: BTreeMap<ColId, Span>,
    result: Option<Vec<OutputColumn>>,
    tag: &'static str,
    notices: Vec<String>,
}

impl<'a> Binder<'a> {
    fn new(context: BindContext<'a>) -> Binder<'a> {
        Binder {
            context,
            places: Places::new(context.sql),
            types: TypeContext::default(),
            levels: Vec::new(),
            parameters: context.parameters.to_vec(),
            pinned: std::collections::BTreeSet::new(),
            ctes: Vec::new(),
            cte_queries: Vec::new(),
            next_col: 0,
            facts: BTreeMap::new(),
            seen: BTreeMap::new(),
            result: None,
            tag: "SELECT",
            notices: Vec::new(),
        }
    }

    fn finish(self, bound: Bound) -> BoundStatement {
        BoundStatement {
            bound,
            ctes: self.cte_queries,
            columns: self.result,
            parameters: self.parameters.into_iter().map(|ty| ty.unwrap_or(Type::Text)).collect(),
            tag: self.tag,
            notices: self.notices,
            next_col: self.next_col,
        }
    }

    fn new_col(&mut self, ty: Type) -> Col {
        let id = self.next_col;
        self.next_col += 1;
        Col { id, ty }
    }

    /// Blames the place of a node of the tree, unless a better one is known.
    fn at(&self, error: Error, span: Span) -> Error {
        match self.places.span(span) {
            Some((start, end)) => error.or_span(start, end),
            None => error,
        }
    }

    fn fail<T>(&self, state: SqlState, message: String, span: Span) -> Result<T> {
        Err(self.at(Error::new(state, message), span))
    }

    fn statement(&mut self, statement: &Statement) -> Result<Bound> {
        match &statement.kind {
            StatementKind::Sql(sql) => self.sql(sql),
            StatementKind::Copy(copy) => match &copy.source {
                CopySource::Table { name, columns } if !copy.to => self.copy_from(name, columns),
                source => self.copy_to(source),
            },
            StatementKind::SplitAt { table, rows } => self.split_at(table, rows),
            StatementKind::ShowRanges { table } => self.show_ranges(table.as_ref()),
            StatementKind::ShowNodes => self.show_nodes(),
            StatementKind::Vacuum { tables, analyze } => {
                self.tag = if *analyze { "ANALYZE" } else { "VACUUM" };
                for name in tables {
                    self.table_named(name)?;
                }
                Ok(Bound::Body(plan::PlanBody::Nothing))
            }
            _ => Err(Error::unsupported("this statement cannot be prepared", "Send it by itself.")),
        }
    }

    fn sql(&mut self, statement: &ast::Statement) -> Result<Bound> {
        use ast::Statement as S;
        match statement {
            S::Query(query) => self.query_statement(query),
            S::Insert(insert) => self.insert(insert),
            S::Update(update) => self.update(update),
            S::Delete(delete) => self.delete(delete),
            other => self.ddl(other),
        }
    }

    fn query_statement(&mut self, query: &ast::Query) -> Result<Bound> {
        if let Some(statement) = query::data_changing(query) {
            return self.sql(statement);
        }
        let (query, names) = self.query(query)?;
        let query = self.decide_unknown(query);
        self.result = Some(self.output_columns(&query.columns, names));
        Ok(Bound::Query(query))
    }

    fn output_columns(&self, columns: &[Col], names: Vec<String>) -> Vec<OutputColumn> {
        let origin = |col: &Col| self.facts.get(&col.id).and_then(|facts| facts.origin);
        columns
            .iter()
            .zip(names)
            .map(|(col, name)| OutputColumn { name, ty: col.ty.clone(), origin: origin(col) })
            .collect()
    }

    /// Binds an expression that may name no columns.
    fn expr_without_columns(&mut self, expr: &ast::Expr, clause: &'static str) -> Result<Expr> {
        let outer = std::mem::take(&mut self.levels);
        self.levels.push(Level::new(clause));
        let bound = self.expr(expr);
        self.levels = outer;
        bound
    }

    fn show_ranges(&mut self, table: Option<&ast::ObjectName>) -> Result<Bound> {
        let table = table.map(|name| self.table_named(name)).transpose()?;
        self.tag = "SHOW";
        self.result = Some(columns_of_system("ranges"));
        Ok(Bound::Body(plan::PlanBody::ShowRanges { table }))
    }

    fn show_nodes(&mut self) -> Result<Bound> {
        self.tag = "SHOW";
        self.result = Some(columns_of_system("nodes"));
        Ok(Bound::Body(plan::PlanBody::ShowNodes))
    }

    fn table_named(&mut self, name: &ast::ObjectName) -> Result<Arc<crate::sql::catalog::Table>> {
        use crate::sql::catalog::Relation;
        match self.relation(name)? {
            Relation::Table(table) => Ok(table),
            other => {
                let message = format!("\"{}\" is not a table", other.name());
                self.fail(SqlState::WRONG_OBJECT_TYPE, message, scope::name_span(name))
            }
        }
    }
}

/// The columns of a table of the schema `quorate`, for the statement that shows its rows.
fn columns_of_system(name: &str) -> Vec<OutputColumn> {
    let table = system::by_name(system::QUORATE_ID, name);
    let columns = table.iter().flat_map(|table| &table.columns);
    columns.map(|(name, ty)| OutputColumn { name: (*name).to_owned(), ty: ty.clone(), origin: None }).collect()
}
