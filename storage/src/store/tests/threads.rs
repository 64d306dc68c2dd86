//! The two blocking loops on threads of their own, as a real node runs them.

use super::world::{R, descriptor, put};
use crate::engine::{Engine, MemoryEngine};
use crate::log::{LogBatch, LogStore, MemoryLog};
use crate::store::driver::{apply_loop, raft_loop};
use crate::store::event::{Effects, Event};
use crate::store::{Opened, Role, Store, StoreHandle, StoreSettings};
use crate::{Command, Error, Keyspace, NodeId, Outcome, RangeId};
use raft::eraftpb::{Entry, HardState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

fn run<T: Send>(log: Arc<dyn LogStore>, work: impl FnOnce(&StoreHandle) -> T + Send) -> (T, Result<(), Error>) {
    let engine = Arc::new(MemoryEngine::new());
    let Opened { mut store, applier, inbox, handle } =
        Store::open(NodeId(1), engine.clone(), log, StoreSettings::default()).unwrap();
    store.bootstrap(&[descriptor(&[1])]).unwrap();
    let (tasks, work_queue) = crossbeam::channel::unbounded();
    std::thread::scope(|scope| {
        let to_raft = handle.clone();
        scope.spawn(move || apply_loop(applier, &work_queue, &to_raft));
        let raft = scope.spawn(move || raft_loop(store, inbox, &tasks, &mut Effects::default()));
        while handle.view(R).is_none_or(|view| view.role != Role::Leader) {
            std::thread::yield_now();
        }
        let result = work(&handle);
        handle.send(Event::Shutdown);
        (result, raft.join().unwrap())
    })
}

fn command(n: usize) -> Command {
    Command { generation: 1, term: 6, guards: vec![], ops: vec![put(&format!("k{n}"), "v")], admin: None }
}

fn propose(handle: &StoreHandle, n: usize) -> tokio::sync::oneshot::Receiver<Outcome> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    handle.send(Event::Propose { range: R, command: command(n), reply });
    answer
}

#[test]
fn loops_answer_in_order_and_stop_on_request() {
    let (indexes, ended) = run(Arc::new(MemoryLog::new()), |handle| {
        let answers: Vec<_> = (0..500).map(|n| propose(handle, n)).collect();
        answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect::<Vec<_>>()
    });
    let expected: Vec<Outcome> = (12..512).map(|index| Outcome::Applied { index }).collect();
    assert_eq!(indexes, expected);
    assert!(ended.is_ok());
}

/// A log whose disk fails on request, as an error or as a panic.
#[derive(Debug, Default)]
struct FailingLog {
    log: MemoryLog,
    fails: AtomicBool,
    panics: AtomicBool,
}

impl LogStore for FailingLog {
    fn append(&self, batch: LogBatch, sync: bool) -> Result<(), Error> {
        assert!(!self.panics.load(Ordering::Relaxed), "fsync failed");
        if self.fails.load(Ordering::Relaxed) {
            return Err(Error::Poisoned("the disk is gone".into()));
        }
        self.log.append(batch, sync)
    }

    fn entries(&self, range: RangeId, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, Error> {
        self.log.entries(range, low, high, max_bytes)
    }

    fn bounds(&self, range: RangeId) -> Result<Option<(u64, u64)>, Error> {
        self.log.bounds(range)
    }

    fn hard_state(&self, range: RangeId) -> Result<Option<HardState>, Error> {
        self.log.hard_state(range)
    }

    fn granted(&self) -> Result<u64, Error> {
        self.log.granted()
    }

    fn groups(&self) -> Result<Vec<RangeId>, Error> {
        self.log.groups()
    }

    fn purge(&self) -> Result<Vec<RangeId>, Error> {
        self.log.purge()
    }
}

#[test]
fn a_disk_that_fails_stops_the_store_and_answers_everybody() {
    for panics in [false, true] {
        let log = Arc::new(FailingLog::default());
        let (late, ended) = run(log.clone(), |handle| {
            log.fails.store(!panics, Ordering::Relaxed);
            log.panics.store(panics, Ordering::Relaxed);
            let answer = propose(handle, 1).blocking_recv();
            assert!(answer.is_err(), "a proposal was answered by a stopped store");
            let mut late = Box::pin(handle.propose(R, command(2)));
            loop {
                if let Poll::Ready(outcome) = late.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    return outcome;
                }
                std::thread::yield_now();
            }
        });
        assert_eq!(late, Outcome::Stopped);
        let Err(Error::Poisoned(text)) = ended else { panic!("the loop ended well") };
        assert!(text.contains(if panics { "fsync failed" } else { "the disk is gone" }), "{text}");
    }
}

#[test]
fn who_was_queued_when_the_loop_ended_is_told() {
    let opened =
        Store::open(NodeId(1), Arc::new(MemoryEngine::new()), Arc::new(MemoryLog::new()), StoreSettings::default());
    let Opened { inbox, handle, .. } = opened.unwrap();
    let mut answer = propose(&handle, 1);
    drop(inbox);
    assert_eq!(answer.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Closed));
    assert!(!handle.send(Event::Tick));
}

#[test]
fn a_failed_reader_stops_the_store_with_its_own_error() {
    let (failure, ended) = run(Arc::new(MemoryLog::new()), |handle| {
        assert!(handle.failure().is_none());
        handle.fail(Error::Damaged("bits".into()));
        assert!(propose(handle, 1).blocking_recv().is_err());
        handle.failure()
    });
    assert!(matches!(failure, Some(Error::Damaged(_))), "{failure:?}");
    assert!(matches!(ended, Err(Error::Damaged(_))), "{ended:?}");
}

#[test]
fn an_engine_that_loses_the_descriptor_stops_the_store() {
    let engine = Arc::new(MemoryEngine::new());
    let opened = Store::open(NodeId(1), engine.clone(), Arc::new(MemoryLog::new()), StoreSettings::default()).unwrap();
    let Opened { mut store, mut applier, .. } = opened;
    store.bootstrap(&[descriptor(&[1])]).unwrap();
    let key = crate::keys::local_key(R, b"descriptor");
    engine.write(vec![crate::Op::Delete { keyspace: Keyspace::Local, key }]).unwrap();
    let ended = crate::store::driver::step(&mut store, &mut applier, vec![]);
    assert!(matches!(ended, Err(Error::Damaged(_))));
}
