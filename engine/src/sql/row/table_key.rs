//! The first nine bytes of every key of a table: the space of user tables, the table, the index.

use quorate_storage::keys::{Span, USER_PREFIX};

/// Length of a prefix.
const LENGTH: usize = 9;

/// Makes and reads the prefixes of keys.
#[derive(Clone, Copy, Debug)]
pub struct TableKey;

impl TableKey {
    /// What all keys of an index begin with.
    pub fn prefix(table: u32, index: u32) -> Vec<u8> {
        let mut key = Vec::with_capacity(LENGTH + 23);
        key.push(USER_PREFIX);
        key.extend_from_slice(&table.to_be_bytes());
        key.extend_from_slice(&index.to_be_bytes());
        key
    }

    /// All keys of an index.
    pub fn span(table: u32, index: u32) -> Span {
        Span::prefix(&TableKey::prefix(table, index))
    }

    /// All keys of a table.
    pub fn table_span(table: u32) -> Span {
        Span::prefix(&TableKey::prefix(table, 0)[..LENGTH - 4])
    }

    /// Table and index of a key, and the bytes of its columns; `None` if it is not a table's key.
    pub fn parse(key: &[u8]) -> Option<(u32, u32, &[u8])> {
        let (space, rest) = key.split_first()?;
        let (table, rest) = rest.split_first_chunk::<4>()?;
        let (index, columns) = rest.split_first_chunk::<4>()?;
        (*space == USER_PREFIX).then_some((u32::from_be_bytes(*table), u32::from_be_bytes(*index), columns))
    }
}
