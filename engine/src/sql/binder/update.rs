//! UPDATE and DELETE: a query for the old rows, locked, and what becomes of them.

use super::conflict::slots;
use super::group::columns_in;
use super::scope::{Level, ident};
use super::{Binder, Bound};
use crate::error::{Error, Result};
use crate::sql::catalog::Table;
use crate::sql::optimizer::logical::{Col, Query, Rel};
use crate::sql::plan::{self, Expr, JoinKind, Lock};
use quorate_txn::{LockMode, LockWait};
use sqlparser::ast::{self, Spanned};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rows to change: the table's own columns, and the relation that finds them.
struct Target {
    table: Arc<Table>,
    cols: Vec<Col>,
    rel: Rel,
}

impl Binder<'_> {
    pub(super) fn update(&mut self, update: &ast::Update) -> Result<Bound> {
        self.tag = "UPDATE";
        let span = update.update_token.0.span;
        let foreign = update.or.is_some()
            || update.output.is_some()
            || update.settings.is_some()
            || !update.order_by.is_empty()
            || update.limit.is_some();
        self.refuse(foreign, "this clause of UPDATE", "It is not part of PostgreSQL's UPDATE.", span)?;
        let from: &[ast::TableWithJoins] = match &update.from {
            None => &[],
            Some(ast::UpdateTableFromKind::AfterSet(from) | ast::UpdateTableFromKind::BeforeSet(from)) => from,
        };
        let target = self.target(&update.table, from, update.selection.as_ref())?;
        let set = self.assignments(&target.table.clone(), &update.assignments);
        let returning = set.and_then(|set| {
            let returning = update.returning.as_deref().map(|list| self.in_returning(list)).transpose()?;
            Ok((set, returning))
        });
        self.levels.pop();
        let (set, returning) = returning?;
        let changed: Vec<usize> = set.iter().map(|(place, _)| *place).collect();
        let Target { table, cols, rel } = target;
        let (query, set, returning) = self.change_query(cols, rel, set, returning)?;
        let update = plan::Update {
            source: super::insert::no_source(),
            set,
            checks: self.checks(&table)?,
            foreign_keys: self.foreign_key_checks(&table, Some(&changed))?,
            referenced_by: self.foreign_key_actions(&table, Some(&changed))?,
            returning,
            table,
        };
        Ok(Bound::Update(Box::new(update), query))
    }

    pub(super) fn delete(&mut self, delete: &ast::Delete) -> Result<Bound> {
        self.tag = "DELETE";
        let span = delete.delete_token.0.span;
        let foreign = !delete.tables.is_empty()
            || delete.output.is_some()
            || delete.settings.is_some()
            || !delete.order_by.is_empty()
            || delete.limit.is_some();
        self.refuse(foreign, "this clause of DELETE", "It is not part of PostgreSQL's DELETE.", span)?;
        let (ast::FromTable::WithFromKeyword(tables) | ast::FromTable::WithoutKeyword(tables)) = &delete.from;
        let [only] = tables.as_slice() else {
            let error = Error::unsupported("DELETE from several tables is not supported", "Use USING for the others.");
            return Err(self.at(error, span));
        };
        let using = delete.using.as_deref().unwrap_or(&[]);
        let target = self.target(only, using, delete.selection.as_ref())?;
        let returning = delete.returning.as_deref().map(|list| self.in_returning(list)).transpose();
        self.levels.pop();
        let Target { table, cols, rel } = target;
        let (query, _, returning) = self.change_query(cols, rel, Vec::new(), returning?)?;
        let delete = plan::Delete {
            source: super::insert::no_source(),
            referenced_by: self.foreign_key_actions(&table, None)?,
            returning,
            table,
        };
        Ok(Bound::Delete(Box::new(delete), query))
    }

    fn in_returning(&mut self, list: &[ast::SelectItem]) -> Result<Vec<Expr>> {
        if let Some(level) = self.levels.last_mut() {
            level.clause = "RETURNING";
        }
        self.returning_items(list)
    }

    /// Binds the table, FROM or USING, and WHERE. The level stays, for SET and RETURNING; the caller takes it off.
    fn target(
        &mut self,
        item: &ast::TableWithJoins,
        from: &[ast::TableWithJoins],
        filter: Option<&ast::Expr>,
    ) -> Result<Target> {
        let ast::TableFactor::Table { name, alias, args: None, .. } = &item.relation else {
            let error = Error::unsupported("only tables can be changed", "Name a table.");
            return Err(self.at(error, item.span()));
        };
        self.refuse_factor(&item.relation)?;
        self.refuse(!item.joins.is_empty(), "a join after the table to change", "Use FROM or USING.", item.span())?;
        let table = self.table_named(name)?;
        let shown = alias.as_ref().map_or(table.name.clone(), |alias| ident(&alias.name));
        let schema = match alias {
            None => self.context.catalog.schema_name(table.schema).map(str::to_string),
            Some(_) => None,
        };
        let row = self.row_scope(&table, &shown, schema);
        let lock = Some(Lock { mode: LockMode::Update, wait: LockWait::Wait });
        let mut rel = Rel::Table { table: table.clone(), columns: row.cols.clone(), alias: shown, lock };
        let mut scope = super::scope::Scope::of_table(row.table);
        if !from.is_empty() {
            let (other, names) = self.bind_from(from)?;
            scope = scope.join(names);
            rel = Rel::Join {
                left: Box::new(rel),
                right: Box::new(other),
                kind: JoinKind::Inner,
                on: Expr::bool(true),
                lateral: false,
            };
        }
        self.levels.push(Level::with_scope("WHERE", scope));
        if let Some(filter) = filter {
            let bound = self.expr(filter).and_then(|bound| self.condition(bound, "WHERE", filter.span()));
            let predicate = match bound {
                Ok(predicate) => predicate,
                Err(error) => {
                    self.levels.pop();
                    return Err(error);
                }
            };
            rel = Rel::Filter { input: Box::new(rel), predicate };
        }
        if let Some(level) = self.levels.last_mut() {
            level.clause = "UPDATE";
        }
        Ok(Target { table, cols: row.cols, rel })
    }

    /// The query that yields the old row, then what else SET and RETURNING read; these over its slots.
    fn change_query(
        &mut self,
        cols: Vec<Col>,
        rel: Rel,
        mut set: Vec<(usize, Expr)>,
        mut returning: Option<Vec<Expr>>,
    ) -> Result<(Query, Vec<(usize, Expr)>, Option<Vec<Expr>>)> {
        let mut columns = cols;
        let mut computed = Vec::new();
        // The query computes what has subqueries in it.
        let lifted = set.iter_mut().map(|(_, expr)| expr);
        for expr in lifted {
            if expr.any(&mut |part| matches!(part, Expr::Subquery(_))) {
                let col = self.new_col(expr.ty().clone());
                computed.push((col.clone(), std::mem::replace(expr, col.expr())));
            }
        }
        let rel = match computed.is_empty() {
            true => rel,
            false => Rel::Extend { input: Box::new(rel), columns: computed },
        };
        let all = set.iter().map(|(_, expr)| expr).chain(returning.iter().flatten());
        let mut others: BTreeMap<usize, Col> = BTreeMap::new();
        for expr in all {
            columns_in(expr, &mut |id, ty| {
                if columns.iter().all(|col| col.id != id) {
                    others.insert(id, Col { id, ty: ty.clone() });
                }
            });
        }
        columns.extend(others.into_values());
        let slots = slots(columns.iter());
        for expr in set.iter_mut().map(|(_, expr)| expr).chain(returning.iter_mut().flatten()) {
            self.to_slots(expr, &slots)?;
        }
        Ok((Query { rel, columns }, set, returning))
    }
}
