//! The catalog: descriptors of databases, schemas, tables, sequences and roles, and the names that lead to them.
//!
//! ```text
//!  rows under the catalog's span ──store──► Descriptor ──► CatalogView (immutable, one version) ──► binder
//!                                                              ▲
//!                                        overlay of a session's uncommitted DDL: a changed copy
//! ```
//! System tables (`pg_catalog`, `information_schema`, `quorate`) are [`VirtualTable`]s: names and columns are known
//! here, their rows are made by the executor from a `CatalogView` and the cluster's state.
//!
//! Invariant: a `CatalogView` never changes; a plan made with one holds `Arc`s of its descriptors.

mod codec;
mod descriptor;
pub mod held;
pub mod names;
pub mod store;
pub mod system;
mod view;

pub use codec::Descriptor;
pub use descriptor::{
    Check, Column, ColumnId, Database, DatabaseId, FIRST_USER_OID, ForeignKey, ForeignKeyRule, Identity, Index,
    IndexColumn, IndexId, Reference, Role, RoleId, Schema, SchemaId, Sequence, SequenceId, SequenceOptions, Table,
    TableId,
};
pub use names::{CatalogNames, closest, parse_qualified, quote_ident};
pub use system::VirtualTable;
pub use view::{CatalogView, Relation, SearchPath};
