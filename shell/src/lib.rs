//! The `quorate` command: a SQL shell, the server, a cluster to play with, and benchmarks.
//!
//! ```text
//!   main ──► cli ──► command ──► repl      statements and meta-commands, typed, from files or from arguments
//!                       │          ├─► render    results and errors as text
//!                       │          └─► client    one session: in this process, or over the wire
//!                       └─► render, client
//! ```
//!
//! Results go to standard output, everything else to standard error. A prompt, colours and progress appear only where a
//! terminal is; what is piped in stops at the first error.
//!
//! Invariant: nothing below this crate reads the environment or the command line.
//! Invariant: every way out of the program has one of the codes of [`exit`].
//! Invariant: nothing asks back unless a person is there to answer.

pub mod cli;
pub mod client;
pub mod command;
pub mod exit;
mod logging;
pub mod render;
pub mod repl;
mod terminal;

pub use cli::run;
