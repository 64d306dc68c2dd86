//! The logical tree between binder and optimizer: relational algebra over column ids.
//!
//! ```text
//!  binder ─► Query { rel, columns } ─► rewrite, choose indexes and joins ─► plan::Node (slots)
//! ```
//! Every value that a query makes has a [`ColId`] of its own for the whole statement; `Expr::Column::slot`
//! holds that id until the optimizer lays out rows. A column that is not made below the place of its use comes from
//! outside: the subquery or lateral side is correlated.
//!
//! Invariant: an id is made by exactly one relation (or CTE reference) of a statement.

use crate::sql::catalog::{Table, VirtualTable};
use crate::sql::plan::{AggregateCall, CompareOp, Expr, JoinKind, Lock, SetOperation, SortKey, TableFunction};
use crate::sql::types::Type;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Names a value within a statement, in the `slot` of `Expr::Column`.
pub type ColId = usize;

/// A column made by a relation.
#[derive(Clone, Debug)]
pub struct Col {
    /// Its id.
    pub id: ColId,
    /// Its type.
    pub ty: Type,
}

impl Col {
    /// An expression that reads it.
    pub fn expr(&self) -> Expr {
        Expr::Column { slot: self.id, ty: self.ty.clone() }
    }
}

/// A relation: a bag of rows over columns with ids.
#[derive(Clone, Debug)]
pub enum Rel {
    /// A table; `columns[i]` is `table.columns[i]`.
    Table {
        /// Which.
        table: Arc<Table>,
        /// Ids of all its columns.
        columns: Vec<Col>,
        /// The name by which the query calls it.
        alias: String,
        /// FOR UPDATE and the like.
        lock: Option<Lock>,
    },
    /// A system table; `columns[i]` is `table.columns[i]`.
    Virtual {
        /// Which.
        table: Arc<VirtualTable>,
        /// Ids of all its columns.
        columns: Vec<Col>,
    },
    /// A materialised WITH query.
    Cte {
        /// Its place in the statement's list.
        index: usize,
        /// Its name.
        name: String,
        /// Ids of this reference's columns.
        columns: Vec<Col>,
    },
    /// A set-returning function.
    Function {
        /// Which.
        function: TableFunction,
        /// Its arguments.
        args: Vec<Expr>,
        /// WITH ORDINALITY: the last column.
        ordinality: bool,
        /// What it yields.
        columns: Vec<Col>,
    },
    /// Rows of expressions.
    Values {
        /// The rows.
        rows: Vec<Vec<Expr>>,
        /// What it yields.
        columns: Vec<Col>,
    },
    /// Rows for which a condition holds.
    Filter {
        /// Where rows come from.
        input: Box<Rel>,
        /// The condition.
        predicate: Expr,
    },
    /// Adds computed columns; the columns of the input stay visible.
    Extend {
        /// Where rows come from.
        input: Box<Rel>,
        /// New columns.
        columns: Vec<(Col, Expr)>,
    },
    /// Adds columns by set-returning functions, which multiply the rows.
    ExtendSet {
        /// Where rows come from.
        input: Box<Rel>,
        /// Functions with their arguments and the column each makes.
        functions: Vec<(Col, TableFunction, Vec<Expr>)>,
    },
    /// A join.
    Join {
        /// Left side.
        left: Box<Rel>,
        /// Right side.
        right: Box<Rel>,
        /// What to do with and without partners.
        kind: JoinKind,
        /// The condition.
        on: Expr,
        /// The right side may see the left one.
        lateral: bool,
    },
    /// Groups.
    Aggregate {
        /// Where rows come from.
        input: Box<Rel>,
        /// Group keys.
        groups: Vec<(Col, Expr)>,
        /// Aggregates.
        aggregates: Vec<(Col, AggregateCall)>,
    },
    /// Sorted rows.
    Sort {
        /// Where rows come from.
        input: Box<Rel>,
        /// By what.
        keys: Vec<SortKey>,
    },
    /// At most `limit` rows after skipping `offset`.
    Limit {
        /// Where rows come from.
        input: Box<Rel>,
        /// LIMIT.
        limit: Option<Expr>,
        /// OFFSET.
        offset: Option<Expr>,
    },
    /// Rows distinct in `columns` (those of the result), or the first of each value of `on`.
    Distinct {
        /// Where rows come from.
        input: Box<Rel>,
        /// The columns compared and kept.
        columns: Vec<Col>,
        /// DISTINCT ON.
        on: Option<Vec<Expr>>,
    },
    /// UNION, EXCEPT, INTERSECT.
    SetOp {
        /// Which.
        operation: SetOperation,
        /// ALL.
        all: bool,
        /// Left side with its columns in order.
        left: Box<Query>,
        /// Right side with its columns in order.
        right: Box<Query>,
        /// What it yields.
        columns: Vec<Col>,
    },
}

