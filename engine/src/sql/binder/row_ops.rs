//! Rows and lists: `(a, b) = (c, d)`, IN, ANY and ALL.

use super::Binder;
use super::expr::{compare_op, row_fields};
use crate::error::{Error, Result, SqlState};
use crate::sql::optimizer::logical::{Subquery, SubqueryKind};
use crate::sql::plan::{CompareOp, Expr};
use crate::sql::types::{CastKind, Type, common_type};
use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;

impl Binder<'_> {
    /// `(a, b)` as a value.
    pub(super) fn row(&mut self, fields: &[ast::Expr]) -> Result<Expr> {
        let mut bound = Vec::with_capacity(fields.len());
        for field in fields {
            let field = self.expr(field)?;
            bound.push(self.decided(field)?);
        }
        Ok(Expr::Row { fields: bound, ty: Type::Record })
    }

    /// `(a, b) op (c, d)`: equality by parts; the others by the first part that differs.
    pub(super) fn compare_rows(
        &mut self,
        op: CompareOp,
        left: &[ast::Expr],
        right: &ast::Expr,
        span: Span,
    ) -> Result<Expr> {
        if let ast::Expr::Subquery(query) = right {
            let left = self.exprs(left)?;
            return self.quantified_subquery(left, op, false, query, span);
        }
        let Some(right) = row_fields(right) else {
            return Err(
                self.at(Error::unsupported("a row can be compared with a row only", "Write (a, b) = (c, d)."), span)
            );
        };
        let (left, right) = (self.exprs(left)?, self.exprs(right)?);
        self.same_length(left.len(), right.len(), span)?;
        let mut pairs = Vec::with_capacity(left.len());
        for (left, right) in left.into_iter().zip(right) {
            pairs.push(self.comparable(op.symbol(), left, right, span)?);
        }
        Ok(row_comparison(op, pairs))
    }

    pub(super) fn exprs(&mut self, exprs: &[ast::Expr]) -> Result<Vec<Expr>> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn same_length(&self, left: usize, right: usize, span: Span) -> Result<()> {
        if left == right {
            return Ok(());
        }
        self.fail(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions".into(), span)
    }

    pub(super) fn in_target(&mut self, input: &ast::Expr, target: &ast::InTarget, negated: bool) -> Result<Expr> {
        match target {
            ast::InTarget::List(list) => self.in_list(input, list, negated),
            ast::InTarget::Subquery(query) => {
                let op = if negated { CompareOp::Ne } else { CompareOp::Eq };
                let left = match row_fields(input) {
                    Some(fields) => self.exprs(fields)?,
                    None => vec![self.expr(input)?],
                };
                self.quantified_subquery(left, op, negated, query, input.span())
            }
            _ => Err(Error::unsupported("this form of IN is not supported", "Use IN (list) or IN (SELECT ...).")),
        }
    }

    fn in_list(&mut self, input: &ast::Expr, list: &[ast::Expr], negated: bool) -> Result<Expr> {
        let span = input.span();
        if let Some(fields) = row_fields(input) {
            return self.in_rows(fields, list, negated, span);
        }
        let bound = self.expr(input)?;
        let mut candidates = self.exprs(list)?;
        if candidates.len() == 1 {
            let op = if negated { CompareOp::Ne } else { CompareOp::Eq };
            return self.compare(op, bound, candidates.remove(0), span);
        }
        let types: Vec<Type> = candidates.iter().map(|expr| expr.ty().clone()).collect();
        let common = common_type(&types, "IN").ok().filter(|_| types.iter().any(|ty| *ty != Type::Unknown));
        let ty = match &common {
            Some(common) => super::operator::comparison_type(bound.ty(), common),
            None => super::operator::comparison_type(bound.ty(), &Type::Unknown),
        };
        let Some(ty) = ty else {
            let other = types.iter().find(|ty| super::operator::comparison_type(bound.ty(), ty).is_none());
            return Err(self.no_operator("=", bound.ty(), other.unwrap_or(&Type::Unknown), span));
        };
        let bound = self.coerce(bound, &ty, CastKind::Implicit, span)?;
        let mut values = Vec::with_capacity(candidates.len());
        for (candidate, source) in candidates.into_iter().zip(list) {
            values.push(self.coerce(candidate, &ty, CastKind::Implicit, source.span())?);
        }
        Ok(Expr::InList { input: Box::new(bound), list: values, negated })
    }

    /// `(a, b) IN ((1, 2), (3, 4))`.
    fn in_rows(&mut self, fields: &[ast::Expr], list: &[ast::Expr], negated: bool, span: Span) -> Result<Expr> {
        let mut any = Vec::with_capacity(list.len());
        for candidate in list {
            any.push(self.compare_rows(CompareOp::Eq, fields, candidate, span)?);
        }
        let found = if any.len() == 1 { any.remove(0) } else { Expr::Or(any) };
        Ok(if negated { Expr::Not(Box::new(found)) } else { found })
    }

    /// `x op ANY (...)`, `x op ALL (...)`, over an array or a subquery.
    pub(super) fn quantified(
        &mut self,
        left: &ast::Expr,
        op: &ast::BinaryOperator,
        right: &ast::Expr,
        all: bool,
    ) -> Result<Expr> {
        let span = left.span();
        let Some(op) = compare_op(op) else {
            let hint = "ANY and ALL take =, <>, <, <=, > and >=.";
            return Err(self.at(Error::unsupported("this operator is not supported before ANY or ALL", hint), span));
        };
        if let ast::Expr::Subquery(query) = unnest(right) {
            let left = match row_fields(left) {
                Some(fields) => self.exprs(fields)?,
                None => vec![self.expr(left)?],
            };
            return self.quantified_subquery(left, op, all, query, span);
        }
        // A list in brackets is a list.
        if let (ast::Expr::Array(list), CompareOp::Eq, false) = (unnest(right), op, all)
            && !list.elem.is_empty()
            && !list.elem.iter().any(|elem| matches!(elem, ast::Expr::Array(_)))
        {
            return self.in_list(left, &list.elem, false);
        }
        let left = self.expr(left)?;
        let array = self.expr(unnest(right))?;
        let element = match array.ty() {
            Type::Unknown => left.ty().without_modifiers(),
            ty => match ty.element() {
                Some(element) => element.clone(),
                None => {
                    let message = "op ANY/ALL (array) requires array on right side".to_string();
                    return self.fail(SqlState::WRONG_OBJECT_TYPE, message, right.span());
                }
            },
        };
        let Some(ty) = super::operator::comparison_type(left.ty(), &element) else {
            return Err(self.no_operator(op.symbol(), left.ty(), &element, span));
        };
        let left = self.coerce(left, &ty, CastKind::Implicit, span)?;
        let array = self.coerce(array, &Type::array_of(ty), CastKind::Implicit, right.span())?;
        Ok(Expr::Quantified { op, left: Box::new(left), array: Box::new(array), all })
    }

    fn quantified_subquery(
        &mut self,
        left: Vec<Expr>,
        op: CompareOp,
        all: bool,
        query: &ast::Query,
        span: Span,
    ) -> Result<Expr> {
        let (mut query, _) = self.subquery(query)?;
        if query.columns.len() != left.len() {
            let what = if query.columns.len() > left.len() { "many" } else { "few" };
            return self.fail(SqlState::SYNTAX_ERROR, format!("subquery has too {what} columns"), span);
        }
        if left.len() > 1 && !matches!(op, CompareOp::Eq | CompareOp::Ne) {
            let hint = "Rows and subqueries can be compared with = and <> only.";
            return Err(self.at(Error::unsupported("this comparison of rows is not supported", hint), span));
        }
        let mut casts = Vec::with_capacity(left.len());
        for (left, col) in left.into_iter().zip(query.columns.clone()) {
            casts.push(self.comparable(op.symbol(), left, col.expr(), span)?);
        }
        let (left, right): (Vec<Expr>, Vec<Expr>) = casts.into_iter().unzip();
        query = self.extend_query(query, right);
        let kind = SubqueryKind::Quantified { left, op, all };
        Ok(Expr::Subquery(Box::new(Subquery { kind, query, ty: Type::Bool })))
    }
}

