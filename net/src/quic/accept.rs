//! Connections that others open: nodes of the cluster, and with the joining protocol those that want to become one.
//!
//! ```text
//!   packet ─► TLS ─► protocol? ─ quorate-join/1 ─► join::serve     (no certificate needed)
//!                        └────── quorate/1 ─► certificate? ─► lanes and HELLO ─► Link
//! ```

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, ConnectionError, Incoming};

use super::core::Core;
use super::lane::{Hello, Lane, read_hello, write_hello};
use super::link::{CloseCode, Ends, Link};
use crate::endpoint::is_certificate_error;
use crate::frame::MAX_FRAME;
use crate::join::{self, JOIN_PROTOCOL};
use crate::stream::{FrameReader, StreamError};
use crate::transport::Class;

/// For the handshake, and again for the lanes.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// Accepts connections until the transport closes.
pub(super) async fn run(core: Arc<Core>) {
    let Some(endpoint) = core.endpoint() else { return };
    while let Some(Some(incoming)) = core.closed.run_until_cancelled(endpoint.accept()).await {
        core.spawn(core.until_closed(admit(core.clone(), incoming)));
    }
}

async fn admit(core: Arc<Core>, incoming: Incoming) {
    let address = incoming.remote_address();
    let outcome = match incoming.accept() {
        Ok(connecting) => core.runtime.timeout(STEP_TIMEOUT, connecting).await,
        Err(error) => Some(Err(error)),
    };
    match outcome {
        Some(Ok(connection)) if protocol_of(&connection) == JOIN_PROTOCOL => admit_joiner(&core, connection).await,
        Some(Ok(connection)) => admit_node(&core, connection).await,
        Some(Err(error)) if is_certificate_error(&error) => {
            tracing::warn!(%address, %error, "refused a connection: the certificates do not match");
        }
        Some(Err(error)) => tracing::debug!(%address, %error, "a handshake failed"),
        None => tracing::debug!(%address, "a handshake took too long"),
    }
}

fn protocol_of(connection: &Connection) -> Vec<u8> {
    let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    data.and_then(|data| data.protocol).unwrap_or_default()
}

async fn admit_joiner(core: &Core, connection: Connection) {
    let Some(handler) = &core.join_handler else {
        return connection.close((CloseCode::Identity as u32).into(), b"this node admits nobody");
    };
    match core.join_slots.try_acquire() {
        Ok(_slot) => join::serve(connection, handler.as_ref(), &core.runtime).await,
        Err(_) => connection.close((CloseCode::Shut as u32).into(), b"too many nodes join at this moment"),
    }
}

async fn admit_node(core: &Arc<Core>, connection: Connection) {
    let address = connection.remote_address();
    let welcome = core.runtime.timeout(STEP_TIMEOUT, welcome(core, &connection)).await;
    match welcome.unwrap_or(Err(Refusal::Silent)) {
        Ok((link, raft, request)) => core.install(&link, raft, request),
        Err(Refusal::Reason(code, reason)) => {
            tracing::warn!(%address, %reason, "refused a connection");
            connection.close((code as u32).into(), reason.as_bytes());
        }
        Err(Refusal::Silent) => {
            tracing::debug!(%address, "a connection ended before it was used");
            connection.close((CloseCode::Shut as u32).into(), b"too slow");
        }
    }
}

enum Refusal {
    /// The other end is told why.
    Reason(CloseCode, String),
    /// The other end is gone, or waits too long.
    Silent,
}

impl From<StreamError> for Refusal {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Gone(_) | StreamError::Ended => Refusal::Silent,
            error => Refusal::Reason(CloseCode::Protocol, error.to_string()),
        }
    }
}

impl From<ConnectionError> for Refusal {
    fn from(_: ConnectionError) -> Self {
        Refusal::Silent
    }
}

async fn welcome(core: &Core, connection: &Connection) -> Result<(Arc<Link>, Lane, Lane), Refusal> {
    let peer = core.peer_of(connection).map_err(|reason| Refusal::Reason(CloseCode::Identity, reason))?;
    let (mut raft, incarnation) = accept_lane(connection, Class::Raft).await?;
    let (request, _) = accept_lane(connection, Class::Request).await?;
    let hello = Hello::new(Class::Raft, core.incarnation);
    write_hello(&mut raft.send, hello).await.map_err(|_| Refusal::Silent)?;
    let link = Link::new(Ends { peer, dialler: peer, incarnation }, connection.clone());
    Ok((link, raft, request))
}

/// Takes the next stream, which must be the lane of `class`: streams arrive in the order in which they were opened.
async fn accept_lane(connection: &Connection, class: Class) -> Result<(Lane, u64), Refusal> {
    let (send, recv) = connection.accept_bi().await?;
    let mut reader = FrameReader::new(recv, MAX_FRAME);
    let hello = read_hello(&mut reader).await?;
    if hello.class != class as u8 {
        let reason = format!("a lane of class {} where {class:?} was expected", hello.class);
        return Err(Refusal::Reason(CloseCode::Protocol, reason));
    }
    Ok((Lane { send, reader }, hello.incarnation))
}
