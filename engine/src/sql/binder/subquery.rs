//! Subqueries in expressions.

use super::Binder;
use crate::error::{Result, SqlState};
use crate::sql::optimizer::logical::{Query, Rel, Subquery, SubqueryKind};
use crate::sql::plan::Expr;
use crate::sql::types::Type;
use sqlparser::ast;

impl Binder<'_> {
    /// Binds a subquery one level further in; its columns have types.
    pub(super) fn subquery(&mut self, query: &ast::Query) -> Result<(Query, Vec<String>)> {
        let (query, names) = self.query(query)?;
        Ok((self.decide_unknown(query), names))
    }

    pub(super) fn scalar_subquery(&mut self, query: &ast::Query) -> Result<Expr> {
        let (query, _) = self.subquery(query)?;
        let ty = self.only_column(&query, "subquery must return only one column")?;
        Ok(Expr::Subquery(Box::new(Subquery { kind: SubqueryKind::Scalar, query, ty })))
    }

    /// `ARRAY(SELECT ...)`.
    pub(super) fn array_subquery(&mut self, query: &ast::Query) -> Result<Expr> {
        let (query, _) = self.subquery(query)?;
        let ty = Type::array_of(self.only_column(&query, "subquery must return only one column")?);
        Ok(Expr::Subquery(Box::new(Subquery { kind: SubqueryKind::Array, query, ty })))
    }

    pub(super) fn exists(&mut self, query: &ast::Query, negated: bool) -> Result<Expr> {
        let (query, _) = self.subquery(query)?;
        let exists = Expr::Subquery(Box::new(Subquery { kind: SubqueryKind::Exists, query, ty: Type::Bool }));
        Ok(if negated { Expr::Not(Box::new(exists)) } else { exists })
    }

    fn only_column(&self, query: &Query, message: &str) -> Result<Type> {
        match query.columns.as_slice() {
            [only] => Ok(only.ty.clone()),
            _ => self.fail(SqlState::SYNTAX_ERROR, message.to_string(), sqlparser::tokenizer::Span::empty()),
        }
    }

    /// The query with other result columns, computed from its own.
    pub(super) fn extend_query(&mut self, query: Query, exprs: Vec<Expr>) -> Query {
        let mut columns = Vec::with_capacity(exprs.len());
        let mut computed = Vec::new();
        for expr in exprs {
            match expr {
                Expr::Column { slot, ty } => columns.push(crate::sql::optimizer::logical::Col { id: slot, ty }),
                expr => {
                    let col = self.new_col(expr.ty().clone());
                    columns.push(col.clone());
                    computed.push((col, expr));
                }
            }
        }
        let rel = match computed.is_empty() {
            true => query.rel,
            false => Rel::Extend { input: Box::new(query.rel), columns: computed },
        };
        Query { rel, columns }
    }

    /// Columns of literals that nobody asked a type of become text.
    pub(super) fn decide_unknown(&mut self, query: Query) -> Query {
        if query.columns.iter().all(|col| col.ty != Type::Unknown) {
            return query;
        }
        let text = |col: &crate::sql::optimizer::logical::Col| match col.ty {
            Type::Unknown => {
                Expr::Cast { input: Box::new(col.expr()), to: Type::Text, kind: crate::sql::types::CastKind::Implicit }
            }
            _ => col.expr(),
        };
        let exprs = query.columns.iter().map(text).collect();
        self.extend_query(query, exprs)
    }
}
