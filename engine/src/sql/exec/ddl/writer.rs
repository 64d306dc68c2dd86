//! Changes of descriptors: in the transaction, and in the view that its later statements work with.

use super::super::run::Context;
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::store::{self, NameKind};
use crate::sql::catalog::{CatalogView, Descriptor, Sequence, Table, TableId};
use quorate_storage::Span;
use std::sync::Arc;

/// Changes the catalog.
pub struct Writer<'w, 'a> {
    /// The transaction, and what expressions see.
    pub context: &'w mut Context<'a>,
    /// The catalog with the changes so far.
    pub view: Arc<CatalogView>,
    /// Whether later statements of the same transaction may follow.
    pub in_block: bool,
    changed: bool,
    ids: std::ops::Range<u32>,
}

/// Ids taken at a time.
const ID_BLOCK: u32 = 8;

impl<'w, 'a> Writer<'w, 'a> {
    /// A writer that has changed nothing.
    pub fn new(context: &'w mut Context<'a>, view: Arc<CatalogView>, in_block: bool) -> Writer<'w, 'a> {
        Writer { context, view, in_block, changed: false, ids: 0..0 }
    }

    /// The view, if it changed.
    pub fn finish(self) -> Option<Arc<CatalogView>> {
        self.changed.then_some(self.view)
    }

    /// An id that was never used.
    pub async fn id(&mut self) -> Result<u32> {
        if self.ids.is_empty() {
            let first = store::allocate_ids(self.context.client, ID_BLOCK).await?;
            self.ids = first..first + ID_BLOCK;
        }
        self.ids.next().ok_or_else(|| Error::internal("no id was allocated"))
    }

    /// A table as it is now.
    pub fn table(&self, id: TableId) -> Result<Arc<Table>> {
        self.view
            .table(id)
            .cloned()
            .ok_or_else(|| Error::new(SqlState::UNDEFINED_TABLE, format!("relation with OID {id} does not exist")))
    }

    /// The descriptor of this id as it is now.
    fn current(&self, id: u32) -> Option<Descriptor> {
        use crate::sql::catalog::{DatabaseId, RoleId, SchemaId, SequenceId};
        let view = &self.view;
        view.table(TableId(id))
            .map(|it| Descriptor::Table(it.as_ref().clone()))
            .or_else(|| view.sequence(SequenceId(id)).map(|it| Descriptor::Sequence(it.as_ref().clone())))
            .or_else(|| view.schema(SchemaId(id)).map(|it| Descriptor::Schema(it.as_ref().clone())))
            .or_else(|| view.database(DatabaseId(id)).map(|it| Descriptor::Database(it.as_ref().clone())))
            .or_else(|| view.roles().find(|role| role.id == RoleId(id)).map(|it| Descriptor::Role(it.as_ref().clone())))
    }

    /// Adds or replaces an object.
    pub async fn put(&mut self, descriptor: Descriptor) -> Result<()> {
        let id = descriptor.id();
        let before = self.current(id).map(|before| store::names_of(&before)).unwrap_or_default();
        let after = store::names_of(&descriptor);
        self.read(store::descriptor_key(id)).await?;
        for (kind, parent, name) in before.iter().filter(|name| !after.contains(name)) {
            self.context.txn.delete(store::name_key(*kind, *parent, name));
        }
        for (kind, parent, name) in after.iter().filter(|name| !before.contains(name)) {
            self.take_name(*kind, *parent, name, id).await?;
        }
        self.context.txn.put(store::descriptor_key(id), descriptor.to_bytes()?);
        self.view = Arc::new(self.view.with(descriptor));
        self.mark_changed();
        Ok(())
    }

    /// Adds or replaces a table.
    pub async fn put_table(&mut self, table: Table) -> Result<()> {
        self.put(Descriptor::Table(table)).await
    }

    /// Adds or replaces a sequence.
    pub async fn put_sequence(&mut self, sequence: Sequence) -> Result<()> {
        self.put(Descriptor::Sequence(sequence)).await
    }

    /// Removes an object.
    pub async fn remove(&mut self, id: u32) -> Result<()> {
        let Some(before) = self.current(id) else { return Ok(()) };
        self.read(store::descriptor_key(id)).await?;
        for (kind, parent, name) in store::names_of(&before) {
            self.context.txn.delete(store::name_key(kind, parent, &name));
        }
        self.context.txn.delete(store::descriptor_key(id));
        self.view = Arc::new(self.view.without(id));
        self.mark_changed();
        Ok(())
    }

    async fn take_name(&mut self, kind: NameKind, parent: u32, name: &str, id: u32) -> Result<()> {
        let key = store::name_key(kind, parent, name);
        if self.read(key.clone()).await? {
            return Err(name_taken(kind, name));
        }
        self.context.txn.put(key, id.to_be_bytes().to_vec());
        Ok(())
    }

    /// Reads a key of the catalog in a way that a concurrent change of it is noticed at commit; whether it exists.
    async fn read(&mut self, key: Vec<u8>) -> Result<bool> {
        self.context.txn.must_stay_valid(Span::point(&key), &None);
        Ok(self.context.txn.get(&key, None).await?.is_some())
    }

    fn mark_changed(&mut self) {
        if !self.changed {
            self.changed = true;
            self.context.txn.changes_catalog();
        }
    }
}

/// The error of a name that is in use.
pub fn name_taken(kind: NameKind, name: &str) -> Error {
    let (code, what) = match kind {
        NameKind::Database => (SqlState::DUPLICATE_DATABASE, "database"),
        NameKind::Schema => (SqlState::DUPLICATE_SCHEMA, "schema"),
        NameKind::Relation => (SqlState::DUPLICATE_TABLE, "relation"),
        NameKind::Role => (SqlState::DUPLICATE_OBJECT, "role"),
    };
    Error::new(code, format!("{what} \"{name}\" already exists"))
}
