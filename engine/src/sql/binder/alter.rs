//! ALTER TABLE.

use super::Binder;
use super::scope::{ident, name_parts, name_span};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::Table;
use crate::sql::plan::ddl::AlterAction;
use crate::sql::plan::{Ddl, Expr};
use crate::sql::types::{CastKind, Type, can_cast};
use sqlparser::ast::{self, AlterTableOperation as Op, Spanned};

impl Binder<'_> {
    pub(super) fn alter_table(&mut self, alter: &ast::AlterTable) -> Result<Ddl> {
        self.tag = "ALTER TABLE";
        let table = match self.find_relation(&alter.name)? {
            None if alter.if_exists => {
                let name = name_parts(&alter.name)?.join(".");
                return Ok(self.skip(format!("relation \"{name}\" does not exist, skipping")));
            }
            _ => self.table_named(&alter.name)?,
        };
        let mut actions = Vec::with_capacity(alter.operations.len());
        let mut taken = Vec::new();
        // Later actions see the columns that earlier ones add.
        let mut seen = Table::clone(&table);
        for operation in &alter.operations {
            if let Some(action) = self.action(&seen, operation, &mut taken)? {
                if let AlterAction::AddColumn { column, .. } = &action {
                    seen.columns.push(column.clone());
                }
                actions.push(action);
            }
        }
        Ok(if actions.is_empty() { Ddl::Nothing } else { Ddl::AlterTable { table, actions } })
    }

    fn action(&mut self, table: &Table, operation: &Op, taken: &mut Vec<String>) -> Result<Option<AlterAction>> {
        let action = match operation {
            Op::AddConstraint { constraint, not_valid } => self.add_constraint(table, constraint, *not_valid, taken)?,
            Op::AddColumn { if_not_exists, column_def, .. } => {
                return self.add_column(table, column_def, *if_not_exists, taken);
            }
            Op::DropColumn { column_names, if_exists, drop_behavior, .. } => {
                let [name] = column_names.as_slice() else {
                    return Err(Error::unsupported(
                        "dropping several columns at once is not supported",
                        "Repeat DROP COLUMN.",
                    ));
                };
                if *if_exists && table.place_of_name(&ident(name)).is_none() {
                    let message = format!("column \"{}\" of relation \"{}\" does not exist", ident(name), table.name);
                    self.notices.push(format!("{message}, skipping"));
                    return Ok(None);
                }
                let column = self.altered(table, name)?;
                AlterAction::DropColumn { column: table.columns[column].id, cascade: is_cascade(drop_behavior) }
            }
            Op::DropConstraint { if_exists, name, drop_behavior } => {
                let wanted = ident(name);
                if !has_constraint(table, &wanted) {
                    let message = format!("constraint \"{wanted}\" of relation \"{}\" does not exist", table.name);
                    if *if_exists {
                        self.notices.push(format!("{message}, skipping"));
                        return Ok(None);
                    }
                    return self.fail(SqlState::UNDEFINED_OBJECT, message, name.span);
                }
                AlterAction::DropConstraint { name: wanted, cascade: is_cascade(drop_behavior) }
            }
            Op::AlterColumn { column_name, op } => self.alter_column(table, column_name, op)?,
            Op::RenameColumn { old_column_name, new_column_name } => {
                let place = self.altered(table, old_column_name)?;
                let name = ident(new_column_name);
                if table.columns.iter().any(|column| column.name == name) {
                    let message = format!("column \"{name}\" of relation \"{}\" already exists", table.name);
                    return self.fail(SqlState::DUPLICATE_COLUMN, message, new_column_name.span);
                }
                AlterAction::RenameColumn { column: table.columns[place].id, name }
            }
            Op::RenameConstraint { old_name, new_name } => {
                let (from, to) = (ident(old_name), ident(new_name));
                if !has_constraint(table, &from) {
                    let message = format!("constraint \"{from}\" for table \"{}\" does not exist", table.name);
                    return self.fail(SqlState::UNDEFINED_OBJECT, message, old_name.span);
                }
                AlterAction::RenameConstraint { from, to }
            }
            Op::RenameTable { table_name: ast::RenameTableNameKind::To(name) | ast::RenameTableNameKind::As(name) } => {
                let bare = name_parts(name)?.pop().unwrap_or_default();
                self.refuse_taken(table.schema, &bare, name_span(name))?;
                AlterAction::RenameTable { name: bare }
            }
            // Storage parameters are hints that mean nothing here; everything belongs to everyone.
            Op::OwnerTo { .. } => return Ok(None),
            other => {
                let hint =
                    "Supported are ADD, DROP, ALTER and RENAME of columns and constraints, RENAME TO and SPLIT AT.";
                return Err(
                    self.at(Error::unsupported("this action of ALTER TABLE is not supported", hint), other.span())
                );
            }
        };
        Ok(Some(action))
    }

    fn add_constraint(
        &mut self,
        table: &Table,
        constraint: &ast::TableConstraint,
        not_valid: bool,
        taken: &mut Vec<String>,
    ) -> Result<AlterAction> {
        match constraint {
            ast::TableConstraint::PrimaryKey(key) => {
                if table.has_primary_key() {
                    let message = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
                    return self.fail(SqlState::INVALID_TABLE_DEFINITION, message, constraint.span());
                }
                self.refuse_deferred(key.characteristics.as_ref())?;
                let key = self.new_key(table, key.name.as_ref(), &key.columns, true, taken)?;
                self.refuse_used_name(table, &key.name, constraint)?;
                Ok(AlterAction::AddPrimaryKey(key))
            }
            ast::TableConstraint::Unique(key) => {
                self.refuse_deferred(key.characteristics.as_ref())?;
                let key = self.new_key(table, key.name.as_ref(), &key.columns, false, taken)?;
                self.refuse_used_name(table, &key.name, constraint)?;
                Ok(AlterAction::AddUnique(key))
            }
            ast::TableConstraint::Check(check) => {
                let check = self.new_check(table, check.name.as_ref(), &check.expr, taken)?;
                self.refuse_used_name(table, &check.name, constraint)?;
                Ok(AlterAction::AddCheck { check, not_valid })
            }
            ast::TableConstraint::ForeignKey(key) => {
                let columns = self.named_columns(table, &key.columns)?;
                let key = self.new_foreign_key(table, key, columns, None, taken)?;
                self.refuse_used_name(table, &key.name, constraint)?;
                Ok(AlterAction::AddForeignKey { key, not_valid })
            }
            other => {
                let hint = "Use PRIMARY KEY, UNIQUE, CHECK and FOREIGN KEY.";
                Err(self.at(Error::unsupported("this constraint is not supported", hint), other.span()))
            }
        }
    }

    fn refuse_used_name(&self, table: &Table, name: &str, constraint: &ast::TableConstraint) -> Result<()> {
        if has_constraint(table, name) {
            let message = format!("constraint \"{name}\" for relation \"{}\" already exists", table.name);
            return self.fail(SqlState::DUPLICATE_OBJECT, message, constraint.span());
        }
        if let ast::TableConstraint::PrimaryKey(_) | ast::TableConstraint::Unique(_) = constraint {
            self.refuse_taken(table.schema, name, constraint.span())?;
        }
        Ok(())
    }

    fn add_column(
        &mut self,
        table: &Table,
        definition: &ast::ColumnDef,
        if_not_exists: bool,
        taken: &mut Vec<String>,
    ) -> Result<Option<AlterAction>> {
        let name = ident(&definition.name);
        if table.place_of_name(&name).is_some() {
            let message = format!("column \"{name}\" of relation \"{}\" already exists", table.name);
            if if_not_exists {
                self.notices.push(format!("{message}, skipping"));
                return Ok(None);
            }
            return self.fail(SqlState::DUPLICATE_COLUMN, message, definition.name.span);
        }
        let constrained = definition.options.iter().any(|option| {
            use ast::ColumnOption as O;
            matches!(option.option, O::PrimaryKey(_) | O::Unique(_) | O::Check(_) | O::ForeignKey(_))
        });
        let hint = "Add the column first, then the constraint.";
        self.refuse(constrained, "a constraint in ADD COLUMN", hint, definition.name.span)?;
        let (column, serial) = self.column(table, definition, taken)?;
        let fill = match &column.default {
            Some(_) => Some(self.default_of(&column)?),
            None => None,
        };
        Ok(Some(AlterAction::AddColumn { column, serial, fill }))
    }

    fn altered(&self, table: &Table, name: &ast::Ident) -> Result<usize> {
        self.target_column(table, &ident(name), name.span)
    }

    fn alter_column(
        &mut self,
        table: &Table,
        name: &ast::Ident,
        op: &ast::AlterColumnOperation,
    ) -> Result<AlterAction> {
        use ast::AlterColumnOperation as A;
        let place = self.altered(table, name)?;
        let column = &table.columns[place];
        match op {
            A::SetNotNull => Ok(AlterAction::SetNullable { column: column.id, nullable: false }),
            A::DropNotNull => {
                if table.primary.columns.iter().any(|key| key.column == column.id) {
                    let message = format!("column \"{}\" is in a primary key", column.name);
                    return self.fail(SqlState::INVALID_TABLE_DEFINITION, message, name.span);
                }
                Ok(AlterAction::SetNullable { column: column.id, nullable: true })
            }
            A::SetDefault { value } => {
                self.check_default(column, value)?;
                Ok(AlterAction::SetDefault { column: column.id, default: Some(value.to_string()) })
            }
            A::DropDefault => Ok(AlterAction::SetDefault { column: column.id, default: None }),
            A::SetDataType { data_type, using, .. } => {
                let ty = self.data_type(data_type)?;
                let convert = self.conversion(table, place, &ty, using.as_ref(), name)?;
                Ok(AlterAction::SetType { column: column.id, ty, convert })
            }
            _ => {
                let hint = "Supported are SET and DROP of NOT NULL and DEFAULT, and TYPE.";
                Err(self.at(Error::unsupported("this action of ALTER COLUMN is not supported", hint), name.span))
            }
        }
    }

    /// How stored values become values of the new type; `None` if they stay as they are.
    fn conversion(
        &mut self,
        table: &Table,
        place: usize,
        ty: &Type,
        using: Option<&ast::Expr>,
        name: &ast::Ident,
    ) -> Result<Option<Expr>> {
        let column = &table.columns[place];
        if let Some(using) = using {
            let bound = self.row_expr(table, using, "transform expressions")?;
            return self.assign_named(bound, ty, Some(&column.name), using.span()).map(Some);
        }
        if *ty == column.ty || is_wider(&column.ty, ty) {
            return Ok(None);
        }
        if !column.ty.same_base(ty) && !can_cast(&column.ty, ty, CastKind::Assignment) {
            let message = format!("column \"{}\" cannot be cast automatically to type {}", column.name, ty.sql_name());
            let hint = format!("You might need to specify \"USING {}::{}\".", column.name, ty);
            let error = Error::new(SqlState::DATATYPE_MISMATCH, message).with_hint(hint);
            return Err(self.at(error, name.span));
        }
        let value = Expr::column(place, column.ty.clone());
        self.coerce(value, ty, CastKind::Assignment, name.span).map(Some)
    }
}

/// Whether every stored value of `from` is one of `to`, in the same bytes.
fn is_wider(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Varchar(_), Type::Text | Type::Varchar(None)) | (Type::Text, Type::Varchar(None)) => true,
        (Type::Varchar(Some(from)), Type::Varchar(Some(to))) => from <= to,
        (Type::Numeric(_), Type::Numeric(None)) => true,
        _ => false,
    }
}

fn is_cascade(behavior: &Option<ast::DropBehavior>) -> bool {
    matches!(behavior, Some(ast::DropBehavior::Cascade))
}

/// Whether a table has a constraint of this name.
fn has_constraint(table: &Table, name: &str) -> bool {
    table.all_indexes().any(|index| index.constraint && index.name == name)
        || table.checks.iter().any(|check| check.name == name)
        || table.foreign_keys.iter().any(|key| key.name == name)
}
