//! `CatalogView`: one version of the whole catalog in memory, and how names are found in it.
//!
//! A name without schema is looked for in `pg_catalog` first (unless the search path names it), then in the schemas of
//! the path in order. Tables, indexes and sequences of a schema share one set of names.

use super::descriptor::{
    Database, DatabaseId, Index, IndexId, Role, RoleId, Schema, SchemaId, Sequence, SequenceId, Table, TableId,
};
use super::{Descriptor, VirtualTable, names, system};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that FROM or `regclass` can name.
#[derive(Clone, Debug)]
pub enum Relation {
    /// A table.
    Table(Arc<Table>),
    /// An index of a table.
    Index(Arc<Table>, IndexId),
    /// A sequence.
    Sequence(Arc<Sequence>),
    /// A system table.
    Virtual(Arc<VirtualTable>),
}

impl Relation {
    /// Its id in `pg_class`.
    pub fn oid(&self) -> u32 {
        match self {
            Relation::Table(table) => table.id.0,
            Relation::Index(_, index) => index.0,
            Relation::Sequence(sequence) => sequence.id.0,
            Relation::Virtual(table) => table.oid,
        }
    }

    /// Its name without schema.
    pub fn name(&self) -> &str {
        match self {
            Relation::Table(table) => &table.name,
            Relation::Index(table, index) => table.index(*index).map_or("", |index| &index.name),
            Relation::Sequence(sequence) => &sequence.name,
            Relation::Virtual(table) => table.name,
        }
    }

    /// Its schema.
    pub fn schema(&self) -> SchemaId {
        match self {
            Relation::Table(table) | Relation::Index(table, _) => table.schema,
            Relation::Sequence(sequence) => sequence.schema,
            Relation::Virtual(table) => table.schema,
        }
    }

    /// What messages call it: `table`, `index` or `sequence`.
    pub fn kind(&self) -> &'static str {
        match self {
            Relation::Table(_) => "table",
            Relation::Index(..) => "index",
            Relation::Sequence(_) => "sequence",
            Relation::Virtual(_) => "view",
        }
    }
}

/// Where a session looks for names without schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPath {
    /// The session's database.
    pub database: DatabaseId,
    /// Names of schemas as in the setting `search_path`, `$user` replaced by the user's name.
    pub schemas: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Named {
    Table(TableId),
    Index(TableId, IndexId),
    Sequence(SequenceId),
}

/// One version of the catalog.
#[derive(Clone, Debug, Default)]
pub struct CatalogView {
    version: u64,
    databases: BTreeMap<DatabaseId, Arc<Database>>,
    schemas: BTreeMap<SchemaId, Arc<Schema>>,
    tables: BTreeMap<TableId, Arc<Table>>,
    sequences: BTreeMap<SequenceId, Arc<Sequence>>,
    roles: BTreeMap<RoleId, Arc<Role>>,
    schema_names: BTreeMap<(DatabaseId, String), SchemaId>,
    relation_names: BTreeMap<SchemaId, BTreeMap<String, Named>>,
    relation_ids: BTreeMap<u32, Named>,
}

impl CatalogView {
    /// The catalog made of these descriptors. `version` is the ID of the newest catalog change.
    pub fn new(version: u64, descriptors: impl IntoIterator<Item = Descriptor>) -> CatalogView {
        let mut view = CatalogView { version, ..CatalogView::default() };
        for descriptor in descriptors {
            view.put(descriptor);
        }
        view
    }

    /// A copy with one object added or changed; for overlays of uncommitted DDL.
    pub fn with(&self, descriptor: Descriptor) -> CatalogView {
        let mut view = self.clone();
        view.remove(descriptor.id());
        view.put(descriptor);
        view
    }

    /// A copy without an object.
    pub fn without(&self, id: u32) -> CatalogView {
        let mut view = self.clone();
        view.remove(id);
        view
    }

    /// The ID of the newest catalog change in it.
    pub fn version(&self) -> u64 {
        self.version
    }

