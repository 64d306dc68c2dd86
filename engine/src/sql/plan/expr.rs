//! Bound expressions: types resolved, casts explicit, columns as slots of the input row.
//!
//! Operators and comparisons of different types do not exist: the binder casts both sides to one type (except where
//! PostgreSQL has an operator for the mixed pair, such as timestamp + interval, which the arithmetic kernels know).
//!
//! Invariant: after optimization no `Subquery` is left; before it, `Column::slot` is a column id of the query.

use super::function::{AggregateFunction, Function};
use crate::sql::optimizer::logical::Subquery;
use crate::sql::types::{CastKind, Type, Value};

/// An expression over one row.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A constant.
    Literal {
        /// The value.
        value: Value,
        /// Its type.
        ty: Type,
    },
    /// A value of the input row.
    Column {
        /// Where.
        slot: usize,
        /// Its type.
        ty: Type,
    },
    /// A value of a row outside of the subquery or lateral side that this expression is in.
    Outer {
        /// 1 is the nearest row outside.
        depth: usize,
        /// Where in that row.
        slot: usize,
        /// Its type.
        ty: Type,
    },
    /// A parameter.
    Parameter {
        /// From 0.
        index: usize,
        /// Its type.
        ty: Type,
    },
    /// The value of an init plan.
    Init {
        /// From 0.
        index: usize,
        /// Its type.
        ty: Type,
    },
    /// A change of type.
    Cast {
        /// What is cast.
        input: Box<Expr>,
        /// To what.
        to: Type,
        /// By which rules; assignment and explicit casts treat excess length differently.
        kind: CastKind,
    },
    /// NOT.
    Not(Box<Expr>),
    /// AND of two or more; NULL-aware.
    And(Vec<Expr>),
    /// OR of two or more; NULL-aware.
    Or(Vec<Expr>),
    /// `IS NULL`, `IS NOT NULL`.
    IsNull {
        /// What is tested.
        input: Box<Expr>,
        /// `IS NOT NULL`.
        negated: bool,
    },
    /// `IS TRUE`, `IS FALSE`, `IS UNKNOWN` and their negations.
    IsTruth {
        /// What is tested.
        input: Box<Expr>,
        /// The truth value asked for; `None` is UNKNOWN.
        value: Option<bool>,
        /// `IS NOT ...`.
        negated: bool,
    },
    /// A comparison; both sides have one type.
    Compare {
        /// Which.
        op: CompareOp,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
    },
    /// `IS DISTINCT FROM` and `IS NOT DISTINCT FROM`.
    Distinct {
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
        /// `IS NOT DISTINCT FROM`.
        negated: bool,
    },
    /// A strict binary operator.
    Binary {
        /// Which.
        op: Operator,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
        /// Type of the result.
        ty: Type,
    },
    /// Unary minus.
    Negate {
        /// Of what.
        input: Box<Expr>,
        /// Type of the result.
        ty: Type,
    },
    /// LIKE and ILIKE.
    Like {
        /// The text.
        input: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// The escape character as a text of at most one character; backslash if absent.
        escape: Option<Box<Expr>>,
        /// ILIKE.
        case_insensitive: bool,
        /// NOT LIKE.
        negated: bool,
    },
    /// `~`, `~*`, `!~`, `!~*`.
    Regex {
        /// The text.
        input: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// `~*`.
        case_insensitive: bool,
        /// `!~`.
        negated: bool,
    },
    /// `IN (a, b, ...)`; all of one type.
    InList {
        /// What is looked for.
        input: Box<Expr>,
        /// The candidates.
        list: Vec<Expr>,
        /// NOT IN.
        negated: bool,
    },
    /// `x op ANY (array)`, `x op ALL (array)`.
    Quantified {
        /// Which comparison.
        op: CompareOp,
        /// Left side, of the element type.
        left: Box<Expr>,
        /// The array.
        array: Box<Expr>,
        /// ALL instead of ANY.
        all: bool,
    },
    /// CASE, with the conditions in boolean form.
    Case {
        /// Condition and result.
        branches: Vec<(Expr, Expr)>,
        /// ELSE; NULL if absent.
        otherwise: Option<Box<Expr>>,
        /// Type of the result.
        ty: Type,
    },
    /// COALESCE.
    Coalesce {
        /// The candidates, of one type.
        args: Vec<Expr>,
        /// Type of the result.
        ty: Type,
    },
    /// A scalar function.
    Call {
        /// Which.
        function: Function,
        /// Its arguments, cast to what the function takes.
        args: Vec<Expr>,
        /// Type of the result.
        ty: Type,
    },
    /// `ARRAY[...]`; elements that are arrays make a further dimension.
    Array {
        /// The elements, of one type.
        elements: Vec<Expr>,
        /// Type of the result.
        ty: Type,
    },
    /// `a[i]`, `a[i][j]`.
    Subscript {
        /// The array.
        array: Box<Expr>,
        /// One integer per dimension.
        indexes: Vec<Expr>,
        /// Type of the element.
        ty: Type,
    },
    /// `ROW(...)`.
    Row {
        /// The fields.
        fields: Vec<Expr>,
        /// Always `Type::Record`.
        ty: Type,
    },
    /// A subquery; the optimizer replaces it by a column of an `Apply` or join, or by `Init`.
    Subquery(Box<Subquery>),
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl CompareOp {
    /// Whether the comparison holds for this ordering of the two sides.
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            CompareOp::Eq => ordering.is_eq(),
            CompareOp::Ne => ordering.is_ne(),
            CompareOp::Lt => ordering.is_lt(),
            CompareOp::Le => ordering.is_le(),
            CompareOp::Gt => ordering.is_gt(),
            CompareOp::Ge => ordering.is_ge(),
        }
    }

    /// The operator for exchanged sides.
    pub fn flip(self) -> CompareOp {
        match self {
            CompareOp::Lt => CompareOp::Gt,
            CompareOp::Le => CompareOp::Ge,
            CompareOp::Gt => CompareOp::Lt,
            CompareOp::Ge => CompareOp::Le,
            same => same,
        }
    }

    /// The operator that holds exactly when this one does not (of values that are not NULL).
    pub fn negate(self) -> CompareOp {
        match self {
            CompareOp::Eq => CompareOp::Ne,
            CompareOp::Ne => CompareOp::Eq,
            CompareOp::Lt => CompareOp::Ge,
            CompareOp::Le => CompareOp::Gt,
            CompareOp::Gt => CompareOp::Le,
            CompareOp::Ge => CompareOp::Lt,
        }
    }

    /// As written in SQL.
    pub fn symbol(self) -> &'static str {
        match self {
            CompareOp::Eq => "=",
            CompareOp::Ne => "<>",
            CompareOp::Lt => "<",
            CompareOp::Le => "<=",
            CompareOp::Gt => ">",
            CompareOp::Ge => ">=",
        }
    }
}

