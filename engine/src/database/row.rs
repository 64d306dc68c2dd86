//! One row of a result.

use super::from_value::{FromValue, describe};
use crate::error::{Error, ErrorKind, Result};
use crate::session::ColumnDesc;
use crate::sql::types::Value;
use std::sync::Arc;

/// One row: values, and the columns that they belong to.
#[derive(Clone, Debug)]
pub struct Row {
    columns: Arc<[ColumnDesc]>,
    values: Vec<Value>,
}

/// A column by its position (from 0) or its name.
pub trait ColumnIndex {
    /// The position among `columns`, if there is such a column.
    fn position(&self, columns: &[ColumnDesc]) -> Option<usize>;
    /// The column as a message names it.
    fn shown(&self) -> String;
}

impl ColumnIndex for usize {
    fn position(&self, columns: &[ColumnDesc]) -> Option<usize> {
        (*self < columns.len()).then_some(*self)
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl ColumnIndex for &str {
    fn position(&self, columns: &[ColumnDesc]) -> Option<usize> {
        columns.iter().position(|column| *column.name == **self)
    }

    fn shown(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Row {
    pub(super) fn new(columns: Arc<[ColumnDesc]>, values: Vec<Value>) -> Row {
        Row { columns, values }
    }

    /// The value of a column, by position (from 0) or name.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if there is no such column or its value is not a `T`.
    pub fn get<T: FromValue>(&self, index: impl ColumnIndex) -> Result<T> {
        let at = self.find(index)?;
        self.decode(at, self.values[at].clone())
    }

    /// As [`Row::get`], but moves the value out of the row and leaves NULL.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub fn take<T: FromValue>(&mut self, index: impl ColumnIndex) -> Result<T> {
        let at = self.find(index)?;
        let value = std::mem::take(&mut self.values[at]);
        self.decode(at, value)
    }

    /// The columns of the result.
    #[must_use]
    pub fn columns(&self) -> &[ColumnDesc] {
        &self.columns
    }

    /// The values in the order of the columns.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values in the order of the columns, without copying.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }

    fn find(&self, index: impl ColumnIndex) -> Result<usize> {
        let found = index.position(&self.columns).filter(|at| *at < self.values.len());
        found.ok_or_else(|| no_column(&index.shown(), &self.columns))
    }

    fn decode<T: FromValue>(&self, at: usize, value: Value) -> Result<T> {
        let column = &self.columns[at];
        let null = value.is_null();
        T::from_value(value).ok_or_else(|| {
            let shown = describe(null, &column.ty);
            let message = format!("column \"{}\" is {shown}, which is no {}", column.name, T::NAME);
            Error::of_kind(ErrorKind::Decode, message).with_column(&*column.name)
        })
    }
}

/// The result has no such column.
pub(super) fn no_column(shown: &str, columns: &[ColumnDesc]) -> Error {
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    Error::of_kind(ErrorKind::Decode, format!("the result has no column {shown}"))
        .with_detail(format!("Its columns are: {}.", names.join(", ")))
}
