//! Queries: WITH, set operations, VALUES, ORDER BY, LIMIT and locking around SELECT.

use super::Binder;
use super::call::sort_key;
use super::from::Source;
use super::scope::{Level, Scope, ScopeColumn, ScopeTable, ident, name_parts, name_span};
use crate::error::{Error, Result, SqlState};
use crate::sql::optimizer::logical::{Query, Rel};
use crate::sql::plan::{Expr, Lock, SetOperation, SortKey};
use crate::sql::types::{CastKind, Type, Value};
use quorate_txn::{LockMode, LockWait};
use sqlparser::ast::{self, SetExpr, Spanned};
use sqlparser::tokenizer::Span;

/// A WITH query in sight.
#[derive(Clone, Debug)]
pub(super) struct CteName {
    name: String,
    /// Its place among the statement's WITH queries; `None` while it is being bound.
    index: Option<usize>,
    columns: Vec<(String, Type)>,
}

/// The statement of `WITH ... INSERT` and of a query that is one in disguise.
pub(super) fn data_changing(query: &ast::Query) -> Option<&ast::Statement> {
    match &*query.body {
        SetExpr::Insert(statement) | SetExpr::Update(statement) | SetExpr::Delete(statement)
            if query.with.is_none() =>
        {
            Some(statement)
        }
        _ => None,
    }
}

