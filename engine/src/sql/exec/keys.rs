//! Where rows live: keys of rows and index entries, and the spans that a scan reads.
//!
//! ```text
//!   primary     prefix(table, primary index) key columns...                       ─► the row's value
//!   secondary   prefix(table, index) key columns... [primary key columns...]      ─► primary key columns, encoded
//!                                                   └ unless unique and without NULL
//! ```
//! The value of an index entry repeats the encoded primary key, so that the row's key is found without decoding.
//!
//! Invariant: an index entry of a row is a function of the row, so that deleting it needs no search.

use super::Env;
use crate::error::{Error, Result, SqlState};
use crate::sql::catalog::{Index, Table};
use crate::sql::plan::{Bound, Expr, IndexSpan, Scan};
use crate::sql::row::{self, TableKey};
use crate::sql::types::{Type, Value};
use quorate_storage::Span;
use quorate_storage::keys::prefix_end;
use quorate_txn::Columns;
use std::borrow::Cow;

/// One column of a key.
#[derive(Clone, Debug)]
pub struct KeyColumn {
    /// Place in the table's columns.
    pub place: usize,
    /// Its type.
    pub ty: Type,
    /// Largest first.
    pub descending: bool,
}

/// The key columns of an index.
pub fn key_columns(table: &Table, index: &Index) -> Vec<KeyColumn> {
    let column = |key: &crate::sql::catalog::IndexColumn| {
        table.place(key.column).map(|place| KeyColumn {
            place,
            ty: table.columns[place].ty.clone(),
            descending: key.descending,
        })
    };
    index.columns.iter().filter_map(column).collect()
}

/// How the rows and entries of one index are encoded.
#[derive(Clone, Debug)]
pub struct IndexLayout {
    /// First bytes of all its keys.
    pub prefix: Vec<u8>,
    /// Its key columns.
    pub columns: Vec<KeyColumn>,
    /// Whether keys without NULL are unique.
    pub unique: bool,
}

impl IndexLayout {
    /// The layout of an index of `table`.
    pub fn new(table: &Table, index: &Index) -> IndexLayout {
        IndexLayout {
            prefix: TableKey::prefix(table.id.0, index.id.0),
            columns: key_columns(table, index),
            unique: index.unique,
        }
    }

    /// Appends the key columns of `row`; whether one of them is NULL.
    pub fn append_columns(&self, row: &[Value], key: &mut Vec<u8>) -> bool {
        let mut has_null = false;
        for column in &self.columns {
            has_null |= row[column.place].is_null();
            row::encode_key(key, &row[column.place], column.descending);
        }
        has_null
    }

    /// The key of a row in this index, if it is the primary one.
    pub fn row_key(&self, row: &[Value]) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.prefix.len() + 10 * self.columns.len());
        key.extend_from_slice(&self.prefix);
        self.append_columns(row, &mut key);
        key
    }

    /// The entry of a row in this secondary index: key, value, and whether the key is one that must be unique.
    pub fn entry(&self, primary: &IndexLayout, row: &[Value]) -> (Vec<u8>, Vec<u8>, bool) {
        let mut key = Vec::with_capacity(self.prefix.len() + 10 * (self.columns.len() + primary.columns.len()));
        key.extend_from_slice(&self.prefix);
        let has_null = self.append_columns(row, &mut key);
        let mut suffix = Vec::with_capacity(10 * primary.columns.len());
        primary.append_columns(row, &mut suffix);
        let unique = self.unique && !has_null;
        if !unique {
            key.extend_from_slice(&suffix);
        }
        (key, suffix, unique)
    }

    /// The span of all entries whose first columns equal `values`.
    pub fn prefix_span(&self, values: &[Value]) -> Span {
        Span::prefix(&self.prefix_key(values))
    }

    /// The encoding of the first columns.
    pub fn prefix_key(&self, values: &[Value]) -> Vec<u8> {
        let mut key = self.prefix.clone();
        for (column, value) in self.columns.iter().zip(values) {
            row::encode_key(&mut key, value, column.descending);
        }
        key
    }
}

