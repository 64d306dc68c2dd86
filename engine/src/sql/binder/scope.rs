//! Scopes: which names mean which columns.
//!
//! ```text
//!  level 0   SELECT ... FROM a JOIN b USING (x)      tables:  a(x, y)  b(x, z)     columns: x y z   (what `*` shows)
//!  level 1     (SELECT ... FROM c WHERE c.k = a.y)   c.k is found in level 1, a.y in level 0
//! ```
//! A bare name is looked for among `columns`, a qualified one in `tables`; then one level further out.

use super::{Binder, ColumnFacts};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{Relation, closest};
use crate::sql::optimizer::logical::Col;
use crate::sql::plan::{AggregateCall, Expr, TableFunction};
use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;

/// A column that can be named.
#[derive(Clone, Debug)]
pub(super) struct ScopeColumn {
    pub(super) name: String,
    pub(super) col: Col,
    /// The row id: not shown by `*` and not found by name.
    pub(super) hidden: bool,
}

/// A table, by its alias.
#[derive(Clone, Debug)]
pub(super) struct ScopeTable {
    pub(super) schema: Option<String>,
    pub(super) alias: String,
    pub(super) columns: Vec<ScopeColumn>,
}

/// The names of one FROM clause.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) tables: Vec<ScopeTable>,
    /// What bare names find and `*` shows, in order; columns merged by USING occur once.
    pub(super) columns: Vec<ScopeColumn>,
}

impl Scope {
    pub(super) fn of_table(table: ScopeTable) -> Scope {
        Scope { columns: table.columns.clone(), tables: vec![table] }
    }

    /// Both scopes side by side.
    pub(super) fn join(mut self, other: Scope) -> Scope {
        self.tables.extend(other.tables);
        self.columns.extend(other.columns);
        self
    }
}

/// A query level: its scope, and what its clauses have gathered.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) scope: Scope,
    /// The clause being bound, for messages.
    pub(super) clause: &'static str,
    /// Aggregates found in the clauses that may hold them; `None` where they may not stand.
    pub(super) aggregates: Option<Vec<(Col, AggregateCall)>>,
    /// Set-returning functions found in the select list; `None` where they may not stand.
    pub(super) sets: Option<Vec<(Col, TableFunction, Vec<Expr>)>>,
    /// Inside the arguments of an aggregate.
    pub(super) in_aggregate: bool,
}

impl Level {
    pub(super) fn new(clause: &'static str) -> Level {
        Level { scope: Scope::default(), clause, aggregates: None, sets: None, in_aggregate: false }
    }

    pub(super) fn with_scope(clause: &'static str, scope: Scope) -> Level {
        Level { scope, ..Level::new(clause) }
    }
}