    fn put(&mut self, descriptor: Descriptor) {
        match descriptor {
            Descriptor::Database(database) => {
                self.databases.insert(database.id, Arc::new(database));
            }
            Descriptor::Schema(schema) => {
                self.schema_names.insert((schema.database, schema.name.clone()), schema.id);
                self.schemas.insert(schema.id, Arc::new(schema));
            }
            Descriptor::Table(table) => self.put_table(table),
            Descriptor::Sequence(sequence) => {
                self.name(sequence.schema, &sequence.name, sequence.id.0, Named::Sequence(sequence.id));
                self.sequences.insert(sequence.id, Arc::new(sequence));
            }
            Descriptor::Role(role) => {
                self.roles.insert(role.id, Arc::new(role));
            }
        }
    }

    fn put_table(&mut self, table: Table) {
        self.name(table.schema, &table.name, table.id.0, Named::Table(table.id));
        for index in named_indexes(&table) {
            self.name(table.schema, &index.name, index.id.0, Named::Index(table.id, index.id));
        }
        self.tables.insert(table.id, Arc::new(table));
    }

    fn name(&mut self, schema: SchemaId, name: &str, oid: u32, named: Named) {
        self.relation_names.entry(schema).or_default().insert(name.to_string(), named);
        self.relation_ids.insert(oid, named);
    }

    fn unname(&mut self, schema: SchemaId, name: &str, oid: u32) {
        if let Some(names) = self.relation_names.get_mut(&schema) {
            names.remove(name);
        }
        self.relation_ids.remove(&oid);
    }

    fn remove(&mut self, id: u32) {
        self.databases.remove(&DatabaseId(id));
        self.roles.remove(&RoleId(id));
        if let Some(schema) = self.schemas.remove(&SchemaId(id)) {
            self.schema_names.remove(&(schema.database, schema.name.clone()));
        }
        if let Some(table) = self.tables.remove(&TableId(id)) {
            self.unname(table.schema, &table.name, table.id.0);
            for index in named_indexes(&table) {
                self.unname(table.schema, &index.name, index.id.0);
            }
        }
        if let Some(sequence) = self.sequences.remove(&SequenceId(id)) {
            self.unname(sequence.schema, &sequence.name, sequence.id.0);
        }
    }
}

/// The indexes that are relations with a name: all but the one over a hidden row id.
fn named_indexes(table: &Table) -> impl Iterator<Item = &Index> {
    let skip = usize::from(!table.has_primary_key());
    table.all_indexes().skip(skip)
}

/// Objects by id, and all of them in id order.
impl CatalogView {
    /// The database with this id.
    pub fn database(&self, id: DatabaseId) -> Option<&Arc<Database>> {
        self.databases.get(&id)
    }

    /// The schema with this id; system schemas are not among them.
    pub fn schema(&self, id: SchemaId) -> Option<&Arc<Schema>> {
        self.schemas.get(&id)
    }

    /// The table with this id.
    pub fn table(&self, id: TableId) -> Option<&Arc<Table>> {
        self.tables.get(&id)
    }

    /// The sequence with this id.
    pub fn sequence(&self, id: SequenceId) -> Option<&Arc<Sequence>> {
        self.sequences.get(&id)
    }

    /// The relation with this id in `pg_class`.
    pub fn relation(&self, oid: u32) -> Option<Relation> {
        match self.relation_ids.get(&oid) {
            Some(named) => self.relation_of(*named),
            None => system::by_oid(oid).map(Relation::Virtual),
        }
    }

    /// All databases.
    pub fn databases(&self) -> impl Iterator<Item = &Arc<Database>> {
        self.databases.values()
    }

    /// All schemas of a database, without the system schemas.
    pub fn schemas(&self, database: DatabaseId) -> impl Iterator<Item = &Arc<Schema>> {
        self.schemas.values().filter(move |schema| schema.database == database)
    }

    /// All tables of all databases.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }

