//! Constraints: CHECK conditions and foreign keys, as DML checks them and as DDL declares them.

use super::Binder;
use super::conflict::slots;
use super::scope::{Level, Scope, ident, name_span};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{ColumnId, ForeignKeyRule, IndexColumn, Table};
use crate::sql::plan::Expr;
use crate::sql::plan::ddl::{NewCheck, NewForeignKey, NewIndex};
use crate::sql::plan::dml::{ForeignKeyAction, ForeignKeyCheck, TableCheck};
use sqlparser::ast::{self, Spanned};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use std::sync::Arc;

/// Reads an expression that the catalog keeps as text.
pub(super) fn parse_expr(text: &str) -> Result<ast::Expr> {
    let dialect = PostgreSqlDialect {};
    let parsed = Parser::new(&dialect).try_with_sql(text).and_then(|mut parser| parser.parse_expr());
    parsed.map_err(|error| {
        let message = format!("the catalog holds an expression that cannot be read: {text}");
        Error::new(SqlState::INTERNAL_ERROR, message).with_source(error)
    })
}

impl Binder<'_> {
    /// The CHECK constraints of a table over its rows.
    pub(super) fn checks(&mut self, table: &Table) -> Result<Vec<TableCheck>> {
        let mut checks = Vec::with_capacity(table.checks.len());
        for check in &table.checks {
            let tree = parse_expr(&check.expression)?;
            checks.push(TableCheck { name: check.name.clone(), condition: self.row_condition(table, &tree)? });
        }
        Ok(checks)
    }

    /// A condition over a row of a table, with places as slots.
    pub(super) fn row_condition(&mut self, table: &Table, tree: &ast::Expr) -> Result<Expr> {
        let mut bound = self.row_expr(table, tree, "check constraints")?;
        bound = self.condition(bound, "CHECK", tree.span())?;
        Ok(bound)
    }

    /// An expression over a row of a table, with places as slots.
    pub(super) fn row_expr(&mut self, table: &Table, tree: &ast::Expr, clause: &'static str) -> Result<Expr> {
        let row = self.row_scope(table, &table.name, None);
        let slots = slots(row.cols.iter());
        let outer = std::mem::take(&mut self.levels);
        self.levels.push(Level::with_scope(clause, Scope::of_table(row.table)));
        let bound = self.expr(tree);
        self.levels = outer;
        let mut bound = bound?;
        self.to_slots(&mut bound, &slots)?;
        Ok(bound)
    }

    /// The foreign keys of a table that new rows must satisfy; of an update, those with a changed column.
    pub(super) fn foreign_key_checks(&self, table: &Table, changed: Option<&[usize]>) -> Result<Vec<ForeignKeyCheck>> {
        let mut checks = Vec::new();
        for key in &table.foreign_keys {
            let places: Vec<usize> = key.columns.iter().filter_map(|column| table.place(*column)).collect();
            if changed.is_some_and(|changed| !places.iter().any(|place| changed.contains(place))) {
                continue;
            }
            let parent = self.context.catalog.table(key.parent).cloned();
            let parent =
                parent.ok_or_else(|| Error::internal("a foreign key points to a table that does not exist"))?;
            let Some(index) = referenced_index(&parent, &key.parent_columns) else {
                return Err(Error::internal("a foreign key points to columns without a unique index"));
            };
            let child_place = |column: &IndexColumn| {
                let position = key.parent_columns.iter().position(|parent| *parent == column.column)?;
                places.get(position).copied()
            };
            let child_columns = index.columns.iter().filter_map(child_place).collect();
            let parent_index = index.id;
            checks.push(ForeignKeyCheck { key: key.clone(), parent, parent_index, child_columns });
        }
        Ok(checks)
    }

    /// What a change of rows means for tables that point here; of an update, for keys with a changed column.
    pub(super) fn foreign_key_actions(
        &self,
        table: &Table,
        changed: Option<&[usize]>,
    ) -> Result<Vec<ForeignKeyAction>> {
        let mut actions = Vec::new();
        for reference in &table.referenced_by {
            let child = self.context.catalog.table(reference.child).cloned();
            let child = child.ok_or_else(|| Error::internal("a table is referenced by one that does not exist"))?;
            let Some(key) = child.foreign_keys.iter().find(|key| key.id == reference.foreign_key).cloned() else {
                return Err(Error::internal("a table is referenced by a foreign key that does not exist"));
            };
            let places: Vec<usize> = key.parent_columns.iter().filter_map(|column| table.place(*column)).collect();
            if changed.is_some_and(|changed| !places.iter().any(|place| changed.contains(place))) {
                continue;
            }
            let leads = |index: &&crate::sql::catalog::Index| {
                index.ready
                    && index.columns.len() >= key.columns.len()
                    && index.columns[..key.columns.len()].iter().all(|column| key.columns.contains(&column.column))
            };
            let child_index = child.all_indexes().find(leads).map(|index| index.id);
            actions.push(ForeignKeyAction { key, child, child_index, parent_columns: places });
        }
        Ok(actions)
    }

    /// Key columns of PRIMARY KEY or UNIQUE.
    pub(super) fn key_columns(&self, table: &Table, columns: &[ast::IndexColumn]) -> Result<Vec<IndexColumn>> {
        let mut keys: Vec<IndexColumn> = Vec::with_capacity(columns.len());
        for column in columns {
            let ast::Expr::Identifier(name) = &column.column.expr else {
                let error = Error::unsupported("indexes on expressions are not supported", "Index plain columns.");
                return Err(self.at(error, column.column.expr.span()));
            };
            self.refuse(column.operator_class.is_some(), "an operator class", "Leave it out.", name.span)?;
            let wanted = ident(name);
            let Some(place) = table.place_of_name(&wanted) else {
                let message = format!("column \"{wanted}\" named in key does not exist");
                return self.fail(SqlState::UNDEFINED_COLUMN, message, name.span);
            };
            let found = &table.columns[place];
            if keys.iter().any(|key| key.column == found.id) {
                let message = format!("column \"{wanted}\" appears twice in primary key constraint");
                return self.fail(SqlState::DUPLICATE_COLUMN, message, name.span);
            }
            if !found.ty.is_orderable() || matches!(found.ty, crate::sql::types::Type::Json) {
                let message = format!(
                    "data type {} has no default operator class for access method \"btree\"",
                    found.ty.sql_name()
                );
                return self.fail(SqlState::UNDEFINED_OBJECT, message, name.span);
            }
            let descending = matches!(column.column.options.sort, Some(ast::OrderBySort::Desc));
            if column.column.options.nulls_first.is_some_and(|first| first != descending) {
                let hint = "NULLs are last in ascending and first in descending indexes.";
                return Err(self.at(Error::unsupported("this order of NULLs is not supported", hint), name.span));
            }
            keys.push(IndexColumn { column: found.id, descending });
        }
        Ok(keys)
    }

    /// A PRIMARY KEY or UNIQUE constraint to be made.
    pub(super) fn new_key(
        &self,
        table: &Table,
        name: Option<&ast::Ident>,
        columns: &[ast::IndexColumn],
        primary: bool,
        taken: &mut Vec<String>,
    ) -> Result<NewIndex> {
        let columns = self.key_columns(table, columns)?;
        let name = match name {
            Some(name) => ident(name),
            None if primary => self.free_name(table, &format!("{}_pkey", table.name), taken),
            None => {
                let names = column_names(table, columns.iter().map(|key| key.column));
                self.free_name(table, &format!("{}_{names}_key", table.name), taken)
            }
        };
        taken.push(name.clone());
        Ok(NewIndex { name, columns, unique: true, constraint: true })
    }

    pub(super) fn new_check(
        &mut self,
        table: &Table,
        name: Option<&ast::Ident>,
        tree: &ast::Expr,
        taken: &mut Vec<String>,
    ) -> Result<NewCheck> {
        let condition = self.row_condition(table, tree)?;
        let mut places = Vec::new();
        condition.walk(&mut |part| {
            if let Expr::Column { slot, .. } = part
                && !places.contains(slot)
            {
                places.push(*slot);
            }
        });
        let name = match name {
            Some(name) => ident(name),
            None => {
                let base = match places.as_slice() {
                    [only] => format!("{}_{}_check", table.name, table.columns[*only].name),
                    _ => format!("{}_check", table.name),
                };
                self.free_name(table, &base, taken)
            }
        };
        taken.push(name.clone());
        Ok(NewCheck { name, expression: tree.to_string(), condition })
    }

    /// A foreign key to be made; `table` is the child, which may still be in the making.
    pub(super) fn new_foreign_key(
        &self,
        table: &Table,
        key: &ast::ForeignKeyConstraint,
        columns: Vec<ColumnId>,
        own_key: Option<&NewIndex>,
        taken: &mut Vec<String>,
    ) -> Result<NewForeignKey> {
        let span = name_span(&key.foreign_table);
        let hint = "Foreign keys are checked by each statement, on all columns.";
        let partial = matches!(
            key.match_kind,
            Some(ast::ConstraintReferenceMatchKind::Full | ast::ConstraintReferenceMatchKind::Partial)
        );
        self.refuse(partial && columns.len() > 1, "MATCH FULL", hint, span)?;
        self.refuse_deferred(key.characteristics.as_ref())?;
        let (_, parent_name) = self.qualified(&key.foreign_table)?;
        let is_own = parent_name == table.name && self.find_relation(&key.foreign_table)?.is_none();
        let parent = if is_own { None } else { Some(self.parent_table(&key.foreign_table)?) };
        let target: &Table = parent.as_deref().unwrap_or(table);
        let parent_columns = self.parent_columns(target, key, own_key.filter(|_| is_own))?;
        if columns.len() != parent_columns.len() {
            let message = "number of referencing and referenced columns for foreign key disagree".to_string();
            return self.fail(SqlState::INVALID_FOREIGN_KEY, message, span);
        }
        let own_matches = own_key.is_some_and(|own| same_columns(&own.columns, &parent_columns));
        if !(is_own && own_matches) && referenced_index(target, &parent_columns).is_none() {
            let message =
                format!("there is no unique constraint matching given keys for referenced table \"{}\"", target.name);
            return self.fail(SqlState::INVALID_FOREIGN_KEY, message, span);
        }
        self.comparable_keys(table, &columns, target, &parent_columns, key)?;
        let name = match &key.name {
            Some(name) => ident(name),
            None => {
                let names = column_names(table, columns.iter().copied());
                self.free_name(table, &format!("{}_{names}_fkey", table.name), taken)
            }
        };
        taken.push(name.clone());
        Ok(NewForeignKey {
            name,
            columns,
            parent,
            parent_columns,
            on_delete: rule(key.on_delete.as_ref()),
            on_update: rule(key.on_update.as_ref()),
        })
    }

    pub(super) fn refuse_deferred(&self, characteristics: Option<&ast::ConstraintCharacteristics>) -> Result<()> {
        let deferred = characteristics.is_some_and(|found| {
            found.deferrable == Some(true)
                || found.enforced == Some(false)
                || matches!(found.initially, Some(ast::DeferrableInitial::Deferred))
        });
        let hint = "Constraints are checked by each statement.";
        self.refuse(deferred, "a deferrable constraint", hint, sqlparser::tokenizer::Span::empty())
    }

    fn parent_table(&self, name: &ast::ObjectName) -> Result<Arc<Table>> {
        match self.relation(name)? {
            crate::sql::catalog::Relation::Table(table) => Ok(table),
            other => {
                let message = format!("referenced relation \"{}\" is not a table", other.name());
                self.fail(SqlState::WRONG_OBJECT_TYPE, message, name_span(name))
            }
        }
    }

    fn parent_columns(
        &self,
        parent: &Table,
        key: &ast::ForeignKeyConstraint,
        own_key: Option<&NewIndex>,
    ) -> Result<Vec<ColumnId>> {
        if key.referred_columns.is_empty() {
            if let Some(own) = own_key {
                return Ok(own.columns.iter().map(|column| column.column).collect());
            }
            if !parent.has_primary_key() || parent.primary.columns.is_empty() {
                let message = format!("there is no primary key for referenced table \"{}\"", parent.name);
                return self.fail(SqlState::UNDEFINED_OBJECT, message, name_span(&key.foreign_table));
            }
            return Ok(parent.primary.columns.iter().map(|column| column.column).collect());
        }
        self.named_columns(parent, &key.referred_columns)
    }

    /// Ids of columns named in a foreign key.
    pub(super) fn named_columns(&self, table: &Table, names: &[ast::Ident]) -> Result<Vec<ColumnId>> {
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let wanted = ident(name);
            match table.place_of_name(&wanted) {
                Some(place) => columns.push(table.columns[place].id),
                None => {
                    let message = format!("column \"{wanted}\" referenced in foreign key constraint does not exist");
                    return self.fail(SqlState::UNDEFINED_COLUMN, message, name.span);
                }
            }
        }
        Ok(columns)
    }

    /// Referencing and referenced columns must have one type: keys are compared by their bytes.
    fn comparable_keys(
        &self,
        child: &Table,
        columns: &[ColumnId],
        parent: &Table,
        parent_columns: &[ColumnId],
        key: &ast::ForeignKeyConstraint,
    ) -> Result<()> {
        for (column, parent_column) in columns.iter().zip(parent_columns) {
            let (Some(own), Some(other)) = (child.column(*column), parent.column(*parent_column)) else { continue };
            let both_integers = own.ty.is_integer() && other.ty.is_integer();
            let both_texts = own.ty.is_string() && other.ty.is_string();
            if both_integers || both_texts || own.ty.same_base(&other.ty) {
                continue;
            }
            let name = key.name.as_ref().map_or_else(|| format!("{}_{}_fkey", child.name, own.name), ident);
            let message = format!("foreign key constraint \"{name}\" cannot be implemented");
            let detail = format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                own.name,
                other.name,
                own.ty.sql_name(),
                other.ty.sql_name()
            );
            let error = Error::new(SqlState::DATATYPE_MISMATCH, message).with_detail(detail);
            return Err(self.at(error, name_span(&key.foreign_table)));
        }
        Ok(())
    }

    /// `base`, or `base1`, `base2`, ... if that name is taken in the schema or among `taken`.
    pub(super) fn free_name(&self, table: &Table, base: &str, taken: &[String]) -> String {
        let is_taken = |name: &str| {
            taken.iter().any(|known| known == name)
                || self.context.catalog.relation_in(table.schema, name).is_some()
                || table.checks.iter().any(|check| check.name == name)
                || table.foreign_keys.iter().any(|key| key.name == name)
        };
        let base = shortened(base, 63);
        if !is_taken(&base) {
            return base;
        }
        let mut number = 1;
        loop {
            let suffix = number.to_string();
            let name = format!("{}{suffix}", shortened(&base, 63 - suffix.len()));
            if !is_taken(&name) {
                return name;
            }
            number += 1;
        }
    }
}

