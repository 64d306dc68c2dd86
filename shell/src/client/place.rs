//! Where the node of a data directory listens: a small file that the node keeps there while it runs.
//!
//! ```text
//!   DIR/quorate.addr     sql 127.0.0.1:7432
//!                        pid 4711
//! ```
//! The file may outlive a node that was killed; who reads it tries the address before believing it.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const NAME: &str = "quorate.addr";
/// Long enough for loopback, short enough not to be felt.
const KNOCK: Duration = Duration::from_millis(500);

/// The file, owned by the node that wrote it; removed when dropped.
#[derive(Debug)]
pub struct NodeFile {
    path: PathBuf,
}

impl NodeFile {
    /// Says that a node of this process listens at `sql`.
    pub fn write(directory: &Path, sql: SocketAddr) -> io::Result<NodeFile> {
        let path = directory.join(NAME);
        let temporary = directory.join(format!("{NAME}.new"));
        fs::write(&temporary, format!("sql {sql}\npid {}\n", std::process::id()))?;
        fs::rename(&temporary, &path)?;
        Ok(NodeFile { path })
    }
}

impl Drop for NodeFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the address file was not removed");
        }
    }
}

/// A node that runs on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it listens for clients.
    pub sql: SocketAddr,
    /// Its process.
    pub pid: Option<u32>,
}

impl Place {
    /// The node that has `directory` open and accepts connections; none if there is no such node.
    pub fn find(directory: &Path) -> Option<Place> {
        let place = Place::parse(&fs::read_to_string(directory.join(NAME)).ok()?)?;
        TcpStream::connect_timeout(&place.sql, KNOCK).ok().map(|_| place)
    }

    fn parse(text: &str) -> Option<Place> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Some(Place { sql: field("sql")?.parse().ok()?, pid: field("pid").and_then(|pid| pid.parse().ok()) })
    }

    /// The URL of the node's database `postgres`.
    pub fn url(&self) -> String {
        format!("postgres://root@{}/postgres", self.sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listening_node_is_found_and_a_dead_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Place::find(directory.path()), None);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let file = NodeFile::write(directory.path(), address).unwrap();
        let place = Place::find(directory.path()).unwrap();
        assert_eq!(place, Place { sql: address, pid: Some(std::process::id()) });
        assert_eq!(place.url(), format!("postgres://root@{address}/postgres"));
        drop(listener);
        assert_eq!(Place::find(directory.path()), None);
        drop(file);
        assert!(!directory.path().join(NAME).exists());
    }
}
