//! What a listener allows.

use std::time::Duration;

/// Bounds of a listener.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Sessions at the same time; more are refused with SQLSTATE 53300.
    pub max_connections: usize,
    /// Bytes of one message of a client, and so of one statement text; longer ones end the connection.
    pub max_message_bytes: usize,
    /// How long a client may take until it has said who it is.
    pub startup_timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions { max_connections: 1000, max_message_bytes: 128 << 20, startup_timeout: Duration::from_secs(60) }
    }
}

impl ServerOptions {
    /// The same options with another bound of sessions.
    #[must_use]
    pub fn with_max_connections(self, max_connections: usize) -> ServerOptions {
        ServerOptions { max_connections, ..self }
    }

    /// The same options with another bound of messages.
    #[must_use]
    pub fn with_max_message_bytes(self, max_message_bytes: usize) -> ServerOptions {
        ServerOptions { max_message_bytes, ..self }
    }
}
