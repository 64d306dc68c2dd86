//! The table of casts, PostgreSQL's `pg_cast` for our types, with the text conversions that every type has.

use super::CastKind;
use crate::sql::types::{Category, Type};

/// Whether a value of `from` may be cast to `to` where casts of strength `kind` are allowed.
pub fn can_cast(from: &Type, to: &Type, kind: CastKind) -> bool {
    weakest(from, to).is_some_and(|needed| needed <= kind)
}

/// The least strength at which the cast exists.
fn weakest(from: &Type, to: &Type) -> Option<CastKind> {
    use CastKind::{Assignment, Explicit, Implicit};
    if from.same_base(to) || *from == Type::Unknown {
        return Some(Implicit);
    }
    if from.is_number() && to.is_number() {
        return Some(if widens(from, to) { Implicit } else { Assignment });
    }
    match (from, to) {
        (Type::Array(from), Type::Array(to)) => weakest(from, to),
        (Type::Int2vector, Type::Array(to)) => (**to == Type::Int2).then_some(Implicit),
        (Type::Oidvector, Type::Array(to)) => (**to == Type::Oid).then_some(Implicit),
        (Type::Void, _) | (_, Type::Void | Type::Record | Type::Unknown) => None,
        (Type::Int4, Type::Bool) | (Type::Bool, Type::Int4) => Some(Explicit),
        (from, to) if from.is_oid() || to.is_oid() => oid_cast(from, to),
        (Type::InternalChar, Type::Int4) | (Type::Int4, Type::InternalChar) => Some(Explicit),
        (Type::InternalChar, Type::Text) => Some(Implicit),
        (from, to) if from.category() == Category::String && to.category() == Category::String => {
            let narrowing = *from == Type::Name && matches!(to, Type::Char(_) | Type::Varchar(_));
            Some(if narrowing { Assignment } else { Implicit })
        }
        (from, Type::InternalChar) if from.category() == Category::String => Some(Assignment),
        (from, to) => time_cast(from, to).or_else(|| json_cast(from, to)).or_else(|| by_text(from, to)),
    }
}

/// int2 -> int4 -> int8 -> numeric -> float4 -> float8, each to all that follow.
fn widens(from: &Type, to: &Type) -> bool {
    let rank = |ty: &Type| match ty {
        Type::Int2 => 0,
        Type::Int4 => 1,
        Type::Int8 => 2,
        Type::Numeric(_) => 3,
        Type::Float4 => 4,
        _ => 5,
    };
    rank(from) < rank(to)
}

fn oid_cast(from: &Type, to: &Type) -> Option<CastKind> {
    match (from, to) {
        (Type::Xid, _) | (_, Type::Xid) => by_text(from, to),
        (from, to) if from.is_oid() && to.is_oid() => {
            let generic = *from == Type::Oid || *to == Type::Oid;
            generic.then_some(CastKind::Implicit)
        }
        (Type::Int2 | Type::Int4 | Type::Int8, _) => Some(CastKind::Implicit),
        (_, Type::Int4 | Type::Int8) => Some(CastKind::Assignment),
        (Type::Text | Type::Varchar(_), Type::Regclass) => Some(CastKind::Implicit),
        _ => by_text(from, to),
    }
}

fn time_cast(from: &Type, to: &Type) -> Option<CastKind> {
    match (from, to) {
        (Type::Date, Type::Timestamp(_) | Type::Timestamptz(_))
        | (Type::Time(_), Type::Interval(_))
        | (Type::Timestamp(_), Type::Timestamptz(_)) => Some(CastKind::Implicit),
        (Type::Timestamp(_), Type::Date | Type::Time(_))
        | (Type::Timestamptz(_), Type::Date | Type::Time(_) | Type::Timestamp(_))
        | (Type::Interval(_), Type::Time(_)) => Some(CastKind::Assignment),
        _ => None,
    }
}

fn json_cast(from: &Type, to: &Type) -> Option<CastKind> {
    match (from, to) {
        (Type::Json, Type::Jsonb) | (Type::Jsonb, Type::Json) => Some(CastKind::Assignment),
        (Type::Jsonb, to) if to.is_number() || *to == Type::Bool => Some(CastKind::Explicit),
        _ => None,
    }
}

/// Every type has a text form: to text by assignment, from text explicitly.
fn by_text(from: &Type, to: &Type) -> Option<CastKind> {
    if to.category() == Category::String {
        return Some(CastKind::Assignment);
    }
    (from.category() == Category::String).then_some(CastKind::Explicit)
}
