//! `Type`: a PostgreSQL type together with its modifiers, and the facts of `pg_type` about it.
//!
//! ```text
//!  variant              SQL                               typmod on the wire
//!  Numeric(Some(p,s))   numeric(p,s)                      ((p << 16) | (s & 0x7ff)) + 4
//!  Varchar(Some(n))     varchar(n)                        n + 4
//!  Char(Some(n))        char(n); None is bare bpchar      n + 4
//!  Time.. (Some(p))     timestamp(p)                      p
//!  Interval(Some(p))    interval(p)                       0x7fff_0000 | p
//!  others                                                 -1
//! ```

use super::oid::{self, Oid};
use crate::error::{Error, Result, SqlState};

/// A SQL type with its modifiers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// boolean
    Bool,
    /// smallint
    Int2,
    /// integer
    Int4,
    /// bigint
    Int8,
    /// real
    Float4,
    /// double precision
    Float8,
    /// numeric, or numeric(precision, scale); the scale may be negative or exceed the precision
    Numeric(Option<(u16, i16)>),
    /// text
    Text,
    /// character varying, with the longest length in characters
    Varchar(Option<u32>),
    /// character(n), blank-padded; without a length PostgreSQL's `bpchar`
    Char(Option<u32>),
    /// name: identifiers of at most 63 bytes
    Name,
    /// "char": one byte
    InternalChar,
    /// bytea
    Bytea,
    /// date
    Date,
    /// time without time zone, with the digits after the second
    Time(Option<u8>),
    /// timestamp without time zone, with the digits after the second
    Timestamp(Option<u8>),
    /// timestamp with time zone, with the digits after the second
    Timestamptz(Option<u8>),
    /// interval, with the digits after the second
    Interval(Option<u8>),
    /// uuid
    Uuid,
    /// json: text as given
    Json,
    /// jsonb: canonical
    Jsonb,
    /// oid
    Oid,
    /// xid
    Xid,
    /// regclass: the OID of a relation, shown as its name
    Regclass,
    /// regtype
    Regtype,
    /// regproc
    Regproc,
    /// regnamespace
    Regnamespace,
    /// regrole
    Regrole,
    /// int2vector (of the catalogs)
    Int2vector,
    /// oidvector (of the catalogs)
    Oidvector,
    /// An array of any dimension
    Array(Box<Type>),
    /// A row of unnamed columns
    Record,
    /// The result of functions that return nothing
    Void,
    /// A string literal or NULL whose type is not decided yet
    Unknown,
}

/// The category of a type, by which PostgreSQL resolves operators and common types (`pg_type.typcategory`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// `A`
    Array,
    /// `B`
    Boolean,
    /// `D`
    DateTime,
    /// `N`
    Numeric,
    /// `P`
    Pseudo,
    /// `S`
    String,
    /// `T`
    Timespan,
    /// `U`
    UserDefined,
    /// `X`
    Unknown,
    /// `Z`
    Internal,
}

impl Category {
    /// The letter of `pg_type.typcategory`.
    pub fn letter(self) -> char {
        match self {
            Category::Array => 'A',
            Category::Boolean => 'B',
            Category::DateTime => 'D',
            Category::Numeric => 'N',
            Category::Pseudo => 'P',
            Category::String => 'S',
            Category::Timespan => 'T',
            Category::UserDefined => 'U',
            Category::Unknown => 'X',
            Category::Internal => 'Z',
        }
    }
}

impl Type {
    /// numeric without precision.
    pub const NUMERIC: Type = Type::Numeric(None);
    /// character varying without length.
    pub const VARCHAR: Type = Type::Varchar(None);
    /// bpchar without length.
    pub const BPCHAR: Type = Type::Char(None);
    /// time with full precision.
    pub const TIME: Type = Type::Time(None);
    /// timestamp with full precision.
    pub const TIMESTAMP: Type = Type::Timestamp(None);
    /// timestamp with time zone with full precision.
    pub const TIMESTAMPTZ: Type = Type::Timestamptz(None);
    /// interval with full precision.
    pub const INTERVAL: Type = Type::Interval(None);

