//! One connection to one peer, after both ends have proved who they are.
//!
//! ```text
//!   send, call, reply ──► Outbox ──► write task ──► stream        (two of each: Raft, Request)
//!   on_message, on_call, waiting calls ◄── read task ◄── stream
//!   supervisor: takes streams of bulk transfers, and ends everything when the connection ends
//! ```
//!
//! A call that arrives is polled once on the read task; only if it is not ready then does it become a task. More than
//! [`MAX_SERVING`] calls at a time are refused, never left unread: replies come on the same stream.
//!
//! Invariant: a link closes once, and then every waiting call has ended with `Lost`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, SendStream};

use super::bulk;
use super::calls::Calls;
use super::core::Core;
use super::lane::Lane;
use super::outbox::{Outbox, Rejected};
use crate::frame::{Frame, FrameHeader, MAX_PAYLOAD, REFUSED, REPLY};
use crate::runtime::{Instant, Runtime};
use crate::stream::{FrameReader, StreamError};
use crate::transport::{Class, Message, NetError, PeerId};

/// Raft messages that wait for one peer; consensus repeats what is dropped.
const RAFT_BYTES: usize = 32 << 20;
/// Calls that wait to be written to one peer.
const REQUEST_BYTES: usize = 32 << 20;
/// Calls of one peer that run at a time.
const MAX_SERVING: usize = 8192;
/// The kind of a refusal that means "later", not "never".
const REFUSAL_BUSY: u16 = 1;

/// Why a connection was closed, as the other end sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum CloseCode {
    /// The node stops.
    Shut = 0,
    /// The peer sent what a node does not send.
    Protocol = 1,
    /// The peer is not who it has to be.
    Identity = 2,
    /// Another connection between the same two nodes took over.
    Retired = 3,
    /// The peer was removed from the cluster.
    Removed = 4,
}

impl CloseCode {
    /// Whether dialling again is pointless until somebody changes something.
    pub(super) fn is_refusal(code: u64) -> bool {
        code == CloseCode::Protocol as u64 || code == CloseCode::Identity as u64
    }
}

/// Who is at the other end of a link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) peer: PeerId,
    pub(super) dialler: PeerId,
    pub(super) incarnation: u64,
}

/// A connection in use.
pub(super) struct Link {
    pub(super) ends: Ends,
    pub(super) connection: Connection,
    raft: Outbox,
    request: Outbox,
    calls: Calls,
    open: AtomicBool,
    serving: AtomicUsize,
}

impl Link {
    /// A link over a connection whose lanes are open.
    pub(super) fn new(ends: Ends, connection: Connection) -> Arc<Self> {
        Arc::new(Self {
            ends,
            connection,
            raft: Outbox::new(RAFT_BYTES),
            request: Outbox::new(REQUEST_BYTES),
            calls: Calls::default(),
            open: AtomicBool::new(true),
            serving: AtomicUsize::new(0),
        })
    }

    /// Whether the link can be used.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Puts a one-way message into the Raft lane.
    pub(super) fn send(&self, message: Message) -> Result<(), Rejected> {
        self.raft.push(&FrameHeader { kind: message.kind, ..FrameHeader::default() }, message.payload)
    }

    /// Sends a call and waits for its reply.
    pub(super) async fn call(
        &self,
        message: Message,
        deadline: Duration,
        runtime: &Runtime,
    ) -> Result<Bytes, NetError> {
        let peer = self.ends.peer;
        let mut waiting = self.calls.begin().ok_or(NetError::Unreachable { peer })?;
        let deadline_ms = u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX).max(1);
        let header = FrameHeader { kind: message.kind, request: waiting.id, deadline_ms, flags: 0 };
        self.request.push(&header, message.payload).map_err(|rejected| match rejected {
            Rejected::Full => NetError::Busy { peer },
            Rejected::Closed => NetError::Unreachable { peer },
        })?;
        match runtime.timeout(deadline, &mut waiting.answer).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => Err(NetError::Lost { peer }),
            None => Err(NetError::Deadline),
        }
    }

    /// Closes the connection and ends every waiting call. Only the first close has an effect.
    pub(super) fn close(&self, code: CloseCode, reason: &str) {
        if self.open.swap(false, Ordering::AcqRel) {
            self.connection.close((code as u32).into(), reason.as_bytes());
            self.raft.close();
            self.request.close();
            self.calls.close(self.ends.peer);
        }
    }

    /// Closes because the peer broke the protocol.
    pub(super) fn refuse(&self, error: &StreamError) {
        if self.is_open() {
            tracing::warn!(peer = %self.ends.peer, %error, "closed the connection to a node that broke the protocol");
            self.close(CloseCode::Protocol, &error.to_string());
        }
    }

    fn reply(&self, request: u64, payload: Bytes) {
        if payload.len() > MAX_PAYLOAD {
            let reason = format!("the answer of {} bytes exceeds the limit of {MAX_PAYLOAD}", payload.len());
            return self
                .answer(FrameHeader { request, flags: REPLY | REFUSED, ..FrameHeader::default() }, reason.into());
        }
        self.answer(FrameHeader { request, flags: REPLY, ..FrameHeader::default() }, payload);
    }

    fn refuse_call(&self, request: u64) {
        self.answer(
            FrameHeader { kind: REFUSAL_BUSY, request, flags: REPLY | REFUSED, ..FrameHeader::default() },
            Bytes::new(),
        );
    }

    fn answer(&self, header: FrameHeader, payload: Bytes) {
        if self.request.push_always(&header, payload).is_err() {
            tracing::trace!(peer = %self.ends.peer, "the connection ended before the reply");
        }
    }

    fn take_reply(&self, frame: Frame) {
        let peer = self.ends.peer;
        let answer = match (frame.header.has(REFUSED), frame.header.kind) {
            (false, _) => Ok(frame.payload),
            (true, REFUSAL_BUSY) => Err(NetError::Busy { peer }),
            (true, _) => Err(NetError::Refused(String::from_utf8_lossy(&frame.payload).into_owned())),
        };
        self.calls.finish(frame.header.request, answer);
    }
}

