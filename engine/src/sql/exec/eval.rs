//! Evaluation of bound expressions over one row. Synchronous: whatever must be waited for has been fetched before.
//!
//! ```text
//!   Column      row[slot]                    Init        value of a subquery that ran before the body
//!   Outer       rows of enclosing Applies    Parameter   value given by the client
//! ```
//! Leaves are borrowed, so that comparing a column with a parameter copies nothing.
//!
//! Invariant: AND, OR, CASE and COALESCE evaluate left to right and stop when the result is known.
//! Invariant: a strict operator whose side is NULL answers NULL without looking at the other kernel's rules.

use super::env::Env;
use super::{function, operator_kernel};
use crate::error::{Error, Result};
use crate::sql::plan::{CompareOp, Expr};
use crate::sql::types::{self, Array, Value};
use std::borrow::Cow;
use std::sync::Arc;

impl Env {
    /// The value of `expr` over `row`.
    pub fn eval(&self, expr: &Expr, row: &[Value]) -> Result<Value> {
        Ok(self.look(expr, row)?.into_owned())
    }

    /// Whether a condition holds: true, not NULL.
    pub fn holds(&self, condition: &Expr, row: &[Value]) -> Result<bool> {
        Ok(self.look(condition, row)?.is_true())
    }

    /// The values of `exprs` over `row`.
    pub fn eval_all(&self, exprs: &[Expr], row: &[Value]) -> Result<Vec<Value>> {
        exprs.iter().map(|expr| self.eval(expr, row)).collect()
    }

