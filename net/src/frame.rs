//! Frames: how messages lie on a stream.
//!
//! ```text
//!   0   4  length of the rest, little-endian, 15 ..= limit
//!   4   2  kind          what the layer above calls the payload
//!   6   8  request id    a reply repeats that of its call; 0 on one-way messages
//!  14   4  deadline      milliseconds that the caller waits, 0 when there is none
//!  18   1  flags         REPLY | REFUSED | LAST | HELLO
//!  19   -  payload       opaque
//! ```
//!
//! [`Batch`] collects frames to be written at once; [`Decoder`] takes the pieces in which a stream arrives. A frame that lies
//! within one piece is a slice of it; otherwise its pieces are copied together.
//!
//! Invariant: the length is checked before anything is reserved, and memory then grows only as bytes arrive.

use bincode::{Decode, Encode};
use bytes::{BufMut, Bytes, BytesMut};

use crate::codec;

/// The longest frame, without its length field, on the streams between nodes.
pub const MAX_FRAME: usize = 16 << 20;
/// The longest payload of a frame between nodes.
pub const MAX_PAYLOAD: usize = MAX_FRAME - HEADER_BYTES;
/// Bytes of an encoded [`FrameHeader`].
pub const HEADER_BYTES: usize = 15;
const LENGTH_BYTES: usize = 4;

/// The frame answers the call with its request id.
pub const REPLY: u8 = 1;
/// The call was not executed; the payload says why.
pub const REFUSED: u8 = 2;
/// The last frame of a bulk transfer.
pub const LAST: u8 = 4;
/// The first frame of a long-lived stream.
pub const HELLO: u8 = 8;

/// Payloads from this size on are handed over without copying them into the batch.
const COPY_BELOW: usize = 16 << 10;

/// What precedes a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct FrameHeader {
    /// What the layer above calls the payload.
    pub kind: u16,
    /// Ties a reply to its call.
    pub request: u64,
    /// Milliseconds that the caller waits; 0 when there is no deadline.
    pub deadline_ms: u32,
    /// A sum of [`REPLY`], [`REFUSED`], [`LAST`], [`HELLO`].
    pub flags: u8,
}

impl FrameHeader {
    /// Whether `flag` is set.
    #[must_use]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A header and its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The header.
    pub header: FrameHeader,
    /// The payload.
    pub payload: Bytes,
}

/// Bytes that are not frames. The stream cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The announced length is more than the limit.
    #[error("a frame of {length} bytes is more than the limit of {limit}")]
    TooLarge {
        /// The announced length.
        length: usize,
        /// The longest that is accepted.
        limit: usize,
    },
    /// The announced length has no room for a header.
    #[error("a frame of {0} bytes is too short for its header")]
    TooShort(usize),
    /// The header is damaged.
    #[error(transparent)]
    Header(#[from] codec::CodecError),
}

/// Frames waiting to be written in one go.
#[derive(Debug, Default)]
pub struct Batch {
    small: BytesMut,
    chunks: Vec<Bytes>,
    bytes: usize,
}

impl Batch {
    /// Adds a frame. The caller has checked that the payload is at most [`MAX_PAYLOAD`].
    pub fn push(&mut self, header: &FrameHeader, payload: Bytes) {
        let length = HEADER_BYTES + payload.len();
        self.bytes += LENGTH_BYTES + length;
        let length = u32::try_from(length);
        assert!(length.is_ok(), "payloads are bounded by MAX_PAYLOAD, far below 4 GiB, before they come here");
        self.small.put_u32_le(length.unwrap_or_default());
        codec::append(header, &mut self.small);
        if payload.len() < COPY_BELOW {
            self.small.put_slice(&payload);
        } else {
            self.chunks.push(self.small.split().freeze());
            self.chunks.push(payload);
        }
    }

    /// Bytes waiting.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the waiting bytes, in order; the batch is empty afterwards.
    #[must_use]
    pub fn take(&mut self) -> Vec<Bytes> {
        let mut chunks = std::mem::take(&mut self.chunks);
        if !self.small.is_empty() {
            chunks.push(self.small.split().freeze());
        }
        self.bytes = 0;
        chunks
    }
}

/// Cuts a stream of bytes, given in pieces, into frames.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The beginning of a frame that the pieces so far did not complete.
    partial: BytesMut,
    /// What is not yet cut of the newest piece.
    piece: Bytes,
}

