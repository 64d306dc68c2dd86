//! Rewrites of logical trees that make better plans possible.
//!
//! * A WITH query that is used once becomes part of the query (unless rows are changed by calls in it).
//! * A condition `EXISTS (...)` or `x IN (SELECT ...)` becomes a semi join, `NOT EXISTS` an anti join, when the
//!   subquery's references to the outside are conditions of its own WHERE. `NOT IN` stays: NULLs make it different.
//! * LEFT JOIN becomes INNER where a condition above fails for rows without partner.

use super::build::Planner;
use super::logical::{ColId, Query, Rel, Subquery, SubqueryKind, columns_of};
use crate::sql::plan::{CompareOp, Expr, JoinKind};
use std::collections::BTreeSet;

/// The parts of a conjunction.
pub(super) fn conjuncts_of(predicate: Expr) -> Vec<Expr> {
    match predicate {
        Expr::And(parts) => parts.into_iter().flat_map(conjuncts_of).collect(),
        Expr::Literal { value: crate::sql::types::Value::Bool(true), .. } => Vec::new(),
        other => vec![other],
    }
}

impl Planner {
    pub(super) fn rewrite(&mut self, query: Query) -> Query {
        let mut uses = vec![0_usize; self.cte_queries.len()];
        count_ctes(&query.rel, &mut uses);
        for query in self.cte_queries.iter().flatten() {
            count_ctes(&query.rel, &mut uses);
        }
        let rel = self.rewritten(query.rel, &uses);
        Query { rel, columns: query.columns }
    }

    fn rewritten(&mut self, rel: Rel, uses: &[usize]) -> Rel {
        let rel = match rel {
            Rel::Cte { index, name, columns } => return self.inlined(index, name, columns, uses),
            Rel::Filter { input, predicate } => {
                let input = self.rewritten(*input, uses);
                let predicate = self.rewritten_expr(predicate, uses);
                return semi_joins(input, predicate);
            }
            other => other,
        };
        self.rewritten_inputs(rel, uses)
    }

    fn rewritten_inputs(&mut self, rel: Rel, uses: &[usize]) -> Rel {
        let mut rel = rel;
        match &mut rel {
            Rel::Extend { input, columns } => {
                self.replace(input, uses);
                columns.iter_mut().for_each(|(_, expr)| self.replace_expr(expr, uses));
            }
            Rel::ExtendSet { input, .. } | Rel::Limit { input, .. } | Rel::Distinct { input, .. } => {
                self.replace(input, uses);
            }
            Rel::Sort { input, keys } => {
                self.replace(input, uses);
                keys.iter_mut().for_each(|key| self.replace_expr(&mut key.expr, uses));
            }
            Rel::Aggregate { input, groups, aggregates } => {
                self.replace(input, uses);
                groups.iter_mut().for_each(|(_, expr)| self.replace_expr(expr, uses));
                for (_, call) in aggregates {
                    call.args.iter_mut().chain(&mut call.filter).for_each(|expr| self.replace_expr(expr, uses));
                }
            }
            Rel::Join { left, right, on, .. } => {
                self.replace(left, uses);
                self.replace(right, uses);
                self.replace_expr(on, uses);
            }
            Rel::SetOp { left, right, .. } => {
                self.replace(&mut left.rel, uses);
                self.replace(&mut right.rel, uses);
            }
            Rel::Values { rows, .. } => {
                rows.iter_mut().flatten().for_each(|expr| self.replace_expr(expr, uses));
            }
            Rel::Filter { .. } | Rel::Table { .. } | Rel::Virtual { .. } | Rel::Cte { .. } | Rel::Function { .. } => {}
        }
        rel
    }

    fn replace(&mut self, rel: &mut Rel, uses: &[usize]) {
        let taken = std::mem::replace(rel, nothing());
        *rel = self.rewritten(taken, uses);
    }

