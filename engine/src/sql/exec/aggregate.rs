//! Accumulators of aggregate functions.
//!
//! ```text
//!   plain      rows go straight into a State
//!   DISTINCT   rows go into a set first                    ┐ and into the State at the end,
//!   ORDER BY   rows are kept with their sort keys first    ┘ in order
//! ```
//! Sums of integers are kept in 128 bits: exact, and never over in any run that ends.
//!
//! Invariant: NULL arguments are left out by all but `count(*)`, `array_agg` and `json_agg`.

use super::function::json;
use super::operator::compare_keys;
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::{AggregateCall, AggregateFunction};
use crate::sql::types::{Array, Interval, Json, Numeric, Text, Type, TypeContext, Value, arith};
use ahash::RandomState;
use std::collections::HashSet;
use std::sync::Arc;

/// An aggregate of one group under way.
pub struct Accumulator {
    state: State,
    distinct: Option<HashSet<Vec<Value>, RandomState>>,
    ordered: Vec<(Vec<Value>, Vec<Value>)>,
    texts: Option<String>,
}

enum State {
    Count(i64),
    /// Sum and count.
    Integers(i128, i64),
    Numerics(Option<Numeric>, i64),
    Floats(f64, i64),
    Intervals(Interval, i64),
    /// Count, sum and sum of squares.
    Moments(i64, Numeric, Numeric),
    FloatMoments(i64, f64, f64),
    Best(Option<Value>),
    Bool(Option<bool>),
    Bits(Option<Value>),
    Text(Option<String>),
    Values(Vec<Value>),
}

impl Accumulator {
    /// The accumulator of no rows.
    pub fn new(call: &AggregateCall) -> Accumulator {
        let distinct = call.distinct.then(|| HashSet::with_hasher(RandomState::with_seeds(1, 2, 3, 4)));
        Accumulator { state: State::new(call), distinct, ordered: Vec::new(), texts: None }
    }

    /// Takes the argument of a row, when there is one argument and no order.
    pub fn add_one(&mut self, value: &Value, call: &AggregateCall, types: &TypeContext) -> Result<()> {
        if value.is_null() && !keeps_nulls(call.function) {
            return Ok(());
        }
        match &mut self.distinct {
            Some(seen) => {
                if !seen.contains(std::slice::from_ref(value)) && seen.insert(vec![value.clone()]) {
                    return self.state.add(value, call, types);
                }
                Ok(())
            }
            None => self.state.add(value, call, types),
        }
    }

    /// Takes the arguments of a row with its sort keys.
    pub fn add(
        &mut self,
        args: Vec<Value>,
        order: Vec<Value>,
        call: &AggregateCall,
        types: &TypeContext,
    ) -> Result<()> {
        if args.first().is_some_and(Value::is_null) && !keeps_nulls(call.function) {
            return Ok(());
        }
        if let Some(seen) = &mut self.distinct
            && !seen.insert(args.clone())
        {
            return Ok(());
        }
        if call.order_by.is_empty() {
            return self.take(&args, call, types);
        }
        self.ordered.push((order, args));
        Ok(())
    }

    fn take(&mut self, args: &[Value], call: &AggregateCall, types: &TypeContext) -> Result<()> {
        if call.function != AggregateFunction::StringAgg {
            return self.state.add(args.first().unwrap_or(&Value::Null), call, types);
        }
        let (text, separator) = (args.first().and_then(as_text), args.get(1).and_then(as_text));
        if let Some(text) = text {
            let sum = self.texts.get_or_insert_default();
            if let State::Text(first) = &mut self.state {
                if first.is_some() {
                    sum.push_str(&separator.unwrap_or_default());
                }
                *first = Some(String::new());
            }
            sum.push_str(&text);
        }
        Ok(())
    }

    /// The value for the rows taken.
    pub fn finish(mut self, call: &AggregateCall, types: &TypeContext) -> Result<Value> {
        let mut ordered = std::mem::take(&mut self.ordered);
        ordered.sort_by(|left, right| compare_keys(&call.order_by, &left.0, &right.0));
        for (_, args) in ordered {
            self.take(&args, call, types)?;
        }
        if let Some(text) = self.texts {
            return Ok(Value::Text(Text::from(text)));
        }
        self.state.finish(call, types)
    }
}

