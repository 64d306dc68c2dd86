//! The catalog in the map, and the newest version of it that a node has read.
//!
//! ```text
//!   03 'b' gid                                  a prepared transaction (see `held`)
//!   03 'c' 'a'                                  the next id (4, BE)
//!   03 'c' 'b' sequence id (4, BE)              state of a sequence
//!   03 'c' 'd' id (4, BE)                       descriptor
//!   03 'c' 'n' kind parent (4, BE) name         id of the object of that name (4, BE); so that names are unique
//! ```
//! What changes without a change of the catalog comes first: the reads of a large transaction are merged into wide spans,
//! from its first catalog key to its last row, and must not meet the counters that it moved itself.
//!
//! A node keeps one [`CatalogView`]. The oracle shows every transaction the ID of the newest catalog change; a node whose
//! view is older reads the descriptors again at the transaction's S, and so meets the intents of a change under way.
//!
//! Invariant: a transaction never works with a view older than its own S.

use super::{
    CatalogView, Database, DatabaseId, Descriptor, FIRST_USER_OID, Role, RoleId, Schema, SchemaId, SequenceId,
};
use crate::error::{Error, Result, SqlState};
use crate::sql::exec::retry;
use parking_lot::RwLock;
use quorate_storage::Span;
use quorate_storage::keys::CATALOG_PREFIX;
use quorate_txn::{Client, Scan, Transaction};
use std::sync::Arc;

const CATALOG: u8 = b'c';

/// Id of the database `postgres` of a new cluster.
pub const POSTGRES_DATABASE: DatabaseId = DatabaseId(5);
/// Id of the schema `public` of the database `postgres`.
pub const PUBLIC_SCHEMA: SchemaId = SchemaId(2_200);
/// Id of the role `postgres`, as in PostgreSQL.
pub const POSTGRES_ROLE: RoleId = RoleId(10);
/// Id of the role `root`.
pub const ROOT_ROLE: RoleId = RoleId(11);

/// What kind of objects share a set of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    /// Databases; no parent.
    Database,
    /// Schemas of a database.
    Schema,
    /// Tables, indexes and sequences of a schema.
    Relation,
    /// Roles; no parent.
    Role,
}

fn key(kind: u8, id: u32) -> Vec<u8> {
    let mut key = vec![CATALOG_PREFIX, CATALOG, kind];
    key.extend_from_slice(&id.to_be_bytes());
    key
}

/// The key of a descriptor.
pub fn descriptor_key(id: u32) -> Vec<u8> {
    key(b'd', id)
}

/// The key of the state of a sequence.
pub fn sequence_key(id: SequenceId) -> Vec<u8> {
    key(b'b', id.0)
}

/// The key of a name.
pub fn name_key(kind: NameKind, parent: u32, name: &str) -> Vec<u8> {
    let letter = match kind {
        NameKind::Database => b'd',
        NameKind::Schema => b's',
        NameKind::Relation => b'r',
        NameKind::Role => b'u',
    };
    let mut key = vec![CATALOG_PREFIX, CATALOG, b'n', letter];
    key.extend_from_slice(&parent.to_be_bytes());
    key.extend_from_slice(name.as_bytes());
    key
}

fn next_id_key() -> Vec<u8> {
    vec![CATALOG_PREFIX, CATALOG, b'a']
}

/// All descriptors.
pub fn descriptor_span() -> Span {
    Span::prefix(&[CATALOG_PREFIX, CATALOG, b'd'])
}

/// The catalog at the transaction's S.
pub async fn load(txn: &mut Transaction) -> Result<CatalogView> {
    let mut descriptors = Vec::new();
    let mut next = Some(descriptor_span());
    while let Some(span) = next {
        let page = txn.scan(Scan::all(span)).await?;
        for (_, value) in &page.pairs {
            descriptors.push(Descriptor::from_bytes(value)?);
        }
        next = page.resume;
    }
    Ok(CatalogView::new(txn.catalog_id().0, descriptors))
}

