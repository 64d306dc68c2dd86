//! Joining: how a new node turns a token into a certificate.
//!
//! ```text
//!   joiner                                            member (same UDP socket as node traffic, ALPN quorate-join/1)
//!     TLS: accepts only a chain with the pinned key ──►
//!     JoinRequest: token id, secret, CSR, addresses ──►  JoinHandler::on_join marks the token used, signs the key
//!                                                   ◄──  JoinReply: node id, certificate, authority, members
//! ```
//!
//! Both directions are one frame on one stream; then the joiner closes.
//!
//! Invariant: the secret is sent only over a connection whose peer has proved to be of the pinned authority.
//! Invariant: a joiner accepts only a reply whose authority has the pinned key.
//! Invariant: a member reads at most 64 KiB from a stranger, and serves few strangers at a time.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bincode::{Decode, Encode};
use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint};

use crate::codec;
use crate::endpoint::{is_certificate_error, transport_config};
use crate::frame::{Batch, FrameHeader};
use crate::identity::{ClusterId, IdentityError, join_client_config, pin_of_pem};
use crate::runtime::Runtime;
use crate::stream::FrameReader;
use crate::token::JoinToken;

/// The protocol name of joining in TLS.
pub const JOIN_PROTOCOL: &[u8] = b"quorate-join/1";

const MAX_REQUEST: usize = 64 << 10;
const MAX_REPLY: usize = 4 << 20;
const MAX_ADVERTISED: usize = 64;
/// How long a member waits for the request, and a joiner for the connection.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a joiner waits for the reply: the cluster commits a transaction meanwhile.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
const CLOSE_DONE: u32 = 0;

/// What a joiner sends.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct JoinRequest {
    /// Names the token.
    pub token_id: [u8; 6],
    /// Proves that the joiner holds the token.
    pub secret: [u8; 16],
    /// The joiner's public key, signed with its private one.
    pub csr_der: Vec<u8>,
    /// Where the joiner listens for nodes.
    pub advertise: Vec<SocketAddr>,
}

impl fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("JoinRequest");
        shown.field("token_id", &self.token_id).field("advertise", &self.advertise).finish_non_exhaustive()
    }
}

/// What a member answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct JoinReply {
    /// The id that the joiner has from now on.
    pub node: u64,
    /// The cluster.
    pub cluster: ClusterId,
    /// Its name for people.
    pub cluster_name: String,
    /// The joiner's certificate.
    pub certificate_pem: String,
    /// The authority's certificate.
    pub ca_pem: String,
    /// The members and where they listen.
    pub members: Vec<(u64, Vec<SocketAddr>)>,
}

#[derive(Encode, Decode)]
enum JoinAnswer {
    Welcome(JoinReply),
    Refused(String),
}

/// The cluster's side of joining.
#[async_trait]
pub trait JoinHandler: Send + Sync + 'static {
    /// Admits a node, or says in one sentence why not; the joiner's user reads it.
    async fn on_join(&self, request: JoinRequest) -> Result<JoinReply, String>;
}

