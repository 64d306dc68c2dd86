//! Changes of the catalog, names resolved; the executor allocates ids, writes descriptors and builds indexes.
//!
//! `IF [NOT] EXISTS` is decided by the binder: what is not to be done is left out and told in `Plan::notices`.

use super::expr::Expr;
use super::node::Node;
use crate::sql::catalog::{
    Column, ColumnId, Database, DatabaseId, ForeignKeyRule, IndexColumn, IndexId, Schema, SchemaId, Sequence,
    SequenceOptions, Table, TableId,
};
use crate::sql::types::Type;
use std::sync::Arc;

/// A change of the catalog.
#[derive(Clone, Debug)]
pub enum Ddl {
    /// Nothing is to be done (IF EXISTS and the like); `Plan::notices` says why.
    Nothing,
    /// CREATE DATABASE.
    CreateDatabase {
        /// Its name.
        name: String,
    },
    /// DROP DATABASE with everything in it.
    DropDatabase {
        /// Which.
        database: Arc<Database>,
    },
    /// CREATE SCHEMA in the current database.
    CreateSchema {
        /// In which database.
        database: DatabaseId,
        /// Its name.
        name: String,
    },
    /// DROP SCHEMA.
    DropSchemas {
        /// Which.
        schemas: Vec<Arc<Schema>>,
        /// CASCADE: with all tables and sequences in them.
        cascade: bool,
    },
    /// CREATE TABLE.
    CreateTable(Box<CreateTable>),
    /// DROP TABLE.
    DropTables {
        /// Which.
        tables: Vec<Arc<Table>>,
        /// CASCADE: foreign keys of other tables that point here go too.
        cascade: bool,
    },
    /// ALTER TABLE: all actions, in order.
    AlterTable {
        /// Which.
        table: Arc<Table>,
        /// What.
        actions: Vec<AlterAction>,
    },
    /// CREATE INDEX.
    CreateIndex {
        /// On which table.
        table: Arc<Table>,
        /// What.
        index: NewIndex,
    },
    /// DROP INDEX.
    DropIndexes {
        /// Table and index.
        indexes: Vec<(Arc<Table>, IndexId)>,
        /// CASCADE.
        cascade: bool,
    },
    /// ALTER INDEX ... RENAME TO.
    RenameIndex {
        /// On which table.
        table: Arc<Table>,
        /// Which.
        index: IndexId,
        /// The new name.
        name: String,
    },
    /// CREATE SEQUENCE.
    CreateSequence {
        /// In which schema.
        schema: SchemaId,
        /// Its name.
        name: String,
        /// Its behaviour.
        options: SequenceOptions,
        /// OWNED BY.
        owned_by: Option<(TableId, ColumnId)>,
    },
    /// DROP SEQUENCE.
    DropSequences {
        /// Which.
        sequences: Vec<Arc<Sequence>>,
        /// CASCADE.
        cascade: bool,
    },
    /// ALTER SEQUENCE.
    AlterSequence {
        /// Which.
        sequence: Arc<Sequence>,
        /// The new behaviour.
        options: SequenceOptions,
        /// RESTART [WITH n].
        restart: Option<i64>,
        /// OWNED BY, if given (`Some(None)`: NONE).
        owned_by: Option<Option<(TableId, ColumnId)>>,
    },
    /// TRUNCATE.
    Truncate {
        /// Which.
        tables: Vec<Arc<Table>>,
        /// RESTART IDENTITY.
        restart_identity: bool,
        /// CASCADE.
        cascade: bool,
    },
    /// ALTER TABLE ... SPLIT AT VALUES.
    SplitAt {
        /// Which.
        table: Arc<Table>,
        /// The index that is split.
        index: IndexId,
        /// Values of the first key columns, cast to their types, one row per split.
        rows: Vec<Vec<Expr>>,
    },
    /// CREATE ROLE or USER.
    CreateRole {
        /// Its name.
        name: String,
        /// May log in.
        login: bool,
        /// Is a superuser.
        superuser: bool,
        /// PASSWORD.
        password: Option<String>,
    },
    /// DROP ROLE or USER.
    DropRoles {
        /// Which.
        names: Vec<String>,
    },
    /// ALTER ROLE ... PASSWORD.
    AlterRole {
        /// Which.
        name: String,
        /// The new password; `Some(None)` removes it.
        password: Option<Option<String>>,
        /// LOGIN or NOLOGIN, if given.
        login: Option<bool>,
        /// SUPERUSER or NOSUPERUSER, if given.
        superuser: Option<bool>,
    },
}

