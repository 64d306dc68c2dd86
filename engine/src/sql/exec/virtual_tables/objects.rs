//! Schemas, databases, roles, types, settings and the like as `pg_catalog` shows them.

use super::super::Env;
use super::super::settings::table::Kind;
use super::relations::{alignment, by_value};
use super::{BTREE_AM, DEFAULT_COLLATION, HEAP_AM, OWNER, Rows, letter, oid, text};
use crate::sql::catalog::{Role, SchemaId, system};
use crate::sql::types::{Category, Type, Value};

/// Fills the table if it is one of these; others stay empty.
pub fn fill(rows: &mut Rows<'_>, env: &Env) {
    match rows.name() {
        "pg_namespace" => namespaces(rows, env),
        "pg_database" => databases(rows, env),
        "pg_roles" | "pg_authid" => env.facts.catalog.roles().for_each(|it| role(rows, it)),
        "pg_user" | "pg_shadow" => env.facts.catalog.roles().for_each(|it| user(rows, it)),
        "pg_settings" => settings(rows, env),
        "pg_type" => types(rows),
        "pg_range" | "pg_enum" | "pg_trigger" | "pg_policy" | "pg_extension" => {}
        "pg_am" => {
            for (id, name, kind) in [(HEAP_AM, "heap", 't'), (BTREE_AM, "btree", 'i')] {
                rows.push([("oid", oid(id)), ("amname", text(name)), ("amtype", letter(kind))]);
            }
        }
        "pg_collation" => collations(rows),
        "pg_language" => {
            for (id, name) in [(12, "internal"), (13, "c"), (14, "sql")] {
                rows.push([("oid", oid(id)), ("lanname", text(name)), ("lanowner", oid(OWNER))]);
            }
        }
        "pg_tablespace" => {
            for (id, name) in [(1663, "pg_default"), (1664, "pg_global")] {
                rows.push([("oid", oid(id)), ("spcname", text(name)), ("spcowner", oid(OWNER))]);
            }
        }
        "pg_stat_activity" => activity(rows, env),
        "pg_stat_database" => {
            for database in env.facts.catalog.databases() {
                rows.push([("datid", oid(database.id.0)), ("datname", text(&database.name))]);
            }
        }
        _ => {}
    }
}

fn namespaces(rows: &mut Rows<'_>, env: &Env) {
    for (id, name) in system::schemas() {
        rows.push([("oid", oid(id.0)), ("nspname", text(name)), ("nspowner", oid(OWNER))]);
    }
    for schema in env.facts.catalog.schemas(env.facts.database_id) {
        rows.push([("oid", oid(schema.id.0)), ("nspname", text(&schema.name)), ("nspowner", oid(OWNER))]);
    }
}

fn databases(rows: &mut Rows<'_>, env: &Env) {
    for database in env.facts.catalog.databases() {
        rows.push([
            ("oid", oid(database.id.0)),
            ("datname", text(&database.name)),
            ("datdba", oid(OWNER)),
            ("encoding", Value::Int4(6)),
            ("datlocprovider", letter('c')),
            ("datistemplate", Value::Bool(false)),
            ("datallowconn", Value::Bool(true)),
            ("datconnlimit", Value::Int4(-1)),
            ("datfrozenxid", oid(0)),
            ("datminmxid", oid(0)),
            ("dattablespace", oid(1663)),
            ("datcollate", text("C.UTF-8")),
            ("datctype", text("C.UTF-8")),
        ]);
    }
}

fn role(rows: &mut Rows<'_>, role: &Role) {
    rows.push([
        ("oid", oid(role.id.0)),
        ("rolname", text(&role.name)),
        ("rolsuper", Value::Bool(role.superuser)),
        ("rolinherit", Value::Bool(true)),
        ("rolcreaterole", Value::Bool(role.superuser)),
        ("rolcreatedb", Value::Bool(role.superuser)),
        ("rolcanlogin", Value::Bool(role.login)),
        ("rolreplication", Value::Bool(false)),
        ("rolbypassrls", Value::Bool(role.superuser)),
        ("rolconnlimit", Value::Int4(-1)),
        ("rolpassword", text("********")),
    ]);
}

fn user(rows: &mut Rows<'_>, role: &Role) {
    if role.login {
        rows.push([
            ("usename", text(&role.name)),
            ("usesysid", oid(role.id.0)),
            ("usecreatedb", Value::Bool(role.superuser)),
            ("usesuper", Value::Bool(role.superuser)),
            ("userepl", Value::Bool(false)),
            ("usebypassrls", Value::Bool(role.superuser)),
            ("passwd", text("********")),
        ]);
    }
}

