//! Guesses of row counts and costs. There are no statistics yet: the shape of keys stands for them.

use crate::sql::catalog::{Index, Table};

/// Rows that a table is taken to have.
pub const TABLE_ROWS: f64 = 100_000.0;
/// Rows of a system table.
pub const VIRTUAL_ROWS: f64 = 200.0;
/// Rows of a set-returning function.
pub const FUNCTION_ROWS: f64 = 100.0;
/// The share of rows that a condition leaves which no index serves.
pub const FILTERED: f64 = 0.3;
/// The share of rows within a bound on one side.
const ONE_BOUND: f64 = 0.3;
/// The share of rows within bounds on both sides.
const TWO_BOUNDS: f64 = 0.05;
/// Cost of a row by primary key from a secondary index, in rows of a scan.
pub const FETCH: f64 = 2.0;
/// Cost of beginning a lookup, in rows of a scan.
pub const LOOKUP: f64 = 1.5;
/// Cost of hashing and probing a row, in rows of a scan.
pub const HASH: f64 = 0.3;

/// Rows of an index with its first `equal` columns fixed and perhaps bounds on the next.
pub fn index_rows(table: &Table, index: &Index, equal: usize, bounds: usize) -> f64 {
    let columns = index.columns.len().max(1);
    if index.unique && equal >= columns {
        return 1.0;
    }
    // A key that is not unique has an unseen last part.
    let parts = if index.unique { columns } else { columns + 1 };
    // A single-column secondary index may be over few values: reading the table is never better by guess alone.
    let exponent = 1.0 - equal as f64 / parts as f64;
    let rows = TABLE_ROWS.powf(exponent);
    let share = match bounds {
        0 => 1.0,
        1 => ONE_BOUND,
        _ => TWO_BOUNDS,
    };
    debug_assert!(table.index(index.id).is_some());
    (rows * share).max(1.0)
}

/// Cost of sorting so many rows.
pub fn sort(rows: f64) -> f64 {
    rows * (rows.max(2.0)).log2() * 0.1
}
