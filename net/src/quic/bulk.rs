//! Bulk transfers: each on a stream of its own, below the priority of the lanes.
//!
//! ```text
//!   sender     header frame {kind}   chunk frame ...   chunk frame   LAST frame   (end of stream)
//!   receiver                                                         answer frame (end of stream)
//! ```
//!
//! Flow control is the stream's: the sender asks its source for the next chunk only when the previous one has been taken.
//! A receiver that has heard enough answers early and stops the stream. A source that fails resets the stream, and the
//! receiver's next chunk is an error.
//!
//! Invariant: a transfer whose LAST frame is missing never looks complete to the receiver.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use quinn::{RecvStream, SendStream, WriteError};

use super::core::Core;
use super::link::Link;
use crate::frame::{Batch, FrameHeader, LAST, MAX_FRAME, MAX_PAYLOAD, REFUSED};
use crate::stream::{FrameReader, StreamError};
use crate::transport::{ChunkSource, NetError, PeerId};

const PRIORITY: i32 = -1;
/// Longer chunks are cut, so that the receiver can begin early.
const PIECE: usize = 256 << 10;
const RESET_CANCELLED: u32 = 1;

/// Sends a transfer and returns the receiver's answer.
pub(super) async fn send(
    link: &Link,
    kind: u16,
    header: Bytes,
    chunks: &mut dyn ChunkSource,
) -> Result<Bytes, NetError> {
    let peer = link.ends.peer;
    let (mut stream, recv) = link.connection.open_bi().await.map_err(|_| NetError::Unreachable { peer })?;
    if stream.set_priority(PRIORITY).is_err() {
        return Err(NetError::Unreachable { peer });
    }
    match write_all(&mut stream, kind, header, chunks).await {
        // Stopped: the receiver has answered before the end.
        Ok(()) | Err(Failure::Stream(WriteError::Stopped(_))) => {}
        Err(Failure::Stream(_)) => return Err(NetError::Lost { peer }),
        Err(Failure::Source(error)) => {
            if stream.reset(RESET_CANCELLED.into()).is_err() {
                tracing::trace!(%peer, "the stream of a cancelled transfer had already ended");
            }
            return Err(error);
        }
    }
    match FrameReader::new(recv, MAX_FRAME).next_frame().await {
        Ok(Some(frame)) if frame.header.has(REFUSED) => {
            Err(NetError::Refused(String::from_utf8_lossy(&frame.payload).into_owned()))
        }
        Ok(Some(frame)) => Ok(frame.payload),
        Ok(None) | Err(StreamError::Gone(_)) => Err(NetError::Lost { peer }),
        Err(error) => {
            link.refuse(&error);
            Err(NetError::Lost { peer })
        }
    }
}

enum Failure {
    Stream(WriteError),
    Source(NetError),
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Failure::Stream(error)
    }
}

async fn write_all(
    stream: &mut SendStream,
    kind: u16,
    header: Bytes,
    chunks: &mut dyn ChunkSource,
) -> Result<(), Failure> {
    let mut batch = Batch::default();
    batch.push(&FrameHeader { kind, ..FrameHeader::default() }, header);
    while let Some(mut chunk) = chunks.next().await.map_err(Failure::Source)? {
        while !chunk.is_empty() {
            let piece = chunk.split_to(chunk.len().min(PIECE));
            batch.push(&FrameHeader::default(), piece);
            stream.write_all_chunks(&mut batch.take()).await?;
        }
    }
    batch.push(&FrameHeader { flags: LAST, ..FrameHeader::default() }, Bytes::new());
    stream.write_all_chunks(&mut batch.take()).await?;
    stream.finish().map_err(|_| Failure::Stream(WriteError::ClosedStream))
}

/// Takes one transfer that the peer has begun.
pub(super) async fn receive(core: Arc<Core>, link: Arc<Link>, mut send: SendStream, recv: RecvStream) {
    let mut reader = FrameReader::new(recv, MAX_FRAME);
    let begin = match reader.next_frame().await {
        Ok(Some(frame)) => frame,
        Ok(None) | Err(StreamError::Gone(_)) => return,
        Err(error) => return link.refuse(&error),
    };
    let peer = link.ends.peer;
    let mut chunks = Incoming { reader, peer, ended: false, broken: None };
    let answer = core.handler.on_bulk(peer, begin.header.kind, begin.payload, &mut chunks).await;
    if let Some(error) = chunks.broken {
        return link.refuse(&error);
    }
    if !chunks.ended {
        chunks.reader.stop();
    }
    let mut batch = Batch::default();
    if answer.len() > MAX_PAYLOAD {
        let reason = format!("the answer of {} bytes exceeds the limit of {MAX_PAYLOAD}", answer.len());
        batch.push(&FrameHeader { flags: REFUSED, ..FrameHeader::default() }, reason.into());
    } else {
        batch.push(&FrameHeader::default(), answer);
    }
    let written = send.write_all_chunks(&mut batch.take()).await;
    if written.is_err() || send.finish().is_err() {
        tracing::debug!(%peer, "the sender of a transfer did not wait for the answer");
    }
}

struct Incoming {
    reader: FrameReader,
    peer: PeerId,
    ended: bool,
    /// What the peer sent that is no frame.
    broken: Option<StreamError>,
}

#[async_trait]
impl ChunkSource for Incoming {
    async fn next(&mut self) -> Result<Option<Bytes>, NetError> {
        if self.ended {
            return Ok(None);
        }
        match self.reader.next_frame().await {
            Ok(Some(frame)) if frame.header.has(LAST) => {
                self.ended = true;
                Ok(None)
            }
            Ok(Some(frame)) => Ok(Some(frame.payload)),
            Ok(None) | Err(StreamError::Gone(_)) => Err(NetError::Lost { peer: self.peer }),
            Err(error) => {
                self.broken = Some(error);
                Err(NetError::Lost { peer: self.peer })
            }
        }
    }
}
