//! DDL: databases, schemas, indexes, sequences, roles, DROP, TRUNCATE, SPLIT AT; tables are in `create` and `alter`.

use super::scope::{ident, name_parts, name_span};
use super::{Binder, Bound};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{IndexId, Relation, SchemaId, SequenceOptions, Table, system};
use crate::sql::plan::Ddl;
use crate::sql::plan::ddl::NewIndex;
use crate::sql::types::{CastKind, Type};
use sqlparser::ast::{self, Spanned, Statement as S};
use sqlparser::tokenizer::Span;
use std::sync::Arc;

impl Binder<'_> {
    pub(super) fn ddl(&mut self, statement: &ast::Statement) -> Result<Bound> {
        let ddl = match statement {
            S::CreateTable(create) => return self.create_table(create),
            S::AlterTable(alter) => self.alter_table(alter)?,
            S::CreateIndex(create) => self.create_index(create)?,
            S::AlterIndex { name, operation: ast::AlterIndexOperation::RenameIndex { index_name } } => {
                self.rename_index(name, index_name)?
            }
            S::CreateDatabase { db_name, if_not_exists, .. } => self.create_database(db_name, *if_not_exists)?,
            S::CreateSchema { schema_name, if_not_exists, .. } => self.create_schema(schema_name, *if_not_exists)?,
            S::CreateSequence { temporary, if_not_exists, name, sequence_options } => {
                self.refuse(*temporary, "a temporary sequence", "Leave TEMPORARY out.", name_span(name))?;
                self.create_sequence(name, *if_not_exists, sequence_options)?
            }
            S::CreateRole(create) => self.create_role(create)?,
            S::AlterRole { name, operation: ast::AlterRoleOperation::WithOptions { options } } => {
                self.alter_role(name, options)?
            }
            S::Drop { object_type, if_exists, names, cascade, temporary, .. } => {
                let span = names.first().map_or(Span::empty(), name_span);
                self.refuse(*temporary, "DROP TEMPORARY", "Leave TEMPORARY out.", span)?;
                self.drop(*object_type, *if_exists, names, *cascade)?
            }
            S::Truncate(truncate) => self.truncate(truncate)?,
            S::CreateView(_) => {
                return Err(Error::unsupported("views are not supported", "Put the query into WITH or a subquery."));
            }
            S::CreateFunction(_) | S::CreateTrigger(_) | S::CreateProcedure { .. } => {
                let hint = "Functions and triggers run in the client.";
                return Err(Error::unsupported("functions, procedures and triggers are not supported", hint));
            }
            S::CreateType { .. } | S::CreateDomain(_) => {
                let hint = "Use text with a CHECK constraint instead of an enum or domain.";
                return Err(Error::unsupported("user-defined types are not supported", hint));
            }
            S::CreateExtension(_) => {
                return Err(Error::unsupported("extensions are not supported", "What they add is not available."));
            }
            _ => {
                let hint = "See the list of supported statements in the documentation.";
                return Err(Error::unsupported("this statement is not supported", hint));
            }
        };
        Ok(Bound::Ddl(Box::new(ddl), None))
    }

    /// Tells the client that something is left out.
    pub(super) fn skip(&mut self, notice: String) -> Ddl {
        self.notices.push(notice);
        Ddl::Nothing
    }

    /// The schema and bare name of an object to be made.
    pub(super) fn new_name(&self, name: &ast::ObjectName) -> Result<(SchemaId, String)> {
        let (schema, bare) = self.qualified(name)?;
        let span = name_span(name);
        let id = match &schema {
            Some(schema) => self.context.catalog.schema_named(self.context.path.database, schema),
            None => self.context.catalog.current_schema(self.context.path),
        };
        let Some(id) = id else {
            let message = match schema {
                Some(schema) => format!("schema \"{schema}\" does not exist"),
                None => "no schema has been selected to create in".to_string(),
            };
            return self.fail(SqlState::INVALID_SCHEMA_NAME, message, span);
        };
        if let Some(system) = system::schema_name(id) {
            let message = format!("permission denied to create \"{system}.{bare}\"");
            let error = Error::new(SqlState::INSUFFICIENT_PRIVILEGE, message);
            return Err(self.at(error.with_detail("System catalog modifications are currently disallowed."), span));
        }
        Ok((id, bare))
    }

    fn create_database(&mut self, name: &ast::ObjectName, if_not_exists: bool) -> Result<Ddl> {
        self.tag = "CREATE DATABASE";
        let bare = name_parts(name)?.pop().unwrap_or_default();
        if self.context.catalog.database_named(&bare).is_some() {
            let message = format!("database \"{bare}\" already exists");
            if if_not_exists {
                return Ok(self.skip(format!("{message}, skipping")));
            }
            return self.fail(SqlState::DUPLICATE_DATABASE, message, name_span(name));
        }
        Ok(Ddl::CreateDatabase { name: bare })
    }

    fn create_schema(&mut self, name: &ast::SchemaName, if_not_exists: bool) -> Result<Ddl> {
        self.tag = "CREATE SCHEMA";
        // Everything belongs to everyone in this release, so the owner has no effect beyond the name.
        let bare = match name {
            ast::SchemaName::Simple(name) | ast::SchemaName::NamedAuthorization(name, _) => {
                name_parts(name)?.pop().unwrap_or_default()
            }
            ast::SchemaName::UnnamedAuthorization(name) => ident(name),
        };
        let database = self.context.path.database;
        if self.context.catalog.schema_named(database, &bare).is_some() {
            let message = format!("schema \"{bare}\" already exists");
            if if_not_exists {
                return Ok(self.skip(format!("{message}, skipping")));
            }
            return Err(Error::new(SqlState::DUPLICATE_SCHEMA, message));
        }
        if bare.starts_with("pg_") {
            let error = Error::new(SqlState::RESERVED_NAME, format!("unacceptable schema name \"{bare}\""));
            return Err(error.with_detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        Ok(Ddl::CreateSchema { database, name: bare })
    }

    fn create_index(&mut self, create: &ast::CreateIndex) -> Result<Ddl> {
        self.tag = "CREATE INDEX";
        let span = name_span(&create.table_name);
        let hint = "Indexes are ordered, over plain columns, with all rows in them.";
        let is_btree = matches!(&create.using, None | Some(ast::IndexType::BTree));
        self.refuse(!is_btree, "this index method", hint, span)?;
        self.refuse(create.predicate.is_some(), "a partial index", hint, span)?;
        self.refuse(!create.include.is_empty(), "INCLUDE", "Add the columns to the key.", span)?;
        self.refuse(create.nulls_distinct == Some(false), "NULLS NOT DISTINCT", "Declare the columns NOT NULL.", span)?;
        let table = self.table_named(&create.table_name)?;
        let name = match &create.name {
            Some(name) => {
                let bare = name_parts(name)?.pop().unwrap_or_default();
                if self.context.catalog.relation_in(table.schema, &bare).is_some() {
                    let message = format!("relation \"{bare}\" already exists");
                    if create.if_not_exists {
                        return Ok(self.skip(format!("{message}, skipping")));
                    }
                    return self.fail(SqlState::DUPLICATE_TABLE, message, name_span(name));
                }
                Some(bare)
            }
            None => None,
        };
        let columns = self.key_columns(&table, &create.columns)?;
        let names: Vec<&str> =
            columns.iter().filter_map(|key| table.column(key.column)).map(|column| column.name.as_str()).collect();
        let name =
            name.unwrap_or_else(|| self.free_name(&table, &format!("{}_{}_idx", table.name, names.join("_")), &[]));
        let index = NewIndex { name, columns, unique: create.unique, constraint: false };
        Ok(Ddl::CreateIndex { table, index })
    }

    fn index_named(&self, name: &ast::ObjectName) -> Result<Option<(Arc<Table>, IndexId)>> {
        match self.find_relation(name)? {
            Some(Relation::Index(table, index)) => Ok(Some((table, index))),
            Some(other) => {
                let message = format!("\"{}\" is not an index", other.name());
                self.fail(SqlState::WRONG_OBJECT_TYPE, message, name_span(name))
            }
            None => Ok(None),
        }
    }

    fn rename_index(&mut self, name: &ast::ObjectName, new: &ast::ObjectName) -> Result<Ddl> {
        self.tag = "ALTER INDEX";
        let Some((table, index)) = self.index_named(name)? else {
            let message = format!("relation \"{name}\" does not exist");
            return self.fail(SqlState::UNDEFINED_TABLE, message, name_span(name));
        };
        let bare = name_parts(new)?.pop().unwrap_or_default();
        self.refuse_taken(table.schema, &bare, name_span(new))?;
        Ok(Ddl::RenameIndex { table, index, name: bare })
    }

    pub(super) fn refuse_taken(&self, schema: SchemaId, name: &str, span: Span) -> Result<()> {
        match self.context.catalog.relation_in(schema, name) {
            None => Ok(()),
            Some(_) => self.fail(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"), span),
        }
    }

    fn create_sequence(
        &mut self,
        name: &ast::ObjectName,
        if_not_exists: bool,
        options: &[ast::SequenceOptions],
    ) -> Result<Ddl> {
        self.tag = "CREATE SEQUENCE";
        let (schema, bare) = self.new_name(name)?;
        if self.context.catalog.relation_in(schema, &bare).is_some() {
            let message = format!("relation \"{bare}\" already exists");
            if if_not_exists {
                return Ok(self.skip(format!("{message}, skipping")));
            }
            return self.fail(SqlState::DUPLICATE_TABLE, message, name_span(name));
        }
        let (options, owner) = self.sequence_options(options, Type::Int8)?;
        let owned_by = match owner {
            None => None,
            Some(owner) => Some(self.owner_column(&owner)?),
        };
        Ok(Ddl::CreateSequence { schema, name: bare, options, owned_by })
    }

    fn owner_column(
        &mut self,
        name: &ast::ObjectName,
    ) -> Result<(crate::sql::catalog::TableId, crate::sql::catalog::ColumnId)> {
        let mut parts = name.0.clone();
        let column = parts.pop();
        let table = self.table_named(&ast::ObjectName(parts))?;
        let Some(ast::ObjectNamePart::Identifier(column)) = column else {
            return self.fail(SqlState::SYNTAX_ERROR, "invalid OWNED BY option".into(), name_span(name));
        };
        let place = self.target_column(&table, &ident(&column), column.span)?;
        Ok((table.id, table.columns[place].id))
    }

    /// The options of a sequence, checked; and the name after OWNED BY.
    pub(super) fn sequence_options(
        &mut self,
        list: &[ast::SequenceOptions],
        default_type: Type,
    ) -> Result<(SequenceOptions, Option<ast::ObjectName>)> {
        use ast::SequenceOptions as O;
        let mut ty = default_type;
        let (mut increment, mut min, mut max, mut start, mut cache, mut cycle) = (1, None, None, None, 1, false);
        let mut owner = None;
        for option in list {
            match option {
                O::DataType(data_type) => ty = self.data_type(data_type)?,
                O::IncrementBy(value, _) => increment = self.integer(value)?,
                O::MinValue(Some(value)) => min = Some(self.integer(value)?),
                O::MaxValue(Some(value)) => max = Some(self.integer(value)?),
                O::MinValue(None) | O::MaxValue(None) => {}
                O::StartWith(value, _) => start = Some(self.integer(value)?),
                O::Cache(value) => cache = self.integer(value)?,
                O::Cycle(no) => cycle = !no,
                O::OwnedBy(name) => owner = name.clone(),
            }
        }
        let wrong = |message: String| Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message));
        if !ty.is_integer() {
            return wrong("sequence type must be smallint, integer, or bigint".into());
        }
        if increment == 0 {
            return wrong("INCREMENT must not be zero".into());
        }
        let whole = SequenceOptions::ascending(ty.clone());
        let lowest = match ty {
            Type::Int2 => i64::from(i16::MIN),
            Type::Int4 => i64::from(i32::MIN),
            _ => i64::MIN,
        };
        let (least, most) = if increment > 0 { (1, whole.max) } else { (lowest, -1) };
        let (min, max) = (min.unwrap_or(least), max.unwrap_or(most));
        if min >= max {
            return wrong(format!("MINVALUE ({min}) must be less than MAXVALUE ({max})"));
        }
        let start = start.unwrap_or(if increment > 0 { min } else { max });
        if start < min {
            return wrong(format!("START value ({start}) cannot be less than MINVALUE ({min})"));
        }
        if start > max {
            return wrong(format!("START value ({start}) cannot be greater than MAXVALUE ({max})"));
        }
        if cache <= 0 {
            return wrong(format!("CACHE ({cache}) must be greater than zero"));
        }
        Ok((SequenceOptions { ty, start, increment, min, max, cache, cycle }, owner))
    }

    fn integer(&mut self, expr: &ast::Expr) -> Result<i64> {
        let bound = self.expr_without_columns(expr, "sequence options")?;
        let bound = self.coerce(bound, &Type::Int8, CastKind::Assignment, expr.span())?;
        match bound.as_literal().and_then(|value| value.as_i64()) {
            Some(value) => Ok(value),
            None => self.fail(SqlState::SYNTAX_ERROR, "an integer constant is expected".into(), expr.span()),
        }
    }

    fn create_role(&mut self, create: &ast::CreateRole) -> Result<Ddl> {
        self.tag = "CREATE ROLE";
        let [name] = create.names.as_slice() else {
            return Err(Error::unsupported("creating several roles at once is not supported", "Create one at a time."));
        };
        let span = name_span(name);
        let groups = !create.in_role.is_empty()
            || !create.in_group.is_empty()
            || !create.role.is_empty()
            || !create.user.is_empty()
            || !create.admin.is_empty()
            || create.connection_limit.is_some()
            || create.valid_until.is_some();
        self.refuse(groups, "this option of CREATE ROLE", "Use LOGIN, SUPERUSER and PASSWORD.", span)?;
        let bare = name_parts(name)?.pop().unwrap_or_default();
        if self.context.catalog.role_named(&bare).is_some() {
            let message = format!("role \"{bare}\" already exists");
            if create.if_not_exists {
                return Ok(self.skip(format!("{message}, skipping")));
            }
            return self.fail(SqlState::DUPLICATE_OBJECT, message, span);
        }
        let password = match &create.password {
            None => None,
            Some(password) => self.password(password)?,
        };
        Ok(Ddl::CreateRole {
            name: bare,
            login: create.login.unwrap_or(false),
            superuser: create.superuser.unwrap_or(false),
            password,
        })
    }

    fn password(&mut self, password: &ast::Password) -> Result<Option<String>> {
        match password {
            ast::Password::NullPassword => Ok(None),
            ast::Password::Password(expr) => {
                let bound = self.expr_without_columns(expr, "PASSWORD")?;
                match bound.as_literal().and_then(|value| value.as_str()) {
                    Some(text) => Ok(Some(text.to_string())),
                    None => self.fail(SqlState::SYNTAX_ERROR, "PASSWORD takes a string".into(), expr.span()),
                }
            }
        }
    }

    fn alter_role(&mut self, name: &ast::Ident, options: &[ast::RoleOption]) -> Result<Ddl> {
        self.tag = "ALTER ROLE";
        let bare = ident(name);
        if self.context.catalog.role_named(&bare).is_none() {
            return self.fail(SqlState::UNDEFINED_OBJECT, format!("role \"{bare}\" does not exist"), name.span);
        }
        let (mut password, mut login, mut superuser) = (None, None, None);
        for option in options {
            match option {
                ast::RoleOption::Password(given) => password = Some(self.password(given)?),
                ast::RoleOption::Login(on) => login = Some(*on),
                ast::RoleOption::SuperUser(on) => superuser = Some(*on),
                _ => self.refuse(true, "this option of ALTER ROLE", "Use LOGIN, SUPERUSER and PASSWORD.", name.span)?,
            }
        }
        Ok(Ddl::AlterRole { name: bare, password, login, superuser })
    }

    fn drop(
        &mut self,
        kind: ast::ObjectType,
        if_exists: bool,
        names: &[ast::ObjectName],
        cascade: bool,
    ) -> Result<Ddl> {
        match kind {
            ast::ObjectType::Table => {
                self.tag = "DROP TABLE";
                let tables =
                    self.each(names, if_exists, "table", |binder, name| match binder.find_relation(name)? {
                        Some(Relation::Table(table)) => Ok(Some(table)),
                        Some(other) => binder.not_a("table", &other, name),
                        None => Ok(None),
                    })?;
                Ok(if tables.is_empty() { Ddl::Nothing } else { Ddl::DropTables { tables, cascade } })
            }
            ast::ObjectType::Index => {
                self.tag = "DROP INDEX";
                let indexes = self.each(names, if_exists, "index", |binder, name| binder.index_named(name))?;
                for (table, id) in &indexes {
                    self.refuse_constraint_index(table, *id)?;
                }
                Ok(if indexes.is_empty() { Ddl::Nothing } else { Ddl::DropIndexes { indexes, cascade } })
            }
            ast::ObjectType::Sequence => {
                self.tag = "DROP SEQUENCE";
                let sequences =
                    self.each(names, if_exists, "sequence", |binder, name| match binder.find_relation(name)? {
                        Some(Relation::Sequence(sequence)) => Ok(Some(sequence)),
                        Some(other) => binder.not_a("sequence", &other, name),
                        None => Ok(None),
                    })?;
                Ok(if sequences.is_empty() { Ddl::Nothing } else { Ddl::DropSequences { sequences, cascade } })
            }
            ast::ObjectType::Schema => self.drop_schemas(if_exists, names, cascade),
            ast::ObjectType::Database => self.drop_database(if_exists, names),
            ast::ObjectType::Role | ast::ObjectType::User => {
                self.tag = "DROP ROLE";
                let names = self.each(names, if_exists, "role", |binder, name| {
                    let bare = name_parts(name)?.pop().unwrap_or_default();
                    Ok(binder.context.catalog.role_named(&bare).map(|role| role.name.clone()))
                })?;
                Ok(if names.is_empty() { Ddl::Nothing } else { Ddl::DropRoles { names } })
            }
            ast::ObjectType::View | ast::ObjectType::MaterializedView => {
                self.tag = "DROP VIEW";
                self.each(names, if_exists, "view", |binder, name| match binder.find_relation(name)? {
                    Some(other) => binder.not_a("view", &other, name),
                    None => Ok(None::<()>),
                })?;
                Ok(Ddl::Nothing)
            }
            _ => Err(Error::unsupported("dropping this kind of object is not supported", "There are none of it.")),
        }
    }

    fn not_a<T>(&self, kind: &str, found: &Relation, name: &ast::ObjectName) -> Result<T> {
        let message = format!("\"{}\" is not a {kind}", found.name());
        let hint = format!("Use DROP {} to remove a {}.", found.kind().to_uppercase(), found.kind());
        Err(self.at(Error::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint(hint), name_span(name)))
    }

    /// Finds each name; what is missing is an error, or a notice with IF EXISTS.
    fn each<T>(
        &mut self,
        names: &[ast::ObjectName],
        if_exists: bool,
        kind: &str,
        mut find: impl FnMut(&mut Self, &ast::ObjectName) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            if let Some(object) = find(self, name)? {
                found.push(object);
                continue;
            }
            let message = format!("{kind} \"{}\" does not exist", name_parts(name)?.join("."));
            if if_exists {
                self.notices.push(format!("{message}, skipping"));
                continue;
            }
            let state = match kind {
                "table" | "sequence" | "view" => SqlState::UNDEFINED_TABLE,
                "schema" => SqlState::INVALID_SCHEMA_NAME,
                "database" => SqlState::INVALID_CATALOG_NAME,
                _ => SqlState::UNDEFINED_OBJECT,
            };
            return self.fail(state, message, name_span(name));
        }
        Ok(found)
    }

    fn refuse_constraint_index(&self, table: &Table, id: IndexId) -> Result<()> {
        let Some(index) = table.index(id).filter(|index| index.constraint) else { return Ok(()) };
        let (name, owner) = (&index.name, &table.name);
        let message = format!("cannot drop index {name} because constraint {name} on table {owner} requires it");
        let hint = format!("You can drop constraint {name} on table {owner} instead.");
        Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message).with_hint(hint))
    }

    fn drop_schemas(&mut self, if_exists: bool, names: &[ast::ObjectName], cascade: bool) -> Result<Ddl> {
        self.tag = "DROP SCHEMA";
        let database = self.context.path.database;
        let schemas = self.each(names, if_exists, "schema", |binder, name| {
            let bare = name_parts(name)?.pop().unwrap_or_default();
            if system::schema_id(&bare).is_some() {
                let message = format!("cannot drop schema {bare} because it is required by the database system");
                return binder.fail(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message, name_span(name));
            }
            let id = binder.context.catalog.schema_named(database, &bare);
            Ok(id.and_then(|id| binder.context.catalog.schema(id).cloned()))
        })?;
        Ok(if schemas.is_empty() { Ddl::Nothing } else { Ddl::DropSchemas { schemas, cascade } })
    }

    fn drop_database(&mut self, if_exists: bool, names: &[ast::ObjectName]) -> Result<Ddl> {
        self.tag = "DROP DATABASE";
        let mut found = self.each(names, if_exists, "database", |binder, name| {
            let bare = name_parts(name)?.pop().unwrap_or_default();
            Ok(binder.context.catalog.database_named(&bare).cloned())
        })?;
        let Some(database) = found.pop() else { return Ok(Ddl::Nothing) };
        if database.id == self.context.path.database {
            return Err(Error::new(SqlState::OBJECT_IN_USE, "cannot drop the currently open database"));
        }
        Ok(Ddl::DropDatabase { database })
    }

    fn truncate(&mut self, truncate: &ast::Truncate) -> Result<Ddl> {
        self.tag = "TRUNCATE TABLE";
        let mut tables: Vec<Arc<Table>> = Vec::with_capacity(truncate.table_names.len());
        for target in &truncate.table_names {
            let table = self.table_named(&target.name)?;
            if tables.iter().all(|known| known.id != table.id) {
                tables.push(table);
            }
        }
        let span = truncate.table_names.first().map_or(Span::empty(), |target| name_span(&target.name));
        self.refuse(
            truncate.partitions.is_some() || truncate.if_exists,
            "this clause of TRUNCATE",
            "Leave it out.",
            span,
        )?;
        let cascade = matches!(truncate.cascade, Some(ast::CascadeOption::Cascade));
        if !cascade {
            self.refuse_referenced(&tables)?;
        }
        let restart_identity = matches!(truncate.identity, Some(ast::TruncateIdentityOption::Restart));
        Ok(Ddl::Truncate { tables, restart_identity, cascade })
    }

    fn refuse_referenced(&self, tables: &[Arc<Table>]) -> Result<()> {
        for table in tables {
            let outside = table.referenced_by.iter().find(|reference| tables.iter().all(|t| t.id != reference.child));
            let Some(child) = outside.and_then(|reference| self.context.catalog.table(reference.child)) else {
                continue;
            };
            let message = "cannot truncate a table referenced in a foreign key constraint";
            let detail = format!("Table \"{}\" references \"{}\".", child.name, table.name);
            let hint = format!("Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.", child.name);
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_detail(detail).with_hint(hint));
        }
        Ok(())
    }

    /// ALTER TABLE t SPLIT AT VALUES: keys of the primary index, or the first columns of them.
    pub(super) fn split_at(&mut self, name: &ast::ObjectName, rows: &[Vec<ast::Expr>]) -> Result<Bound> {
        self.tag = "ALTER TABLE";
        let table = self.table_named(name)?;
        let types: Vec<Type> = table
            .primary
            .columns
            .iter()
            .filter_map(|key| table.column(key.column))
            .map(|column| column.ty.clone())
            .collect();
        let mut bound = Vec::with_capacity(rows.len());
        for row in rows {
            if row.len() > types.len() {
                let message = format!("SPLIT AT takes at most {} values for table \"{}\"", types.len(), table.name);
                return self.fail(SqlState::SYNTAX_ERROR, message, name_span(name));
            }
            let mut values = Vec::with_capacity(row.len());
            for (value, ty) in row.iter().zip(&types) {
                let expr = self.expr_without_columns(value, "SPLIT AT")?;
                values.push(self.assign(expr, ty, value)?);
            }
            bound.push(values);
        }
        let index = table.primary.id;
        Ok(Bound::Ddl(Box::new(Ddl::SplitAt { table, index, rows: bound }), None))
    }
}
