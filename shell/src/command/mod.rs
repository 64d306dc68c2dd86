//! The commands, a module each: what was typed becomes what is done.

pub mod bench;
pub mod cluster;
pub mod demo;
mod local;
pub mod sql;
pub mod start;
mod units;
pub mod version;

use crate::cli::Global;
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;
use tokio::runtime::Runtime;

/// What every command knows.
#[derive(Clone, Debug)]
pub struct Context {
    /// Flags of all commands.
    pub global: Global,
    /// Who reads and types.
    pub terminal: Terminal,
}

/// The threads that serve everything of this process.
fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot start threads: {error}")))
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
