//! Functions that return sets of rows.

use super::super::eval::as_array;
use super::super::{Env, Row};
use super::series::Series;
use super::{Call, call_values, json, text, text_value};
use crate::error::{Error, Result};
use crate::sql::plan::{Expr, TableFunction};
use crate::sql::types::{Type, Value};

/// Longest series that is made at once (in the select list; FROM makes it piece by piece).
const MAX_ROWS: usize = 10_000_000;

/// All rows of a set-returning function.
pub fn set_returning(env: &Env, function: TableFunction, args: Vec<Value>, exprs: &[Expr]) -> Result<Vec<Row>> {
    let call = Call { function: crate::sql::plan::Function::Length, args: &args, exprs, ty: &Type::Text, env };
    let column = |values: Vec<Value>| values.into_iter().map(|value| vec![value]).collect();
    Ok(match function {
        TableFunction::GenerateSeries => {
            let mut series = Series::new(&args, &env.types)?;
            let mut rows = Vec::new();
            while let Some(value) = series.next(&env.types)? {
                if rows.len() == MAX_ROWS {
                    return Err(Error::unsupported(
                        "a series of more than 10000000 rows in the select list is not supported",
                        "Use generate_series in FROM.",
                    ));
                }
                rows.push(vec![value]);
            }
            rows
        }
        TableFunction::Unnest => unnest(&args),
        TableFunction::GenerateSubscripts => column(subscripts(&call)),
        _ if args.first().is_some_and(Value::is_null) => Vec::new(),
        TableFunction::RegexpSplitToTable => column(text::split_by_regex(&call)?.into_iter().map(text_value).collect()),
        TableFunction::RegexpMatches => {
            let flags = call.text(2);
            let regex = env.regexes.get(call.text(1), flags.contains('i'))?;
            let limit = if flags.contains('g') { usize::MAX } else { 1 };
            column(regex.captures_iter(call.text(0)).take(limit).map(|found| text::groups(&found)).collect())
        }
        TableFunction::StringToTable => {
            let parts = text::split(&call).unwrap_or_default();
            column(parts.into_iter().map(|part| part.map_or(Value::Null, text_value)).collect())
        }
        TableFunction::JsonArrayElements => column(json::elements(&args[0])?),
        TableFunction::PartitionAncestors => column(vec![args[0].clone()]),
        TableFunction::OptionsToTable => options(&args),
        TableFunction::Keywords | TableFunction::AclExplode => Vec::new(),
        TableFunction::Scalar(function) => vec![vec![call_values(env, function, &args, exprs, &Type::Text)?]],
    })
}

fn unnest(args: &[Value]) -> Vec<Row> {
    let arrays: Vec<&[Value]> = args.iter().map(|arg| as_array(arg).map_or(&[][..], |array| array.values())).collect();
    let longest = arrays.iter().map(|values| values.len()).max().unwrap_or(0);
    let row = |place: usize| arrays.iter().map(|values| values.get(place).cloned().unwrap_or(Value::Null)).collect();
    (0..longest).map(row).collect()
}

fn subscripts(call: &Call<'_>) -> Vec<Value> {
    let place = usize::try_from(call.int(1) - 1).ok();
    let array = call.args.first().and_then(as_array);
    let Some(dimension) = array.zip(place).and_then(|(array, place)| array.dimensions().get(place)) else {
        return Vec::new();
    };
    let all = dimension.lower..dimension.lower + dimension.length as i32;
    if call.given(2).is_some_and(Value::is_true) {
        all.rev().map(Value::Int4).collect()
    } else {
        all.map(Value::Int4).collect()
    }
}

/// `name=value` pairs as rows.
fn options(args: &[Value]) -> Vec<Row> {
    let values = args.first().and_then(as_array).map_or(&[][..], |array| array.values());
    let split = |value: &Value| {
        let (name, setting) = value.as_str()?.split_once('=')?;
        Some(vec![text_value(name), text_value(setting)])
    };
    values.iter().filter_map(split).collect()
}
