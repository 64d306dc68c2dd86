//! Tables, columns, indexes, constraints and sequences as `pg_catalog` shows them.

use super::super::Env;
use super::super::function::index_definition;
use super::{BTREE_AM, DEFAULT_COLLATION, HEAP_AM, OWNER, Rows, int2, letter, oid, text};
use crate::sql::catalog::{Column, ColumnId, ForeignKeyRule, Index, SchemaId, Sequence, Table, system};
use crate::sql::types::{Array, Category, Type, Value};
use std::sync::Arc;

/// Fills the table if it is one of these; whether it was.
pub fn fill(rows: &mut Rows<'_>, env: &Env) -> bool {
    match rows.name() {
        "pg_class" => classes(rows, env),
        "pg_attribute" => attributes(rows, env),
        "pg_attrdef" => defaults(rows, env),
        "pg_index" => tables(env).for_each(|table| indexes(rows, table)),
        "pg_constraint" => tables(env).for_each(|table| constraints(rows, table)),
        "pg_sequence" => sequences(env).for_each(|sequence| sequence_row(rows, sequence)),
        "pg_sequences" => sequences(env).for_each(|sequence| sequence_view(rows, env, sequence)),
        "pg_depend" => dependencies(rows, env),
        "pg_tables" => pg_tables(rows, env),
        "pg_indexes" => pg_indexes(rows, env),
        "pg_stat_user_tables" | "pg_stat_all_tables" => tables(env).for_each(|table| {
            rows.push([
                ("relid", oid(table.id.0)),
                ("schemaname", text(schema_name(env, table.schema))),
                ("relname", text(&table.name)),
            ]);
        }),
        _ => return false,
    }
    true
}

/// Tables of the session's database.
pub fn tables(env: &Env) -> impl Iterator<Item = &Arc<Table>> {
    env.facts.catalog.tables_of(env.facts.database_id)
}

/// Sequences of the session's database.
pub fn sequences(env: &Env) -> impl Iterator<Item = &Arc<Sequence>> {
    env.facts.catalog.sequences_of(env.facts.database_id)
}

/// The name of a schema.
pub fn schema_name(env: &Env, id: SchemaId) -> &str {
    env.facts.catalog.schema_name(id).unwrap_or_default()
}

/// The indexes of a table that have names of their own.
pub fn named_indexes(table: &Table) -> impl Iterator<Item = &Index> {
    table.all_indexes().skip(usize::from(!table.has_primary_key()))
}

struct Class<'a> {
    id: u32,
    name: &'a str,
    schema: SchemaId,
    kind: char,
    columns: usize,
    checks: usize,
    has_index: bool,
    has_triggers: bool,
}

fn class(rows: &mut Rows<'_>, class: Class<'_>) {
    let method = match class.kind {
        'r' => HEAP_AM,
        'i' => BTREE_AM,
        _ => 0,
    };
    rows.push([
        ("oid", oid(class.id)),
        ("relname", text(class.name)),
        ("relnamespace", oid(class.schema.0)),
        ("reltype", oid(0)),
        ("reloftype", oid(0)),
        ("relowner", oid(OWNER)),
        ("relam", oid(method)),
        ("relfilenode", oid(class.id)),
        ("reltablespace", oid(0)),
        ("relpages", Value::Int4(0)),
        ("reltuples", Value::Float4(-1.0)),
        ("relallvisible", Value::Int4(0)),
        ("reltoastrelid", oid(0)),
        ("relhasindex", Value::Bool(class.has_index)),
        ("relisshared", Value::Bool(false)),
        ("relpersistence", letter('p')),
        ("relkind", letter(class.kind)),
        ("relnatts", int2(class.columns)),
        ("relchecks", int2(class.checks)),
        ("relhasrules", Value::Bool(class.kind == 'v')),
        ("relhastriggers", Value::Bool(class.has_triggers)),
        ("relhassubclass", Value::Bool(false)),
        ("relrowsecurity", Value::Bool(false)),
        ("relforcerowsecurity", Value::Bool(false)),
        ("relispopulated", Value::Bool(true)),
        ("relreplident", letter(if class.kind == 'r' { 'd' } else { 'n' })),
        ("relispartition", Value::Bool(false)),
        ("relrewrite", oid(0)),
        ("relfrozenxid", oid(0)),
        ("relminmxid", oid(0)),
    ]);
}

