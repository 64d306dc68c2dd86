//! Building indexes, and tables anew, from the rows that exist.

use super::super::dml::TableLayout;
use super::super::keys::IndexLayout;
use super::super::sequence::retry;
use super::super::{Env, Row};
use super::writer::Writer;
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{Index, IndexId, Table};
use crate::sql::exec::dml::key_detail;
use quorate_storage::Span;
use quorate_txn::{Isolation, Scan};

/// Entries written in one transaction.
const CHUNK: usize = 2_000;

/// A pair to be written: key, value, and whether the key must be free.
type Entry = (Vec<u8>, Vec<u8>, bool);

/// Visits all rows of a table, page by page, so that the transaction's commit fails if one is changed meanwhile.
pub struct Rows<'t> {
    layout: &'t TableLayout,
    next: Option<Span>,
}

impl<'t> Rows<'t> {
    /// All rows of the table of `layout`.
    pub fn new(writer: &mut Writer<'_, '_>, layout: &'t TableLayout) -> Rows<'t> {
        let span = Span::prefix(&layout.primary.prefix);
        if writer.context.txn.isolation() != Isolation::Serializable {
            writer.context.txn.must_stay_valid(span.clone(), &None);
        }
        Rows { layout, next: Some(span) }
    }

    /// The next rows; `None` at the end.
    pub async fn next(&mut self, writer: &mut Writer<'_, '_>) -> Result<Option<Vec<Row>>> {
        let Some(span) = self.next.take() else { return Ok(None) };
        let page =
            writer.context.txn.scan(Scan { span, limit: Some(CHUNK as u64), reverse: false, lock: None }).await?;
        self.next = page.resume;
        page.pairs.iter().map(|(_, value)| self.layout.decode(value)).collect::<Result<_>>().map(Some)
    }
}

/// Writes the entries of a new index of `table`.
pub async fn build_index(writer: &mut Writer<'_, '_>, table: &Table, index: &Index) -> Result<()> {
    let layout = TableLayout::new(std::sync::Arc::new(table.clone()));
    let index_layout = IndexLayout::new(table, index);
    let mut rows = Rows::new(writer, &layout);
    while let Some(page) = rows.next(writer).await? {
        let entries: Vec<Entry> = page.iter().map(|row| index_layout.entry(&layout.primary, row)).collect();
        let duplicate = write_entries(writer, entries).await?;
        if let Some(place) = duplicate {
            return Err(not_unique(writer.context.env, table, index, &index_layout, &page[place]));
        }
    }
    Ok(())
}

/// Writes all rows of `old` as rows of `new`, whose indexes have ids of their own; `convert` makes the new row.
pub async fn rebuild(
    writer: &mut Writer<'_, '_>,
    old: &Table,
    new: &Table,
    mut convert: impl FnMut(&Env, Row) -> Result<Row>,
) -> Result<()> {
    let old_layout = TableLayout::new(std::sync::Arc::new(old.clone()));
    let layout = TableLayout::new(std::sync::Arc::new(new.clone()));
    let mut rows = Rows::new(writer, &old_layout);
    while let Some(page) = rows.next(writer).await? {
        let mut converted = Vec::with_capacity(page.len());
        for row in page {
            converted.push(convert(writer.context.env, row)?);
        }
        let mut primary = Vec::with_capacity(converted.len());
        for row in &converted {
            primary.push((layout.primary.row_key(row), layout.row_value(row)?, true));
        }
        if let Some(place) = write_entries(writer, primary).await? {
            let row = &converted[place];
            return Err(not_unique(writer.context.env, new, &new.primary, &layout.primary, row));
        }
        for (index, index_layout) in new.indexes.iter().zip(&layout.secondary) {
            let entries = converted.iter().map(|row| index_layout.entry(&layout.primary, row)).collect();
            if let Some(place) = write_entries(writer, entries).await? {
                return Err(not_unique(writer.context.env, new, index, index_layout, &converted[place]));
            }
        }
    }
    Ok(())
}

/// Gives every index of the table a new id, so that its data can be written beside the old.
pub async fn renew_index_ids(writer: &mut Writer<'_, '_>, table: &mut Table) -> Result<()> {
    table.primary.id = IndexId(writer.id().await?);
    for place in 0..table.indexes.len() {
        table.indexes[place].id = IndexId(writer.id().await?);
    }
    Ok(())
}

/// Writes entries; the place of one whose key is taken though it must be free.
async fn write_entries(writer: &mut Writer<'_, '_>, entries: Vec<Entry>) -> Result<Option<usize>> {
    if let Some(place) = repeated(&entries) {
        return Ok(Some(place));
    }
    if !writer.in_block {
        let shared = std::sync::Arc::new(entries);
        return retry(writer.context.client, |txn| {
            let entries = shared.clone();
            Box::pin(async move { write_chunk(txn, &entries).await })
        })
        .await;
    }
    write_chunk(writer.context.txn, &entries).await
}

fn repeated(entries: &[Entry]) -> Option<usize> {
    let mut seen = std::collections::BTreeSet::new();
    entries.iter().position(|(key, _, unique)| *unique && !seen.insert(key.as_slice()))
}

async fn write_chunk(txn: &mut quorate_txn::Transaction, entries: &[Entry]) -> Result<Option<usize>> {
    let unique: Vec<usize> = (0..entries.len()).filter(|place| entries[*place].2).collect();
    let keys: Vec<Vec<u8>> = unique.iter().map(|place| entries[*place].0.clone()).collect();
    if !keys.is_empty() {
        let present = txn.get_many(keys, None).await?;
        let taken = unique.into_iter().zip(present).find(|(place, present)| {
            present.as_ref().is_some_and(|present| present.as_ref() != entries[*place].1.as_slice())
        });
        if let Some((place, _)) = taken {
            return Ok(Some(place));
        }
    }
    for (key, value, _) in entries {
        txn.put(key.clone(), value.clone());
    }
    Ok(None)
}

fn not_unique(env: &Env, table: &Table, index: &Index, layout: &IndexLayout, row: &Row) -> Error {
    let columns = layout.columns.iter().map(|column| (table.columns[column.place].name.as_str(), &row[column.place]));
    let key = key_detail(env, columns);
    Error::new(SqlState::UNIQUE_VIOLATION, format!("could not create unique index \"{}\"", index.name))
        .with_detail(format!("{key} is duplicated."))
        .with_table(table.name.clone())
        .with_constraint(index.name.clone())
}
