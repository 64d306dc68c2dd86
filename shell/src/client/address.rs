//! What a TARGET of the command line means.

use std::path::PathBuf;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// In this process, gone when it ends.
    Memory,
    /// A data directory.
    Directory(PathBuf),
    /// A server.
    Url(String),
}

impl Address {
    /// Reads a target; none means memory.
    pub fn parse(target: Option<&str>) -> Address {
        match target {
            None => Address::Memory,
            Some(url) if is_url(url) => Address::Url(url.to_owned()),
            Some(directory) => Address::Directory(directory.into()),
        }
    }
}

/// Whether the text is a connection URL.
pub fn is_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}