fn classes(rows: &mut Rows<'_>, env: &Env) {
    for table in system::tables() {
        class(
            rows,
            Class {
                id: table.oid,
                name: table.name,
                schema: table.schema,
                kind: if table.is_view { 'v' } else { 'r' },
                columns: table.columns.len(),
                checks: 0,
                has_index: false,
                has_triggers: false,
            },
        );
    }
    for table in tables(env) {
        class(
            rows,
            Class {
                id: table.id.0,
                name: &table.name,
                schema: table.schema,
                kind: 'r',
                columns: table.visible_columns().count(),
                checks: table.checks.len(),
                has_index: named_indexes(table).next().is_some(),
                has_triggers: !table.foreign_keys.is_empty() || !table.referenced_by.is_empty(),
            },
        );
        for index in named_indexes(table) {
            class(
                rows,
                Class {
                    id: index.id.0,
                    name: &index.name,
                    schema: table.schema,
                    kind: 'i',
                    columns: index.columns.len(),
                    checks: 0,
                    has_index: false,
                    has_triggers: false,
                },
            );
        }
    }
    for sequence in sequences(env) {
        class(
            rows,
            Class {
                id: sequence.id.0,
                name: &sequence.name,
                schema: sequence.schema,
                kind: 'S',
                columns: 3,
                checks: 0,
                has_index: false,
                has_triggers: false,
            },
        );
    }
}

struct Attribute<'a> {
    relation: u32,
    name: &'a str,
    ty: &'a Type,
    number: i16,
    column: Option<&'a Column>,
}

fn attribute(rows: &mut Rows<'_>, it: Attribute<'_>) {
    let length = it.ty.type_len();
    let identity = it.column.and_then(|column| column.identity).map_or(String::new(), |identity| match identity {
        crate::sql::catalog::Identity::Always => "a".to_owned(),
        crate::sql::catalog::Identity::ByDefault => "d".to_owned(),
    });
    let collation = if it.ty.category() == Category::String { DEFAULT_COLLATION } else { 0 };
    rows.push([
        ("attrelid", oid(it.relation)),
        ("attname", text(it.name)),
        ("atttypid", oid(it.ty.oid())),
        ("attstattarget", Value::Int4(-1)),
        ("attlen", Value::Int2(length)),
        ("attnum", Value::Int2(it.number)),
        ("attndims", Value::Int4(i32::from(it.ty.element().is_some()))),
        ("attcacheoff", Value::Int4(-1)),
        ("atttypmod", Value::Int4(it.ty.typmod())),
        ("attbyval", Value::Bool(by_value(length))),
        ("attalign", letter(alignment(length))),
        ("attstorage", letter(if length > 0 { 'p' } else { 'x' })),
        ("attcompression", text("")),
        ("attnotnull", Value::Bool(it.column.is_some_and(|column| !column.nullable))),
        ("atthasdef", Value::Bool(it.column.is_some_and(|column| column.default.is_some()))),
        ("atthasmissing", Value::Bool(false)),
        ("attidentity", text(identity)),
        ("attgenerated", text("")),
        ("attisdropped", Value::Bool(false)),
        ("attislocal", Value::Bool(true)),
        ("attinhcount", Value::Int4(0)),
        ("attcollation", oid(collation)),
    ]);
}

/// Whether values of this length are passed by value in PostgreSQL.
pub fn by_value(length: i16) -> bool {
    matches!(length, 1 | 2 | 4 | 8)
}

/// PostgreSQL's alignment of values of this length.
pub fn alignment(length: i16) -> char {
    match length {
        1 => 'c',
        2 => 's',
        8 | 16 => 'd',
        _ => 'i',
    }
}

fn number(id: ColumnId) -> i16 {
    i16::try_from(id.0).unwrap_or(i16::MAX)
}

fn attributes(rows: &mut Rows<'_>, env: &Env) {
    for table in system::tables() {
        for ((name, ty), number) in table.columns.iter().zip(1..) {
            attribute(rows, Attribute { relation: table.oid, name, ty, number, column: None });
        }
    }
    for table in tables(env) {
        for (_, column) in table.visible_columns() {
            let (relation, name, ty) = (table.id.0, column.name.as_str(), &column.ty);
            attribute(rows, Attribute { relation, name, ty, number: number(column.id), column: Some(column) });
        }
        for index in named_indexes(table) {
            for (key, number) in index.columns.iter().zip(1..) {
                if let Some(column) = table.column(key.column) {
                    let (relation, name, ty) = (index.id.0, column.name.as_str(), &column.ty);
                    attribute(rows, Attribute { relation, name, ty, number, column: None });
                }
            }
        }
    }
    for sequence in sequences(env) {
        let columns = [("last_value", Type::Int8), ("log_cnt", Type::Int8), ("is_called", Type::Bool)];
        for ((name, ty), number) in columns.iter().zip(1..) {
            attribute(rows, Attribute { relation: sequence.id.0, name, ty, number, column: None });
        }
    }
}

