//! The outgoing half of a connection: one buffer, written to the socket in one call.

use super::ending::Flow;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;

/// A buffer that has grown to this is written although more follows.
const WRITE_BYTES: usize = 64 << 10;
/// A buffer above this is given back once it is written.
const KEEP_BYTES: usize = 128 << 10;

/// The outgoing half of a connection.
pub(super) struct Output {
    half: OwnedWriteHalf,
    /// Messages not yet written; [`super::backend`] appends to it.
    pub(super) buffer: Vec<u8>,
    /// Reused by values whose text is made piece by piece.
    pub(super) scratch: String,
    wanted: bool,
}

impl Output {
    pub(super) fn new(half: OwnedWriteHalf) -> Output {
        Output { half, buffer: Vec::with_capacity(4 << 10), scratch: String::new(), wanted: false }
    }

    /// The client waits for what is buffered: it is written before the next wait for input.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// Writes what the client waits for.
    pub(super) async fn flush_wanted(&mut self) -> Flow<()> {
        if self.wanted { self.flush().await } else { Ok(()) }
    }

    /// Writes everything.
    pub(super) async fn flush(&mut self) -> Flow<()> {
        self.wanted = false;
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.half.write_all(&self.buffer).await?;
        self.buffer.clear();
        if self.buffer.capacity() > KEEP_BYTES {
            self.buffer = Vec::with_capacity(4 << 10);
        }
        Ok(())
    }

    /// Writes everything if there is much of it.
    pub(super) async fn relieve(&mut self) -> Flow<()> {
        if self.buffer.len() >= WRITE_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Says goodbye on the socket's level.
    pub(super) async fn close(&mut self) -> Flow<()> {
        self.flush().await?;
        Ok(self.half.shutdown().await?)
    }
}
