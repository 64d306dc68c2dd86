//! How QUIC is set up: windows, timeouts, acknowledgements, sockets.
//!
//! The figures were chosen on a loopback measurement of one long-lived stream: asking the peer to acknowledge every tenth
//! packet instead of every second one raised throughput by a seventh at 128 calls in flight and doubled it at 1000.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::{
    AckFrequencyConfig, ConnectionError, ConnectionId, ConnectionIdGenerator, EndpointConfig, TransportConfig, VarInt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio_util::task::TaskTracker;

use crate::identity::Identity;
use crate::runtime::Runtime;

const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Six keep-alives: shorter ones break connections when a machine is merely overloaded.
const IDLE_MS: u32 = 6_000;
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;
/// Two lanes; the rest are bulk transfers at a time.
const STREAMS: u32 = 66;
const INITIAL_RTT: Duration = Duration::from_millis(50);
const INITIAL_CONGESTION_WINDOW: u64 = 256 << 10;
const SOCKET_BUFFER: usize = 4 << 20;
const STRANGERS: usize = 1024;

/// The settings of every connection.
pub(crate) fn transport_config() -> TransportConfig {
    let mut acknowledgements = AckFrequencyConfig::default();
    acknowledgements.ack_eliciting_threshold(VarInt::from_u32(10)).max_ack_delay(Some(Duration::from_millis(5)));
    let mut congestion = CubicConfig::default();
    congestion.initial_window(INITIAL_CONGESTION_WINDOW);
    let mut config = TransportConfig::default();
    config
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(VarInt::from_u32(IDLE_MS).into()))
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(u64::from(CONNECTION_WINDOW))
        .initial_rtt(INITIAL_RTT)
        .ack_frequency_config(Some(acknowledgements))
        .congestion_controller_factory(Arc::new(congestion));
    config
}

/// The settings of the server's side, given its TLS part.
pub(crate) fn server_config(tls: Arc<dyn quinn::crypto::ServerConfig>) -> quinn::ServerConfig {
    let mut config = quinn::ServerConfig::with_crypto(tls);
    config.transport_config(Arc::new(transport_config())).max_incoming(STRANGERS).migration(false);
    config
}

/// The settings of the socket. Reset tokens follow from the identity, so that they outlive the process.
pub(crate) fn endpoint_config(identity: &Identity, runtime: &Runtime) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(identity.derived_key("stateless reset")));
    let runtime = runtime.clone();
    config.cid_generator(move || Box::new(RandomIds(runtime.clone())));
    config
}

/// Connection ids of random bytes: an id of a former life of this node is as good as any, and gets its reset.
struct RandomIds(Runtime);

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&self.0.random_bytes::<8>())
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Opens a UDP socket with large buffers, as far as the system grants them.
pub(crate) fn open_socket(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    for outcome in [socket.set_recv_buffer_size(SOCKET_BUFFER), socket.set_send_buffer_size(SOCKET_BUFFER)] {
        if let Err(error) = outcome {
            tracing::debug!(%error, "the socket keeps its small buffers");
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Whether a connection failed because one end did not accept the other's certificate (a TLS alert).
pub(crate) fn is_certificate_error(error: &ConnectionError) -> bool {
    let code = match error {
        ConnectionError::TransportError(error) => u64::from(error.code),
        ConnectionError::ConnectionClosed(close) => u64::from(close.error_code),
        _ => return false,
    };
    (0x100..0x200).contains(&code)
}

/// Tokio as quinn's runtime, with every task counted, so that closing can wait for the last one.
#[derive(Debug)]
pub(crate) struct CountedRuntime {
    pub(crate) runtime: Runtime,
    pub(crate) tasks: TaskTracker,
}

impl quinn::Runtime for CountedRuntime {
    fn new_timer(&self, at: std::time::Instant) -> std::pin::Pin<Box<dyn quinn::AsyncTimer>> {
        quinn::TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.runtime.spawn(self.tasks.track_future(future));
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn quinn::AsyncUdpSocket>> {
        quinn::TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> std::time::Instant {
        self.runtime.now().into_std()
    }
}