/// A relation with its result columns in order. A column may occur more than once.
#[derive(Clone, Debug)]
pub struct Query {
    /// Where rows come from.
    pub rel: Rel,
    /// What is shown of them.
    pub columns: Vec<Col>,
}

/// What an expression makes of the rows of a subquery.
#[derive(Clone, Debug)]
pub enum SubqueryKind {
    /// The one value.
    Scalar,
    /// Whether there is a row.
    Exists,
    /// All values as an array.
    Array,
    /// `left op ANY/ALL (subquery)`.
    Quantified {
        /// Values of the row of the expression.
        left: Vec<Expr>,
        /// The comparison.
        op: CompareOp,
        /// ALL instead of ANY.
        all: bool,
    },
}

/// A subquery in an expression.
#[derive(Clone, Debug)]
pub struct Subquery {
    /// What is made of its rows.
    pub kind: SubqueryKind,
    /// The rows.
    pub query: Query,
    /// The type of the value.
    pub ty: Type,
}

impl Rel {
    /// Visits the expressions of this relation itself, not of its inputs.
    pub fn own_exprs(&self, visit: &mut dyn FnMut(&Expr)) {
        match self {
            Rel::Table { .. } | Rel::Virtual { .. } | Rel::Cte { .. } | Rel::SetOp { .. } => {}
            Rel::Function { args, .. } => args.iter().for_each(visit),
            Rel::Values { rows, .. } => rows.iter().flatten().for_each(visit),
            Rel::Filter { predicate, .. } => visit(predicate),
            Rel::Extend { columns, .. } => columns.iter().for_each(|(_, expr)| visit(expr)),
            Rel::ExtendSet { functions, .. } => functions.iter().flat_map(|(_, _, args)| args).for_each(visit),
            Rel::Join { on, .. } => visit(on),
            Rel::Aggregate { groups, aggregates, .. } => {
                groups.iter().for_each(|(_, expr)| visit(expr));
                for (_, call) in aggregates {
                    call.args.iter().chain(&call.filter).for_each(&mut *visit);
                    call.order_by.iter().for_each(|key| visit(&key.expr));
                }
            }
            Rel::Sort { keys, .. } => keys.iter().for_each(|key| visit(&key.expr)),
            Rel::Limit { limit, offset, .. } => limit.iter().chain(offset).for_each(visit),
            Rel::Distinct { columns, on, .. } => {
                columns.iter().for_each(|col| visit(&col.expr()));
                on.iter().flatten().for_each(visit);
            }
        }
    }

    /// Visits the inputs.
    pub fn inputs(&self, visit: &mut dyn FnMut(&Rel)) {
        match self {
            Rel::Filter { input, .. }
            | Rel::Extend { input, .. }
            | Rel::ExtendSet { input, .. }
            | Rel::Aggregate { input, .. }
            | Rel::Sort { input, .. }
            | Rel::Limit { input, .. }
            | Rel::Distinct { input, .. } => visit(input),
            Rel::Join { left, right, .. } => {
                visit(left);
                visit(right);
            }
            Rel::SetOp { left, right, .. } => {
                visit(&left.rel);
                visit(&right.rel);
            }
            Rel::Table { .. } | Rel::Virtual { .. } | Rel::Cte { .. } | Rel::Function { .. } | Rel::Values { .. } => {}
        }
    }

    /// Columns that this relation makes itself.
    fn own_columns(&self, visit: &mut dyn FnMut(&Col)) {
        match self {
            Rel::Table { columns, .. }
            | Rel::Virtual { columns, .. }
            | Rel::Cte { columns, .. }
            | Rel::Function { columns, .. }
            | Rel::Values { columns, .. }
            | Rel::SetOp { columns, .. } => columns.iter().for_each(visit),
            Rel::Extend { columns, .. } => columns.iter().for_each(|(col, _)| visit(col)),
            Rel::ExtendSet { functions, .. } => functions.iter().for_each(|(col, _, _)| visit(col)),
            Rel::Aggregate { groups, aggregates, .. } => {
                groups.iter().for_each(|(col, _)| visit(col));
                aggregates.iter().for_each(|(col, _)| visit(col));
            }
            Rel::Filter { .. } | Rel::Join { .. } | Rel::Sort { .. } | Rel::Limit { .. } | Rel::Distinct { .. } => {}
        }
    }

