//! Copies of the files that opening may cut, until it is known that the cut was right.
//!
//! ```text
//!   keep_tails ─► fjall cuts a journal, raft-engine its newest file, where a batch is broken ─► engine and log agree?
//!     copies                                                        yes: forget the copies     no: put them back
//! ```
//! After a crash the cut takes what was being written. A damaged byte looks the same to both libraries, and the batches
//! behind it were whole: only the comparison of engine and log tells, when the bytes are gone. A refused directory must
//! be left as it was found.
//!
//! The copies are not fsynced: they outlive neither the process nor its start.

use crate::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the copies are, inside the data directory; leftovers of a start that died are removed by the next.
const COPIES: &str = "kept";

/// Copies of files; dropping it puts them back.
#[derive(Debug)]
pub struct Kept {
    copies: PathBuf,
    originals: Vec<PathBuf>,
}

impl Kept {
    /// Copies the journals below `engine` and the newest file of `log`, if there are any. A disk without room for
    /// copies does not keep a node from starting.
    pub(crate) fn copy(directory: &Path, engine: &Path, log: &Path) -> Result<Kept, Error> {
        let copies = directory.join(COPIES);
        let io = |error| Error::io(format!("copying journals to {}", copies.display()), error);
        if copies.exists() {
            fs::remove_dir_all(&copies).map_err(io)?;
        }
        let mut originals = files(engine, "jnl");
        originals.extend(files(log, "raftlog").pop());
        let mut kept = Kept { copies: copies.clone(), originals: Vec::new() };
        if originals.is_empty() {
            return Ok(kept);
        }
        let copied = fs::create_dir(&copies)
            .and_then(|()| originals.iter().try_for_each(|file| fs::copy(file, copy_of(&copies, file)).map(|_| ())));
        match copied.map_err(io) {
            Ok(()) => kept.originals = originals,
            Err(error @ Error::DiskFull(_)) => tracing::warn!(%error, "starting without copies of the journals"),
            Err(error) => return Err(error),
        }
        Ok(kept)
    }

    /// The cuts, if there were any, were right.
    pub fn forget(mut self) {
        self.originals.clear();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for file in &self.originals {
            let copy = copy_of(&self.copies, file);
            if let Err(error) = fs::rename(&copy, file) {
                tracing::error!(%error, file = %file.display(), "the file cannot be put back as it was");
            }
        }
        match fs::remove_dir_all(&self.copies) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "cannot remove {}", self.copies.display());
            }
            _ => {}
        }
    }
}

fn copy_of(copies: &Path, file: &Path) -> PathBuf {
    copies.join(file.file_name().unwrap_or_default())
}

/// The files of `directory` with this extension, by name.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_undone_unless_it_was_right() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, log) = (dir.path().join("engine"), dir.path().join("log"));
        fs::create_dir(&engine).unwrap();
        fs::create_dir(&log).unwrap();
        let (journal, newest) = (engine.join("3.jnl"), log.join("0000000000000012.raftlog"));
        fs::write(&journal, b"journal").unwrap();
        fs::write(log.join("0000000000000011.raftlog"), b"older").unwrap();
        fs::write(&newest, b"newest").unwrap();
        let read = |path: &Path| fs::read(path).unwrap();
        let cut = || {
            fs::write(&journal, b"jour").unwrap();
            fs::write(&newest, b"").unwrap();
        };

        let kept = Kept::copy(dir.path(), &engine, &log).unwrap();
        cut();
        drop(kept);
        assert_eq!((read(&journal), read(&newest)), (b"journal".to_vec(), b"newest".to_vec()));

        let kept = Kept::copy(dir.path(), &engine, &log).unwrap();
        cut();
        kept.forget();
        assert_eq!((read(&journal), read(&newest)), (b"jour".to_vec(), Vec::new()));
        assert!(!dir.path().join(COPIES).exists());
    }
}
