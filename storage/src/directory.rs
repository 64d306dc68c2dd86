//! The data directory of a node: who owns it, which format it has, where things are.
//!
//! ```text
//!   LOCK       locked while a process has the directory open; holds its process id
//!   FORMAT     "quorate 1\n" and "crc32 xxxxxxxx\n" over the first line; written once, before anything else
//!   engine/    the local engine (fjall)
//!   log/       the Raft log (raft-engine)
//!   identity/  certificates and keys, as small files
//!   kept/      copies of journals while the node starts
//! ```
//! Small files are written whole: a temporary file, fsync, rename, fsync of the directory. Each ends with the crc32 of
//! what is before it, so that after a crash a file is the old one or the new one, and damage is found when it is read.
//!
//! Invariant: nothing is written into a directory that is locked, foreign, newer or damaged.

use crate::Error;
use crate::kept::Kept;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

/// The newest format that this release reads, and the one it writes. See `FORMAT.md`.
pub const FORMAT_VERSION: u32 = 1;

const LOCK: &str = "LOCK";
const FORMAT: &str = "FORMAT";
const ENGINE: &str = "engine";
const LOG: &str = "log";
const IDENTITY: &str = "identity";
/// What a temporary file ends with; leftovers of a crash are overwritten.
const TEMPORARY: &str = "new";
/// The most that a format file or a small file may hold, in bytes.
const SMALL_FILE_BYTES: u64 = 16 << 20;
const CHECKSUM_BYTES: usize = 4;

/// A data directory that this process owns until the value is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Locked while it is open.
    _lock: File,
}

impl DataDir {
    /// Opens the data directory at `path`, and makes it one if it is missing or empty.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Foreign`], [`Error::Newer`] and [`Error::Damaged`] leave the directory as it is.
    pub fn open(path: impl AsRef<Path>) -> Result<DataDir, Error> {
        let path = path.as_ref();
        create_dir(path)?;
        if !path.join(FORMAT).exists() {
            check_unused(path)?;
        }
        let lock = lock(path)?;
        if !path.join(FORMAT).exists() {
            replace_file(&path.join(FORMAT), format_text(FORMAT_VERSION).as_bytes())?;
        }
        check_format(path, &read_small(&path.join(FORMAT))?)?;
        Ok(DataDir { path: path.to_path_buf(), _lock: lock })
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the local engine is.
    pub fn engine(&self) -> PathBuf {
        self.path.join(ENGINE)
    }

    /// Where the Raft log is.
    pub fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Copies what opening engine and log may cut.
    ///
    /// # Errors
    /// Input and output.
    pub fn keep_tails(&self) -> Result<Kept, Error> {
        Kept::copy(&self.path, &self.engine(), &self.log())
    }

    /// Where certificates and keys are.
    pub fn identity(&self) -> PathBuf {
        self.path.join(IDENTITY)
    }

    /// Reads the small file `name` (relative to the directory), or `None` if it was never written.
    pub fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.file(name)?;
        if !path.exists() {
            return Ok(None);
        }
        let mut bytes = read_small(&path)?;
        let damaged = || Error::Damaged(format!("{} does not match its checksum", path.display()));
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(damaged)?;
        if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
            return Err(damaged());
        }
        bytes.truncate(bytes.len() - CHECKSUM_BYTES);
        Ok(Some(bytes))
    }

    /// Writes the small file `name` (relative to the directory) durably, replacing an older one as a whole. Only the
    /// owner of the process may read it.
    pub fn store(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let path = self.file(name)?;
        if let Some(parent) = path.parent() {
            create_dir(parent)?;
        }
        let mut bytes = Vec::with_capacity(content.len() + CHECKSUM_BYTES);
        bytes.extend_from_slice(content);
        bytes.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
        replace_file(&path, &bytes)
    }

    fn file(&self, name: &str) -> Result<PathBuf, Error> {
        let name = Path::new(name);
        let inside = name.components().all(|part| matches!(part, Component::Normal(_)));
        if inside && name.file_name().is_some() {
            return Ok(self.path.join(name));
        }
        let source = std::io::Error::new(ErrorKind::InvalidInput, "not a path inside the data directory");
        Err(Error::io(name.display().to_string(), source))
    }
}

/// Makes renames and new files in `path` durable.
pub fn sync_dir(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|error| failed("syncing", path, error))
}