/// Takes `count` ids that follow each other; the first.
pub async fn allocate_ids(client: &Client, count: u32) -> Result<u32> {
    retry(client, |txn| {
        Box::pin(async move {
            let first = match txn.get(&next_id_key(), None).await? {
                Some(bytes) => read_id(&bytes)?,
                None => FIRST_USER_OID,
            };
            txn.put(next_id_key(), (first + count).to_be_bytes().to_vec());
            Ok(first)
        })
    })
    .await
}

fn read_id(bytes: &[u8]) -> Result<u32> {
    let bytes = bytes.try_into().map_err(|_| Error::new(SqlState::DATA_CORRUPTED, "the counter of ids is damaged"))?;
    Ok(u32::from_be_bytes(bytes))
}

/// Writes the first catalog, unless there is one: database `postgres` with schema `public`, roles `root` and `postgres`.
pub async fn bootstrap(client: &Client) -> Result<()> {
    retry(client, |txn| {
        Box::pin(async move {
            if txn.get(&descriptor_key(POSTGRES_DATABASE.0), None).await?.is_some() {
                return Ok(());
            }
            let role = |id, name: &str| {
                Descriptor::Role(Role { id, name: name.into(), login: true, superuser: true, verifier: None })
            };
            let first = [
                Descriptor::Database(Database { id: POSTGRES_DATABASE, name: "postgres".into() }),
                Descriptor::Schema(Schema { id: PUBLIC_SCHEMA, database: POSTGRES_DATABASE, name: "public".into() }),
                role(POSTGRES_ROLE, "postgres"),
                role(ROOT_ROLE, "root"),
            ];
            for descriptor in first {
                for (kind, parent, name) in names_of(&descriptor) {
                    txn.put(name_key(kind, parent, &name), descriptor.id().to_be_bytes().to_vec());
                }
                txn.put(descriptor_key(descriptor.id()), descriptor.to_bytes()?);
            }
            txn.changes_catalog();
            Ok(())
        })
    })
    .await
}

/// The names that an object takes: of a table, also those of its indexes.
pub fn names_of(descriptor: &Descriptor) -> Vec<(NameKind, u32, String)> {
    match descriptor {
        Descriptor::Database(database) => vec![(NameKind::Database, 0, database.name.clone())],
        Descriptor::Schema(schema) => vec![(NameKind::Schema, schema.database.0, schema.name.clone())],
        Descriptor::Role(role) => vec![(NameKind::Role, 0, role.name.clone())],
        Descriptor::Sequence(sequence) => vec![(NameKind::Relation, sequence.schema.0, sequence.name.clone())],
        Descriptor::Table(table) => {
            let skip = usize::from(!table.has_primary_key());
            let indexes = table.all_indexes().skip(skip).map(|index| &index.name);
            let names = std::iter::once(&table.name).chain(indexes);
            names.map(|name| (NameKind::Relation, table.schema.0, name.clone())).collect()
        }
    }
}

/// The newest catalog that a node has read. The lock is held to swap a pointer, inside no other.
#[derive(Debug, Default)]
pub struct CatalogCache {
    current: RwLock<Option<Arc<CatalogView>>>,
}

impl CatalogCache {
    /// A cache that has read nothing.
    pub fn new() -> CatalogCache {
        CatalogCache::default()
    }

    /// The newest catalog read, if any was; may be old. For completion and the like.
    pub fn latest(&self) -> Option<Arc<CatalogView>> {
        self.current.read().clone()
    }

    /// The catalog as `txn` must see it.
    pub async fn at(&self, txn: &mut Transaction) -> Result<Arc<CatalogView>> {
        let wanted = txn.catalog_id().0;
        let known = self.latest();
        if let Some(view) = known.as_ref().filter(|view| view.version() == wanted) {
            return Ok(view.clone());
        }
        let view = Arc::new(Box::pin(load(txn)).await?);
        if known.is_none_or(|known| known.version() < wanted) {
            let mut current = self.current.write();
            if current.as_ref().is_none_or(|current| current.version() < wanted) {
                *current = Some(view.clone());
            }
        }
        Ok(view)
    }
}
