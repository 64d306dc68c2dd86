//! Functions of the catalog that tools call.

use super::definition::{column_name, constraint_definition, index_definition};
use super::{Call, text_value};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::names::{parse_qualified, quote_ident};
use crate::sql::catalog::{CatalogView, ColumnId, Index, Relation, Table, TableId};
use crate::sql::plan::Function;
use crate::sql::types::{ObjectKind, ObjectNames, Type, Value};
use std::sync::Arc;

/// The result, if the function is one of the catalog.
pub fn call(call: &Call<'_>) -> Option<Result<Value>> {
    use Function as F;
    let value = match call.function {
        F::FormatType => Ok(format_type(call)),
        F::GetExpr | F::GetViewdef | F::GetTriggerdef | F::GetRuledef => Ok(first_text(call)),
        F::GetIndexdef => Ok(get_indexdef(call)),
        F::GetConstraintdef => Ok(match constraint_definition(catalog(call), oid(call, 0)) {
            Some(text) => text_value(text),
            None => Value::Null,
        }),
        F::GetFunctiondef | F::GetFunctionArguments | F::GetFunctionResult | F::GetPartkeydef => Ok(Value::Null),
        F::GetStatisticsobjdefColumns => Ok(Value::Null),
        F::GetUserbyid => Ok(text_value(role_name(call))),
        F::GetSerialSequence => serial_sequence(call),
        F::ObjDescription | F::ColDescription | F::ShobjDescription => Ok(Value::Null),
        F::TableIsVisible => Ok(match catalog(call).relation(oid(call, 0)) {
            Some(relation) => Value::Bool(catalog(call).is_visible(&call.env.facts.search_path, &relation)),
            None => Value::Null,
        }),
        F::TypeIsVisible | F::FunctionIsVisible | F::ObjectIsVisible => Ok(Value::Bool(true)),
        F::EncodingToChar => Ok(text_value(if call.int(0) == 6 { "UTF8" } else { "" })),
        F::CharToEncoding => {
            let utf8 = ["UTF8", "UTF-8", "UNICODE"].iter().any(|name| name.eq_ignore_ascii_case(call.text(0)));
            Ok(Value::Int4(if utf8 { 6 } else { -1 }))
        }
        F::IsOtherTempSchema => Ok(Value::Bool(false)),
        F::MyTempSchema => Ok(Value::Oid(0)),
        F::RelationIsPublishable => Ok(Value::Bool(false)),
        _ => return more(call),
    };
    Some(value)
}

fn more(call: &Call<'_>) -> Option<Result<Value>> {
    use Function as F;
    let value = match call.function {
        F::RelationSize | F::TableSize | F::IndexesSize | F::TotalRelationSize | F::DatabaseSize => Ok(Value::Int8(0)),
        F::TablespaceSize => Ok(Value::Int8(0)),
        F::TablespaceLocation => Ok(text_value("")),
        F::SizePretty => Ok(text_value(size_pretty(call.float(0)))),
        F::ColumnSize => Ok(Value::Int4(call.args.first()?.size() as i32)),
        // Every role may do everything: there are no grants yet.
        F::HasPrivilege | F::HasRole => Ok(Value::Bool(true)),
        F::ToRegclass => Ok(named(call, ObjectKind::Relation)),
        F::ToRegnamespace => Ok(named(call, ObjectKind::Schema)),
        F::ToRegrole => Ok(named(call, ObjectKind::Role)),
        F::ToRegproc => Ok(Value::Null),
        F::ToRegtype => Ok(Type::by_name(call.text(0)).map_or(Value::Null, |ty| Value::Oid(ty.oid()))),
        F::StatGet => Ok(Value::Int8(0)),
        F::IndexColumnHasProperty => Ok(index_column_property(call)),
        F::IndexHasProperty => Ok(match call.text(1) {
            "index_scan" | "backward_scan" => Value::Bool(true),
            "clusterable" | "bitmap_scan" => Value::Bool(false),
            _ => Value::Null,
        }),
        F::IndexamHasProperty => Ok(match call.text(1) {
            "can_order" | "can_unique" | "can_multi_col" => Value::Bool(true),
            "can_exclude" | "can_include" => Value::Bool(false),
            _ => Value::Null,
        }),
        F::SequenceLastValue => Ok(Value::Null),
        F::IsUpdatable => Ok(Value::Int4(match catalog(call).relation(oid(call, 0)) {
            Some(Relation::Table(_)) => 28,
            _ => 0,
        })),
        F::CharMaxLength => Ok(char_max_length(call)),
        F::AclDefault => Ok(Value::Null),
        _ => return None,
    };
    Some(value)
}

fn catalog<'a>(call: &'a Call<'_>) -> &'a Arc<CatalogView> {
    &call.env.facts.catalog
}

