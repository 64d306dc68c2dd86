//! Databases, schemas, sequences and roles.

use super::super::sequence::SequenceState;
use super::drop;
use super::writer::{Writer, name_taken};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::store::NameKind;
use crate::sql::catalog::{
    ColumnId, Database, DatabaseId, Descriptor, Role, RoleId, Schema, SchemaId, Sequence, SequenceId, SequenceOptions,
    Table, TableId, store,
};
use std::sync::Arc;

/// CREATE DATABASE, with its schema `public`.
pub async fn create_database(writer: &mut Writer<'_, '_>, name: &str) -> Result<()> {
    if writer.view.database_named(name).is_some() {
        return Err(name_taken(NameKind::Database, name));
    }
    let id = DatabaseId(writer.id().await?);
    writer.put(Descriptor::Database(Database { id, name: name.to_owned() })).await?;
    create_schema(writer, id, "public").await
}

/// DROP DATABASE, with everything in it.
pub async fn drop_database(writer: &mut Writer<'_, '_>, database: &Database) -> Result<()> {
    if database.id == writer.context.env.facts.database_id {
        return Err(Error::new(SqlState::OBJECT_IN_USE, "cannot drop the currently open database"));
    }
    let schemas: Vec<Arc<Schema>> = writer.view.schemas(database.id).cloned().collect();
    drop_schemas(writer, &schemas, true).await?;
    writer.remove(database.id.0).await
}

/// CREATE SCHEMA.
pub async fn create_schema(writer: &mut Writer<'_, '_>, database: DatabaseId, name: &str) -> Result<()> {
    if writer.view.schema_named(database, name).is_some() {
        return Err(name_taken(NameKind::Schema, name));
    }
    let id = SchemaId(writer.id().await?);
    writer.put(Descriptor::Schema(Schema { id, database, name: name.to_owned() })).await
}

/// DROP SCHEMA.
pub async fn drop_schemas(writer: &mut Writer<'_, '_>, schemas: &[Arc<Schema>], cascade: bool) -> Result<()> {
    for schema in schemas {
        let tables: Vec<Arc<Table>> =
            writer.view.tables_of(schema.database).filter(|table| table.schema == schema.id).cloned().collect();
        let first = tables.first().map(|table| format!("table {}.{}", schema.name, table.name));
        if let Some(first) = first.filter(|_| !cascade) {
            let message = format!("cannot drop schema {} because other objects depend on it", schema.name);
            return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                .with_detail(format!("{first} depends on schema {}", schema.name))
                .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        drop::drop_tables(writer, &tables, true).await?;
        let sequences: Vec<Arc<Sequence>> =
            writer.view.sequences_of(schema.database).filter(|it| it.schema == schema.id).cloned().collect();
        drop_sequences(writer, &sequences, true).await?;
        writer.remove(schema.id.0).await?;
    }
    Ok(())
}

/// CREATE SEQUENCE.
pub async fn create_sequence(
    writer: &mut Writer<'_, '_>,
    schema: SchemaId,
    name: &str,
    options: &SequenceOptions,
    owned_by: Option<(TableId, ColumnId)>,
) -> Result<()> {
    let id = SequenceId(writer.id().await?);
    writer.context.txn.put(store::sequence_key(id), SequenceState::start(options).to_bytes());
    let (name, options) = (name.to_owned(), options.clone());
    writer.put_sequence(Sequence { id, schema, name, options, owned_by }).await
}

/// DROP SEQUENCE.
pub async fn drop_sequences(writer: &mut Writer<'_, '_>, sequences: &[Arc<Sequence>], cascade: bool) -> Result<()> {
    for sequence in sequences {
        if let Some((table, column)) = sequence.owned_by
            && let Some(table) = writer.view.table(table)
            && let Some(owner) = table.column(column)
        {
            if !cascade {
                let message = format!("cannot drop sequence {} because other objects depend on it", sequence.name);
                return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                    .with_detail(format!(
                        "default value for column {} of table {} depends on sequence {}",
                        owner.name, table.name, sequence.name
                    ))
                    .with_hint("Use DROP ... CASCADE to drop the dependent objects too."));
            }
            let mut table = table.as_ref().clone();
            for candidate in table.columns.iter_mut().filter(|candidate| candidate.id == column) {
                candidate.default = None;
            }
            writer.put_table(table).await?;
        }
        writer.context.env.facts.sequences.forget(sequence.id);
        writer.context.txn.delete(store::sequence_key(sequence.id));
        writer.remove(sequence.id.0).await?;
    }
    Ok(())
}

/// ALTER SEQUENCE.
pub async fn alter_sequence(
    writer: &mut Writer<'_, '_>,
    sequence: &Sequence,
    options: &SequenceOptions,
    restart: Option<i64>,
    owned_by: Option<Option<(TableId, ColumnId)>>,
) -> Result<()> {
    let mut changed = Sequence { options: options.clone(), ..sequence.clone() };
    if let Some(owner) = owned_by {
        changed.owned_by = owner;
    }
    if let Some(last) = restart {
        let key = store::sequence_key(sequence.id);
        writer.context.txn.get(&key, None).await?;
        writer.context.txn.put(key, SequenceState { last, called: false }.to_bytes());
    }
    writer.context.env.facts.sequences.forget(sequence.id);
    writer.put_sequence(changed).await
}

fn refuse_password(password: Option<&str>) -> Result<()> {
    match password {
        None => Ok(()),
        Some(_) => Err(Error::unsupported(
            "passwords of roles are not supported",
            "Leave PASSWORD out; the server listens on the loopback interface.",
        )),
    }
}

/// CREATE ROLE.
pub async fn create_role(
    writer: &mut Writer<'_, '_>,
    name: &str,
    login: bool,
    superuser: bool,
    password: Option<&str>,
) -> Result<()> {
    refuse_password(password)?;
    if writer.view.role_named(name).is_some() {
        return Err(name_taken(NameKind::Role, name));
    }
    let id = RoleId(writer.id().await?);
    writer.put(Descriptor::Role(Role { id, name: name.to_owned(), login, superuser, verifier: None })).await
}

fn no_role(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
}

/// DROP ROLE.
pub async fn drop_roles(writer: &mut Writer<'_, '_>, names: &[String]) -> Result<()> {
    for name in names {
        let role = writer.view.role_named(name).cloned().ok_or_else(|| no_role(name))?;
        if *role.name == *writer.context.env.facts.user {
            return Err(Error::new(SqlState::OBJECT_IN_USE, "current user cannot be dropped"));
        }
        if [store::ROOT_ROLE, store::POSTGRES_ROLE].contains(&role.id) {
            return Err(Error::new(
                SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop role {name} because it is required by the database system"),
            ));
        }
        writer.remove(role.id.0).await?;
    }
    Ok(())
}

/// ALTER ROLE.
pub async fn alter_role(
    writer: &mut Writer<'_, '_>,
    name: &str,
    password: Option<&Option<String>>,
    login: Option<bool>,
    superuser: Option<bool>,
) -> Result<()> {
    refuse_password(password.and_then(Option::as_deref))?;
    let mut role = writer.view.role_named(name).ok_or_else(|| no_role(name))?.as_ref().clone();
    role.login = login.unwrap_or(role.login);
    role.superuser = superuser.unwrap_or(role.superuser);
    writer.put(Descriptor::Role(role)).await
}
