//! `Program`: a plan in the form in which it is run, made once and shared by executions.
//!
//! A [`Tree`] is a plan node whose inputs are shared (`Arc`), so that an operator can own its part of the plan, and
//! with the layout of keys and rows worked out.

use super::dml::TableLayout;
use super::keys::ScanLayout;
use crate::error::Result;
use crate::sql::catalog::VirtualTable;
use crate::sql::plan::{
    AggregateCall, ApplyKind, CteId, Expr, JoinKind, Node, NodeKind, Plan, PlanBody, Scan, SetOperation, SortKey,
    TableFunction,
};
use crate::sql::types::Type;
use std::sync::Arc;

/// A plan ready to run.
#[derive(Debug)]
pub struct Program {
    /// The plan that it was made from.
    pub plan: Arc<Plan>,
    /// The rows: of the query, or what INSERT, UPDATE, DELETE or COPY TO read.
    pub source: Option<Arc<Tree>>,
    /// Subqueries that run before the body.
    pub init: Vec<(ApplyKind, Arc<Tree>)>,
    /// Materialised WITH queries.
    pub ctes: Vec<Arc<Tree>>,
    /// The table that is changed.
    pub target: Option<Arc<TableLayout>>,
}

/// A node of a program.
#[derive(Debug)]
pub struct Tree {
    /// What it does.
    pub step: Step,
    /// Where rows come from.
    pub inputs: Vec<Arc<Tree>>,
    /// Types of the values of its rows.
    pub types: Vec<Type>,
}

/// What a node does; see [`NodeKind`], whose cases these are.
#[derive(Debug)]
pub enum Step {
    /// Rows of a table.
    Scan(Box<Scan>, ScanLayout),
    /// Rows of a system table.
    VirtualScan(Arc<VirtualTable>, Vec<usize>),
    /// Rows of a WITH query.
    CteScan(CteId),
    /// Rows of a function.
    FunctionScan {
        /// Which.
        function: TableFunction,
        /// Arguments.
        args: Vec<Expr>,
        /// A last column that counts.
        ordinality: bool,
    },
    /// Rows given.
    Values(Vec<Vec<Expr>>),
    /// A condition.
    Filter(Expr),
    /// New values.
    Project(Vec<Expr>),
    /// Set-returning functions of the select list.
    ProjectSet(Vec<(TableFunction, Vec<Expr>)>),
    /// Join by hashing the right input.
    HashJoin {
        /// Which rows come out.
        kind: JoinKind,
        /// Over the left row.
        left_keys: Vec<Expr>,
        /// Over the right row.
        right_keys: Vec<Expr>,
        /// Over both.
        filter: Option<Expr>,
    },
    /// Join by trying pairs.
    NestedLoop {
        /// Which rows come out.
        kind: JoinKind,
        /// Over both rows.
        filter: Option<Expr>,
        /// The right input sees the left row.
        lateral: bool,
    },
    /// Join by looking rows up.
    LookupJoin {
        /// The table.
        scan: Box<Scan>,
        /// Its encoding.
        layout: ScanLayout,
        /// Which rows come out.
        kind: JoinKind,
        /// Over both rows.
        filter: Option<Expr>,
    },
    /// Groups.
    Aggregate {
        /// Keys.
        groups: Vec<Expr>,
        /// Aggregates.
        aggregates: Vec<AggregateCall>,
    },
    /// Order.
    Sort(Vec<SortKey>, Option<Expr>),
    /// LIMIT and OFFSET.
    Limit(Option<Expr>, Option<Expr>),
    /// DISTINCT [ON].
    Distinct(Option<Vec<Expr>>),
    /// UNION ALL.
    Append,
    /// UNION, EXCEPT, INTERSECT.
    SetOp(SetOperation, bool),
    /// A subquery per row; inputs are the rows and the subquery.
    Apply(ApplyKind, bool),
}