fn row_comparison(op: CompareOp, mut pairs: Vec<(Expr, Expr)>) -> Expr {
    match op {
        CompareOp::Eq => Expr::and(pairs.into_iter().map(|(l, r)| Expr::compare(CompareOp::Eq, l, r)).collect()),
        CompareOp::Ne => {
            let parts: Vec<Expr> = pairs.into_iter().map(|(l, r)| Expr::compare(CompareOp::Ne, l, r)).collect();
            if parts.len() == 1 { Expr::and(parts) } else { Expr::Or(parts) }
        }
        _ => {
            // (a, b) < (c, d)  is  a < c OR (a = c AND b < d)
            let strict = match op {
                CompareOp::Le => CompareOp::Lt,
                CompareOp::Ge => CompareOp::Gt,
                same => same,
            };
            let Some((left, right)) = pairs.pop() else { return Expr::bool(true) };
            let mut result = Expr::compare(op, left, right);
            for (left, right) in pairs.into_iter().rev() {
                let before = Expr::compare(strict, left.clone(), right.clone());
                let same = Expr::compare(CompareOp::Eq, left, right);
                result = Expr::Or(vec![before, Expr::And(vec![same, result])]);
            }
            result
        }
    }
}

fn unnest(expr: &ast::Expr) -> &ast::Expr {
    match expr {
        ast::Expr::Nested(inner) => unnest(inner),
        other => other,
    }
}
