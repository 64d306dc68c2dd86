//! COPY: a line of FROM STDIN is a row of parameters for an INSERT; TO STDOUT is a query.

use super::scope::ident;
use super::{Binder, Bound, insert};
use crate::error::{Result, SqlState};
use crate::sql::optimizer::logical::{Query, Rel};
use crate::sql::parser::CopySource;
use crate::sql::plan::{self, Expr};
use sqlparser::ast;

impl Binder<'_> {
    pub(super) fn copy_from(&mut self, name: &ast::ObjectName, columns: &[ast::Ident]) -> Result<Bound> {
        self.tag = "COPY";
        let table = self.table_named(name)?;
        let places = self.copy_columns(&table, columns)?;
        let mut row = self.defaults(&table)?;
        let (mut types, mut names) = (Vec::new(), Vec::new());
        for (field, place) in places.iter().enumerate() {
            let column = &table.columns[*place];
            row[*place] = Expr::Parameter { index: field, ty: column.ty.clone() };
            types.push(column.ty.clone());
            names.push(column.name.clone());
        }
        let columns: Vec<_> = table.columns.iter().map(|column| column.ty.clone()).collect();
        let columns: Vec<_> = columns.into_iter().map(|ty| self.new_col(ty)).collect();
        let query = Query { rel: Rel::Values { rows: vec![row], columns: columns.clone() }, columns };
        let insert = plan::Insert {
            source: insert::no_source(),
            on_conflict: None,
            checks: self.checks(&table)?,
            foreign_keys: self.foreign_key_checks(&table, None)?,
            referenced_by: Vec::new(),
            returning: None,
            table,
        };
        Ok(Bound::CopyFrom(Box::new(insert), query, types, names))
    }

    fn copy_columns(&self, table: &crate::sql::catalog::Table, columns: &[ast::Ident]) -> Result<Vec<usize>> {
        if columns.is_empty() {
            return Ok(table.visible_columns().map(|(place, _)| place).collect());
        }
        let mut places = Vec::with_capacity(columns.len());
        for column in columns {
            let place = self.target_column(table, &ident(column), column.span)?;
            if places.contains(&place) {
                let message = format!("column \"{}\" specified more than once", ident(column));
                return self.fail(SqlState::DUPLICATE_COLUMN, message, column.span);
            }
            places.push(place);
        }
        Ok(places)
    }

    pub(super) fn copy_to(&mut self, source: &CopySource) -> Result<Bound> {
        self.tag = "COPY";
        match source {
            CopySource::Query(query) => {
                let (query, names) = self.subquery(query)?;
                Ok(Bound::CopyTo(query, names))
            }
            CopySource::Table { name, columns } => {
                let table = self.table_named(name)?;
                let places = self.copy_columns(&table, columns)?;
                let row = self.row_scope(&table, &table.name, None);
                let shown = places.iter().map(|place| row.cols[*place].clone()).collect();
                let names = places.iter().map(|place| table.columns[*place].name.clone()).collect();
                let alias = table.name.clone();
                let rel = Rel::Table { table, columns: row.cols, alias, lock: None };
                Ok(Bound::CopyTo(Query { rel, columns: shown }, names))
            }
        }
    }
}
