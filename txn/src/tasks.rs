//! Work that goes on behind a caller's back: telling outcomes, dropping locks, batching for the oracle.
//!
//! Invariant: after [`Tasks::close`] has returned, no task started here is left, so nothing holds the store any more.

use quorate_net::Runtime;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;

/// Starts tasks that end with the node. Clones share their end.
#[derive(Clone, Debug)]
pub struct Tasks {
    runtime: Runtime,
    /// True once closed; every running task holds a receiver.
    closed: Arc<watch::Sender<bool>>,
}

impl Tasks {
    /// Time and randomness.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// No tasks yet.
    pub fn new(runtime: Runtime) -> Tasks {
        Tasks { runtime, closed: Arc::new(watch::Sender::new(false)) }
    }

    /// Runs `work` until it ends or the tasks are closed.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut closed = self.closed.subscribe();
        drop(self.runtime.spawn(async move {
            // Whichever way the sender goes, there is nothing left to work for.
            tokio::select! {
                biased;
                () = work => {}
                _ = closed.wait_for(|closed| *closed) => {}
            }
        }));
    }

    /// Whether the end has come: who tries something again and again stops.
    pub fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Stops all tasks, at whatever they wait for, and returns when they are gone.
    pub async fn close(&self) {
        self.closed.send_replace(true);
        self.closed.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn close_ends_what_waits_for_ever() {
        let tasks = Tasks::new(Runtime::seeded(1));
        let held = Arc::new(());
        let (first, second) = (held.clone(), held.clone());
        tasks.spawn(async move {
            std::future::pending::<()>().await;
            drop(first);
        });
        tasks.spawn(async move { drop(second) });
        tasks.close().await;
        assert!(tasks.is_closed());
        assert_eq!(Arc::strong_count(&held), 1);
        tasks.spawn(std::future::pending());
        tasks.close().await;
    }
}
