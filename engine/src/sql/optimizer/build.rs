//! From relations to operators.
//!
//! `build` takes a relation, the conditions that hold above it, and what is wanted of it; it returns an operator with
//! the layout of its rows. Conditions travel down as lists of conjuncts over column ids and become spans, filters or
//! join keys where all their columns are present; then ids become slots of the layout, or slots of rows outside.
//!
//! Invariant: the rows of a `Built` satisfy all conjuncts that were passed in.
//! Invariant: a layout holds every wanted column that the relation makes.

use super::access::{self, Order};
use super::cost;
use super::logical::{Col, ColId, Query, Rel, collect_columns, columns_of};
use super::rewrite::conjuncts_of;
use super::scan::{TableSource, relaid};
use crate::error::{Error, Result};
use crate::sql::plan::node::SetOperation;
use crate::sql::plan::{Expr, InitPlan, Node, NodeKind, SortKey, TableFunction};
use crate::sql::types::{Type, Value};
use std::collections::BTreeSet;

/// An operator and the columns of its rows.
pub(super) struct Built {
    pub(super) node: Node,
    pub(super) layout: Vec<ColId>,
    pub(super) order: Order,
}

/// What is wanted of a relation by those above.
#[derive(Clone, Default)]
pub(super) struct Want {
    pub(super) columns: BTreeSet<ColId>,
    /// An order that would save a sort.
    pub(super) order: Order,
    /// At most so many rows will be read.
    pub(super) limit: Option<Expr>,
}

impl Want {
    pub(super) fn columns(columns: BTreeSet<ColId>) -> Want {
        Want { columns, ..Want::default() }
    }

    pub(super) fn and_exprs<'e>(mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Want {
        exprs.into_iter().for_each(|expr| collect_columns(expr, &mut self.columns));
        self
    }
}

/// The state of planning one statement.
pub(super) struct Planner {
    pub(super) next_col: ColId,
    /// Layouts of the rows outside, the nearest last.
    pub(super) outer: Vec<Vec<ColId>>,
    pub(super) init: Vec<InitPlan>,
    pub(super) cte_queries: Vec<Option<Query>>,
    pub(super) cte_nodes: Vec<Option<Node>>,
}

impl Planner {
    pub(super) fn new(next_col: ColId, ctes: Vec<Query>) -> Planner {
        let cte_nodes = ctes.iter().map(|_| None).collect();
        Planner {
            next_col,
            outer: Vec::new(),
            init: Vec::new(),
            cte_queries: ctes.into_iter().map(Some).collect(),
            cte_nodes,
        }
    }

    pub(super) fn finish(self) -> (Vec<InitPlan>, Vec<Node>) {
        (self.init, self.cte_nodes.into_iter().map(|node| node.unwrap_or_else(nothing)).collect())
    }

    pub(super) fn new_col(&mut self) -> ColId {
        self.next_col += 1;
        self.next_col - 1
    }

    /// A query: its columns in order.
    pub(super) fn query(&mut self, query: Query, limit: Option<Expr>) -> Result<Built> {
        let columns = query.columns.iter().map(|col| col.id).collect();
        let want = Want { columns, order: Order::new(), limit };
        let built = self.build(query.rel, Vec::new(), &want)?;
        self.project_to(built, &query.columns)
    }

    /// Rows of exactly these columns, in order.
    fn project_to(&mut self, built: Built, columns: &[Col]) -> Result<Built> {
        let ids: Vec<ColId> = columns.iter().map(|col| col.id).collect();
        if built.layout == ids {
            return Ok(built);
        }
        // A scan can lay out its values as they are wanted.
        if let NodeKind::Scan(_) = &built.node.kind
            && let Some(built) = relaid(&built, &ids)
        {
            return Ok(built);
        }
        let mut exprs = Vec::with_capacity(columns.len());
        for col in columns {
            exprs.push(self.slots(col.expr(), &built.layout)?);
        }
        let types = columns.iter().map(|col| col.ty.clone()).collect();
        Ok(self.project(built, exprs, types, ids))
    }

