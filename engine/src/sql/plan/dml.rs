//! Changes of rows, as data.
//!
//! ```text
//!  Insert.source ─► rows of the table (one value per column, defaults filled in, assignment casts done)
//!                   ─► NOT NULL, checks ─► primary and unique keys (ON CONFLICT) ─► foreign keys ─► returning
//!  Update.source ─► old row of the table (slots 0..n, locked) ++ values of FROM (slots n..)
//!                   ─► set: new value per changed column, over the source row ─► as above
//!  Delete.source ─► old row of the table (slots 0..n, locked) ++ values of USING (slots n..)
//! ```
//! `n` is `table.columns.len()`, hidden columns included; the hidden row id of a table without primary key is filled
//! in by the executor where the source has NULL in it.

use super::expr::Expr;
use super::node::Node;
use crate::sql::catalog::{ForeignKey, IndexId, Table};
use std::sync::Arc;

/// INSERT.
#[derive(Clone, Debug)]
pub struct Insert {
    /// Where rows go.
    pub table: Arc<Table>,
    /// The rows: one value per column of the table.
    pub source: Node,
    /// ON CONFLICT.
    pub on_conflict: Option<OnConflict>,
    /// CHECK constraints, over the new row.
    pub checks: Vec<TableCheck>,
    /// Foreign keys of this table.
    pub foreign_keys: Vec<ForeignKeyCheck>,
    /// What ON CONFLICT DO UPDATE may change for others.
    pub referenced_by: Vec<ForeignKeyAction>,
    /// RETURNING, over the new row.
    pub returning: Option<Vec<Expr>>,
}

/// ON CONFLICT.
#[derive(Clone, Debug)]
pub struct OnConflict {
    /// The primary or unique index whose conflicts are meant; `None`: of every one (DO NOTHING only).
    pub arbiter: Option<IndexId>,
    /// DO UPDATE; `None` is DO NOTHING.
    pub update: Option<ConflictUpdate>,
}

/// DO UPDATE; expressions see the existing row (slots 0..n) and `excluded` (slots n..2n).
#[derive(Clone, Debug)]
pub struct ConflictUpdate {
    /// Places in `table.columns` and their new values.
    pub set: Vec<(usize, Expr)>,
    /// WHERE: rows for which it is not true are left alone.
    pub filter: Option<Expr>,
}

/// UPDATE.
#[derive(Clone, Debug)]
pub struct Update {
    /// What is changed.
    pub table: Arc<Table>,
    /// Old rows, locked, followed by values of FROM. A row may come more than once; the first counts.
    pub source: Node,
    /// Places in `table.columns` and their new values over the source row.
    pub set: Vec<(usize, Expr)>,
    /// CHECK constraints, over the new row.
    pub checks: Vec<TableCheck>,
    /// Foreign keys of this table that have a changed column.
    pub foreign_keys: Vec<ForeignKeyCheck>,
    /// Foreign keys of others that point to a changed column.
    pub referenced_by: Vec<ForeignKeyAction>,
    /// RETURNING, over the new row followed by the values of FROM.
    pub returning: Option<Vec<Expr>>,
}

/// DELETE.
#[derive(Clone, Debug)]
pub struct Delete {
    /// What is changed.
    pub table: Arc<Table>,
    /// Old rows, locked, followed by values of USING. A row may come more than once; the first counts.
    pub source: Node,
    /// Foreign keys of others that point to this table.
    pub referenced_by: Vec<ForeignKeyAction>,
    /// RETURNING, over the source row.
    pub returning: Option<Vec<Expr>>,
}

/// A CHECK constraint, bound.
#[derive(Clone, Debug)]
pub struct TableCheck {
    /// Its name.
    pub name: String,
    /// Over a row of the table; fails if false (not if NULL).
    pub condition: Expr,
}

/// A foreign key to be checked for new rows of the child table.
#[derive(Clone, Debug)]
pub struct ForeignKeyCheck {
    /// The constraint.
    pub key: ForeignKey,
    /// The table it points to.
    pub parent: Arc<Table>,
    /// The primary or unique index of the parent over the referenced columns.
    pub parent_index: IndexId,
    /// For each key column of that index, the place in the child's `columns` of the value.
    pub child_columns: Vec<usize>,
}

/// What a change of a parent's row means for a child table.
#[derive(Clone, Debug)]
pub struct ForeignKeyAction {
    /// The constraint, of the child table.
    pub key: ForeignKey,
    /// The table that points to the changed one.
    pub child: Arc<Table>,
    /// An index of the child whose first columns are the referencing columns (in some order); `None`: scan.
    pub child_index: Option<IndexId>,
    /// Places in the parent's `columns` of the referenced values, in the order of `key.columns`.
    pub parent_columns: Vec<usize>,
}