/// Without a format file the directory must be new: empty, or left by a crash between the first two files.
fn check_unused(path: &Path) -> Result<(), Error> {
    let leftovers = [LOCK.to_owned(), format!("{FORMAT}.{TEMPORARY}"), "lost+found".to_owned()];
    for file in fs::read_dir(path).map_err(|error| failed("reading", path, error))? {
        let name = file.map_err(|error| failed("reading", path, error))?.file_name();
        if [ENGINE, LOG].iter().any(|ours| name == **ours) && path.join(LOCK).exists() {
            return Err(Error::Damaged(format!("{} lacks its {FORMAT} file", path.display())));
        }
        if !leftovers.iter().any(|ours| name == **ours) {
            return Err(Error::Foreign { dir: path.to_path_buf() });
        }
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join(LOCK);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(|error| failed("opening", &path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let read = (&mut file).take(20).read_to_string(&mut owner);
            let pid = read.ok().and_then(|_| owner.trim().parse().ok()).unwrap_or(0);
            return Err(Error::Locked { dir: dir.to_path_buf(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(failed("locking", &path, error)),
    }
    let write = |mut file: &File| {
        file.set_len(0)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes())
    };
    write(&file).map_err(|error| failed("writing", &path, error))?;
    Ok(file)
}

fn format_text(version: u32) -> String {
    let line = format!("quorate {version}\n");
    format!("{line}crc32 {:08x}\n", crc32fast::hash(line.as_bytes()))
}

/// Newer formats keep the two lines; what follows them is theirs.
fn check_format(dir: &Path, bytes: &[u8]) -> Result<(), Error> {
    let damaged = || Error::Damaged(format!("{} is not a format file", dir.join(FORMAT).display()));
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let version = text.lines().next().and_then(|line| line.strip_prefix("quorate ")).ok_or_else(damaged)?;
    let found = version.parse::<u32>().map_err(|_| damaged())?;
    if !text.starts_with(&format_text(found)) || found == 0 {
        return Err(damaged());
    }
    if found > FORMAT_VERSION {
        return Err(Error::Newer { dir: dir.to_path_buf(), found, known: FORMAT_VERSION });
    }
    if text == format_text(found) { Ok(()) } else { Err(damaged()) }
}

fn create_dir(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(|error| failed("creating", path, error))?;
    match path.parent() {
        Some(parent) if parent.is_dir() => sync_dir(parent),
        _ => Ok(()),
    }
}

fn read_small(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SMALL_FILE_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| failed("reading", path, error))?;
    if bytes.len() as u64 > SMALL_FILE_BYTES {
        return Err(Error::Damaged(format!("{} is too large", path.display())));
    }
    Ok(bytes)
}

fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{TEMPORARY}"));
    let temporary = PathBuf::from(temporary);
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error| failed("writing", path, error))?;
    path.parent().map_or(Ok(()), sync_dir)
}

fn failed(doing: &str, path: &Path, error: std::io::Error) -> Error {
    Error::io(format!("{doing} {}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let paths = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect();
        files.sort();
        files
    }

    #[test]
    fn a_new_directory_is_made_locked_and_found_again() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a/b");
        let dir = DataDir::open(&path).unwrap();
        assert_eq!(fs::read_to_string(path.join("FORMAT")).unwrap(), "quorate 1\ncrc32 efce46d2\n");
        let second = DataDir::open(&path);
        assert!(matches!(second, Err(Error::Locked { pid, .. }) if pid == std::process::id()), "{second:?}");
        assert_eq!((dir.engine(), dir.log()), (path.join("engine"), path.join("log")));
        drop(dir);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_crash_while_it_is_made_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("LOCK"), "1\n").unwrap();
        fs::write(dir.path().join("FORMAT.new"), "quo").unwrap();
        DataDir::open(dir.path()).unwrap();
    }

    #[test]
    fn foreign_newer_and_damaged_directories_are_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        fs::write(path.join("letter.txt"), "dear").unwrap();
        let before = content(path);
        assert!(matches!(DataDir::open(path), Err(Error::Foreign { .. })));
        assert_eq!(content(path), before);
        fs::remove_file(path.join("letter.txt")).unwrap();

        fs::write(path.join("LOCK"), format!("{}\n", std::process::id())).unwrap();
        let newer = format!("{}more lines of the future\n", format_text(2));
        fs::write(path.join("FORMAT"), newer).unwrap();
        let before = content(path);
        assert!(matches!(DataDir::open(path), Err(Error::Newer { found: 2, known: 1, .. })));
        assert_eq!(content(path), before);

        let good = format_text(1).into_bytes();
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 0x08;
            fs::write(path.join("FORMAT"), flipped).unwrap();
            let before = content(path);
            assert!(matches!(DataDir::open(path), Err(Error::Damaged(_))), "byte {at}");
            assert_eq!(content(path), before);
        }
        fs::remove_file(path.join("FORMAT")).unwrap();
        fs::create_dir(path.join("engine")).unwrap();
        assert!(matches!(DataDir::open(path), Err(Error::Damaged(_))));
    }

    #[test]
    fn small_files_are_replaced_whole_and_checked() {
        let base = tempfile::tempdir().unwrap();
        let dir = DataDir::open(base.path().join("data")).unwrap();
        assert_eq!(dir.load("identity/node.key").unwrap(), None);
        dir.store("identity/node.key", b"first").unwrap();
        dir.store("identity/node.key", b"second").unwrap();
        assert_eq!(dir.load("identity/node.key").unwrap().as_deref(), Some(&b"second"[..]));
        let path = dir.identity().join("node.key");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            fs::write(&path, flipped).unwrap();
            assert!(matches!(dir.load("identity/node.key"), Err(Error::Damaged(_))), "byte {at}");
        }
        fs::write(&path, b"abc").unwrap();
        assert!(matches!(dir.load("identity/node.key"), Err(Error::Damaged(_))));
        for outside in ["", "../x", "/etc/x", "identity/../../x", "."] {
            assert!(matches!(dir.store(outside, b"x"), Err(Error::Io { .. })), "{outside}");
        }
    }
}