    fn project(&mut self, built: Built, exprs: Vec<Expr>, types: Vec<Type>, layout: Vec<ColId>) -> Built {
        let Built { mut node, order, .. } = built;
        let mut exprs = exprs;
        if let NodeKind::Project { input, exprs: inner } = &mut node.kind
            && may_merge(&exprs, inner)
        {
            exprs.iter_mut().for_each(|expr| put_in(expr, inner));
            node = std::mem::replace(&mut **input, nothing());
        }
        let rows = node.rows;
        Built { node: Node { kind: NodeKind::Project { input: Box::new(node), exprs }, types, rows }, layout, order }
    }

    /// Slots in the place of column ids: of the row at hand, or of a row outside.
    pub(super) fn slots(&self, mut expr: Expr, layout: &[ColId]) -> Result<Expr> {
        let mut missing = None;
        expr.transform(&mut |part| {
            let Expr::Column { slot, ty } = part else { return };
            if let Some(place) = layout.iter().position(|id| id == slot) {
                *slot = place;
                return;
            }
            let outside =
                self.outer.iter().rev().enumerate().find_map(|(depth, layout)| {
                    layout.iter().position(|id| id == slot).map(|place| (depth + 1, place))
                });
            match outside {
                Some((depth, place)) => *part = Expr::Outer { depth, slot: place, ty: ty.clone() },
                None => missing = Some(*slot),
            }
        });
        match missing {
            None => Ok(expr),
            Some(id) => Err(Error::internal(format!("column {id} is not among the rows at hand"))),
        }
    }

    pub(super) fn all_slots(&self, exprs: Vec<Expr>, layout: &[ColId]) -> Result<Vec<Expr>> {
        exprs.into_iter().map(|expr| self.slots(expr, layout)).collect()
    }

    pub(super) fn build(&mut self, rel: Rel, conjuncts: Vec<Expr>, want: &Want) -> Result<Built> {
        match rel {
            Rel::Filter { input, predicate } => {
                let mut all = conjuncts_of(predicate);
                all.extend(conjuncts);
                self.build(*input, all, want)
            }
            Rel::Table { table, columns, alias, lock } => {
                self.table(TableSource { table, columns, alias, lock }, conjuncts, want)
            }
            Rel::Join { .. } => self.join(rel, conjuncts, want),
            Rel::Extend { input, columns } => self.extend(*input, columns, conjuncts, want),
            Rel::ExtendSet { input, functions } => self.extend_set(*input, functions, conjuncts, want),
            Rel::Aggregate { input, groups, aggregates } => self.aggregate(*input, groups, aggregates, conjuncts, want),
            Rel::Sort { input, keys } => self.sort(*input, keys, conjuncts, want),
            Rel::Limit { input, limit, offset } => self.limit(*input, limit, offset, conjuncts, want),
            Rel::Distinct { input, columns, on } => self.distinct(*input, columns, on, conjuncts, want),
            Rel::SetOp { operation, all, left, right, columns } => {
                let built = self.set_op(operation, all, *left, *right, columns)?;
                self.filter(built, conjuncts)
            }
            Rel::Virtual { table, columns } => {
                let needed = Want::columns(want.columns.clone()).and_exprs(&conjuncts);
                let places: Vec<usize> =
                    (0..columns.len()).filter(|place| needed.columns.contains(&columns[*place].id)).collect();
                let layout = places.iter().map(|place| columns[*place].id).collect();
                let types = places.iter().map(|place| columns[*place].ty.clone()).collect();
                let node =
                    Node { kind: NodeKind::VirtualScan { table, columns: places }, types, rows: cost::VIRTUAL_ROWS };
                self.filter(Built { node, layout, order: Order::new() }, conjuncts)
            }
            Rel::Cte { index, name, columns } => {
                let built = self.cte(index, name, columns)?;
                self.filter(built, conjuncts)
            }
            Rel::Function { function, args, ordinality, columns } => {
                let args = self.lifted_without_input(args)?;
                let kind = NodeKind::FunctionScan { function, args, ordinality };
                let rows = if matches!(function, TableFunction::Scalar(_)) { 1.0 } else { cost::FUNCTION_ROWS };
                let built = leaf(kind, &columns, rows);
                self.filter(built, conjuncts)
            }
            Rel::Values { rows, columns } => {
                let built = self.values(rows, &columns)?;
                self.filter(built, conjuncts)
            }
        }
    }

