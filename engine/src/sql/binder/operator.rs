//! Operators: which types they take, what they give, and which casts lead there.
//!
//! ```text
//!  numbers     int2 < int4 < int8 < numeric < float8; float4 only with itself
//!  text        char(n) with varchar is compared as char(n), with text as text
//!  time        date + int, date - date, timestamp - timestamp, anything + interval, interval * number
//!  unknown     takes the type of the other side where that makes an operator
//! ```

use super::Binder;
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::{CompareOp, Expr, Operator};
use crate::sql::types::{CastKind, Category, Type, Value, can_cast};
use sqlparser::tokenizer::Span;

impl Binder<'_> {
    pub(super) fn compare(&mut self, op: CompareOp, left: Expr, right: Expr, span: Span) -> Result<Expr> {
        let (left, right) = self.comparable(op.symbol(), left, right, span)?;
        Ok(Expr::compare(op, left, right))
    }

    /// Casts both sides to the type that they are compared in; 42883 if there is none.
    pub(super) fn comparable(&mut self, symbol: &str, left: Expr, right: Expr, span: Span) -> Result<(Expr, Expr)> {
        let right = narrowed(right, left.ty());
        let left = narrowed(left, right.ty());
        let Some(ty) = comparison_type(left.ty(), right.ty()) else {
            return Err(self.no_operator(symbol, left.ty(), right.ty(), span));
        };
        if !(ty.is_orderable() || ty == Type::Xid && matches!(symbol, "=" | "<>")) {
            return Err(self.no_operator(symbol, left.ty(), right.ty(), span));
        }
        let left = self.coerce(left, &ty, CastKind::Implicit, span)?;
        let right = self.coerce(right, &ty, CastKind::Implicit, span)?;
        Ok((left, right))
    }

    pub(super) fn no_operator(&self, symbol: &str, left: &Type, right: &Type, span: Span) -> Error {
        let message = format!("operator does not exist: {} {symbol} {}", left.sql_name(), right.sql_name());
        let error = Error::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
            "No operator matches the given name and argument types. You might need to add explicit type casts.",
        );
        self.at(error, span)
    }

    pub(super) fn binary(&mut self, op: Operator, left: Expr, right: Expr, span: Span) -> Result<Expr> {
        let found = match op {
            Operator::Add | Operator::Sub | Operator::Mul | Operator::Div | Operator::Rem | Operator::Pow => {
                arithmetic(op, left.ty(), right.ty()).map(|(left, right, ty)| (op, left, right, ty))
            }
            Operator::BitAnd | Operator::BitOr | Operator::BitXor | Operator::ShiftLeft | Operator::ShiftRight => {
                bits(op, left.ty(), right.ty()).map(|(left, right, ty)| (op, left, right, ty))
            }
            Operator::Concat => concat(left.ty(), right.ty()),
            _ => containment(op, left.ty(), right.ty()).map(|(left, right, ty)| (op, left, right, ty)),
        };
        let Some((op, left_type, right_type, ty)) = found else {
            if *left.ty() == Type::Unknown && *right.ty() == Type::Unknown {
                let message = format!("operator is not unique: unknown {} unknown", op.symbol());
                let error = Error::new(SqlState::AMBIGUOUS_FUNCTION, message).with_hint(
                    "Could not choose a best candidate operator. You might need to add explicit type casts.",
                );
                return Err(self.at(error, span));
            }
            return Err(self.no_operator(op.symbol(), left.ty(), right.ty(), span));
        };
        // `text || anything` takes the other side's text form.
        let kind = if op == Operator::Concat { CastKind::Assignment } else { CastKind::Implicit };
        let left = self.coerce(left, &left_type, kind, span)?;
        let right = self.coerce(right, &right_type, kind, span)?;
        Ok(Expr::Binary { op, left: Box::new(left), right: Box::new(right), ty })
    }

    /// Unary minus; of a constant number, the constant.
    pub(super) fn negate(&mut self, input: Expr, span: Span) -> Result<Expr> {
        let input = match input.ty() {
            Type::Unknown => self.coerce(input, &Type::Float8, CastKind::Implicit, span)?,
            _ => input,
        };
        let ty = input.ty().clone();
        if !ty.is_number() && !matches!(ty, Type::Interval(_)) {
            let error = Error::new(
                SqlState::UNDEFINED_FUNCTION,
                format!("operator does not exist: - {}", ty.sql_name()),
            )
            .with_hint(
                "No operator matches the given name and argument type. You might need to add an explicit type cast.",
            );
            return Err(self.at(error, span));
        }
        if let Expr::Literal { value, .. } = &input
            && let Ok(negated) = crate::sql::types::arith::neg(value)
        {
            return Ok(Expr::literal(negated, ty));
        }
        Ok(Expr::Negate { input: Box::new(input), ty: ty.without_modifiers() })
    }
}

