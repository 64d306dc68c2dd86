//! Parameters of Bind to values.

use super::frontend::{Bind, Format, utf8, violation};
use crate::error::{Error, Result};
use crate::sql::types::{Type, TypeContext, Value, binary};

/// The values of a Bind message for a statement with parameters of these types.
pub(super) fn decode(bind: &Bind<'_>, types: &[Type], ctx: &TypeContext) -> Result<Vec<Value>> {
    let given = bind.params.len();
    if let Some(formats) = bind.param_formats.count()
        && formats != given
    {
        return Err(violation(format!("bind message has {formats} parameter formats but {given} parameters")));
    }
    if given != types.len() {
        return Err(wrong_count(bind.statement, given, types.len()));
    }
    let params = bind.params.iter().zip(types).enumerate();
    params.map(|(index, (bytes, ty))| value(*bytes, bind.param_formats.get(index), ty, ctx)).collect()
}

fn value(bytes: Option<&[u8]>, format: Format, ty: &Type, ctx: &TypeContext) -> Result<Value> {
    match (bytes, format) {
        (None, _) => Ok(Value::Null),
        (Some(bytes), Format::Binary) => binary::decode(bytes, ty),
        (Some(bytes), Format::Text) => Value::parse(utf8(bytes)?, ty, ctx),
    }
}

fn wrong_count(statement: &str, given: usize, wanted: usize) -> Error {
    violation(format!(
        "bind message supplies {given} parameters, but prepared statement \"{statement}\" requires {wanted}"
    ))
}