    /// Keeps rows that satisfy all conjuncts; subqueries in them become Apply operators first.
    pub(super) fn filter(&mut self, mut built: Built, conjuncts: Vec<Expr>) -> Result<Built> {
        // What needs no subquery goes first.
        let (later, first): (Vec<Expr>, Vec<Expr>) = conjuncts.into_iter().partition(has_subquery);
        for group in [first, later] {
            if group.is_empty() {
                continue;
            }
            let mut parts = Vec::with_capacity(group.len());
            for conjunct in group {
                let lifted = self.lift(conjunct, &mut built)?;
                parts.push(self.slots(lifted, &built.layout)?);
            }
            let predicate = Expr::and(parts);
            if let Expr::Literal { value: Value::Bool(true), .. } = predicate {
                continue;
            }
            let rows = (built.node.rows * cost::FILTERED).max(1.0);
            let types = built.node.types.clone();
            built.node = Node { kind: NodeKind::Filter { input: Box::new(built.node), predicate }, types, rows };
        }
        Ok(built)
    }

    fn values(&mut self, rows: Vec<Vec<Expr>>, columns: &[Col]) -> Result<Built> {
        let count = rows.len() as f64;
        if !rows.iter().flatten().any(has_subquery) {
            let mut slotted = Vec::with_capacity(rows.len());
            for row in rows {
                slotted.push(self.all_slots(row, &[])?);
            }
            return Ok(leaf(NodeKind::Values { rows: slotted }, columns, count));
        }
        // Rows with subqueries in them: each row is a projection of the one empty row.
        let mut inputs = Vec::with_capacity(rows.len());
        for row in rows {
            let mut built = leaf(NodeKind::Values { rows: vec![Vec::new()] }, &[], 1.0);
            let mut exprs = Vec::with_capacity(row.len());
            for expr in row {
                let lifted = self.lift(expr, &mut built)?;
                exprs.push(lifted);
            }
            let exprs = self.all_slots(exprs, &built.layout)?;
            let types = columns.iter().map(|col| col.ty.clone()).collect();
            inputs.push(self.project(built, exprs, types, columns.iter().map(|col| col.id).collect()).node);
        }
        match inputs.len() {
            1 => Ok(Built {
                node: inputs.remove(0),
                layout: columns.iter().map(|col| col.id).collect(),
                order: Order::new(),
            }),
            _ => Ok(leaf(NodeKind::Append { inputs }, columns, count)),
        }
    }

    fn cte(&mut self, index: usize, name: String, columns: Vec<Col>) -> Result<Built> {
        if let Some(query) = self.cte_queries.get_mut(index).and_then(Option::take) {
            if !query.free().is_empty() {
                return Err(Error::unsupported(
                    "a WITH query that refers to the query around it cannot be used more than once",
                    "Write it as a subquery at each place.",
                ));
            }
            let outer = std::mem::take(&mut self.outer);
            let built = self.query(query, None);
            self.outer = outer;
            self.cte_nodes[index] = Some(built?.node);
        }
        let rows = self.cte_nodes.get(index).and_then(Option::as_ref).map_or(1.0, |node| node.rows);
        Ok(leaf(NodeKind::CteScan { cte: crate::sql::plan::CteId(index), name }, &columns, rows))
    }

