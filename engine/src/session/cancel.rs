//! Cancelling the statement that a session runs, from elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Cancels what a session runs at the moment. Cheap to clone; outlives the session harmlessly.
#[derive(Clone, Debug, Default)]
pub struct CancelHandle {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    requested: AtomicBool,
    wake: Notify,
}

impl CancelHandle {
    /// Makes the running statement fail with 57014. Does nothing between statements.
    pub fn cancel(&self) {
        self.inner.requested.store(true, Ordering::Release);
        self.inner.wake.notify_waiters();
    }

    /// Whether the running statement has been cancelled.
    pub(crate) fn is_requested(&self) -> bool {
        self.inner.requested.load(Ordering::Acquire)
    }

    /// A statement begins: an older request does not concern it.
    pub(super) fn reset(&self) {
        self.inner.requested.store(false, Ordering::Release);
    }

    /// Waits until a request comes.
    pub(super) async fn requested(&self) {
        loop {
            let wake = self.inner.wake.notified();
            if self.is_requested() {
                return;
            }
            wake.await;
        }
    }
}
