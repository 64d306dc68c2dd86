//! The network of a Quorate cluster: frames between nodes over QUIC with mutual TLS.
//!
//! ```text
//!   who:   identity (cluster authority, node certificates)   token (one line that admits a node)   join (token -> certificate)
//!   what:  transport (Transport, Handler, Message, NetError)  frame (bytes on a stream)             codec (bincode, bounded)
//!   how:   quic (real sockets)                                loopback (one process, no sockets)
//!   when:  runtime (the only source of time, tasks and randomness)           process (whose they are, in a simulation)
//! ```
//!
//! A node binds one UDP socket. Between two nodes there is one connection, used in both directions. It carries two
//! long-lived streams, one for Raft messages and one for calls, and a fresh stream for every bulk transfer, so that an image
//! of a range never delays a heartbeat. A message is a kind, which the layer above defines, and opaque bytes.
//!
//! A lost connection says nothing about what the peer did: [`NetError::maybe_delivered`] tells whether a call may have been
//! executed, and requests must be safe under duplication, delay and reordering by their content.
//!
//! Invariant: this crate knows addresses, opaque peer ids and frames; it never looks into a payload.
//! Invariant: no byte is accepted from a peer that has not shown a certificate of this cluster, joining aside.
//! Invariant: bytes from the network never panic, and never reserve memory before a length has been checked.
//! Invariant: nothing is sent as 0-RTT data and no TLS session is resumed, so every connection checks certificates.
//! Invariant: a slow or dead peer never blocks a sender: queues are bounded, one-way messages are dropped, calls have deadlines.
//! Invariant: time, tasks and randomness come from [`Runtime`] only.

pub mod codec;
mod endpoint;
pub mod frame;
pub mod identity;
pub mod join;
pub mod loopback;
pub mod process;
pub mod quic;
pub mod runtime;
mod stream;
pub mod token;
pub mod transport;

pub use identity::{ClusterAuthority, ClusterId, Identity, IdentityError, NodeKey};
pub use join::{JoinError, JoinHandler, JoinReply, JoinRequest};
pub use loopback::Hub;
pub use process::Process;
pub use quic::QuicTransport;
pub use runtime::Runtime;
pub use token::{JoinToken, TokenError};
pub use transport::{ChunkList, ChunkSource, ChunkStream, Class, Handler, Message, NetError, PeerId, Transport};
