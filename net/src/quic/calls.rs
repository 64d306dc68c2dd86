//! The calls of one link that wait for their replies.

use std::collections::BTreeMap;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::transport::{NetError, PeerId};

/// A reply, or why there is none.
pub(super) type Answer = Result<Bytes, NetError>;

/// Request ids and who waits for them.
#[derive(Default)]
pub(super) struct Calls {
    /// Held for one insertion or removal; no other lock is taken inside.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    closed: bool,
}

/// A call that waits; dropping it forgets the call, so that a late reply is ignored.
pub(super) struct Waiting<'a> {
    calls: &'a Calls,
    /// Ties the reply to the call.
    pub(super) id: u64,
    /// Where the reply arrives.
    pub(super) answer: oneshot::Receiver<Answer>,
}

impl Calls {
    /// Begins a call; `None` when the link is closed.
    pub(super) fn begin(&self) -> Option<Waiting<'_>> {
        let (sender, answer) = oneshot::channel();
        let mut state = self.state.lock();
        if state.closed {
            return None;
        }
        state.last += 1;
        let id = state.last;
        state.waiting.insert(id, sender);
        Some(Waiting { calls: self, id, answer })
    }

    /// Hands a reply to its call, if that still waits.
    pub(super) fn finish(&self, id: u64, answer: Answer) {
        let waiting = self.state.lock().waiting.remove(&id);
        if waiting.is_none_or(|caller| caller.send(answer).is_err()) {
            tracing::trace!(id, "a reply came after its deadline");
        }
    }

    /// Ends all calls: the connection to `peer` is lost.
    pub(super) fn close(&self, peer: PeerId) {
        let waiting = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        for (id, caller) in waiting {
            if caller.send(Err(NetError::Lost { peer })).is_err() {
                tracing::trace!(id, "the caller had given up");
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.calls.state.lock().waiting.remove(&self.id);
    }
}
