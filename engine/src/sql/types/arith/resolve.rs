//! Which operator `a op b` means: the types its operands are cast to and the type of its result.

use super::ArithOp;
use crate::sql::types::{Category, Type};

/// An operator that was found for two operand types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The left operand is cast to this, implicitly.
    pub left: Type,
    /// The right operand is cast to this, implicitly.
    pub right: Type,
    /// The type of the result.
    pub result: Type,
}

/// Resolves an arithmetic operator; `None` if there is none (SQLSTATE 42883) for these types.
///
/// Two integers of different width keep their types (the result is the wider), other numbers meet at the wider type;
/// an operand of unknown type is taken to be of the other's type, as PostgreSQL does first.
pub fn resolve(op: ArithOp, left: &Type, right: &Type) -> Option<Signature> {
    let (left, right) = (left.without_modifiers(), right.without_modifiers());
    match (left == Type::Unknown, right == Type::Unknown) {
        (true, true) => None,
        (true, false) => resolve_unknown(op, &right, true),
        (false, true) => resolve_unknown(op, &left, false),
        (false, false) => resolve_known(op, left, right),
    }
}

fn resolve_unknown(op: ArithOp, known: &Type, unknown_left: bool) -> Option<Signature> {
    // There is no timestamp + timestamp, so the literal beside `+` is an interval; beside a number it is a number.
    let guesses = [known.clone(), Type::INTERVAL, Type::Int4, Type::Float8];
    guesses.into_iter().find_map(|guess| {
        if unknown_left { resolve_known(op, guess, known.clone()) } else { resolve_known(op, known.clone(), guess) }
    })
}

fn resolve_known(op: ArithOp, left: Type, right: Type) -> Option<Signature> {
    if left.is_number() && right.is_number() {
        return resolve_numbers(op, left, right);
    }
    let result = match (op, &left, &right) {
        (ArithOp::Add | ArithOp::Sub, Type::Interval(_), Type::Interval(_)) => Type::INTERVAL,
        (ArithOp::Sub, Type::Date, Type::Date) => Type::Int4,
        (ArithOp::Sub, Type::Time(_), Type::Time(_)) => Type::INTERVAL,
        (ArithOp::Add | ArithOp::Sub, Type::Date, Type::Int2 | Type::Int4) => {
            return Some(Signature { left, right: Type::Int4, result: Type::Date });
        }
        (ArithOp::Add, Type::Int2 | Type::Int4, Type::Date) => {
            return Some(Signature { left: Type::Int4, right, result: Type::Date });
        }
        (ArithOp::Add, Type::Date, Type::Time(_)) | (ArithOp::Add, Type::Time(_), Type::Date) => Type::TIMESTAMP,
        (ArithOp::Add | ArithOp::Sub, moment, Type::Interval(_)) if is_moment(moment) => after_interval(moment),
        (ArithOp::Add, Type::Interval(_), moment) if is_moment(moment) => after_interval(moment),
        (ArithOp::Sub, a, b) if is_moment(a) && is_moment(b) => return subtract_moments(a, b),
        (ArithOp::Mul | ArithOp::Div, Type::Interval(_), number) if number.is_number() => {
            return Some(Signature { left, right: Type::Float8, result: Type::INTERVAL });
        }
        (ArithOp::Mul, number, Type::Interval(_)) if number.is_number() => {
            return Some(Signature { left: Type::Float8, right, result: Type::INTERVAL });
        }
        _ => return None,
    };
    Some(Signature { left, right, result })
}

fn is_moment(ty: &Type) -> bool {
    ty.category() == Category::DateTime
}

fn after_interval(moment: &Type) -> Type {
    if *moment == Type::Date { Type::TIMESTAMP } else { moment.clone() }
}

/// Dates and timestamps meet at the richer of the two.
fn subtract_moments(a: &Type, b: &Type) -> Option<Signature> {
    let meet = match (a, b) {
        (Type::Time(_), _) | (_, Type::Time(_)) => return None,
        (Type::Timestamptz(_), _) | (_, Type::Timestamptz(_)) => Type::TIMESTAMPTZ,
        _ => Type::TIMESTAMP,
    };
    Some(Signature { left: meet.clone(), right: meet, result: Type::INTERVAL })
}

fn resolve_numbers(op: ArithOp, left: Type, right: Type) -> Option<Signature> {
    if left.is_integer() && right.is_integer() {
        let result = if left.type_len() >= right.type_len() { left.clone() } else { right.clone() };
        // There is no int2 % int8: `%` has operators of one width only.
        let (left, right) = if op == ArithOp::Rem { (result.clone(), result.clone()) } else { (left, right) };
        return Some(Signature { left, right, result });
    }
    let is_float = |ty: &Type| matches!(ty, Type::Float4 | Type::Float8);
    if is_float(&left) || is_float(&right) {
        if op == ArithOp::Rem {
            return None;
        }
        let both_single = left == Type::Float4 && right == Type::Float4;
        let meet = if both_single { Type::Float4 } else { Type::Float8 };
        return Some(Signature { left: meet.clone(), right: meet.clone(), result: meet });
    }
    Some(Signature { left: Type::NUMERIC, right: Type::NUMERIC, result: Type::NUMERIC })
}
