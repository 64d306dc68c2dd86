//! Log lines on standard error: what they say is the libraries' business, how loud they are is decided here.

use crate::terminal::Terminal;
use tracing_subscriber::EnvFilter;

/// Lines for people, or one JSON object per line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Sends log lines to standard error: those of `QUORATE_LOG` if it is set, else those of `default` and louder.
pub fn start(default: &str, filter: Option<&str>, format: LogFormat, terminal: &Terminal) {
    let filter = match filter {
        Some(text) => EnvFilter::new(text),
        None => EnvFilter::new(default),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let json = match format {
        LogFormat::Auto => !terminal.stderr,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // A subscriber that is set already (a test in the same process) stays.
    let set = if json {
        builder.json().try_init()
    } else {
        builder.with_ansi(terminal.color_stderr()).with_target(false).try_init()
    };
    if let Err(error) = set {
        tracing::debug!(%error, "logging was set up before");
    }
}
