//! The two long-lived streams of a connection, and the HELLO with which they begin.
//!
//! ```text
//!   dialler   opens Raft lane:     HELLO {version, 0, incarnation}       opens Request lane:  HELLO {version, 1, incarnation}
//!   acceptor  on the Raft lane:    HELLO {version, 0, incarnation}
//! ```

use bincode::{Decode, Encode};
use bytes::Bytes;
use quinn::SendStream;

use crate::codec;
use crate::frame::{Batch, FrameError, FrameHeader, HELLO};
use crate::stream::{FrameReader, StreamError};
use crate::transport::Class;

/// The version of frames and of HELLO; nodes of different versions refuse each other.
pub(super) const VERSION: u16 = 1;
const MAX_HELLO: usize = 64;

/// One of the two long-lived streams.
pub(super) struct Lane {
    pub(super) send: SendStream,
    pub(super) reader: FrameReader,
}

/// The content of the first frame of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) struct Hello {
    pub(super) version: u16,
    pub(super) class: u8,
    pub(super) incarnation: u64,
}

impl Hello {
    pub(super) fn new(class: Class, incarnation: u64) -> Self {
        Self { version: VERSION, class: class as u8, incarnation }
    }
}

/// Writes a HELLO.
pub(super) async fn write_hello(send: &mut SendStream, hello: Hello) -> Result<(), quinn::WriteError> {
    let mut batch = Batch::default();
    batch.push(&FrameHeader { flags: HELLO, ..FrameHeader::default() }, Bytes::from(codec::encode(&hello)));
    send.write_all_chunks(&mut batch.take()).await
}

/// Reads the HELLO that must come first.
pub(super) async fn read_hello(reader: &mut FrameReader) -> Result<Hello, StreamError> {
    let frame = reader.next_frame().await?.ok_or(StreamError::Ended)?;
    if !frame.header.has(HELLO) {
        return Err(StreamError::Hello("the stream does not begin with a HELLO".to_owned()));
    }
    let hello: Hello = codec::decode(&frame.payload, MAX_HELLO).map_err(FrameError::Header)?;
    if hello.version != VERSION {
        return Err(StreamError::Hello(format!("the peer speaks version {}, this node {VERSION}", hello.version)));
    }
    Ok(hello)
}
