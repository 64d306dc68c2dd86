//! Groups and aggregates.
//!
//! A condition on keys that are plain columns holds for whole groups and goes below. MIN or MAX of a column alone reads
//! one row, if an index gives the rows in its order.

use super::access::{self, Order};
use super::build::{Built, Planner, Want, has_subquery};
use super::logical::{Col, ColId, Rel, columns_of};
use crate::error::Result;
use crate::sql::plan::{AggregateCall, AggregateFunction, Expr, Node, NodeKind};
use crate::sql::types::{Type, Value};
use std::collections::BTreeSet;

impl Planner {
    pub(super) fn aggregate(
        &mut self,
        input: Rel,
        groups: Vec<(Col, Expr)>,
        aggregates: Vec<(Col, AggregateCall)>,
        conjuncts: Vec<Expr>,
        want: &Want,
    ) -> Result<Built> {
        // A condition on keys that are plain columns holds for whole groups: it goes below.
        let plain: BTreeSet<ColId> = groups
            .iter()
            .filter(|(col, expr)| matches!(expr, Expr::Column { slot, .. } if *slot == col.id))
            .map(|(col, _)| col.id)
            .collect();
        let made: BTreeSet<ColId> =
            groups.iter().map(|(col, _)| col.id).chain(aggregates.iter().map(|(col, _)| col.id)).collect();
        let goes_down = |conjunct: &Expr| {
            let used = columns_of(conjunct);
            !groups.is_empty()
                && used.iter().all(|id| plain.contains(id) || !made.contains(id))
                && !has_subquery(conjunct)
        };
        let (down, here): (Vec<Expr>, Vec<Expr>) = conjuncts.into_iter().partition(goes_down);
        let kept = Want::columns(want.columns.clone()).and_exprs(&here).columns;
        let aggregates: Vec<(Col, AggregateCall)> =
            aggregates.into_iter().filter(|(col, _)| kept.contains(&col.id)).collect();
        let parts = |call: &AggregateCall| -> Vec<Expr> {
            call.args.iter().chain(&call.filter).chain(call.order_by.iter().map(|key| &key.expr)).cloned().collect()
        };
        let read: Vec<Expr> = aggregates.iter().flat_map(|(_, call)| parts(call)).collect();
        let mut below = Want::default().and_exprs(groups.iter().map(|(_, expr)| expr)).and_exprs(&read);
        let extreme = if groups.is_empty() { extreme_order(&aggregates) } else { None };
        let mut down = down;
        if let Some((order, not_null)) = extreme {
            below.order = order;
            below.limit = Some(Expr::literal(Value::Int8(1), Type::Int8));
            down.push(not_null);
        }
        let built = self.build(input, down, &below)?;
        let built = self.first_of_order(built, &below);
        self.aggregate_node(built, groups, aggregates).and_then(|built| self.filter(built, here))
    }

    /// MIN and MAX read one row if the rows come in the right order.
    fn first_of_order(&mut self, built: Built, want: &Want) -> Built {
        if want.order.is_empty() || !access::satisfied(&built.order, &want.order) {
            return built;
        }
        let types = built.node.types.clone();
        let kind = NodeKind::Limit { input: Box::new(built.node), limit: want.limit.clone(), offset: None };
        Built { node: Node { kind, types, rows: 1.0 }, layout: built.layout, order: built.order }
    }

    fn aggregate_node(
        &mut self,
        mut built: Built,
        groups: Vec<(Col, Expr)>,
        aggregates: Vec<(Col, AggregateCall)>,
    ) -> Result<Built> {
        let mut layout = Vec::with_capacity(groups.len() + aggregates.len());
        let mut types = Vec::with_capacity(groups.len() + aggregates.len());
        let mut keys = Vec::with_capacity(groups.len());
        for (col, expr) in groups {
            keys.push(self.lift(expr, &mut built)?);
            layout.push(col.id);
            types.push(col.ty);
        }
        let mut calls = Vec::with_capacity(aggregates.len());
        for (col, mut call) in aggregates {
            for expr in
                call.args.iter_mut().chain(&mut call.filter).chain(call.order_by.iter_mut().map(|key| &mut key.expr))
            {
                let taken = std::mem::replace(expr, Expr::bool(true));
                *expr = self.lift(taken, &mut built)?;
            }
            layout.push(col.id);
            types.push(col.ty);
            calls.push(call);
        }
        for call in &mut calls {
            for expr in
                call.args.iter_mut().chain(&mut call.filter).chain(call.order_by.iter_mut().map(|key| &mut key.expr))
            {
                let taken = std::mem::replace(expr, Expr::bool(true));
                *expr = self.slots(taken, &built.layout)?;
            }
        }
        let keys = self.all_slots(keys, &built.layout)?;
        let rows = if keys.is_empty() { 1.0 } else { (built.node.rows * 0.1).max(1.0) };
        let kind = NodeKind::Aggregate { input: Box::new(built.node), groups: keys, aggregates: calls };
        Ok(Built { node: Node { kind, types, rows }, layout, order: Order::new() })
    }
}

/// The order in which the first row is the result of the only aggregate, MIN or MAX of a column.
fn extreme_order(aggregates: &[(Col, AggregateCall)]) -> Option<(Order, Expr)> {
    let [(_, call)] = aggregates else { return None };
    let descending = match call.function {
        AggregateFunction::Min => false,
        AggregateFunction::Max => true,
        _ => return None,
    };
    let [arg @ Expr::Column { slot, .. }] = call.args.as_slice() else { return None };
    if call.filter.is_some() {
        return None;
    }
    Some((vec![(*slot, descending)], Expr::IsNull { input: Box::new(arg.clone()), negated: true }))
}