fn settings(rows: &mut Rows<'_>, env: &Env) {
    for (definition, value) in env.settings.all() {
        let (kind, context) = match definition.kind {
            Kind::Fixed => ("string", "internal"),
            Kind::Bool => ("bool", "user"),
            Kind::Integer(..) | Kind::Duration => ("integer", "user"),
            Kind::Choice(_) | Kind::Isolation => ("enum", "user"),
            _ => ("string", "user"),
        };
        rows.push([
            ("name", text(definition.name)),
            ("setting", text(value)),
            ("short_desc", text(definition.about)),
            ("context", text(context)),
            ("vartype", text(kind)),
            ("source", text(if value == definition.default { "default" } else { "session" })),
            ("boot_val", text(definition.default)),
            ("reset_val", text(definition.default)),
            ("category", text("Client Connection Defaults")),
            ("pending_restart", Value::Bool(false)),
        ]);
    }
}

/// OID of the function `array_in`, by which drivers tell arrays.
const ARRAY_IN: u32 = 750;

fn types(rows: &mut Rows<'_>) {
    for ty in Type::SCALARS {
        type_row(rows, &ty, ty.array_oid(), 0);
        if ty.array_oid() != 0 {
            type_row(rows, &Type::array_of(ty.clone()), 0, ty.oid());
        }
    }
}

fn type_row(rows: &mut Rows<'_>, ty: &Type, array: u32, element: u32) {
    let length = ty.type_len();
    let pseudo = ty.category() == Category::Pseudo || *ty == Type::Unknown;
    let schema: SchemaId = system::PG_CATALOG_ID;
    let subscript = match ty {
        Type::Int2vector => Type::Int2.oid(),
        Type::Oidvector => Type::Oid.oid(),
        Type::Name => Type::InternalChar.oid(),
        _ => element,
    };
    let collation = if ty.category() == Category::String { DEFAULT_COLLATION } else { 0 };
    rows.push([
        ("oid", oid(ty.oid())),
        ("typname", text(ty.internal_name())),
        ("typnamespace", oid(schema.0)),
        ("typowner", oid(OWNER)),
        ("typlen", Value::Int2(length)),
        ("typbyval", Value::Bool(by_value(length))),
        ("typtype", letter(if pseudo { 'p' } else { 'b' })),
        ("typcategory", letter(ty.category().letter())),
        ("typispreferred", Value::Bool(ty.is_preferred())),
        ("typisdefined", Value::Bool(true)),
        ("typdelim", letter(',')),
        ("typrelid", oid(0)),
        ("typelem", oid(subscript)),
        ("typarray", oid(array)),
        ("typalign", letter(alignment(length))),
        ("typstorage", letter(if length > 0 { 'p' } else { 'x' })),
        ("typnotnull", Value::Bool(false)),
        ("typbasetype", oid(0)),
        ("typtypmod", Value::Int4(-1)),
        ("typndims", Value::Int4(0)),
        ("typcollation", oid(collation)),
        ("typinput", oid(if element == 0 { 0 } else { ARRAY_IN })),
        ("typoutput", oid(0)),
        ("typreceive", oid(0)),
        ("typsend", oid(0)),
    ]);
}

fn collations(rows: &mut Rows<'_>) {
    for (id, name, provider) in [(DEFAULT_COLLATION, "default", 'd'), (950, "C", 'c'), (951, "POSIX", 'c')] {
        rows.push([
            ("oid", oid(id)),
            ("collname", text(name)),
            ("collnamespace", oid(system::PG_CATALOG_ID.0)),
            ("collowner", oid(OWNER)),
            ("collprovider", letter(provider)),
            ("collisdeterministic", Value::Bool(true)),
            ("collencoding", Value::Int4(-1)),
        ]);
    }
}

/// This session; others are not known here.
fn activity(rows: &mut Rows<'_>, env: &Env) {
    rows.push([
        ("datid", oid(env.facts.database_id.0)),
        ("datname", text(&env.facts.database)),
        ("pid", Value::Int4(env.facts.process_id)),
        ("usename", text(&env.facts.user)),
        ("application_name", text(env.setting("application_name").unwrap_or_default())),
        ("xact_start", Value::Timestamptz(env.types.now)),
        ("query_start", Value::Timestamptz(env.statement_time)),
        ("state", text("active")),
        ("backend_type", text("client backend")),
    ]);
}
