//! `information_schema`.

use super::super::Env;
use super::relations::{named_indexes, schema_name, sequences, tables};
use super::{Rows, text, yes_no};
use crate::sql::catalog::{Column, ColumnId, ForeignKeyRule, Identity, Index, Table, system};
use crate::sql::types::{Type, Value};

/// Fills the view if it is one of these; others stay empty.
pub fn fill(rows: &mut Rows<'_>, env: &Env) {
    match rows.name() {
        "tables" => fill_tables(rows, env),
        "columns" => {
            for table in tables(env) {
                for ((_, it), ordinal) in table.visible_columns().zip(1..) {
                    column(rows, env, table, it, ordinal);
                }
            }
        }
        "schemata" => schemata(rows, env),
        "table_constraints" => each_constraint(env, &mut |table, it| table_constraint(rows, env, table, it)),
        "key_column_usage" => each_constraint(env, &mut |table, it| key_columns(rows, env, table, it)),
        "constraint_column_usage" => each_constraint(env, &mut |table, it| used_columns(rows, env, table, it)),
        "referential_constraints" => referential(rows, env),
        "check_constraints" => {
            for table in tables(env) {
                for check in &table.checks {
                    rows.push([
                        ("constraint_catalog", text(&env.facts.database)),
                        ("constraint_schema", text(schema_name(env, table.schema))),
                        ("constraint_name", text(&check.name)),
                        ("check_clause", text(&check.expression)),
                    ]);
                }
            }
        }
        "sequences" => fill_sequences(rows, env),
        "information_schema_catalog_name" => rows.push([("catalog_name", text(&env.facts.database))]),
        "enabled_roles" => rows.push([("role_name", text(&env.facts.user))]),
        "table_privileges" | "role_table_grants" => privileges(rows, env),
        _ => {}
    }
}

fn fill_tables(rows: &mut Rows<'_>, env: &Env) {
    let mut push = |schema: &str, name: &str, kind: &str, writable: bool| {
        rows.push([
            ("table_catalog", text(&env.facts.database)),
            ("table_schema", text(schema)),
            ("table_name", text(name)),
            ("table_type", text(kind)),
            ("is_insertable_into", yes_no(writable)),
            ("is_typed", yes_no(false)),
        ]);
    };
    for table in system::tables() {
        let kind = if table.is_view { "VIEW" } else { "BASE TABLE" };
        push(system::schema_name(table.schema).unwrap_or_default(), table.name, kind, false);
    }
    for table in tables(env) {
        push(schema_name(env, table.schema), &table.name, "BASE TABLE", true);
    }
}

/// Precision, radix and scale of a number.
fn numeric_facts(ty: &Type) -> [Value; 3] {
    let bits =
        |bits: i32, scale: Option<i32>| [Value::Int4(bits), Value::Int4(2), scale.map_or(Value::Null, Value::Int4)];
    match ty {
        Type::Int2 => bits(16, Some(0)),
        Type::Int4 => bits(32, Some(0)),
        Type::Int8 => bits(64, Some(0)),
        Type::Float4 => bits(24, None),
        Type::Float8 => bits(53, None),
        Type::Numeric(Some((precision, scale))) => {
            [Value::Int4(i32::from(*precision)), Value::Int4(10), Value::Int4(i32::from(*scale))]
        }
        Type::Numeric(None) => [Value::Null, Value::Int4(10), Value::Null],
        _ => [Value::Null, Value::Null, Value::Null],
    }
}

