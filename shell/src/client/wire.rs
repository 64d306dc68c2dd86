//! A session behind a socket: the simple protocol of PostgreSQL, version 3.
//!
//! ```text
//!   connect ─► StartupMessage ─► authentication ─► ReadyForQuery
//!   run     ─► Query ─► { RowDescription DataRow* CommandComplete | ErrorResponse | CopyIn.. | CopyOut.. }* ReadyForQuery
//! ```
//! `ReadyForQuery` says where the transaction stands, and each `RowDescription` the types, so that a statement costs one
//! round trip.
//!
//! Invariant: between two statements the server has answered ReadyForQuery, or the connection is closed.

use super::wire_io::{Channel, Frame};
use super::{Canceller, Connection, Connector, Flow, Notice, Receive, SqlError, Status};
use async_trait::async_trait;
use bytes::BytesMut;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::frontend;
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_PORT: u16 = 7432;

/// Connects to one of the servers of a URL.
#[derive(Clone, Debug)]
pub struct RemoteConnector {
    hosts: Vec<(String, u16)>,
    user: String,
    database: String,
    password: Option<Vec<u8>>,
    timeout: Duration,
}

impl RemoteConnector {
    /// Reads `postgres://user:password@host:port/database`; `password` is used if the URL has none.
    pub fn parse(url: &str, password: Option<String>) -> Result<RemoteConnector, String> {
        let config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{url} is no connection URL{cause}")
        })?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err("TLS to servers is not supported by this release; leave sslmode out".to_owned());
        }
        let ports = config.get_ports();
        let mut hosts = Vec::new();
        for (at, host) in config.get_hosts().iter().enumerate() {
            // The parser fills in PostgreSQL's port where the text has none.
            let port = ports.get(at).or(ports.first()).copied().filter(|port| url.contains(&port.to_string()));
            let port = port.unwrap_or(DEFAULT_PORT);
            match host {
                Host::Tcp(name) => hosts.push((name.clone(), port)),
                Host::Unix(path) => return Err(format!("{} is a Unix socket; use a host name", path.display())),
            }
        }
        if hosts.is_empty() {
            hosts.push(("127.0.0.1".to_owned(), ports.first().copied().unwrap_or(DEFAULT_PORT)));
        }
        let user = config.get_user().unwrap_or("root").to_owned();
        Ok(RemoteConnector {
            hosts,
            database: config.get_dbname().unwrap_or("postgres").to_owned(),
            password: config.get_password().map(<[u8]>::to_vec).or(password.map(String::into_bytes)),
            timeout: config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT),
            user,
        })
    }

    async fn dial(&self) -> Result<(TcpStream, String), SqlError> {
        let mut last = SqlError::connection("no host was given");
        for (host, port) in &self.hosts {
            let place = format!("{host}:{port}");
            match tokio::time::timeout(self.timeout, TcpStream::connect((host.as_str(), *port))).await {
                Ok(Ok(socket)) => return Ok((socket, place)),
                Ok(Err(error)) => last = unreachable_server(&place, &error),
                Err(_) => {
                    last = SqlError::connection(format!("cannot connect to {place}: no answer in {:?}", self.timeout));
                }
            }
        }
        Err(last)
    }
}

fn unreachable_server(place: &str, error: &io::Error) -> SqlError {
    let failed = SqlError::connection(format!("cannot connect to {place}: {error}"));
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            failed.with_hint("Is a node running there? Start one with: quorate start DIR")
        }
        _ => failed,
    }
}

#[async_trait]
impl Connector for RemoteConnector {
    async fn connect(&self, database: Option<&str>) -> Result<Box<dyn Connection>, SqlError> {
        let (socket, place) = self.dial().await?;
        let database = database.unwrap_or(&self.database).to_owned();
        // Interactive statements are small and wait for each other.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let started = Wire::start(socket, place, self, database);
        match tokio::time::timeout(self.timeout, started).await {
            Ok(wire) => Ok(Box::new(wire?)),
            Err(_) => Err(SqlError::connection("the server did not finish the connection in time")),
        }
    }

    fn describe(&self) -> String {
        self.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>().join(",")
    }
}

/// What a second connection needs to cancel a statement.
#[derive(Clone, Debug)]
pub struct CancelKey {
    place: String,
    process_id: i32,
    secret: i32,
}

impl CancelKey {
    /// Asks the server to cancel; there is no answer.
    pub async fn cancel(&self) {
        let mut request = BytesMut::new();
        frontend::cancel_request(self.process_id, self.secret, &mut request);
        let sent = async {
            let mut socket = TcpStream::connect(&self.place).await?;
            socket.write_all(&request).await?;
            socket.shutdown().await
        };
        if let Err(error) = sent.await {
            tracing::warn!(%error, "the statement could not be cancelled");
        }
    }
}

