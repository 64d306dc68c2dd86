//! Reading versions from an engine.

use super::version::{self, Version};
use crate::TxnId;
use bytes::Bytes;
use quorate_storage::engine::{Pair, Pairs};
use quorate_storage::{Engine, Error, Keyspace, Span, keys};

/// The newest version of `key`, if it ever had one.
pub fn newest(engine: &dyn Engine, key: &[u8]) -> Result<Option<Version>, Error> {
    engine.get(Keyspace::Data, key)?.map(|stored| version::decode_newest(&stored)).transpose()
}

/// The value of `key` at `at`: of its newest version with an ID <= `at`.
pub fn read_at(engine: &dyn Engine, key: &[u8], at: TxnId) -> Result<Option<Bytes>, Error> {
    match newest(engine, key)? {
        None => Ok(None),
        Some(version) if version.id <= at => Ok(version.value),
        Some(_) => Ok(older(engine, key, at)?.and_then(|version| version.value)),
    }
}

/// The newest version of `key` in History with an ID <= `at`.
fn older(engine: &dyn Engine, key: &[u8], at: TxnId) -> Result<Option<Version>, Error> {
    let span = Span::new(version::history_key(key, at), keys::prefix_end(&keys::escape_terminated(key)));
    let Some(pair) = engine.scan(Keyspace::History, &span).next() else {
        return Ok(None);
    };
    let (engine_key, stored) = pair?;
    Ok(Some(Version { id: version::history_id(&engine_key)?, value: version::decode_history(&stored)? }))
}

/// Where a scan stops before the end of its span.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// After so many pairs.
    pub pairs: usize,
    /// After the pair that reaches so many bytes of keys and values.
    pub bytes: usize,
}

/// What a scan found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Pairs in scan order.
    pub pairs: Vec<Pair>,
    /// The rest of the span if a limit stopped the scan.
    pub resume: Option<Span>,
    /// The greatest ID among the newest versions of the keys visited, also of deleted ones.
    pub greatest: TxnId,
}

/// The pairs of `span` as of `at`, ascending or descending.
pub fn scan_at(engine: &dyn Engine, span: &Span, at: TxnId, reverse: bool, limits: Limits) -> Result<Scanned, Error> {
    let mut scanned = Scanned::default();
    let mut bytes = 0;
    for pair in data_pairs(engine, span, reverse) {
        let (key, stored) = pair?;
        scanned.greatest = scanned.greatest.max(version::newest_id(&stored)?);
        let Some(value) = visible(engine, &key, &stored, at)? else {
            continue;
        };
        bytes += key.len() + value.len();
        let full = scanned.pairs.len() + 1 >= limits.pairs || bytes >= limits.bytes;
        scanned.pairs.push((key, value));
        if full {
            scanned.resume = scanned.pairs.last().and_then(|(key, _)| rest(span, key, reverse));
            break;
        }
    }
    Ok(scanned)
}

fn data_pairs<'a>(engine: &'a dyn Engine, span: &Span, reverse: bool) -> Pairs<'a> {
    if reverse { engine.scan_reverse(Keyspace::Data, span) } else { engine.scan(Keyspace::Data, span) }
}

fn visible(engine: &dyn Engine, key: &[u8], stored: &Bytes, at: TxnId) -> Result<Option<Bytes>, Error> {
    let version = version::decode_newest(stored)?;
    if version.id <= at {
        return Ok(version.value);
    }
    Ok(older(engine, key, at)?.and_then(|version| version.value))
}

/// What a scan of `span` that has come to `key` has still to visit.
fn rest(span: &Span, key: &[u8], reverse: bool) -> Option<Span> {
    let rest = if reverse {
        Span::new(span.start.as_slice(), key)
    } else {
        Span { start: Span::point(key).end, end: span.end.clone() }
    };
    (rest.start < rest.end).then_some(rest)
}

/// The first key of `span` that has a version in `(from, to]`, tombstones counted, unless it has a value both at `from`
/// and at `to` that are the `same`.
pub fn changed_in(
    engine: &dyn Engine,
    span: &Span,
    interval: (TxnId, TxnId),
    same: &dyn Fn(&[u8], &[u8]) -> bool,
) -> Result<Option<Vec<u8>>, Error> {
    if let Some(key) = single_key(span) {
        let Some(stored) = engine.get(Keyspace::Data, key)? else {
            return Ok(None);
        };
        return Ok(changed(engine, key, &stored, interval, same)?.then(|| key.to_vec()));
    }
    for pair in engine.scan(Keyspace::Data, span) {
        let (key, stored) = pair?;
        if changed(engine, &key, &stored, interval, same)? {
            return Ok(Some(key.to_vec()));
        }
    }
    Ok(None)
}

fn changed(
    engine: &dyn Engine,
    key: &[u8],
    stored: &Bytes,
    (from, to): (TxnId, TxnId),
    same: &dyn Fn(&[u8], &[u8]) -> bool,
) -> Result<bool, Error> {
    if version::newest_id(stored)? <= from {
        return Ok(false);
    }
    let newest = version::decode_newest(stored)?;
    let after = if newest.id <= to { Some(newest) } else { older(engine, key, to)? };
    let Some(after) = after.filter(|version| version.id > from) else { return Ok(false) };
    let Some(after) = after.value else { return Ok(true) };
    let before = older(engine, key, from)?.and_then(|version| version.value);
    Ok(!before.is_some_and(|before| same(&before, &after)))
}

/// The key of a span made by [`Span::point`].
fn single_key(span: &Span) -> Option<&[u8]> {
    let (last, key) = span.end.split_last()?;
    (*last == 0 && key == span.start.as_slice()).then_some(key)
}