/// The name as PostgreSQL keeps it: lower case unless quoted.
pub(super) fn ident(ident: &ast::Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// The parts of a name.
pub(super) fn name_parts(name: &ast::ObjectName) -> Result<Vec<String>> {
    name.0
        .iter()
        .map(|part| match part {
            ast::ObjectNamePart::Identifier(part) => Ok(ident(part)),
            _ => Err(Error::unsupported("this form of name is not supported", "Use plain names.")),
        })
        .collect()
}

pub(super) fn name_span(name: &ast::ObjectName) -> Span {
    name.span()
}

impl Binder<'_> {
    /// Schema, if given, and name. A database in front must be the current one.
    pub(super) fn qualified(&self, name: &ast::ObjectName) -> Result<(Option<String>, String)> {
        let mut parts = name_parts(name)?;
        let last = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        if let Some(database) = parts.pop() {
            let current = self.context.catalog.database(self.context.path.database);
            if !parts.is_empty() || current.is_none_or(|current| current.name != database) {
                let message = format!("cross-database references are not implemented: \"{name}\"");
                return self.fail(SqlState::FEATURE_NOT_SUPPORTED, message, name_span(name));
            }
        }
        Ok((schema, last))
    }

    pub(super) fn find_relation(&self, name: &ast::ObjectName) -> Result<Option<Relation>> {
        let (schema, name) = self.qualified(name)?;
        Ok(self.context.catalog.resolve(self.context.path, schema.as_deref(), &name))
    }

    /// The relation of this name; 42P01 with a hint if there is none.
    pub(super) fn relation(&self, name: &ast::ObjectName) -> Result<Relation> {
        if let Some(found) = self.find_relation(name)? {
            return Ok(found);
        }
        let (schema, bare) = self.qualified(name)?;
        let shown = name_parts(name)?.join(".");
        let error = Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{shown}\" does not exist"));
        let error = match self.context.catalog.closest_relation(self.context.path, &bare) {
            Some(near) if schema.is_none() => error.with_hint(format!("Did you mean \"{near}\"?")),
            _ => error,
        };
        Err(self.at(error, name_span(name)))
    }

    /// Makes a column of a table and remembers its names.
    pub(super) fn table_col(
        &mut self,
        alias: &str,
        name: &str,
        ty: crate::sql::types::Type,
        origin: Option<(crate::sql::catalog::TableId, crate::sql::catalog::ColumnId)>,
    ) -> Col {
        let col = self.new_col(ty);
        self.facts.insert(col.id, ColumnFacts { table: alias.to_string(), name: name.to_string(), origin });
        col
    }

    /// The column that a bare name means.
    pub(super) fn bare_column(&mut self, name: &ast::Ident) -> Result<Expr> {
        let wanted = ident(name);
        for level in self.levels.iter().rev() {
            let mut found = level.scope.columns.iter().filter(|column| column.name == wanted && !column.hidden);
            if let Some(first) = found.next() {
                if found.next().is_some() {
                    let message = format!("column reference \"{wanted}\" is ambiguous");
                    return self.fail(SqlState::AMBIGUOUS_COLUMN, message, name.span);
                }
                let col = first.col.clone();
                self.seen.insert(col.id, name.span);
                return Ok(col.expr());
            }
        }
        Err(self.no_column(None, &wanted, name.span))
    }

    /// The column of a qualified name: `table.column` or `schema.table.column`.
    pub(super) fn qualified_column(&mut self, parts: &[ast::Ident]) -> Result<Expr> {
        let span = Span::union_iter(parts.iter().map(|part| part.span));
        let names: Vec<String> = parts.iter().map(ident).collect();
        let (schema, table, column) = match names.as_slice() {
            [table, column] => (None, table, column),
            [schema, table, column] | [_, schema, table, column] => (Some(schema.as_str()), table, column),
            _ => {
                return self.fail(
                    SqlState::SYNTAX_ERROR,
                    "improper qualified name (too many dotted names)".into(),
                    span,
                );
            }
        };
        let Some(found) = self.scope_table(schema, table) else {
            return Err(self.no_table(schema, table, span));
        };
        let mut matches = found.columns.iter().filter(|entry| entry.name == *column && !entry.hidden);
        let Some(first) = matches.next() else { return Err(self.no_column(Some(table), column, span)) };
        if matches.next().is_some() {
            let message = format!("column reference \"{column}\" is ambiguous");
            return self.fail(SqlState::AMBIGUOUS_COLUMN, message, span);
        }
        let col = first.col.clone();
        self.seen.insert(col.id, span);
        Ok(col.expr())
    }

    /// The nearest table of this alias.
    pub(super) fn scope_table(&self, schema: Option<&str>, alias: &str) -> Option<&ScopeTable> {
        let fits = |table: &&ScopeTable| {
            table.alias == alias && schema.is_none_or(|schema| table.schema.as_deref() == Some(schema))
        };
        self.levels.iter().rev().find_map(|level| level.scope.tables.iter().find(fits))
    }

    pub(super) fn no_table(&self, schema: Option<&str>, table: &str, span: Span) -> Error {
        let shown = schema.map_or(table.to_string(), |schema| format!("{schema}.{table}"));
        let error = Error::new(SqlState::UNDEFINED_TABLE, format!("missing FROM-clause entry for table \"{shown}\""));
        let aliases = self.levels.iter().flat_map(|level| level.scope.tables.iter().map(|table| table.alias.as_str()));
        let error = match closest(table, aliases) {
            Some(near) => error.with_hint(format!("Perhaps you meant to reference the table alias \"{near}\".")),
            None => error,
        };
        self.at(error, span)
    }

    fn no_column(&self, table: Option<&str>, name: &str, span: Span) -> Error {
        let shown = table.map_or(format!("\"{name}\""), |table| format!("{table}.{name}"));
        let error = Error::new(SqlState::UNDEFINED_COLUMN, format!("column {shown} does not exist"));
        let near = self.levels.iter().rev().find_map(|level| {
            let tables = level.scope.tables.iter().filter(|entry| table.is_none_or(|table| table == entry.alias));
            let names = tables.flat_map(|table| {
                let shown = table.columns.iter().filter(|column| !column.hidden);
                shown.map(|column| (column.name.as_str(), table.alias.as_str()))
            });
            let names: Vec<(&str, &str)> = names.collect();
            let near = closest(name, names.iter().map(|(name, _)| *name))?;
            names.iter().find(|(name, _)| *name == near).map(|(name, alias)| format!("{alias}.{name}"))
        });
        let error = match near {
            Some(near) => error.with_hint(format!("Perhaps you meant to reference the column \"{near}\".")),
            None => error,
        };
        self.at(error, span)
    }
}
