//! Real `quorate start` processes, and what the operating system can do to them.
//!
//! ```text
//!   kill       SIGKILL to whoever leads, again and again, under a bank
//!   workloads  SIGKILL and SIGSTOP to anybody, under workloads of the simulator and their checkers
//!   network    partitions, one-way cuts and loss (iptables, in a network namespace of its own), under the same workloads
//!   proxy      delay, reordering and duplicates (a proxy of our own between the nodes), likewise
//!   member     one disk of three slow (strace), full (tmpfs), or without power (XFS shutdown), likewise
//!   clock      wall clocks that jump, clocks that run twice or half as fast (faketime), likewise
//!   disk       one server: a crash at every sync point, failing fsyncs; a full disk; power loss
//! ```
//! What a machine cannot do (no root, a tool that is not installed) is skipped, with a message.
//!
//! Every test prints a line per workload: what was committed, what was done to it, what came of it. They are shown by
//! `cargo test -p quorate-cli --test faults -- --nocapture`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "real processes live by the real clock")]

mod clock;
mod disk;
mod kill;
mod member;
mod network;
mod proxy;
mod servers;
mod workloads;

use std::process::{Command, Stdio};

/// Whether a program with these arguments succeeds here; a message if not.
fn runs(program: &str, arguments: &[&str]) -> bool {
    let ran = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let runs = ran.is_ok_and(|status| status.success());
    if !runs {
        eprintln!("skipped: `{program} {}` does not work here", arguments.join(" "));
    }
    runs
}
