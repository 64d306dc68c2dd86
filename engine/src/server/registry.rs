//! Who is connected: cancelling by key, draining, the bound of sessions.
//!
//! Invariant: a seat is in the registry exactly as long as its connection holds its [`Place`].

use crate::error::{Error, SqlState};
use crate::session::CancelHandle;
use parking_lot::Mutex;
use quorate_net::runtime::Runtime;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// All connections of a listener that have started a session.
pub(super) struct Registry {
    limit: usize,
    /// Held for moments only.
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    last: i32,
    by_process: BTreeMap<i32, Arc<Seat>>,
    draining: bool,
}

/// One connection, as others reach it.
pub(super) struct Seat {
    /// The number by which clients know the session.
    pub(super) process_id: i32,
    /// What a CancelRequest must know besides.
    pub(super) secret: i32,
    cancel: OnceLock<CancelHandle>,
    draining: AtomicBool,
    drain: Notify,
}

/// A seat taken; given back when dropped.
pub(super) struct Place {
    pub(super) seat: Arc<Seat>,
    registry: Arc<Registry>,
}

impl Registry {
    pub(super) fn new(limit: usize) -> Registry {
        Registry { limit, seats: Mutex::default() }
    }

    /// Takes a seat, if one is free.
    pub(super) fn enter(self: &Arc<Self>, runtime: &Runtime) -> Result<Place, Error> {
        let secret = runtime.random_u64() as i32;
        let mut seats = self.seats.lock();
        if seats.draining {
            return Err(Error::new(SqlState::CANNOT_CONNECT_NOW, "the database system is shutting down"));
        }
        if seats.by_process.len() >= self.limit {
            return Err(Error::new(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already"));
        }
        let process_id = seats.free_process();
        let seat = Arc::new(Seat {
            process_id,
            secret,
            cancel: OnceLock::new(),
            draining: AtomicBool::new(false),
            drain: Notify::new(),
        });
        seats.by_process.insert(process_id, seat.clone());
        Ok(Place { seat, registry: self.clone() })
    }

    /// Cancels what a session runs, for a client that knows its key. Says nothing, whatever happens.
    pub(super) fn cancel(&self, process_id: i32, secret: i32) {
        let seat = self.seats.lock().by_process.get(&process_id).cloned();
        match seat {
            Some(seat) if seat.secret == secret => seat.cancel(),
            _ => tracing::debug!(process_id, "cancel request for no session"),
        }
    }

    /// No more sessions; those there end as soon as they stand outside of a transaction.
    pub(super) fn drain(&self) {
        let mut seats = self.seats.lock();
        seats.draining = true;
        for seat in seats.by_process.values() {
            seat.draining.store(true, Ordering::Release);
            seat.drain.notify_one();
        }
    }

    /// Cancels everything that runs.
    pub(super) fn cancel_all(&self) {
        for seat in self.seats.lock().by_process.values() {
            seat.cancel();
        }
    }

    /// Sessions there now.
    pub(super) fn len(&self) -> usize {
        self.seats.lock().by_process.len()
    }
}

impl Seats {
    fn free_process(&mut self) -> i32 {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.by_process.contains_key(&self.last) {
                return self.last;
            }
        }
    }
}

impl Seat {
    /// Tells how the session is cancelled, once it has started.
    pub(super) fn occupy(&self, handle: CancelHandle) {
        assert!(self.cancel.set(handle).is_ok(), "a connection starts one session");
    }

    /// Whether the listener wants the connection to end.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Waits until [`Seat::is_draining`].
    pub(super) async fn drained(&self) {
        while !self.is_draining() {
            self.drain.notified().await;
        }
    }

    fn cancel(&self) {
        if let Some(handle) = self.cancel.get() {
            handle.cancel();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.seats.lock().by_process.remove(&self.seat.process_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_and_given_back() {
        let runtime = Runtime::seeded(1);
        let registry = Arc::new(Registry::new(1));
        let place = registry.enter(&runtime).map_err(|error| error.to_string()).unwrap();
        let full = registry.enter(&runtime).err().unwrap();
        assert_eq!(full.to_string(), "ERROR 53300: sorry, too many clients already");
        drop(place);
        assert_eq!(registry.enter(&runtime).map(|place| place.seat.process_id).ok(), Some(2));
    }

    #[test]
    fn only_the_right_key_cancels() {
        let runtime = Runtime::seeded(1);
        let registry = Arc::new(Registry::new(2));
        let place = registry.enter(&runtime).map_err(|error| error.to_string()).unwrap();
        let handle = CancelHandle::default();
        place.seat.occupy(handle.clone());
        registry.cancel(place.seat.process_id, place.seat.secret ^ 1);
        assert!(!handle.is_requested());
        registry.cancel(place.seat.process_id, place.seat.secret);
        assert!(handle.is_requested());
    }
}
