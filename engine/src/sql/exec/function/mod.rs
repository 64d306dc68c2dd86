//! Functions: what each does to its arguments. Names and signatures are the binder's.
//!
//! ```text
//!   text.rs  math.rs  time.rs  array.rs  json.rs     by the kind of their arguments
//!   session.rs  catalog.rs                           facts of the session, and of the catalog
//!   series.rs  sets.rs                               functions that return sets of rows
//! ```
//! Invariant: a strict function never sees NULL.

pub mod array;
mod catalog;
mod definition;
pub mod json;
pub mod math;
mod md5;
pub mod series;
mod session;
mod sets;
pub mod string;
mod text;
mod time;
mod time_format;

use super::Env;
use crate::error::{Error, Result};
use crate::sql::plan::{Expr, Function};
use crate::sql::types::{Numeric, Text, Type, Value};

pub use definition::index_definition;
pub use sets::set_returning;

/// A call under way: the arguments and what they are.
pub struct Call<'a> {
    /// The function.
    pub function: Function,
    /// The arguments' values.
    pub args: &'a [Value],
    /// The arguments, for their types.
    pub exprs: &'a [Expr],
    /// Type of the result.
    pub ty: &'a Type,
    /// The session.
    pub env: &'a Env,
}

/// Calls a function over a row.
pub fn call(env: &Env, function: Function, exprs: &[Expr], ty: &Type, row: &[Value]) -> Result<Value> {
    let mut args = Vec::with_capacity(exprs.len());
    for expr in exprs {
        args.push(env.eval(expr, row)?);
    }
    call_values(env, function, &args, exprs, ty)
}

/// Calls a function with values.
pub fn call_values(env: &Env, function: Function, args: &[Value], exprs: &[Expr], ty: &Type) -> Result<Value> {
    if function.is_strict() && args.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let call = Call { function, args, exprs, ty, env };
    for group in [text::call, math::call, time::call, array::call, json::call, session::call, catalog::call] {
        if let Some(result) = group(&call) {
            return result;
        }
    }
    Err(Error::unsupported(format!("function {function:?} is not supported"), "Compute the value in the application."))
}

impl Call<'_> {
    /// Argument `index` as text; empty if it is absent or none.
    pub fn text(&self, index: usize) -> &str {
        self.args.get(index).and_then(Value::as_str).unwrap_or_default()
    }

    /// Argument `index` as an integer; 0 if it is absent or none.
    pub fn int(&self, index: usize) -> i64 {
        self.args.get(index).and_then(Value::as_i64).unwrap_or_default()
    }

    /// Argument `index`, if it was given.
    pub fn given(&self, index: usize) -> Option<&Value> {
        self.args.get(index)
    }

    /// Argument `index` as a double.
    pub fn float(&self, index: usize) -> f64 {
        self.args.get(index).and_then(Value::as_f64).unwrap_or_default()
    }

    /// Argument `index` as an exact number, if it is one.
    pub fn number(&self, index: usize) -> Option<Numeric> {
        match self.args.get(index)? {
            Value::Numeric(number) => Some(number.clone()),
            other => other.as_i64().map(Numeric::from),
        }
    }

    /// Argument `index` as people read it.
    pub fn shown(&self, index: usize) -> String {
        let Some(value) = self.args.get(index) else { return String::new() };
        let mut out = String::new();
        match self.exprs.get(index) {
            Some(expr) => value.write_text(expr.ty(), &self.env.types, &mut out),
            None => out = value.to_text(&self.env.types),
        }
        out
    }
}

/// A text value.
pub fn text_value(text: impl Into<Text>) -> Value {
    Value::Text(text.into())
}
