//! What reading, writing and casting values needs to know about the session.

use super::datetime::Zone;
use super::oid::Oid;
use std::fmt;
use std::sync::Arc;

/// How `01/02/03` is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DateOrder {
    /// Month, day, year.
    #[default]
    Mdy,
    /// Day, month, year.
    Dmy,
    /// Year, month, day.
    Ymd,
}

/// Kinds of objects that the `reg*` types name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// Tables, indexes, views and sequences (regclass).
    Relation,
    /// Functions (regproc).
    Function,
    /// Schemas (regnamespace).
    Schema,
    /// Roles (regrole).
    Role,
}

/// The catalog as the `reg*` types see it. Types are known here and need no catalog.
pub trait ObjectNames: Send + Sync {
    /// The OID of the object called `name` (as written, perhaps quoted and qualified) on the session's search path.
    fn oid_of(&self, kind: ObjectKind, name: &str) -> Option<Oid>;
    /// The shortest name, quoted where needed, by which the session can mean the object.
    fn name_of(&self, kind: ObjectKind, oid: Oid) -> Option<String>;
}

/// Settings and facts of a session that the text forms of values depend on.
#[derive(Clone)]
pub struct TypeContext {
    /// The session's time zone.
    pub zone: Zone,
    /// The transaction's time in microseconds since 2000-01-01 00:00 UTC, for `now` and `today`.
    pub now: i64,
    /// How `01/02/03` is read.
    pub date_order: DateOrder,
    /// The catalog, for `regclass` and its relatives.
    pub names: Option<Arc<dyn ObjectNames>>,
}

impl Default for TypeContext {
    fn default() -> TypeContext {
        TypeContext { zone: Zone::utc(), now: 0, date_order: DateOrder::Mdy, names: None }
    }
}

impl fmt::Debug for TypeContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypeContext")
            .field("zone", &self.zone)
            .field("now", &self.now)
            .field("date_order", &self.date_order)
            .finish_non_exhaustive()
    }
}