/// Starts the tasks of a link.
pub(super) fn run(core: &Arc<Core>, link: &Arc<Link>, raft: Lane, request: Lane) {
    core.spawn(write(link.clone(), Class::Raft, raft.send));
    core.spawn(write(link.clone(), Class::Request, request.send));
    core.spawn(read(core.clone(), link.clone(), Class::Raft, raft.reader));
    core.spawn(read(core.clone(), link.clone(), Class::Request, request.reader));
    core.spawn(supervise(core.clone(), link.clone()));
}

async fn write(link: Arc<Link>, class: Class, mut stream: SendStream) {
    let outbox = match class {
        Class::Raft => &link.raft,
        Class::Request | Class::Bulk => &link.request,
    };
    while let Some(mut batch) = outbox.take().await {
        if let Err(error) = stream.write_all_chunks(&mut batch).await {
            tracing::debug!(peer = %link.ends.peer, ?class, %error, "cannot write to a node");
            return link.close(CloseCode::Shut, "cannot write");
        }
    }
}

async fn read(core: Arc<Core>, link: Arc<Link>, class: Class, mut reader: FrameReader) {
    loop {
        match reader.next_frame().await {
            Ok(Some(frame)) if class == Class::Raft => {
                let message = Message { kind: frame.header.kind, payload: frame.payload };
                core.handler.on_message(link.ends.peer, message);
            }
            Ok(Some(frame)) if frame.header.has(REPLY) => link.take_reply(frame),
            Ok(Some(frame)) => serve(&core, &link, frame),
            Ok(None) | Err(StreamError::Gone(_)) => return link.close(CloseCode::Shut, "the stream ended"),
            Err(error) => return link.refuse(&error),
        }
    }
}

/// Counts a call that is being served.
struct Slot(Arc<Link>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.serving.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers a call: at once if the handler can, in a task otherwise.
fn serve(core: &Arc<Core>, link: &Arc<Link>, frame: Frame) {
    let FrameHeader { kind, request, deadline_ms, .. } = frame.header;
    let serving = link.serving.fetch_add(1, Ordering::Relaxed);
    let slot = Slot(link.clone());
    if serving >= MAX_SERVING {
        return link.refuse_call(request);
    }
    let (handler, from) = (core.handler.clone(), link.ends.peer);
    let mut work = Box::pin(async move { handler.on_call(from, Message { kind, payload: frame.payload }).await });
    // A future that is pending now is polled again by its task, with that task's waker, before it may rely on a wake-up.
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => link.reply(request, answer),
        Poll::Pending => {
            let end = core.runtime.now() + Duration::from_millis(deadline_ms.into());
            core.spawn(core.until_closed(serve_later(core.runtime.clone(), slot, request, end, work)));
        }
    }
}

/// Finishes a call whose handler has to wait; the reply is spared when the caller no longer listens.
async fn serve_later(runtime: Runtime, slot: Slot, request: u64, end: Instant, work: impl Future<Output = Bytes>) {
    let answer = work.await;
    if runtime.now() <= end {
        slot.0.reply(request, answer);
    }
}

async fn supervise(core: Arc<Core>, link: Arc<Link>) {
    let error = loop {
        match link.connection.accept_bi().await {
            Ok((send, recv)) => core.spawn(core.until_closed(bulk::receive(core.clone(), link.clone(), send, recv))),
            Err(error) => break error,
        }
    };
    link.close(CloseCode::Shut, "the connection ended");
    core.lost(&link, &error);
}
