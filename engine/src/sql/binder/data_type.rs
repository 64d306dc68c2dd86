//! Types as written in SQL.

use super::{Binder, scope};
use crate::error::{Error, Result, SqlState};
use crate::sql::types::Type;
use sqlparser::ast::{self, ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, TimezoneInfo};

/// `serial` and its relatives, which are types in CREATE TABLE only.
pub(super) fn serial(data_type: &DataType) -> Option<Type> {
    let DataType::Custom(name, _) = data_type else { return None };
    match name.to_string().to_lowercase().as_str() {
        "serial" | "serial4" => Some(Type::Int4),
        "bigserial" | "serial8" => Some(Type::Int8),
        "smallserial" | "serial2" => Some(Type::Int2),
        _ => None,
    }
}

impl Binder<'_> {
    /// The type that is written; 42704 if it is none of ours.
    pub(super) fn data_type(&self, data_type: &DataType) -> Result<Type> {
        let (ty, modifiers) = match data_type {
            DataType::Array(element) => return self.array_type(element),
            DataType::Custom(name, modifiers) => return self.custom_type(name, modifiers),
            other => match builtin(other) {
                Some(found) => found,
                None => {
                    let message = format!("type \"{}\" does not exist", other.to_string().to_lowercase());
                    return Err(Error::new(SqlState::UNDEFINED_OBJECT, message).with_hint(SUPPORTED));
                }
            },
        };
        ty.with_modifiers(&modifiers)
    }

    fn array_type(&self, element: &ArrayElemTypeDef) -> Result<Type> {
        match element {
            ArrayElemTypeDef::SquareBracket(element, _)
            | ArrayElemTypeDef::AngleBracket(element)
            | ArrayElemTypeDef::Qualified(element, _)
            | ArrayElemTypeDef::Parenthesis(element)
            | ArrayElemTypeDef::ParenthesisNotNull(element) => Ok(Type::array_of(self.data_type(element)?)),
            ArrayElemTypeDef::None => {
                Err(Error::new(SqlState::UNDEFINED_OBJECT, "type \"array\" does not exist").with_hint(SUPPORTED))
            }
        }
    }

    fn custom_type(&self, name: &ast::ObjectName, modifiers: &[ast::TypeModifier]) -> Result<Type> {
        let parts = scope::name_parts(name)?;
        let bare = match parts.as_slice() {
            [name] => name,
            [schema, name] if schema == "pg_catalog" || schema == "information_schema" => name,
            _ => "",
        };
        let mut numbers = Vec::new();
        for modifier in modifiers {
            let parsed = modifier.to_string().parse::<i64>();
            numbers.push(
                parsed.map_err(|_| Error::new(SqlState::SYNTAX_ERROR, "type modifiers must be simple constants"))?,
            );
        }
        let found = information_schema_type(bare).or_else(|| Type::by_name(bare));
        match found {
            Some(ty) => ty.with_modifiers(&numbers),
            None => {
                let message = format!("type \"{}\" does not exist", parts.join("."));
                let error = Error::new(SqlState::UNDEFINED_OBJECT, message);
                Err(self.at(error, scope::name_span(name)))
            }
        }
    }
}

const SUPPORTED: &str = "Supported are smallint, integer, bigint, numeric, real, double precision, boolean, text, varchar, char, bytea, date, time, timestamp, timestamptz, interval, uuid, json, jsonb, and arrays of these.";

fn information_schema_type(name: &str) -> Option<Type> {
    match name {
        "sql_identifier" => Some(Type::Name),
        "cardinal_number" => Some(Type::Int4),
        "character_data" | "yes_or_no" => Some(Type::VARCHAR),
        _ => None,
    }
}

/// Types that sqlparser knows by keyword, with their modifiers.
fn builtin(data_type: &DataType) -> Option<(Type, Vec<i64>)> {
    use DataType as D;
    let plain = |ty: Type| Some((ty, Vec::new()));
    match data_type {
        D::Boolean | D::Bool => plain(Type::Bool),
        D::Int2(None) | D::SmallInt(None) => plain(Type::Int2),
        D::Int(None) | D::Int4(None) | D::Integer(None) => plain(Type::Int4),
        D::Int8(None) | D::BigInt(None) => plain(Type::Int8),
        D::Float4 | D::Real => plain(Type::Float4),
        D::Float8 | D::DoublePrecision | D::Double(ExactNumberInfo::None) => plain(Type::Float8),
        D::Float(ExactNumberInfo::None) => plain(Type::Float8),
        D::Float(ExactNumberInfo::Precision(bits @ 1..=53)) => {
            plain(if *bits <= 24 { Type::Float4 } else { Type::Float8 })
        }
        D::Numeric(info) | D::Decimal(info) | D::Dec(info) => Some((Type::NUMERIC, exact(info))),
        D::Text => plain(Type::Text),
        D::Varchar(length) | D::CharacterVarying(length) | D::CharVarying(length) => {
            Some((Type::VARCHAR, length_of(length)?))
        }
        D::Char(length) | D::Character(length) => {
            let modifiers = length_of(length)?;
            Some((Type::BPCHAR, if modifiers.is_empty() { vec![1] } else { modifiers }))
        }
        D::Bytea => plain(Type::Bytea),
        D::Date => plain(Type::Date),
        D::Time(digits, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Some((Type::TIME, digits_of(digits))),
        D::Timestamp(digits, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            Some((Type::TIMESTAMP, digits_of(digits)))
        }
        D::Timestamp(digits, _) => Some((Type::TIMESTAMPTZ, digits_of(digits))),
        D::Interval { fields: None, precision } => Some((Type::INTERVAL, digits_of(precision))),
        D::Uuid => plain(Type::Uuid),
        D::JSON => plain(Type::Json),
        D::JSONB => plain(Type::Jsonb),
        D::Regclass => plain(Type::Regclass),
        _ => None,
    }
}

fn exact(info: &ExactNumberInfo) -> Vec<i64> {
    match info {
        ExactNumberInfo::None => Vec::new(),
        ExactNumberInfo::Precision(precision) => vec![*precision as i64],
        ExactNumberInfo::PrecisionAndScale(precision, scale) => vec![*precision as i64, *scale],
    }
}

fn length_of(length: &Option<CharacterLength>) -> Option<Vec<i64>> {
    match length {
        None => Some(Vec::new()),
        Some(CharacterLength::IntegerLength { length, unit: None }) => Some(vec![*length as i64]),
        Some(_) => None,
    }
}

fn digits_of(digits: &Option<u64>) -> Vec<i64> {
    digits.iter().map(|digits| *digits as i64).collect()
}
