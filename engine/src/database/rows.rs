//! Rows that are streamed.

use super::call::Call;
use super::from_row::{ColumnMap, FromRow};
use super::row::Row;
use crate::error::Result;
use crate::session::{ColumnDesc, Execution};
use crate::sql::types::Value;
use futures::Stream;
use std::marker::PhantomData;
use std::sync::Arc;

/// The rows of a query, fetched in batches as they are read. Dropping them cancels the query.
///
/// ```
/// # async fn example(db: quorate::Database) -> quorate::Result<()> {
/// let mut rows = db.query::<(i64, String)>("SELECT id, owner FROM account", ()).await?;
/// while let Some((id, owner)) = rows.next().await? {
///     println!("{id} {owner}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct Rows<T = Row> {
    columns: Arc<[ColumnDesc]>,
    map: ColumnMap,
    batch: std::vec::IntoIter<Vec<Value>>,
    /// `None` once the last row was fetched or the query failed.
    rest: Option<Rest>,
    row: PhantomData<fn() -> T>,
}

/// What is not fetched yet.
struct Rest {
    call: Call,
    execution: Execution,
}

impl<T: FromRow> Rows<T> {
    pub(super) fn new(call: Call, execution: Execution) -> Result<Rows<T>> {
        let columns: Arc<[ColumnDesc]> = execution.columns().cloned().unwrap_or_else(|| Arc::from([]));
        let mut rows = Rows {
            columns,
            map: ColumnMap::default(),
            batch: Vec::new().into_iter(),
            rest: Some(Rest { call, execution }),
            row: PhantomData,
        };
        rows.map = T::resolve(&rows.columns)?;
        Ok(rows)
    }

    /// The next row; `None` after the last. Cancelling the future loses no row.
    ///
    /// # Errors
    /// The query failed; [`ErrorKind::Decode`](crate::error::ErrorKind::Decode) if a value does not fit.
    pub async fn next(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(values) = self.batch.next() {
                return T::from_row(Row::new(self.columns.clone(), values), &self.map).map(Some);
            }
            if !self.fetch().await? {
                return Ok(None);
            }
        }
    }

    /// Fetches a batch; whether there may be one.
    async fn fetch(&mut self) -> Result<bool> {
        let Some(rest) = &mut self.rest else { return Ok(false) };
        let mut inner = rest.call.line.lock().await?;
        let fetched = inner.fetch(&mut rest.execution, 0).await;
        drop(inner);
        let ended = !matches!(&fetched, Ok(fetch) if !fetch.done);
        if ended && let Some(rest) = self.rest.take() {
            drop(rest.execution);
            rest.call.end();
        }
        self.batch = fetched?.rows.into_iter();
        Ok(true)
    }

    /// The rows as a stream of the `futures` crate.
    pub fn into_stream(self) -> impl Stream<Item = Result<T>> {
        futures::stream::try_unfold(self, |mut rows| async move { Ok(rows.next().await?.map(|row| (row, rows))) })
    }
}

impl<T> Rows<T> {
    /// The columns of the result.
    #[must_use]
    pub fn columns(&self) -> &[ColumnDesc] {
        &self.columns
    }
}

impl<T> Drop for Rows<T> {
    fn drop(&mut self) {
        if let Some(Rest { call, execution }) = self.rest.take() {
            match call.home {
                Some(_) => drop(execution),
                None => call.line.abandon(execution),
            }
        }
    }
}

impl<T> std::fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("columns", &self.columns).finish_non_exhaustive()
    }
}
