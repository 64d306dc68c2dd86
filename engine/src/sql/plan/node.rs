//! Operators of a plan. Each yields rows of `types.len()` values.
//!
//! ```text
//!  leaf      Scan  VirtualScan  CteScan  FunctionScan  Values
//!  one input Filter  Project  Sort  Limit  Distinct  Aggregate  Apply
//!  two       HashJoin  NestedLoop  LookupJoin(one input and a table)  SetOp     many: Append
//! ```

use super::expr::{AggregateCall, Expr, SortKey};
use super::function::TableFunction;
use crate::sql::catalog::{IndexId, Table, VirtualTable};
use crate::sql::types::Type;
use quorate_txn::{LockMode, LockWait};
use std::sync::Arc;

/// An operator with the types of its rows and the planner's guess of their number.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub kind: NodeKind,
    /// Types of the values of a row.
    pub types: Vec<Type>,
    /// Rows expected.
    pub rows: f64,
}

/// Names a materialised WITH query: its place in `Plan::ctes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CteId(pub usize);

/// The operators.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// Rows of a table, by its primary or a secondary index.
    Scan(Box<Scan>),
    /// Rows of a system table.
    VirtualScan {
        /// Which.
        table: Arc<VirtualTable>,
        /// Places of the output values in the table's columns.
        columns: Vec<usize>,
    },
    /// Rows of a materialised WITH query.
    CteScan {
        /// Which.
        cte: CteId,
        /// Its name, for EXPLAIN.
        name: String,
    },
    /// Rows of a set-returning function.
    FunctionScan {
        /// Which.
        function: TableFunction,
        /// Its arguments (without columns of an input; outer references if lateral).
        args: Vec<Expr>,
        /// WITH ORDINALITY: a last bigint counting from 1.
        ordinality: bool,
    },
    /// Rows given by expressions without columns.
    Values {
        /// One expression per value.
        rows: Vec<Vec<Expr>>,
    },
    /// Rows for which the predicate is true.
    Filter {
        /// Where rows come from.
        input: Box<Node>,
        /// The condition.
        predicate: Expr,
    },
    /// New values from each row.
    Project {
        /// Where rows come from.
        input: Box<Node>,
        /// One per output value.
        exprs: Vec<Expr>,
    },
    /// Rows of `input`, each repeated for every row that set-returning functions in the select list yield, side by
    /// side (the shorter padded with NULL); their values follow those of the input.
    ProjectSet {
        /// Where rows come from.
        input: Box<Node>,
        /// The functions with their arguments over the input row.
        functions: Vec<(TableFunction, Vec<Expr>)>,
    },
    /// Join by equality; the right side is hashed. NULL keys match nothing.
    HashJoin {
        /// Probed.
        left: Box<Node>,
        /// Hashed.
        right: Box<Node>,
        /// What to do with and without partners.
        kind: JoinKind,
        /// Over the left row.
        left_keys: Vec<Expr>,
        /// Over the right row; types equal those of the left.
        right_keys: Vec<Expr>,
        /// Further condition over both rows.
        filter: Option<Expr>,
    },
    /// Join by trying pairs. If `lateral`, the right side is run anew for each left row, which it sees as
    /// `Expr::Outer` of depth 1; otherwise the right side is run once and kept.
    NestedLoop {
        /// Outer loop.
        left: Box<Node>,
        /// Inner loop.
        right: Box<Node>,
        /// What to do with and without partners.
        kind: JoinKind,
        /// Condition over both rows.
        filter: Option<Expr>,
        /// The right side depends on the left row.
        lateral: bool,
    },
    /// Join with rows of a table found through an index by keys made from the left row, in batches.
    LookupJoin {
        /// Where keys come from.
        left: Box<Node>,
        /// The table side. Its `spans` hold one span whose `equal` values are expressions over the *left row* (not
        /// `Outer`), without bounds; its filter is over its own output row.
        scan: Box<Scan>,
        /// Inner, Left, Semi or Anti.
        kind: JoinKind,
        /// Further condition over both rows.
        filter: Option<Expr>,
    },
    /// Groups: the output row holds the group keys, then the aggregates. Without keys there is one group, also of no
    /// rows.
    Aggregate {
        /// Where rows come from.
        input: Box<Node>,
        /// Group keys.
        groups: Vec<Expr>,
        /// Aggregates.
        aggregates: Vec<AggregateCall>,
    },
    /// Sorted rows; with `limit`, only the first so many (top N).
    Sort {
        /// Where rows come from.
        input: Box<Node>,
        /// By what.
        keys: Vec<SortKey>,
        /// How many rows the nodes above want at most (limit plus offset), if that is known here.
        limit: Option<Expr>,
    },
    /// Skips `offset` rows, then passes on at most `limit`. NULL means none.
    Limit {
        /// Where rows come from.
        input: Box<Node>,
        /// LIMIT, a bigint.
        limit: Option<Expr>,
        /// OFFSET, a bigint.
        offset: Option<Expr>,
    },
    /// Rows without repetition; with `on`, the first row of each value of these (the input is sorted by them).
    Distinct {
        /// Where rows come from.
        input: Box<Node>,
        /// DISTINCT ON.
        on: Option<Vec<Expr>>,
    },
    /// The rows of all inputs, in order (UNION ALL).
    Append {
        /// Inputs of one row type.
        inputs: Vec<Node>,
    },
    /// UNION, EXCEPT or INTERSECT.
    SetOp {
        /// Which.
        operation: SetOperation,
        /// ALL: with repetitions, counted.
        all: bool,
        /// Left side.
        left: Box<Node>,
        /// Right side.
        right: Box<Node>,
    },
    /// Runs a subquery for each row (once for all rows unless `correlated`) and appends its value to the row.
    Apply {
        /// Where rows come from.
        input: Box<Node>,
        /// The subquery; sees the input row as `Expr::Outer` of depth 1 if correlated.
        subquery: Box<Node>,
        /// What value is made of its rows.
        kind: ApplyKind,
        /// Whether it depends on the input row or rows further outside.
        correlated: bool,
    },
}

