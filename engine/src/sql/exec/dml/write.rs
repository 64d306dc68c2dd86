//! Rows of one table as keys and values, and the constraints that a row holds by itself.

use super::super::keys::IndexLayout;
use super::super::run::Context;
use super::{Row, violation};
use crate::error::Result;
use crate::sql::catalog::Table;
use crate::sql::plan::TableCheck;
use crate::sql::row;
use crate::sql::types::Value;
use quorate_storage::Span;
use quorate_txn::{Isolation, Transaction};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How rows of a table are stored, worked out once per plan.
#[derive(Debug)]
pub struct TableLayout {
    /// The table.
    pub table: Arc<Table>,
    /// Its primary index.
    pub primary: IndexLayout,
    /// Its other indexes, in the order of the descriptor.
    pub secondary: Vec<IndexLayout>,
    /// Columns of a whole row, by id: column id, place, type.
    pub all_columns: Vec<(u32, usize, crate::sql::types::Type)>,
    /// Place of the hidden row id, if there is one.
    pub rowid: Option<usize>,
}

impl TableLayout {
    /// The layout of a table.
    pub fn new(table: Arc<Table>) -> TableLayout {
        let columns = table.columns.iter().enumerate();
        let mut all_columns: Vec<_> = columns.map(|(place, column)| (column.id.0, place, column.ty.clone())).collect();
        all_columns.sort_by_key(|(id, ..)| *id);
        TableLayout {
            primary: IndexLayout::new(&table, &table.primary),
            secondary: table.indexes.iter().map(|index| IndexLayout::new(&table, index)).collect(),
            all_columns,
            rowid: table.columns.iter().position(|column| column.hidden),
            table,
        }
    }

    /// The value under the row's key.
    pub fn row_value(&self, row: &[Value]) -> Result<Vec<u8>> {
        let mut value = Vec::with_capacity(16 + 8 * row.len());
        row::encode_row(self.all_columns.iter().map(|(id, place, _)| (*id, &row[*place])), &mut value);
        Ok(value)
    }

    /// A whole row from its value.
    pub fn decode(&self, value: &[u8]) -> Result<Row> {
        let mut out = vec![Value::Null; self.all_columns.len()];
        row::decode_row(value, &self.all_columns, &mut out)?;
        Ok(out)
    }

    /// Writes a new row and its index entries.
    pub fn put(&self, txn: &mut Transaction, row: &[Value]) -> Result<()> {
        for index in &self.secondary {
            let (key, suffix, _) = index.entry(&self.primary, row);
            txn.put(key, suffix);
        }
        txn.put(self.primary.row_key(row), self.row_value(row)?);
        Ok(())
    }

    /// Removes a row and its index entries.
    pub fn delete(&self, txn: &mut Transaction, row: &[Value]) {
        for index in &self.secondary {
            txn.delete(index.entry(&self.primary, row).0);
        }
        txn.delete(self.primary.row_key(row));
    }

    /// The keys of a row that must be unique: index (`None` is the primary one) and key.
    /// A hidden row id is new by construction (`Sequences::rowid`).
    pub fn unique_keys(&self, row: &[Value]) -> Vec<(Option<usize>, Vec<u8>)> {
        let mut keys = Vec::new();
        if self.rowid.is_none() {
            keys.push((None, self.primary.row_key(row)));
        }
        for (place, index) in self.secondary.iter().enumerate().filter(|(_, index)| index.unique) {
            let (key, _, unique) = index.entry(&self.primary, row);
            if unique {
                keys.push((Some(place), key));
            }
        }
        keys
    }

    /// The layout of an index by its place.
    pub fn index(&self, place: Option<usize>) -> &IndexLayout {
        place.map_or(&self.primary, |place| &self.secondary[place])
    }
}

/// NOT NULL and CHECK constraints of a new row.
pub async fn check_row(context: &mut Context<'_>, table: &Table, checks: &[TableCheck], row: &[Value]) -> Result<()> {
    for (column, value) in table.columns.iter().zip(row) {
        if !column.nullable && value.is_null() && !column.hidden {
            return Err(violation::not_null(context.env, table, &column.name, row));
        }
    }
    for check in checks {
        let value = context.env.eval(&check.condition, row)?;
        if value.as_bool() == Some(false) {
            return Err(violation::check(context.env, table, &check.name, row));
        }
    }
    Ok(())
}

/// Below SERIALIZABLE, reads that constraints depend on must be said to matter.
pub fn depend_on(txn: &mut Transaction, key: &[u8]) {
    if txn.isolation() != Isolation::Serializable {
        txn.must_stay_valid(Span::point(key), &Some([].into()));
    }
}

/// Reads keys that are to be absent; the value of each.
pub async fn read_keys(txn: &mut Transaction, keys: &[Vec<u8>]) -> Result<Vec<Option<bytes::Bytes>>> {
    for key in keys {
        depend_on(txn, key);
    }
    match keys {
        [] => Ok(Vec::new()),
        [key] => Ok(vec![txn.get(key, None).await?]),
        keys => Ok(txn.get_many(keys.to_vec(), None).await?),
    }
}

/// Replaces rows: `changes` are old and new rows. Keys that change must be free once all old ones are gone.
pub async fn replace(context: &mut Context<'_>, layout: &TableLayout, changes: &[(Row, Row)]) -> Result<()> {
    let mut wanted: Vec<(usize, Option<usize>, Vec<u8>)> = Vec::new();
    for (place, (old, new)) in changes.iter().enumerate() {
        let (old_key, new_key) = (layout.primary.row_key(old), layout.primary.row_key(new));
        if old_key != new_key {
            context.txn.delete(old_key);
            wanted.push((place, None, new_key));
        }
        for (index_place, index) in layout.secondary.iter().enumerate() {
            let (old_key, ..) = index.entry(&layout.primary, old);
            let (new_key, _, unique) = index.entry(&layout.primary, new);
            if old_key != new_key {
                context.txn.delete(old_key);
                if unique {
                    wanted.push((place, Some(index_place), new_key));
                }
            }
        }
    }
    let keys: Vec<Vec<u8>> = wanted.iter().map(|(_, _, key)| key.clone()).collect();
    let present = read_keys(context.txn, &keys).await?;
    let mut taken = BTreeSet::new();
    for ((place, index, key), present) in wanted.into_iter().zip(present) {
        if present.is_some() || !taken.insert(key) {
            return Err(violation::unique(context.env, layout, index, &changes[place].1));
        }
    }
    for (old, new) in changes {
        put_changed(context.txn, layout, old, new)?;
    }
    Ok(())
}

/// Writes the new row, and those of its index entries that changed.
fn put_changed(txn: &mut Transaction, layout: &TableLayout, old: &[Value], new: &[Value]) -> Result<()> {
    for index in &layout.secondary {
        let (old_key, old_suffix, _) = index.entry(&layout.primary, old);
        let (key, suffix, _) = index.entry(&layout.primary, new);
        if old_key != key || old_suffix != suffix {
            txn.put(key, suffix);
        }
    }
    txn.put(layout.primary.row_key(new), layout.row_value(new)?);
    Ok(())
}
