//! `quorate bench`: measure and check.

mod progress;
mod steps;
mod target;

use super::{Context, runtime, units};
use crate::exit::Failure;
use clap::{Args, Subcommand, ValueEnum};
use quorate_bench::target::{Isolation, Protocol};
use quorate_bench::tpcc::{Options, Pace};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  quorate bench tpcc                             3 nodes in this process: load, run 20 s, check
  quorate bench tpcc -w 10 --clients 8 --url postgres://root@127.0.0.1:7432/postgres";

const TPCC_EXAMPLES: &str = "\
Examples:
  quorate bench tpcc                                          all steps, 3 nodes in this process
  quorate bench tpcc init --url URL -w 10 && quorate bench tpcc run --url URL -w 10
  quorate bench tpcc --nodes 1 --dir ./tpcc --duration 60s --json";

/// Measure and check.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum What {
    /// TPC-C-style orders and payments (unaudited)
    Tpcc(TpccArgs),
}

/// One step of a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Make the tables and fill them
    Init,
    /// Run the transactions
    Run,
    /// Check the twelve consistency conditions
    Check,
}

/// TPC-C-style orders and payments (unaudited).
#[derive(Debug, Args)]
#[command(before_help = TPCC_EXAMPLES)]
struct TpccArgs {
    /// One step; all if left out
    #[arg(value_enum)]
    step: Option<Step>,
    /// Servers, separated by commas; nodes in this process if left out
    #[arg(long, value_delimiter = ',', env = "QUORATE_URL")]
    url: Vec<String>,
    /// Nodes in this process
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=9))]
    nodes: u64,
    /// Keep their data here; in a temporary directory if left out
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Keep their data in memory: nothing is synced
    #[arg(long, conflicts_with = "dir")]
    memory: bool,
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    warehouses: i64,
    /// Terminals that work at the same time
    #[arg(long, default_value_t = 8)]
    clients: usize,
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = units::duration)]
    duration: Duration,
    /// Time before the measurement
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = units::duration)]
    ramp: Duration,
    /// none, spec, or a factor of the specification's keying and think times
    #[arg(long, default_value = "none", value_parser = pace)]
    pace: Pace,
    /// serializable, repeatable-read or read-committed
    #[arg(long, default_value = "serializable")]
    isolation: Isolation,
    /// prepared, extended or simple (with --url)
    #[arg(long, default_value = "prepared")]
    protocol: Protocol,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Connections that load
    #[arg(long, default_value_t = 4)]
    load_threads: usize,
    /// Add the foreign keys
    #[arg(long)]
    fks: bool,
    /// Most retries of one transaction
    #[arg(long, default_value_t = 100)]
    retry_budget: u32,
    /// The report as a JSON object
    #[arg(long)]
    json: bool,
}

impl TpccArgs {
    fn options(&self) -> Options {
        Options {
            warehouses: self.warehouses,
            clients: self.clients,
            duration: self.duration,
            ramp: self.ramp,
            isolation: self.isolation,
            pace: self.pace,
            seed: self.seed,
            load_threads: self.load_threads,
            foreign_keys: self.fks,
            retry_budget: self.retry_budget,
        }
    }
}

fn pace(text: &str) -> Result<Pace, String> {
    match text {
        "none" => Ok(Pace::None),
        "spec" => Ok(Pace::Factor(1.0)),
        other => match other.parse::<f64>() {
            Ok(factor) if factor.is_finite() && factor >= 0.0 => Ok(Pace::Factor(factor)),
            _ => Err("none, spec, or a factor such as 0.1".to_owned()),
        },
    }
}

/// Runs a benchmark.
pub fn run(context: &Context, args: BenchArgs) -> Result<(), Failure> {
    let What::Tpcc(args) = args.what;
    let runtime = runtime()?;
    let prepared = target::Prepared::open(context, &runtime, &args)?;
    let done = runtime.block_on(steps::run(context, &args, &prepared.target));
    done.and(prepared.close(&runtime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces_are_factors_of_the_specification() {
        assert_eq!(pace("none"), Ok(Pace::None));
        assert_eq!(pace("spec"), Ok(Pace::Factor(1.0)));
        assert_eq!(pace("0.1"), Ok(Pace::Factor(0.1)));
        assert!(pace("-1").is_err() && pace("fast").is_err());
    }
}
