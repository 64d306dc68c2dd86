//! Real `quorate start` processes, and what the operating system can do to them.
//!
//! ```text
//!   kill       SIGKILL to whoever leads, again and again, under a bank
//!   workloads  SIGKILL and SIGSTOP to anybody, under workloads of the simulator and their checkers
//!   disk       a crash at every sync point, failing fsyncs (strace); a full disk (tmpfs); power loss (XFS shutdown)
//! ```
//! What a machine cannot do (no root, a tool that is not installed) is skipped, with a message.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod disk;
mod kill;
mod servers;
mod workloads;