/// Why joining failed, by what the user does next.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// No member answers: check the addresses and the network.
    #[error("no member of the cluster answers at {0}")]
    Unreachable(String),
    /// Somebody else answers: the token is of another cluster, or an impostor listens. The secret was not sent.
    #[error("{0} is not a member of the cluster that made this token")]
    WrongCluster(String),
    /// The cluster said no, for instance because the token was used.
    #[error("{0}")]
    Refused(String),
    /// The connection broke after the secret was sent: the token may be used up.
    #[error("the connection was lost while joining; the token may be used up")]
    Lost,
    /// The reply is not what a member sends.
    #[error("the cluster's reply is damaged")]
    BadReply,
    /// The local socket does not open.
    #[error("cannot open a UDP socket")]
    Socket(#[from] std::io::Error),
    /// TLS cannot be set up.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Joins with a token: tries its addresses in order, and returns what the cluster answers.
///
/// # Errors
/// See [`JoinError`]. After [`JoinError::Unreachable`] and [`JoinError::WrongCluster`] the token is still unused.
pub async fn request(
    token: &JoinToken,
    csr_der: Vec<u8>,
    advertise: Vec<SocketAddr>,
    runtime: &Runtime,
) -> Result<JoinReply, JoinError> {
    let request = JoinRequest { token_id: token.id, secret: token.secret, csr_der, advertise };
    let (mut stranger, mut asked) = (None, Vec::new());
    for name in &token.addresses {
        for address in tokio::net::lookup_host(name.as_str()).await.into_iter().flatten() {
            asked.push(address.to_string());
            let (endpoint, connecting) = dial(address, token.pin, runtime)?;
            let outcome = match runtime.timeout(STEP_TIMEOUT, connecting).await {
                Some(Ok(connection)) => return finish(&endpoint, connection, &request, token, runtime).await,
                Some(Err(error)) => Some(error),
                None => None,
            };
            if outcome.is_some_and(|error| is_certificate_error(&error)) {
                stranger.get_or_insert(address);
            }
        }
    }
    match stranger {
        Some(address) => Err(JoinError::WrongCluster(address.to_string())),
        None if asked.is_empty() => Err(JoinError::Unreachable(token.addresses.join(", "))),
        None => Err(JoinError::Unreachable(asked.join(", "))),
    }
}

fn dial(address: SocketAddr, pin: [u8; 16], runtime: &Runtime) -> Result<(Endpoint, quinn::Connecting), JoinError> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = std::net::UdpSocket::bind(any)?;
    let endpoint = Endpoint::new(quinn::EndpointConfig::default(), None, socket, Arc::new(quinn::TokioRuntime))?;
    let tls = join_client_config(JOIN_PROTOCOL, pin, runtime)?;
    let tls = QuicClientConfig::try_from(tls).map_err(|error| rustls::Error::General(error.to_string()));
    let mut config = quinn::ClientConfig::new(Arc::new(tls.map_err(IdentityError::from)?));
    config.transport_config(Arc::new(transport_config()));
    let connecting = endpoint.connect_with(config, address, "join.quorate");
    let connecting = connecting.map_err(|_| JoinError::Unreachable(address.to_string()))?;
    Ok((endpoint, connecting))
}

async fn finish(
    endpoint: &Endpoint,
    connection: Connection,
    request: &JoinRequest,
    token: &JoinToken,
    runtime: &Runtime,
) -> Result<JoinReply, JoinError> {
    let answer = runtime.timeout(REPLY_TIMEOUT, exchange(&connection, request)).await;
    let closed = connection.close_reason();
    connection.close(CLOSE_DONE.into(), b"joined");
    if runtime.timeout(STEP_TIMEOUT, endpoint.wait_idle()).await.is_none() {
        tracing::debug!("the connection for joining did not close in time");
    }
    match answer.unwrap_or(Err(JoinError::Lost)).map_err(|error| reason_of(closed, error))? {
        JoinAnswer::Welcome(reply) if pin_of_pem(&reply.ca_pem)? == token.pin => Ok(reply),
        JoinAnswer::Welcome(_) => Err(JoinError::BadReply),
        JoinAnswer::Refused(reason) => Err(JoinError::Refused(reason)),
    }
}

/// The member's reason for closing the connection, if it gave one.
fn reason_of(closed: Option<ConnectionError>, error: JoinError) -> JoinError {
    match closed {
        Some(ConnectionError::ApplicationClosed(close)) if !close.reason.is_empty() => {
            JoinError::Refused(String::from_utf8_lossy(&close.reason).into_owned())
        }
        _ => error,
    }
}

