//! How a store is driven: blocking loops for two threads of a real node, the same loops as tasks for a simulated one, and
//! one inline step for tests of the store alone.
//!
//! ```text
//!   events ──► raft_loop ──tasks──► apply_loop          two threads of a real node
//!                 ▲                     │               (raft_task, apply_task: two tasks of a simulated one)
//!                 └──────Results────────┘
//! ```
//! In a simulation an append to the log returns at once, but what depends on its durability is held back until the
//! simulated disk says that it is done. If the node dies meanwhile, the disk decides what of the append is found again.
//! The events channel is bounded, the tasks channel is not: the apply loop may block on the raft loop, never the other
//! way round. The events channel is the standard library's: when its receiver goes, it drops what is queued, so whoever
//! waits for an answer learns that none will come. crossbeam's bounded channel keeps it until the last sender is gone.

use super::event::{ApplyTask, EffectSink, Effects, Event, Notice};
use super::message::RaftMessage;
use super::{Applier, Store, StoreHandle};
use crate::{Error, NodeId};
use async_trait::async_trait;
use crossbeam::channel::{Receiver, Sender};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, mpsc};
use tokio::sync::Notify;

/// Events taken in before they are processed together.
const BATCH: usize = 4096;

/// Where a store's events arrive.
#[derive(Debug)]
pub struct Inbox {
    receiver: mpsc::Receiver<Event>,
    /// Received while waiting.
    first: Option<Event>,
    wake: Arc<Notify>,
}

impl Inbox {
    pub(super) fn new(receiver: mpsc::Receiver<Event>, wake: Arc<Notify>) -> Inbox {
        Inbox { receiver, first: None, wake }
    }

    /// Everything that is queued, without waiting.
    pub fn drain(&mut self) -> Vec<Event> {
        self.first.take().into_iter().chain(self.receiver.try_iter()).take(BATCH).collect()
    }

    /// Waits, without blocking the thread, until something may be queued.
    pub async fn ready(&mut self) {
        if self.first.is_none() {
            self.first = self.receiver.try_recv().ok();
        }
        if self.first.is_none() {
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
            to_raft.applied(results);
        }
        applier.persist()
    });
    if let Err(error) = &ended {
        // Known at once: the raft loop may find out that its tasks are not taken before it takes an event.
        to_raft.fail(error.clone());
    }
    ended
}

/// The time that a simulated disk takes.
#[async_trait]
pub trait Pace: Send {
    /// Returns when what was appended to the log is durable.
    async fn appended(&mut self);
    /// Returns when the next work may be applied to the engine.
    async fn apply(&mut self);
}

/// Effects that wait for an append to become durable.
#[derive(Default)]
struct Held {
    waits: bool,
    effects: Vec<HeldEffect>,
}

enum HeldEffect {
    Send(NodeId, Vec<RaftMessage>),
    Notice(Notice),
}

/// Lets effects pass until the log appends, and keeps those after it.
struct Holding<'a, S> {
    sink: &'a mut S,
    held: &'a mut Held,
}

impl<S: EffectSink> EffectSink for Holding<'_, S> {
    fn send(&mut self, to: NodeId, messages: Vec<RaftMessage>) {
        if self.held.waits {
            self.held.effects.push(HeldEffect::Send(to, messages));
        } else {
            self.sink.send(to, messages);
        }
    }

    fn notice(&mut self, notice: Notice) {
        if self.held.waits {
            self.held.effects.push(HeldEffect::Notice(notice));
        } else {
            self.sink.notice(notice);
        }
    }

    fn appended(&mut self) {
        self.held.waits = true;
    }
}

/// [`raft_loop`] as a task of a simulated node.
///
/// # Errors
/// What stopped the store.
pub async fn raft_task<S: EffectSink>(
    mut store: Store,
    mut inbox: Inbox,
    tasks: tokio::sync::mpsc::UnboundedSender<Vec<ApplyTask>>,
    sink: &mut S,
    pace: &mut dyn Pace,
) -> Result<(), Error> {
    let views = store.views.clone();
    loop {
        let mut held = Held::default();
        let passed = guarded(|| store.process(&mut Holding { sink, held: &mut held }));
        let work = passed.inspect_err(|error| views.fail(error))?;
        if held.waits {
            pace.appended().await;
        }
        for effect in held.effects {
            match effect {
                HeldEffect::Send(to, messages) => sink.send(to, messages),
                HeldEffect::Notice(notice) => sink.notice(notice),
            }
        }
        if store.is_stopped() {
            return Ok(());
        }
        if !work.is_empty() && tasks.send(work).is_err() {
            let error = Error::Poisoned("the apply loop ended".into());
            views.fail(&error);
            return Err(error);
        }
        inbox.ready().await;
        inbox.drain().into_iter().for_each(|event| store.handle(event));
    }
}

/// [`apply_loop`] as a task of a simulated node.
///
/// # Errors
/// What the engine failed with.
pub async fn apply_task(
    mut applier: Applier,
    mut tasks: tokio::sync::mpsc::UnboundedReceiver<Vec<ApplyTask>>,
    to_raft: StoreHandle,
    pace: &mut dyn Pace,
) -> Result<(), Error> {
    while let Some(work) = tasks.recv().await {
        pace.apply().await;
        match guarded(|| applier.apply(work)) {
            Ok(results) => to_raft.applied(results),
            Err(error) => {
                to_raft.fail(error.clone());
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Turns a panic into the error that poisons the store.
fn guarded<T>(run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
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
        store.on_results(results);
    }
}