/// OIDs of defaults are made of the table's and the column's; nothing else refers to them.
fn defaults(rows: &mut Rows<'_>, env: &Env) {
    for table in tables(env) {
        for (_, column) in table.visible_columns() {
            if let Some(default) = &column.default {
                rows.push([
                    ("oid", oid(default_oid(table, column.id))),
                    ("adrelid", oid(table.id.0)),
                    ("adnum", Value::Int2(number(column.id))),
                    ("adbin", text(default)),
                ]);
            }
        }
    }
}

fn default_oid(table: &Table, column: ColumnId) -> u32 {
    0x8000_0000 | (table.id.0.wrapping_mul(1_600).wrapping_add(column.0) & 0x7fff_ffff)
}

fn vector(numbers: impl Iterator<Item = i16>) -> Value {
    Value::Array(Arc::new(Array::with_lower(Type::Int2, numbers.map(Value::Int2).collect(), 0)))
}

fn oids(oids: impl Iterator<Item = u32>) -> Value {
    Value::Array(Arc::new(Array::with_lower(Type::Oid, oids.map(Value::Oid).collect(), 0)))
}

fn indexes(rows: &mut Rows<'_>, table: &Table) {
    for index in named_indexes(table) {
        let primary = index.id == table.primary.id;
        // Bit 0 is DESC, bit 1 is NULLS FIRST, which DESC implies here.
        let options = index.columns.iter().map(|key| if key.descending { 3 } else { 0 });
        rows.push([
            ("indexrelid", oid(index.id.0)),
            ("indrelid", oid(table.id.0)),
            ("indnatts", int2(index.columns.len())),
            ("indnkeyatts", int2(index.columns.len())),
            ("indisunique", Value::Bool(index.unique)),
            ("indnullsnotdistinct", Value::Bool(false)),
            ("indisprimary", Value::Bool(primary)),
            ("indisexclusion", Value::Bool(false)),
            ("indimmediate", Value::Bool(true)),
            ("indisclustered", Value::Bool(false)),
            ("indisvalid", Value::Bool(index.ready)),
            ("indcheckxmin", Value::Bool(false)),
            ("indisready", Value::Bool(true)),
            ("indislive", Value::Bool(true)),
            ("indisreplident", Value::Bool(false)),
            ("indkey", vector(index.columns.iter().map(|key| number(key.column)))),
            ("indcollation", oids(index.columns.iter().map(|_| 0))),
            ("indclass", oids(index.columns.iter().map(|_| 0))),
            ("indoption", vector(options)),
        ]);
    }
}

fn columns(ids: impl Iterator<Item = ColumnId>) -> Value {
    Value::Array(Arc::new(Array::new(Type::Int2, ids.map(|id| Value::Int2(number(id))).collect())))
}

struct Constraint<'a> {
    id: u32,
    name: &'a str,
    kind: char,
    validated: bool,
    index: u32,
    parent: u32,
    rules: [char; 3],
    columns: Value,
    parent_columns: Value,
    expression: Value,
}

fn constraint(rows: &mut Rows<'_>, table: &Table, it: Constraint<'_>) {
    let [update, delete, matching] = it.rules;
    rows.push([
        ("oid", oid(it.id)),
        ("conname", text(it.name)),
        ("connamespace", oid(table.schema.0)),
        ("contype", letter(it.kind)),
        ("condeferrable", Value::Bool(false)),
        ("condeferred", Value::Bool(false)),
        ("convalidated", Value::Bool(it.validated)),
        ("conrelid", oid(table.id.0)),
        ("contypid", oid(0)),
        ("conindid", oid(it.index)),
        ("conparentid", oid(0)),
        ("confrelid", oid(it.parent)),
        ("confupdtype", letter(update)),
        ("confdeltype", letter(delete)),
        ("confmatchtype", letter(matching)),
        ("conislocal", Value::Bool(true)),
        ("coninhcount", Value::Int4(0)),
        ("connoinherit", Value::Bool(it.kind != 'c')),
        ("conkey", it.columns),
        ("confkey", it.parent_columns),
        ("conbin", it.expression),
    ]);
}

fn rule(rule: ForeignKeyRule) -> char {
    match rule {
        ForeignKeyRule::NoAction => 'a',
        ForeignKeyRule::Restrict => 'r',
        ForeignKeyRule::Cascade => 'c',
        ForeignKeyRule::SetNull => 'n',
        ForeignKeyRule::SetDefault => 'd',
    }
}

