//! The cluster that `\demo` plays with, as the shell sees it.

use crate::client::SqlError;
use async_trait::async_trait;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// For the person.
    pub text: String,
    /// Whether the node of the shell's session is gone.
    pub session_lost: bool,
}

/// Breaks nodes and mends them.
#[async_trait]
pub trait DemoControl: Send + Sync {
    /// Does what the words after `\demo` say, and tells what happened. `None` if they have no meaning.
    async fn control(&self, words: &[&str]) -> Result<Option<Told>, SqlError>;
}