    /// Every type that is not an array, without modifiers, in OID order.
    pub const SCALARS: [Type; 33] = [
        Type::Bool,
        Type::Bytea,
        Type::InternalChar,
        Type::Name,
        Type::Int8,
        Type::Int2,
        Type::Int2vector,
        Type::Int4,
        Type::Regproc,
        Type::Text,
        Type::Oid,
        Type::Xid,
        Type::Oidvector,
        Type::Json,
        Type::Float4,
        Type::Float8,
        Type::Unknown,
        Type::BPCHAR,
        Type::VARCHAR,
        Type::Date,
        Type::TIME,
        Type::TIMESTAMP,
        Type::TIMESTAMPTZ,
        Type::INTERVAL,
        Type::NUMERIC,
        Type::Regclass,
        Type::Regtype,
        Type::Record,
        Type::Void,
        Type::Uuid,
        Type::Jsonb,
        Type::Regnamespace,
        Type::Regrole,
    ];

    /// An array of `element`; an array of arrays is the same type as an array.
    pub fn array_of(element: Type) -> Type {
        match element {
            Type::Array(_) => element,
            element => Type::Array(Box::new(element)),
        }
    }

    /// The element type of an array, `int2vector` or `oidvector`.
    pub fn element(&self) -> Option<&Type> {
        match self {
            Type::Array(element) => Some(element),
            Type::Int2vector => Some(&Type::Int2),
            Type::Oidvector => Some(&Type::Oid),
            _ => None,
        }
    }

    /// The OID of the type.
    pub fn oid(&self) -> Oid {
        match self {
            Type::Array(element) => element.array_oid(),
            other => other.oids().0,
        }
    }

    /// The OID of the array over this type; 0 if there is none.
    pub fn array_oid(&self) -> Oid {
        self.oids().1
    }

    fn oids(&self) -> (Oid, Oid) {
        match self {
            Type::Bool => (oid::BOOL, oid::BOOL_ARRAY),
            Type::Int2 => (oid::INT2, oid::INT2_ARRAY),
            Type::Int4 => (oid::INT4, oid::INT4_ARRAY),
            Type::Int8 => (oid::INT8, oid::INT8_ARRAY),
            Type::Float4 => (oid::FLOAT4, oid::FLOAT4_ARRAY),
            Type::Float8 => (oid::FLOAT8, oid::FLOAT8_ARRAY),
            Type::Numeric(_) => (oid::NUMERIC, oid::NUMERIC_ARRAY),
            Type::Text => (oid::TEXT, oid::TEXT_ARRAY),
            Type::Varchar(_) => (oid::VARCHAR, oid::VARCHAR_ARRAY),
            Type::Char(_) => (oid::BPCHAR, oid::BPCHAR_ARRAY),
            Type::Name => (oid::NAME, oid::NAME_ARRAY),
            Type::InternalChar => (oid::CHAR, oid::CHAR_ARRAY),
            Type::Bytea => (oid::BYTEA, oid::BYTEA_ARRAY),
            Type::Date => (oid::DATE, oid::DATE_ARRAY),
            Type::Time(_) => (oid::TIME, oid::TIME_ARRAY),
            Type::Timestamp(_) => (oid::TIMESTAMP, oid::TIMESTAMP_ARRAY),
            Type::Timestamptz(_) => (oid::TIMESTAMPTZ, oid::TIMESTAMPTZ_ARRAY),
            Type::Interval(_) => (oid::INTERVAL, oid::INTERVAL_ARRAY),
            Type::Uuid => (oid::UUID, oid::UUID_ARRAY),
            Type::Json => (oid::JSON, oid::JSON_ARRAY),
            Type::Jsonb => (oid::JSONB, oid::JSONB_ARRAY),
            Type::Oid => (oid::OID, oid::OID_ARRAY),
            Type::Xid => (oid::XID, oid::XID_ARRAY),
            Type::Regclass => (oid::REGCLASS, oid::REGCLASS_ARRAY),
            Type::Regtype => (oid::REGTYPE, oid::REGTYPE_ARRAY),
            Type::Regproc => (oid::REGPROC, oid::REGPROC_ARRAY),
            Type::Regnamespace => (oid::REGNAMESPACE, oid::REGNAMESPACE_ARRAY),
            Type::Regrole => (oid::REGROLE, oid::REGROLE_ARRAY),
            Type::Int2vector => (oid::INT2VECTOR, oid::INT2VECTOR_ARRAY),
            Type::Oidvector => (oid::OIDVECTOR, oid::OIDVECTOR_ARRAY),
            Type::Record => (oid::RECORD, oid::RECORD_ARRAY),
            Type::Void => (oid::VOID, 0),
            Type::Unknown => (oid::UNKNOWN, 0),
            Type::Array(_) => (self.oid(), 0),
        }
    }

