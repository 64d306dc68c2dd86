//! GROUP BY: keys, and what the other clauses may refer to after grouping.
//!
//! After grouping a row holds the keys and the aggregates. In the select list, HAVING and ORDER BY, an expression equal
//! to a key becomes the key's column; a column of FROM that is left over is an error (42803), unless its table's whole
//! primary key is among the keys: then it is one more key.

use super::Binder;
use super::select::Item;
use crate::error::{Error, Result, SqlState};
use crate::sql::optimizer::logical::{Col, Rel};
use crate::sql::plan::{AggregateCall, Expr};
use sqlparser::ast::{self, Spanned};
use std::collections::BTreeSet;

impl Binder<'_> {
    /// The keys of GROUP BY; `None` if there is no such clause.
    pub(super) fn group_keys(&mut self, group_by: &ast::GroupByExpr, items: &[Item]) -> Result<Option<Vec<Expr>>> {
        let exprs = match group_by {
            ast::GroupByExpr::Expressions(exprs, modifiers) if modifiers.is_empty() => exprs,
            other => {
                return Err(self
                    .at(Error::unsupported("this form of GROUP BY is not supported", "Name the keys."), other.span()));
            }
        };
        if exprs.is_empty() {
            return Ok(None);
        }
        let mut keys: Vec<Expr> = Vec::with_capacity(exprs.len());
        for expr in exprs {
            if let ast::Expr::GroupingSets(_) | ast::Expr::Cube(_) | ast::Expr::Rollup(_) = expr {
                let hint = "Use UNION ALL of several GROUP BY queries.";
                return Err(self.at(Error::unsupported("grouping sets are not supported", hint), expr.span()));
            }
            let key = match self.ordinal(expr, items.len(), "GROUP BY")? {
                Some(place) => items[place].expr.clone(),
                None => self.group_key(expr, items)?,
            };
            let key = self.decided(key)?;
            if self.holds_aggregate(&key, items) {
                let message = "aggregate functions are not allowed in GROUP BY".to_string();
                return self.fail(SqlState::GROUPING_ERROR, message, expr.span());
            }
            keys.push(key);
        }
        Ok(Some(keys))
    }

    /// A bare name is a column of FROM before it is an output column.
    fn group_key(&mut self, expr: &ast::Expr, items: &[Item]) -> Result<Expr> {
        let bound = self.expr(expr);
        let (Err(error), ast::Expr::Identifier(name)) = (&bound, expr) else { return bound };
        if !error.is(SqlState::UNDEFINED_COLUMN) {
            return bound;
        }
        let wanted = super::scope::ident(name);
        match items.iter().find(|item| item.name == wanted) {
            Some(item) => Ok(item.expr.clone()),
            None => bound,
        }
    }

    /// Whether an expression taken from the select list reads a column that no relation of FROM made.
    fn holds_aggregate(&self, key: &Expr, items: &[Item]) -> bool {
        let known = |id: usize| {
            self.facts.contains_key(&id)
                || self.levels.iter().any(|level| level.scope.columns.iter().any(|column| column.col.id == id))
        };
        !items.is_empty() && key.any(&mut |part| matches!(part, Expr::Column { slot, .. } if !known(*slot)))
    }

    /// Groups `rel`, and rewrites the expressions that come after.
    pub(super) fn grouped(
        &mut self,
        rel: Rel,
        keys: Vec<Expr>,
        aggregates: Vec<(Col, AggregateCall)>,
        mut over: Vec<&mut Expr>,
    ) -> Result<Rel> {
        let mut groups: Vec<(Col, Expr)> = Vec::with_capacity(keys.len());
        let mut shown: Vec<String> = Vec::with_capacity(keys.len());
        for key in keys {
            let text = format!("{key:?}");
            if shown.contains(&text) {
                continue;
            }
            let col = match &key {
                Expr::Column { slot, ty } => Col { id: *slot, ty: ty.clone() },
                other => self.new_col(other.ty().clone()),
            };
            shown.push(text);
            groups.push((col, key));
        }
        let inside: BTreeSet<usize> = self.scope_columns();
        let determined = self.determined(&groups);
        let mut extra: Vec<(Col, Expr)> = Vec::new();
        for expr in &mut over {
            let mut wrong = None;
            replace(expr, &shown, &groups);
            let fine = |id: usize| !inside.contains(&id) || groups.iter().any(|(col, _)| col.id == id);
            columns_in(expr, &mut |id, ty| {
                if !fine(id) {
                    if determined.contains(&id) {
                        extra.push((Col { id, ty: ty.clone() }, Expr::Column { slot: id, ty: ty.clone() }));
                    } else {
                        wrong = wrong.or(Some(id));
                    }
                }
            });
            if let Some(id) = wrong {
                return Err(self.ungrouped(id));
            }
        }
        for (col, expr) in extra {
            if groups.iter().all(|(known, _)| known.id != col.id) {
                groups.push((col, expr));
            }
        }
        Ok(Rel::Aggregate { input: Box::new(rel), groups, aggregates })
    }

    fn ungrouped(&self, id: usize) -> Error {
        let name = match self.facts.get(&id) {
            Some(facts) if facts.table.is_empty() => facts.name.clone(),
            Some(facts) => format!("{}.{}", facts.table, facts.name),
            None => "?".to_string(),
        };
        let message =
            format!("column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function");
        let error = Error::new(SqlState::GROUPING_ERROR, message);
        match self.seen.get(&id) {
            Some(span) => self.at(error, *span),
            None => error,
        }
    }

    /// Ids of all columns that FROM of this level made.
    fn scope_columns(&self) -> BTreeSet<usize> {
        let Some(level) = self.levels.last() else { return BTreeSet::new() };
        let tables = level.scope.tables.iter().flat_map(|table| table.columns.iter());
        tables.chain(&level.scope.columns).map(|column| column.col.id).collect()
    }

    /// Columns of tables whose primary key is among the group keys.
    fn determined(&self, groups: &[(Col, Expr)]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let Some(level) = self.levels.last() else { return found };
        for table in &level.scope.tables {
            let origin =
                |column: &super::scope::ScopeColumn| self.facts.get(&column.col.id).and_then(|facts| facts.origin);
            let Some((id, _)) = table.columns.first().and_then(origin) else { continue };
            let Some(descriptor) = self.context.catalog.table(id) else { continue };
            let keyed = descriptor.has_primary_key()
                && descriptor.primary.columns.iter().all(|key| {
                    let is_key = |(col, _): &(Col, Expr)| {
                        self.facts.get(&col.id).and_then(|facts| facts.origin) == Some((id, key.column))
                            && table.columns.iter().any(|column| column.col.id == col.id)
                    };
                    groups.iter().any(is_key)
                });
            if keyed {
                found.extend(table.columns.iter().map(|column| column.col.id));
            }
        }
        found
    }
}

/// Puts the columns of keys in the place of expressions equal to keys; not inside subqueries, whose references to a
/// key that is a plain column stay right.
fn replace(expr: &mut Expr, shown: &[String], groups: &[(Col, Expr)]) {
    let text = format!("{expr:?}");
    if let Some(place) = shown.iter().position(|key| *key == text) {
        *expr = groups[place].0.expr();
        return;
    }
    expr.children_mut(&mut |child| replace(child, shown, groups));
}

/// Visits the columns that an expression reads, those of subqueries included.
pub(super) fn columns_in(expr: &Expr, visit: &mut dyn FnMut(usize, &crate::sql::types::Type)) {
    expr.walk(&mut |part| match part {
        Expr::Column { slot, ty } => visit(*slot, ty),
        Expr::Subquery(subquery) => {
            crate::sql::optimizer::logical::columns_of_subquery(subquery, &mut |id, ty| visit(id, ty));
        }
        _ => {}
    });
}
