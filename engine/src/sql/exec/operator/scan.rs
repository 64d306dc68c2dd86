//! Rows of a table through one of its indexes.
//!
//! ```text
//!   point, primary      get                       one request
//!   points              get_many                  one request per range
//!   spans, primary      scan                      page by page
//!   secondary           scan, then get_many       unless the entry holds all that is needed
//! ```
//! Locks: a primary scan without residual filter locks in the read itself. Otherwise rows are read first and those that
//! pass the filter are locked and read again, since their newest versions may differ.

use super::super::keys::{ScanLayout, elementwise, point_key, scan_spans};
use super::super::program::{Step, Tree};
use super::super::{Context, Row};
use super::some_rows;
use crate::error::{Error, Result, SqlState};
use crate::sql::plan::{Lock, Scan};
use crate::sql::types::Value;
use bytes::Bytes;
use quorate_storage::Span;
use quorate_txn::{LockMode, LockWait};
use std::collections::VecDeque;
use std::sync::Arc;

/// Entries of the first page of a scan without limit; doubled from page to page.
const FIRST_PAGE: u64 = 256;
/// Entries of later pages at most.
const MAX_PAGE: u64 = 8_192;

/// State of a scan.
pub struct ScanOperator {
    tree: Arc<Tree>,
    spans: VecDeque<Span>,
    started: bool,
    left: Option<u64>,
    page: u64,
}

/// A lock in the words of the transactional map.
pub fn lock_request(lock: Option<Lock>) -> Option<(LockMode, LockWait)> {
    lock.map(|lock| (lock.mode, lock.wait))
}

impl ScanOperator {
    /// A scan at its beginning.
    pub fn new(tree: Arc<Tree>) -> ScanOperator {
        ScanOperator { tree, spans: VecDeque::new(), started: false, left: None, page: FIRST_PAGE }
    }

