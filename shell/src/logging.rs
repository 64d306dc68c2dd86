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

/// Libraries whose INFO lines tell of their insides, which is noise to those who run a node.
const QUIET: [&str; 7] = ["fjall", "lsm_tree", "raft_engine", "raft", "quinn", "quinn_proto", "rustls"];

/// The filter of a level: its lines and louder ones, but of the libraries only warnings.
fn filter_of(level: &str) -> EnvFilter {
    let text = match level {
        "info" => QUIET.iter().fold(level.to_owned(), |text, target| format!("{text},{target}=warn")),
        // At other levels nothing is hidden: they are quiet already, or somebody looks for a fault.
        _ => level.to_owned(),
    };
    EnvFilter::new(text)
}

/// Sends log lines to standard error: those of `QUORATE_LOG` if it is set, else those of `default` and louder.
pub fn start(default: &str, filter: Option<&str>, format: LogFormat, terminal: &Terminal) {
    let filter = match filter {
        Some(text) => EnvFilter::new(text),
        None => filter_of(default),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_quiet_at_info_only() {
        let shown = filter_of("info").to_string();
        assert!(
            shown.contains("info") && shown.contains("fjall=warn") && shown.contains("raft_engine=warn"),
            "{shown}"
        );
        assert_eq!(filter_of("debug").to_string(), "debug");
        assert_eq!(filter_of("error").to_string(), "error");
    }
}
