//! Messages of the server, appended to the connection's buffer.
//!
//! What every statement needs is written here; the rest are messages of the `pgwire` crate.

use super::ending::{Ending, Flow};
use super::frontend::{Format, Formats};
use super::output::Output;
use crate::error::{Error, ErrorKind, SqlState};
use crate::session::{ColumnDesc, CommandTag, CopyFormat, Notice, TransactionStatus};
use crate::sql::types::Type;
use bytes::BytesMut;
use pgwire::messages::copy::{CopyInResponse, CopyOutResponse, MESSAGE_TYPE_BYTE_COPY_DATA};
use pgwire::messages::data::{MESSAGE_TYPE_BYTE_NO_DATA, MESSAGE_TYPE_BYTE_ROW_DESCRITION, ParameterDescription};
use pgwire::messages::extendedquery::{
    MESSAGE_TYPE_BYTE_BIND_COMPLETE, MESSAGE_TYPE_BYTE_CLOSE_COMPLETE, MESSAGE_TYPE_BYTE_PARSE_COMPLETE,
    MESSAGE_TYPE_BYTE_PORTAL_SUSPENDED,
};
use pgwire::messages::response::{
    ErrorResponse, MESSAGE_TYPE_BYTE_COMMAND_COMPLETE, MESSAGE_TYPE_BYTE_EMPTY_QUERY_RESPONSE,
    MESSAGE_TYPE_BYTE_READY_FOR_QUERY, NoticeResponse,
};
use pgwire::messages::startup::{Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey};
use std::io::Write;

/// A message without a body.
#[derive(Clone, Copy)]
pub(super) enum Bare {
    ParseComplete = MESSAGE_TYPE_BYTE_PARSE_COMPLETE as isize,
    BindComplete = MESSAGE_TYPE_BYTE_BIND_COMPLETE as isize,
    CloseComplete = MESSAGE_TYPE_BYTE_CLOSE_COMPLETE as isize,
    NoData = MESSAGE_TYPE_BYTE_NO_DATA as isize,
    EmptyQueryResponse = MESSAGE_TYPE_BYTE_EMPTY_QUERY_RESPONSE as isize,
    PortalSuspended = MESSAGE_TYPE_BYTE_PORTAL_SUSPENDED as isize,
    CopyDone = pgwire::messages::copy::MESSAGE_TYPE_BYTE_COPY_DONE as isize,
}

/// How loud an error is.
#[derive(Clone, Copy)]
pub(super) enum Loudness {
    /// The statement fails.
    Error,
    /// The connection ends.
    Fatal,
}

impl Output {
    pub(super) fn bare(&mut self, message: Bare) {
        self.buffer.extend_from_slice(&[message as u8, 0, 0, 0, 4]);
    }

    pub(super) fn ready(&mut self, status: TransactionStatus) {
        let status = match status {
            TransactionStatus::Idle => b'I',
            TransactionStatus::Open => b'T',
            TransactionStatus::Failed => b'E',
        };
        self.buffer.extend_from_slice(&[MESSAGE_TYPE_BYTE_READY_FOR_QUERY, 0, 0, 0, 5, status]);
        self.want();
    }

    pub(super) fn complete(&mut self, tag: &CommandTag) {
        let at = self.begin(MESSAGE_TYPE_BYTE_COMMAND_COMPLETE);
        let written = write!(self.buffer, "{tag}");
        assert!(written.is_ok(), "writing to a Vec never fails");
        self.buffer.push(0);
        self.finish(at);
    }

    pub(super) fn row_description(&mut self, columns: &[ColumnDesc], formats: &Formats) {
        let at = self.begin(MESSAGE_TYPE_BYTE_ROW_DESCRITION);
        self.put_u16(columns.len());
        for (index, column) in columns.iter().enumerate() {
            self.put_string(&column.name);
            self.buffer.extend_from_slice(&column.origin.0.to_be_bytes());
            self.buffer.extend_from_slice(&column.origin.1.to_be_bytes());
            self.buffer.extend_from_slice(&column.ty.oid().to_be_bytes());
            self.buffer.extend_from_slice(&column.ty.type_len().to_be_bytes());
            self.buffer.extend_from_slice(&column.ty.typmod().to_be_bytes());
            self.put_u16(usize::from(formats.get(index) == Format::Binary));
        }
        self.finish(at);
    }

    pub(super) fn parameter_description(&mut self, types: &[Type]) -> Flow<()> {
        self.message(&ParameterDescription::new(types.iter().map(Type::oid).collect()))
    }

    pub(super) fn copy_in(&mut self, columns: usize) -> Flow<()> {
        let columns = i16::try_from(columns).unwrap_or(i16::MAX);
        self.want();
        self.message(&CopyInResponse::new(0, columns, vec![0; usize::from(columns.unsigned_abs())]))
    }