fn constraints(rows: &mut Rows<'_>, table: &Table) {
    for index in named_indexes(table).filter(|index| index.constraint) {
        constraint(
            rows,
            table,
            Constraint {
                id: index.id.0,
                name: &index.name,
                kind: if index.id == table.primary.id { 'p' } else { 'u' },
                validated: true,
                index: index.id.0,
                parent: 0,
                rules: [' '; 3],
                columns: columns(index.columns.iter().map(|key| key.column)),
                parent_columns: Value::Null,
                expression: Value::Null,
            },
        );
    }
    for check in &table.checks {
        constraint(
            rows,
            table,
            Constraint {
                id: check.id,
                name: &check.name,
                kind: 'c',
                validated: check.validated,
                index: 0,
                parent: 0,
                rules: [' '; 3],
                columns: Value::Null,
                parent_columns: Value::Null,
                expression: text(&check.expression),
            },
        );
    }
    for key in &table.foreign_keys {
        constraint(
            rows,
            table,
            Constraint {
                id: key.id,
                name: &key.name,
                kind: 'f',
                validated: key.validated,
                index: 0,
                parent: key.parent.0,
                rules: [rule(key.on_update), rule(key.on_delete), 's'],
                columns: columns(key.columns.iter().copied()),
                parent_columns: columns(key.parent_columns.iter().copied()),
                expression: Value::Null,
            },
        );
    }
}

fn sequence_row(rows: &mut Rows<'_>, sequence: &Sequence) {
    let options = &sequence.options;
    rows.push([
        ("seqrelid", oid(sequence.id.0)),
        ("seqtypid", oid(options.ty.oid())),
        ("seqstart", Value::Int8(options.start)),
        ("seqincrement", Value::Int8(options.increment)),
        ("seqmax", Value::Int8(options.max)),
        ("seqmin", Value::Int8(options.min)),
        ("seqcache", Value::Int8(options.cache)),
        ("seqcycle", Value::Bool(options.cycle)),
    ]);
}

fn sequence_view(rows: &mut Rows<'_>, env: &Env, sequence: &Sequence) {
    let options = &sequence.options;
    rows.push([
        ("schemaname", text(schema_name(env, sequence.schema))),
        ("sequencename", text(&sequence.name)),
        ("sequenceowner", text("postgres")),
        ("data_type", oid(options.ty.oid())),
        ("start_value", Value::Int8(options.start)),
        ("min_value", Value::Int8(options.min)),
        ("max_value", Value::Int8(options.max)),
        ("increment_by", Value::Int8(options.increment)),
        ("cycle", Value::Bool(options.cycle)),
        ("cache_size", Value::Int8(options.cache)),
    ]);
}

/// What tools look for: sequences that belong to columns, defaults that use sequences.
fn dependencies(rows: &mut Rows<'_>, env: &Env) {
    const CLASS: u32 = 1_259;
    for sequence in sequences(env) {
        if let Some((table, column)) = sequence.owned_by {
            rows.push([
                ("classid", oid(CLASS)),
                ("objid", oid(sequence.id.0)),
                ("objsubid", Value::Int4(0)),
                ("refclassid", oid(CLASS)),
                ("refobjid", oid(table.0)),
                ("refobjsubid", Value::Int4(i32::from(number(column)))),
                ("deptype", letter('a')),
            ]);
        }
    }
}

fn pg_tables(rows: &mut Rows<'_>, env: &Env) {
    for table in system::tables().filter(|table| !table.is_view) {
        rows.push([
            ("schemaname", text(system::schema_name(table.schema).unwrap_or_default())),
            ("tablename", text(table.name)),
            ("tableowner", text("postgres")),
            ("hasindexes", Value::Bool(true)),
            ("hasrules", Value::Bool(false)),
            ("hastriggers", Value::Bool(false)),
            ("rowsecurity", Value::Bool(false)),
        ]);
    }
    for table in tables(env) {
        rows.push([
            ("schemaname", text(schema_name(env, table.schema))),
            ("tablename", text(&table.name)),
            ("tableowner", text("postgres")),
            ("hasindexes", Value::Bool(named_indexes(table).next().is_some())),
            ("hasrules", Value::Bool(false)),
            ("hastriggers", Value::Bool(!table.foreign_keys.is_empty())),
            ("rowsecurity", Value::Bool(false)),
        ]);
    }
}

fn pg_indexes(rows: &mut Rows<'_>, env: &Env) {
    for table in tables(env) {
        for index in named_indexes(table) {
            rows.push([
                ("schemaname", text(schema_name(env, table.schema))),
                ("tablename", text(&table.name)),
                ("indexname", text(&index.name)),
                ("indexdef", text(index_definition(&env.facts.catalog, table, index))),
            ]);
        }
    }
}