    /// All columns made here or below.
    pub fn made(&self) -> BTreeSet<ColId> {
        let mut made = BTreeSet::new();
        self.collect_made(&mut made);
        made
    }

    fn collect_made(&self, made: &mut BTreeSet<ColId>) {
        self.own_columns(&mut |col| {
            made.insert(col.id);
        });
        self.inputs(&mut |input| input.collect_made(made));
    }

    /// Columns that rows of this relation hold.
    pub fn visible(&self) -> BTreeSet<ColId> {
        let mut visible = BTreeSet::new();
        self.own_columns(&mut |col| {
            visible.insert(col.id);
        });
        match self {
            Rel::Aggregate { .. } | Rel::SetOp { .. } => {}
            Rel::Distinct { columns, on: None, .. } => visible.extend(columns.iter().map(|col| col.id)),
            Rel::Join { left, kind: JoinKind::Semi | JoinKind::Anti, .. } => visible.extend(left.visible()),
            _ => self.inputs(&mut |input| visible.extend(input.visible())),
        }
        visible
    }

    /// Columns read here or below that are made elsewhere.
    pub fn free(&self) -> BTreeSet<ColId> {
        let mut used = BTreeSet::new();
        self.collect_used(&mut used);
        let made = self.made();
        used.retain(|id| !made.contains(id));
        used
    }

    fn collect_used(&self, used: &mut BTreeSet<ColId>) {
        self.own_exprs(&mut |expr| collect_columns(expr, used));
        if let Rel::SetOp { left, right, .. } = self {
            used.extend(left.columns.iter().chain(&right.columns).map(|col| col.id));
        }
        self.inputs(&mut |input| input.collect_used(used));
    }
}

impl Query {
    /// Columns read in the query that are made outside of it.
    pub fn free(&self) -> BTreeSet<ColId> {
        let mut free = self.rel.free();
        let made = self.rel.made();
        free.extend(self.columns.iter().map(|col| col.id).filter(|id| !made.contains(id)));
        free
    }
}

/// Adds the columns that an expression reads; of subqueries, those from outside.
pub fn collect_columns(expr: &Expr, used: &mut BTreeSet<ColId>) {
    expr.walk(&mut |part| match part {
        Expr::Column { slot, .. } => {
            used.insert(*slot);
        }
        Expr::Subquery(subquery) => {
            used.extend(subquery.query.free());
            if let SubqueryKind::Quantified { left, .. } = &subquery.kind {
                left.iter().for_each(|expr| collect_columns(expr, used));
            }
        }
        _ => {}
    });
}

/// The columns that an expression reads; of subqueries, those from outside.
pub fn columns_of(expr: &Expr) -> BTreeSet<ColId> {
    let mut used = BTreeSet::new();
    collect_columns(expr, &mut used);
    used
}

/// Visits the columns that a subquery reads from outside, with their types.
pub fn columns_of_subquery(subquery: &Subquery, visit: &mut dyn FnMut(ColId, &Type)) {
    let made = subquery.query.rel.made();
    typed_columns(&subquery.query.rel, &made, visit);
    if let SubqueryKind::Quantified { left, .. } = &subquery.kind {
        let nothing = BTreeSet::new();
        left.iter().for_each(|expr| typed_columns_of(expr, &nothing, visit));
    }
}

fn typed_columns(rel: &Rel, made: &BTreeSet<ColId>, visit: &mut dyn FnMut(ColId, &Type)) {
    rel.own_exprs(&mut |expr| typed_columns_of(expr, made, visit));
    rel.inputs(&mut |input| typed_columns(input, made, visit));
}

fn typed_columns_of(expr: &Expr, made: &BTreeSet<ColId>, visit: &mut dyn FnMut(ColId, &Type)) {
    expr.walk(&mut |part| match part {
        Expr::Column { slot, ty } if !made.contains(slot) => visit(*slot, ty),
        Expr::Subquery(inner) => columns_of_subquery(inner, &mut |id, ty| {
            if !made.contains(&id) {
                visit(id, ty);
            }
        }),
        _ => {}
    });
}