/// An integer constant in the type of what it is compared with, if it fits: then the other side needs no cast.
fn narrowed(expr: Expr, other: &Type) -> Expr {
    let Expr::Literal { value, ty } = &expr else { return expr };
    if !ty.is_integer() || ty == other {
        return expr;
    }
    let number = value.as_i64();
    let value = match other {
        Type::Int2 => number.and_then(|number| i16::try_from(number).ok()).map(Value::Int2),
        Type::Int4 => number.and_then(|number| i32::try_from(number).ok()).map(Value::Int4),
        _ => None,
    };
    match value {
        Some(value) => Expr::literal(value, other.clone()),
        None => expr,
    }
}

/// The type in which two types are compared.
pub(super) fn comparison_type(left: &Type, right: &Type) -> Option<Type> {
    use Type as T;
    let plain = |ty: &Type| ty.without_modifiers();
    match (left, right) {
        (T::Unknown, T::Unknown) => Some(T::Text),
        (T::Unknown, known) | (known, T::Unknown) => Some(plain(known)),
        (left, right) if left.same_base(right) => Some(plain(left)),
        (left, right) if left.is_number() && right.is_number() => Some(number_type(left, right)),
        (left, right) if left.is_oid() && (right.is_oid() || right.is_integer()) => Some(oid_or_int(left, right)),
        (left, right) if right.is_oid() && left.is_integer() => Some(oid_or_int(right, left)),
        (T::Char(_), T::Varchar(_)) | (T::Varchar(_), T::Char(_)) => Some(T::BPCHAR),
        (left, right) if is_text(left) && is_text(right) => Some(T::Text),
        (T::Timestamptz(_), T::Date | T::Timestamp(_)) | (T::Date | T::Timestamp(_), T::Timestamptz(_)) => {
            Some(T::TIMESTAMPTZ)
        }
        (T::Timestamp(_), T::Date) | (T::Date, T::Timestamp(_)) => Some(T::TIMESTAMP),
        (T::Int2vector, T::Array(_)) | (T::Oidvector, T::Array(_)) => Some(plain(right)),
        (T::Array(_), T::Int2vector) | (T::Array(_), T::Oidvector) => Some(plain(left)),
        (T::Array(left), T::Array(right)) => comparison_type(left, right).map(T::array_of),
        (left, right) if left.category() == right.category() && can_cast(left, right, CastKind::Implicit) => {
            Some(plain(right))
        }
        (left, right) if left.category() == right.category() && can_cast(right, left, CastKind::Implicit) => {
            Some(plain(left))
        }
        _ => None,
    }
}

fn is_text(ty: &Type) -> bool {
    ty.category() == Category::String || *ty == Type::InternalChar
}

fn oid_or_int(oid: &Type, other: &Type) -> Type {
    match other {
        Type::Int8 => Type::Int8,
        _ if *oid == Type::Xid => Type::Xid,
        _ => Type::Oid,
    }
}

/// The type in which two numbers are added.
pub(super) fn number_type(left: &Type, right: &Type) -> Type {
    let rank = |ty: &Type| match ty {
        Type::Int2 => 0,
        Type::Int4 => 1,
        Type::Int8 => 2,
        Type::Numeric(_) => 3,
        Type::Float4 => 4,
        _ => 5,
    };
    let (low, high) = if rank(left) <= rank(right) { (left, right) } else { (right, left) };
    match (low, high) {
        (Type::Float4, Type::Float4) => Type::Float4,
        (_, Type::Float4) => Type::Float8,
        (_, high) => high.without_modifiers(),
    }
}