    /// The type with this OID and modifier (-1 for none), if it is one of ours.
    pub fn from_oid(oid: Oid, typmod: i32) -> Option<Type> {
        let scalar = Type::SCALARS.into_iter().find(|ty| ty.oid() == oid);
        if let Some(scalar) = scalar {
            return Some(scalar.with_typmod(typmod));
        }
        let element = Type::SCALARS.into_iter().find(|ty| oid != 0 && ty.array_oid() == oid)?;
        Some(Type::array_of(element.with_typmod(typmod)))
    }

    /// The modifier as the wire and `pg_attribute.atttypmod` carry it; -1 if there is none.
    pub fn typmod(&self) -> i32 {
        match self {
            Type::Numeric(Some((precision, scale))) => {
                ((i32::from(*precision) << 16) | (i32::from(*scale) & 0x7ff)) + 4
            }
            Type::Varchar(Some(length)) | Type::Char(Some(length)) => *length as i32 + 4,
            Type::Time(Some(p)) | Type::Timestamp(Some(p)) | Type::Timestamptz(Some(p)) => i32::from(*p),
            Type::Interval(Some(p)) => 0x7fff_0000 | i32::from(*p),
            Type::Array(element) => element.typmod(),
            _ => -1,
        }
    }

    /// The same type with the modifier `typmod` in the form of [`Type::typmod`].
    pub fn with_typmod(self, typmod: i32) -> Type {
        let length = (typmod >= 4).then(|| (typmod - 4) as u32);
        let digits = (typmod >= 0).then_some((typmod & 0xffff).min(6) as u8);
        match self {
            Type::Numeric(_) => Type::Numeric(length.map(|bits| {
                let scale = (bits & 0x7ff) as i16;
                ((bits >> 16) as u16, (scale ^ 0x400) - 0x400)
            })),
            Type::Varchar(_) => Type::Varchar(length),
            Type::Char(_) => Type::Char(length),
            Type::Time(_) => Type::Time(digits),
            Type::Timestamp(_) => Type::Timestamp(digits),
            Type::Timestamptz(_) => Type::Timestamptz(digits),
            Type::Interval(_) => Type::Interval(digits.filter(|_| typmod & 0xffff != 0xffff)),
            Type::Array(element) => Type::array_of(element.with_typmod(typmod)),
            other => other,
        }
    }

    /// The same type without modifiers.
    pub fn without_modifiers(&self) -> Type {
        self.clone().with_typmod(-1)
    }