/// Binary operators other than comparisons; strict: NULL if a side is NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
    /// `^`
    Pow,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `#`
    BitXor,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `||` of texts, bytea, or jsonb
    Concat,
    /// `||` of two arrays
    ArrayCat,
    /// `array || element`
    ArrayAppend,
    /// `element || array`
    ArrayPrepend,
    /// `@>` of arrays or jsonb
    Contains,
    /// `<@` of arrays or jsonb
    ContainedBy,
    /// `&&` of arrays
    Overlaps,
    /// `->` of json or jsonb, by text or integer
    JsonGet,
    /// `->>`
    JsonGetText,
    /// `#>` by text[]
    JsonGetPath,
    /// `#>>`
    JsonGetPathText,
    /// `?` of jsonb
    JsonExists,
}

impl Operator {
    /// As written in SQL.
    pub fn symbol(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Sub => "-",
            Operator::Mul => "*",
            Operator::Div => "/",
            Operator::Rem => "%",
            Operator::Pow => "^",
            Operator::BitAnd => "&",
            Operator::BitOr => "|",
            Operator::BitXor => "#",
            Operator::ShiftLeft => "<<",
            Operator::ShiftRight => ">>",
            Operator::Concat | Operator::ArrayCat | Operator::ArrayAppend | Operator::ArrayPrepend => "||",
            Operator::Contains => "@>",
            Operator::ContainedBy => "<@",
            Operator::Overlaps => "&&",
            Operator::JsonGet => "->",
            Operator::JsonGetText => "->>",
            Operator::JsonGetPath => "#>",
            Operator::JsonGetPathText => "#>>",
            Operator::JsonExists => "?",
        }
    }
}

/// One key of a sort.
#[derive(Clone, Debug)]
pub struct SortKey {
    /// What is sorted by.
    pub expr: Expr,
    /// Largest first.
    pub descending: bool,
    /// NULLs before all values (PostgreSQL: last ascending, first descending).
    pub nulls_first: bool,
}

/// An aggregate of a group of rows.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    /// Which.
    pub function: AggregateFunction,
    /// Arguments over a row of the input; empty for `count(*)`.
    pub args: Vec<Expr>,
    /// DISTINCT.
    pub distinct: bool,
    /// ORDER BY inside the call.
    pub order_by: Vec<SortKey>,
    /// FILTER.
    pub filter: Option<Expr>,
    /// Type of the result.
    pub ty: Type,
}

impl Expr {
    /// A constant.
    pub fn literal(value: Value, ty: Type) -> Expr {
        Expr::Literal { value, ty }
    }

    /// NULL of a type.
    pub fn null(ty: Type) -> Expr {
        Expr::Literal { value: Value::Null, ty }
    }

    /// TRUE or FALSE.
    pub fn bool(value: bool) -> Expr {
        Expr::Literal { value: Value::Bool(value), ty: Type::Bool }
    }

