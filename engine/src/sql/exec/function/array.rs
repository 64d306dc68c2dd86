//! Functions and operators of arrays.

use super::super::eval::{as_array, same};
use super::Call;
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::Function;
use crate::sql::types::{Array, Dimension, Type, Value};
use std::sync::Arc;

/// The result, if the function is one of arrays.
pub fn call(call: &Call<'_>) -> Option<Result<Value>> {
    use Function as F;
    let first = call.args.first();
    let value = match call.function {
        F::ArrayLength => Ok(dimension(call, |dimension| i64::from(dimension.length))),
        F::ArrayUpper => Ok(dimension(call, |it| i64::from(it.lower) + i64::from(it.length) - 1)),
        F::ArrayLower => Ok(dimension(call, |dimension| i64::from(dimension.lower))),
        F::ArrayNdims => Ok(match as_array(first?).map(|array| array.dimensions().len()) {
            Some(0) | None => Value::Null,
            Some(dimensions) => Value::Int4(dimensions as i32),
        }),
        F::Cardinality => Ok(Value::Int4(as_array(first?).map_or(0, |array| array.values().len() as i32))),
        F::ArrayPosition => Ok(positions(call).first().cloned().unwrap_or(Value::Null)),
        F::ArrayPositions => Ok(match first? {
            Value::Null => Value::Null,
            _ => Value::Array(Arc::new(Array::new(Type::Int4, positions(call)))),
        }),
        F::ArrayRemove => changed(call, |value, call| (!same(value, &call.args[1])).then(|| value.clone())),
        F::ArrayReplace => changed(call, |value, call| {
            Some(if same(value, &call.args[1]) { call.args[2].clone() } else { value.clone() })
        }),
        F::ArrayToString => Ok(array_to_string(call)),
        F::ArrayAppend => append(first?, call.given(1)?, call.ty),
        F::ArrayPrepend => prepend(first?, call.given(1)?, call.ty),
        F::ArrayCat => match (first?, call.given(1)?) {
            (Value::Null, other) | (other, Value::Null) => Ok(other.clone()),
            (left, right) => concat(left, right),
        },
        _ => return None,
    };
    Some(value)
}

fn dimension(call: &Call<'_>, of: impl Fn(&Dimension) -> i64) -> Value {
    let place = usize::try_from(call.int(1) - 1).ok();
    let dimension = as_array(&call.args[0]).zip(place).and_then(|(array, place)| array.dimensions().get(place));
    dimension.map_or(Value::Null, |dimension| Value::Int4(of(dimension) as i32))
}

fn positions(call: &Call<'_>) -> Vec<Value> {
    let Some(array) = call.args.first().and_then(as_array) else { return Vec::new() };
    let lower = array.dimensions().first().map_or(1, |dimension| dimension.lower);
    let found = array.values().iter().enumerate().filter(|(_, value)| same(value, &call.args[1]));
    found.map(|(place, _)| Value::Int4(lower + place as i32)).collect()
}

fn changed(call: &Call<'_>, change: impl Fn(&Value, &Call<'_>) -> Option<Value>) -> Result<Value> {
    let Some(array) = call.args.first().and_then(as_array) else { return Ok(Value::Null) };
    let values = array.values().iter().filter_map(|value| change(value, call)).collect();
    Ok(Value::Array(Arc::new(Array::new(array.element_type().clone(), values))))
}

fn array_to_string(call: &Call<'_>) -> Value {
    let (Some(array), Some(separator)) = (call.args.first().and_then(as_array), call.given(1).and_then(Value::as_str))
    else {
        return Value::Null;
    };
    let null = call.given(2).and_then(Value::as_str);
    let parts: Vec<String> = array
        .values()
        .iter()
        .filter_map(|value| match value {
            Value::Null => null.map(str::to_owned),
            value => Some(value.to_text(&call.env.types)),
        })
        .collect();
    super::text_value(parts.join(separator))
}

fn element_type(array: Option<&Array>, ty: &Type, element: &Value) -> Type {
    array
        .map(|array| array.element_type().clone())
        .or_else(|| ty.element().cloned())
        .unwrap_or_else(|| element.natural_type())
}

/// `array || element`
pub fn append(array: &Value, element: &Value, ty: &Type) -> Result<Value> {
    let array = as_array(array);
    let mut values = array.map(|array| array.values().to_vec()).unwrap_or_default();
    values.push(element.clone());
    Ok(Value::Array(Arc::new(Array::new(element_type(array, ty, element), values))))
}

/// `element || array`
pub fn prepend(element: &Value, array: &Value, ty: &Type) -> Result<Value> {
    let array = as_array(array);
    let mut values = vec![element.clone()];
    values.extend(array.map(|array| array.values().to_vec()).unwrap_or_default());
    Ok(Value::Array(Arc::new(Array::new(element_type(array, ty, element), values))))
}

/// `array || array` of one shape, or of an array and one of its rows.
pub fn concat(left: &Value, right: &Value) -> Result<Value> {
    let (Some(left), Some(right)) = (as_array(left), as_array(right)) else { return Ok(Value::Null) };
    let values: Vec<Value> = left.values().iter().chain(right.values()).cloned().collect();
    let (a, b) = (left.dimensions(), right.dimensions());
    let mut dimensions = if a.len() >= b.len() { a.to_vec() } else { b.to_vec() };
    if let Some(first) = dimensions.first_mut() {
        let rest: usize = a.iter().skip(1).map(|it| it.length as usize).product::<usize>().max(1);
        first.length = (values.len() / rest) as u32;
    }
    if a.len().max(b.len()) <= 1 {
        return Ok(Value::Array(Arc::new(Array::new(left.element_type().clone(), values))));
    }
    let array = Array::with_dimensions(left.element_type().clone(), dimensions, values)
        .map_err(|_| Error::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "cannot concatenate incompatible arrays"))?;
    Ok(Value::Array(Arc::new(array)))
}
