//! The PostgreSQL listener: clients of the wire protocol, version 3, talk to sessions.
//!
//! ```text
//!  Listener ── accept ──► task per connection
//!                           startup     SSLRequest and GSSENCRequest are refused (N), StartupMessage, authentication
//!                           connection  one message after the other:
//!                              Query                      simple.rs     Session::simple, a sink that writes messages
//!                              Parse Bind Describe        extended.rs   statements and portals by name
//!                              Execute Close Sync Flush
//!                              CopyData CopyDone CopyFail copy.rs       while COPY FROM STDIN wants data
//!  second connection: CancelRequest ──► registry ──► CancelHandle of the session
//!
//!  bytes in  ─► input.rs (frames) ─► frontend.rs (borrowed messages) ─► params.rs (values)
//!  bytes out ◄─ output.rs (one buffer) ◄─ backend.rs (messages), encode.rs (values)
//! ```
//!
//! Messages are read from one buffer and written into another; the second goes to the socket in one call, when the client
//! waits for it (Sync, Flush, the end of a simple query, an error) or when it has grown large. Message codes and the
//! messages that are not on a hot path are those of the `pgwire` crate; its decoders are not used, because they trust
//! lengths.
//!
//! Only loopback addresses can be bound: there are no passwords, and every role that exists is trusted.
//!
//! Invariant: bytes of a client never panic, and memory held for them is bounded by [`ServerOptions::max_message_bytes`].
//! Invariant: a connection that panics ends alone.
//! Invariant: this module never runs a statement by itself; [`crate::session::Session`] does.

mod backend;
mod connection;
mod copy;
mod encode;
mod ending;
mod extended;
mod frontend;
mod input;
mod listener;
mod options;
mod output;
mod params;
mod portal;
mod registry;
mod simple;
mod startup;

pub use listener::Listener;
pub use options::ServerOptions;

#[cfg(test)]
mod tests;
