//! Reading frames from a QUIC stream.

use quinn::{ReadError, RecvStream};

use crate::frame::{Decoder, Frame, FrameError};

/// Why a stream cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The peer sent what a node does not send.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer's first frame is not the expected HELLO.
    #[error("{0}")]
    Hello(String),
    /// The connection or the stream is gone.
    #[error(transparent)]
    Gone(#[from] ReadError),
    /// The stream ended too early.
    #[error("the stream ended within its opening")]
    Ended,
}

/// A stream, read frame by frame.
pub(crate) struct FrameReader {
    stream: RecvStream,
    decoder: Decoder,
}

impl FrameReader {
    /// Reads frames of at most `limit` bytes.
    pub(crate) fn new(stream: RecvStream, limit: usize) -> Self {
        Self { stream, decoder: Decoder::new(limit) }
    }

    /// The next frame; `None` when the peer has finished the stream.
    pub(crate) async fn next_frame(&mut self) -> Result<Option<Frame>, StreamError> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(Some(frame));
            }
            match self.stream.read_chunk(usize::MAX, true).await? {
                Some(chunk) => self.decoder.push(chunk.bytes),
                None => return Ok(None),
            }
        }
    }

    /// Tells the peer to send no more.
    pub(crate) fn stop(&mut self) {
        if self.stream.stop(0u32.into()).is_err() {
            tracing::trace!("the stream had already ended");
        }
    }
}