async fn exchange(connection: &Connection, request: &JoinRequest) -> Result<JoinAnswer, JoinError> {
    let lost = |_| JoinError::Lost;
    let (mut send, recv) = connection.open_bi().await.map_err(lost)?;
    send.write_all_chunks(&mut frame_of(request)).await.map_err(|_| JoinError::Lost)?;
    send.finish().map_err(|_| JoinError::Lost)?;
    let mut reader = FrameReader::new(recv, MAX_REPLY);
    let frame = reader.next_frame().await.map_err(|_| JoinError::Lost)?.ok_or(JoinError::Lost)?;
    codec::decode(&frame.payload, MAX_REPLY).map_err(|_| JoinError::BadReply)
}

/// Serves one joiner on a connection that it has opened.
pub(crate) async fn serve(connection: Connection, handler: &dyn JoinHandler, runtime: &Runtime) {
    let address = connection.remote_address();
    if let Err(reason) = serve_stream(&connection, handler, runtime).await {
        tracing::warn!(%address, %reason, "refused a node that wants to join");
    }
    // The joiner closes when it has read the answer; one that does not is cut off.
    if runtime.timeout(STEP_TIMEOUT, connection.closed()).await.is_none() {
        connection.close(CLOSE_DONE.into(), b"joining is over");
    }
}

async fn serve_stream(connection: &Connection, handler: &dyn JoinHandler, runtime: &Runtime) -> Result<(), String> {
    let read = runtime.timeout(STEP_TIMEOUT, read_request(connection)).await;
    let (mut send, request) = read.ok_or("no request in time")??;
    let answer = match handler.on_join(request).await {
        Ok(reply) => JoinAnswer::Welcome(reply),
        Err(reason) => JoinAnswer::Refused(reason),
    };
    send.write_all_chunks(&mut frame_of(&answer)).await.map_err(|error| error.to_string())?;
    send.finish().map_err(|error| error.to_string())?;
    match answer {
        JoinAnswer::Welcome(_) => Ok(()),
        JoinAnswer::Refused(reason) => Err(reason),
    }
}

async fn read_request(connection: &Connection) -> Result<(quinn::SendStream, JoinRequest), String> {
    let (send, recv) = connection.accept_bi().await.map_err(|error: ConnectionError| error.to_string())?;
    let mut reader = FrameReader::new(recv, MAX_REQUEST);
    let frame = reader.next_frame().await.map_err(|error| error.to_string())?.ok_or("an empty request")?;
    let request: JoinRequest = codec::decode(&frame.payload, MAX_REQUEST).map_err(|error| error.to_string())?;
    if request.advertise.len() > MAX_ADVERTISED {
        return Err(format!("{} addresses are more than {MAX_ADVERTISED}", request.advertise.len()));
    }
    Ok((send, request))
}

fn frame_of<T: Encode>(value: &T) -> Vec<Bytes> {
    let mut batch = Batch::default();
    batch.push(&FrameHeader::default(), Bytes::from(codec::encode(value)));
    batch.take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request() -> JoinRequest {
        let advertise = vec!["127.0.0.1:7433".parse().unwrap(), "[::1]:7433".parse().unwrap()];
        JoinRequest { token_id: [1; 6], secret: [2; 16], csr_der: vec![3; 40], advertise }
    }

    proptest! {
        #[test]
        fn damaged_requests_are_read_or_refused(at: prop::sample::Index, flip: u8, cut: bool) {
            let mut bytes = codec::encode(&request());
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if cut {
                bytes.truncate(at);
            }
            if let Ok(request) = codec::decode::<JoinRequest>(&bytes, MAX_REQUEST) {
                prop_assert_eq!(codec::encode(&request), bytes);
            }
        }

        #[test]
        fn any_bytes_are_an_answer_or_refused(bytes: Vec<u8>) {
            if let Ok(answer) = codec::decode::<JoinAnswer>(&bytes, MAX_REPLY) {
                prop_assert_eq!(codec::encode(&answer), bytes);
            }
        }
    }
}
