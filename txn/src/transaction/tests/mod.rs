//! Transactions over whole nodes in this process: stores, participants and gateways are the real ones, disks and
//! network are the ones of memory, and time is tokio's paused clock.

mod bank;
mod counters;
mod dead;
mod held;
mod oracle;
mod ranges;
mod recovery;
mod recovery_table;
mod single;
mod token;
mod world;
