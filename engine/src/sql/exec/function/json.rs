//! Functions and operators of json and jsonb.

use super::{Call, text_value};
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::Function;
use crate::sql::types::{Json, Numeric, Text, TypeContext, Value};
use std::sync::Arc;

/// The result, if the function is one of JSON.
pub fn call(call: &Call<'_>) -> Option<Result<Value>> {
    use Function as F;
    let value = match call.function {
        F::ToJson | F::RowToJson => Ok(as_json(to_json(call.args.first()?, &call.env.types))),
        F::ToJsonb => Ok(Value::Jsonb(Arc::new(to_json(call.args.first()?, &call.env.types)))),
        F::JsonBuildObject => object(call).map(as_json),
        F::JsonbBuildObject => object(call).map(|json| Value::Jsonb(Arc::new(json))),
        F::JsonBuildArray => Ok(as_json(list(call))),
        F::JsonbBuildArray => Ok(Value::Jsonb(Arc::new(list(call)))),
        F::JsonTypeof => tree(call.args.first()?).map(|json| text_value(json.type_name())),
        F::JsonArrayLength => tree(call.args.first()?).and_then(|json| match json.as_ref() {
            Json::Array(elements) => Ok(Value::Int4(elements.len() as i32)),
            _ => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "cannot get array length of a non-array")),
        }),
        _ => return None,
    };
    Some(value)
}

fn as_json(json: Json) -> Value {
    Value::Json(Text::from(to_text(&json)))
}

/// The canonical text.
pub fn to_text(json: &Json) -> String {
    let mut out = String::new();
    json.write(&mut out);
    out
}

/// The tree of a json or jsonb value.
pub fn tree(value: &Value) -> Result<Arc<Json>> {
    match value {
        Value::Jsonb(json) => Ok(json.clone()),
        Value::Json(text) => Json::parse(text).map(Arc::new),
        _ => Err(Error::internal("a value is no JSON")),
    }
}

/// A SQL value as JSON.
pub fn to_json(value: &Value, types: &TypeContext) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Numeric(number) if number.is_finite() => Json::Number(number.clone()),
        Value::Float4(_) | Value::Float8(_) => {
            let text = value.to_text(types);
            text.parse().map_or_else(|_| Json::String(Text::from(text)), Json::Number)
        }
        Value::Jsonb(json) => json.as_ref().clone(),
        Value::Json(text) => Json::parse(text).unwrap_or_else(|_| Json::String(text.clone())),
        Value::Array(array) => Json::Array(array.values().iter().map(|value| to_json(value, types)).collect()),
        Value::Record(fields) => {
            let named = fields.iter().enumerate();
            Json::object(named.map(|(n, v)| (Text::from(format!("f{}", n + 1)), to_json(v, types))).collect())
        }
        Value::Int2(_) | Value::Int4(_) | Value::Int8(_) => {
            Json::Number(Numeric::from(value.as_i64().unwrap_or_default()))
        }
        other => Json::String(Text::from(other.to_text(types))),
    }
}

fn object(call: &Call<'_>) -> Result<Json> {
    if !call.args.len().is_multiple_of(2) {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "argument list must have even number of elements"));
    }
    let mut pairs = Vec::with_capacity(call.args.len() / 2);
    for (place, pair) in call.args.chunks_exact(2).enumerate() {
        if pair[0].is_null() {
            return Err(Error::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                format!("argument {} cannot be null", 2 * place + 1),
            ));
        }
        let key = Text::from(pair[0].to_text(&call.env.types));
        pairs.push((key, to_json(&pair[1], &call.env.types)));
    }
    Ok(Json::object(pairs))
}

fn list(call: &Call<'_>) -> Json {
    Json::Array(call.args.iter().map(|value| to_json(value, &call.env.types)).collect())
}

/// `->`, `->>` (one step), `#>`, `#>>` (a path).
pub fn get(value: &Value, path: &[Value], as_text: bool) -> Result<Value> {
    let root = tree(value)?;
    let mut json = root.as_ref();
    for step in path {
        let below = match (step, json) {
            (Value::Null, _) => None,
            (Value::Text(key), Json::Object(_)) => json.get(key),
            (Value::Text(key), Json::Array(_)) => key.parse().ok().and_then(|place| json.at(place)),
            (Value::Text(_), _) => None,
            (place, _) => place.as_i64().and_then(|place| json.at(place)),
        };
        match below {
            Some(below) => json = below,
            None => return Ok(Value::Null),
        }
    }
    Ok(match (as_text, json, value) {
        (true, Json::Null, _) => Value::Null,
        (true, Json::String(text), _) => Value::Text(text.clone()),
        (true, json, _) => text_value(to_text(json)),
        (false, json, Value::Jsonb(_)) => Value::Jsonb(Arc::new(json.clone())),
        (false, json, _) => as_json(json.clone()),
    })
}

/// `?`
pub fn exists(value: &Value, key: &Value) -> Result<Value> {
    let key = key.as_str().unwrap_or_default();
    Ok(Value::Bool(match tree(value)?.as_ref() {
        Json::Array(elements) => {
            elements.iter().any(|element| matches!(element, Json::String(text) if text.as_str() == key))
        }
        Json::String(text) => text.as_str() == key,
        json => json.get(key).is_some(),
    }))
}

/// `@>`
pub fn contains(whole: &Json, part: &Json) -> bool {
    match (whole, part) {
        (Json::Object(_), Json::Object(pairs)) => {
            pairs.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part)))
        }
        (Json::Array(whole), Json::Array(parts)) => {
            parts.iter().all(|part| whole.iter().any(|whole| contains(whole, part)))
        }
        (Json::Array(whole), part) => whole.contains(part),
        (whole, part) => whole == part,
    }
}

/// `jsonb || jsonb`
pub fn concat(left: &Json, right: &Json) -> Value {
    let joined = match (left, right) {
        (Json::Object(left), Json::Object(right)) => Json::object(left.iter().chain(right).cloned().collect()),
        (left, right) => {
            let elements = |json: &Json| match json {
                Json::Array(elements) => elements.clone(),
                other => vec![other.clone()],
            };
            let mut all = elements(left);
            all.extend(elements(right));
            Json::Array(all)
        }
    };
    Value::Jsonb(Arc::new(joined))
}

/// Elements of a JSON array, for `json_array_elements`.
pub fn elements(value: &Value) -> Result<Vec<Value>> {
    match tree(value)?.as_ref() {
        Json::Array(elements) => Ok(elements
            .iter()
            .map(|json| match value {
                Value::Jsonb(_) => Value::Jsonb(Arc::new(json.clone())),
                _ => as_json(json.clone()),
            })
            .collect()),
        _ => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "cannot extract elements from a non-array")),
    }
}
