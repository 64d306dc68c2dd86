//! The only place that makes threads: the Raft loop and the apply loop of a store.

use std::io;
use std::thread::JoinHandle;

/// Starts a named thread of node `node`; its name shows in debuggers and panics.
#[expect(clippy::disallowed_methods, reason = "this module is where threads are made")]
pub(crate) fn spawn(node: u64, role: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(format!("n{node}-{role}")).spawn(run)
}