    /// All tables of a database.
    pub fn tables_of(&self, database: DatabaseId) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values().filter(move |table| self.is_in(table.schema, database))
    }

    /// All sequences of a database.
    pub fn sequences_of(&self, database: DatabaseId) -> impl Iterator<Item = &Arc<Sequence>> {
        self.sequences.values().filter(move |sequence| self.is_in(sequence.schema, database))
    }

    /// All roles.
    pub fn roles(&self) -> impl Iterator<Item = &Arc<Role>> {
        self.roles.values()
    }

    fn is_in(&self, schema: SchemaId, database: DatabaseId) -> bool {
        self.schemas.get(&schema).is_some_and(|schema| schema.database == database)
    }

    fn relation_of(&self, named: Named) -> Option<Relation> {
        match named {
            Named::Table(id) => self.tables.get(&id).cloned().map(Relation::Table),
            Named::Index(id, index) => self.tables.get(&id).map(|table| Relation::Index(table.clone(), index)),
            Named::Sequence(id) => self.sequences.get(&id).cloned().map(Relation::Sequence),
        }
    }
}

/// Objects by name.
impl CatalogView {
    /// The database of this name.
    pub fn database_named(&self, name: &str) -> Option<&Arc<Database>> {
        self.databases.values().find(|database| database.name == name)
    }

    /// The role of this name.
    pub fn role_named(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.values().find(|role| role.name == name)
    }

    /// The id of a schema of a database, system schemas included.
    pub fn schema_named(&self, database: DatabaseId, name: &str) -> Option<SchemaId> {
        match system::schema_id(name) {
            Some(id) => Some(id),
            None => self.schema_names.get(&(database, name.to_string())).copied(),
        }
    }

    /// The name of a schema, system schemas included.
    pub fn schema_name(&self, id: SchemaId) -> Option<&str> {
        match system::schema_name(id) {
            Some(name) => Some(name),
            None => self.schemas.get(&id).map(|schema| schema.name.as_str()),
        }
    }

    /// The relation of this name in this schema.
    pub fn relation_in(&self, schema: SchemaId, name: &str) -> Option<Relation> {
        if system::schema_name(schema).is_some() {
            return system::by_name(schema, name).map(Relation::Virtual);
        }
        let named = self.relation_names.get(&schema)?.get(name)?;
        self.relation_of(*named)
    }

    /// The relation that a name means on a search path.
    pub fn resolve(&self, path: &SearchPath, schema: Option<&str>, name: &str) -> Option<Relation> {
        match schema {
            Some(schema) => self.relation_in(self.schema_named(path.database, schema)?, name),
            None => self.path_schemas(path, true).into_iter().find_map(|schema| self.relation_in(schema, name)),
        }
    }

    /// The existing schemas of a search path in order; with `implicit`, `pg_catalog` first unless it is named.
    pub fn path_schemas(&self, path: &SearchPath, implicit: bool) -> Vec<SchemaId> {
        let mut schemas = Vec::with_capacity(path.schemas.len() + 1);
        if implicit && !path.schemas.iter().any(|name| name == system::PG_CATALOG) {
            schemas.push(system::PG_CATALOG_ID);
        }
        schemas.extend(path.schemas.iter().filter_map(|name| self.schema_named(path.database, name)));
        schemas
    }

    /// The schema where CREATE puts objects: the first of the path that exists.
    pub fn current_schema(&self, path: &SearchPath) -> Option<SchemaId> {
        self.path_schemas(path, false).into_iter().next()
    }

    /// Whether the relation is found by its bare name.
    pub fn is_visible(&self, path: &SearchPath, relation: &Relation) -> bool {
        self.resolve(path, None, relation.name()).is_some_and(|found| found.oid() == relation.oid())
    }

    /// The table, view or sequence whose name is most like `name`, for hints.
    pub fn closest_relation(&self, path: &SearchPath, name: &str) -> Option<String> {
        let schemas = self.path_schemas(path, true);
        let mut candidates: Vec<&str> = system::names_of(system::PG_CATALOG_ID).collect();
        for own in schemas.iter().filter_map(|schema| self.relation_names.get(schema)) {
            let named = own.iter().filter(|(_, named)| !matches!(named, Named::Index(..)));
            candidates.extend(named.map(|(name, _)| name.as_str()));
        }
        names::closest(name, candidates).map(str::to_string)
    }
}
