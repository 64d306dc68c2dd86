//! The shell: takes statements and meta-commands, runs them, shows what comes back.
//!
//! ```text
//!   interactive: editor ─► complete buffer ─┐                        ┌─► meta      \d \x \timing ...
//!   files, pipes, -e:      Script ──────────┴─► Shell::input ────────┤
//!                                                                    └─► statement ─► client ─► Printer ─► output
//! ```
//!
//! Invariant: what is not typed by a person stops at its first error, unless asked to go on, and is never asked back.
//! Invariant: the terminal is in its normal state while a statement runs, so that ^C reaches it.

mod complete;
mod demo;
mod editor;
mod highlight;
mod history;
mod interactive;
mod lex;
mod meta;
mod output;
mod printer;
mod prompt;
mod run;
mod safety;
mod schema;
mod script;
mod shell;
mod split;
mod waiting;

pub use demo::{DemoControl, Told};
pub use editor::history_file;
pub use interactive::interact;
pub use run::Stop;
pub use script::Script;
pub use shell::{Options, Shell};