/// What a scan needs to know to read and decode, worked out once per plan.
#[derive(Clone, Debug)]
pub struct ScanLayout {
    /// The index that is read.
    pub index: IndexLayout,
    /// Whether it is the primary one.
    pub is_primary: bool,
    /// The primary index, to fetch rows.
    pub primary_prefix: Vec<u8>,
    /// Columns to decode from a row's value, by id: column id, place in the output, type.
    pub row_columns: Vec<(u32, usize, Type)>,
    /// The ids of those columns: all that this scan uses of a row.
    pub used: Columns,
    /// If the index holds all that is needed: how to decode its key.
    pub covering: Option<Vec<KeyPart>>,
    /// Length of an output row.
    pub width: usize,
}

/// One column of an index entry's key, in the order in which they are encoded.
#[derive(Clone, Debug)]
pub struct KeyPart {
    /// Its type.
    pub ty: Type,
    /// Largest first.
    pub descending: bool,
    /// Place in the output, if it is wanted.
    pub slot: Option<usize>,
}

impl ScanLayout {
    /// The layout of a scan; XX000 if the plan names an index that the table has not.
    pub fn new(scan: &Scan) -> Result<ScanLayout> {
        let table = &scan.table;
        let index = table.index(scan.index).ok_or_else(|| Error::internal("a plan names an index that is gone"))?;
        let is_primary = index.id == table.primary.id;
        let layout = IndexLayout::new(table, index);
        let columns = scan.columns.iter().enumerate().map(|(slot, place)| {
            let column = &table.columns[*place];
            (column.id.0, slot, column.ty.clone())
        });
        let mut row_columns: Vec<_> = columns.collect();
        row_columns.sort_by_key(|(id, ..)| *id);
        let covering = if is_primary || scan.lock.is_some() { None } else { covering(scan, &layout) };
        Ok(ScanLayout {
            is_primary,
            primary_prefix: TableKey::prefix(table.id.0, table.primary.id.0),
            used: Some(row_columns.iter().map(|(id, ..)| *id).collect()),
            row_columns,
            covering,
            width: scan.columns.len(),
            index: layout,
        })
    }

    /// Decodes the wanted columns of a row.
    pub fn decode_row(&self, value: &[u8]) -> Result<Vec<Value>> {
        let mut out = vec![Value::Null; self.width];
        row::decode_row(value, &self.row_columns, &mut out)?;
        Ok(out)
    }

    /// Decodes the wanted columns of an index entry that holds them all.
    pub fn decode_entry(&self, parts: &[KeyPart], key: &[u8], suffix: &[u8]) -> Result<Vec<Value>> {
        let mut out = vec![Value::Null; self.width];
        let mut rest = key.get(self.index.prefix.len()..).ok_or_else(damaged)?;
        for (position, part) in parts.iter().enumerate() {
            if position == self.index.columns.len() {
                rest = suffix;
            }
            let value = row::decode_key(&mut rest, &part.ty, part.descending)?;
            if let Some(slot) = part.slot {
                out[slot] = value;
            }
        }
        Ok(out)
    }

    /// The key of the row to which an index entry belongs.
    pub fn row_key(&self, suffix: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.primary_prefix.len() + suffix.len());
        key.extend_from_slice(&self.primary_prefix);
        key.extend_from_slice(suffix);
        key
    }
}

fn damaged() -> Error {
    Error::new(SqlState::DATA_CORRUPTED, "an index entry is damaged")
}

/// How to answer from the index alone, if its key holds every wanted column in a form that decodes to the same value.
fn covering(scan: &Scan, layout: &IndexLayout) -> Option<Vec<KeyPart>> {
    let primary = key_columns(&scan.table, &scan.table.primary);
    let columns = layout.columns.iter().chain(&primary);
    let mut wanted: Vec<Option<usize>> = scan.columns.iter().copied().map(Some).collect();
    let mut parts = Vec::new();
    for column in columns {
        let slot =
            wanted.iter().position(|place| *place == Some(column.place)).filter(|_| row::is_exact_in_key(&column.ty));
        if let Some(slot) = slot {
            wanted[slot] = None;
        }
        parts.push(KeyPart { ty: column.ty.clone(), descending: column.descending, slot });
    }
    wanted.iter().all(Option::is_none).then_some(parts)
}

/// The spans with every array replaced by its elements. NULLs among them equal nothing.
pub fn elementwise<'s>(spans: &'s [IndexSpan], env: &Env) -> Result<Cow<'s, [IndexSpan]>> {
    if spans.iter().all(|span| span.any.is_none()) {
        return Ok(Cow::Borrowed(spans));
    }
    let mut out = Vec::new();
    for span in spans {
        let Some((place, expr)) = span.any.and_then(|place| Some((place, span.equal.get(place)?))) else {
            out.push(span.clone());
            continue;
        };
        let value = env.look(expr, &[])?;
        let Value::Array(array) = &*value else { continue };
        for element in array.values().iter().filter(|element| !element.is_null()) {
            let mut one = IndexSpan { any: None, ..span.clone() };
            one.equal[place] = Expr::literal(element.clone(), array.element_type().clone());
            out.push(one);
        }
    }
    Ok(Cow::Owned(out))
}