    /// A column.
    pub fn column(slot: usize, ty: Type) -> Expr {
        Expr::Column { slot, ty }
    }

    /// A comparison.
    pub fn compare(op: CompareOp, left: Expr, right: Expr) -> Expr {
        Expr::Compare { op, left: Box::new(left), right: Box::new(right) }
    }

    /// The conjunction; TRUE of none.
    pub fn and(mut parts: Vec<Expr>) -> Expr {
        match parts.len() {
            0 => Expr::bool(true),
            1 => parts.remove(0),
            _ => Expr::And(parts),
        }
    }

    /// The type of the value.
    pub fn ty(&self) -> &Type {
        match self {
            Expr::Literal { ty, .. }
            | Expr::Column { ty, .. }
            | Expr::Outer { ty, .. }
            | Expr::Parameter { ty, .. }
            | Expr::Init { ty, .. }
            | Expr::Binary { ty, .. }
            | Expr::Negate { ty, .. }
            | Expr::Case { ty, .. }
            | Expr::Coalesce { ty, .. }
            | Expr::Call { ty, .. }
            | Expr::Array { ty, .. }
            | Expr::Subscript { ty, .. }
            | Expr::Row { ty, .. } => ty,
            Expr::Cast { to, .. } => to,
            Expr::Subquery(subquery) => &subquery.ty,
            Expr::Not(_)
            | Expr::And(_)
            | Expr::Or(_)
            | Expr::IsNull { .. }
            | Expr::IsTruth { .. }
            | Expr::Compare { .. }
            | Expr::Distinct { .. }
            | Expr::Like { .. }
            | Expr::Regex { .. }
            | Expr::InList { .. }
            | Expr::Quantified { .. } => &Type::Bool,
        }
    }

    /// The constant, if this is one.
    pub fn as_literal(&self) -> Option<&Value> {
        match self {
            Expr::Literal { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Visits this expression and all below it, parents first. Subqueries are not entered.
    pub fn walk(&self, visit: &mut dyn FnMut(&Expr)) {
        visit(self);
        self.children(&mut |child| child.walk(visit));
    }

    /// Changes this expression and all below it, children first. Subqueries are not entered.
    pub fn transform(&mut self, change: &mut dyn FnMut(&mut Expr)) {
        self.children_mut(&mut |child| child.transform(change));
        change(self);
    }

    /// Whether any part satisfies `test`.
    pub fn any(&self, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
        let mut found = false;
        self.walk(&mut |expr| found = found || test(expr));
        found
    }
}

macro_rules! visit_children {
    ($self:expr, $visit:expr, $($iter:ident)+) => {
        match $self {
            Expr::Literal { .. }
            | Expr::Column { .. }
            | Expr::Outer { .. }
            | Expr::Parameter { .. }
            | Expr::Init { .. }
            | Expr::Subquery(_) => {}
            Expr::Cast { input, .. }
            | Expr::Not(input)
            | Expr::IsNull { input, .. }
            | Expr::IsTruth { input, .. }
            | Expr::Negate { input, .. } => $visit(input),
            Expr::And(parts) | Expr::Or(parts) => parts.$($iter)+().for_each($visit),
            Expr::Compare { left, right, .. } | Expr::Distinct { left, right, .. } | Expr::Binary { left, right, .. } => {
                $visit(left);
                $visit(right);
            }
            Expr::Like { input, pattern, escape, .. } => {
                $visit(input);
                $visit(pattern);
                if let Some(escape) = escape {
                    $visit(escape);
                }
            }
            Expr::Regex { input, pattern, .. } => {
                $visit(input);
                $visit(pattern);
            }
            Expr::InList { input, list, .. } => {
                $visit(input);
                list.$($iter)+().for_each($visit);
            }
            Expr::Quantified { left, array, .. } => {
                $visit(left);
                $visit(array);
            }
            Expr::Case { branches, otherwise, .. } => {
                for (condition, result) in branches {
                    $visit(condition);
                    $visit(result);
                }
                if let Some(otherwise) = otherwise {
                    $visit(otherwise);
                }
            }
            Expr::Coalesce { args, .. } | Expr::Call { args, .. } => args.$($iter)+().for_each($visit),
            Expr::Array { elements, .. } => elements.$($iter)+().for_each($visit),
            Expr::Subscript { array, indexes, .. } => {
                $visit(array);
                indexes.$($iter)+().for_each($visit);
            }
            Expr::Row { fields, .. } => fields.$($iter)+().for_each($visit),
        }
    };
}

impl Expr {
    /// Visits the direct parts.
    pub fn children(&self, visit: &mut dyn FnMut(&Expr)) {
        visit_children!(self, &mut *visit, iter);
    }

    /// Visits the direct parts for change.
    pub fn children_mut(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        visit_children!(self, &mut *visit, iter_mut);
    }
}