type Signature = (Type, Type, Type);

fn arithmetic(op: Operator, left: &Type, right: &Type) -> Option<Signature> {
    use Type as T;
    let same = |ty: Type| Some((ty.clone(), ty.clone(), ty));
    match (left, right) {
        (T::Unknown, T::Unknown) => None,
        (T::Unknown, number) | (number, T::Unknown) if number.is_number() => numbers(op, number, number),
        (left, right) if left.is_number() && right.is_number() => numbers(op, left, right),
        (T::Interval(_), T::Interval(_) | T::Unknown) | (T::Unknown, T::Interval(_)) => match (op, left) {
            (Operator::Add | Operator::Sub, T::Interval(_)) => same(T::INTERVAL),
            (Operator::Mul | Operator::Div, T::Interval(_)) => Some((T::INTERVAL, T::Float8, T::INTERVAL)),
            (Operator::Mul, _) => Some((T::Float8, T::INTERVAL, T::INTERVAL)),
            (Operator::Add, _) => same(T::INTERVAL),
            _ => None,
        },
        (T::Interval(_), number) if number.is_number() && matches!(op, Operator::Mul | Operator::Div) => {
            Some((T::INTERVAL, T::Float8, T::INTERVAL))
        }
        (number, T::Interval(_)) if number.is_number() && op == Operator::Mul => {
            Some((T::Float8, T::INTERVAL, T::INTERVAL))
        }
        _ if op == Operator::Add => time_plus(left, right).or_else(|| {
            let (right, left, ty) = time_plus(right, left)?;
            Some((left, right, ty))
        }),
        _ if op == Operator::Sub => time_minus(left, right),
        _ => None,
    }
}

fn numbers(op: Operator, left: &Type, right: &Type) -> Option<Signature> {
    let mut ty = number_type(left, right);
    if op == Operator::Pow && !matches!(ty, Type::Numeric(_)) {
        ty = Type::Float8;
    }
    if op == Operator::Rem && matches!(ty, Type::Float4 | Type::Float8) {
        return None;
    }
    Some((ty.clone(), ty.clone(), ty))
}

fn time_plus(left: &Type, right: &Type) -> Option<Signature> {
    use Type as T;
    let left_plain = left.without_modifiers();
    match (left, right) {
        (T::Date, T::Int2 | T::Int4) => Some((T::Date, T::Int4, T::Date)),
        (T::Date, T::Interval(_) | T::Unknown) => Some((T::Date, T::INTERVAL, T::TIMESTAMP)),
        (T::Date, T::Time(_)) => Some((T::Date, T::TIME, T::TIMESTAMP)),
        (T::Time(_) | T::Timestamp(_) | T::Timestamptz(_), T::Interval(_) | T::Unknown) => {
            Some((left_plain.clone(), T::INTERVAL, left_plain))
        }
        _ => None,
    }
}

fn time_minus(left: &Type, right: &Type) -> Option<Signature> {
    use Type as T;
    let left_plain = left.without_modifiers();
    match (left, right) {
        (T::Date, T::Date | T::Unknown) | (T::Unknown, T::Date) => Some((T::Date, T::Date, T::Int4)),
        (T::Date, T::Int2 | T::Int4) => Some((T::Date, T::Int4, T::Date)),
        (T::Date, T::Interval(_)) => Some((T::Date, T::INTERVAL, T::TIMESTAMP)),
        (T::Timestamptz(_), T::Timestamptz(_) | T::Timestamp(_) | T::Date | T::Unknown)
        | (T::Timestamp(_) | T::Date | T::Unknown, T::Timestamptz(_)) => {
            Some((T::TIMESTAMPTZ, T::TIMESTAMPTZ, T::INTERVAL))
        }
        (T::Timestamp(_), T::Timestamp(_) | T::Date | T::Unknown) | (T::Date | T::Unknown, T::Timestamp(_)) => {
            Some((T::TIMESTAMP, T::TIMESTAMP, T::INTERVAL))
        }
        (T::Time(_), T::Time(_) | T::Unknown) | (T::Unknown, T::Time(_)) => Some((T::TIME, T::TIME, T::INTERVAL)),
        (T::Time(_) | T::Timestamp(_) | T::Timestamptz(_), T::Interval(_)) => {
            Some((left_plain.clone(), T::INTERVAL, left_plain))
        }
        _ => None,
    }
}