/// CREATE TABLE.
#[derive(Clone, Debug)]
pub struct CreateTable {
    /// In which schema.
    pub schema: SchemaId,
    /// Its name.
    pub name: String,
    /// Its columns with ids 1.. in order; a hidden row id is added by the executor if `primary_key` is absent. Columns
    /// of serial types have `default: None` and a matching entry in `serials`.
    pub columns: Vec<Column>,
    /// PRIMARY KEY.
    pub primary_key: Option<NewIndex>,
    /// UNIQUE constraints.
    pub unique: Vec<NewIndex>,
    /// CHECK constraints.
    pub checks: Vec<NewCheck>,
    /// FOREIGN KEYs; those that point to the table itself have `parent: None`.
    pub foreign_keys: Vec<NewForeignKey>,
    /// Sequences to be made for serial and identity columns: place in `columns`, name, options. The executor sets the
    /// column's default to `nextval('<schema>.<name>'::regclass)` in the form of [`sequence_default`].
    pub serials: Vec<(usize, String, SequenceOptions)>,
    /// CREATE TABLE AS: the rows to fill it with.
    pub source: Option<Node>,
}

/// The default expression of a serial column, as PostgreSQL shows it.
pub fn sequence_default(quoted_name: &str) -> String {
    format!("nextval('{}'::regclass)", quoted_name.replace('\'', "''"))
}

/// An index to be made.
#[derive(Clone, Debug)]
pub struct NewIndex {
    /// Its name.
    pub name: String,
    /// Key columns.
    pub columns: Vec<IndexColumn>,
    /// No two rows with equal keys (without NULLs).
    pub unique: bool,
    /// Made by PRIMARY KEY or UNIQUE rather than CREATE INDEX.
    pub constraint: bool,
}

/// A CHECK constraint to be made.
#[derive(Clone, Debug)]
pub struct NewCheck {
    /// Its name.
    pub name: String,
    /// The condition as SQL text.
    pub expression: String,
    /// Bound over a row of the table, to check the rows that exist (ALTER TABLE).
    pub condition: Expr,
}

/// A foreign key to be made.
#[derive(Clone, Debug)]
pub struct NewForeignKey {
    /// Its name.
    pub name: String,
    /// Referencing columns.
    pub columns: Vec<ColumnId>,
    /// The table pointed to; `None`: the table itself.
    pub parent: Option<Arc<Table>>,
    /// Referenced columns.
    pub parent_columns: Vec<ColumnId>,
    /// ON DELETE.
    pub on_delete: ForeignKeyRule,
    /// ON UPDATE.
    pub on_update: ForeignKeyRule,
}

/// One action of ALTER TABLE.
#[derive(Clone, Debug)]
pub enum AlterAction {
    /// ADD COLUMN.
    AddColumn {
        /// The column; the executor gives it the next id.
        column: Column,
        /// A serial column's sequence.
        serial: Option<(String, SequenceOptions)>,
        /// The value of rows that exist, over the empty row.
        fill: Option<Expr>,
    },
    /// DROP COLUMN, with its indexes and constraints.
    DropColumn {
        /// Which.
        column: ColumnId,
        /// CASCADE.
        cascade: bool,
    },
    /// ADD PRIMARY KEY: builds the table anew under a new primary index.
    AddPrimaryKey(NewIndex),
    /// ADD UNIQUE.
    AddUnique(NewIndex),
    /// ADD CHECK; rows that exist are checked unless `not_valid`.
    AddCheck {
        /// What.
        check: NewCheck,
        /// NOT VALID.
        not_valid: bool,
    },
    /// ADD FOREIGN KEY; rows that exist are checked unless `not_valid`.
    AddForeignKey {
        /// What.
        key: NewForeignKey,
        /// NOT VALID.
        not_valid: bool,
    },
    /// DROP CONSTRAINT.
    DropConstraint {
        /// Which.
        name: String,
        /// CASCADE.
        cascade: bool,
    },
    /// SET DEFAULT, DROP DEFAULT.
    SetDefault {
        /// Which column.
        column: ColumnId,
        /// The expression as SQL text.
        default: Option<String>,
    },
    /// SET NOT NULL (rows that exist are checked), DROP NOT NULL.
    SetNullable {
        /// Which column.
        column: ColumnId,
        /// May be NULL.
        nullable: bool,
    },
    /// ALTER COLUMN ... TYPE.
    SetType {
        /// Which column.
        column: ColumnId,
        /// The new type.
        ty: Type,
        /// The new value over a row of the table; `None`: stored values stay as they are (same base type, no shorter).
        convert: Option<Expr>,
    },
    /// RENAME COLUMN.
    RenameColumn {
        /// Which.
        column: ColumnId,
        /// The new name.
        name: String,
    },
    /// RENAME CONSTRAINT.
    RenameConstraint {
        /// Which.
        from: String,
        /// The new name.
        to: String,
    },
    /// RENAME TO.
    RenameTable {
        /// The new name.
        name: String,
    },
    /// SET SCHEMA.
    SetSchema {
        /// Where to.
        schema: SchemaId,
    },
}
