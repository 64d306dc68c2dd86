//! Messages of the PostgreSQL protocol as bytes: framing, and readers for the parts that a shell needs.
//!
//! ```text
//!   ┌────────┬───────────────────────────┬──────────┐
//!   │ tag u8 │ length i32, itself counted │ body ... │
//!   └────────┴───────────────────────────┴──────────┘
//! ```
//! Invariant: nothing a server sends makes this module panic or allocate more than [`MAX_MESSAGE`].

use super::{Column, Row};
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most that one message may hold.
const MAX_MESSAGE: usize = 1 << 30;

/// A socket that carries messages.
#[derive(Debug)]
pub(super) struct Channel {
    socket: TcpStream,
    incoming: BytesMut,
    /// What [`Channel::flush`] sends.
    pub(super) outgoing: BytesMut,
}

/// One message of the server.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) tag: u8,
    pub(super) body: Body,
}

impl Channel {
    pub(super) fn new(socket: TcpStream) -> Channel {
        Channel { socket, incoming: BytesMut::with_capacity(16 << 10), outgoing: BytesMut::new() }
    }

    /// Sends what was written.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.socket.write_all(&self.outgoing).await?;
        self.outgoing.clear();
        Ok(())
    }

    /// The next message.
    pub(super) async fn receive(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(frame) = take_frame(&mut self.incoming)? {
                return Ok(frame);
            }
            if self.socket.read_buf(&mut self.incoming).await? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
        }
    }
}

fn take_frame(incoming: &mut BytesMut) -> io::Result<Option<Frame>> {
    let Some(header) = incoming.first_chunk::<5>() else { return Ok(None) };
    let [tag, length @ ..] = *header;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(0);
    if !(4..=MAX_MESSAGE).contains(&length) {
        return Err(broken("a message has an impossible length"));
    }
    if incoming.len() < 1 + length {
        return Ok(None);
    }
    let mut message = incoming.split_to(1 + length).freeze();
    message.advance(5);
    Ok(Some(Frame { tag, body: Body(message) }))
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server does not speak the protocol: {why}"))
}

/// What is left of a message.
#[derive(Debug)]
pub(super) struct Body(Bytes);

impl Body {
    pub(super) fn u8(&mut self) -> io::Result<u8> {
        self.0.try_get_u8().map_err(|_| broken("a message is too short"))
    }

    pub(super) fn i16(&mut self) -> io::Result<i16> {
        self.0.try_get_i16().map_err(|_| broken("a message is too short"))
    }

    pub(super) fn i32(&mut self) -> io::Result<i32> {
        self.0.try_get_i32().map_err(|_| broken("a message is too short"))
    }

    pub(super) fn bytes(&mut self, length: usize) -> io::Result<Bytes> {
        if length > self.0.len() {
            return Err(broken("a message is too short"));
        }
        Ok(self.0.split_to(length))
    }

    pub(super) fn rest(self) -> Bytes {
        self.0
    }

    /// What has not been read yet, without taking it.
    pub(super) fn bytes_left(&self) -> Bytes {
        self.0.clone()
    }

    /// A string with its zero byte.
    pub(super) fn text(&mut self) -> io::Result<String> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(|| broken("a string has no end"))?;
        let text = String::from_utf8_lossy(&self.bytes(end)?).into_owned();
        self.0.advance(1);
        Ok(text)
    }

    /// The fields of an ErrorResponse or NoticeResponse.
    pub(super) fn fields(mut self) -> io::Result<Vec<(u8, String)>> {
        let mut fields = Vec::new();
        loop {
            match self.u8()? {
                0 => return Ok(fields),
                field => fields.push((field, self.text()?)),
            }
        }
    }

    /// A RowDescription.
    pub(super) fn columns(mut self) -> io::Result<Vec<Column>> {
        let count = self.i16()?;
        (0..count)
            .map(|_| {
                let name = self.text()?;
                self.bytes(6)?;
                let oid = self.i32()?.cast_unsigned();
                self.bytes(2)?;
                let typmod = self.i32()?;
                self.bytes(2)?;
                Ok(Column::of_wire(&name, oid, typmod))
            })
            .collect()
    }

    /// A DataRow.
    pub(super) fn row(mut self) -> io::Result<Row> {
        let count = self.i16()?;
        (0..count)
            .map(|_| match usize::try_from(self.i32()?) {
                Ok(length) => Ok(Some(String::from_utf8_lossy(&self.bytes(length)?).into_owned())),
                Err(_) => Ok(None),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &[u8]) -> Body {
        Body(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn frames_are_cut_where_they_end() {
        let mut incoming = BytesMut::from(&b"Z\0\0\0\x05IC\0\0\0"[..]);
        let frame = take_frame(&mut incoming).unwrap().unwrap();
        assert_eq!((frame.tag, frame.body.rest().as_ref()), (b'Z', &b"I"[..]));
        assert!(take_frame(&mut incoming).unwrap().is_none());
        assert!(take_frame(&mut BytesMut::from(&b"Z\xff\xff\xff\xff"[..])).is_err());
        assert!(take_frame(&mut BytesMut::from(&b"Z\0\0\0\x03"[..])).is_err());
    }

    #[test]
    fn rows_hold_texts_and_nulls() {
        let row = body(b"\0\x02\0\0\0\x02hi\xff\xff\xff\xff").row().unwrap();
        assert_eq!(row, vec![Some("hi".to_owned()), None]);
        assert!(body(b"\0\x01\0\0\0\x09hi").row().is_err());
        assert!(body(b"\x7f\xff").row().is_err());
    }

    #[test]
    fn columns_have_names_and_types() {
        let bytes = b"\0\x01id\0\0\0\0\0\0\0\0\0\0\x14\0\x08\xff\xff\xff\xff\0\0";
        let columns = body(bytes).columns().unwrap();
        assert_eq!((columns[0].name.as_str(), columns[0].type_name.as_str()), ("id", "int8"));
        assert!(body(b"\0\x01id").columns().is_err());
    }

    #[test]
    fn error_fields_end_with_a_zero() {
        let fields = body(b"SERROR\0C42P01\0\0").fields().unwrap();
        assert_eq!(fields, vec![(b'S', "ERROR".to_owned()), (b'C', "42P01".to_owned())]);
        assert!(body(b"SERROR\0").fields().is_err());
    }
}
