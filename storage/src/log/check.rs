//! What both logs ask of an append and of a read, so that a caller's mistake is the same error in memory and on disk.

use super::{GroupAppend, LogBatch};
use crate::Error;
use raft::eraftpb::Entry;
use std::collections::VecDeque;

/// Bytes that an entry takes beside its payload: a rough figure for limits.
const ENTRY_OVERHEAD: u64 = 32;

/// Whether nothing but truncations is in the batch, so that it may wait for the next append.
pub fn only_truncates(batch: &LogBatch) -> bool {
    batch.granted.is_none()
        && batch.groups.iter().all(|group| group.entries.is_empty() && group.hard_state.is_none() && !group.reset)
}

/// Refuses entries with a gap: among themselves, behind the group's last entry, or before its first.
pub fn check_append(group: &GroupAppend, bounds: Option<(u64, u64)>) -> Result<(), Error> {
    let Some(first) = group.entries.first().map(|entry| entry.index) else {
        return Ok(());
    };
    let gapless = (first..).zip(&group.entries).all(|(index, entry)| entry.index == index);
    let joins = match bounds {
        Some((held_first, held_last)) if !group.reset => (held_first..=held_last.saturating_add(1)).contains(&first),
        _ => true,
    };
    if gapless && joins {
        return Ok(());
    }
    let low = bounds.map_or(first, |(_, last)| last.saturating_add(1));
    Err(Error::LogGap { range: group.range, low, high: first })
}

/// Approximate size of an entry in memory, in bytes.
pub fn entry_bytes(entry: &Entry) -> u64 {
    (entry.data.len() + entry.context.len()) as u64 + ENTRY_OVERHEAD
}

/// Entries `[low, high)` out of `entries`, of which `bounds` are visible: at most about `max_bytes`, at least one.
/// `None` if one of them is missing.
pub fn select(
    entries: &VecDeque<Entry>,
    bounds: Option<(u64, u64)>,
    low: u64,
    high: u64,
    max_bytes: u64,
) -> Option<Vec<Entry>> {
    if low >= high {
        return Some(Vec::new());
    }
    let (first, last) = bounds?;
    let held_first = entries.front()?.index;
    if low < first || high > last.saturating_add(1) {
        return None;
    }
    let mut bytes = 0;
    let mut selected = Vec::new();
    for entry in entries.range((low - held_first) as usize..(high - held_first) as usize) {
        bytes += entry_bytes(entry);
        if bytes > max_bytes && !selected.is_empty() {
            break;
        }
        selected.push(entry.clone());
    }
    Some(selected)
}