    /// Computed columns. Conditions over them are put over their definitions, if these are cheap to repeat.
    fn extend(&mut self, input: Rel, columns: Vec<(Col, Expr)>, conjuncts: Vec<Expr>, want: &Want) -> Result<Built> {
        let own: BTreeSet<ColId> = columns.iter().map(|(col, _)| col.id).collect();
        let (mut down, mut here) = (Vec::new(), Vec::new());
        for mut conjunct in conjuncts {
            repeat_cheap(&mut conjunct, &columns);
            if columns_of(&conjunct).is_disjoint(&own) { down.push(conjunct) } else { here.push(conjunct) }
        }
        let used = Want::columns(want.columns.clone()).and_exprs(&here).columns;
        let columns: Vec<(Col, Expr)> = columns.into_iter().filter(|(col, _)| used.contains(&col.id)).collect();
        let mut below = Want {
            columns: used.iter().filter(|id| !own.contains(id)).copied().collect(),
            order: want.order.iter().map(|(id, descending)| (renamed(*id, &columns), *descending)).collect(),
            limit: want.limit.clone().filter(|_| here.is_empty()),
        };
        below = below.and_exprs(columns.iter().map(|(_, expr)| expr));
        if below.order.iter().any(|(id, _)| own.contains(id)) {
            below.order.clear();
            below.limit = None;
        }
        let mut built = self.build(input, down, &below)?;
        if columns.is_empty() {
            return self.filter(built, here);
        }
        // Rows in the order of a column are in the order of its copy.
        for key in &mut built.order {
            key.0 = want.order.iter().map(|(id, _)| *id).find(|id| renamed(*id, &columns) == key.0).unwrap_or(key.0);
        }
        let mut computed = Vec::with_capacity(columns.len());
        for (col, expr) in columns {
            let lifted = self.lift(expr, &mut built)?;
            computed.push((col, lifted));
        }
        let mut exprs = Vec::new();
        let mut types = Vec::new();
        let mut layout = Vec::new();
        for (slot, id) in built.layout.iter().enumerate() {
            if used.contains(id) {
                let ty = built.node.types[slot].clone();
                exprs.push(Expr::Column { slot, ty: ty.clone() });
                types.push(ty);
                layout.push(*id);
            }
        }
        for (col, expr) in computed {
            exprs.push(self.slots(expr, &built.layout)?);
            types.push(col.ty);
            layout.push(col.id);
        }
        let built = self.project(built, exprs, types, layout);
        self.filter(built, here)
    }

    fn extend_set(
        &mut self,
        input: Rel,
        functions: Vec<(Col, TableFunction, Vec<Expr>)>,
        conjuncts: Vec<Expr>,
        want: &Want,
    ) -> Result<Built> {
        let own: BTreeSet<ColId> = functions.iter().map(|(col, _, _)| col.id).collect();
        let (down, here): (Vec<Expr>, Vec<Expr>) =
            conjuncts.into_iter().partition(|conjunct| columns_of(conjunct).is_disjoint(&own));
        let below = Want::columns(want.columns.clone())
            .and_exprs(&here)
            .and_exprs(functions.iter().flat_map(|(_, _, args)| args));
        let mut built = self.build(input, down, &below)?;
        let mut calls = Vec::with_capacity(functions.len());
        let mut added = Vec::with_capacity(functions.len());
        for (col, function, args) in functions {
            let mut lifted = Vec::with_capacity(args.len());
            for arg in args {
                lifted.push(self.lift(arg, &mut built)?);
            }
            calls.push((function, lifted));
            added.push(col);
        }
        let mut slotted = Vec::with_capacity(calls.len());
        for (function, args) in calls {
            slotted.push((function, self.all_slots(args, &built.layout)?));
        }
        let mut types = built.node.types.clone();
        let mut layout = built.layout;
        types.extend(added.iter().map(|col| col.ty.clone()));
        layout.extend(added.iter().map(|col| col.id));
        let rows = built.node.rows * cost::FUNCTION_ROWS;
        let kind = NodeKind::ProjectSet { input: Box::new(built.node), functions: slotted };
        self.filter(Built { node: Node { kind, types, rows }, layout, order: built.order }, here)
    }

    fn sort(&mut self, input: Rel, keys: Vec<SortKey>, conjuncts: Vec<Expr>, want: &Want) -> Result<Built> {
        let order = column_order(&keys);
        let below = Want {
            columns: want.columns.clone(),
            order: order.clone().unwrap_or_default(),
            limit: want.limit.clone().filter(|_| order.is_some()),
        };
        let below = below.and_exprs(keys.iter().map(|key| &key.expr));
        let mut built = self.build(input, conjuncts, &below)?;
        if order.as_ref().is_some_and(|order| access::satisfied(&built.order, order)) {
            return Ok(built);
        }
        let mut lifted = Vec::with_capacity(keys.len());
        for key in keys {
            lifted.push(SortKey { expr: self.lift(key.expr, &mut built)?, ..key });
        }
        let mut slotted = Vec::with_capacity(lifted.len());
        for key in lifted {
            slotted.push(SortKey { expr: self.slots(key.expr, &built.layout)?, ..key });
        }
        let types = built.node.types.clone();
        let rows = built.node.rows;
        let kind = NodeKind::Sort { input: Box::new(built.node), keys: slotted, limit: want.limit.clone() };
        Ok(Built { node: Node { kind, types, rows }, layout: built.layout, order: order.unwrap_or_default() })
    }

