//! `quorate version`

use crate::exit::Failure;
use clap::Args;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  quorate version
  quorate version --json";

/// Print the release.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES)]
pub struct VersionArgs {
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the release.
pub fn run(args: &VersionArgs) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let text = if args.json {
        serde_json::json!({
            "schema": 1,
            "version": version,
            "arch": std::env::consts::ARCH,
            "os": std::env::consts::OS,
            "protocol": "PostgreSQL 3.0",
        })
        .to_string()
    } else {
        format!("quorate {version} ({}-{})", std::env::consts::ARCH, std::env::consts::OS)
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
