//! Tells a torn tail of the log from damage in its middle, before raft-engine opens it.
//!
//! When raft-engine meets a broken batch in its newest file it cuts the file there. That is right for the batch that was
//! being written when the process died, and wrong for one that was acknowledged. Batches are written one after the
//! other, each fsynced before the next: a whole batch *behind* a broken one proves that the broken one was durable
//! once, so it is damage and the log is refused.
//!
//! ```text
//!   file    magic (53) | version u64 | alignment u64 (version 2 only) | batch ...
//!   batch   length (7) compression (1) | offset of items u64 | entries | crc32 | items | crc32 ^ low half of file number
//! ```
//! The headers are big-endian, the checksums little-endian. A recycled file still holds the batches of its former life
//! behind the newest one; they are signed with another file number and do not count.
//!
//! The rewrite queue (old entries that purging moved out of the way) is fsynced only every half mebibyte, and what is not
//! durable there still stands in the files that it came from: only damage further from the end is told apart.

use crate::Error;
use std::io::Write;
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"RAFT-LOG-FILE-HEADER-9986AB3E47F320B394C8E84916EB0ED5";
const BATCH_HEADER: usize = 16;
const CHECKSUM: usize = 4;
const NUMBER_DIGITS: usize = 16;
/// raft-engine fsyncs a rewrite at the latest after 512 KiB and one batch of 128 KiB.
const REWRITE_UNSYNCED: usize = 1 << 20;

/// The two kinds of files: suffix, and how many bytes at the end may be broken in any order.
const KINDS: [(&str, usize); 2] = [(".raftlog", 0), (".rewrite", REWRITE_UNSYNCED)];

/// Refuses a log directory whose newest files are damaged before their end.
pub fn check_tail(dir: &Path) -> Result<(), Error> {
    for (suffix, unsynced) in KINDS {
        let Some((number, path)) = newest(dir, suffix)? else {
            continue;
        };
        let bytes = std::fs::read(&path).map_err(|error| Error::io(format!("reading {}", path.display()), error))?;
        if let Some(broken) = broken_before_end(&bytes, number, unsynced) {
            return Err(Error::Damaged(format!("{} is broken at byte {broken}, before its end", path.display())));
        }
    }
    Ok(())
}

/// Writes an empty log file with a number of its own as the first file of a new log.
///
/// raft-engine numbers files from 1 and caches one block of entries per *thread* by file number, offset and length. Two
/// logs that one thread reads (several nodes in one process) would see each other's entries; numbers that begin
/// somewhere else for each directory keep them apart.
pub fn write_first_file(dir: &Path, first_number: u64) -> Result<(), Error> {
    let path = dir.join(format!("{first_number:0NUMBER_DIGITS$}.raftlog"));
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&2u64.to_be_bytes());
    header.extend_from_slice(&0u64.to_be_bytes());
    let write = || {
        let mut file = std::fs::File::create(&path)?;
        file.write_all(&header)?;
        file.sync_all()
    };
    write().map_err(|error| Error::io(format!("writing {}", path.display()), error))
}

/// Whether `dir` holds files of a log, and whether the append queue is among them.
pub fn has_files(dir: &Path) -> Result<(bool, bool), Error> {
    let has_append = newest(dir, ".raftlog")?.is_some();
    let has_others = newest(dir, ".rewrite")?.is_some() || newest(dir, ".reserved")?.is_some();
    Ok((has_append || has_others, has_append))
}

fn newest(dir: &Path, suffix: &str) -> Result<Option<(u64, PathBuf)>, Error> {
    let what = || format!("reading {}", dir.display());
    let mut newest = None;
    for file in std::fs::read_dir(dir).map_err(|error| Error::io(what(), error))? {
        let file = file.map_err(|error| Error::io(what(), error))?;
        let name = file.file_name();
        let Some(name) = name.to_str().filter(|name| name.ends_with(suffix)) else {
            continue;
        };
        let number = name.get(..NUMBER_DIGITS).and_then(|digits| digits.parse::<u64>().ok());
        if let Some(number) = number {
            newest = newest.max(Some((number, file.path())));
        }
    }
    Ok(newest)
}

/// Offset of the first broken batch (0 for the header) if a whole batch follows more than `unsynced` bytes later.
fn broken_before_end(bytes: &[u8], number: u64, unsynced: usize) -> Option<usize> {
    let signature = number as u32;
    let version = bytes.strip_prefix(MAGIC).and_then(|rest| rest.first_chunk::<8>()).map(|v| u64::from_be_bytes(*v));
    let whole = |at: usize| match version {
        Some(1) => batch_length(bytes, at, 0),
        _ => batch_length(bytes, at, signature),
    };
    let first_batch = MAGIC.len() + if version == Some(1) { 8 } else { 16 };
    let header_is_whole = matches!(version, Some(1 | 2));
    let mut whole_until = first_batch;
    while let Some(length) = whole(whole_until).filter(|_| header_is_whole) {
        whole_until += length;
    }
    let nothing_read = whole_until == first_batch;
    let search_from = if header_is_whole { whole_until + 1 + unsynced } else { MAGIC.len() };
    // A damaged version hides which signature is right.
    let is_whole = |&at: &usize| whole(at).is_some() || nothing_read && batch_length(bytes, at, signature).is_some();
    let later = (search_from..bytes.len()).find(is_whole);
    later.map(|_| if header_is_whole { whole_until } else { 0 })
}

/// Length of the batch at `at`, if there is a whole one.
fn batch_length(bytes: &[u8], at: usize, signature: u32) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let length_and_kind = u64::from_be_bytes(*rest.first_chunk::<8>()?);
    let length = usize::try_from(length_and_kind >> 8).ok()?;
    if length <= BATCH_HEADER + CHECKSUM || length > rest.len() || length_and_kind & 0xff > 1 {
        return None;
    }
    let items_at = u64::from_be_bytes(*rest.get(8..)?.first_chunk::<8>()?);
    let items_at = usize::try_from(items_at).ok().filter(|at| (BATCH_HEADER..length).contains(at))?;
    let items = checksum_holds(&rest[items_at..length], signature);
    let entries = items_at == BATCH_HEADER || checksum_holds(&rest[BATCH_HEADER..items_at], 0);
    (items && entries).then_some(length)
}

fn checksum_holds(block: &[u8], signature: u32) -> bool {
    let Some((content, checksum)) = block.split_last_chunk::<CHECKSUM>() else {
        return false;
    };
    crc32fast::hash(content) == u32::from_le_bytes(*checksum) ^ signature
}