    fn limit(
        &mut self,
        input: Rel,
        limit: Option<Expr>,
        offset: Option<Expr>,
        conjuncts: Vec<Expr>,
        want: &Want,
    ) -> Result<Built> {
        let (limit, offset) = (self.lifted_without_columns(limit)?, self.lifted_without_columns(offset)?);
        let below = Want { columns: want.columns.clone(), order: want.order.clone(), limit: most(&limit, &offset) };
        let below = below.and_exprs(&conjuncts);
        let built = self.build(input, Vec::new(), &below)?;
        // A point read that is limited to one row or more needs no limit.
        if let NodeKind::Scan(scan) = &built.node.kind
            && scan.is_point
            && offset.is_none()
            && matches!(&limit, Some(Expr::Literal { value, .. }) if value.as_i64().is_some_and(|limit| limit >= 1))
        {
            return self.filter(built, conjuncts);
        }
        let types = built.node.types.clone();
        let most = limit
            .as_ref()
            .and_then(Expr::as_literal)
            .and_then(Value::as_i64)
            .map_or(built.node.rows, |most| most as f64);
        let rows = built.node.rows.min(most.max(1.0));
        let kind = NodeKind::Limit { input: Box::new(built.node), limit, offset };
        let built = Built { node: Node { kind, types, rows }, layout: built.layout, order: built.order };
        self.filter(built, conjuncts)
    }

    fn distinct(
        &mut self,
        input: Rel,
        columns: Vec<Col>,
        on: Option<Vec<Expr>>,
        conjuncts: Vec<Expr>,
        want: &Want,
    ) -> Result<Built> {
        let ids: BTreeSet<ColId> = columns.iter().map(|col| col.id).collect();
        match on {
            None => {
                // A condition over compared columns holds for all repetitions of a row.
                let (down, here): (Vec<Expr>, Vec<Expr>) =
                    conjuncts.into_iter().partition(|conjunct| !has_subquery(conjunct));
                let mut unique: Vec<Col> = Vec::new();
                for col in columns {
                    if unique.iter().all(|known| known.id != col.id) {
                        unique.push(col);
                    }
                }
                let built = self.build(input, down, &Want::columns(ids))?;
                let built = self.project_to(built, &unique)?;
                let types = built.node.types.clone();
                let rows = (built.node.rows * 0.3).max(1.0);
                let kind = NodeKind::Distinct { input: Box::new(built.node), on: None };
                let built = Built { node: Node { kind, types, rows }, layout: built.layout, order: Order::new() };
                self.filter(built, here)
            }
            Some(on) => {
                let below =
                    Want::columns(want.columns.union(&ids).copied().collect()).and_exprs(&on).and_exprs(&conjuncts);
                let built = self.build(input, Vec::new(), &below)?;
                let on = self.all_slots(on, &built.layout)?;
                let types = built.node.types.clone();
                let rows = (built.node.rows * 0.3).max(1.0);
                let kind = NodeKind::Distinct { input: Box::new(built.node), on: Some(on) };
                let built = Built { node: Node { kind, types, rows }, layout: built.layout, order: built.order };
                self.filter(built, conjuncts)
            }
        }
    }