fn bits(op: Operator, left: &Type, right: &Type) -> Option<Signature> {
    let left = if *left == Type::Unknown { right } else { left };
    let right = if *right == Type::Unknown { left } else { right };
    if !left.is_integer() || !right.is_integer() {
        return None;
    }
    if matches!(op, Operator::ShiftLeft | Operator::ShiftRight) {
        return Some((left.clone(), Type::Int4, left.clone()));
    }
    let ty = number_type(left, right);
    Some((ty.clone(), ty.clone(), ty))
}

fn concat(left: &Type, right: &Type) -> Option<(Operator, Type, Type, Type)> {
    use Type as T;
    match (left, right) {
        (T::Bytea, T::Bytea | T::Unknown) | (T::Unknown, T::Bytea) => {
            Some((Operator::Concat, T::Bytea, T::Bytea, T::Bytea))
        }
        (T::Jsonb, T::Jsonb | T::Unknown) | (T::Unknown, T::Jsonb) => {
            Some((Operator::Concat, T::Jsonb, T::Jsonb, T::Jsonb))
        }
        (T::Array(_), T::Array(_)) => {
            let ty = comparison_type(left, right)?;
            Some((Operator::ArrayCat, ty.clone(), ty.clone(), ty))
        }
        (T::Array(_), T::Unknown) => Some((Operator::ArrayCat, left.clone(), left.clone(), left.clone())),
        (T::Unknown, T::Array(_)) => Some((Operator::ArrayCat, right.clone(), right.clone(), right.clone())),
        (T::Array(element), other) => {
            let ty = comparison_type(element, other)?;
            let array = T::array_of(ty.clone());
            Some((Operator::ArrayAppend, array.clone(), ty, array))
        }
        (other, T::Array(element)) => {
            let ty = comparison_type(element, other)?;
            let array = T::array_of(ty.clone());
            Some((Operator::ArrayPrepend, ty, array.clone(), array))
        }
        // One side must be a string; anything else is shown as text.
        (left, right) if left.is_string() || right.is_string() => Some((Operator::Concat, T::Text, T::Text, T::Text)),
        _ => None,
    }
}

fn containment(op: Operator, left: &Type, right: &Type) -> Option<Signature> {
    use Type as T;
    let json = |ty: &Type| matches!(ty, T::Json | T::Jsonb);
    match op {
        Operator::Contains | Operator::ContainedBy if *left == T::Jsonb || *right == T::Jsonb => {
            Some((T::Jsonb, T::Jsonb, T::Bool))
        }
        Operator::Contains | Operator::ContainedBy | Operator::Overlaps => match (left, right) {
            (T::Array(_), T::Unknown) => Some((left.clone(), left.clone(), T::Bool)),
            (T::Unknown, T::Array(_)) => Some((right.clone(), right.clone(), T::Bool)),
            (T::Array(_), T::Array(_)) => {
                let ty = comparison_type(left, right)?;
                Some((ty.clone(), ty, T::Bool))
            }
            _ => None,
        },
        Operator::JsonGet | Operator::JsonGetText if json(left) => {
            let key = if right.is_integer() { T::Int4 } else { T::Text };
            let ty = if op == Operator::JsonGet { left.clone() } else { T::Text };
            Some((left.clone(), key, ty))
        }
        Operator::JsonGetPath | Operator::JsonGetPathText if json(left) => {
            let ty = if op == Operator::JsonGetPath { left.clone() } else { T::Text };
            Some((left.clone(), T::array_of(T::Text), ty))
        }
        Operator::JsonExists if *left == T::Jsonb => Some((T::Jsonb, T::Text, T::Bool)),
        _ => None,
    }
}