impl Decoder {
    /// A decoder that refuses frames longer than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, partial: BytesMut::new(), piece: Bytes::new() }
    }

    /// Gives the next piece of the stream.
    pub fn push(&mut self, piece: Bytes) {
        if self.piece.is_empty() {
            self.piece = piece;
        } else {
            let mut joined = BytesMut::from(self.piece.as_ref());
            joined.put_slice(&piece);
            self.piece = joined.freeze();
        }
    }

    /// The next complete frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes are not frames; the decoder is of no use afterwards.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.partial.is_empty()
            && let Some(total) = self.frame_bytes(&self.piece)?
            && self.piece.len() >= total
        {
            return read_frame(self.piece.split_to(total)).map(Some);
        }
        self.extend_partial(LENGTH_BYTES);
        let Some(total) = self.frame_bytes(&self.partial)? else {
            return Ok(None);
        };
        self.extend_partial(total);
        if self.partial.len() < total {
            return Ok(None);
        }
        read_frame(std::mem::take(&mut self.partial).freeze()).map(Some)
    }

    /// The bytes that the frame at the start of `bytes` takes up, once its length field is there.
    fn frame_bytes(&self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(field) = bytes.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*field) as usize;
        if length > self.limit {
            return Err(FrameError::TooLarge { length, limit: self.limit });
        }
        if length < HEADER_BYTES {
            return Err(FrameError::TooShort(length));
        }
        Ok(Some(LENGTH_BYTES + length))
    }

    /// Moves bytes of the piece into `partial` until that holds `total` or the piece is used up.
    fn extend_partial(&mut self, total: usize) {
        let missing = total.saturating_sub(self.partial.len()).min(self.piece.len());
        self.partial.put_slice(&self.piece.split_to(missing));
    }
}

/// Splits the bytes of one frame, which hold a length field and at least a header.
fn read_frame(mut bytes: Bytes) -> Result<Frame, FrameError> {
    let head = bytes.split_to(LENGTH_BYTES + HEADER_BYTES);
    let header = codec::decode(&head[LENGTH_BYTES..], HEADER_BYTES)?;
    Ok(Frame { header, payload: bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch_of(frames: &[Frame]) -> Vec<u8> {
        let mut batch = Batch::default();
        for frame in frames {
            batch.push(&frame.header, frame.payload.clone());
        }
        let bytes = batch.bytes();
        let written = batch.take().concat();
        assert_eq!((written.len(), batch.bytes()), (bytes, 0));
        written
    }

    fn decode_in_pieces(bytes: &[u8], piece: usize) -> Vec<Frame> {
        let mut decoder = Decoder::new(MAX_FRAME);
        let mut frames = Vec::new();
        for piece in bytes.chunks(piece) {
            decoder.push(Bytes::copy_from_slice(piece));
            while let Some(frame) = decoder.next_frame().unwrap() {
                frames.push(frame);
            }
        }
        frames
    }

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let header = (any::<u16>(), any::<u64>(), any::<u32>(), any::<u8>())
            .prop_map(|(kind, request, deadline_ms, flags)| FrameHeader { kind, request, deadline_ms, flags });
        let payload = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..50).prop_map(Bytes::from),
            (COPY_BELOW - 1..COPY_BELOW + 2).prop_map(|length| Bytes::from(vec![7; length])),
        ];
        proptest::collection::vec((header, payload).prop_map(|(header, payload)| Frame { header, payload }), 0..6)
    }

    #[test]
    fn layout() {
        let header = FrameHeader { kind: 0x0201, request: 3, deadline_ms: 4, flags: REPLY };
        let bytes = batch_of(&[Frame { header, payload: Bytes::from_static(b"xy") }]);
        assert_eq!(bytes, [17, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, b'x', b'y']);
    }

    #[test]
    fn lengths_are_checked_before_the_payload_arrives() {
        let mut decoder = Decoder::new(100);
        decoder.push(Bytes::from_static(&[101, 0, 0, 0]));
        assert!(matches!(decoder.next_frame(), Err(FrameError::TooLarge { length: 101, limit: 100 })));
        let mut decoder = Decoder::new(100);
        decoder.push(Bytes::from_static(&[14, 0]));
        assert!(decoder.next_frame().unwrap().is_none());
        decoder.push(Bytes::from_static(&[0, 0]));
        assert!(matches!(decoder.next_frame(), Err(FrameError::TooShort(14))));
    }

    proptest! {
        #[test]
        fn round_trip_in_any_pieces(frames in frames(), piece in 1usize..3000) {
            prop_assert_eq!(decode_in_pieces(&batch_of(&frames), piece), frames);
        }

        #[test]
        fn arbitrary_bytes_never_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..8)) {
            let mut decoder = Decoder::new(64);
            for piece in pieces {
                decoder.push(Bytes::from(piece));
                while let Ok(Some(_)) = decoder.next_frame() {}
            }
        }
    }
}