/// One session.
#[derive(Debug)]
pub struct Wire {
    channel: Channel,
    key: CancelKey,
    status: Status,
    closed: bool,
    user: String,
    database: String,
    /// The statement under way, for positions of errors.
    sql: String,
    /// The token of a COMMIT that the statement under way has begun.
    token: Option<String>,
}

impl Wire {
    async fn start(
        socket: TcpStream,
        place: String,
        connector: &RemoteConnector,
        database: String,
    ) -> Result<Wire, SqlError> {
        let mut wire = Wire {
            channel: Channel::new(socket),
            key: CancelKey { place, process_id: 0, secret: 0 },
            status: Status::Idle,
            closed: false,
            user: connector.user.clone(),
            database,
            sql: String::new(),
            token: None,
        };
        let startup = [
            ("user", wire.user.as_str()),
            ("database", wire.database.as_str()),
            ("application_name", "quorate sql"),
            ("client_encoding", "UTF8"),
            ("txn_token", "on"),
        ];
        frontend::startup_message(startup, &mut wire.channel.outgoing).map_err(lost)?;
        wire.channel.flush().await.map_err(lost)?;
        wire.authenticate(connector.password.as_deref()).await?;
        Ok(wire)
    }

    /// Answers what the server asks until it is ready.
    async fn authenticate(&mut self, password: Option<&[u8]>) -> Result<(), SqlError> {
        let mut scram = None;
        loop {
            let mut frame = self.channel.receive().await.map_err(lost)?;
            match frame.tag {
                b'R' => self.answer(&mut frame, password, &mut scram).await?,
                b'K' => {
                    self.key.process_id = frame.body.i32().map_err(lost)?;
                    self.key.secret = frame.body.i32().map_err(lost)?;
                }
                b'E' => {
                    let mut error = SqlError::of_fields(frame.body.fields().map_err(lost)?, "");
                    error.kind = super::ErrorKind::Connection;
                    return Err(error);
                }
                b'Z' => return self.ready(frame),
                _ => {}
            }
        }
    }

    async fn answer(
        &mut self,
        frame: &mut Frame,
        password: Option<&[u8]>,
        scram: &mut Option<sasl::ScramSha256>,
    ) -> Result<(), SqlError> {
        let method = frame.body.i32().map_err(lost)?;
        if method == 0 {
            return Ok(());
        }
        let password = password.ok_or_else(|| {
            let mut error = SqlError::connection("the server wants a password");
            error.sqlstate = Some("28P01".to_owned());
            error.with_hint("Set QUORATE_PASSWORD or PGPASSWORD.")
        })?;
        let out = &mut self.channel.outgoing;
        let written = match (method, scram.as_mut()) {
            (3, _) => frontend::password_message(password, out),
            (5, _) => {
                let salt = frame.body.i32().map_err(lost)?.to_be_bytes();
                frontend::password_message(md5_hash(self.user.as_bytes(), password, salt).as_bytes(), out)
            }
            (10, _) => {
                let begun = scram.insert(sasl::ScramSha256::new(password, sasl::ChannelBinding::unsupported()));
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, begun.message(), out)
            }
            (11, Some(begun)) => {
                let challenge = frame.body.bytes_left();
                begun.update(&challenge).and_then(|()| frontend::sasl_response(begun.message(), out))
            }
            (12, Some(begun)) => begun.finish(&frame.body.bytes_left()),
            _ => Err(io::Error::other("the server wants an authentication that is not supported")),
        };
        written.map_err(lost)?;
        self.channel.flush().await.map_err(lost)
    }

    /// Sends what was written and passes the answers on, up to ReadyForQuery or a COPY that wants data.
    async fn exchange(&mut self, out: &mut dyn Receive) -> Result<Flow, SqlError> {
        self.token = None;
        let done = self.try_exchange(out).await;
        let Err(error) = done else { return done };
        self.closed |= error.kind == super::ErrorKind::Connection;
        // Without a token, no COMMIT was begun, and an error of the COMMIT itself says what is known.
        Err(match self.token.take().filter(|_| self.closed) {
            Some(token) => error.with_hint(format!("Find out how it ended: SELECT quorate.txn_status('{token}')")),
            None => error,
        })
    }

    async fn try_exchange(&mut self, out: &mut dyn Receive) -> Result<Flow, SqlError> {
        self.channel.flush().await.map_err(lost)?;
        let mut failed = None;
        loop {
            let frame = self.channel.receive().await.map_err(lost)?;
            match frame.tag {
                b'Z' => {
                    self.ready(frame)?;
                    return failed.map_or(Ok(Flow::Done), Err);
                }
                b'G' => return Ok(Flow::CopyIn),
                b'E' => {
                    let error = SqlError::of_fields(frame.body.fields().map_err(lost)?, &self.sql);
                    if error.kind == super::ErrorKind::Connection {
                        return Err(error);
                    }
                    failed = Some(error);
                }
                // Once the results cannot be shown, the rest is read and dropped, so that the session stays usable.
                _ if failed.is_some() => {}
                _ => failed = self.pass(frame, out).map_err(lost)?.err(),
            }
        }
    }

    /// Hands one message of a result over.
    fn pass(&mut self, mut frame: Frame, out: &mut dyn Receive) -> io::Result<Result<(), SqlError>> {
        let taken = match frame.tag {
            b'T' => out.columns(frame.body.columns()?),
            b'D' => out.row(frame.body.row()?),
            b'C' => out.complete(&frame.body.text()?),
            b'd' => out.copy_out(&frame.body.rest()),
            b'N' => out.notice(notice(frame.body.fields()?)),
            b'S' => {
                let (name, value) = (frame.body.text()?, frame.body.text()?);
                self.token = Some(value).filter(|_| name == "txn_token").or(self.token.take());
                Ok(())
            }
            _ => Ok(()),
        };
        Ok(taken.map_err(|error| SqlError::output(&error)))
    }

    fn ready(&mut self, mut frame: Frame) -> Result<(), SqlError> {
        self.status = match frame.body.u8().map_err(lost)? {
            b'T' => Status::Open,
            b'E' => Status::Failed,
            _ => Status::Idle,
        };
        Ok(())
    }
}

