//! The `quorate` command.

fn main() -> std::process::ExitCode {
    quorate_cli::run()
}
