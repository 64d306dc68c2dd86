//! CREATE TABLE: columns, keys, checks, foreign keys, serial columns; CREATE TABLE AS.
//!
//! Constraints refer to the table's own columns before the table exists, so a descriptor in the making is bound
//! against; its ids are given by the executor.

use super::scope::{ident, name_span};
use super::{Binder, Bound, data_type};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{Column, ColumnId, Identity, Index, SequenceOptions, Table, TableId};
use crate::sql::optimizer::logical::Query;
use crate::sql::plan::Ddl;
use crate::sql::plan::ddl::{CreateTable, NewIndex};
use crate::sql::types::{CastKind, Type, can_cast};
use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;

/// A sequence to be made for a column: name and options.
pub(super) type Serial = (String, SequenceOptions);

impl Binder<'_> {
    pub(super) fn create_table(&mut self, create: &ast::CreateTable) -> Result<Bound> {
        self.tag = "CREATE TABLE";
        let span = name_span(&create.name);
        self.refuse_create(create)?;
        let (schema, name) = self.new_name(&create.name)?;
        if self.context.catalog.relation_in(schema, &name).is_some() {
            let message = format!("relation \"{name}\" already exists");
            if create.if_not_exists {
                return Ok(Bound::Ddl(Box::new(self.skip(format!("{message}, skipping"))), None));
            }
            return self.fail(SqlState::DUPLICATE_TABLE, message, span);
        }
        let mut table = empty_table(schema, name);
        if let Some(query) = &create.query {
            return self.create_as(table, create, query);
        }
        let mut taken = vec![table.name.clone()];
        let mut serials = Vec::new();
        for definition in &create.columns {
            let (column, serial) = self.column(&table, definition, &mut taken)?;
            if let Some((name, options)) = serial {
                serials.push((table.columns.len(), name, options));
            }
            table.columns.push(column);
        }
        let mut made = CreateTable {
            schema,
            name: table.name.clone(),
            columns: Vec::new(),
            primary_key: None,
            unique: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            serials,
            source: None,
        };
        self.keys_of_table(&mut table, create, &mut made, &mut taken)?;
        self.other_constraints(&table, create, &mut made, &mut taken)?;
        made.columns = table.columns;
        Ok(Bound::Ddl(Box::new(Ddl::CreateTable(Box::new(made))), None))
    }

    fn refuse_create(&self, create: &ast::CreateTable) -> Result<()> {
        let span = name_span(&create.name);
        self.refuse(create.temporary, "a temporary table", "Create a table and drop it.", span)?;
        self.refuse(create.inherits.is_some(), "INHERITS", "Use one table per kind of row.", span)?;
        let partitioned = create.partition_by.is_some() || create.partition_of.is_some();
        self.refuse(partitioned, "PARTITION BY", "Tables are split into ranges by themselves.", span)?;
        self.refuse(create.like.is_some(), "LIKE", "Write the columns, or use CREATE TABLE ... AS.", span)?;
        let foreign = create.or_replace
            || create.external
            || create.clone.is_some()
            || create.on_commit.is_some()
            || create.order_by.is_some()
            || create.cluster_by.is_some()
            || create.clustered_by.is_some()
            || create.primary_key.is_some()
            || create.comment.is_some()
            || create.location.is_some();
        self.refuse(foreign, "this clause of CREATE TABLE", "It is not part of PostgreSQL's CREATE TABLE.", span)?;
        match &create.table_options {
            ast::CreateTableOptions::None => Ok(()),
            ast::CreateTableOptions::With(options) => options.iter().try_for_each(|option| self.storage_option(option)),
            _ => self.refuse(true, "this kind of table options", "Use WITH (fillfactor = n).", span),
        }
    }

    /// Storage hints of PostgreSQL's that mean nothing here are accepted, so that its tools run.
    fn storage_option(&self, option: &ast::SqlOption) -> Result<()> {
        let name = match option {
            ast::SqlOption::KeyValue { key, .. } => key.to_string().to_lowercase(),
            ast::SqlOption::Ident(name) => name.to_string().to_lowercase(),
            other => other.to_string(),
        };
        match name.as_str() {
            "fillfactor" | "oids" => Ok(()),
            name if name.starts_with("autovacuum_") || name.starts_with("toast") => Ok(()),
            _ => Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized parameter \"{name}\""))),
        }
    }

    /// One column with its type, default and NOT NULL; keys and checks of it are looked at later.
    pub(super) fn column(
        &mut self,
        table: &Table,
        definition: &ast::ColumnDef,
        taken: &mut Vec<String>,
    ) -> Result<(Column, Option<Serial>)> {
        let name = ident(&definition.name);
        let span = definition.name.span;
        if table.columns.iter().any(|column| column.name == name) {
            let message = format!("column \"{name}\" specified more than once");
            return self.fail(SqlState::DUPLICATE_COLUMN, message, span);
        }
        let serial = data_type::serial(&definition.data_type);
        let ty = match &serial {
            Some(ty) => ty.clone(),
            None => {
                self.data_type(&definition.data_type).map_err(|error| self.at(error, definition.data_type_span()))?
            }
        };
        if matches!(ty, Type::Unknown | Type::Record | Type::Void) {
            let message = format!("column \"{name}\" has pseudo-type {}", ty.sql_name());
            return self.fail(SqlState::INVALID_TABLE_DEFINITION, message, span);
        }
        let mut column = Column {
            id: ColumnId(table.columns.len() as u32 + 1),
            name,
            ty,
            nullable: serial.is_none(),
            default: None,
            identity: None,
            hidden: false,
        };
        let mut sequence = serial.map(SequenceOptions::ascending);
        for option in &definition.options {
            self.column_option(&mut column, &mut sequence, &option.option, span)?;
        }
        let sequence = sequence.map(|options| {
            let base = format!("{}_{}_seq", table.name, column.name);
            let name = self.free_name(table, &base, taken);
            taken.push(name.clone());
            (name, options)
        });
        if sequence.is_some() {
            column.nullable = false;
        }
        Ok((column, sequence))
    }

    fn column_option(
        &mut self,
        column: &mut Column,
        sequence: &mut Option<SequenceOptions>,
        option: &ast::ColumnOption,
        span: Span,
    ) -> Result<()> {
        use ast::ColumnOption as O;
        match option {
            O::Null => column.nullable = true,
            O::NotNull => column.nullable = false,
            O::PrimaryKey(_) => column.nullable = false,
            O::Default(expr) => {
                self.check_default(column, expr)?;
                column.default = Some(expr.to_string());
            }
            O::Generated { generated_as, sequence_options, generation_expr: None, .. } => {
                column.identity = Some(match generated_as {
                    ast::GeneratedAs::Always => Identity::Always,
                    _ => Identity::ByDefault,
                });
                let (options, _) =
                    self.sequence_options(sequence_options.as_deref().unwrap_or(&[]), column.ty.clone())?;
                *sequence = Some(options);
            }
            O::Generated { .. } => {
                self.refuse(true, "a generated column", "Compute the value in the query.", span)?;
            }
            O::Unique(_) | O::Check(_) | O::ForeignKey(_) => {}
            O::Collation(name) => {
                let bare = super::scope::name_parts(name)?.pop().unwrap_or_default();
                let bytewise = matches!(bare.as_str(), "C" | "POSIX" | "default" | "ucs_basic");
                self.refuse(!bytewise, "this collation", "Strings are ordered by their bytes: use \"C\".", span)?;
            }
            _ => self.refuse(
                true,
                "this option of a column",
                "Use DEFAULT, NOT NULL, keys, CHECK and REFERENCES.",
                span,
            )?,
        }
        Ok(())
    }

    /// A default must fit its column, and may refer to no columns.
    pub(super) fn check_default(&mut self, column: &Column, expr: &ast::Expr) -> Result<()> {
        if let ast::Expr::Identifier(name) = expr
            && self.call_without_parentheses(&ident(name))?.is_none()
        {
            let message = "cannot use column reference in DEFAULT expression".to_string();
            return self.fail(SqlState::FEATURE_NOT_SUPPORTED, message, name.span);
        }
        let bound = self.expr_without_columns(expr, "DEFAULT expressions")?;
        let from = bound.ty().clone();
        if from != Type::Unknown && !from.same_base(&column.ty) && !can_cast(&from, &column.ty, CastKind::Assignment) {
            let message = format!(
                "column \"{}\" is of type {} but default expression is of type {}",
                column.name,
                column.ty.sql_name(),
                from.sql_name()
            );
            let error = Error::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression.");
            return Err(self.at(error, expr.span()));
        }
        self.assign_named(bound, &column.ty, Some(&column.name), expr.span())?;
        if matches!(expr, ast::Expr::Subquery(_)) {
            let message = "cannot use subquery in DEFAULT expression".to_string();
            return self.fail(SqlState::FEATURE_NOT_SUPPORTED, message, expr.span());
        }
        Ok(())
    }

    /// PRIMARY KEY and UNIQUE, of columns and of the table.
    fn keys_of_table(
        &mut self,
        table: &mut Table,
        create: &ast::CreateTable,
        made: &mut CreateTable,
        taken: &mut Vec<String>,
    ) -> Result<()> {
        for definition in &create.columns {
            for option in &definition.options {
                let own = [plain_key(&definition.name)];
                match &option.option {
                    ast::ColumnOption::PrimaryKey(_) => {
                        let key = self.new_key(table, option.name.as_ref(), &own, true, taken)?;
                        self.set_primary_key(table, made, key, definition.name.span)?;
                    }
                    ast::ColumnOption::Unique(_) => {
                        made.unique.push(self.new_key(table, option.name.as_ref(), &own, false, taken)?);
                    }
                    _ => {}
                }
            }
        }
        for constraint in &create.constraints {
            match constraint {
                ast::TableConstraint::PrimaryKey(key) => {
                    self.refuse(!key.include.is_empty(), "INCLUDE", "Leave it out.", constraint.span())?;
                    self.refuse_deferred(key.characteristics.as_ref())?;
                    let key = self.new_key(table, key.name.as_ref(), &key.columns, true, taken)?;
                    self.set_primary_key(table, made, key, constraint.span())?;
                }
                ast::TableConstraint::Unique(key) => {
                    self.refuse(!key.include.is_empty(), "INCLUDE", "Leave it out.", constraint.span())?;
                    self.refuse_deferred(key.characteristics.as_ref())?;
                    made.unique.push(self.new_key(table, key.name.as_ref(), &key.columns, false, taken)?);
                }
                _ => {}
            }
        }
        // Foreign keys of the table to itself look for these.
        for key in &made.unique {
            table.indexes.push(index_of(key));
        }
        Ok(())
    }

    fn set_primary_key(&self, table: &mut Table, made: &mut CreateTable, key: NewIndex, span: Span) -> Result<()> {
        if made.primary_key.is_some() {
            let message = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
            return self.fail(SqlState::INVALID_TABLE_DEFINITION, message, span);
        }
        for column in &key.columns {
            if let Some(place) = table.place(column.column) {
                table.columns[place].nullable = false;
            }
        }
        table.primary = index_of(&key);
        made.primary_key = Some(key);
        Ok(())
    }

    /// CHECK and FOREIGN KEY, of columns and of the table.
    fn other_constraints(
        &mut self,
        table: &Table,
        create: &ast::CreateTable,
        made: &mut CreateTable,
        taken: &mut Vec<String>,
    ) -> Result<()> {
        for (place, definition) in create.columns.iter().enumerate() {
            for option in &definition.options {
                match &option.option {
                    ast::ColumnOption::Check(check) => {
                        let name = option.name.as_ref().or(check.name.as_ref());
                        made.checks.push(self.new_check(table, name, &check.expr, taken)?);
                    }
                    ast::ColumnOption::ForeignKey(key) => {
                        let mut key = key.clone();
                        key.name = key.name.or(option.name.clone());
                        let own = vec![table.columns[place].id];
                        let key = self.new_foreign_key(table, &key, own, made.primary_key.as_ref(), taken)?;
                        made.foreign_keys.push(key);
                    }
                    _ => {}
                }
            }
        }
        for constraint in &create.constraints {
            match constraint {
                ast::TableConstraint::Check(check) => {
                    made.checks.push(self.new_check(table, check.name.as_ref(), &check.expr, taken)?);
                }
                ast::TableConstraint::ForeignKey(key) => {
                    let columns = self.named_columns(table, &key.columns)?;
                    let key = self.new_foreign_key(table, key, columns, made.primary_key.as_ref(), taken)?;
                    made.foreign_keys.push(key);
                }
                ast::TableConstraint::PrimaryKey(_) | ast::TableConstraint::Unique(_) => {}
                other => {
                    let hint = "Use PRIMARY KEY, UNIQUE, CHECK and FOREIGN KEY.";
                    return Err(self.at(Error::unsupported("this constraint is not supported", hint), other.span()));
                }
            }
        }
        Ok(())
    }

    fn create_as(&mut self, mut table: Table, create: &ast::CreateTable, query: &ast::Query) -> Result<Bound> {
        self.tag = "SELECT";
        let (query, mut names): (Query, Vec<String>) = self.subquery(query)?;
        if create.columns.len() > names.len() {
            let message = "too many column names were specified".to_string();
            return self.fail(SqlState::SYNTAX_ERROR, message, name_span(&create.name));
        }
        for (name, renamed) in names.iter_mut().zip(&create.columns) {
            *name = ident(&renamed.name);
        }
        for (name, col) in names.into_iter().zip(&query.columns) {
            if table.columns.iter().any(|column| column.name == name) {
                let message = format!("column \"{name}\" specified more than once");
                return self.fail(SqlState::DUPLICATE_COLUMN, message, name_span(&create.name));
            }
            let id = ColumnId(table.columns.len() as u32 + 1);
            let ty = col.ty.clone();
            table.columns.push(Column { id, name, ty, nullable: true, default: None, identity: None, hidden: false });
        }
        let made = CreateTable {
            schema: table.schema,
            name: table.name,
            columns: table.columns,
            primary_key: None,
            unique: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            serials: Vec::new(),
            source: None,
        };
        Ok(Bound::Ddl(Box::new(Ddl::CreateTable(Box::new(made))), Some(query)))
    }
}

