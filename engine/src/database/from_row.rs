//! Rows to Rust types: tuples, scalars, and structs by `#[derive(FromRow)]`.

use super::from_value::FromValue;
use super::row::{ColumnIndex, Row, no_column};
use crate::error::{Error, ErrorKind, Result};
use crate::session::ColumnDesc;
use smallvec::SmallVec;

/// Where the columns of a type are in a result: found once per result, used for each of its rows.
#[derive(Clone, Debug, Default)]
pub struct ColumnMap(SmallVec<[usize; 8]>);

impl ColumnMap {
    /// Finds columns by name.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if one is missing.
    pub fn by_name(columns: &[ColumnDesc], names: &[&str]) -> Result<ColumnMap> {
        let find = |name: &&str| name.position(columns).ok_or_else(|| no_column(&name.shown(), columns));
        names.iter().map(find).collect::<Result<_>>().map(ColumnMap)
    }

    /// Takes the columns as they come; there must be `count`.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if there are more or fewer.
    pub fn by_position(columns: &[ColumnDesc], count: usize) -> Result<ColumnMap> {
        if columns.len() != count {
            let message = format!("the result has {} columns, but {count} are wanted", columns.len());
            return Err(Error::of_kind(ErrorKind::Decode, message));
        }
        Ok(ColumnMap((0..count).collect()))
    }

    /// The position in the result of the type's column `index`.
    #[must_use]
    pub fn position(&self, index: usize) -> usize {
        self.0.get(index).copied().unwrap_or(usize::MAX)
    }
}

/// A type that a row can be read as.
///
/// Scalars read results of one column, tuples results of as many columns as they have elements, both by position; a struct
/// with `#[derive(FromRow)]` reads its fields by name.
pub trait FromRow: Sized {
    /// Finds the columns of the type in a result.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if the result does not have them.
    fn resolve(columns: &[ColumnDesc]) -> Result<ColumnMap>;

    /// Reads a row of the result.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if a value does not fit its field.
    fn from_row(row: Row, map: &ColumnMap) -> Result<Self>;
}

impl FromRow for Row {
    fn resolve(_columns: &[ColumnDesc]) -> Result<ColumnMap> {
        Ok(ColumnMap::default())
    }

    fn from_row(row: Row, _map: &ColumnMap) -> Result<Row> {
        Ok(row)
    }
}

impl<T: FromValue> FromRow for T {
    fn resolve(columns: &[ColumnDesc]) -> Result<ColumnMap> {
        ColumnMap::by_position(columns, 1)
    }

    fn from_row(mut row: Row, map: &ColumnMap) -> Result<T> {
        row.take(map.position(0))
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:literal)+) $count:literal)*) => { $(
        impl<$($name: FromValue),+> FromRow for ($($name,)+) {
            fn resolve(columns: &[ColumnDesc]) -> Result<ColumnMap> {
                ColumnMap::by_position(columns, $count)
            }

            fn from_row(mut row: Row, map: &ColumnMap) -> Result<Self> {
                Ok(($(row.take::<$name>(map.position($index))?,)+))
            }
        }
    )* };
}

tuples! {
    (A 0) 1
    (A 0 B 1) 2
    (A 0 B 1 C 2) 3
    (A 0 B 1 C 2 D 3) 4
    (A 0 B 1 C 2 D 3 E 4) 5
    (A 0 B 1 C 2 D 3 E 4 F 5) 6
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6) 7
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7) 8
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8) 9
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9) 10
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10) 11
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11) 12
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12) 13
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13) 14
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14) 15
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15) 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::types::{Type, Value};

    fn columns(names: &[&str]) -> Vec<ColumnDesc> {
        names.iter().map(|name| ColumnDesc { name: (*name).into(), ty: Type::Int4, origin: (0, 0) }).collect()
    }

    #[derive(Debug, PartialEq, quorate_derive::FromRow)]
    struct Pair {
        b: i64,
        #[quorate(rename = "a")]
        first: Option<i32>,
    }

    #[test]
    fn structs_go_by_name() {
        let columns = columns(&["a", "b"]);
        let map = Pair::resolve(&columns).unwrap();
        let row = Row::new(columns.into(), vec![Value::Null, Value::Int4(7)]);
        assert_eq!(Pair::from_row(row, &map).unwrap(), Pair { b: 7, first: None });
    }

    #[test]
    fn what_is_missing_is_told() {
        let missing = Pair::resolve(&columns(&["a", "c"])).unwrap_err();
        assert_eq!(missing.message(), "the result has no column \"b\"");
        assert_eq!(missing.detail(), Some("Its columns are: a, c."));
        let count = <(i32, i32)>::resolve(&columns(&["a"])).unwrap_err();
        assert_eq!(count.message(), "the result has 1 columns, but 2 are wanted");
        let row = Row::new(columns(&["a"]).into(), vec![Value::Null]);
        let null = row.get::<i32>(0).unwrap_err();
        assert_eq!((null.message(), null.column()), ("column \"a\" is NULL, which is no i32", Some("a")));
    }
}
