//! Statements as calls name them: by text or prepared.

use crate::session::{ColumnDesc, Prepared};
use crate::sql::types::Type;
use std::sync::Arc;

/// A statement that was parsed and analysed once. Cheap to clone; usable with any call of its [`super::Database`].
#[derive(Clone, Debug)]
pub struct Statement {
    prepared: Arc<Prepared>,
}

impl Statement {
    pub(super) fn new(prepared: Arc<Prepared>) -> Statement {
        Statement { prepared }
    }

    /// The text.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.prepared.sql
    }

    /// Types of `$1`, `$2`, ...
    #[must_use]
    pub fn param_types(&self) -> &[Type] {
        &self.prepared.param_types
    }

    /// Columns of the result; none if the statement returns no rows.
    #[must_use]
    pub fn columns(&self) -> &[ColumnDesc] {
        self.prepared.columns.as_deref().unwrap_or(&[])
    }
}

/// What a call can run: a text, or a [`Statement`].
pub trait ToStatement: Send + Sync {
    /// The text.
    fn sql(&self) -> &str;
}

impl ToStatement for str {
    fn sql(&self) -> &str {
        self
    }
}

impl ToStatement for String {
    fn sql(&self) -> &str {
        self
    }
}

impl ToStatement for Statement {
    fn sql(&self) -> &str {
        Statement::sql(self)
    }
}

impl<T: ToStatement + ?Sized> ToStatement for &T {
    fn sql(&self) -> &str {
        (**self).sql()
    }
}