/// At most `bytes` bytes of a name, cut between characters.
fn shortened(name: &str, bytes: usize) -> String {
    let mut end = name.len().min(bytes);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_string()
}

fn column_names(table: &Table, columns: impl Iterator<Item = ColumnId>) -> String {
    let names: Vec<&str> = columns.filter_map(|id| table.column(id)).map(|column| column.name.as_str()).collect();
    names.join("_")
}

fn same_columns(index: &[IndexColumn], columns: &[ColumnId]) -> bool {
    index.len() == columns.len() && index.iter().all(|key| columns.contains(&key.column))
}

/// The unique index over exactly these columns, in any order.
fn referenced_index<'t>(table: &'t Table, columns: &[ColumnId]) -> Option<&'t crate::sql::catalog::Index> {
    table.all_indexes().find(|index| index.unique && index.ready && same_columns(&index.columns, columns))
}

fn rule(action: Option<&ast::ReferentialAction>) -> ForeignKeyRule {
    match action {
        None | Some(ast::ReferentialAction::NoAction) => ForeignKeyRule::NoAction,
        Some(ast::ReferentialAction::Restrict) => ForeignKeyRule::Restrict,
        Some(ast::ReferentialAction::Cascade) => ForeignKeyRule::Cascade,
        Some(ast::ReferentialAction::SetNull) => ForeignKeyRule::SetNull,
        Some(ast::ReferentialAction::SetDefault) => ForeignKeyRule::SetDefault,
    }
}
