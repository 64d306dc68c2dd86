//! Guesses of row counts and costs. There are no statistics yet: the shape of keys stands for them.

use crate::sql::catalog::Index;

/// Rows that a table is taken to have.
pub const TABLE_ROWS: f64 = 1_000_000.0;
/// The share of rows that have one value of a key column.
const ONE_VALUE: f64 = 0.1;
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

/// Rows of an index with its first `equal` columns fixed and perhaps bounds on the next. The same conditions give the
/// same guess whatever the index, so that the one that serves more of them wins.
pub fn index_rows(index: &Index, equal: usize, bounds: usize) -> f64 {
    if index.unique && equal >= index.columns.len() {
        return 1.0;
    }
    let share = match bounds {
        0 => 1.0,
        1 => ONE_BOUND,
        _ => TWO_BOUNDS,
    };
    (TABLE_ROWS * ONE_VALUE.powi(equal as i32) * share).max(1.0)
}

/// Rows that one lookup finds in an index that has been chosen already: each key column is taken to tell apart as much
/// as the others, so that most of a long key finds few rows.
pub fn lookup_rows(index: &Index, equal: usize) -> f64 {
    let columns = index.columns.len() + usize::from(!index.unique);
    let left = columns.saturating_sub(equal) as f64 / columns.max(1) as f64;
    index_rows(index, equal, 0).min(TABLE_ROWS.powf(left))
}

/// Values that an array is taken to have whose length is not known.
pub const ARRAY_VALUES: f64 = 10.0;

/// Rows of a list of values, if one has `one` of them. Where several rows may have a value, lists are taken to be short
/// against all values that there are, however long they look beside a guess.
pub fn list_rows(one: f64, values: f64) -> f64 {
    if one <= 1.0 || values < 1.0 { one * values } else { one * (2.0 - 1.0 / values) }
}

/// Cost of sorting so many rows.
pub fn sort(rows: f64) -> f64 {
    rows * (rows.max(2.0)).log2() * 0.1
}
