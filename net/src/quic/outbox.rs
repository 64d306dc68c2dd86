//! The queue between those who send and the one task that writes a stream.
//!
//! Senders encode into a shared batch; the writer takes the whole batch when the stream accepts bytes again. So under load
//! many frames go out in one write, and without load a frame goes out at once: nothing waits for company.

use std::task::{Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::frame::{Batch, FrameHeader};

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejected {
    /// More bytes wait than the limit allows.
    Full,
    /// The stream is closed.
    Closed,
}

/// A bounded queue of encoded frames with one consumer.
pub(super) struct Outbox {
    limit: usize,
    /// Held while a frame is copied in or the batch is taken out; no other lock is taken inside.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    batch: Batch,
    closed: bool,
    writer: Option<Waker>,
}

impl Outbox {
    /// A queue that takes frames while fewer than `limit` bytes wait.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Adds a frame, unless the queue is full.
    pub(super) fn push(&self, header: &FrameHeader, payload: Bytes) -> Result<(), Rejected> {
        self.push_below(self.limit, header, payload)
    }

    /// Adds a frame even when the queue is full: replies, whose number is bounded by that of the calls.
    pub(super) fn push_always(&self, header: &FrameHeader, payload: Bytes) -> Result<(), Rejected> {
        self.push_below(usize::MAX, header, payload)
    }

    fn push_below(&self, limit: usize, header: &FrameHeader, payload: Bytes) -> Result<(), Rejected> {
        let writer = {
            let mut state = self.state.lock();
            if state.closed {
                return Err(Rejected::Closed);
            }
            if state.batch.bytes() >= limit {
                return Err(Rejected::Full);
            }
            state.batch.push(header, payload);
            state.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
        Ok(())
    }

    /// Waits for frames and takes all of them; `None` when the queue is closed.
    pub(super) async fn take(&self) -> Option<Vec<Bytes>> {
        std::future::poll_fn(|context| {
            let mut state = self.state.lock();
            if state.closed {
                return Poll::Ready(None);
            }
            if state.batch.bytes() == 0 {
                state.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Some(state.batch.take()))
        })
        .await
    }

    /// Drops what waits and ends the writer.
    pub(super) fn close(&self) {
        let writer = {
            let mut state = self.state.lock();
            *state = State { closed: true, writer: state.writer.take(), ..State::default() };
            state.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    const PAYLOAD: Bytes = Bytes::from_static(b"0123456789");

    #[test]
    fn all_that_waits_is_taken_at_once() {
        let outbox = Outbox::new(1000);
        outbox.push(&FrameHeader::default(), PAYLOAD).unwrap();
        outbox.push(&FrameHeader::default(), PAYLOAD).unwrap();
        let taken = outbox.take().now_or_never().unwrap().unwrap();
        assert_eq!(taken.iter().map(Bytes::len).collect::<Vec<_>>(), [58]);
        assert!(outbox.take().now_or_never().is_none());
    }

    #[test]
    fn a_full_queue_takes_replies_only() {
        let outbox = Outbox::new(29);
        outbox.push(&FrameHeader::default(), PAYLOAD).unwrap();
        assert_eq!(outbox.push(&FrameHeader::default(), PAYLOAD), Err(Rejected::Full));
        assert_eq!(outbox.push_always(&FrameHeader::default(), PAYLOAD), Ok(()));
    }

    #[test]
    fn a_closed_queue_ends_its_writer() {
        let outbox = Outbox::new(1000);
        outbox.push(&FrameHeader::default(), PAYLOAD).unwrap();
        outbox.close();
        assert_eq!(outbox.push_always(&FrameHeader::default(), PAYLOAD), Err(Rejected::Closed));
        assert!(outbox.take().now_or_never().unwrap().is_none());
    }
}