fn as_text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn keeps_nulls(function: AggregateFunction) -> bool {
    use AggregateFunction::{ArrayAgg, CountRows, JsonAgg, JsonbAgg};
    matches!(function, CountRows | ArrayAgg | JsonAgg | JsonbAgg)
}

impl State {
    fn new(call: &AggregateCall) -> State {
        use AggregateFunction as F;
        let ty = call.args.first().map_or(&Type::Unknown, |arg| arg.ty());
        match call.function {
            F::CountRows | F::Count => State::Count(0),
            F::Sum | F::Avg => match ty {
                Type::Int2 | Type::Int4 | Type::Int8 => State::Integers(0, 0),
                Type::Float4 | Type::Float8 => State::Floats(0.0, 0),
                Type::Interval(_) => State::Intervals(Interval::default(), 0),
                _ => State::Numerics(None, 0),
            },
            F::Min | F::Max => State::Best(None),
            F::BoolAnd | F::BoolOr => State::Bool(None),
            F::BitAnd | F::BitOr => State::Bits(None),
            F::StringAgg => State::Text(None),
            F::ArrayAgg | F::JsonAgg | F::JsonbAgg => State::Values(Vec::new()),
            F::StddevSamp | F::StddevPop | F::VarSamp | F::VarPop => match ty {
                Type::Float4 | Type::Float8 => State::FloatMoments(0, 0.0, 0.0),
                _ => State::Moments(0, Numeric::ZERO, Numeric::ZERO),
            },
        }
    }

    fn add(&mut self, value: &Value, call: &AggregateCall, types: &TypeContext) -> Result<()> {
        match self {
            State::Count(count) => *count += 1,
            State::Integers(sum, count) => {
                *sum += i128::from(value.as_i64().unwrap_or(0));
                *count += 1;
            }
            State::Numerics(sum, count) => {
                if let Value::Numeric(number) = value {
                    *sum = Some(match sum.take() {
                        Some(sum) => sum.add(number)?,
                        None => number.clone(),
                    });
                    *count += 1;
                }
            }
            State::Floats(sum, count) => {
                *sum += value.as_f64().unwrap_or(0.0);
                *count += 1;
            }
            State::Intervals(sum, count) => {
                if let Value::Interval(interval) = arith::add(&Value::Interval(*sum), value, types)? {
                    *sum = interval;
                }
                *count += 1;
            }
            State::Moments(count, sum, squares) => {
                let number = numeric_of(value);
                *count += 1;
                *squares = squares.add(&number.mul(&number)?)?;
                *sum = sum.add(&number)?;
            }
            State::FloatMoments(count, sum, squares) => {
                let number = value.as_f64().unwrap_or(0.0);
                *count += 1;
                *sum += number;
                *squares += number * number;
            }
            State::Best(best) => keep_best(best, value, call.function == AggregateFunction::Min),
            State::Bool(state) => {
                let value = value.is_true();
                *state = Some(match (call.function, *state) {
                    (_, None) => value,
                    (AggregateFunction::BoolAnd, Some(state)) => state && value,
                    (_, Some(state)) => state || value,
                });
            }
            State::Bits(state) => {
                *state = Some(match state.take() {
                    None => value.clone(),
                    Some(state) if call.function == AggregateFunction::BitAnd => arith::bit_and(&state, value)?,
                    Some(state) => arith::bit_or(&state, value)?,
                });
            }
            State::Text(_) => {}
            State::Values(values) => values.push(value.clone()),
        }
        Ok(())
    }