/// The spans of keys that a scan reads, sorted in scan order and without overlaps.
pub fn scan_spans(layout: &IndexLayout, spans: &[IndexSpan], reverse: bool, env: &Env) -> Result<Vec<Span>> {
    let mut out = Vec::with_capacity(spans.len());
    for span in spans {
        if let Some(span) = key_span(layout, span, env)?
            && span.start < span.end
        {
            out.push(span);
        }
    }
    if out.len() > 1 {
        out = merge(out);
    }
    if reverse {
        out.reverse();
    }
    Ok(out)
}

fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end && last.end < span.end => last.end = span.end,
            Some(last) if span.start < last.end => {}
            _ => merged.push(span),
        }
    }
    merged
}

/// `None` if a NULL makes the span empty.
fn key_span(layout: &IndexLayout, span: &IndexSpan, env: &Env) -> Result<Option<Span>> {
    let mut key = Vec::with_capacity(layout.prefix.len() + 10 * layout.columns.len());
    key.extend_from_slice(&layout.prefix);
    for (expr, column) in span.equal.iter().zip(&layout.columns) {
        let value = env.look(expr, &[])?;
        if value.is_null() {
            return Ok(None);
        }
        row::encode_key(&mut key, &value, column.descending);
    }
    let Some(column) = layout.columns.get(span.equal.len()) else {
        return Ok(Some(Span::prefix(&key)));
    };
    let lower = bound_key(&key, &span.lower, column, env)?;
    let upper = bound_key(&key, &span.upper, column, env)?;
    let (lower, upper) = match (lower, upper) {
        (BoundKey::Null, _) | (_, BoundKey::Null) => return Ok(None),
        (BoundKey::None, BoundKey::None) => return Ok(Some(Span::prefix(&key))),
        other => other,
    };
    Ok(Some(bounded(&key, lower, upper, column.descending)))
}

enum BoundKey {
    None,
    Null,
    At { key: Vec<u8>, inclusive: bool },
}

fn bound_key(prefix: &[u8], bound: &Bound, column: &KeyColumn, env: &Env) -> Result<BoundKey> {
    let Some(expr) = bound.value() else { return Ok(BoundKey::None) };
    let value = env.look(expr, &[])?;
    if value.is_null() {
        return Ok(BoundKey::Null);
    }
    let mut key = prefix.to_vec();
    row::encode_key(&mut key, &value, column.descending);
    Ok(BoundKey::At { key, inclusive: matches!(bound, Bound::Inclusive(_)) })
}

/// The span between two bounds of one column; NULLs (last ascending, first descending) are outside.
fn bounded(prefix: &[u8], lower: BoundKey, upper: BoundKey, descending: bool) -> Span {
    let mut null = prefix.to_vec();
    row::encode_key(&mut null, &Value::Null, descending);
    let (first, last) = if descending { (upper, lower) } else { (lower, upper) };
    let start = match first {
        BoundKey::At { key, inclusive: true } => key,
        BoundKey::At { key, inclusive: false } => prefix_end(&key),
        _ if descending => prefix_end(&null),
        _ => prefix.to_vec(),
    };
    let end = match last {
        BoundKey::At { key, inclusive: true } => prefix_end(&key),
        BoundKey::At { key, inclusive: false } => key,
        _ if descending => prefix_end(prefix),
        _ => null,
    };
    Span { start, end }
}

/// The key given by values for every key column; `None` if one is NULL.
pub fn point_key(layout: &IndexLayout, span: &IndexSpan, env: &Env) -> Result<Option<Vec<u8>>> {
    let mut key = Vec::with_capacity(layout.prefix.len() + 10 * layout.columns.len());
    key.extend_from_slice(&layout.prefix);
    for (expr, column) in span.equal.iter().zip(&layout.columns) {
        let value = env.look(expr, &[])?;
        if value.is_null() {
            return Ok(None);
        }
        row::encode_key(&mut key, &value, column.descending);
    }
    Ok(Some(key))
}