fn column(rows: &mut Rows<'_>, env: &Env, table: &Table, column: &Column, ordinal: i32) {
    let length = match &column.ty {
        Type::Varchar(Some(length)) | Type::Char(Some(length)) => Value::Int4(*length as i32),
        _ => Value::Null,
    };
    let octets = match &column.ty {
        Type::Varchar(Some(length)) | Type::Char(Some(length)) => Value::Int4((*length * 4) as i32),
        ty if ty.is_string() => Value::Int4(1_073_741_824),
        _ => Value::Null,
    };
    let digits = match &column.ty {
        Type::Date => Value::Int4(0),
        Type::Time(p) | Type::Timestamp(p) | Type::Timestamptz(p) | Type::Interval(p) => {
            Value::Int4(i32::from(p.unwrap_or(6)))
        }
        _ => Value::Null,
    };
    let [precision, radix, scale] = numeric_facts(&column.ty);
    let data_type = match &column.ty {
        Type::Array(_) => "ARRAY".to_owned(),
        ty => ty.without_modifiers().sql_name(),
    };
    let generation = column.identity.map_or(Value::Null, |identity| {
        text(match identity {
            Identity::Always => "ALWAYS",
            Identity::ByDefault => "BY DEFAULT",
        })
    });
    rows.push([
        ("table_catalog", text(&env.facts.database)),
        ("table_schema", text(schema_name(env, table.schema))),
        ("table_name", text(&table.name)),
        ("column_name", text(&column.name)),
        ("ordinal_position", Value::Int4(ordinal)),
        ("column_default", column.default.as_ref().map_or(Value::Null, text)),
        ("is_nullable", yes_no(column.nullable)),
        ("data_type", text(data_type)),
        ("character_maximum_length", length),
        ("character_octet_length", octets),
        ("numeric_precision", precision),
        ("numeric_precision_radix", radix),
        ("numeric_scale", scale),
        ("datetime_precision", digits),
        ("udt_catalog", text(&env.facts.database)),
        ("udt_schema", text("pg_catalog")),
        ("udt_name", text(column.ty.internal_name())),
        ("dtd_identifier", text(ordinal.to_string())),
        ("is_self_referencing", yes_no(false)),
        ("is_identity", yes_no(column.identity.is_some())),
        ("identity_generation", generation),
        ("identity_cycle", yes_no(false)),
        ("is_generated", text("NEVER")),
        ("is_updatable", yes_no(true)),
    ]);
}

fn schemata(rows: &mut Rows<'_>, env: &Env) {
    let own = env.facts.catalog.schemas(env.facts.database_id).map(|schema| schema.name.as_str());
    for name in system::schemas().iter().map(|(_, name)| *name).chain(own) {
        rows.push([
            ("catalog_name", text(&env.facts.database)),
            ("schema_name", text(name)),
            ("schema_owner", text("postgres")),
        ]);
    }
}

struct Constraint<'a> {
    name: &'a str,
    kind: &'static str,
    columns: Vec<ColumnId>,
    /// Of foreign keys: the parent with its columns.
    parent: Option<(&'a Table, Vec<ColumnId>)>,
}

