//! Messages beside the results of a statement.

use crate::error::SqlState;

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// For the curious.
    Notice,
    /// Something was not done as asked.
    Warning,
    /// For the curious, always sent.
    Info,
}

impl Severity {
    /// As PostgreSQL writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Notice => "NOTICE",
            Severity::Warning => "WARNING",
            Severity::Info => "INFO",
        }
    }
}

/// A message beside the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How loud.
    pub severity: Severity,
    /// PostgreSQL's code.
    pub sqlstate: SqlState,
    /// One line.
    pub message: String,
    /// Facts beyond the message.
    pub detail: Option<String>,
    /// A suggestion.
    pub hint: Option<String>,
}

impl Notice {
    /// A NOTICE with code 00000.
    pub fn new(message: impl Into<String>) -> Notice {
        Notice {
            severity: Severity::Notice,
            sqlstate: SqlState::SUCCESSFUL_COMPLETION,
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    /// A WARNING.
    pub fn warning(sqlstate: SqlState, message: impl Into<String>) -> Notice {
        Notice { severity: Severity::Warning, sqlstate, ..Notice::new(message) }
    }
}
