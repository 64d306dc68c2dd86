//! Which ID was the newest at a time in the past.
//!
//! ```text
//!   sample    (time, largest ID handed out before), taken when IDs are handed out and the last sample is old enough
//!
//!   time   ──●─────●──────────────────●──►       between two samples: the next one's ID, since nothing was handed out
//!            7     19                 42         later than a spacing after a sample; within the spacing, a share
//! ```
//! The leader remembers the last minutes finely; coarse samples lie in the log, for its successors and for as long as old
//! versions are kept. Only the time that a person means is translated here; whatever comes out is the ID of a state that
//! was, and no order depends on a clock.

use crate::TxnId;
use std::collections::VecDeque;
use std::time::Duration;

/// Between two samples in memory.
const FINE: Duration = Duration::from_millis(10);
/// How many are remembered in memory.
const MOST: usize = 16 << 10;
/// Between two samples in the log.
pub(super) const COARSE: Duration = Duration::from_secs(5);

/// A time in microseconds since 1970, and the largest ID handed out before.
pub(super) type Sample = (u64, TxnId);

/// What a leader remembers of its term.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    fine: VecDeque<Sample>,
    /// The last one that was (or is being) written to the log.
    written: Option<u64>,
}

impl Past {
    /// IDs are about to be handed out; `newest` is the largest so far. Whether that is to be written to the log as well.
    pub fn note(&mut self, now: u64, newest: TxnId) -> bool {
        // A clock that was set back: what comes until it has caught up belongs to the last sample.
        if self.fine.back().is_none_or(|(last, _)| now >= last.saturating_add(micros(FINE))) {
            self.fine.push_back((now, newest));
            if self.fine.len() > MOST {
                self.fine.pop_front();
            }
        }
        let due = self.written.is_none_or(|last| now >= last.saturating_add(micros(COARSE)));
        if due {
            self.written = Some(now);
        }
        due
    }

    /// The newest ID at `time`, as far as this term knows; else the oldest sample of the term.
    pub fn at(&self, time: u64, newest: TxnId) -> Result<TxnId, Option<Sample>> {
        let after = self.fine.partition_point(|(at, _)| *at <= time);
        let Some(before) = after.checked_sub(1) else { return Err(self.fine.front().copied()) };
        let next = self.fine.get(after).map_or(newest, |(_, id)| *id);
        Ok(between(self.fine[before], next, time, FINE))
    }
}

/// The newest ID at `time`, which lies after the sample `before`; the next sample has `next`.
pub(super) fn between(before: Sample, next: TxnId, time: u64, spacing: Duration) -> TxnId {
    let (passed, spacing) = (time.saturating_sub(before.0), micros(spacing));
    if passed >= spacing {
        return next;
    }
    let share = u128::from(next.0.saturating_sub(before.1.0)) * u128::from(passed) / u128::from(spacing.max(1));
    TxnId(before.1.0 + u64::try_from(share).unwrap_or(0))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_newest_id_before_it() {
        let mut past = Past::default();
        assert!(past.note(1_000_000, TxnId(7)), "the first is written");
        assert!(!past.note(1_004_000, TxnId(9)), "too soon for a sample");
        assert!(!past.note(2_000_000, TxnId(17)));
        assert!(past.note(6_000_000, TxnId(30)));
        let at = |time| past.at(time, TxnId(50));
        assert_eq!(at(999_999), Err(Some((1_000_000, TxnId(7)))));
        assert_eq!(at(1_000_000), Ok(TxnId(7)));
        assert_eq!(at(1_005_000), Ok(TxnId(12)), "half of the spacing, half of the IDs");
        assert_eq!(at(1_010_000), Ok(TxnId(17)));
        assert_eq!(at(1_999_999), Ok(TxnId(17)), "nothing happened in between");
        assert_eq!(at(5_000_000), Ok(TxnId(30)));
        assert_eq!(at(7_000_000), Ok(TxnId(50)));
    }
}
