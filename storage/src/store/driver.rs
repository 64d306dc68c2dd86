//! How a store is driven: blocking loops for two threads that the node starts, and one inline step for simulation.
//!
//! ```text
//!   events ──► raft_loop ──tasks──► apply_loop          two threads of a real node
//!                 ▲                     │
//!                 └──Event::Applied─────┘
//! ```
//! The events channel is bounded, the tasks channel is not: the apply loop may block on the raft loop, never the other
//! way round.

use super::event::{ApplyTask, EffectSink, Effects, Event};
use super::{Applier, Store, StoreHandle};
use crate::Error;
use crossbeam::channel::{Receiver, Sender};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::Notify;

/// Events taken in before they are processed together.
const BATCH: usize = 4096;

/// Where a store's events arrive.
#[derive(Debug)]
pub struct Inbox {
    receiver: Receiver<Event>,
    wake: Arc<Notify>,
}

impl Inbox {
    pub(super) fn new(receiver: Receiver<Event>, wake: Arc<Notify>) -> Inbox {
        Inbox { receiver, wake }
    }

    /// Everything that is queued, without waiting.
    pub fn drain(&self) -> Vec<Event> {
        self.receiver.try_iter().take(BATCH).collect()
    }

    /// Waits, without blocking the thread, until something may be queued.
    pub async fn ready(&self) {
        if self.receiver.is_empty() {
            self.wake.notified().await;
        }
    }
}

/// Owns `store` until [`Event::Shutdown`] or a failure. Everything queued is taken in, then processed once. A panic
/// inside (the log library panics when an fsync fails) stops the store like an error.
///
/// # Errors
/// What stopped the store.
pub fn raft_loop<S: EffectSink>(
    mut store: Store,
    inbox: Inbox,
    tasks: &Sender<Vec<ApplyTask>>,
    sink: &mut S,
) -> Result<(), Error> {
    let views = store.views.clone();
    let ended = guarded(|| {
        loop {
            let work = store.process(sink)?;
            if !work.is_empty() && tasks.send(work).is_err() {
                return Err(Error::Poisoned("the apply loop ended".into()));
            }
            if store.is_stopped() {
                return Ok(());
            }
            let Ok(first) = inbox.receiver.recv() else {
                return Ok(());
            };
            store.handle(first);
            inbox.receiver.try_iter().take(BATCH).for_each(|event| store.handle(event));
        }
    });
    if let Err(error) = &ended {
        views.fail(error);
    }
    ended
}

/// Owns `applier` until the raft loop ends, then makes the engine durable. A failure stops the raft loop too.
///
/// # Errors
/// What the engine failed with.
pub fn apply_loop(mut applier: Applier, tasks: &Receiver<Vec<ApplyTask>>, to_raft: &StoreHandle) -> Result<(), Error> {
    let ended = guarded(|| {
        while let Ok(mut work) = tasks.recv() {
            tasks.try_iter().for_each(|more| work.extend(more));
            let results = applier.apply(work)?;
            to_raft.send(Event::Applied(results));
        }
        applier.persist()
    });
    if let Err(error) = &ended {
        to_raft.send(Event::Failed(error.clone()));
    }
    ended
}

/// Turns a panic into the error that poisons the store.
fn guarded(run: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message");
        Err(Error::Poisoned(text.to_owned()))
    })
}

/// Takes `events` in and runs raft and apply inline until both are idle: one step of a simulated node.
///
/// # Errors
/// What log or engine fail with; the store is stopped then.
pub fn step(store: &mut Store, applier: &mut Applier, events: Vec<Event>) -> Result<Effects, Error> {
    let mut effects = Effects::default();
    events.into_iter().for_each(|event| store.handle(event));
    loop {
        let work = store.process(&mut effects)?;
        if work.is_empty() {
            return Ok(effects);
        }
        let results = applier.apply(work)?;
        store.handle(Event::Applied(results));
    }
}