fn each_constraint(env: &Env, visit: &mut dyn FnMut(&Table, &Constraint<'_>)) {
    for table in tables(env) {
        for index in named_indexes(table).filter(|index| index.constraint) {
            let kind = if index.id == table.primary.id { "PRIMARY KEY" } else { "UNIQUE" };
            let columns = key_ids(index);
            visit(table, &Constraint { name: &index.name, kind, columns, parent: None });
        }
        for check in &table.checks {
            visit(table, &Constraint { name: &check.name, kind: "CHECK", columns: Vec::new(), parent: None });
        }
        for key in &table.foreign_keys {
            let parent = env.facts.catalog.table(key.parent);
            let parent = parent.map(|parent| (parent.as_ref(), key.parent_columns.clone()));
            visit(table, &Constraint { name: &key.name, kind: "FOREIGN KEY", columns: key.columns.clone(), parent });
        }
    }
}

fn key_ids(index: &Index) -> Vec<ColumnId> {
    index.columns.iter().map(|key| key.column).collect()
}

fn table_constraint(rows: &mut Rows<'_>, env: &Env, table: &Table, it: &Constraint<'_>) {
    rows.push([
        ("constraint_catalog", text(&env.facts.database)),
        ("constraint_schema", text(schema_name(env, table.schema))),
        ("constraint_name", text(it.name)),
        ("table_catalog", text(&env.facts.database)),
        ("table_schema", text(schema_name(env, table.schema))),
        ("table_name", text(&table.name)),
        ("constraint_type", text(it.kind)),
        ("is_deferrable", yes_no(false)),
        ("initially_deferred", yes_no(false)),
        ("enforced", yes_no(true)),
    ]);
}

fn key_columns(rows: &mut Rows<'_>, env: &Env, table: &Table, it: &Constraint<'_>) {
    for (id, ordinal) in it.columns.iter().zip(1..) {
        let name = table.column(*id).map(|column| column.name.as_str()).unwrap_or_default();
        let position = if it.parent.is_some() { Value::Int4(ordinal) } else { Value::Null };
        rows.push([
            ("constraint_catalog", text(&env.facts.database)),
            ("constraint_schema", text(schema_name(env, table.schema))),
            ("constraint_name", text(it.name)),
            ("table_catalog", text(&env.facts.database)),
            ("table_schema", text(schema_name(env, table.schema))),
            ("table_name", text(&table.name)),
            ("column_name", text(name)),
            ("ordinal_position", Value::Int4(ordinal)),
            ("position_in_unique_constraint", position),
        ]);
    }
}

fn used_columns(rows: &mut Rows<'_>, env: &Env, table: &Table, it: &Constraint<'_>) {
    let (owner, columns) = match &it.parent {
        Some((parent, columns)) => (*parent, columns),
        None => (table, &it.columns),
    };
    for id in columns {
        let name = owner.column(*id).map(|column| column.name.as_str()).unwrap_or_default();
        rows.push([
            ("table_catalog", text(&env.facts.database)),
            ("table_schema", text(schema_name(env, owner.schema))),
            ("table_name", text(&owner.name)),
            ("column_name", text(name)),
            ("constraint_catalog", text(&env.facts.database)),
            ("constraint_schema", text(schema_name(env, table.schema))),
            ("constraint_name", text(it.name)),
        ]);
    }
}

fn rule(rule: ForeignKeyRule) -> Value {
    text(match rule {
        ForeignKeyRule::NoAction => "NO ACTION",
        ForeignKeyRule::Restrict => "RESTRICT",
        ForeignKeyRule::Cascade => "CASCADE",
        ForeignKeyRule::SetNull => "SET NULL",
        ForeignKeyRule::SetDefault => "SET DEFAULT",
    })
}

fn referential(rows: &mut Rows<'_>, env: &Env) {
    for table in tables(env) {
        for key in &table.foreign_keys {
            let Some(parent) = env.facts.catalog.table(key.parent) else { continue };
            let covers = |index: &&Index| {
                let ids = key_ids(index);
                ids.len() == key.parent_columns.len() && ids.iter().all(|id| key.parent_columns.contains(id))
            };
            let index = parent.all_indexes().filter(|index| index.unique).find(covers);
            rows.push([
                ("constraint_catalog", text(&env.facts.database)),
                ("constraint_schema", text(schema_name(env, table.schema))),
                ("constraint_name", text(&key.name)),
                ("unique_constraint_catalog", text(&env.facts.database)),
                ("unique_constraint_schema", text(schema_name(env, parent.schema))),
                ("unique_constraint_name", index.map_or(Value::Null, |index| text(&index.name))),
                ("match_option", text("NONE")),
                ("update_rule", rule(key.on_update)),
                ("delete_rule", rule(key.on_delete)),
            ]);
        }
    }
}

fn fill_sequences(rows: &mut Rows<'_>, env: &Env) {
    for sequence in sequences(env) {
        let options = &sequence.options;
        let [precision, radix, scale] = numeric_facts(&options.ty);
        rows.push([
            ("sequence_catalog", text(&env.facts.database)),
            ("sequence_schema", text(schema_name(env, sequence.schema))),
            ("sequence_name", text(&sequence.name)),
            ("data_type", text(options.ty.sql_name())),
            ("numeric_precision", precision),
            ("numeric_precision_radix", radix),
            ("numeric_scale", scale),
            ("start_value", text(options.start.to_string())),
            ("minimum_value", text(options.min.to_string())),
            ("maximum_value", text(options.max.to_string())),
            ("increment", text(options.increment.to_string())),
            ("cycle_option", yes_no(options.cycle)),
        ]);
    }
}

/// Every role may do everything: there are no grants yet.
fn privileges(rows: &mut Rows<'_>, env: &Env) {
    for table in tables(env) {
        for privilege in ["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"] {
            rows.push([
                ("grantor", text("postgres")),
                ("grantee", text(&env.facts.user)),
                ("table_catalog", text(&env.facts.database)),
                ("table_schema", text(schema_name(env, table.schema))),
                ("table_name", text(&table.name)),
                ("privilege_type", text(privilege)),
                ("is_grantable", yes_no(true)),
                ("with_hierarchy", yes_no(privilege == "SELECT")),
            ]);
        }
    }
}
