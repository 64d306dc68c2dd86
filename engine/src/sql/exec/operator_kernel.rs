//! Binary operators other than comparisons, over values that are not NULL.

use super::eval::as_array;
use super::function::{array, json};
use crate::error::{Error, Result};
use crate::sql::plan::{Expr, Operator};
use crate::sql::types::arith::{self, ArithOp};
use crate::sql::types::{Text, Type, TypeContext, Value};

/// The result when a side is NULL: NULL, except for arrays, which take NULL as an element.
pub fn with_null(op: Operator, left: &Value, right: &Value) -> Result<Value> {
    match (op, left, right) {
        (Operator::ArrayCat, array @ Value::Array(_), Value::Null)
        | (Operator::ArrayCat, Value::Null, array @ Value::Array(_)) => Ok(array.clone()),
        (Operator::ArrayAppend, Value::Array(_), element) => array::append(left, element, &Type::Unknown),
        (Operator::ArrayPrepend, element, Value::Array(_)) => array::prepend(element, right, &Type::Unknown),
        _ => Ok(Value::Null),
    }
}

/// `left op right`.
pub fn binary(op: Operator, left: &Value, right: &Value, expr: &Expr, types: &TypeContext) -> Result<Value> {
    match op {
        Operator::Add => arith::eval(ArithOp::Add, left, right, types),
        Operator::Sub => arith::eval(ArithOp::Sub, left, right, types),
        Operator::Mul => arith::eval(ArithOp::Mul, left, right, types),
        Operator::Div => arith::eval(ArithOp::Div, left, right, types),
        Operator::Rem => arith::eval(ArithOp::Rem, left, right, types),
        Operator::Pow => super::function::math::power(left, right),
        Operator::BitAnd => arith::bit_and(left, right),
        Operator::BitOr => arith::bit_or(left, right),
        Operator::BitXor => arith::bit_xor(left, right),
        Operator::ShiftLeft => arith::shift_left(left, right),
        Operator::ShiftRight => arith::shift_right(left, right),
        Operator::Concat => concat(left, right, types),
        Operator::ArrayCat => array::concat(left, right),
        Operator::ArrayAppend => array::append(left, right, expr.ty()),
        Operator::ArrayPrepend => array::prepend(left, right, expr.ty()),
        Operator::Contains => contains(left, right),
        Operator::ContainedBy => contains(right, left),
        Operator::Overlaps => overlaps(left, right),
        Operator::JsonGet => json::get(left, std::slice::from_ref(right), false),
        Operator::JsonGetText => json::get(left, std::slice::from_ref(right), true),
        Operator::JsonGetPath | Operator::JsonGetPathText => {
            let path = as_array(right).map(|path| path.values().to_vec()).unwrap_or_default();
            json::get(left, &path, op == Operator::JsonGetPathText)
        }
        Operator::JsonExists => json::exists(left, right),
    }
}

fn concat(left: &Value, right: &Value, types: &TypeContext) -> Result<Value> {
    match (left, right) {
        (Value::Bytea(left), Value::Bytea(right)) => Ok(Value::bytea(&[left.as_ref(), right].concat())),
        (Value::Jsonb(left), Value::Jsonb(right)) => Ok(json::concat(left, right)),
        (Value::Text(left), Value::Text(right)) => {
            super::function::string::check_size(left.len() + right.len())?;
            let mut text = String::with_capacity(left.len() + right.len());
            text.push_str(left);
            text.push_str(right);
            Ok(Value::Text(Text::from(text)))
        }
        (left, right) => Ok(Value::Text(Text::from(left.to_text(types) + &right.to_text(types)))),
    }
}

fn contains(whole: &Value, part: &Value) -> Result<Value> {
    match (whole, part) {
        (Value::Array(whole), Value::Array(part)) => {
            Ok(Value::Bool(part.values().iter().all(|value| !value.is_null() && whole.values().contains(value))))
        }
        (Value::Jsonb(whole), Value::Jsonb(part)) => Ok(Value::Bool(json::contains(whole, part))),
        _ => Err(Error::internal("@> of values that are neither arrays nor jsonb")),
    }
}

fn overlaps(left: &Value, right: &Value) -> Result<Value> {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            Ok(Value::Bool(left.values().iter().any(|value| !value.is_null() && right.values().contains(value))))
        }
        _ => Err(Error::internal("&& of values that are no arrays")),
    }
}
