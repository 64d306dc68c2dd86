//! `generate_series`, value by value, so that a long series takes no memory.

use crate::error::{Error, Result, SqlState};
use crate::sql::types::{Interval, Numeric, TypeContext, Value, arith};

/// A series under way.
#[derive(Debug)]
pub struct Series {
    next: Option<Value>,
    stop: Value,
    step: Value,
    descending: bool,
}

impl Series {
    /// The series of `generate_series(start, stop [, step])`; empty if one is NULL.
    pub fn new(args: &[Value], types: &TypeContext) -> Result<Series> {
        let (Some(start), Some(stop)) = (args.first(), args.get(1)) else {
            return Err(Error::internal("generate_series takes two or three arguments"));
        };
        let step = args.get(2).cloned().unwrap_or_else(|| one(start));
        let sign = sign(&step);
        if sign == 0 && !step.is_null() {
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
        }
        let any_null = start.is_null() || stop.is_null() || step.is_null();
        let mut series =
            Series { next: (!any_null).then(|| start.clone()), stop: stop.clone(), step, descending: sign < 0 };
        series.check(types);
        Ok(series)
    }

    /// The next value; `None` at the end.
    pub fn next(&mut self, types: &TypeContext) -> Result<Option<Value>> {
        let Some(value) = self.next.take() else { return Ok(None) };
        // A step over the edge of the type ends the series.
        self.next = match arith::add(&value, &self.step, types) {
            Ok(next) => Some(next),
            Err(error) if error.is(SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => None,
            Err(error) => return Err(error),
        };
        self.check(types);
        Ok(Some(value))
    }

    fn check(&mut self, _types: &TypeContext) {
        let ordering = self.next.as_ref().map(|next| next.compare(&self.stop));
        if ordering.is_some_and(|ordering| if self.descending { ordering.is_lt() } else { ordering.is_gt() }) {
            self.next = None;
        }
    }
}

fn one(start: &Value) -> Value {
    match start {
        Value::Int4(_) => Value::Int4(1),
        Value::Numeric(_) => Value::Numeric(Numeric::ONE),
        Value::Timestamp(_) | Value::Timestamptz(_) => Value::Interval(Interval::new(0, 1, 0)),
        _ => Value::Int8(1),
    }
}

fn sign(step: &Value) -> i32 {
    match step {
        Value::Numeric(number) => number.signum(),
        Value::Interval(interval) => interval.comparable().signum() as i32,
        other => other.as_i64().unwrap_or_default().signum() as i32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(args: &[Value]) -> Vec<i64> {
        let types = TypeContext::default();
        let mut series = Series::new(args, &types).unwrap();
        let mut out = Vec::new();
        while let Some(value) = series.next(&types).unwrap() {
            out.push(value.as_i64().unwrap());
        }
        out
    }

    #[test]
    fn series_end_where_they_should() {
        assert_eq!(all(&[Value::Int4(1), Value::Int4(3)]), [1, 2, 3]);
        assert_eq!(all(&[Value::Int4(5), Value::Int4(1), Value::Int4(-2)]), [5, 3, 1]);
        assert_eq!(all(&[Value::Int4(i32::MAX - 1), Value::Int4(i32::MAX)]), [2_147_483_646, 2_147_483_647]);
        assert!(all(&[Value::Int4(2), Value::Int4(1)]).is_empty());
        assert!(all(&[Value::Null, Value::Int4(1)]).is_empty());
    }
}
