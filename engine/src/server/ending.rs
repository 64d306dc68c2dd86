//! Why a connection ends.

use crate::error::Error;
use std::io;

/// The end of a connection, apart from errors of statements, which do not end it.
#[derive(Debug)]
pub(super) enum Ending {
    /// The client is gone: nothing can be told to it any more.
    Gone,
    /// The client is told why (severity FATAL).
    Fatal(Error),
}

/// A step that may end the connection.
pub(super) type Flow<T> = Result<T, Ending>;

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Ending {
        tracing::debug!(%error, "connection lost");
        Ending::Gone
    }
}
