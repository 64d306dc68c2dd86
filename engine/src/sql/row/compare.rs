//! What the transactional map asks about rows: whether a change touched what a transaction had used.

use super::codec::same_columns;
use quorate_txn::Compare;

/// Compares rows column by column. Index entries are only compared for being there.
#[derive(Clone, Copy, Debug)]
pub struct RowCompare;

impl Compare for RowCompare {
    fn same(&self, one: &[u8], other: &[u8], columns: &[u32]) -> bool {
        same_columns(one, other, columns).unwrap_or(false)
    }
}
