//! INSERT: rows for every column of the table, defaults filled in, assignment casts done.

use super::scope::{Level, ident, name_parts, name_span};
use super::{Binder, Bound};
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{Column, Identity, Table};
use crate::sql::optimizer::logical::{Query, Rel};
use crate::sql::plan::{self, Expr, Node, NodeKind};
use crate::sql::types::{CastKind, Type};
use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;
use std::sync::Arc;

/// The source of a plan before the optimizer fills it in.
pub(super) fn no_source() -> Node {
    Node { kind: NodeKind::Values { rows: Vec::new() }, types: Vec::new(), rows: 0.0 }
}

/// Where the values of one column come from.
enum Cell {
    /// The value at this place of the source.
    Given(usize),
    /// The column's default.
    Default,
}

impl Binder<'_> {
    pub(super) fn insert(&mut self, insert: &ast::Insert) -> Result<Bound> {
        self.tag = "INSERT";
        self.refuse_insert(insert)?;
        let ast::TableObject::TableName(name) = &insert.table else {
            let hint = "Name a table.";
            return Err(Error::unsupported("INSERT into this is not supported", hint));
        };
        let table = self.table_named(name)?;
        let targets = self.insert_targets(&table, insert)?;
        let query = match insert.source.as_deref() {
            None => self.insert_rows(&table, &[], &[ast::Parens::with_empty_span(Vec::new())])?,
            Some(source) => match (&source.with, &*source.body) {
                (None, ast::SetExpr::Values(values)) if is_plain(source) => {
                    self.insert_rows(&table, &targets, &values.rows)?
                }
                _ => self.insert_query(&table, &targets, source, insert.columns.is_empty())?,
            },
        };
        let alias = insert.table_alias.as_ref().map(|alias| ident(&alias.alias));
        let alias = alias.unwrap_or_else(|| table.name.clone());
        let on_conflict = match &insert.on {
            None => None,
            Some(ast::OnInsert::OnConflict(conflict)) => Some(self.on_conflict(&table, &alias, conflict)?),
            Some(_) => return Err(Error::unsupported("ON DUPLICATE KEY is not supported", "Use ON CONFLICT.")),
        };
        let returning = self.returning(&table, &alias, insert.returning.as_deref())?;
        let referenced_by = match on_conflict.as_ref().and_then(|conflict| conflict.update.as_ref()) {
            Some(update) => {
                let changed: Vec<usize> = update.set.iter().map(|(place, _)| *place).collect();
                self.foreign_key_actions(&table, Some(&changed))?
            }
            None => Vec::new(),
        };
        let insert = plan::Insert {
            source: no_source(),
            on_conflict,
            checks: self.checks(&table)?,
            foreign_keys: self.foreign_key_checks(&table, None)?,
            referenced_by,
            returning,
            table,
        };
        Ok(Bound::Insert(Box::new(insert), query))
    }

    fn refuse_insert(&self, insert: &ast::Insert) -> Result<()> {
        let span = insert.insert_token.0.span;
        let foreign = insert.or.is_some()
            || insert.ignore
            || insert.overwrite
            || insert.replace_into
            || insert.by_name
            || !insert.assignments.is_empty()
            || insert.partitioned.is_some()
            || !insert.after_columns.is_empty()
            || insert.priority.is_some()
            || insert.insert_alias.is_some()
            || insert.settings.is_some()
            || insert.output.is_some()
            || insert.format_clause.is_some()
            || insert.multi_table_insert_type.is_some();
        self.refuse(foreign, "this clause of INSERT", "It is not part of PostgreSQL's INSERT.", span)
    }

    /// Places of the columns that values are given for.
    fn insert_targets(&mut self, table: &Arc<Table>, insert: &ast::Insert) -> Result<Vec<usize>> {
        let mut targets = Vec::new();
        for name in &insert.columns {
            let column = name_parts(name)?.pop().unwrap_or_default();
            let place = self.target_column(table, &column, name_span(name))?;
            if targets.contains(&place) {
                let message = format!("column \"{column}\" specified more than once");
                return self.fail(SqlState::DUPLICATE_COLUMN, message, name_span(name));
            }
            targets.push(place);
        }
        if insert.columns.is_empty() {
            targets = table.visible_columns().map(|(place, _)| place).collect();
        }
        Ok(targets)
    }

    /// The place of a column that is to be written.
    pub(super) fn target_column(&self, table: &Table, name: &str, span: Span) -> Result<usize> {
        table.place_of_name(name).ok_or_else(|| {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
            let error = Error::new(SqlState::UNDEFINED_COLUMN, message);
            let names = table.visible_columns().map(|(_, column)| column.name.as_str());
            let error = match crate::sql::catalog::closest(name, names) {
                Some(near) => error.with_hint(format!("Did you mean \"{near}\"?")),
                None => error,
            };
            self.at(error, span)
        })
    }

    fn insert_rows(
        &mut self,
        table: &Arc<Table>,
        targets: &[usize],
        rows: &[ast::Parens<Vec<ast::Expr>>],
    ) -> Result<Query> {
        let defaults = self.defaults(table)?;
        let given = rows.first().map_or(0, |row| row.content.len());
        let cells = cells(table, &targets[..given.min(targets.len())]);
        let mut bound_rows = Vec::with_capacity(rows.len());
        self.levels.push(Level::new("VALUES"));
        for row in rows {
            let bound = self.insert_row(table, targets, &cells, &defaults, &row.content, given);
            match bound {
                Ok(bound) => bound_rows.push(bound),
                Err(error) => {
                    self.levels.pop();
                    return Err(error);
                }
            }
        }
        self.levels.pop();
        let columns: Vec<_> = table.columns.iter().map(|column| column.ty.clone()).collect();
        let columns: Vec<_> = columns.into_iter().map(|ty| self.new_col(ty)).collect();
        Ok(Query { rel: Rel::Values { rows: bound_rows, columns: columns.clone() }, columns })
    }

    fn insert_row(
        &mut self,
        table: &Table,
        targets: &[usize],
        cells: &[Cell],
        defaults: &[Expr],
        row: &[ast::Expr],
        given: usize,
    ) -> Result<Vec<Expr>> {
        if row.len() != given {
            let message = "VALUES lists must all be the same length".to_string();
            return self.fail(SqlState::SYNTAX_ERROR, message, row.first().map_or(Span::empty(), |cell| cell.span()));
        }
        if let Some(extra) = row.get(targets.len()) {
            let message = "INSERT has more expressions than target columns".to_string();
            return self.fail(SqlState::SYNTAX_ERROR, message, extra.span());
        }
        let mut bound = Vec::with_capacity(table.columns.len());
        for (column, (cell, default)) in table.columns.iter().zip(cells.iter().zip(defaults)) {
            bound.push(match cell {
                Cell::Default => default.clone(),
                Cell::Given(place) => self.cell(table, column, &row[*place], default)?,
            });
        }
        Ok(bound)
    }

    fn cell(&mut self, table: &Table, column: &Column, cell: &ast::Expr, default: &Expr) -> Result<Expr> {
        if is_default(cell) {
            return Ok(default.clone());
        }
        self.refuse_identity(table, column, cell.span())?;
        let expr = self.expr(cell)?;
        self.assign_named(expr, &column.ty, Some(&column.name), cell.span())
    }

    /// GENERATED ALWAYS takes no values of the user's.
    pub(super) fn refuse_identity(&self, _table: &Table, column: &Column, span: Span) -> Result<()> {
        if column.identity != Some(Identity::Always) {
            return Ok(());
        }
        let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
        let error = Error::new(SqlState::GENERATED_ALWAYS, message)
            .with_detail(format!("Column \"{}\" is an identity column defined as GENERATED ALWAYS.", column.name));
        Err(self.at(error, span))
    }

    fn insert_query(&mut self, table: &Arc<Table>, targets: &[usize], source: &ast::Query, all: bool) -> Result<Query> {
        let (query, _) = self.query(source)?;
        let span = source.span();
        if query.columns.len() > targets.len() {
            let message = "INSERT has more expressions than target columns".to_string();
            return self.fail(SqlState::SYNTAX_ERROR, message, span);
        }
        if query.columns.len() < targets.len() && !all {
            let message = "INSERT has more target columns than expressions".to_string();
            return self.fail(SqlState::SYNTAX_ERROR, message, span);
        }
        let defaults = self.defaults(table)?;
        let cells = cells(table, &targets[..query.columns.len()]);
        let mut exprs = Vec::with_capacity(table.columns.len());
        for (column, (cell, default)) in table.columns.iter().zip(cells.iter().zip(defaults)) {
            exprs.push(match cell {
                Cell::Default => default,
                Cell::Given(place) => {
                    self.refuse_identity(table, column, span)?;
                    let given = query.columns[*place].expr();
                    if *given.ty() == Type::Unknown {
                        self.coerce_unknown(given, &column.ty)
                    } else {
                        self.assign_named(given, &column.ty, Some(&column.name), span)?
                    }
                }
            });
        }
        Ok(self.extend_query(query, exprs))
    }

    /// A column of untyped literals takes the type of the target column when it is read.
    fn coerce_unknown(&mut self, given: Expr, ty: &Type) -> Expr {
        Expr::Cast { input: Box::new(given), to: ty.clone(), kind: CastKind::Assignment }
    }

    /// The default of every column; NULL where there is none.
    pub(super) fn defaults(&mut self, table: &Table) -> Result<Vec<Expr>> {
        table.columns.iter().map(|column| self.default_of(column)).collect()
    }

    pub(super) fn default_of(&mut self, column: &Column) -> Result<Expr> {
        let Some(text) = &column.default else { return Ok(Expr::null(column.ty.clone())) };
        let tree = super::constraint::parse_expr(text)?;
        let expr = self.expr_without_columns(&tree, "DEFAULT expressions")?;
        self.assign_named(expr, &column.ty, Some(&column.name), Span::empty())
    }
}

/// For each column of the table, where its value comes from.
fn cells(table: &Table, targets: &[usize]) -> Vec<Cell> {
    (0..table.columns.len())
        .map(|column| match targets.iter().position(|target| *target == column) {
            Some(place) => Cell::Given(place),
            None => Cell::Default,
        })
        .collect()
}

/// VALUES without ORDER BY, LIMIT and the like.
fn is_plain(query: &ast::Query) -> bool {
    query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none() && query.locks.is_empty()
}

/// The word DEFAULT in the place of a value.
pub(super) fn is_default(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Identifier(name) if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default"))
}