    /// The next rows.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let tree = self.tree.clone();
        let Step::Scan(scan, layout) = &tree.step else { return Ok(None) };
        if !self.started {
            self.started = true;
            if let Some(rows) = self.begin(scan, layout, context).await? {
                return Ok(some_rows(rows));
            }
        }
        while self.left != Some(0) {
            super::give_way().await;
            let Some(span) = self.spans.pop_front() else { return Ok(None) };
            let rows = self.read_page(scan, layout, span, context).await?;
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    /// Works out what to read; answers at once what needs no scan.
    async fn begin(&mut self, scan: &Scan, layout: &ScanLayout, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        if let Some(limit) = &scan.limit {
            self.left = context.env.look(limit, &[])?.as_i64().map(|limit| limit.max(0) as u64);
            if self.left == Some(0) {
                return Ok(None);
            }
        }
        let full =
            !scan.spans.is_empty() && scan.spans.iter().all(|span| span.equal.len() == layout.index.columns.len());
        if full && layout.is_primary {
            return self.get_points(scan, layout, context).await.map(Some);
        }
        let spans = elementwise(&scan.spans, context.env)?;
        self.spans = scan_spans(&layout.index, &spans, scan.reverse, context.env)?.into();
        Ok(None)
    }

    async fn get_points(&mut self, scan: &Scan, layout: &ScanLayout, context: &mut Context<'_>) -> Result<Vec<Row>> {
        let lock = lock_request(scan.lock);
        let spans = elementwise(&scan.spans, context.env)?;
        if let [span] = &*spans {
            let Some(key) = point_key(&layout.index, span, context.env)? else { return Ok(Vec::new()) };
            let Some(value) = context.txn.get_columns(&key, lock, &layout.used).await? else { return Ok(Vec::new()) };
            let row = layout.decode_row(&value)?;
            let keep = passes(scan, &row, context).await?;
            return Ok(if keep { vec![row] } else { Vec::new() });
        }
        let mut keys = Vec::with_capacity(spans.len());
        for span in spans.iter() {
            keys.extend(point_key(&layout.index, span, context.env)?);
        }
        keys.sort();
        keys.dedup();
        if scan.reverse {
            keys.reverse();
        }
        let values = context.txn.get_many_columns(keys, lock, &layout.used).await?;
        let mut rows = Vec::with_capacity(values.len());
        for value in values.into_iter().flatten() {
            let row = layout.decode_row(&value)?;
            if passes(scan, &row, context).await? {
                rows.push(row);
            }
        }
        rows.truncate(self.left.map_or(usize::MAX, |left| left as usize));
        Ok(rows)
    }

    async fn read_page(
        &mut self,
        scan: &Scan,
        layout: &ScanLayout,
        span: Span,
        context: &mut Context<'_>,
    ) -> Result<Vec<Row>> {
        let in_scan = layout.is_primary && scan.filter.is_none();
        let limit = match self.left {
            Some(left) if scan.filter.is_none() => left.min(MAX_PAGE),
            _ => self.page,
        };
        self.page = (self.page * 2).min(MAX_PAGE);
        let lock = if in_scan { lock_request(scan.lock) } else { None };
        let request = quorate_txn::Scan { span, limit: Some(limit), reverse: scan.reverse, lock };
        let used = if layout.is_primary { &layout.used } else { &None };
        let page = context.txn.scan_columns(request, used).await?;
        if let Some(resume) = page.resume {
            self.spans.push_front(resume);
        }
        let mut rows = read_entries(scan, layout, page.pairs, context).await?;
        if let Some(left) = &mut self.left {
            rows.truncate(*left as usize);
            *left -= rows.len() as u64;
        }
        Ok(rows)
    }
}

async fn passes(scan: &Scan, row: &[Value], context: &mut Context<'_>) -> Result<bool> {
    match &scan.filter {
        Some(filter) => context.holds(filter, row).await,
        None => Ok(true),
    }
}

/// Rows of index entries: decoded or fetched, filtered, locked.
pub async fn read_entries(
    scan: &Scan,
    layout: &ScanLayout,
    pairs: Vec<(Bytes, Bytes)>,
    context: &mut Context<'_>,
) -> Result<Vec<Row>> {
    if let Some(parts) = &layout.covering {
        let mut rows = Vec::with_capacity(pairs.len());
        for (key, suffix) in pairs {
            let row = layout.decode_entry(parts, &key, &suffix)?;
            if passes(scan, &row, context).await? {
                rows.push(row);
            }
        }
        return Ok(rows);
    }
    if layout.is_primary {
        return primary_rows(scan, layout, pairs, context).await;
    }
    let keys: Vec<Vec<u8>> = pairs.iter().map(|(_, suffix)| layout.row_key(suffix)).collect();
    let in_get = scan.filter.is_none();
    let lock = if in_get { lock_request(scan.lock) } else { None };
    let values = context.txn.get_many_columns(keys.clone(), lock, &layout.used).await?;
    let mut found = Vec::with_capacity(values.len());
    for (key, value) in keys.into_iter().zip(values) {
        match value {
            Some(value) => found.push((Bytes::from(key), value)),
            None if scan.lock.is_some_and(|lock| lock.wait == LockWait::SkipLocked) => {}
            None => return Err(Error::new(SqlState::DATA_CORRUPTED, "an index entry has no row")),
        }
    }
    if in_get {
        return found.iter().map(|(_, value)| layout.decode_row(value)).collect();
    }
    primary_rows(scan, layout, found, context).await
}

/// Decodes and filters rows; locks those that pass if the read did not.
async fn primary_rows(
    scan: &Scan,
    layout: &ScanLayout,
    pairs: Vec<(Bytes, Bytes)>,
    context: &mut Context<'_>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::with_capacity(pairs.len());
    let mut keys = Vec::new();
    let relock = scan.filter.is_some() && scan.lock.is_some();
    for (key, value) in pairs {
        let row = layout.decode_row(&value)?;
        if passes(scan, &row, context).await? {
            rows.push(row);
            if relock {
                keys.push(key.to_vec());
            }
        }
    }
    if !relock || keys.is_empty() {
        return Ok(rows);
    }
    let values = context.txn.get_many_columns(keys, lock_request(scan.lock), &layout.used).await?;
    let mut locked = Vec::with_capacity(rows.len());
    for value in values.into_iter().flatten() {
        let row = layout.decode_row(&value)?;
        if passes(scan, &row, context).await? {
            locked.push(row);
        }
    }
    Ok(locked)
}
