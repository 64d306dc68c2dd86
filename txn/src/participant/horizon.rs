//! How far back this node lets its ranges forget.
//!
//! ```text
//!   samples    (time, newest ID) ── (time, newest ID) ── ... ── now
//!                    ▲ retention                ▲ a minute
//!                    history floor              attempt floor          neither above the oldest transaction known of
//! ```
//! Time is this node's own, and only age is taken from it: a wrong clock makes a node forget too early or too late, and
//! the ranges refuse whoever comes too late. Nothing else depends on it.

use super::state::Floors;
use crate::TxnId;
use quorate_net::runtime::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// Decided records are kept for so long, or for the retention if that is shorter.
const RECORDS: Duration = Duration::from_secs(60);
/// Bounds of the pause between two samples.
const SAMPLING: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What is to be done now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub sample: bool,
    pub records: bool,
    pub history: bool,
}

/// Ages of IDs, and when garbage is looked for.
#[derive(Debug, Default)]
pub(super) struct Horizon {
    retention: Option<Duration>,
    /// Oldest first.
    samples: VecDeque<(Instant, TxnId)>,
    next_sample: Option<Instant>,
    next_records: Option<Instant>,
    next_history: Option<Instant>,
}

impl Horizon {
    /// Another retention, from now on; `None` collects nothing.
    pub fn retain(&mut self, retention: Option<Duration>, now: Instant) {
        self.retention = retention;
        self.next_sample = retention.map(|_| now);
        self.next_records = retention.map(|retention| now + retention.min(RECORDS));
        self.next_history = retention.map(|retention| now + retention);
    }

    /// What is due; it is not due again until its time has come again.
    pub fn due(&mut self, now: Instant) -> Due {
        let Some(retention) = self.retention else { return Due::default() };
        let is_due = |next: &mut Option<Instant>, pause: Duration| {
            let due = next.is_some_and(|next| next <= now);
            if due {
                *next = Some(now + pause);
            }
            due
        };
        Due {
            sample: is_due(&mut self.next_sample, (retention / 64).clamp(SAMPLING.0, SAMPLING.1)),
            records: is_due(&mut self.next_records, retention.min(RECORDS) / 2),
            history: is_due(&mut self.next_history, retention / 4),
        }
    }

    /// The newest ID had been handed out by `now`.
    pub fn sample(&mut self, now: Instant, newest: TxnId) {
        self.samples.push_back((now, newest));
        let kept = self.retention.unwrap_or_default();
        // One older sample stays: it is the newest that is old enough.
        while self.samples.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= kept) {
            self.samples.pop_front();
        }
    }

    /// The floors that ranges may be raised to; 0 where nothing is old enough.
    pub fn floors(&self, now: Instant, oldest: Option<TxnId>) -> Floors {
        let retention = self.retention.unwrap_or(Duration::MAX);
        let as_of = |age: Duration| {
            let old = self.samples.iter().rev().find(|(at, _)| now.saturating_duration_since(*at) >= age);
            let id = old.map_or(TxnId(0), |(_, id)| *id);
            oldest.map_or(id, |oldest| oldest.min(id))
        };
        Floors { history: as_of(retention), attempts: as_of(retention.min(RECORDS)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_as_old_as_the_retention_and_never_above_a_transaction() {
        let start = quorate_net::Runtime::seeded(1).now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut horizon = Horizon::default();
        assert_eq!(horizon.due(at(0)), Due::default(), "nothing is collected unless asked for");
        horizon.retain(Some(Duration::from_secs(100)), at(0));
        for seconds in 0..=200 {
            horizon.sample(at(seconds), TxnId(1_000 + seconds));
        }
        let floors = |oldest| horizon.floors(at(200), oldest);
        assert_eq!(floors(None), Floors { history: TxnId(1_100), attempts: TxnId(1_140) });
        assert_eq!(floors(Some(TxnId(1_120))), Floors { history: TxnId(1_100), attempts: TxnId(1_120) });
        assert_eq!(horizon.samples.len(), 101, "older ones are not needed any more");
        assert_eq!(Horizon::default().floors(at(0), None), Floors::default());
    }

    #[test]
    fn things_are_due_once_each_time() {
        let start = quorate_net::Runtime::seeded(1).now();
        let mut horizon = Horizon::default();
        horizon.retain(Some(Duration::from_secs(40)), start);
        let due = |horizon: &mut Horizon, seconds| horizon.due(start + Duration::from_secs(seconds));
        assert_eq!(due(&mut horizon, 0), Due { sample: true, records: false, history: false });
        assert_eq!(due(&mut horizon, 0), Due::default());
        assert_eq!(due(&mut horizon, 40), Due { sample: true, records: true, history: true });
        assert_eq!(due(&mut horizon, 50), Due { sample: true, records: false, history: true });
    }
}