impl Binder<'_> {
    /// Binds a query; columns may still be of unknown type.
    pub(super) fn query(&mut self, query: &ast::Query) -> Result<(Query, Vec<String>)> {
        self.refuse_query(query)?;
        let visible = self.ctes.len();
        if let Some(with) = &query.with {
            self.with(with)?;
        }
        let bound = self.query_body(query);
        self.ctes.truncate(visible);
        bound
    }

    fn query_body(&mut self, query: &ast::Query) -> Result<(Query, Vec<String>)> {
        let order_by = self.order_keys(query.order_by.as_ref())?;
        let (mut bound, names) = match &*query.body {
            SetExpr::Select(select) => self.select(select, order_by)?,
            body => {
                let (bound, names) = self.set_body(body)?;
                (self.sort_output(bound, &names, order_by)?, names)
            }
        };
        bound.rel = self.limited(bound.rel, query)?;
        if !query.locks.is_empty() {
            self.lock(&mut bound.rel, query)?;
        }
        Ok((bound, names))
    }

    fn order_keys<'q>(&self, order_by: Option<&'q ast::OrderBy>) -> Result<&'q [ast::OrderByExpr]> {
        match order_by {
            None => Ok(&[]),
            Some(ast::OrderBy { kind: ast::OrderByKind::Expressions(keys), interpolate: None }) => {
                for key in keys {
                    self.refuse(key.with_fill.is_some(), "WITH FILL", "Leave it out.", key.expr.span())?;
                }
                Ok(keys)
            }
            Some(other) => {
                Err(self.at(Error::unsupported("ORDER BY ALL is not supported", "Name the columns."), other.span()))
            }
        }
    }

    fn with(&mut self, with: &ast::With) -> Result<()> {
        for cte in &with.cte_tables {
            let name = ident(&cte.alias.name);
            if with.recursive {
                self.ctes.push(CteName { name: name.clone(), index: None, columns: Vec::new() });
            }
            let bound = self.subquery(&cte.query);
            if with.recursive {
                self.ctes.pop();
            }
            let (query, mut names) = bound?;
            if data_changing(&cte.query).is_some() {
                let hint = "Run the statements one after the other in a transaction.";
                return Err(
                    self.at(Error::unsupported("changing rows in WITH is not supported", hint), cte.alias.name.span)
                );
            }
            if cte.alias.columns.len() > names.len() {
                let message = format!(
                    "WITH query \"{name}\" has {} columns available but {} columns specified",
                    names.len(),
                    cte.alias.columns.len()
                );
                return self.fail(SqlState::INVALID_COLUMN_REFERENCE, message, cte.alias.name.span);
            }
            for (name, renamed) in names.iter_mut().zip(&cte.alias.columns) {
                *name = ident(&renamed.name);
            }
            let columns = names.into_iter().zip(query.columns.iter().map(|col| col.ty.clone())).collect();
            self.cte_queries.push(query);
            self.ctes.push(CteName { name, index: Some(self.cte_queries.len() - 1), columns });
        }
        Ok(())
    }

    /// A reference to a WITH query, if the name is one.
    pub(super) fn cte_source(
        &mut self,
        name: &str,
        alias: Option<&ast::TableAlias>,
        span: Span,
    ) -> Result<Option<Source>> {
        let Some(cte) = self.ctes.iter().rev().find(|cte| cte.name == name).cloned() else { return Ok(None) };
        let Some(index) = cte.index else {
            let hint = "WITH RECURSIVE may not refer to itself in this release.";
            return Err(self.at(Error::unsupported("recursive queries are not supported", hint), span));
        };
        let shown = alias.map_or(cte.name.clone(), |alias| ident(&alias.name));
        let mut columns = Vec::with_capacity(cte.columns.len());
        for (name, ty) in cte.columns {
            let col = self.table_col(&shown, &name, ty, None);
            columns.push(ScopeColumn { name, col, hidden: false });
        }
        let cols = columns.iter().map(|column| column.col.clone()).collect();
        let scope = self.aliased(None, &cte.name, columns, alias)?;
        Ok(Some((Rel::Cte { index, name: cte.name, columns: cols }, scope)))
    }

    /// Everything but SELECT: set operations, VALUES, parentheses, TABLE.
    fn set_body(&mut self, body: &SetExpr) -> Result<(Query, Vec<String>)> {
        match body {
            SetExpr::Select(select) => self.select(select, &[]),
            SetExpr::Query(query) => self.query(query),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let all = match set_quantifier {
                    ast::SetQuantifier::All => true,
                    ast::SetQuantifier::None | ast::SetQuantifier::Distinct => false,
                    _ => {
                        return Err(Error::unsupported(
                            "set operations by name are not supported",
                            "Order the columns.",
                        ));
                    }
                };
                let operation = match op {
                    ast::SetOperator::Union => SetOperation::Union,
                    ast::SetOperator::Except | ast::SetOperator::Minus => SetOperation::Except,
                    ast::SetOperator::Intersect => SetOperation::Intersect,
                };
                let (left, names) = self.set_body(left)?;
                let (right, _) = self.set_body(right)?;
                let query = self.set_operation(operation, all, left, right, body.span())?;
                Ok((query, names))
            }
            SetExpr::Table(_) => {
                let hint = "Write SELECT * FROM the table.";
                Err(self.at(Error::unsupported("TABLE as a query is not supported", hint), body.span()))
            }
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                let hint = "Run the statements one after the other in a transaction.";
                Err(self.at(Error::unsupported("changing rows inside a query is not supported", hint), body.span()))
            }
        }
    }

    fn set_operation(
        &mut self,
        operation: SetOperation,
        all: bool,
        left: Query,
        right: Query,
        span: Span,
    ) -> Result<Query> {
        let name = match operation {
            SetOperation::Union => "UNION",
            SetOperation::Except => "EXCEPT",
            SetOperation::Intersect => "INTERSECT",
        };
        if left.columns.len() != right.columns.len() {
            let message = format!("each {name} query must have the same number of columns");
            return self.fail(SqlState::SYNTAX_ERROR, message, span);
        }
        let mut lefts = Vec::with_capacity(left.columns.len());
        let mut rights = Vec::with_capacity(left.columns.len());
        let mut columns = Vec::with_capacity(left.columns.len());
        for (a, b) in left.columns.iter().zip(&right.columns) {
            let (mut both, ty) = self.unify(vec![a.expr(), b.expr()], name, span)?;
            rights.extend(both.pop());
            lefts.extend(both.pop());
            columns.push(self.new_col(ty));
        }
        let left = Box::new(self.extend_query(left, lefts));
        let right = Box::new(self.extend_query(right, rights));
        Ok(Query { rel: Rel::SetOp { operation, all, left, right, columns: columns.clone() }, columns })
    }

    fn values(&mut self, values: &ast::Values) -> Result<(Query, Vec<String>)> {
        self.levels.push(Level::new("VALUES"));
        let bound = self.values_rows(values);
        self.levels.pop();
        bound
    }

    fn values_rows(&mut self, values: &ast::Values) -> Result<(Query, Vec<String>)> {
        let mut rows: Vec<Vec<Expr>> = Vec::with_capacity(values.rows.len());
        for row in &values.rows {
            let bound = self.exprs(&row.content)?;
            if rows.first().is_some_and(|first| first.len() != bound.len()) {
                let message = "VALUES lists must all be the same length".to_string();
                return self.fail(
                    SqlState::SYNTAX_ERROR,
                    message,
                    row.content.first().map_or(Span::empty(), |e| e.span()),
                );
            }
            rows.push(bound);
        }
        let width = rows.first().map_or(0, Vec::len);
        let mut columns = Vec::with_capacity(width);
        let mut cast: Vec<Vec<Expr>> = rows.iter().map(|_| Vec::with_capacity(width)).collect();
        for place in 0..width {
            let column: Vec<Expr> = rows.iter().map(|row| row[place].clone()).collect();
            let (column, ty) = self.unify(column, "VALUES", Span::empty())?;
            columns.push(self.new_col(ty));
            for (row, value) in cast.iter_mut().zip(column) {
                row.push(value);
            }
        }
        let names = (1..=width).map(|number| format!("column{number}")).collect();
        Ok((Query { rel: Rel::Values { rows: cast, columns: columns.clone() }, columns }, names))
    }

    /// ORDER BY over the result of a set operation: ordinals and names of its columns.
    fn sort_output(&mut self, query: Query, names: &[String], keys: &[ast::OrderByExpr]) -> Result<Query> {
        if keys.is_empty() {
            return Ok(query);
        }
        let columns: Vec<ScopeColumn> = names
            .iter()
            .zip(&query.columns)
            .map(|(name, col)| ScopeColumn { name: name.clone(), col: col.clone(), hidden: false })
            .collect();
        let scope = Scope::of_table(ScopeTable { schema: None, alias: String::new(), columns });
        let mut sort: Vec<SortKey> = Vec::with_capacity(keys.len());
        self.levels.push(Level::with_scope("ORDER BY", scope));
        let mut failed = None;
        for key in keys {
            let expr = match self.ordinal(&key.expr, query.columns.len(), "ORDER BY") {
                Ok(Some(place)) => Ok(query.columns[place].expr()),
                Ok(None) => self.expr(&key.expr),
                Err(error) => Err(error),
            };
            match expr {
                Ok(expr) => sort.push(sort_key(expr, &key.options)),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        self.levels.pop();
        match failed {
            Some(error) => Err(error),
            None => Ok(Query { rel: Rel::Sort { input: Box::new(query.rel), keys: sort }, columns: query.columns }),
        }
    }

    /// The place that an integer constant in ORDER BY, GROUP BY or DISTINCT ON means.
    pub(super) fn ordinal(&self, expr: &ast::Expr, columns: usize, clause: &str) -> Result<Option<usize>> {
        let ast::Expr::Value(value) = expr else { return Ok(None) };
        let ast::Value::Number(digits, _) = &value.value else {
            if matches!(value.value, ast::Value::Placeholder(_)) {
                return Ok(None);
            }
            let message = format!("non-integer constant in {clause}");
            return self.fail(SqlState::SYNTAX_ERROR, message, value.span);
        };
        match digits.parse::<usize>() {
            Ok(place) if (1..=columns).contains(&place) => Ok(Some(place - 1)),
            Ok(_) => {
                let message = format!("{clause} position {digits} is not in select list");
                self.fail(SqlState::INVALID_COLUMN_REFERENCE, message, value.span)
            }
            Err(_) => self.fail(SqlState::SYNTAX_ERROR, format!("non-integer constant in {clause}"), value.span),
        }
    }

    fn limited(&mut self, rel: Rel, query: &ast::Query) -> Result<Rel> {
        let (limit, offset) = match &query.limit_clause {
            None => (None, None),
            Some(ast::LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
            }
            Some(other) => {
                return Err(self.at(
                    Error::unsupported("this form of LIMIT is not supported", "Use LIMIT n OFFSET m."),
                    other.span(),
                ));
            }
        };
        let mut limit = limit.map(|limit| self.count(limit, "LIMIT")).transpose()?;
        let offset = offset.map(|offset| self.count(offset, "OFFSET")).transpose()?;
        if let Some(fetch) = &query.fetch {
            self.refuse(fetch.percent || fetch.with_ties, "this form of FETCH", "Use LIMIT.", query.span())?;
            limit = match &fetch.quantity {
                Some(quantity) => Some(self.count(quantity, "LIMIT")?),
                None => Some(Expr::literal(Value::Int8(1), Type::Int8)),
            };
        }
        if limit.is_none() && offset.is_none() {
            return Ok(rel);
        }
        Ok(Rel::Limit { input: Box::new(rel), limit, offset })
    }

    fn count(&mut self, expr: &ast::Expr, clause: &'static str) -> Result<Expr> {
        let bound = self.expr_without_columns(expr, clause)?;
        self.coerce(bound, &Type::Int8, CastKind::Assignment, expr.span())
    }

    fn lock(&mut self, rel: &mut Rel, query: &ast::Query) -> Result<()> {
        if let SetExpr::Select(select) = &*query.body {
            let grouped = !matches!(&select.group_by, ast::GroupByExpr::Expressions(keys, _) if keys.is_empty());
            let what = match (grouped || has_aggregate(rel), &select.distinct) {
                (true, _) => Some(if grouped { "GROUP BY clause" } else { "aggregate functions" }),
                (_, Some(ast::Distinct::Distinct | ast::Distinct::On(_))) => Some("DISTINCT clause"),
                _ => None,
            };
            if let Some(what) = what {
                let message = format!("FOR UPDATE is not allowed with {what}");
                return self.fail(SqlState::FEATURE_NOT_SUPPORTED, message, query.span());
            }
        } else {
            let message = "FOR UPDATE is not allowed with UNION/INTERSECT/EXCEPT".to_string();
            return self.fail(SqlState::FEATURE_NOT_SUPPORTED, message, query.span());
        }
        for clause in &query.locks {
            let lock = Lock {
                mode: match clause.lock_type {
                    ast::LockType::Update => LockMode::Update,
                    ast::LockType::Share => LockMode::Share,
                },
                wait: match clause.nonblock {
                    None => LockWait::Wait,
                    Some(ast::NonBlock::Nowait) => LockWait::NoWait,
                    Some(ast::NonBlock::SkipLocked) => LockWait::SkipLocked,
                },
            };
            let of = match &clause.of {
                Some(name) => Some(name_parts(name)?.pop().unwrap_or_default()),
                None => None,
            };
            let found = lock_tables(rel, of.as_deref(), lock);
            if let (Some(of), false, Some(name)) = (of, found, &clause.of) {
                let message = format!("relation \"{of}\" in FOR UPDATE clause not found in FROM clause");
                return self.fail(SqlState::UNDEFINED_TABLE, message, name_span(name));
            }
        }
        Ok(())
    }
}

fn has_aggregate(rel: &Rel) -> bool {
    match rel {
        Rel::Aggregate { .. } => true,
        Rel::Filter { input, .. }
        | Rel::Extend { input, .. }
        | Rel::ExtendSet { input, .. }
        | Rel::Sort { input, .. }
        | Rel::Limit { input, .. } => has_aggregate(input),
        _ => false,
    }
}

/// Marks the tables of FROM to be locked; says whether one was found.
pub(super) fn lock_tables(rel: &mut Rel, of: Option<&str>, wanted: Lock) -> bool {
    match rel {
        Rel::Table { alias, lock, .. } if of.is_none_or(|of| of == alias) => {
            *lock = Some(wanted);
            true
        }
        Rel::Filter { input, .. }
        | Rel::Extend { input, .. }
        | Rel::ExtendSet { input, .. }
        | Rel::Sort { input, .. }
        | Rel::Limit { input, .. } => lock_tables(input, of, wanted),
        Rel::Join { left, right, .. } => {
            let left = lock_tables(left, of, wanted);
            lock_tables(right, of, wanted) || left
        }
        _ => false,
    }
}
