//! The seam of time, tasks and randomness.
//!
//! Every part of Quorate that waits, spawns or draws takes a [`Runtime`]. There are three kinds, with the same code:
//!
//! ```text
//!               now(), sleep()       wall()                       random                            blocking work
//!   real        tokio's clock        the system's clock           seeded by the operating system    on a thread of its own
//!   seeded      tokio's clock        a fixed date + now()         a function of the seed            in place
//!   simulated   its process's clock  a fixed date + now()         a function of the seed            in place
//! ```
//!
//! A simulated runtime belongs to a [`Process`], which can be paused and killed. A test that pauses tokio's clock on a current-thread runtime therefore decides time as well as randomness, and the same
//! seed gives the same run.
//!
//! Invariant: this file is the only one that reads the system's clock or creates an unseeded generator.
//! Invariant: a seeded runtime never asks the operating system for time or randomness.

use futures::FutureExt;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::process::Process;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
pub use tokio::task::JoinHandle;
pub use tokio::time::Instant;

/// The wall time at which the clock of a seeded runtime begins: 2030-01-01 00:00:00 UTC, in microseconds.
const SEEDED_EPOCH_US: u64 = 1_893_456_000_000_000;

/// Time, tasks and randomness for one node. Cloning shares the generator.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

struct Shared {
    /// What [`Runtime::rng`] derives its generators from.
    root: [u8; 32],
    /// The generator behind `random_*`. Held for a few nanoseconds; no other lock is taken inside.
    source: Mutex<StdRng>,
    wall: Wall,
    /// Whose tasks and clock these are, in a simulation.
    process: Option<Process>,
}

enum Wall {
    System,
    /// Tokio's time at the first question; asked lazily because a runtime is often made before tokio's clock is paused.
    Virtual(OnceLock<Instant>),
}

impl Runtime {
    /// The runtime of a real process.
    #[must_use]
    pub fn real() -> Self {
        Self::new(rand::make_rng(), Wall::System, None)
    }

    /// A runtime whose randomness and wall time follow from `seed` and tokio's clock.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::new(StdRng::seed_from_u64(seed), Wall::Virtual(OnceLock::new()), None)
    }

    /// The runtime of a simulated node: as a seeded one, with the tasks and the clock of `process`.
    #[must_use]
    pub fn simulated(seed: u64, process: Process) -> Self {
        Self::new(StdRng::seed_from_u64(seed), Wall::Virtual(OnceLock::new()), Some(process))
    }

    fn new(mut source: StdRng, wall: Wall, process: Option<Process>) -> Self {
        let mut root = [0; 32];
        source.fill_bytes(&mut root);
        Self { shared: Arc::new(Shared { root, source: Mutex::new(source), wall, process }) }
    }

    /// Whether everything runs in one thread, under virtual time.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.shared.process.is_some()
    }

    /// The present on the clock that [`Runtime::sleep`] uses.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.shared.process.as_ref().map_or_else(Instant::now, Process::now)
    }

    /// Microseconds since 1970-01-01 UTC. For people and certificates; nothing orders transactions by it.
    #[must_use]
    pub fn wall(&self) -> u64 {
        match &self.shared.wall {
            Wall::System => system_wall(),
            Wall::Virtual(start) => {
                let passed = self.now().saturating_duration_since(*start.get_or_init(|| self.now()));
                SEEDED_EPOCH_US + u64::try_from(passed.as_micros()).unwrap_or(u64::MAX / 2)
            }
        }
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(self.real_duration(duration)).await;
    }

    /// Waits until `deadline`.
    pub async fn sleep_until(&self, deadline: Instant) {
        let deadline = self.shared.process.as_ref().map_or(deadline, |process| process.real_deadline(deadline));
        tokio::time::sleep_until(deadline).await;
    }

    /// Runs `future` for at most `duration`; `None` when the time is over first, and the future is dropped.
    pub fn timeout<F: Future>(
        &self,
        duration: Duration,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> + use<F> {
        // An async function would hold its argument twice.
        tokio::time::timeout(self.real_duration(duration), future).map(Result::ok)
    }

    fn real_duration(&self, duration: Duration) -> Duration {
        self.shared.process.as_ref().map_or(duration, |process| process.real_duration(duration))
    }

    /// Runs `future` as a task of its own.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match &self.shared.process {
            None => tokio::spawn(future),
            Some(process) => process.spawn(future),
        }
    }

    /// Runs work that may block, such as reading a disk, beside the tasks; in place where time is virtual. `None` if it
    /// panicked.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match &self.shared.wall {
            Wall::System => tokio::task::spawn_blocking(work).await.ok(),
            Wall::Virtual(_) => Some(work()),
        }
    }

    /// The next random number of the shared generator.
    #[must_use]
    pub fn random_u64(&self) -> u64 {
        self.shared.source.lock().next_u64()
    }

    /// `N` random bytes of the shared generator; fit for secrets in a real runtime.
    #[must_use]
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.shared.source.lock().fill_bytes(&mut bytes);
        bytes
    }

    /// A generator of its own for one consumer. The same stream number gives the same numbers, whatever others draw.
    #[must_use]
    pub fn rng(&self, stream: u64) -> StdRng {
        let mut seed = self.shared.root;
        for (byte, mask) in seed.iter_mut().zip(stream.to_le_bytes()) {
            *byte ^= mask;
        }
        StdRng::from_seed(seed)
    }
}

#[expect(clippy::disallowed_methods, reason = "the seam through which everybody else reads the system's clock")]
fn system_wall() -> u64 {
    let passed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.shared.wall {
            Wall::System => "real",
            Wall::Virtual(_) if self.is_simulated() => "simulated",
            Wall::Virtual(_) => "seeded",
        };
        f.debug_struct("Runtime").field("kind", &kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_every_number() {
        let (a, b, c) = (Runtime::seeded(7), Runtime::seeded(7), Runtime::seeded(8));
        assert_eq!([a.random_u64(), a.random_u64()], [b.random_u64(), b.random_u64()]);
        assert_eq!(a.random_bytes::<5>(), b.random_bytes::<5>());
        assert_ne!(a.random_u64(), c.random_u64());
    }

    #[test]
    fn a_stream_does_not_depend_on_other_draws() {
        let (a, b) = (Runtime::seeded(7), Runtime::seeded(7));
        assert_ne!(a.random_u64(), a.random_u64());
        assert_eq!(a.rng(3).next_u64(), b.rng(3).next_u64());
        assert_ne!(a.rng(3).next_u64(), a.rng(4).next_u64());
    }

    #[test]
    fn real_runtimes_differ() {
        assert_ne!(Runtime::real().random_bytes::<16>(), Runtime::real().random_bytes::<16>());
    }

    #[tokio::test]
    async fn seeded_wall_time_begins_at_its_epoch() {
        assert_eq!(Runtime::seeded(1).wall(), SEEDED_EPOCH_US);
    }
}
