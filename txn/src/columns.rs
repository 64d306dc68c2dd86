//! Reads that used only some columns of what they read.
//!
//! A transaction that read a row's tax rate is not disturbed by another one that changed its balance. So a read may say
//! which columns it used, and is still valid where they are the same. What a value is made of only its owner knows: the map
//! asks [`Compare`].
//!
//! Invariant: a read with columns promises its keys as any other: nobody writes there at or below the commit ID afterwards,
//! whatever the column.

use bincode::{Decode, Encode};
use quorate_storage::Span;
use std::fmt;
use std::sync::Arc;

/// The columns that a read used, by number, ascending; `None` for all, an empty list if only that the key is there.
pub type Columns = Option<Arc<[u32]>>;

/// Compares values that the map does not understand.
pub trait Compare: Send + Sync {
    /// Whether these columns are the same in both values. False if either cannot be read.
    fn same(&self, one: &[u8], other: &[u8], columns: &[u32]) -> bool;
}

/// What a transaction read and wants to be still valid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct ReadSpan {
    /// The keys: those that exist, and that there are no others.
    pub span: Span,
    /// What of their values was used.
    pub columns: Columns,
}

impl From<Span> for ReadSpan {
    fn from(span: Span) -> ReadSpan {
        ReadSpan { span, columns: None }
    }
}

/// For values that nobody can take apart: only the whole is the same as the whole.
pub(crate) struct Whole;

impl Compare for Whole {
    fn same(&self, one: &[u8], other: &[u8], _: &[u32]) -> bool {
        one == other
    }
}

impl fmt::Debug for dyn Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compare")
    }
}