/// A key over one column, as the table form has it.
fn plain_key(name: &ast::Ident) -> ast::IndexColumn {
    ast::IndexColumn {
        column: ast::OrderByExpr {
            expr: ast::Expr::Identifier(name.clone()),
            options: ast::OrderByOptions { sort: None, nulls_first: None },
            with_fill: None,
        },
        operator_class: None,
    }
}

/// A descriptor in the making: ids are the executor's to give.
fn empty_table(schema: crate::sql::catalog::SchemaId, name: String) -> Table {
    Table {
        id: TableId(0),
        schema,
        name,
        columns: Vec::new(),
        next_column: 1,
        primary: Index {
            id: crate::sql::catalog::IndexId(0),
            name: String::new(),
            columns: Vec::new(),
            unique: true,
            constraint: true,
            ready: true,
        },
        indexes: Vec::new(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        referenced_by: Vec::new(),
    }
}

fn index_of(key: &NewIndex) -> Index {
    Index {
        id: crate::sql::catalog::IndexId(0),
        name: key.name.clone(),
        columns: key.columns.clone(),
        unique: key.unique,
        constraint: key.constraint,
        ready: true,
    }
}

trait DataTypeSpan {
    fn data_type_span(&self) -> Span;
}

impl DataTypeSpan for ast::ColumnDef {
    /// Types carry no place of their own: the column's name stands for it.
    fn data_type_span(&self) -> Span {
        self.name.span
    }
}