    /// The value of `expr`, borrowed where it exists already.
    pub fn look<'a>(&'a self, expr: &'a Expr, row: &'a [Value]) -> Result<Cow<'a, Value>> {
        match expr {
            Expr::Literal { value, .. } => Ok(Cow::Borrowed(value)),
            Expr::Column { slot, .. } => row.get(*slot).map(Cow::Borrowed).ok_or_else(|| missing("column", *slot)),
            Expr::Parameter { index, .. } => {
                self.params.get(*index).map(Cow::Borrowed).ok_or_else(|| missing("parameter", *index))
            }
            Expr::Init { index, .. } => {
                self.init.get(*index).map(Cow::Borrowed).ok_or_else(|| missing("init plan", *index))
            }
            Expr::Outer { depth, slot, .. } => {
                let outer = self.outer.len().checked_sub(*depth).and_then(|at| self.outer.get(at));
                outer.and_then(|row| row.get(*slot)).map(Cow::Borrowed).ok_or_else(|| missing("outer column", *slot))
            }
            computed => self.compute(computed, row).map(Cow::Owned),
        }
    }

    fn compute(&self, expr: &Expr, row: &[Value]) -> Result<Value> {
        match expr {
            Expr::Not(input) => Ok(truth(self.look(input, row)?.as_bool().map(|value| !value))),
            Expr::And(parts) => self.connect(parts, row, false),
            Expr::Or(parts) => self.connect(parts, row, true),
            Expr::IsNull { input, negated } => Ok(Value::Bool(self.is_null(input, row, *negated)?)),
            Expr::IsTruth { input, value, negated } => {
                Ok(Value::Bool((self.look(input, row)?.as_bool() == *value) != *negated))
            }
            Expr::Compare { op, left, right } => self.compare(*op, left, right, row),
            Expr::Distinct { left, right, negated } => {
                let same = same(&*self.look(left, row)?, &*self.look(right, row)?);
                Ok(Value::Bool(same == *negated))
            }
            Expr::InList { input, list, negated } => self.in_list(input, list, *negated, row),
            Expr::Quantified { op, left, array, all } => self.quantified(*op, left, array, *all, row),
            Expr::Case { branches, otherwise, .. } => self.case(branches, otherwise.as_deref(), row),
            Expr::Coalesce { args, .. } => self.coalesce(args, row),
            Expr::Array { elements, ty } => self.array(elements, ty, row),
            Expr::Row { fields, .. } => Ok(Value::Record(self.eval_all(fields, row)?.into())),
            Expr::Call { function, args, ty } => function::call(self, *function, args, ty, row),
            other => self.compute_strict(other, row),
        }
    }

    fn compute_strict(&self, expr: &Expr, row: &[Value]) -> Result<Value> {
        match expr {
            Expr::Cast { input, to, kind } => {
                let value = self.look(input, row)?;
                types::cast(&value, input.ty(), to, *kind, &self.types)
            }
            Expr::Binary { op, left, right, .. } => {
                let (left, right) = (self.look(left, row)?, self.look(right, row)?);
                if left.is_null() || right.is_null() {
                    return operator_kernel::with_null(*op, &left, &right);
                }
                operator_kernel::binary(*op, &left, &right, expr, &self.types)
            }
            Expr::Negate { input, .. } => {
                let value = self.look(input, row)?;
                if value.is_null() { Ok(Value::Null) } else { types::arith::neg(&value) }
            }
            Expr::Like { input, pattern, escape, case_insensitive, negated } => {
                self.like(input, pattern, escape.as_deref(), *case_insensitive, *negated, row)
            }
            Expr::Regex { input, pattern, case_insensitive, negated } => {
                let (text, pattern) = (self.look(input, row)?, self.look(pattern, row)?);
                let (Some(text), Some(pattern)) = (text.as_str(), pattern.as_str()) else { return Ok(Value::Null) };
                let found = self.regexes.is_match(pattern, *case_insensitive, text)?;
                Ok(Value::Bool(found != *negated))
            }
            Expr::Subscript { array, indexes, .. } => self.subscript(array, indexes, row),
            Expr::Subquery(_) => Err(Error::internal("a subquery was left in a plan")),
            other => Err(Error::internal(format!("{other:?} is not computed here"))),
        }
    }

    /// AND and OR: `decides` is the value that settles the result.
    fn connect(&self, parts: &[Expr], row: &[Value], decides: bool) -> Result<Value> {
        let mut unknown = false;
        for part in parts {
            match self.look(part, row)?.as_bool() {
                Some(value) if value == decides => return Ok(Value::Bool(decides)),
                Some(_) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown { Value::Null } else { Value::Bool(!decides) })
    }

    /// A row IS NULL if all its fields are, and IS NOT NULL if none is.
    fn is_null(&self, input: &Expr, row: &[Value], negated: bool) -> Result<bool> {
        let value = self.look(input, row)?;
        Ok(match (&*value, negated) {
            (Value::Record(fields), negated) => fields.iter().all(|field| field.is_null() != negated),
            (value, negated) => value.is_null() != negated,
        })
    }

    fn compare(&self, op: CompareOp, left: &Expr, right: &Expr, row: &[Value]) -> Result<Value> {
        let (left, right) = (self.look(left, row)?, self.look(right, row)?);
        Ok(truth(compare(op, &left, &right)))
    }

    fn in_list(&self, input: &Expr, list: &[Expr], negated: bool, row: &[Value]) -> Result<Value> {
        let input = self.look(input, row)?;
        let mut unknown = false;
        for candidate in list {
            match compare(CompareOp::Eq, &input, &*self.look(candidate, row)?) {
                Some(true) => return Ok(Value::Bool(!negated)),
                Some(false) => {}
                None => unknown = true,
            }
        }
        Ok(if unknown { Value::Null } else { Value::Bool(negated) })
    }

    fn quantified(&self, op: CompareOp, left: &Expr, array: &Expr, all: bool, row: &[Value]) -> Result<Value> {
        let (left, array) = (self.look(left, row)?, self.look(array, row)?);
        let Some(array) = as_array(&array) else { return Ok(Value::Null) };
        Ok(quantify(array.values().iter().map(|value| compare(op, &left, value)), all))
    }

    fn case(&self, branches: &[(Expr, Expr)], otherwise: Option<&Expr>, row: &[Value]) -> Result<Value> {
        for (condition, result) in branches {
            if self.holds(condition, row)? {
                return self.eval(result, row);
            }
        }
        otherwise.map_or(Ok(Value::Null), |otherwise| self.eval(otherwise, row))
    }

    fn coalesce(&self, args: &[Expr], row: &[Value]) -> Result<Value> {
        for arg in args {
            let value = self.eval(arg, row)?;
            if !value.is_null() {
                return Ok(value);
            }
        }
        Ok(Value::Null)
    }

    fn array(&self, elements: &[Expr], ty: &types::Type, row: &[Value]) -> Result<Value> {
        let values = self.eval_all(elements, row)?;
        let element = ty.element().cloned().unwrap_or(types::Type::Unknown);
        let array = if elements.first().is_some_and(|element| element.ty().element().is_some()) {
            Array::from_rows(element, &values)?
        } else {
            Array::new(element, values)
        };
        Ok(Value::Array(Arc::new(array)))
    }

    fn subscript(&self, array: &Expr, indexes: &[Expr], row: &[Value]) -> Result<Value> {
        let array = self.look(array, row)?;
        let Some(array) = as_array(&array) else { return Ok(Value::Null) };
        let mut places = Vec::with_capacity(indexes.len());
        for index in indexes {
            match self.look(index, row)?.as_i64() {
                Some(place) => places.push(place),
                None => return Ok(Value::Null),
            }
        }
        Ok(array.get(&places).cloned().unwrap_or(Value::Null))
    }

    fn like(
        &self,
        input: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        case_insensitive: bool,
        negated: bool,
        row: &[Value],
    ) -> Result<Value> {
        let (text, pattern) = (self.look(input, row)?, self.look(pattern, row)?);
        let (Some(text), Some(pattern)) = (text.as_str(), pattern.as_str()) else { return Ok(Value::Null) };
        let escape = match escape {
            None => Some('\\'),
            Some(escape) => match self.look(escape, row)?.as_str() {
                Some(escape) => types::like::escape_char(escape)?,
                None => return Ok(Value::Null),
            },
        };
        let matched = types::like::like(text, pattern, escape, case_insensitive)?;
        Ok(Value::Bool(matched != negated))
    }
}

