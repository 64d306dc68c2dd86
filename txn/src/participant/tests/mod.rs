//! Participants over real stores, in one thread under paused time.

mod collect;
mod fast;
mod leases;
mod locks;
mod one;
mod phases;
mod token;
mod world;
