//! Casts that the binder adds: to the type that an operator, function, column or clause asks for.
//!
//! A literal of unknown type is read as the type asked for, at once if its meaning depends on nothing but its text. A
//! parameter of unknown type takes the type. A parameter that stands for a number of the text may be read as a wider
//! number. Everything else gets a `Cast`, unless the bytes are the same.

use super::{Binder, scope::Level};
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::Expr;
use crate::sql::types::{CastKind, Type, Value, can_cast, cast, common_type, is_binary_coercible};
use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;

impl Binder<'_> {
    /// Casts to `to` by the rules of `kind`; 42846 if there is no such cast.
    pub(super) fn coerce(&mut self, expr: Expr, to: &Type, kind: CastKind, span: Span) -> Result<Expr> {
        let expr = match expr {
            Expr::Parameter { index, ty } => self.coerce_parameter(index, ty, to),
            other => other,
        };
        if expr.ty() == to || *to == Type::Unknown {
            return Ok(expr);
        }
        if let Expr::Literal { value: Value::Null, .. } = expr {
            return Ok(Expr::null(to.clone()));
        }
        let from = expr.ty().clone();
        if kind != CastKind::Explicit && is_binary_coercible(&from, to) && from.category() == to.category() {
            return Ok(expr);
        }
        if from != Type::Unknown && !can_cast(&from, to, kind) {
            let message = format!("cannot cast type {} to {}", from.sql_name(), to.sql_name());
            return self.fail(SqlState::CANNOT_COERCE, message, span);
        }
        if let Expr::Literal { value, ty } = &expr
            && is_foldable(value, ty, to)
        {
            let folded = cast(value, ty, to, kind, &self.types).map_err(|error| self.at(error, span))?;
            return Ok(Expr::literal(folded, to.clone()));
        }
        Ok(Expr::Cast { input: Box::new(expr), to: to.clone(), kind })
    }

    /// A parameter without type takes the one asked for (without modifiers); one that stands for a number widens.
    fn coerce_parameter(&mut self, index: usize, ty: Type, to: &Type) -> Expr {
        let current = self.parameters[index].clone();
        let ty = current.clone().unwrap_or(ty);
        let wanted = to.without_modifiers();
        let takes = match (&current, &wanted) {
            (None, Type::Unknown) => false,
            (None, _) => true,
            (Some(number), wanted) => self.context.literals && !self.pinned.contains(&index) && widens(number, wanted),
        };
        if !takes {
            return Expr::Parameter { index, ty };
        }
        // char(n) pads on its own; the parameter itself has no length.
        self.parameters[index] = Some(wanted.clone());
        self.pinned.insert(index);
        Expr::Parameter { index, ty: wanted }
    }

    /// Keeps the types of the parameters in an expression that is about to be used twice.
    pub(super) fn pin(&mut self, expr: &Expr) {
        let mut indexes = Vec::new();
        expr.walk(&mut |part| {
            if let Expr::Parameter { index, .. } = part {
                indexes.push(*index);
            }
        });
        self.pinned.extend(indexes);
    }

    /// The value of a column of type `to`: assignment cast; 42804 without column name.
    pub(super) fn assign(&mut self, expr: Expr, to: &Type, source: &ast::Expr) -> Result<Expr> {
        self.assign_named(expr, to, None, source.span())
    }

    /// As [`Binder::assign`], naming the column in the message.
    pub(super) fn assign_named(&mut self, expr: Expr, to: &Type, column: Option<&str>, span: Span) -> Result<Expr> {
        let from = expr.ty().clone();
        if from != Type::Unknown && !from.same_base(to) && !can_cast(&from, to, CastKind::Assignment) {
            let what = match column {
                Some(column) => format!("column \"{column}\" is of type {}", to.sql_name()),
                None => format!("the target is of type {}", to.sql_name()),
            };
            let message = format!("{what} but expression is of type {}", from.sql_name());
            let error = Error::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression.");
            return Err(self.at(error, span));
        }
        self.coerce(expr, to, CastKind::Assignment, span)
    }

    /// A condition: boolean, or 42804 naming the clause.
    pub(super) fn condition(&mut self, expr: Expr, clause: &str, span: Span) -> Result<Expr> {
        if *expr.ty() != Type::Bool && *expr.ty() != Type::Unknown {
            let message = format!("argument of {clause} must be type boolean, not type {}", expr.ty().sql_name());
            return self.fail(SqlState::DATATYPE_MISMATCH, message, span);
        }
        self.coerce(expr, &Type::Bool, CastKind::Implicit, span)
    }

    /// Casts all to the type they have in common.
    pub(super) fn unify(&mut self, exprs: Vec<Expr>, context: &str, span: Span) -> Result<(Vec<Expr>, Type)> {
        let types: Vec<Type> = exprs.iter().map(|expr| expr.ty().clone()).collect();
        let common = common_type(&types, context).map_err(|error| self.at(error, span))?;
        let cast = |expr| self.coerce(expr, &common, CastKind::Implicit, span);
        let exprs = exprs.into_iter().map(cast).collect::<Result<Vec<_>>>()?;
        Ok((exprs, common))
    }

    /// A literal or parameter that nobody asked for a type of is text.
    pub(super) fn decided(&mut self, expr: Expr) -> Result<Expr> {
        if *expr.ty() != Type::Unknown {
            return Ok(expr);
        }
        self.coerce(expr, &Type::Text, CastKind::Implicit, Span::empty())
    }

    /// The clause being bound, for messages.
    pub(super) fn clause(&self) -> &'static str {
        self.levels.last().map_or("SELECT", |level: &Level| level.clause)
    }
}

fn widens(from: &Type, to: &Type) -> bool {
    match from {
        Type::Int4 => matches!(to, Type::Int8 | Type::Numeric(_) | Type::Float8),
        Type::Int8 => matches!(to, Type::Numeric(_)),
        _ => false,
    }
}

/// Whether the cast of a constant gives the same value in every session and at all times.
fn is_foldable(value: &Value, from: &Type, to: &Type) -> bool {
    match to {
        Type::Timestamptz(_) | Type::Time(_) => false,
        Type::Array(element) => is_foldable(value, from, element),
        _ if to.is_oid() && !from.is_number() => *to == Type::Oid || *to == Type::Regtype,
        _ if to.is_oid() => *to == Type::Oid,
        // Words such as today, and orders of day and month, depend on the session.
        Type::Date | Type::Timestamp(_) if from.is_string() => value.as_str().is_some_and(is_iso_date),
        Type::Date | Type::Timestamp(_) => !matches!(from, Type::Timestamptz(_)),
        _ => !(matches!(from, Type::Timestamptz(_) | Type::Json) || from.is_oid() && *from != Type::Oid),
    }
}

fn is_iso_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && !text.contains(|c: char| c.is_ascii_alphabetic() && c != 'T')
}
