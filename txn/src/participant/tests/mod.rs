//! Participants over real stores, in one thread under paused time.

mod locks;
mod one;
mod phases;
mod world;
