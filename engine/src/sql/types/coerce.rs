//! Which type several expressions have in common: CASE, COALESCE, UNION, VALUES, ARRAY and operators.

use super::{CastKind, Type, can_cast};
use crate::error::{Error, Result, SqlState};

/// The type that all `types` are cast to, by PostgreSQL's rules; `context` (`CASE`, `UNION`, `VALUES`, ...) begins the
/// message if there is none (SQLSTATE 42804). Literals of unknown type follow the others, or become text.
pub fn common_type(types: &[Type], context: &str) -> Result<Type> {
    let mut decided = types.iter().filter(|ty| **ty != Type::Unknown);
    let Some(first) = decided.next() else {
        return Ok(Type::Text);
    };
    if types.iter().all(|ty| ty == first) {
        return Ok(first.clone());
    }
    let mut common = first.clone();
    for next in decided {
        if next.same_base(&common) {
            if *next != common {
                common = common.without_modifiers();
            }
        } else if next.category() != common.category() {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!("{context} types {} and {} cannot be matched", common.sql_name(), next.sql_name()),
            ));
        } else if prefers(next, &common) {
            common = next.clone();
        } else if !can_cast(next, &common, CastKind::Implicit) {
            return Err(Error::new(
                SqlState::CANNOT_COERCE,
                format!("{context} could not convert type {} to {}", next.sql_name(), common.sql_name()),
            ));
        } else {
            common = common.without_modifiers();
        }
    }
    let same = types.iter().all(|ty| *ty == common || *ty == Type::Unknown);
    Ok(if same { common } else { common.without_modifiers() })
}

/// Whether `next` takes over from `common`: a preferred type stays, otherwise the one that the other casts to.
fn prefers(next: &Type, common: &Type) -> bool {
    !common.is_preferred() && can_cast(common, next, CastKind::Implicit) && !can_cast(next, common, CastKind::Implicit)
}

/// Whether values of `from` are values of `to` without any change.
pub fn is_binary_coercible(from: &Type, to: &Type) -> bool {
    if from == to {
        return true;
    }
    match (from, to) {
        (Type::Varchar(_), Type::Text | Type::Varchar(None)) | (Type::Text, Type::Varchar(None)) => true,
        (Type::Unknown, Type::Text) => true,
        (Type::Char(_), Type::Char(None)) | (Type::Numeric(_), Type::Numeric(None)) => true,
        (Type::Time(_), Type::Time(None)) | (Type::Interval(_), Type::Interval(None)) => true,
        (Type::Timestamp(_), Type::Timestamp(None)) | (Type::Timestamptz(_), Type::Timestamptz(None)) => true,
        (Type::Array(from), Type::Array(to)) => is_binary_coercible(from, to),
        (Type::Int2vector, Type::Array(to)) => **to == Type::Int2,
        (Type::Oidvector, Type::Array(to)) => **to == Type::Oid,
        (from, to) => from.is_oid() && to.is_oid() && *from != Type::Xid && *to != Type::Xid,
    }
}