impl Program {
    /// Makes a program of a plan.
    pub fn new(plan: Arc<Plan>) -> Result<Program> {
        let source = match &plan.body {
            PlanBody::Query(node) => Some(node),
            PlanBody::Insert(insert) => Some(&insert.source),
            PlanBody::Update(update) => Some(&update.source),
            PlanBody::Delete(delete) => Some(&delete.source),
            PlanBody::CopyFrom(copy) => Some(&copy.insert.source),
            PlanBody::CopyTo(copy) => Some(&copy.source),
            PlanBody::Ddl(ddl) => match ddl.as_ref() {
                crate::sql::plan::Ddl::CreateTable(create) => create.source.as_ref(),
                _ => None,
            },
            _ => None,
        };
        let source = source.map(Tree::new).transpose()?;
        let init = plan.init.iter().map(|init| Ok((init.kind.clone(), Tree::new(&init.node)?)));
        let init = init.collect::<Result<_>>()?;
        let ctes = plan.ctes.iter().map(Tree::new).collect::<Result<_>>()?;
        let target = match &plan.body {
            PlanBody::Insert(insert) => Some(&insert.table),
            PlanBody::Update(update) => Some(&update.table),
            PlanBody::Delete(delete) => Some(&delete.table),
            PlanBody::CopyFrom(copy) => Some(&copy.insert.table),
            _ => None,
        };
        let target = target.map(|table| Arc::new(TableLayout::new(table.clone())));
        Ok(Program { source, init, ctes, target, plan })
    }
}

impl Tree {
    /// Makes a tree of a node and all below it.
    pub fn new(node: &Node) -> Result<Arc<Tree>> {
        let mut inputs = Vec::new();
        for input in children(&node.kind) {
            inputs.push(Tree::new(input)?);
        }
        Ok(Arc::new(Tree { step: step(&node.kind)?, inputs, types: node.types.clone() }))
    }
}

fn children(kind: &NodeKind) -> Vec<&Node> {
    match kind {
        NodeKind::Scan(_)
        | NodeKind::VirtualScan { .. }
        | NodeKind::CteScan { .. }
        | NodeKind::FunctionScan { .. }
        | NodeKind::Values { .. } => Vec::new(),
        NodeKind::Filter { input, .. }
        | NodeKind::Project { input, .. }
        | NodeKind::ProjectSet { input, .. }
        | NodeKind::Aggregate { input, .. }
        | NodeKind::Sort { input, .. }
        | NodeKind::Limit { input, .. }
        | NodeKind::Distinct { input, .. } => vec![input],
        NodeKind::LookupJoin { left, .. } => vec![left],
        NodeKind::HashJoin { left, right, .. }
        | NodeKind::NestedLoop { left, right, .. }
        | NodeKind::SetOp { left, right, .. } => vec![left, right],
        NodeKind::Append { inputs } => inputs.iter().collect(),
        NodeKind::Apply { input, subquery, .. } => vec![input, subquery],
    }
}

fn step(kind: &NodeKind) -> Result<Step> {
    Ok(match kind.clone() {
        NodeKind::Scan(scan) => {
            let layout = ScanLayout::new(&scan)?;
            Step::Scan(scan, layout)
        }
        NodeKind::VirtualScan { table, columns } => Step::VirtualScan(table, columns),
        NodeKind::CteScan { cte, .. } => Step::CteScan(cte),
        NodeKind::FunctionScan { function, args, ordinality } => Step::FunctionScan { function, args, ordinality },
        NodeKind::Values { rows } => Step::Values(rows),
        NodeKind::Filter { predicate, .. } => Step::Filter(predicate),
        NodeKind::Project { exprs, .. } => Step::Project(exprs),
        NodeKind::ProjectSet { functions, .. } => Step::ProjectSet(functions),
        NodeKind::HashJoin { kind, left_keys, right_keys, filter, .. } => {
            Step::HashJoin { kind, left_keys, right_keys, filter }
        }
        NodeKind::NestedLoop { kind, filter, lateral, .. } => Step::NestedLoop { kind, filter, lateral },
        NodeKind::LookupJoin { scan, kind, filter, .. } => {
            let layout = ScanLayout::new(&scan)?;
            Step::LookupJoin { scan, layout, kind, filter }
        }
        NodeKind::Aggregate { groups, aggregates, .. } => Step::Aggregate { groups, aggregates },
        NodeKind::Sort { keys, limit, .. } => Step::Sort(keys, limit),
        NodeKind::Limit { limit, offset, .. } => Step::Limit(limit, offset),
        NodeKind::Distinct { on, .. } => Step::Distinct(on),
        NodeKind::Append { .. } => Step::Append,
        NodeKind::SetOp { operation, all, .. } => Step::SetOp(operation, all),
        NodeKind::Apply { kind, correlated, .. } => Step::Apply(kind, correlated),
    })
}
