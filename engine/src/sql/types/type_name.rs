//! Names of types: `pg_type.typname`, what `format_type` shows, and the spellings that SQL accepts.

use super::Type;
use std::fmt;

impl Type {
    /// The name in `pg_type`, such as `int4` or `_int4`.
    pub fn internal_name(&self) -> String {
        match self {
            Type::Array(element) => format!("_{}", element.internal_name()),
            other => other.scalar_name().to_string(),
        }
    }

    fn scalar_name(&self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int2 => "int2",
            Type::Int4 => "int4",
            Type::Int8 => "int8",
            Type::Float4 => "float4",
            Type::Float8 => "float8",
            Type::Numeric(_) => "numeric",
            Type::Text => "text",
            Type::Varchar(_) => "varchar",
            Type::Char(_) => "bpchar",
            Type::Name => "name",
            Type::InternalChar => "char",
            Type::Bytea => "bytea",
            Type::Date => "date",
            Type::Time(_) => "time",
            Type::Timestamp(_) => "timestamp",
            Type::Timestamptz(_) => "timestamptz",
            Type::Interval(_) => "interval",
            Type::Uuid => "uuid",
            Type::Json => "json",
            Type::Jsonb => "jsonb",
            Type::Oid => "oid",
            Type::Xid => "xid",
            Type::Regclass => "regclass",
            Type::Regtype => "regtype",
            Type::Regproc => "regproc",
            Type::Regnamespace => "regnamespace",
            Type::Regrole => "regrole",
            Type::Int2vector => "int2vector",
            Type::Oidvector => "oidvector",
            Type::Record => "record",
            Type::Void => "void",
            Type::Unknown => "unknown",
            Type::Array(_) => "array",
        }
    }

    /// The name without modifiers as error messages and `format_type(oid, NULL)` show it, such as `character varying`.
    pub fn sql_name(&self) -> String {
        match self {
            Type::Bool => "boolean".into(),
            Type::Int2 => "smallint".into(),
            Type::Int4 => "integer".into(),
            Type::Int8 => "bigint".into(),
            Type::Float4 => "real".into(),
            Type::Float8 => "double precision".into(),
            Type::Varchar(_) => "character varying".into(),
            Type::Char(_) => "character".into(),
            Type::InternalChar => "\"char\"".into(),
            Type::Time(_) => "time without time zone".into(),
            Type::Timestamp(_) => "timestamp without time zone".into(),
            Type::Timestamptz(_) => "timestamp with time zone".into(),
            Type::Array(element) => format!("{}[]", element.sql_name()),
            other => other.scalar_name().into(),
        }
    }

    /// The type that a name means in SQL: a `pg_type` name, or one of the standard's spellings, in lower case with
    /// single spaces; a suffix `[]` makes an array. No modifiers.
    pub fn by_name(name: &str) -> Option<Type> {
        if let Some(element) = name.strip_suffix("[]") {
            return Type::by_name(element.trim_end()).map(Type::array_of);
        }
        let ty = match name {
            "boolean" => Type::Bool,
            "smallint" => Type::Int2,
            "int" | "integer" => Type::Int4,
            "bigint" => Type::Int8,
            "real" => Type::Float4,
            "double precision" | "float" => Type::Float8,
            "decimal" | "dec" => Type::NUMERIC,
            "character varying" | "char varying" => Type::VARCHAR,
            "character" => Type::Char(Some(1)),
            "char" | "\"char\"" => Type::InternalChar,
            "time without time zone" => Type::TIME,
            "timestamp without time zone" => Type::TIMESTAMP,
            "timestamp with time zone" => Type::TIMESTAMPTZ,
            "array" => return None,
            other => return Type::by_internal_name(other),
        };
        Some(ty)
    }

    fn by_internal_name(name: &str) -> Option<Type> {
        if let Some(scalar) = Type::SCALARS.into_iter().find(|ty| ty.scalar_name() == name) {
            return Some(scalar);
        }
        let element = name.strip_prefix('_')?;
        let element = Type::SCALARS.into_iter().find(|ty| ty.scalar_name() == element && ty.array_oid() != 0)?;
        Some(Type::array_of(element))
    }
}

/// As `format_type` shows it, with modifiers: `numeric(10,2)`, `timestamp(3) without time zone`, `integer[]`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Numeric(Some((precision, scale))) => write!(f, "numeric({precision},{scale})"),
            Type::Varchar(Some(length)) => write!(f, "character varying({length})"),
            Type::Char(Some(length)) => write!(f, "character({length})"),
            Type::Char(None) => f.write_str("bpchar"),
            Type::Time(Some(digits)) => write!(f, "time({digits}) without time zone"),
            Type::Timestamp(Some(digits)) => write!(f, "timestamp({digits}) without time zone"),
            Type::Timestamptz(Some(digits)) => write!(f, "timestamp({digits}) with time zone"),
            Type::Interval(Some(digits)) => write!(f, "interval({digits})"),
            Type::Array(element) => write!(f, "{element}[]"),
            other => f.write_str(&other.sql_name()),
        }
    }
}