fn notice(fields: Vec<(u8, String)>) -> Notice {
    let error = SqlError::of_fields(fields, "");
    Notice { severity: error.severity, message: error.message, detail: error.detail, hint: error.hint }
}

fn lost(error: io::Error) -> SqlError {
    SqlError::connection(format!("the connection to the server was lost: {error}"))
}

#[async_trait]
impl Connection for Wire {
    async fn run(&mut self, sql: &str, out: &mut dyn Receive) -> Result<Flow, SqlError> {
        sql.clone_into(&mut self.sql);
        frontend::query(sql, &mut self.channel.outgoing).map_err(|error| SqlError::usage(error.to_string()))?;
        self.exchange(out).await
    }

    async fn copy_data(&mut self, data: &[u8]) -> Result<(), SqlError> {
        let message = frontend::CopyData::new(data).map_err(|error| SqlError::output(&error))?;
        message.write(&mut self.channel.outgoing);
        self.channel.flush().await.map_err(lost)
    }

    async fn copy_done(&mut self, out: &mut dyn Receive) -> Result<Flow, SqlError> {
        frontend::copy_done(&mut self.channel.outgoing);
        self.exchange(out).await
    }

    async fn copy_fail(&mut self, reason: &str) -> Result<(), SqlError> {
        frontend::copy_fail(reason, &mut self.channel.outgoing).map_err(lost)?;
        match self.exchange(&mut super::Rows::default()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn status(&self) -> Status {
        self.status
    }

    fn canceller(&self) -> Canceller {
        Canceller::Remote(self.key.clone())
    }

    fn is_closed(&self) -> bool {
        self.closed
    }

    fn database(&self) -> &str {
        &self.database
    }

    fn user(&self) -> &str {
        &self.user
    }

    async fn close(&mut self) {
        self.closed = true;
        frontend::terminate(&mut self.channel.outgoing);
        if let Err(error) = self.channel.flush().await {
            tracing::debug!(%error, "the server was gone before the end");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_the_defaults_of_this_database() {
        let parse = |url| RemoteConnector::parse(url, None).unwrap();
        let plain = parse("postgres://127.0.0.1");
        assert_eq!(plain.describe(), "127.0.0.1:7432");
        assert_eq!((plain.user.as_str(), plain.database.as_str()), ("root", "postgres"));
        let full = parse("postgresql://ann:pw@a:1,b:2/bank");
        assert_eq!(full.describe(), "a:1,b:2");
        assert_eq!(full.password.as_deref(), Some(&b"pw"[..]));
        assert!(RemoteConnector::parse("postgres://a?sslmode=require", None).unwrap_err().contains("TLS"));
        assert!(RemoteConnector::parse("postgres://a:port", None).is_err());
    }
}