    /// Every format of COPY is text to the protocol.
    pub(super) fn copy_out(&mut self, _format: CopyFormat, columns: usize) -> Flow<()> {
        let columns = i16::try_from(columns).unwrap_or(i16::MAX);
        self.message(&CopyOutResponse::new(0, columns, vec![0; usize::from(columns.unsigned_abs())]))
    }

    /// One CopyData per line, as PostgreSQL sends them.
    pub(super) fn copy_lines(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let at = self.begin(MESSAGE_TYPE_BYTE_COPY_DATA);
            self.buffer.extend_from_slice(line);
            self.finish(at);
        }
    }

    /// `sql` is the text that the error's position counts in.
    pub(super) fn error(&mut self, loudness: Loudness, error: &Error, sql: Option<&str>) -> Flow<()> {
        let severity = match loudness {
            Loudness::Error => "ERROR",
            Loudness::Fatal => "FATAL",
        };
        let mut fields = head(severity, &code_of(error), error.message());
        let position = sql.and_then(|sql| error.char_position(sql)).map(|position| position.to_string());
        let optional = [
            (b'D', error.detail()),
            (b'H', error.hint()),
            (b'P', position.as_deref()),
            (b's', error.schema()),
            (b't', error.table()),
            (b'c', error.column()),
            (b'd', error.datatype()),
            (b'n', error.constraint()),
        ];
        for (code, text) in optional {
            fields.extend(text.map(|text| (code, clean(text))));
        }
        self.want();
        self.message(&ErrorResponse::new(fields))
    }

    pub(super) fn notice(&mut self, notice: &Notice) -> Flow<()> {
        let mut fields = head(notice.severity.as_str(), notice.sqlstate.as_str(), &notice.message);
        fields.extend(notice.detail.as_deref().map(|detail| (b'D', clean(detail))));
        fields.extend(notice.hint.as_deref().map(|hint| (b'H', clean(hint))));
        self.message(&NoticeResponse::new(fields))
    }

    pub(super) fn parameter_status(&mut self, name: &str, value: &str) -> Flow<()> {
        self.message(&ParameterStatus::new(name.to_owned(), clean(value)))
    }

    /// The token of the COMMIT that comes next. It is written at once: the connection may be lost while that is carried out.
    pub(super) async fn token(&mut self, token: &str) -> Flow<()> {
        self.parameter_status("txn_token", token)?;
        self.flush().await
    }

    pub(super) fn authenticated(&mut self, process_id: i32, secret: i32) -> Flow<()> {
        self.message(&Authentication::Ok)?;
        self.message(&BackendKeyData::new(process_id, SecretKey::I32(secret)))
    }

    pub(super) fn negotiate(&mut self, unsupported: Vec<String>) -> Flow<()> {
        self.message(&NegotiateProtocolVersion::new(0, unsupported))
    }

    fn message(&mut self, message: &impl pgwire::messages::Message) -> Flow<()> {
        let mut encoded = BytesMut::with_capacity(message.message_length() + 1);
        message.encode(&mut encoded).map_err(|error| Ending::Fatal(Error::internal(error.to_string())))?;
        self.buffer.extend_from_slice(&encoded);
        Ok(())
    }

    /// Begins a message; returns where its length goes.
    pub(super) fn begin(&mut self, kind: u8) -> usize {
        self.buffer.extend_from_slice(&[kind, 0, 0, 0, 0]);
        self.buffer.len() - 4
    }

    /// Fills in the length of the message begun at `at`.
    pub(super) fn finish(&mut self, at: usize) {
        let length = (self.buffer.len() - at) as u32;
        self.buffer[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }

    pub(super) fn put_u16(&mut self, number: usize) {
        self.buffer.extend_from_slice(&(number as u16).to_be_bytes());
    }

    fn put_string(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
        self.buffer.push(0);
    }
}

fn head(severity: &str, code: &str, message: &str) -> Vec<(u8, String)> {
    vec![(b'S', severity.to_owned()), (b'V', severity.to_owned()), (b'C', code.to_owned()), (b'M', clean(message))]
}

/// Strings of the protocol end with a zero byte, so they hold none.
fn clean(text: &str) -> String {
    text.replace('\0', "")
}

fn code_of(error: &Error) -> String {
    let by_kind = || match error.kind() {
        ErrorKind::Io => SqlState::IO_ERROR,
        ErrorKind::Config => SqlState::CONFIG_FILE_ERROR,
        ErrorKind::Canceled | ErrorKind::Timeout => SqlState::QUERY_CANCELED,
        ErrorKind::Unavailable => SqlState::RANGE_UNAVAILABLE,
        ErrorKind::Closed => SqlState::ADMIN_SHUTDOWN,
        _ => SqlState::INTERNAL_ERROR,
    };
    error.sqlstate().unwrap_or_else(by_kind).to_string()
}