    /// Applies modifiers as written in SQL, `numeric(10, 2)` giving `[10, 2]`; errors as PostgreSQL's.
    pub fn with_modifiers(self, modifiers: &[i64]) -> Result<Type> {
        match (self, modifiers) {
            (ty, []) => Ok(ty),
            (Type::Numeric(_), [precision]) => numeric_type(*precision, 0),
            (Type::Numeric(_), [precision, scale]) => numeric_type(*precision, *scale),
            (Type::Numeric(_), _) => Err(invalid("invalid NUMERIC type modifier")),
            (Type::Varchar(_), [length]) => Ok(Type::Varchar(Some(text_length(*length, "varchar")?))),
            (Type::Char(_), [length]) => Ok(Type::Char(Some(text_length(*length, "char")?))),
            (Type::Time(_), [digits]) => Ok(Type::Time(Some(second_digits(*digits, "TIME", "")?))),
            (Type::Timestamp(_), [digits]) => Ok(Type::Timestamp(Some(second_digits(*digits, "TIMESTAMP", "")?))),
            (Type::Timestamptz(_), [digits]) => {
                Ok(Type::Timestamptz(Some(second_digits(*digits, "TIMESTAMP", " WITH TIME ZONE")?)))
            }
            (Type::Interval(_), [digits]) => Ok(Type::Interval(Some(second_digits(*digits, "INTERVAL", "")?))),
            (Type::Array(element), modifiers) => Ok(Type::array_of(element.with_modifiers(modifiers)?)),
            (ty, _) => Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("type modifier is not allowed for type \"{}\"", ty.internal_name()),
            )),
        }
    }

    /// The category by which operators and common types are resolved.
    pub fn category(&self) -> Category {
        match self {
            Type::Bool => Category::Boolean,
            Type::Int2 | Type::Int4 | Type::Int8 | Type::Float4 | Type::Float8 | Type::Numeric(_) | Type::Oid => {
                Category::Numeric
            }
            Type::Regclass | Type::Regtype | Type::Regproc | Type::Regnamespace | Type::Regrole => Category::Numeric,
            Type::Text | Type::Varchar(_) | Type::Char(_) | Type::Name => Category::String,
            Type::Date | Type::Time(_) | Type::Timestamp(_) | Type::Timestamptz(_) => Category::DateTime,
            Type::Interval(_) => Category::Timespan,
            Type::Array(_) | Type::Int2vector | Type::Oidvector => Category::Array,
            Type::Bytea | Type::Uuid | Type::Json | Type::Jsonb | Type::Xid => Category::UserDefined,
            Type::InternalChar => Category::Internal,
            Type::Record | Type::Void => Category::Pseudo,
            Type::Unknown => Category::Unknown,
        }
    }

    /// Whether the type is preferred within its category.
    pub fn is_preferred(&self) -> bool {
        matches!(self, Type::Bool | Type::Float8 | Type::Oid | Type::Text | Type::Timestamptz(_) | Type::Interval(_))
    }

    /// smallint, integer or bigint.
    pub fn is_integer(&self) -> bool {
        matches!(self, Type::Int2 | Type::Int4 | Type::Int8)
    }

    /// A type of numbers to compute with (not OIDs).
    pub fn is_number(&self) -> bool {
        self.is_integer() || matches!(self, Type::Float4 | Type::Float8 | Type::Numeric(_))
    }

    /// text, varchar, char, name or an undecided literal.
    pub fn is_string(&self) -> bool {
        matches!(self.category(), Category::String | Category::Unknown)
    }

    /// oid and the types shown as names of objects.
    pub fn is_oid(&self) -> bool {
        matches!(
            self,
            Type::Oid | Type::Xid | Type::Regclass | Type::Regtype | Type::Regproc | Type::Regnamespace | Type::Regrole
        )
    }

    /// Whether the types are the same apart from modifiers.
    pub fn same_base(&self, other: &Type) -> bool {
        self.oid() == other.oid()
    }

    /// Whether values of the type have an order (`<`, indexes, ORDER BY). `json` and `xid` have not.
    pub fn is_orderable(&self) -> bool {
        match self {
            Type::Json | Type::Xid | Type::Void => false,
            Type::Array(element) => element.is_orderable(),
            _ => true,
        }
    }

    /// Bytes of a value in PostgreSQL (`pg_type.typlen`): -1 if they vary.
    pub fn type_len(&self) -> i16 {
        match self {
            Type::Bool | Type::InternalChar => 1,
            Type::Int2 => 2,
            Type::Int4 | Type::Float4 | Type::Date => 4,
            Type::Int8 | Type::Float8 | Type::Time(_) | Type::Timestamp(_) | Type::Timestamptz(_) => 8,
            Type::Interval(_) | Type::Uuid => 16,
            Type::Name => 64,
            Type::Void => 4,
            Type::Unknown => -2,
            other if other.is_oid() => 4,
            _ => -1,
        }
    }
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn numeric_type(precision: i64, scale: i64) -> Result<Type> {
    if !(1..=1000).contains(&precision) {
        return Err(invalid(format!("NUMERIC precision {precision} must be between 1 and 1000")));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(invalid(format!("NUMERIC scale {scale} must be between -1000 and 1000")));
    }
    Ok(Type::Numeric(Some((precision as u16, scale as i16))))
}

fn text_length(length: i64, name: &str) -> Result<u32> {
    match length {
        ..=0 => Err(invalid(format!("length for type {name} must be at least 1"))),
        1..=10_485_760 => Ok(length as u32),
        _ => Err(invalid(format!("length for type {name} cannot exceed 10485760"))),
    }
}

/// PostgreSQL cuts more than six digits down to six, with a warning.
fn second_digits(digits: i64, name: &str, suffix: &str) -> Result<u8> {
    if digits < 0 {
        return Err(invalid(format!("{name}({digits}){suffix} precision must not be negative")));
    }
    Ok(digits.min(6) as u8)
}
