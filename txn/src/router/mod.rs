//! Finds the leaseholder of a key and gets requests to it.
//!
//! ```text
//!   key ─► cache ─miss─► own replicas ─► directory (r1)         route: descriptor + who leads, as far as known
//!   route ─► participant of this node (a call)
//!         └► leader by own replica, by hint, or one replica after the other (over the network)
//! ```
//! The truth about a range is its own replicated descriptor; everything here is a hint. A request names the range and
//! the generation that its sender believes in, and the participant refuses it if it knows better. What a participant
//! answers then replaces what is cached, if it is newer.
//!
//! A request is sent again, unchanged, until a leader has answered it; every request is safe under that. A caller who
//! must know whether an earlier try may still take effect is told ([`Delivery::in_doubt`]).
//!
//! Invariant: a cached descriptor is never replaced by an older one of the same keys.
//! Invariant: a request goes to one range; who has more cuts it before.

mod cache;
mod directory;
mod health;
mod send;
mod server;

pub use cache::Route;
pub use directory::{DirectoryReply, DirectoryRequest, DirectoryService};
pub use health::Suspicion;
pub use send::{Answer, Delivery, Router};
pub use server::Server;