    fn replace_expr(&mut self, expr: &mut Expr, uses: &[usize]) {
        expr.transform(&mut |part| {
            if let Expr::Subquery(subquery) = part {
                let taken = std::mem::replace(&mut subquery.query.rel, nothing());
                subquery.query.rel = self.rewritten(taken, uses);
            }
        });
    }

    fn rewritten_expr(&mut self, mut expr: Expr, uses: &[usize]) -> Expr {
        self.replace_expr(&mut expr, uses);
        expr
    }

    /// A WITH query used once stands where it is used.
    fn inlined(&mut self, index: usize, name: String, columns: Vec<super::logical::Col>, uses: &[usize]) -> Rel {
        let once = uses.get(index) == Some(&1);
        let taken = match self.cte_queries.get_mut(index) {
            Some(query) if once => query.take(),
            _ => None,
        };
        let Some(query) = taken else {
            // Used more than once: rewritten where it stands, once.
            if let Some(mut query) = self.cte_queries.get_mut(index).and_then(Option::take) {
                query.rel = self.rewritten(query.rel, uses);
                self.cte_queries[index] = Some(query);
            }
            return Rel::Cte { index, name, columns };
        };
        let rel = self.rewritten(query.rel, uses);
        let renamed = columns.into_iter().zip(query.columns).map(|(col, from)| (col, from.expr())).collect();
        Rel::Extend { input: Box::new(rel), columns: renamed }
    }
}

fn nothing() -> Rel {
    Rel::Values { rows: Vec::new(), columns: Vec::new() }
}

fn count_ctes(rel: &Rel, uses: &mut [usize]) {
    if let Rel::Cte { index, .. } = rel
        && let Some(count) = uses.get_mut(*index)
    {
        *count += 1;
    }
    rel.own_exprs(&mut |expr| count_in_expr(expr, uses));
    rel.inputs(&mut |input| count_ctes(input, uses));
}

fn count_in_expr(expr: &Expr, uses: &mut [usize]) {
    expr.walk(&mut |part| {
        if let Expr::Subquery(subquery) = part {
            count_ctes(&subquery.query.rel, uses);
            if let SubqueryKind::Quantified { left, .. } = &subquery.kind {
                left.iter().for_each(|expr| count_in_expr(expr, uses));
            }
        }
    });
}

/// Makes joins of the conditions that are EXISTS or IN.
fn semi_joins(input: Rel, predicate: Expr) -> Rel {
    let mut rel = input;
    let mut rest = Vec::new();
    for conjunct in conjuncts_of(predicate) {
        match as_semi_join(conjunct) {
            Ok((query, on, kind)) => {
                rel = Rel::Join { left: Box::new(rel), right: Box::new(query), kind, on, lateral: false };
            }
            Err(conjunct) => rest.push(conjunct),
        }
    }
    match rest.is_empty() {
        true => rel,
        false => Rel::Filter { input: Box::new(rel), predicate: Expr::and(rest) },
    }
}

type SemiJoin = (Rel, Expr, JoinKind);

fn as_semi_join(conjunct: Expr) -> Result<SemiJoin, Expr> {
    match conjunct {
        Expr::Subquery(subquery) => match *subquery {
            Subquery { kind: SubqueryKind::Exists, query, ty } => {
                join_of(query, Vec::new(), JoinKind::Semi).map_err(|query| restore(SubqueryKind::Exists, query, ty))
            }
            Subquery { kind: SubqueryKind::Quantified { left, op: CompareOp::Eq, all: false }, query, ty } => {
                let equal = left
                    .iter()
                    .zip(&query.columns)
                    .map(|(left, right)| Expr::compare(CompareOp::Eq, left.clone(), right.expr()))
                    .collect();
                join_of(query, equal, JoinKind::Semi).map_err(|query| {
                    restore(SubqueryKind::Quantified { left, op: CompareOp::Eq, all: false }, query, ty)
                })
            }
            other => Err(Expr::Subquery(Box::new(other))),
        },
        Expr::Not(inner) => match *inner {
            Expr::Subquery(subquery) => match *subquery {
                Subquery { kind: SubqueryKind::Exists, query, ty } => join_of(query, Vec::new(), JoinKind::Anti)
                    .map_err(|query| Expr::Not(Box::new(restore(SubqueryKind::Exists, query, ty)))),
                other => Err(Expr::Not(Box::new(Expr::Subquery(Box::new(other))))),
            },
            other => Err(Expr::Not(Box::new(other))),
        },
        other => Err(other),
    }
}