/// The value that `Apply` makes of the rows of a subquery.
#[derive(Clone, Debug)]
pub enum ApplyKind {
    /// The one value of the one row; NULL of none; 21000 of several rows.
    Scalar,
    /// Whether there is a row.
    Exists,
    /// All values as an array: `ARRAY(SELECT ...)`.
    Array,
    /// `left op ANY (subquery)` or `ALL`, NULL-aware. `IN` is `= ANY`, `NOT IN` is `<> ALL`.
    Quantified {
        /// Values over the input row, one per column of the subquery (more than one only for = and <>).
        left: Vec<Expr>,
        /// The comparison.
        op: super::CompareOp,
        /// ALL instead of ANY.
        all: bool,
    },
}

/// Kinds of joins. The row is left ++ right, except for `Semi` and `Anti`, where it is the left row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs.
    Inner,
    /// Pairs, and left rows without partner (right side NULL).
    Left,
    /// Pairs, and right rows without partner (left side NULL).
    Right,
    /// Pairs, and rows of either side without partner.
    Full,
    /// Left rows with a partner, once.
    Semi,
    /// Left rows without partner (a NULL condition is no partner).
    Anti,
}

/// Set operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperation {
    /// UNION (of distinct rows; UNION ALL is `Append`).
    Union,
    /// EXCEPT.
    Except,
    /// INTERSECT.
    Intersect,
}

/// FOR UPDATE or FOR SHARE, or the locks of UPDATE and DELETE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// How strong.
    pub mode: LockMode,
    /// What to do when the row is locked.
    pub wait: LockWait,
}

/// Rows of a table through one index.
///
/// Point access is `spans` with one span that gives every key column of the primary index (or of a unique index) by
/// equality: [`Scan::is_point`].
#[derive(Clone, Debug)]
pub struct Scan {
    /// The table.
    pub table: Arc<Table>,
    /// The index read: the table's primary index or one of its secondary indexes.
    pub index: IndexId,
    /// The parts of the index to read; values do not depend on the rows of this scan. One span without bounds is the
    /// whole index. Spans may overlap or be out of order when their values are parameters: the executor sorts and
    /// merges them.
    pub spans: Vec<IndexSpan>,
    /// Output values: places in `table.columns`.
    pub columns: Vec<usize>,
    /// Condition over the output row, that the spans do not imply.
    pub filter: Option<Expr>,
    /// From the last key to the first.
    pub reverse: bool,
    /// Rows must come in the order of the index.
    pub ordered: bool,
    /// At most so many rows (after the filter) are wanted.
    pub limit: Option<Expr>,
    /// A secondary index lacks needed columns: rows are fetched by primary key.
    pub fetch: bool,
    /// Rows that pass the filter are locked (more may be).
    pub lock: Option<Lock>,
    /// At most one row can match.
    pub is_point: bool,
    /// The alias, for EXPLAIN.
    pub alias: Option<String>,
}

/// Keys of an index: the first columns equal to values, the next one within bounds.
///
/// A NULL among the values or bounds makes the span empty. A span with a bound on either side holds no NULLs in the
/// bounded column.
#[derive(Clone, Debug, Default)]
pub struct IndexSpan {
    /// Values of the first key columns.
    pub equal: Vec<Expr>,
    /// The place in `equal` of an array: the column equals one of its elements, each of which makes a span of its own.
    pub any: Option<usize>,
    /// Lower bound of the next key column (the smaller value, whether or not the column is descending).
    pub lower: Bound,
    /// Upper bound of the next key column.
    pub upper: Bound,
}

/// A bound of a span.
#[derive(Clone, Debug, Default)]
pub enum Bound {
    /// None.
    #[default]
    Unbounded,
    /// The value is inside.
    Inclusive(Expr),
    /// The value is outside.
    Exclusive(Expr),
}

impl Bound {
    /// The value of the bound.
    pub fn value(&self) -> Option<&Expr> {
        match self {
            Bound::Unbounded => None,
            Bound::Inclusive(value) | Bound::Exclusive(value) => Some(value),
        }
    }
}