    fn set_op(
        &mut self,
        operation: SetOperation,
        all: bool,
        left: Query,
        right: Query,
        columns: Vec<Col>,
    ) -> Result<Built> {
        let left = self.query(left, None)?.node;
        let right = self.query(right, None)?.node;
        let rows = left.rows + right.rows;
        if operation == SetOperation::Union && all {
            let mut inputs = Vec::new();
            for side in [left, right] {
                match side.kind {
                    NodeKind::Append { inputs: more } => inputs.extend(more),
                    _ => inputs.push(side),
                }
            }
            return Ok(leaf(NodeKind::Append { inputs }, &columns, rows));
        }
        let kind = NodeKind::SetOp { operation, all, left: Box::new(left), right: Box::new(right) };
        Ok(leaf(kind, &columns, rows))
    }
}

/// An operator without rows, to stand where another was taken from.
pub(super) fn nothing() -> Node {
    Node { kind: NodeKind::Values { rows: Vec::new() }, types: Vec::new(), rows: 0.0 }
}

/// Whether a projection can be computed from what is below another: nothing costly or volatile would be done twice.
fn may_merge(exprs: &[Expr], inner: &[Expr]) -> bool {
    let mut uses = vec![0_usize; inner.len()];
    for expr in exprs {
        expr.walk(&mut |part| {
            if let Expr::Column { slot, .. } = part
                && let Some(count) = uses.get_mut(*slot)
            {
                *count += 1;
            }
        });
    }
    let is_free = |expr: &Expr| matches!(expr, Expr::Column { .. } | Expr::Literal { .. } | Expr::Parameter { .. });
    let is_volatile =
        |expr: &Expr| expr.any(&mut |part| matches!(part, Expr::Call { function, .. } if function.is_volatile()));
    inner.iter().zip(uses).all(|(expr, uses)| is_free(expr) || (uses <= 1 && !is_volatile(expr)))
}

/// Puts the expressions of a projection in the place of its slots.
fn put_in(expr: &mut Expr, inner: &[Expr]) {
    expr.transform(&mut |part| {
        if let Expr::Column { slot, .. } = part
            && let Some(found) = inner.get(*slot)
        {
            *part = found.clone();
        }
    });
}

/// The column that a computed column is a copy of; the column itself if it is none.
fn renamed(id: ColId, columns: &[(Col, Expr)]) -> ColId {
    columns
        .iter()
        .find_map(|(col, expr)| match expr {
            Expr::Column { slot, .. } if col.id == id => Some(*slot),
            _ => None,
        })
        .unwrap_or(id)
}

/// Puts the definitions of computed columns into a condition where that costs nothing.
fn repeat_cheap(conjunct: &mut Expr, columns: &[(Col, Expr)]) {
    conjunct.transform(&mut |part| {
        let Expr::Column { slot, .. } = part else { return };
        let definition = columns.iter().find(|(col, _)| col.id == *slot).map(|(_, expr)| expr);
        if let Some(definition @ (Expr::Column { .. } | Expr::Literal { .. } | Expr::Parameter { .. })) = definition {
            *part = definition.clone();
        }
    });
}

pub(super) fn leaf(kind: NodeKind, columns: &[Col], rows: f64) -> Built {
    Built {
        node: Node { kind, types: columns.iter().map(|col| col.ty.clone()).collect(), rows },
        layout: columns.iter().map(|col| col.id).collect(),
        order: Order::new(),
    }
}

pub(super) fn has_subquery(expr: &Expr) -> bool {
    expr.any(&mut |part| matches!(part, Expr::Subquery(_)))
}

/// The order as columns, if all keys are columns with PostgreSQL's default place of NULLs.
fn column_order(keys: &[SortKey]) -> Option<Order> {
    keys.iter()
        .map(|key| match &key.expr {
            Expr::Column { slot, .. } if key.nulls_first == key.descending => Some((*slot, key.descending)),
            _ => None,
        })
        .collect()
}

/// The rows that LIMIT and OFFSET together read at most.
fn most(limit: &Option<Expr>, offset: &Option<Expr>) -> Option<Expr> {
    let limit = limit.clone()?;
    let Some(offset) = offset.clone() else { return Some(limit) };
    match (limit.as_literal().and_then(Value::as_i64), offset.as_literal().and_then(Value::as_i64)) {
        (Some(limit), Some(offset)) => {
            Some(Expr::literal(Value::Int8(limit.saturating_add(offset.max(0))), Type::Int8))
        }
        _ => None,
    }
}
