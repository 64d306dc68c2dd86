//! Expressions: one arm per form of the tree; the work is in the neighbouring files.

use super::Binder;
use super::scope::{self, ident};
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::{CompareOp, Expr, Operator};
use crate::sql::types::{CastKind, Type, Value};
use sqlparser::ast::{self, BinaryOperator as B, Spanned};
use sqlparser::tokenizer::Span;

impl Binder<'_> {
    /// Binds an expression in the current level.
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        match expr {
            E::Identifier(name) => self.identifier(name),
            E::CompoundIdentifier(parts) => self.compound(parts),
            E::CompoundFieldAccess { root, access_chain } => self.subscripts(root, access_chain),
            E::Nested(inner) => self.expr(inner),
            E::Value(value) => self.value(value),
            E::TypedString(typed) => self.typed_string(typed),
            E::Interval(interval) => self.interval(interval),
            E::Cast { kind: ast::CastKind::Cast | ast::CastKind::DoubleColon, expr, data_type, format: None } => {
                self.explicit_cast(expr, data_type)
            }
            E::BinaryOp { left, op, right } => self.binary_op(left, op, right, expr),
            E::UnaryOp { op, expr: input } => self.unary_op(op, input, expr.span()),
            E::IsNull(input) => self.is_null(input, false),
            E::IsNotNull(input) => self.is_null(input, true),
            E::IsTrue(input) => self.is_truth(input, Some(true), false, "IS TRUE"),
            E::IsNotTrue(input) => self.is_truth(input, Some(true), true, "IS NOT TRUE"),
            E::IsFalse(input) => self.is_truth(input, Some(false), false, "IS FALSE"),
            E::IsNotFalse(input) => self.is_truth(input, Some(false), true, "IS NOT FALSE"),
            E::IsUnknown(input) => self.is_truth(input, None, false, "IS UNKNOWN"),
            E::IsNotUnknown(input) => self.is_truth(input, None, true, "IS NOT UNKNOWN"),
            E::IsDistinctFrom(left, right) => self.is_distinct(left, right, false),
            E::IsNotDistinctFrom(left, right) => self.is_distinct(left, right, true),
            E::Between { expr: input, negated, low, high } => self.between(input, *negated, low, high),
            E::Like { negated, any: false, expr: input, pattern, escape_char } => {
                self.like(input, pattern, escape_char.as_deref(), false, *negated)
            }
            E::ILike { negated, any: false, expr: input, pattern, escape_char } => {
                self.like(input, pattern, escape_char.as_deref(), true, *negated)
            }
            E::In { expr: input, target, negated, global: false } => self.in_target(input, target, *negated),
            E::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, right, false),
            E::AllOp { left, compare_op, right } => self.quantified(left, compare_op, right, true),
            E::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), expr.span())
            }
            E::Exists { subquery, negated } => self.exists(subquery, *negated),
            E::Subquery(query) => self.scalar_subquery(query),
            E::Array(array) => self.array_of(array, None),
            E::Function(function) => self.function(function),
            E::Tuple(fields) => self.row(fields),
            E::Collate { expr: input, collation } => self.collate(input, collation),
            other => self.special(other),
        }
    }

    fn identifier(&mut self, name: &ast::Ident) -> Result<Expr> {
        let bound = self.bare_column(name);
        // A few functions of the standard are called without parentheses and arrive as names.
        match bound {
            Err(error) if name.quote_style.is_none() => match self.call_without_parentheses(&ident(name))? {
                Some(call) => Ok(call),
                None => Err(error),
            },
            other => other,
        }
    }

    fn compound(&mut self, parts: &[ast::Ident]) -> Result<Expr> {
        self.qualified_column(parts)
    }

    fn binary_op(&mut self, left: &ast::Expr, op: &B, right: &ast::Expr, whole: &ast::Expr) -> Result<Expr> {
        match op {
            B::And => return self.chain(whole, true),
            B::Or => return self.chain(whole, false),
            _ => {}
        }
        if let (Some(op), Some(fields)) = (compare_op(op), row_fields(left)) {
            return self.compare_rows(op, fields, right, whole.span());
        }
        let span = whole.span();
        let left = self.expr(left)?;
        let right = self.expr(right)?;
        self.apply_operator(op, left, right, span)
    }

    /// AND or OR over all operands of a chain; the chain is as deep as it is long, so no recursion.
    fn chain(&mut self, whole: &ast::Expr, and: bool) -> Result<Expr> {
        let mut operands = Vec::new();
        let mut rest = whole;
        let own = if and { B::And } else { B::Or };
        while let ast::Expr::BinaryOp { left, op, right } = rest
            && *op == own
        {
            operands.push(&**right);
            rest = left;
        }
        operands.push(rest);
        let clause = if and { "AND" } else { "OR" };
        let mut parts = Vec::with_capacity(operands.len());
        for operand in operands.into_iter().rev() {
            let bound = self.expr(operand)?;
            parts.push(self.condition(bound, clause, operand.span())?);
        }
        Ok(if and { Expr::And(parts) } else { Expr::Or(parts) })
    }

    pub(super) fn apply_operator(&mut self, op: &B, left: Expr, right: Expr, span: Span) -> Result<Expr> {
        if let Some(op) = compare_op(op) {
            return self.compare(op, left, right, span);
        }
        if let Some(op) = operator(op) {
            return self.binary(op, left, right, span);
        }
        match op {
            B::PGRegexMatch => self.regex(left, right, false, false, span),
            B::PGRegexIMatch => self.regex(left, right, true, false, span),
            B::PGRegexNotMatch => self.regex(left, right, false, true, span),
            B::PGRegexNotIMatch => self.regex(left, right, true, true, span),
            B::PGLikeMatch => self.like_of(left, right, None, false, false, span),
            B::PGILikeMatch => self.like_of(left, right, None, true, false, span),
            B::PGNotLikeMatch => self.like_of(left, right, None, false, true, span),
            B::PGNotILikeMatch => self.like_of(left, right, None, true, true, span),
            B::PGStartsWith => self.call("starts_with", vec![left, right], span),
            B::PGCustomBinaryOperator(name) => match name.last().and_then(|symbol| named_operator(symbol)) {
                Some(op) => self.apply_operator(&op, left, right, span),
                None => Err(self.no_operator(&name.join("."), left.ty(), right.ty(), span)),
            },
            other => Err(self.no_operator(&other.to_string(), left.ty(), right.ty(), span)),
        }
    }

    fn unary_op(&mut self, op: &ast::UnaryOperator, input: &ast::Expr, span: Span) -> Result<Expr> {
        use ast::UnaryOperator as U;
        // A minus belongs to the digits, so that the smallest integer can be written.
        let bound = self.expr(input)?;
        match op {
            U::Minus => self.negate(bound, span),
            U::Plus if bound.ty().is_number() => Ok(bound),
            U::Not => {
                let condition = self.condition(bound, "NOT", input.span())?;
                Ok(Expr::Not(Box::new(condition)))
            }
            U::BitwiseNot if bound.ty().is_integer() => {
                let ones = Expr::literal(Value::Int2(-1), Type::Int2);
                self.binary(Operator::BitXor, bound, ones, span)
            }
            U::PGAbs => self.call("abs", vec![bound], span),
            U::PGSquareRoot => self.call("sqrt", vec![bound], span),
            U::PGCubeRoot => self.call("cbrt", vec![bound], span),
            other => {
                let message = format!("operator does not exist: {other} {}", bound.ty().sql_name());
                let error = Error::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
                    "No operator matches the given name and argument type. You might need to add an explicit type cast.",
                );
                Err(self.at(error, span))
            }
        }
    }

    fn is_null(&mut self, input: &ast::Expr, negated: bool) -> Result<Expr> {
        let input = self.expr(input)?;
        let input = self.decided(input)?;
        Ok(Expr::IsNull { input: Box::new(input), negated })
    }

    fn is_truth(&mut self, input: &ast::Expr, value: Option<bool>, negated: bool, clause: &str) -> Result<Expr> {
        let bound = self.expr(input)?;
        let bound = self.condition(bound, clause, input.span())?;
        Ok(Expr::IsTruth { input: Box::new(bound), value, negated })
    }

    fn is_distinct(&mut self, left: &ast::Expr, right: &ast::Expr, negated: bool) -> Result<Expr> {
        let span = Span::union(&left.span(), &right.span());
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        let (left, right) = self.comparable("=", left, right, span)?;
        Ok(Expr::Distinct { left: Box::new(left), right: Box::new(right), negated })
    }

    /// `a BETWEEN b AND c` is `a >= b AND a <= c`.
    fn between(&mut self, input: &ast::Expr, negated: bool, low: &ast::Expr, high: &ast::Expr) -> Result<Expr> {
        let span = input.span();
        let input = self.expr(input)?;
        let (low, high) = (self.expr(low)?, self.expr(high)?);
        self.pin(&input);
        let above = self.compare(CompareOp::Ge, input.clone(), low, span)?;
        let below = self.compare(CompareOp::Le, input, high, span)?;
        let both = Expr::And(vec![above, below]);
        Ok(if negated { Expr::Not(Box::new(both)) } else { both })
    }

    fn like(
        &mut self,
        input: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        case_insensitive: bool,
        negated: bool,
    ) -> Result<Expr> {
        let span = Span::union(&input.span(), &pattern.span());
        let (input, pattern) = (self.expr(input)?, self.expr(pattern)?);
        let escape = match escape {
            Some(escape) => {
                let bound = self.expr(escape)?;
                Some(Box::new(self.coerce(bound, &Type::Text, CastKind::Implicit, escape.span())?))
            }
            None => None,
        };
        self.like_of(input, pattern, escape, case_insensitive, negated, span)
    }

    fn like_of(
        &mut self,
        input: Expr,
        pattern: Expr,
        escape: Option<Box<Expr>>,
        case_insensitive: bool,
        negated: bool,
        span: Span,
    ) -> Result<Expr> {
        let symbol = if case_insensitive { "~~*" } else { "~~" };
        let (input, pattern) = self.texts(symbol, input, pattern, span)?;
        Ok(Expr::Like { input: Box::new(input), pattern: Box::new(pattern), escape, case_insensitive, negated })
    }

    fn regex(&mut self, input: Expr, pattern: Expr, case_insensitive: bool, negated: bool, span: Span) -> Result<Expr> {
        let (input, pattern) = self.texts("~", input, pattern, span)?;
        Ok(Expr::Regex { input: Box::new(input), pattern: Box::new(pattern), case_insensitive, negated })
    }

    /// Both sides of LIKE or `~` as text; char(n) keeps its padding as PostgreSQL's does for LIKE.
    fn texts(&mut self, symbol: &str, input: Expr, pattern: Expr, span: Span) -> Result<(Expr, Expr)> {
        if !input.ty().is_string() || !pattern.ty().is_string() {
            return Err(self.no_operator(symbol, input.ty(), pattern.ty(), span));
        }
        let input = match input.ty() {
            Type::Char(_) => input,
            _ => self.coerce(input, &Type::Text, CastKind::Implicit, span)?,
        };
        let pattern = self.coerce(pattern, &Type::Text, CastKind::Implicit, span)?;
        Ok((input, pattern))
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        span: Span,
    ) -> Result<Expr> {
        let operand = match operand {
            Some(operand) => {
                let bound = self.expr(operand)?;
                let bound = self.decided(bound)?;
                self.pin(&bound);
                Some(bound)
            }
            None => None,
        };
        let mut tests = Vec::with_capacity(conditions.len());
        let mut results = Vec::with_capacity(conditions.len() + 1);
        for when in conditions {
            let test = self.expr(&when.condition)?;
            tests.push(match &operand {
                Some(operand) => self.compare(CompareOp::Eq, operand.clone(), test, when.condition.span())?,
                None => self.condition(test, "CASE/WHEN", when.condition.span())?,
            });
            results.push(self.expr(&when.result)?);
        }
        let has_otherwise = otherwise.is_some();
        if let Some(otherwise) = otherwise {
            results.push(self.expr(otherwise)?);
        }
        let (mut results, ty) = self.unify(results, "CASE", span)?;
        let otherwise = if has_otherwise { results.pop().map(Box::new) } else { None };
        Ok(Expr::Case { branches: tests.into_iter().zip(results).collect(), otherwise, ty })
    }

    /// `ARRAY[...]`; an `element` type comes from a cast around it.
    pub(super) fn array_of(&mut self, array: &ast::Array, element: Option<&Type>) -> Result<Expr> {
        let span = Span::union_iter(array.elem.iter().map(|elem| elem.span()));
        let mut elements = Vec::with_capacity(array.elem.len());
        for elem in &array.elem {
            elements.push(match elem {
                ast::Expr::Array(inner) => self.array_of(inner, element)?,
                other => self.expr(other)?,
            });
        }
        if let Some(element) = element {
            let cast = |expr: Expr| match expr.ty() {
                Type::Array(_) => Ok(expr),
                _ => self.coerce(expr, element, CastKind::Explicit, span),
            };
            let elements = elements.into_iter().map(cast).collect::<Result<Vec<_>>>()?;
            return Ok(Expr::Array { elements, ty: Type::array_of(element.clone()) });
        }
        if elements.is_empty() {
            let error = Error::new(SqlState::INDETERMINATE_DATATYPE, "cannot determine type of empty array")
                .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[].");
            return Err(self.at(error, span));
        }
        let (elements, ty) = self.unify(elements, "ARRAY", span)?;
        Ok(Expr::Array { elements, ty: Type::array_of(ty) })
    }

    fn subscripts(&mut self, root: &ast::Expr, chain: &[ast::AccessExpr]) -> Result<Expr> {
        let span = root.span();
        // `table.column[1]` arrives as a name followed by names and subscripts.
        let mut names: Vec<ast::Ident> = match root {
            ast::Expr::Identifier(name) => vec![name.clone()],
            ast::Expr::CompoundIdentifier(names) => names.clone(),
            _ => Vec::new(),
        };
        let more = chain.iter().map_while(|access| match access {
            ast::AccessExpr::Dot(ast::Expr::Identifier(name)) if !names.is_empty() => Some(name.clone()),
            _ => None,
        });
        let more: Vec<ast::Ident> = more.collect();
        let chain = &chain[more.len()..];
        let array = if more.is_empty() {
            self.expr(root)?
        } else {
            names.extend(more);
            self.qualified_column(&names)?
        };
        let array = match array.ty() {
            Type::Unknown => self.decided(array)?,
            _ => array,
        };
        let mut indexes = Vec::with_capacity(chain.len());
        for access in chain {
            let ast::AccessExpr::Subscript(ast::Subscript::Index { index }) = access else {
                let hint = "Use single subscripts, such as a[1].";
                return Err(self.at(Error::unsupported("slices and fields of values are not supported", hint), span));
            };
            let bound = self.expr(index)?;
            indexes.push(self.coerce(bound, &Type::Int4, CastKind::Assignment, index.span())?);
        }
        match array.ty().element().cloned() {
            Some(ty) => Ok(Expr::Subscript { array: Box::new(array), indexes, ty }),
            None => {
                let message =
                    format!("cannot subscript type {} because it does not support subscripting", array.ty().sql_name());
                self.fail(SqlState::DATATYPE_MISMATCH, message, span)
            }
        }
    }

    /// Strings are compared by their bytes: the collations that mean this are accepted.
    fn collate(&mut self, input: &ast::Expr, collation: &ast::ObjectName) -> Result<Expr> {
        let name = scope::name_parts(collation)?.pop().unwrap_or_default();
        if !matches!(name.as_str(), "default" | "C" | "c" | "POSIX" | "posix" | "ucs_basic") {
            let message = format!("collation \"{name}\" for encoding \"UTF8\" does not exist");
            return self.fail(SqlState::UNDEFINED_OBJECT, message, scope::name_span(collation));
        }
        self.expr(input)
    }
}

