//! The command line: what was typed, as data; and what happens at the end.

use crate::command::{self, bench, cluster, demo, sql, start, version};
use crate::exit::{Exit, Failure};
use crate::logging::{self, LogFormat};
use crate::terminal::{ColorChoice, Terminal};
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  quorate demo                              three nodes in this process and a shell
  quorate sql ./bank -e 'SELECT 1'          a durable database in a directory
  quorate start ./n1                        a server; prints how others join it";

/// A distributed transactional SQL database.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, before_help = EXAMPLES, max_term_width = 100, infer_long_args = false)]
#[command(disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of all commands.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, env = "QUORATE_COLOR", hide_env = true)]
    pub color: ColorChoice,
    /// Less on standard error, no tags among results
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// More log lines (-vv: even more)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Form of log lines
    #[arg(long, global = true, value_enum, default_value_t, hide = true, env = "QUORATE_LOG_FORMAT")]
    pub log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// SQL shell: in memory, on a directory, or on a server
    Sql(sql::SqlArgs),
    /// Run a node; an empty directory becomes a new cluster
    Start(start::StartArgs),
    /// A cluster in this process to play with, and a shell
    Demo(demo::DemoArgs),
    /// Look at a cluster and let nodes join
    Cluster(cluster::ClusterArgs),
    /// Measure and check
    Bench(bench::BenchArgs),
    /// Print the release
    Version(version::VersionArgs),
}

impl Command {
    /// What is logged unless `QUORATE_LOG` says otherwise.
    fn log_level(&self, global: &Global) -> &'static str {
        match (self, global.verbose, global.quiet) {
            (_, 0, true) => "error",
            (Command::Start(_), 0, _) => "info",
            // What a cluster in this process does is the business of its commands.
            (_, 0, _) => "warn,quorate=error,quorate_net=error,quorate_storage=error,quorate_txn=error",
            (_, 1, _) => "info",
            _ => "debug",
        }
    }
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let terminal = Terminal::detect(cli.global.color);
    let filter = std::env::var("QUORATE_LOG").ok();
    logging::start(cli.command.log_level(&cli.global), filter.as_deref(), cli.global.log_format, &terminal);
    let context = command::Context { global: cli.global, terminal };
    let done = match cli.command {
        Command::Sql(args) => sql::run(&context, args),
        Command::Start(args) => start::run(&context, args),
        Command::Demo(args) => demo::run(&context, args),
        Command::Cluster(args) => cluster::run(&context, args),
        Command::Bench(args) => bench::run(&context, args),
        Command::Version(args) => version::run(&args),
    };
    match done {
        Ok(()) => Exit::Success.into(),
        Err(failure) => {
            tell(&failure);
            failure.exit.into()
        }
    }
}

/// Help and version succeed; everything else about the command line is 2.
fn usage(error: &clap::Error) -> ExitCode {
    if let Err(failed) = error.print() {
        tracing::debug!(error = %failed, "the message was not written");
    }
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() }
}

fn tell(failure: &Failure) {
    if !failure.message.is_empty() {
        eprintln!("{failure}");
    }
}

/// The whole command tree, for tests and documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helps(command: &mut clap::Command, path: &str, into: &mut Vec<(String, String)>) {
        let path = format!("{path} {}", command.get_name()).trim().to_owned();
        into.push((path.clone(), command.render_help().to_string()));
        for sub in command.get_subcommands_mut() {
            helps(sub, &path, into);
        }
    }

    #[test]
    fn the_command_tree_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_help_fits_a_screen_and_begins_with_examples() {
        let mut command = command();
        command.build();
        let mut all = Vec::new();
        helps(&mut command, "", &mut all);
        assert!(all.len() > 10);
        for (path, help) in all {
            let lines = help.lines().count();
            assert!(lines <= 40, "{path}: {lines} lines\n{help}");
            assert!(help.starts_with("Example"), "{path} begins without examples:\n{help}");
            assert!(help.matches("  quorate ").count() >= 2, "{path} has fewer than two examples");
        }
    }
}
