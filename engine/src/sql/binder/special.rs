//! Functions that the standard spells with words: EXTRACT, SUBSTRING, TRIM, POSITION, OVERLAY, AT TIME ZONE and so on.

use super::Binder;
use crate::error::{Error, Result};
use crate::sql::plan::Expr;
use crate::sql::types::{Type, Value};
use sqlparser::ast::{self, Spanned};

impl Binder<'_> {
    /// The forms that `Binder::expr` does not know itself.
    pub(super) fn special(&mut self, expr: &ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        let span = expr.span();
        match expr {
            E::Extract { field, expr: input, .. } => {
                let field = Expr::literal(Value::text(field.to_string().to_lowercase()), Type::Unknown);
                let input = self.expr(input)?;
                self.call("extract", vec![field, input], span)
            }
            E::Ceil { expr: input, field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) } => {
                self.call_of("ceil", &[input], span)
            }
            E::Floor { expr: input, field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) } => {
                self.call_of("floor", &[input], span)
            }
            E::Position { expr: part, r#in: whole } => self.call_of("position", &[whole, part], span),
            E::Substring { expr: input, substring_from, substring_for, .. } => {
                self.substring(input, substring_from.as_deref(), substring_for.as_deref(), span)
            }
            E::Trim { trim_where, trim_what, expr: input, trim_characters } => {
                let name = match trim_where {
                    None | Some(ast::TrimWhereField::Both) => "btrim",
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                };
                let mut args: Vec<&ast::Expr> = vec![input];
                args.extend(trim_what.as_deref());
                args.extend(trim_characters.iter().flatten());
                self.call_of(name, &args, span)
            }
            E::Overlay { expr: input, overlay_what, overlay_from, overlay_for } => {
                let mut args: Vec<&ast::Expr> = vec![input, overlay_what, overlay_from];
                args.extend(overlay_for.as_deref());
                self.call_of("overlay", &args, span)
            }
            E::AtTimeZone { timestamp, time_zone } => self.call_of("timezone", &[time_zone, timestamp], span),
            _ => Err(self.at(
                Error::unsupported("this form of expression is not supported", "Use plain functions and operators."),
                span,
            )),
        }
    }

    fn call_of(&mut self, name: &str, args: &[&ast::Expr], span: sqlparser::tokenizer::Span) -> Result<Expr> {
        let mut bound = Vec::with_capacity(args.len());
        for arg in args {
            bound.push(self.expr(arg)?);
        }
        self.call(name, bound, span)
    }

    /// `SUBSTRING(x FROM a FOR b)`; without FROM it begins at the first character.
    fn substring(
        &mut self,
        input: &ast::Expr,
        from: Option<&ast::Expr>,
        length: Option<&ast::Expr>,
        span: sqlparser::tokenizer::Span,
    ) -> Result<Expr> {
        let mut args = vec![self.expr(input)?];
        args.push(match from {
            Some(from) => self.expr(from)?,
            None => Expr::literal(Value::Int4(1), Type::Int4),
        });
        if let Some(length) = length {
            args.push(self.expr(length)?);
        }
        self.call("substring", args, span)
    }
}
