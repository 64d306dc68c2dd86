//! Join with rows found by keys made from the left row: a batch of gets when the key is whole, a scan per left row
//! otherwise.

use super::super::keys::{IndexLayout, ScanLayout};
use super::super::program::{Step, Tree};
use super::super::{Context, Row};
use super::Operator;
use super::join::{Matched, Pairing};
use super::scan::{lock_request, read_entries};
use crate::error::Result;
use crate::sql::plan::Scan;
use crate::sql::types::Value;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// State of a lookup join.
pub struct Lookup {
    tree: Arc<Tree>,
    left: Operator,
}

impl Lookup {
    /// A join at its beginning.
    pub fn new(tree: Arc<Tree>) -> Lookup {
        let left = Operator::new(&tree.inputs[0]);
        Lookup { tree, left }
    }

    /// The next rows.
    pub async fn next(&mut self, context: &mut Context<'_>) -> Result<Option<Vec<Row>>> {
        let tree = self.tree.clone();
        let Step::LookupJoin { scan, layout, kind, filter } = &tree.step else { return Ok(None) };
        let pairing = Pairing { kind: *kind, filter: filter.as_ref(), right_width: layout.width };
        while let Some(left) = self.left.next(context).await? {
            let mut keys = Vec::with_capacity(left.len());
            for row in &left {
                keys.push(lookup_key(scan, &layout.index, row, context)?);
            }
            let whole = scan.spans.first().is_some_and(|span| span.equal.len() == layout.index.columns.len());
            let found = if whole && layout.is_primary {
                fetch_points(scan, layout, &keys, context).await?
            } else {
                fetch_spans(scan, layout, &keys, context).await?
            };
            let mut out = Vec::new();
            for (row, key) in left.into_iter().zip(&keys) {
                let partners = key.as_ref().and_then(|key| found.get(key)).map_or(&[][..], Vec::as_slice);
                let mut matched = Matched::default();
                for partner in partners {
                    if pairing.pair(&row, partner, &mut matched, &mut out, context).await? {
                        break;
                    }
                }
                pairing.finish(row, &matched, &mut out);
            }
            if !out.is_empty() {
                return Ok(Some(out));
            }
        }
        Ok(None)
    }
}

/// The key made from a left row; `None` if a value is NULL.
fn lookup_key(scan: &Scan, index: &IndexLayout, row: &[Value], context: &Context<'_>) -> Result<Option<Vec<u8>>> {
    let Some(span) = scan.spans.first() else { return Ok(None) };
    let values = context.env.eval_all(&span.equal, row)?;
    Ok((!values.iter().any(Value::is_null)).then(|| index.prefix_key(&values)))
}

type Found = BTreeMap<Vec<u8>, Vec<Row>>;

fn distinct(keys: &[Option<Vec<u8>>]) -> Vec<Vec<u8>> {
    let mut distinct: Vec<Vec<u8>> = keys.iter().flatten().cloned().collect();
    distinct.sort();
    distinct.dedup();
    distinct
}

async fn fetch_points(
    scan: &Scan,
    layout: &ScanLayout,
    keys: &[Option<Vec<u8>>],
    context: &mut Context<'_>,
) -> Result<Found> {
    let keys = distinct(keys);
    let mut found = Found::new();
    if keys.is_empty() {
        return Ok(found);
    }
    let values = context.txn.get_many_columns(keys.clone(), lock_request(scan.lock), &layout.used).await?;
    for (key, value) in keys.into_iter().zip(values) {
        let Some(value) = value else { continue };
        let row = layout.decode_row(&value)?;
        let keep = match &scan.filter {
            Some(filter) => context.holds(filter, &row).await?,
            None => true,
        };
        if keep {
            found.insert(key, vec![row]);
        }
    }
    Ok(found)
}

async fn fetch_spans(
    scan: &Scan,
    layout: &ScanLayout,
    keys: &[Option<Vec<u8>>],
    context: &mut Context<'_>,
) -> Result<Found> {
    let mut found = Found::new();
    for key in distinct(keys) {
        let lock = if layout.is_primary && scan.filter.is_none() { lock_request(scan.lock) } else { None };
        let mut next = Some(quorate_storage::Span::prefix(&key));
        let mut pairs: Vec<(Bytes, Bytes)> = Vec::new();
        while let Some(span) = next {
            let request = quorate_txn::Scan { span, limit: None, reverse: scan.reverse, lock };
            let used = if layout.is_primary { &layout.used } else { &None };
            let page = context.txn.scan_columns(request, used).await?;
            pairs.extend(page.pairs);
            next = page.resume;
        }
        if !pairs.is_empty() {
            let rows = read_entries(scan, layout, pairs, context).await?;
            found.insert(key, rows);
        }
    }
    Ok(found)
}
