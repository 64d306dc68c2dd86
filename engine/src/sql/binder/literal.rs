//! Literals: numbers, strings, typed strings such as `DATE '2020-01-01'`, intervals, parameters.

use super::Binder;
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::Expr;
use crate::sql::types::{CastKind, Type, Value};
use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;

/// Highest parameter number.
const MAX_PARAMETERS: usize = 65_535;

impl Binder<'_> {
    pub(super) fn value(&mut self, value: &ast::ValueWithSpan) -> Result<Expr> {
        use ast::Value as V;
        let span = value.span;
        match &value.value {
            V::Number(digits, _) => self.number(digits, span),
            V::SingleQuotedString(text)
            | V::EscapedStringLiteral(text)
            | V::UnicodeStringLiteral(text)
            | V::NationalStringLiteral(text) => Ok(Expr::literal(Value::text(text.as_str()), Type::Unknown)),
            V::DollarQuotedString(text) => Ok(Expr::literal(Value::text(text.value.as_str()), Type::Unknown)),
            V::Boolean(value) => Ok(Expr::bool(*value)),
            V::Null => Ok(Expr::null(Type::Unknown)),
            V::Placeholder(name) => self.parameter(name, span),
            _ => Err(self.at(
                Error::unsupported("this form of literal is not supported", "Use a quoted string with a cast."),
                span,
            )),
        }
    }

    /// An integer of the smallest of int4, int8, numeric that holds it; with a point or exponent, numeric.
    fn number(&mut self, digits: &str, span: Span) -> Result<Expr> {
        if let Ok(value) = digits.parse::<i32>() {
            return Ok(Expr::literal(Value::Int4(value), Type::Int4));
        }
        if let Ok(value) = digits.parse::<i64>() {
            return Ok(Expr::literal(Value::Int8(value), Type::Int8));
        }
        let value = match Value::parse(digits, &Type::NUMERIC, &self.types) {
            Ok(value) => value,
            Err(error) => return Err(self.at(error, span)),
        };
        Ok(Expr::literal(value, Type::NUMERIC))
    }

    fn parameter(&mut self, name: &str, span: Span) -> Result<Expr> {
        let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        let Some(number) = number.filter(|number| (1..=MAX_PARAMETERS).contains(number)) else {
            return self.fail(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {name}"), span);
        };
        if self.parameters.len() < number {
            self.parameters.resize(number, None);
        }
        let ty = self.parameters[number - 1].clone().unwrap_or(Type::Unknown);
        Ok(Expr::Parameter { index: number - 1, ty })
    }

    /// `DATE '2020-01-01'`.
    pub(super) fn typed_string(&mut self, typed: &ast::TypedString) -> Result<Expr> {
        let ty = self.data_type(&typed.data_type)?;
        let text = self.value(&typed.value)?;
        self.coerce(text, &ty, CastKind::Explicit, typed.value.span)
    }

    /// `INTERVAL '1 day'`, `INTERVAL '1' DAY`.
    pub(super) fn interval(&mut self, interval: &ast::Interval) -> Result<Expr> {
        let span = interval.value.span();
        let refused =
            || Error::unsupported("this form of interval literal is not supported", "Write INTERVAL '1 day 02:03:04'.");
        if interval.last_field.is_some() || interval.leading_precision.is_some() {
            return Err(self.at(refused(), span));
        }
        let text = self.expr(&interval.value)?;
        let Expr::Literal { value, ty: Type::Unknown } = &text else { return Err(self.at(refused(), span)) };
        let text = match (value.as_str(), &interval.leading_field) {
            (Some(text), Some(field)) => Value::text(format!("{text} {}", field.to_string().to_lowercase())),
            _ => value.clone(),
        };
        let ty = Type::Interval(interval.fractional_seconds_precision.map(|digits| digits.min(6) as u8));
        self.coerce(Expr::literal(text, Type::Unknown), &ty, CastKind::Explicit, span)
    }

    /// Casts an expression of the tree: `CAST(x AS t)`, `x::t`.
    pub(super) fn explicit_cast(&mut self, expr: &ast::Expr, data_type: &ast::DataType) -> Result<Expr> {
        let ty = self.data_type(data_type)?;
        // The type of `ARRAY[...]::t[]` reaches the elements, so that an empty array has a type.
        if let (ast::Expr::Array(array), Type::Array(element)) = (expr, &ty) {
            return self.array_of(array, Some(element));
        }
        let input = self.expr(expr)?;
        self.coerce(input, &ty, CastKind::Explicit, expr.span())
    }
}
