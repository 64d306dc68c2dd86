//! What happens without a request: recovery of silent attempts, release of locks whose gateway is gone.
//!
//! Timers start recovery and release volatile locks; they decide nothing.

use super::service::{Ended, Participant, is_local};
use crate::api::{RecordKey, RegisterState};
use crate::inspect::{InDoubt, Inspection, Locked, MOST};
use crate::lock::Holder;
use quorate_net::runtime::Instant;
use std::sync::Arc;
use std::time::Duration;

/// A vote without news for so long (and up to half as long again) is recovered.
const PREPARED_SILENCE: Duration = Duration::from_millis(1500);
/// A proposal without news: its decision is probably made, only not yet told.
const PROPOSED_SILENCE: Duration = Duration::from_millis(500);
/// Chunks of intents that nobody adds to.
const PENDING_SILENCE: Duration = Duration::from_secs(10);
/// Pause before it is asked again what shall become of an attempt that its client holds. It decides nothing.
const HELD_PAUSE: Duration = Duration::from_secs(5);

impl Participant {
    /// One look at everything that may have been left behind.
    pub(super) fn tick(self: &Arc<Self>) {
        if !self.is_ready() {
            return;
        }
        let now = self.runtime.now();
        let mut state = self.state.lock();
        if !state.locks.is_empty() {
            let gone: Vec<_> = state.locks.attempts().filter(|attempt| !self.gateways.is_alive(*attempt)).collect();
            for attempt in gone {
                state.unlock(attempt);
            }
        }
        if state.intents.is_empty() {
            return;
        }
        let idle = state.intents.holders().filter(|holder| !state.terminating.contains(&holder.record));
        let due: Vec<(RecordKey, bool)> = idle
            .filter(|holder| {
                let news = state.news[&holder.record];
                news <= now && self.is_due(holder, now.saturating_duration_since(news))
            })
            .map(|holder| (holder.record.clone(), holder.state.is_decided()))
            .collect();
        for (record, decided) in due {
            state.terminating.insert(record.clone());
            self.runtime.spawn(self.clone().look_after(record, decided, now));
        }
    }

    /// Adds this range's locks and undecided attempts to `all`.
    pub(super) fn inspect(&self, all: &mut Inspection) {
        let (range, now) = (self.range, self.runtime.now());
        let state = self.state.lock();
        let room = MOST.saturating_sub(all.locks.len());
        let intents = state.intents.holders().flat_map(|holder| {
            let lock = |key: &Vec<u8>| (key.clone(), None, holder.record.attempt, true);
            holder.keys.iter().map(lock)
        });
        let volatile =
            state.locks.list().map(|(key, mode, attempt, granted)| (key.to_vec(), Some(mode), attempt, granted));
        let waiting = state
            .intents
            .holders()
            .flat_map(|holder| &holder.keys)
            .flat_map(|key| state.waiting_on(key).map(|attempt| (key.clone(), None, attempt, false)));
        let locks = intents.chain(volatile).chain(waiting).take(room);
        all.locks.extend(locks.map(|(key, mode, attempt, granted)| Locked { range, key, mode, attempt, granted }));
        let room = MOST.saturating_sub(all.in_doubt.len());
        all.in_doubt.extend(state.intents.holders().take(room).map(|holder| InDoubt {
            range,
            record: holder.record.clone(),
            state: holder.state,
            commit_id: holder.commit_id,
            keys: holder.keys.len() as u64,
            silence: state.news.get(&holder.record).map_or(Duration::ZERO, |news| now.saturating_duration_since(*news)),
            recovering: state.terminating.contains(&holder.record),
        }));
    }

    fn is_due(&self, holder: &Holder, silence: Duration) -> bool {
        let attempt = holder.record.attempt;
        let gateway_lost = !is_local(self.node, attempt) && self.gateways.is_dead(attempt);
        let limit = match holder.state {
            RegisterState::Pending => PENDING_SILENCE,
            RegisterState::Prepared if gateway_lost => Duration::ZERO,
            RegisterState::Prepared => PREPARED_SILENCE + self.jitter(PREPARED_SILENCE / 2),
            _ => PROPOSED_SILENCE + self.jitter(PROPOSED_SILENCE / 2),
        };
        silence >= limit
    }

    fn jitter(&self, most: Duration) -> Duration {
        most.mul_f64((self.runtime.random_u64() % 1024) as f64 / 1024.0)
    }

    /// Resolves what is decided, has the rest terminated.
    async fn look_after(self: Arc<Self>, record: RecordKey, decided: bool, began: Instant) {
        let mut ended = Ended::Perhaps;
        if decided {
            if let Err(halt) = self.clone().resolve_rest(record.clone()).await {
                tracing::debug!(range = %self.range, attempt = %record.attempt, ?halt, "resolving will be tried again");
            }
        } else {
            ended = self.terminate(&record).await;
        }
        let mut state = self.state.lock();
        state.terminating.remove(&record);
        // The next try counts from here.
        let pause = if ended == Ended::Held { HELD_PAUSE } else { Duration::ZERO };
        let now = self.runtime.now().max(began) + pause;
        if let Some(news) = state.news.get_mut(&record) {
            *news = now;
        }
    }

    async fn terminate(&self, record: &RecordKey) -> Ended {
        let Some(resolver) = self.seams.resolver.get().and_then(std::sync::Weak::upgrade) else {
            return Ended::Perhaps;
        };
        let mut plan = match self.plan(record) {
            Ok(plan) => plan,
            Err(error) => {
                tracing::error!(range = %self.range, attempt = %record.attempt, %error, "cannot recover");
                return Ended::Perhaps;
            }
        };
        if plan.participants.is_empty() {
            // Its chunks were still being laid: nobody else can have decided it.
            plan.participants = vec![record.part_key.clone()];
            plan.acceptors = plan.participants.clone();
        }
        if plan.held.is_none() {
            tracing::info!(range = %self.range, attempt = %record.attempt, "recovering a silent transaction");
        }
        resolver.terminate(record.clone(), plan).await
    }
}
