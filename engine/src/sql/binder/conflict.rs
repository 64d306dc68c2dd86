//! ON CONFLICT and RETURNING: expressions over the row that exists and the row that was meant to be.

use super::scope::{Level, Scope, ScopeColumn, ScopeTable, ident, name_parts, name_span};
use super::{Binder, OutputColumn};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{IndexId, Table};
use crate::sql::optimizer::logical::{Col, ColId};
use crate::sql::plan::Expr;
use crate::sql::plan::dml::{ConflictUpdate, OnConflict};
use sqlparser::ast::{self, Spanned};
use std::collections::BTreeMap;

/// The names of a table's row under an alias, with fresh columns.
pub(super) struct RowScope {
    pub(super) cols: Vec<Col>,
    pub(super) table: ScopeTable,
}

impl Binder<'_> {
    pub(super) fn row_scope(&mut self, table: &Table, alias: &str, schema: Option<String>) -> RowScope {
        let mut columns = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let col = self.table_col(alias, &column.name, column.ty.clone(), Some((table.id, column.id)));
            columns.push(ScopeColumn { name: column.name.clone(), col, hidden: column.hidden });
        }
        let cols = columns.iter().map(|column| column.col.clone()).collect();
        RowScope { cols, table: ScopeTable { schema, alias: alias.to_string(), columns } }
    }

    pub(super) fn on_conflict(&mut self, table: &Table, alias: &str, conflict: &ast::OnConflict) -> Result<OnConflict> {
        let arbiter = match &conflict.conflict_target {
            None => None,
            Some(target) => Some(self.arbiter(table, target)?),
        };
        let update = match &conflict.action {
            ast::OnConflictAction::DoNothing => None,
            ast::OnConflictAction::DoUpdate(update) => Some(self.conflict_update(table, alias, update)?),
        };
        if update.is_some() && arbiter.is_none() {
            let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
            let error = Error::new(SqlState::SYNTAX_ERROR, message);
            return Err(error.with_hint("For example, ON CONFLICT (column_name)."));
        }
        Ok(OnConflict { arbiter, update })
    }

    fn arbiter(&self, table: &Table, target: &ast::ConflictTarget) -> Result<IndexId> {
        match target {
            ast::ConflictTarget::Columns { columns, predicate } => {
                let span = columns.first().map_or(sqlparser::tokenizer::Span::empty(), |column| column.span);
                self.refuse(predicate.is_some(), "WHERE after the ON CONFLICT columns", "Leave it out.", span)?;
                let mut ids = Vec::with_capacity(columns.len());
                for column in columns {
                    let place = self.target_column(table, &ident(column), column.span)?;
                    ids.push(table.columns[place].id);
                }
                ids.sort_unstable();
                ids.dedup();
                let fits = |index: &&crate::sql::catalog::Index| {
                    let mut key: Vec<_> = index.columns.iter().map(|key| key.column).collect();
                    key.sort_unstable();
                    index.unique && index.ready && key == ids
                };
                table.all_indexes().find(fits).map(|index| index.id).ok_or_else(|| {
                    let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
                    self.at(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message), span)
                })
            }
            ast::ConflictTarget::OnConstraint(name) => {
                let wanted = name_parts(name)?.pop().unwrap_or_default();
                let found = table.all_indexes().find(|index| index.name == wanted && index.unique);
                found.map(|index| index.id).ok_or_else(|| {
                    let message = format!("constraint \"{wanted}\" for table \"{}\" does not exist", table.name);
                    self.at(Error::new(SqlState::UNDEFINED_OBJECT, message), name_span(name))
                })
            }
        }
    }

    fn conflict_update(&mut self, table: &Table, alias: &str, update: &ast::DoUpdate) -> Result<ConflictUpdate> {
        let old = self.row_scope(table, alias, None);
        let excluded = self.row_scope(table, "excluded", None);
        // Bare names mean the row that exists.
        let scope = Scope { columns: old.table.columns.clone(), tables: vec![old.table, excluded.table] };
        let slots = slots(old.cols.iter().chain(&excluded.cols));
        self.levels.push(Level::with_scope("ON CONFLICT", scope));
        let set = self.assignments(table, &update.assignments);
        let filter = match &update.selection {
            Some(filter) => {
                let bound = self.expr(filter);
                bound.and_then(|bound| self.condition(bound, "WHERE", filter.span())).map(Some)
            }
            None => Ok(None),
        };
        self.levels.pop();
        let (mut set, mut filter) = (set?, filter?);
        for (_, expr) in &mut set {
            self.to_slots(expr, &slots)?;
        }
        if let Some(filter) = &mut filter {
            self.to_slots(filter, &slots)?;
        }
        Ok(ConflictUpdate { set, filter })
    }

    /// SET: places and values, cast to the columns' types.
    pub(super) fn assignments(&mut self, table: &Table, list: &[ast::Assignment]) -> Result<Vec<(usize, Expr)>> {
        let mut set: Vec<(usize, Expr)> = Vec::with_capacity(list.len());
        for assignment in list {
            match (&assignment.target, &assignment.value) {
                (ast::AssignmentTarget::ColumnName(name), value) => self.assignment(table, name, value, &mut set)?,
                (ast::AssignmentTarget::Tuple(names), ast::Expr::Tuple(values)) if names.len() == values.len() => {
                    for (name, value) in names.iter().zip(values) {
                        self.assignment(table, name, value, &mut set)?;
                    }
                }
                (ast::AssignmentTarget::Tuple(names), ast::Expr::Tuple(_)) => {
                    let message = "number of columns does not match number of values".to_string();
                    let span = names.first().map_or(sqlparser::tokenizer::Span::empty(), name_span);
                    return self.fail(SqlState::SYNTAX_ERROR, message, span);
                }
                (ast::AssignmentTarget::Tuple(_), value) => {
                    let hint = "Give each column its own value or subquery.";
                    let error = Error::unsupported("assigning a row from a subquery is not supported", hint);
                    return Err(self.at(error, value.span()));
                }
            }
        }
        Ok(set)
    }

    fn assignment(
        &mut self,
        table: &Table,
        name: &ast::ObjectName,
        value: &ast::Expr,
        set: &mut Vec<(usize, Expr)>,
    ) -> Result<()> {
        let column = name_parts(name)?.pop().unwrap_or_default();
        let place = self.target_column(table, &column, name_span(name))?;
        if set.iter().any(|(known, _)| *known == place) {
            let message = format!("multiple assignments to same column \"{column}\"");
            return self.fail(SqlState::SYNTAX_ERROR, message, name_span(name));
        }
        let column = &table.columns[place];
        let value = if super::insert::is_default(value) {
            self.default_of(column)?
        } else {
            if column.identity == Some(crate::sql::catalog::Identity::Always) {
                let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
                return self.fail(SqlState::GENERATED_ALWAYS, message, name_span(name));
            }
            let bound = self.expr(value)?;
            self.assign_named(bound, &column.ty, Some(&column.name), value.span())?
        };
        set.push((place, value));
        Ok(())
    }

    /// RETURNING over the new row of one table: slots are places of its columns.
    pub(super) fn returning(
        &mut self,
        table: &Table,
        alias: &str,
        list: Option<&[ast::SelectItem]>,
    ) -> Result<Option<Vec<Expr>>> {
        let Some(list) = list else { return Ok(None) };
        let row = self.row_scope(table, alias, None);
        let slots = slots(row.cols.iter());
        self.levels.push(Level::with_scope("RETURNING", Scope::of_table(row.table)));
        let bound = self.returning_items(list);
        self.levels.pop();
        let mut exprs = bound?;
        for expr in &mut exprs {
            self.to_slots(expr, &slots)?;
        }
        Ok(Some(exprs))
    }

    /// Binds RETURNING in the current level and notes the columns of the result.
    pub(super) fn returning_items(&mut self, list: &[ast::SelectItem]) -> Result<Vec<Expr>> {
        let items = self.items(list)?;
        let mut exprs = Vec::with_capacity(items.len());
        let mut columns = Vec::with_capacity(items.len());
        for item in items {
            let expr = self.decided(item.expr)?;
            let origin = match &expr {
                Expr::Column { slot, .. } => self.facts.get(slot).and_then(|facts| facts.origin),
                _ => None,
            };
            columns.push(OutputColumn { name: item.name, ty: expr.ty().clone(), origin });
            exprs.push(expr);
        }
        self.result = Some(columns);
        Ok(exprs)
    }

    /// Puts slots in the place of column ids. Subqueries have no place in these expressions.
    pub(super) fn to_slots(&self, expr: &mut Expr, slots: &BTreeMap<ColId, usize>) -> Result<()> {
        let mut refused = false;
        expr.transform(&mut |part| match part {
            Expr::Column { slot, .. } => match slots.get(slot) {
                Some(place) => *slot = *place,
                None => refused = true,
            },
            Expr::Subquery(_) => refused = true,
            _ => {}
        });
        if refused {
            return Err(Error::unsupported(
                "subqueries are not supported here",
                "Query first, and pass the value; or use UPDATE ... FROM.",
            ));
        }
        Ok(())
    }
}

/// Slots by column id, in order.
pub(super) fn slots<'c>(cols: impl Iterator<Item = &'c Col>) -> BTreeMap<ColId, usize> {
    cols.enumerate().map(|(slot, col)| (col.id, slot)).collect()
}
