//! Subqueries in expressions become operators.
//!
//! ```text
//!  depends on nothing outside      run once before everything: InitPlan, read by Expr::Init
//!  x = ANY (subquery)              Apply; run once if it depends on nothing outside
//!  depends on the row              Apply: run for each row, which it sees as Expr::Outer
//! ```

use super::build::{Built, Planner};
use super::logical::{Subquery, SubqueryKind};
use crate::error::{Error, Result};
use crate::sql::plan::{ApplyKind, Expr, InitPlan, Node, NodeKind};

impl Planner {
    /// The expression with its subqueries replaced by columns of Apply operators over `built`.
    pub(super) fn lift(&mut self, mut expr: Expr, built: &mut Built) -> Result<Expr> {
        if !super::build::has_subquery(&expr) {
            return Ok(expr);
        }
        let mut failed = None;
        lift_parts(&mut expr, &mut |subquery| match self.lift_one(subquery, built) {
            Ok(expr) => Some(expr),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(expr),
        }
    }

    fn lift_one(&mut self, subquery: Subquery, built: &mut Built) -> Result<Expr> {
        let Subquery { kind, query, ty } = subquery;
        let correlated = !query.free().is_empty();
        let kind = match kind {
            SubqueryKind::Scalar => ApplyKind::Scalar,
            SubqueryKind::Exists => ApplyKind::Exists,
            SubqueryKind::Array => ApplyKind::Array,
            SubqueryKind::Quantified { left, op, all } => {
                let mut lifted = Vec::with_capacity(left.len());
                for expr in left {
                    lifted.push(self.lift(expr, built)?);
                }
                ApplyKind::Quantified { left: self.all_slots(lifted, &built.layout)?, op, all }
            }
        };
        // Whether there is a row takes no more than one.
        let limit = match kind {
            ApplyKind::Exists => Some(Expr::literal(crate::sql::types::Value::Int8(1), crate::sql::types::Type::Int8)),
            _ => None,
        };
        if !correlated {
            let outer = std::mem::take(&mut self.outer);
            let sub = self.query(query, limit);
            self.outer = outer;
            let node = sub?.node;
            if !matches!(kind, ApplyKind::Quantified { .. }) {
                self.init.push(InitPlan { kind, node, ty: ty.clone() });
                return Ok(Expr::Init { index: self.init.len() - 1, ty });
            }
            return Ok(self.apply(built, node, kind, ty, false));
        }
        self.outer.push(built.layout.clone());
        let sub = self.query(query, limit);
        self.outer.pop();
        Ok(self.apply(built, sub?.node, kind, ty, true))
    }

    fn apply(
        &mut self,
        built: &mut Built,
        subquery: Node,
        kind: ApplyKind,
        ty: crate::sql::types::Type,
        correlated: bool,
    ) -> Expr {
        let id = self.new_col();
        let mut types = built.node.types.clone();
        types.push(ty.clone());
        let rows = built.node.rows;
        let input = Box::new(std::mem::replace(&mut built.node, super::build::nothing()));
        let kind = NodeKind::Apply { input, subquery: Box::new(subquery), kind, correlated };
        built.node = Node { kind, types, rows };
        built.layout.push(id);
        Expr::Column { slot: id, ty }
    }

    /// An expression that sees no row: its subqueries are init plans.
    pub(super) fn lifted_without_columns(&mut self, expr: Option<Expr>) -> Result<Option<Expr>> {
        let Some(expr) = expr else { return Ok(None) };
        let mut nothing = super::build::leaf(NodeKind::Values { rows: vec![Vec::new()] }, &[], 1.0);
        let lifted = self.lift(expr, &mut nothing)?;
        if !nothing.layout.is_empty() {
            return Err(Error::unsupported("a correlated subquery is not supported here", "Join instead."));
        }
        self.slots(lifted, &[]).map(Some)
    }

    /// Arguments of a function in FROM.
    pub(super) fn lifted_without_input(&mut self, args: Vec<Expr>) -> Result<Vec<Expr>> {
        let mut lifted = Vec::with_capacity(args.len());
        for arg in args {
            lifted.extend(self.lifted_without_columns(Some(arg))?);
        }
        Ok(lifted)
    }
}

/// Replaces each subquery of an expression, the innermost parts first; stops replacing after a failure.
fn lift_parts(expr: &mut Expr, replace: &mut dyn FnMut(Subquery) -> Option<Expr>) {
    expr.children_mut(&mut |child| lift_parts(child, replace));
    if matches!(expr, Expr::Subquery(_))
        && let Expr::Subquery(subquery) = std::mem::replace(expr, Expr::bool(true))
        && let Some(lifted) = replace(*subquery)
    {
        *expr = lifted;
    }
}
