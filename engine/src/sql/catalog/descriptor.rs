//! Descriptors: what the catalog knows of each object, as plain data that is stored in rows and shared by plans.
//!
//! Ids are OIDs: one counter for databases, schemas, tables, indexes, sequences, constraints and roles, from
//! [`FIRST_USER_OID`] on, so that `pg_class.oid` and the keys of tables use the same numbers. A column's id is its
//! `attnum`: from 1 in each table, never used again after DROP COLUMN; rows carry column ids.
//!
//! Invariant: every table has a primary index; a table without a primary key has one over a hidden `rowid` column.
//! Invariant: a foreign key is in its table's `foreign_keys` and in the parent's `referenced_by`, or in neither.

use crate::sql::types::Type;
use bincode::{Decode, Encode};

/// The first id given to objects of users.
pub const FIRST_USER_OID: u32 = 16_384;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub struct $name(pub u32);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids!(
    /// Names a database.
    DatabaseId,
    /// Names a schema.
    SchemaId,
    /// Names a table.
    TableId,
    /// Names a column within its table.
    ColumnId,
    /// Names an index; unique over all tables. The key prefix of its entries.
    IndexId,
    /// Names a sequence.
    SequenceId,
    /// Names a role.
    RoleId
);

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Database {
    /// Its id.
    pub id: DatabaseId,
    /// Its name.
    pub name: String,
}

/// A schema.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Schema {
    /// Its id.
    pub id: SchemaId,
    /// Its database.
    pub database: DatabaseId,
    /// Its name.
    pub name: String,
}

/// A role that may own things or log in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// May log in.
    pub login: bool,
    /// May do everything.
    pub superuser: bool,
    /// The SCRAM verifier of its password.
    pub verifier: Option<String>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Table {
    /// Its id.
    pub id: TableId,
    /// Its schema.
    pub schema: SchemaId,
    /// Its name.
    pub name: String,
    /// Its columns in order, hidden ones last.
    pub columns: Vec<Column>,
    /// The id of the next column.
    pub next_column: u32,
    /// The index that holds the rows.
    pub primary: Index,
    /// Secondary indexes.
    pub indexes: Vec<Index>,
    /// CHECK constraints.
    pub checks: Vec<Check>,
    /// Foreign keys of this table.
    pub foreign_keys: Vec<ForeignKey>,
    /// Foreign keys of other tables (or of this one) that point here.
    pub referenced_by: Vec<Reference>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Column {
    /// Its id.
    pub id: ColumnId,
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// May be NULL.
    pub nullable: bool,
    /// The default as SQL text.
    pub default: Option<String>,
    /// GENERATED ... AS IDENTITY.
    pub identity: Option<Identity>,
    /// Not shown by `*`, not writable: the row id of a table without primary key.
    pub hidden: bool,
}

/// GENERATED ... AS IDENTITY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Identity {
    /// Values of the user's are refused.
    Always,
    /// Values of the user's go before.
    ByDefault,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Index {
    /// Its id.
    pub id: IndexId,
    /// Its name.
    pub name: String,
    /// Its key columns.
    pub columns: Vec<IndexColumn>,
    /// No two rows have equal keys; keys with a NULL are not equal to any.
    pub unique: bool,
    /// Made by PRIMARY KEY or UNIQUE; dropped as a constraint.
    pub constraint: bool,
    /// Complete. An index that is being built is written to and not read.
    pub ready: bool,
}

/// A key column of an index. NULLs are last ascending and first descending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct IndexColumn {
    /// Which column.
    pub column: ColumnId,
    /// Largest first.
    pub descending: bool,
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Check {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// The condition as SQL text.
    pub expression: String,
    /// Rows that existed were checked.
    pub validated: bool,
}

/// A foreign key, from the child's side.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ForeignKey {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Referencing columns of the child.
    pub columns: Vec<ColumnId>,
    /// The table pointed to.
    pub parent: TableId,
    /// Referenced columns of the parent, in the order of `columns`.
    pub parent_columns: Vec<ColumnId>,
    /// ON DELETE.
    pub on_delete: ForeignKeyRule,
    /// ON UPDATE.
    pub on_update: ForeignKeyRule,
    /// Rows that existed were checked.
    pub validated: bool,
}

/// What happens to children when the parent's row goes or changes its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum ForeignKeyRule {
    /// Refused at the end of the statement.
    #[default]
    NoAction,
    /// Refused at once.
    Restrict,
    /// Children follow.
    Cascade,
    /// Their columns become NULL.
    SetNull,
    /// Their columns become their defaults.
    SetDefault,
}

/// A foreign key, from the parent's side.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Reference {
    /// The table that points here.
    pub child: TableId,
    /// The id of its foreign key.
    pub foreign_key: u32,
}

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Sequence {
    /// Its id.
    pub id: SequenceId,
    /// Its schema.
    pub schema: SchemaId,
    /// Its name.
    pub name: String,
    /// Its behaviour.
    pub options: SequenceOptions,
    /// The column that owns it: dropped with it.
    pub owned_by: Option<(TableId, ColumnId)>,
}

/// How a sequence counts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SequenceOptions {
    /// smallint, integer or bigint.
    pub ty: Type,
    /// The first value.
    pub start: i64,
    /// The step; never 0.
    pub increment: i64,
    /// The smallest value.
    pub min: i64,
    /// The largest value.
    pub max: i64,
    /// Values that a session takes at once.
    pub cache: i64,
    /// Starts over at the end.
    pub cycle: bool,
}

impl SequenceOptions {
    /// What `CREATE SEQUENCE s AS ty` makes.
    pub fn ascending(ty: Type) -> SequenceOptions {
        let max = match ty {
            Type::Int2 => i64::from(i16::MAX),
            Type::Int4 => i64::from(i32::MAX),
            _ => i64::MAX,
        };
        SequenceOptions { ty, start: 1, increment: 1, min: 1, max, cache: 1, cycle: false }
    }
}

impl Table {
    /// The place in `columns` of the column with this id.
    pub fn place(&self, id: ColumnId) -> Option<usize> {
        // Ids are places + 1 until a column is dropped.
        let guess = (id.0 as usize).wrapping_sub(1);
        match self.columns.get(guess) {
            Some(column) if column.id == id => Some(guess),
            _ => self.columns.iter().position(|column| column.id == id),
        }
    }

    /// The column with this id.
    pub fn column(&self, id: ColumnId) -> Option<&Column> {
        self.place(id).map(|place| &self.columns[place])
    }

    /// The place in `columns` of the column of this name.
    pub fn place_of_name(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name && !column.hidden)
    }

    /// Places and columns that `*` shows.
    pub fn visible_columns(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| !column.hidden)
    }

    /// All indexes, the primary first.
    pub fn all_indexes(&self) -> impl Iterator<Item = &Index> {
        std::iter::once(&self.primary).chain(&self.indexes)
    }

    /// The index with this id.
    pub fn index(&self, id: IndexId) -> Option<&Index> {
        self.all_indexes().find(|index| index.id == id)
    }

    /// Whether the primary index is a declared key rather than the hidden row id.
    pub fn has_primary_key(&self) -> bool {
        self.primary.columns.iter().all(|key| self.column(key.column).is_some_and(|column| !column.hidden))
    }

    /// Places in `columns` of the key columns of an index.
    pub fn key_places(&self, index: &Index) -> Vec<usize> {
        index.columns.iter().filter_map(|key| self.place(key.column)).collect()
    }
}