fn missing(what: &str, index: usize) -> Error {
    Error::internal(format!("{what} {index} is not there"))
}

/// TRUE, FALSE, or NULL for unknown.
pub fn truth(value: Option<bool>) -> Value {
    value.map_or(Value::Null, Value::Bool)
}

/// The array behind a value.
pub fn as_array(value: &Value) -> Option<&Array> {
    match value {
        Value::Array(array) => Some(array),
        _ => None,
    }
}

/// `left op right`; unknown if a side is NULL.
pub fn compare(op: CompareOp, left: &Value, right: &Value) -> Option<bool> {
    if left.is_null() || right.is_null() {
        return None;
    }
    if let (Value::Record(left), Value::Record(right)) = (left, right) {
        return compare_rows(op, left, right);
    }
    Some(op.holds(left.compare(right)))
}

/// Rows compare field by field; the first pair that differs or is unknown decides.
pub fn compare_rows(op: CompareOp, left: &[Value], right: &[Value]) -> Option<bool> {
    let mut unknown = false;
    for (left, right) in left.iter().zip(right) {
        match compare(CompareOp::Eq, left, right) {
            Some(true) => {}
            Some(false) if matches!(op, CompareOp::Eq | CompareOp::Ne) => return Some(op == CompareOp::Ne),
            Some(false) if unknown => return None,
            Some(false) => return compare(op, left, right),
            None => unknown = true,
        }
    }
    if unknown { None } else { Some(op.holds(std::cmp::Ordering::Equal)) }
}

/// Whether two values are not distinct: NULL is not distinct from NULL.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left.is_null(), right.is_null()) {
        (true, true) => true,
        (false, false) => left.compare(right).is_eq(),
        _ => false,
    }
}

/// ANY (or ALL) over truth values.
pub fn quantify(values: impl Iterator<Item = Option<bool>>, all: bool) -> Value {
    let mut unknown = false;
    for value in values {
        match value {
            Some(value) if value != all => return Value::Bool(!all),
            Some(_) => {}
            None => unknown = true,
        }
    }
    if unknown { Value::Null } else { Value::Bool(all) }
}
