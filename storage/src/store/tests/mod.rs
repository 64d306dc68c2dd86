//! Whole groups of stores, deterministic and in memory: a world of nodes, a queue of envelopes and a seed.

mod chaos;
mod crashes;
mod disk;
mod groups;
mod hostile;
mod images;
mod leases;
mod members;
mod threads;
mod world;
