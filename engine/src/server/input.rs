//! From the socket to frames.
//!
//! ```text
//!  after startup    u8 type   i32 length (itself included)   body          startup packets lack the type
//! ```
//! The buffer grows as bytes arrive, never by a length that a client claims.

use super::ending::{Ending, Flow};
use crate::error::{Error, SqlState};
use bytes::{Buf, Bytes, BytesMut};
use pgwire::messages::{copy, extendedquery, simplequery};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

/// What a read asks the socket for at least.
const READ_BYTES: usize = 8 << 10;
/// Longest startup packet and longest message of the small kinds, as in PostgreSQL.
const SMALL_MESSAGE_BYTES: usize = 10_000;
/// A buffer above this is given back while the connection is idle.
const KEEP_BYTES: usize = 64 << 10;

/// The incoming half of a connection.
pub(super) struct Input {
    half: OwnedReadHalf,
    buffer: BytesMut,
    max_message_bytes: usize,
}

/// One message as it came.
pub(super) struct Frame {
    /// The type byte.
    pub(super) kind: u8,
    /// What follows the length.
    pub(super) body: Bytes,
}

impl Input {
    pub(super) fn new(half: OwnedReadHalf, max_message_bytes: usize) -> Input {
        Input { half, buffer: BytesMut::with_capacity(READ_BYTES), max_message_bytes }
    }

    /// Takes the next message, if all of it has arrived.
    pub(super) fn frame(&mut self) -> Flow<Option<Frame>> {
        let Some((&kind, rest)) = self.buffer.split_first() else { return Ok(None) };
        let Some(length) = length_of(rest) else { return Ok(None) };
        let limit = if is_large_kind(kind) { self.max_message_bytes } else { SMALL_MESSAGE_BYTES };
        let length = checked(length, 4, limit)?;
        if rest.len() < length {
            return Ok(None);
        }
        self.buffer.advance(5);
        Ok(Some(Frame { kind, body: self.buffer.split_to(length - 4).freeze() }))
    }

    /// Takes the next startup packet (its body), if all of it has arrived.
    pub(super) fn startup_packet(&mut self) -> Flow<Option<Bytes>> {
        let Some(length) = length_of(&self.buffer) else { return Ok(None) };
        let length = checked(length, 8, SMALL_MESSAGE_BYTES)?;
        if self.buffer.len() < length {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length - 4).freeze()))
    }

    /// The type of the next message, if it has begun to arrive.
    pub(super) fn peek(&self) -> Option<u8> {
        self.buffer.first().copied()
    }

    /// Waits for more bytes. Cancelling loses none.
    pub(super) async fn fill(&mut self) -> Flow<()> {
        if self.buffer.is_empty() && self.buffer.capacity() > KEEP_BYTES {
            self.buffer = BytesMut::with_capacity(READ_BYTES);
        }
        self.buffer.reserve(READ_BYTES.max(self.buffer.len() / 2));
        match self.half.read_buf(&mut self.buffer).await? {
            0 => Err(Ending::Gone),
            _ => Ok(()),
        }
    }
}

fn length_of(bytes: &[u8]) -> Option<i32> {
    bytes.first_chunk().map(|length| i32::from_be_bytes(*length))
}

fn checked(length: i32, least: usize, most: usize) -> Flow<usize> {
    match usize::try_from(length) {
        Ok(length) if (least..=most).contains(&length) => Ok(length),
        _ => Err(Ending::Fatal(Error::new(SqlState::PROTOCOL_VIOLATION, "invalid message length"))),
    }
}

fn is_large_kind(kind: u8) -> bool {
    matches!(
        kind,
        simplequery::MESSAGE_TYPE_BYTE_QUERY
            | extendedquery::MESSAGE_TYPE_BYTE_PARSE
            | extendedquery::MESSAGE_TYPE_BYTE_BIND
            | copy::MESSAGE_TYPE_BYTE_COPY_DATA
    )
}
