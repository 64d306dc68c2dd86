//! How rows are stored: keys whose byte order is the order of their values, and row values that name their columns.
//!
//! ```text
//!  key         10  table (4, BE)  index (4, BE)  column column ...      see `key` for the columns
//!  row value   01  {column id, class, bytes} ...                        see `codec`; NULL columns are left out
//! ```
//!
//! A row carries the ids of its columns, so that adding or dropping a column touches no row, and its decoder skips what is
//! not asked for.
//!
//! Invariant: equal values have equal keys; `a < b` exactly if `key(a) < key(b)`; no key of a column is a prefix of
//! another's, so that columns can be put together.
//! Invariant: decoders accept any bytes, and answer damaged ones with SQLSTATE XX001.

mod codec;
mod compare;
mod cursor;
mod key;
mod key_number;
mod table_key;

pub use codec::{RowWriter, decode_row, encode_row, same_columns};
pub use compare::RowCompare;
pub use key::{decode_key, encode_key, is_exact_in_key, skip_key};
pub use table_key::TableKey;

#[cfg(test)]
mod tests;
