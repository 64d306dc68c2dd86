//! Plans: what the optimizer decides and the executor does, as plain data.
//!
//! ```text
//!  Plan ── body ──┬─ Query(Node)           a tree of operators; rows flow from the leaves to the root
//!                 ├─ Insert/Update/Delete  a Node that yields the rows concerned, and what to do with each
//!                 ├─ Ddl(Ddl)              a change of the catalog, names resolved
//!                 └─ Copy, Explain, ShowRanges, ...
//!       ── init   subqueries that depend on nothing outside: run once, in order, before the body
//!       ── ctes   materialised WITH queries, run at first use, read by `CteScan`
//! ```
//! A row is a slice of values; an [`Expr`] names a value of its input row by slot. The row of a join is the left row
//! followed by the right row. Correlated subqueries and lateral sides see the rows outside by `Expr::Outer`: depth 1
//! is the row of the nearest enclosing `Apply` or lateral join.
//!
//! Invariant: expressions in a plan contain no subqueries and no names; every cast is explicit.
//! Invariant: a plan depends on the catalog version it was made for, the types of its parameters, and nothing else,
//! so that it may be cached and shared by sessions.

pub mod ddl;
pub mod dml;
pub mod explain;
pub mod expr;
pub mod function;
pub mod node;
mod show;

pub use ddl::Ddl;
pub use dml::{Delete, ForeignKeyAction, ForeignKeyCheck, Insert, OnConflict, TableCheck, Update};
pub use expr::{AggregateCall, CompareOp, Expr, Operator, SortKey};
pub use function::{AggregateFunction, Function, TableFunction};
pub use node::{ApplyKind, Bound, CteId, IndexSpan, JoinKind, Lock, Node, NodeKind, Scan, SetOperation};

use super::types::Type;
use crate::sql::catalog::ColumnId;
use crate::sql::catalog::TableId;
use crate::sql::parser::{CopyFormat, ExplainOptions};

/// A statement, bound and planned.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to do.
    pub body: PlanBody,
    /// Subqueries without outer references: run once, in order, before the body; read by `Expr::Init`.
    pub init: Vec<InitPlan>,
    /// Materialised WITH queries, by [`CteId`].
    pub ctes: Vec<Node>,
    /// Columns of the result; `None` if the statement returns no rows (not even an empty set).
    pub columns: Option<Vec<OutputColumn>>,
    /// Types of `$1`, `$2`, ...
    pub parameters: Vec<Type>,
    /// The first word(s) of the command tag, such as `SELECT` or `CREATE TABLE`.
    pub tag: &'static str,
    /// Messages for the client that binding gave rise to, such as `relation "t" already exists, skipping`.
    pub notices: Vec<String>,
}

/// A column of a statement's result.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputColumn {
    /// The name shown.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// The table column it shows unchanged, if it does.
    pub origin: Option<(TableId, ColumnId)>,
}

/// What a plan does.
#[derive(Clone, Debug)]
pub enum PlanBody {
    /// Rows of a query.
    Query(Node),
    /// INSERT.
    Insert(Box<Insert>),
    /// UPDATE.
    Update(Box<Update>),
    /// DELETE.
    Delete(Box<Delete>),
    /// A change of the catalog.
    Ddl(Box<Ddl>),
    /// COPY ... FROM STDIN: each line makes the row that `insert.source` (a one-row `Values` over parameters) yields.
    CopyFrom(Box<CopyFrom>),
    /// COPY ... TO STDOUT.
    CopyTo(Box<CopyTo>),
    /// EXPLAIN of another plan; its rows are the lines of the text.
    Explain {
        /// What was asked for.
        options: ExplainOptions,
        /// The statement explained.
        plan: Box<Plan>,
    },
    /// SHOW RANGES, of one table or of all.
    ShowRanges {
        /// The table asked for.
        table: Option<std::sync::Arc<crate::sql::catalog::Table>>,
    },
    /// SHOW NODES.
    ShowNodes,
    /// Accepted and answered, without effect here (VACUUM, ANALYZE): storage takes care of itself.
    Nothing,
}

/// A subquery that is run once before the body; its one value is read by `Expr::Init { index }`.
#[derive(Clone, Debug)]
pub struct InitPlan {
    /// `Scalar`, `Exists` or `Array`.
    pub kind: ApplyKind,
    /// The rows.
    pub node: Node,
    /// The type of the value.
    pub ty: Type,
}

/// COPY ... FROM STDIN.
#[derive(Clone, Debug)]
pub struct CopyFrom {
    /// How the rows are written; its source is a `Values` of one row whose `Expr::Parameter`s are the fields of a line.
    pub insert: Insert,
    /// The types of the fields of a line.
    pub fields: Vec<Type>,
    /// The names of the fields of a line, for CONTEXT lines and HEADER.
    pub names: Vec<String>,
    /// How a line is written.
    pub format: CopyFormat,
}

/// COPY ... TO STDOUT.
#[derive(Clone, Debug)]
pub struct CopyTo {
    /// The rows.
    pub source: Node,
    /// Names of the columns, for HEADER.
    pub names: Vec<String>,
    /// How a line is written.
    pub format: CopyFormat,
}
