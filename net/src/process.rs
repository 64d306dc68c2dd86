//! The process that a simulated node lives in, as a scheduler and a clock see it.
//!
//! ```text
//!   pause      its tasks are not polled; timers that fire meanwhile are noticed at resume, all at once
//!   kill       its tasks are dropped where they stand, and none starts any more
//!   set_rate   its clock runs faster or slower than that of the simulation
//! ```
//! Every task that is spawned through the node's [`crate::Runtime`] is wrapped, so that a pause stops all of them between
//! two polls, as SIGSTOP stops a process between two instructions.
//!
//! Invariant: a killed process runs nothing any more, not even destructors' tasks.

use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

/// Ended tasks are forgotten whenever so many were started since.
const SWEEP: usize = 256;

/// A simulated process. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct Process {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    paused: bool,
    killed: bool,
    /// Who wanted to run while the process was paused.
    waiting: Vec<Waker>,
    tasks: Vec<AbortHandle>,
    started: usize,
    clock: Clock,
}

/// A clock that agreed with the simulation's at `since` and has run at `rate` ever after.
#[derive(Clone, Copy, Debug)]
struct Clock {
    since: Instant,
    shows: Instant,
    rate: f64,
}

impl Clock {
    fn at(&self, time: Instant) -> Instant {
        self.shows + time.saturating_duration_since(self.since).mul_f64(self.rate)
    }

    fn real(&self, shown: Instant) -> Instant {
        self.since + shown.saturating_duration_since(self.shows).div_f64(self.rate)
    }
}

impl Process {
    /// A process that runs, with a clock that is right.
    ///
    /// # Panics
    /// Outside a tokio runtime with a paused clock time is not simulated; the caller sees to it.
    #[must_use]
    pub fn start() -> Process {
        let now = Instant::now();
        let state = State {
            paused: false,
            killed: false,
            waiting: Vec::new(),
            tasks: Vec::new(),
            started: 0,
            clock: Clock { since: now, shows: now, rate: 1.0 },
        };
        Process { state: Arc::new(Mutex::new(state)) }
    }

    /// Stops polling its tasks.
    pub fn pause(&self) {
        self.state.lock().paused = true;
    }

    /// Polls its tasks again.
    pub fn resume(&self) {
        let waiting = {
            let mut state = self.state.lock();
            state.paused = false;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Drops all its tasks; those that are spawned later are dropped at once.
    pub fn kill(&self) {
        let (tasks, waiting) = {
            let mut state = self.state.lock();
            state.killed = true;
            (std::mem::take(&mut state.tasks), std::mem::take(&mut state.waiting))
        };
        tasks.iter().for_each(AbortHandle::abort);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether it runs: neither paused nor killed.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let state = self.state.lock();
        !state.paused && !state.killed
    }

    /// From now on its clock runs `rate` times as fast as the simulation's.
    pub fn set_rate(&self, rate: f64) {
        let now = Instant::now();
        let clock = &mut self.state.lock().clock;
        *clock = Clock { since: now, shows: clock.at(now), rate };
    }

    pub(crate) fn now(&self) -> Instant {
        let clock = self.state.lock().clock;
        clock.at(Instant::now())
    }

    /// How long `duration` of its own clock takes.
    pub(crate) fn real_duration(&self, duration: Duration) -> Duration {
        let rate = self.state.lock().clock.rate;
        if rate == 1.0 { duration } else { duration.div_f64(rate) }
    }

    /// When its clock shows `deadline`.
    pub(crate) fn real_deadline(&self, deadline: Instant) -> Instant {
        self.state.lock().clock.real(deadline)
    }

    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = tokio::spawn(Scheduled { process: self.clone(), future: Box::pin(future) });
        let mut state = self.state.lock();
        if state.killed {
            task.abort();
            return task;
        }
        state.started += 1;
        if state.started.is_multiple_of(SWEEP) {
            state.tasks.retain(|task| !task.is_finished());
        }
        state.tasks.push(task.abort_handle());
        drop(state);
        task
    }
}

/// A task that is polled only while its process runs.
struct Scheduled<F> {
    process: Process,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Scheduled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let held = {
            let mut state = self.process.state.lock();
            let held = state.paused || state.killed;
            if held {
                state.waiting.push(context.waker().clone());
            }
            held
        };
        if held { Poll::Pending } else { self.future.as_mut().poll(context) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Runtime;
    use std::sync::atomic::{AtomicU64, Ordering};

    async fn counting(runtime: Runtime, count: Arc<AtomicU64>) {
        loop {
            runtime.sleep(Duration::from_millis(10)).await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn started() -> (Process, Arc<AtomicU64>) {
        let (process, count) = (Process::start(), Arc::new(AtomicU64::new(0)));
        let runtime = Runtime::simulated(1, process.clone());
        drop(runtime.spawn(counting(runtime.clone(), count.clone())));
        (process, count)
    }

    async fn pass(millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_process_does_nothing_and_goes_on_at_resume() {
        let (process, count) = started();
        pass(105).await;
        assert_eq!(count.load(Ordering::Relaxed), 10);
        process.pause();
        pass(1000).await;
        assert_eq!(count.load(Ordering::Relaxed), 10);
        process.resume();
        pass(25).await;
        assert!((11..=13).contains(&count.load(Ordering::Relaxed)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_killed_process_drops_what_its_tasks_held_and_starts_none() {
        let (process, count) = started();
        pass(15).await;
        process.kill();
        pass(100).await;
        assert_eq!((count.load(Ordering::Relaxed), Arc::strong_count(&count)), (1, 1));
        let late = process.spawn(std::future::ready(7)).await;
        assert!(late.is_err_and(|error| error.is_cancelled()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_reaches_its_deadlines_early() {
        let (process, count) = started();
        process.set_rate(2.0);
        pass(103).await;
        assert!((19..=20).contains(&count.load(Ordering::Relaxed)), "{count:?}");
        let runtime = Runtime::simulated(2, process.clone());
        let (shown, real) = (runtime.now(), Instant::now());
        runtime.sleep_until(shown + Duration::from_millis(100)).await;
        assert_eq!(real.elapsed(), Duration::from_millis(50));
        assert_eq!(runtime.now() - shown, Duration::from_millis(100));
    }
}
