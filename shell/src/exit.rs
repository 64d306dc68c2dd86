//! How the program ends: its exit codes, and the failure that leads to one.
//!
//! ```text
//!   0 success             3 no connection     6 stopped before the drain was over    11 data directory unusable
//!   1 it failed           4 a check failed    7 the node stopped itself              130 interrupted
//!   2 wrong usage         5 timed out         10 disk full
//! ```

use std::fmt;
use std::process::ExitCode;

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All was done; a server was drained.
    Success,
    /// A statement or an operation failed.
    Failed,
    /// Flags or configuration are wrong.
    Usage,
    /// No connection could be made, or it was refused.
    NoConnection,
    /// A check did not hold.
    CheckFailed,
    /// Timed out, or given up after retries.
    TimedOut,
    /// A server stopped before its drain was over.
    NotDrained,
    /// The node stopped itself.
    Fatal,
    /// The disk is full.
    DiskFull,
    /// The data directory is locked, newer, damaged or not ours.
    Directory,
    /// The user interrupted.
    Interrupted,
}

impl Exit {
    /// The number that the operating system sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NoConnection => 3,
            Exit::CheckFailed => 4,
            Exit::TimedOut => 5,
            Exit::NotDrained => 6,
            Exit::Fatal => 7,
            Exit::DiskFull => 10,
            Exit::Directory => 11,
            Exit::Interrupted => 130,
        }
    }

    /// The code for a statement that failed with this SQLSTATE and message.
    pub fn of_statement(sqlstate: Option<&str>, message: &str) -> Exit {
        match sqlstate {
            Some("57014") if message.contains("timeout") => Exit::TimedOut,
            Some("57014") => Exit::Interrupted,
            Some("40001" | "40P01" | "58C00") => Exit::TimedOut,
            Some("53100") => Exit::DiskFull,
            Some("XX001") => Exit::Directory,
            Some(code) if code.starts_with("08") || code.starts_with("28") || code == "53300" => Exit::NoConnection,
            _ => Exit::Failed,
        }
    }

    /// The code for a node that could not start.
    fn of_start(error: &quorate::error::Error) -> Exit {
        match error.sqlstate().as_ref().map(|code| code.as_str()) {
            Some("55006" | "F0000" | "XX001") => Exit::Directory,
            Some("53100") => Exit::DiskFull,
            Some(code) if code.starts_with("28") || code.starts_with("08") => Exit::NoConnection,
            _ => Exit::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command could not do its work. What is empty in `message` has been told already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// One sentence; empty if the user has seen the reason.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure with its reason.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), hint: None }
    }

    /// A failure whose reason the user has seen.
    pub fn told(exit: Exit) -> Failure {
        Failure::new(exit, "")
    }

    /// A node stopped itself while it ran.
    pub fn of_stop(error: &quorate::error::Error) -> Failure {
        let mut failure = Failure::of_start(error);
        failure.message = format!("the node stopped itself: {}", failure.message);
        if failure.exit == Exit::Failed {
            failure.exit = Exit::Fatal;
        }
        let hint = "What was acknowledged is safe on the other replicas. The log above says more.";
        failure.hint.get_or_insert_with(|| hint.to_owned());
        failure
    }

    /// Adds a suggestion.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// A node did not start.
    pub fn of_start(error: &quorate::error::Error) -> Failure {
        let mut failure = Failure::new(Exit::of_start(error), error.message());
        failure.hint = error.hint().map(str::to_owned);
        if let Some(detail) = error.detail() {
            failure.message = format!("{}\n{detail}", failure.message);
        }
        failure
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    /// Standard output or a file refused.
    fn from(error: std::io::Error) -> Failure {
        match error.kind() {
            // The reader of a pipe has seen enough (`| head`).
            std::io::ErrorKind::BrokenPipe => Failure::told(Exit::Failed),
            std::io::ErrorKind::StorageFull => Failure::new(Exit::DiskFull, error.to_string()),
            _ => Failure::new(Exit::Failed, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_table() {
        let all = [
            Exit::Success,
            Exit::Failed,
            Exit::Usage,
            Exit::NoConnection,
            Exit::CheckFailed,
            Exit::TimedOut,
            Exit::NotDrained,
            Exit::Fatal,
            Exit::DiskFull,
            Exit::Directory,
            Exit::Interrupted,
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 130]);
    }

    #[test]
    fn statements_fail_by_their_sqlstate() {
        let of = |code| Exit::of_statement(Some(code), "canceling statement due to user request");
        assert_eq!(of("42P01"), Exit::Failed);
        assert_eq!(of("40001"), Exit::TimedOut);
        assert_eq!(of("08006"), Exit::NoConnection);
        assert_eq!(of("53100"), Exit::DiskFull);
        assert_eq!(of("57014"), Exit::Interrupted);
        assert_eq!(Exit::of_statement(Some("57014"), "canceling statement due to statement timeout"), Exit::TimedOut);
    }
}