    fn finish(self, call: &AggregateCall, types: &TypeContext) -> Result<Value> {
        let average = call.function == AggregateFunction::Avg;
        Ok(match self {
            State::Count(count) => Value::Int8(count),
            State::Integers(_, 0) | State::Floats(_, 0) | State::Intervals(_, 0) => Value::Null,
            State::Integers(sum, count) if average => Value::Numeric(Numeric::new(sum, 0).div(&Numeric::from(count))?),
            State::Integers(sum, _) if matches!(call.ty, Type::Numeric(_)) => Value::Numeric(Numeric::new(sum, 0)),
            State::Integers(sum, _) => Value::Int8(
                i64::try_from(sum)
                    .map_err(|_| Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"))?,
            ),
            State::Numerics(None, _) => Value::Null,
            State::Numerics(Some(sum), count) if average => Value::Numeric(sum.div(&Numeric::from(count))?),
            State::Numerics(Some(sum), _) => Value::Numeric(sum),
            State::Floats(sum, count) => float(if average { sum / count as f64 } else { sum }, &call.ty),
            State::Intervals(sum, count) if average => Value::Interval(sum.checked_div(count as f64)?),
            State::Intervals(sum, _) => Value::Interval(sum),
            State::Moments(count, sum, squares) => numeric_moment(call.function, count, &sum, &squares)?,
            State::FloatMoments(count, sum, squares) => float_moment(call.function, count, sum, squares),
            State::Best(best) | State::Bits(best) => best.unwrap_or(Value::Null),
            State::Bool(state) => state.map_or(Value::Null, Value::Bool),
            State::Text(_) => Value::Null,
            State::Values(values) => collected(values, call, types)?,
        })
    }
}

fn float(value: f64, ty: &Type) -> Value {
    if *ty == Type::Float4 { Value::Float4(value as f32) } else { Value::Float8(value) }
}

fn keep_best(best: &mut Option<Value>, value: &Value, smallest: bool) {
    let better = match best {
        None => true,
        Some(best) if smallest => value.compare(best).is_lt(),
        Some(best) => value.compare(best).is_gt(),
    };
    if better {
        *best = Some(value.clone());
    }
}

fn numeric_of(value: &Value) -> Numeric {
    match value {
        Value::Numeric(number) => number.clone(),
        other => Numeric::from(other.as_i64().unwrap_or(0)),
    }
}

fn collected(values: Vec<Value>, call: &AggregateCall, types: &TypeContext) -> Result<Value> {
    if call.function == AggregateFunction::ArrayAgg {
        if values.is_empty() {
            return Ok(Value::Null);
        }
        let element = call.ty.element().cloned().unwrap_or(Type::Unknown);
        return Ok(Value::Array(Arc::new(Array::new(element, values))));
    }
    if values.is_empty() {
        return Ok(Value::Null);
    }
    let json = Json::Array(values.iter().map(|value| json::to_json(value, types)).collect());
    Ok(match call.function {
        AggregateFunction::JsonAgg => Value::Json(Text::from(json::to_text(&json))),
        _ => Value::Jsonb(Arc::new(json)),
    })
}

fn numeric_moment(function: AggregateFunction, count: i64, sum: &Numeric, squares: &Numeric) -> Result<Value> {
    use AggregateFunction::{StddevPop, StddevSamp, VarPop};
    let population = matches!(function, StddevPop | VarPop);
    if count == 0 || (count == 1 && !population) {
        return Ok(Value::Null);
    }
    let n = Numeric::from(count);
    let above = n.mul(squares)?.sub(&sum.mul(sum)?)?;
    let below = if population { n.mul(&n)? } else { n.mul(&Numeric::from(count - 1))? };
    let variance = above.div(&below)?;
    Ok(Value::Numeric(match function {
        StddevPop | StddevSamp => variance.sqrt()?,
        _ => variance,
    }))
}

fn float_moment(function: AggregateFunction, count: i64, sum: f64, squares: f64) -> Value {
    use AggregateFunction::{StddevPop, StddevSamp, VarPop};
    let population = matches!(function, StddevPop | VarPop);
    if count == 0 || (count == 1 && !population) {
        return Value::Null;
    }
    let n = count as f64;
    let variance = ((n * squares - sum * sum) / (n * if population { n } else { n - 1.0 })).max(0.0);
    Value::Float8(if matches!(function, StddevPop | StddevSamp) { variance.sqrt() } else { variance })
}