fn oid(call: &Call<'_>, index: usize) -> u32 {
    u32::try_from(call.int(index)).unwrap_or_default()
}

fn first_text(call: &Call<'_>) -> Value {
    call.args.first().and_then(Value::as_str).map_or(Value::Null, text_value)
}

fn format_type(call: &Call<'_>) -> Value {
    let Some(oid) = call.args.first().and_then(Value::as_i64) else { return Value::Null };
    let typmod = call.given(1).and_then(Value::as_i64).unwrap_or(-1) as i32;
    let oid = u32::try_from(oid).unwrap_or_default();
    match Type::from_oid(oid, typmod) {
        Some(ty) => text_value(ty.to_string()),
        None if oid == 0 => text_value("-"),
        None => text_value("???"),
    }
}

/// The table and index of an index's OID.
fn index_of(catalog: &CatalogView, oid: u32) -> Option<(Arc<Table>, Index)> {
    match catalog.relation(oid)? {
        Relation::Index(table, id) => {
            let index = table.index(id)?.clone();
            Some((table, index))
        }
        _ => None,
    }
}

fn get_indexdef(call: &Call<'_>) -> Value {
    let Some((table, index)) = index_of(catalog(call), oid(call, 0)) else { return Value::Null };
    match call.given(1).and_then(Value::as_i64) {
        None | Some(0) => text_value(index_definition(catalog(call), &table, &index)),
        Some(place) => {
            let key = usize::try_from(place - 1).ok().and_then(|place| index.columns.get(place));
            text_value(key.map(|key| column_name(&table, key.column)).unwrap_or_default())
        }
    }
}

fn role_name(call: &Call<'_>) -> String {
    let oid = oid(call, 0);
    let role = catalog(call).roles().find(|role| role.id.0 == oid);
    role.map_or_else(|| format!("unknown (OID={oid})"), |role| role.name.clone())
}

fn table_named(call: &Call<'_>, name: &str) -> Option<Arc<Table>> {
    let parts = parse_qualified(name)?;
    let (schema, name) = match parts.as_slice() {
        [name] => (None, name),
        [schema, name] => (Some(schema.as_str()), name),
        _ => return None,
    };
    match catalog(call).resolve(&call.env.facts.search_path, schema, name)? {
        Relation::Table(table) => Some(table),
        _ => None,
    }
}

fn no_relation(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

fn serial_sequence(call: &Call<'_>) -> Result<Value> {
    let table = table_named(call, call.text(0)).ok_or_else(|| no_relation(call.text(0)))?;
    let place = table.place_of_name(call.text(1)).ok_or_else(|| {
        let message = format!("column \"{}\" of relation \"{}\" does not exist", call.text(1), table.name);
        Error::new(SqlState::UNDEFINED_COLUMN, message)
    })?;
    let owner: (TableId, ColumnId) = (table.id, table.columns[place].id);
    let database = call.env.facts.database_id;
    let sequence = catalog(call).sequences_of(database).find(|sequence| sequence.owned_by == Some(owner));
    Ok(sequence.map_or(Value::Null, |sequence| {
        let schema = catalog(call).schema_name(sequence.schema).unwrap_or_default();
        text_value(format!("{}.{}", quote_ident(schema), quote_ident(&sequence.name)))
    }))
}

/// Sizes as people read them.
fn size_pretty(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut size = bytes;
    let mut unit = 0;
    while size.abs() >= 10_240.0 && unit + 1 < UNITS.len() {
        size /= 1_024.0;
        unit += 1;
    }
    format!("{} {}", size.round(), UNITS[unit])
}

fn named(call: &Call<'_>, kind: ObjectKind) -> Value {
    let names = crate::sql::catalog::names::CatalogNames {
        view: catalog(call).clone(),
        path: call.env.facts.search_path.as_ref().clone(),
    };
    names.oid_of(kind, call.text(0)).map_or(Value::Null, Value::Oid)
}

fn index_column_property(call: &Call<'_>) -> Value {
    let Some((_, index)) = index_of(catalog(call), oid(call, 0)) else { return Value::Null };
    let key = usize::try_from(call.int(1) - 1).ok().and_then(|place| index.columns.get(place));
    let Some(key) = key else { return Value::Null };
    Value::Bool(match call.text(2) {
        "asc" | "nulls_last" => !key.descending,
        "desc" | "nulls_first" => key.descending,
        "orderable" | "returnable" | "search_nulls" => true,
        _ => false,
    })
}

/// `information_schema._pg_char_max_length(type, typmod)`
fn char_max_length(call: &Call<'_>) -> Value {
    match Type::from_oid(oid(call, 0), call.int(1) as i32) {
        Some(Type::Char(Some(length)) | Type::Varchar(Some(length))) => Value::Int4(length as i32),
        _ => Value::Null,
    }
}