fn restore(kind: SubqueryKind, query: Query, ty: crate::sql::types::Type) -> Expr {
    Expr::Subquery(Box::new(Subquery { kind, query, ty }))
}

/// The right side and condition of a semi or anti join, if all references to the outside are in the top conditions.
fn join_of(query: Query, mut on: Vec<Expr>, kind: JoinKind) -> Result<SemiJoin, Query> {
    if !is_joinable(&query) || on.iter().any(super::build::has_subquery) {
        return Err(query);
    }
    let (rel, pulled) = pull_conditions(query.rel);
    on.extend(pulled);
    Ok((rel, Expr::and(on), kind))
}

fn is_joinable(query: &Query) -> bool {
    let free = query.free();
    let mut rel = &query.rel;
    // Computed columns and orders above the conditions are harmless; limits and groups are not.
    while let Rel::Extend { input, columns } = rel {
        if columns.iter().any(|(_, expr)| !columns_of(expr).is_disjoint(&free) || super::build::has_subquery(expr)) {
            return false;
        }
        rel = input;
    }
    let Rel::Filter { input, predicate } = rel else {
        return free.is_empty() && !matches!(rel, Rel::Limit { .. }) || query.free().is_empty();
    };
    if query.columns.iter().any(|col| free.contains(&col.id)) {
        return false;
    }
    let refers = |expr: &Expr| !columns_of(expr).is_disjoint(&free) && super::build::has_subquery(expr);
    let nested = conjuncts_of(predicate.clone()).iter().any(refers);
    !nested && input.free().is_disjoint(&free)
}

/// Takes the conditions with references to the outside off the tree.
fn pull_conditions(rel: Rel) -> (Rel, Vec<Expr>) {
    let free = rel.free();
    match rel {
        Rel::Extend { input, columns } => {
            let (input, pulled) = pull_conditions(*input);
            (Rel::Extend { input: Box::new(input), columns }, pulled)
        }
        Rel::Filter { input, predicate } => {
            let (pulled, kept): (Vec<Expr>, Vec<Expr>) =
                conjuncts_of(predicate).into_iter().partition(|conjunct| !columns_of(conjunct).is_disjoint(&free));
            let rel = match kept.is_empty() {
                true => *input,
                false => Rel::Filter { input, predicate: Expr::and(kept) },
            };
            (rel, pulled)
        }
        other => (other, Vec::new()),
    }
}

/// Whether a condition cannot be true when all columns of `columns` are NULL.
pub(super) fn rejects_null(conjunct: &Expr, columns: &BTreeSet<ColId>) -> bool {
    match conjunct {
        Expr::Compare { left, right, .. } => is_null_with(left, columns) || is_null_with(right, columns),
        Expr::InList { input, .. } | Expr::Like { input, .. } | Expr::Regex { input, .. } => {
            is_null_with(input, columns)
        }
        Expr::IsNull { input, negated: true } => is_null_with(input, columns),
        Expr::Column { slot, .. } => columns.contains(slot),
        Expr::Quantified { left, .. } => is_null_with(left, columns),
        _ => false,
    }
}

/// Whether an expression is NULL when these columns are.
fn is_null_with(expr: &Expr, columns: &BTreeSet<ColId>) -> bool {
    match expr {
        Expr::Column { slot, .. } => columns.contains(slot),
        Expr::Cast { input, .. } | Expr::Negate { input, .. } => is_null_with(input, columns),
        Expr::Binary { left, right, .. } => is_null_with(left, columns) || is_null_with(right, columns),
        Expr::Call { function, args, .. } => function.is_strict() && args.iter().any(|arg| is_null_with(arg, columns)),
        _ => false,
    }
}
