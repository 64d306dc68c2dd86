//! Columns of results, as far as their display depends on the type.

use quorate::sql::types::Type;

/// How values of a column are written in formats that know more than text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Aligned to the right; a number in JSON.
    Number,
    /// `t` and `f`.
    Bool,
    /// JSON already.
    Json,
    /// Everything else.
    Text,
}

/// One column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, short: `int8`, `numeric(12,2)`.
    pub type_name: String,
    /// How its values are written.
    pub kind: Kind,
}

impl Column {
    /// A column of a type of this database.
    pub fn new(name: impl Into<String>, ty: &Type) -> Column {
        Column { name: name.into(), type_name: short_name(ty), kind: kind(ty) }
    }

    /// A column as the wire protocol describes it.
    pub fn of_wire(name: &str, oid: u32, typmod: i32) -> Column {
        match Type::from_oid(oid, typmod) {
            Some(ty) => Column::new(name, &ty),
            None => Column { name: name.to_owned(), type_name: format!("oid {oid}"), kind: Kind::Text },
        }
    }

    /// A column of text.
    pub fn text(name: impl Into<String>) -> Column {
        Column::new(name, &Type::Text)
    }
}

fn kind(ty: &Type) -> Kind {
    match ty {
        Type::Bool => Kind::Bool,
        Type::Json | Type::Jsonb => Kind::Json,
        Type::Oid | Type::Xid => Kind::Number,
        other if other.is_number() => Kind::Number,
        _ => Kind::Text,
    }
}

fn short_name(ty: &Type) -> String {
    let length = |name: &str, length: &Option<u32>| match length {
        Some(length) => format!("{name}({length})"),
        None => name.to_owned(),
    };
    let digits = |name: &str, digits: &Option<u8>| match digits {
        Some(digits) => format!("{name}({digits})"),
        None => name.to_owned(),
    };
    match ty {
        Type::Array(element) => format!("{}[]", short_name(element)),
        Type::Numeric(Some((precision, scale))) => format!("numeric({precision},{scale})"),
        Type::Varchar(most) => length("varchar", most),
        Type::Char(most) => length("char", most),
        Type::Time(most) => digits("time", most),
        Type::Timestamp(most) => digits("timestamp", most),
        Type::Timestamptz(most) => digits("timestamptz", most),
        Type::Interval(most) => digits("interval", most),
        other => other.internal_name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_shortly_with_their_modifiers() {
        let name = |ty: Type| Column::new("c", &ty).type_name;
        assert_eq!(name(Type::Int8), "int8");
        assert_eq!(name(Type::Numeric(Some((12, 2)))), "numeric(12,2)");
        assert_eq!(name(Type::array_of(Type::Varchar(Some(3)))), "varchar(3)[]");
        assert_eq!(name(Type::Timestamptz(None)), "timestamptz");
        assert_eq!(Column::of_wire("c", 20, -1).kind, Kind::Number);
        assert_eq!(Column::of_wire("c", 4_000_000_000, -1).type_name, "oid 4000000000");
    }
}