pub(super) fn compare_op(op: &B) -> Option<CompareOp> {
    match op {
        B::Eq => Some(CompareOp::Eq),
        B::NotEq => Some(CompareOp::Ne),
        B::Lt => Some(CompareOp::Lt),
        B::LtEq => Some(CompareOp::Le),
        B::Gt => Some(CompareOp::Gt),
        B::GtEq => Some(CompareOp::Ge),
        B::PGCustomBinaryOperator(name) => name
            .last()
            .and_then(|symbol| named_operator(symbol))
            .and_then(|op| if matches!(op, B::PGCustomBinaryOperator(_)) { None } else { compare_op(&op) }),
        _ => None,
    }
}

fn operator(op: &B) -> Option<Operator> {
    Some(match op {
        B::Plus => Operator::Add,
        B::Minus => Operator::Sub,
        B::Multiply => Operator::Mul,
        B::Divide => Operator::Div,
        B::Modulo => Operator::Rem,
        B::PGExp => Operator::Pow,
        B::BitwiseAnd => Operator::BitAnd,
        B::BitwiseOr => Operator::BitOr,
        B::PGBitwiseXor => Operator::BitXor,
        B::PGBitwiseShiftLeft => Operator::ShiftLeft,
        B::PGBitwiseShiftRight => Operator::ShiftRight,
        B::StringConcat => Operator::Concat,
        B::AtArrow => Operator::Contains,
        B::ArrowAt => Operator::ContainedBy,
        B::PGOverlap => Operator::Overlaps,
        B::Arrow => Operator::JsonGet,
        B::LongArrow => Operator::JsonGetText,
        B::HashArrow => Operator::JsonGetPath,
        B::HashLongArrow => Operator::JsonGetPathText,
        B::Question => Operator::JsonExists,
        _ => return None,
    })
}

/// The operator inside `OPERATOR(pg_catalog.~)`.
fn named_operator(symbol: &str) -> Option<B> {
    Some(match symbol {
        "=" => B::Eq,
        "<>" | "!=" => B::NotEq,
        "<" => B::Lt,
        "<=" => B::LtEq,
        ">" => B::Gt,
        ">=" => B::GtEq,
        "+" => B::Plus,
        "-" => B::Minus,
        "*" => B::Multiply,
        "/" => B::Divide,
        "%" => B::Modulo,
        "||" => B::StringConcat,
        "~" => B::PGRegexMatch,
        "~*" => B::PGRegexIMatch,
        "!~" => B::PGRegexNotMatch,
        "!~*" => B::PGRegexNotIMatch,
        "~~" => B::PGLikeMatch,
        "~~*" => B::PGILikeMatch,
        "!~~" => B::PGNotLikeMatch,
        "!~~*" => B::PGNotILikeMatch,
        _ => return None,
    })
}

/// The fields of `(a, b)` or `ROW(a, b)`.
pub(super) fn row_fields(expr: &ast::Expr) -> Option<&[ast::Expr]> {
    match expr {
        ast::Expr::Tuple(fields) => Some(fields),
        _ => None,
    }
}
