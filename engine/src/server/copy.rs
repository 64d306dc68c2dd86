//! COPY FROM STDIN: the client sends data until it says that they are complete, or gives up.

use super::connection::{Connection, unknown_message};
use super::ending::{Ending, Flow};
use super::frontend::{self, violation};
use super::input::Frame;
use super::simple::{Effects, Sink};
use crate::error::Error;
use crate::session::CopyIn;
use pgwire::messages::{copy, extendedquery, simplequery};

/// Data are handed to the session in pieces of about this size, however small the client's messages are.
const PIECE_BYTES: usize = 64 << 10;

/// How the client's data ended.
enum End {
    Done,
    GivenUp(String),
}

impl Connection {
    /// Feeds a COPY. Returns the next one, if the text that this one came from holds another.
    pub(super) async fn copy_in(&mut self, mut copy: CopyIn) -> Flow<Result<(Option<CopyIn>, Effects), Error>> {
        self.output.copy_in(copy.columns())?;
        match self.receive(&mut copy).await? {
            Err(error) => {
                Box::pin(self.session.copy_abort(copy)).await;
                Ok(Err(error))
            }
            Ok(End::GivenUp(reason)) => Ok(Err(Box::pin(self.session.copy_fail(copy, &reason)).await)),
            Ok(End::Done) => {
                let mut sink = Sink::new(&mut self.output, true);
                let outcome = Box::pin(self.session.copy_done(copy, &mut sink)).await;
                let effects = sink.into_effects()?;
                Ok(outcome.map(|next| (next, effects)))
            }
        }
    }

    async fn receive(&mut self, copy: &mut CopyIn) -> Flow<Result<End, Error>> {
        let mut piece = Vec::new();
        loop {
            let Some(frame) = self.next_frame(false).await? else { return Err(Ending::Gone) };
            let end = match frame.kind {
                copy::MESSAGE_TYPE_BYTE_COPY_DATA => {
                    piece.extend_from_slice(&frame.body);
                    let more = self.input.peek() == Some(copy::MESSAGE_TYPE_BYTE_COPY_DATA);
                    if more && piece.len() < PIECE_BYTES {
                        continue;
                    }
                    None
                }
                _ => match end_of(&frame)? {
                    Ok(None) => continue,
                    Ok(end) => end,
                    Err(error) => return Ok(Err(error)),
                },
            };
            if !piece.is_empty() && !matches!(end, Some(End::GivenUp(_))) {
                if let Err(error) = Box::pin(self.session.copy_data(copy, &piece)).await {
                    return Ok(Err(error));
                }
                piece.clear();
            }
            if let Some(end) = end {
                return Ok(Ok(end));
            }
        }
    }
}

/// What a message that holds no data means while data are wanted.
fn end_of(frame: &Frame) -> Flow<Result<Option<End>, Error>> {
    Ok(match frame.kind {
        copy::MESSAGE_TYPE_BYTE_COPY_DONE => Ok(Some(End::Done)),
        copy::MESSAGE_TYPE_BYTE_COPY_FAIL => {
            frontend::copy_fail(&frame.body).map(|reason| Some(End::GivenUp(reason.to_owned())))
        }
        extendedquery::MESSAGE_TYPE_BYTE_FLUSH | extendedquery::MESSAGE_TYPE_BYTE_SYNC => Ok(None),
        simplequery::MESSAGE_TYPE_BYTE_QUERY
        | extendedquery::MESSAGE_TYPE_BYTE_PARSE
        | extendedquery::MESSAGE_TYPE_BYTE_BIND
        | extendedquery::MESSAGE_TYPE_BYTE_DESCRIBE
        | extendedquery::MESSAGE_TYPE_BYTE_EXECUTE
        | extendedquery::MESSAGE_TYPE_BYTE_CLOSE => {
            Err(violation(format!("unexpected message type 0x{:02X} during COPY from stdin", frame.kind)))
        }
        other => return Err(unknown_message(other)),
    })
}
