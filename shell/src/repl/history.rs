//! What was typed before: a plain file that only its owner may read, without secrets.

use reedline::{FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, Result, SearchQuery};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

const CAPACITY: usize = 10_000;

/// A history that forgets statements with passwords.
pub(super) struct Discreet {
    inner: FileBackedHistory,
}

impl Discreet {
    /// The history in a file; in memory if there is none.
    pub(super) fn open(file: Option<PathBuf>) -> Result<Discreet> {
        let inner = match file {
            Some(file) => {
                private(&file)?;
                FileBackedHistory::with_file(CAPACITY, file)?
            }
            None => FileBackedHistory::new(CAPACITY)?,
        };
        Ok(Discreet { inner })
    }
}

/// Makes the file, and lets only its owner read it.
fn private(file: &std::path::Path) -> io::Result<()> {
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    opened.set_permissions(std::fs::Permissions::from_mode(0o600))
}

/// Whether a line may hold a secret.
fn is_secret(line: &str) -> bool {
    line.to_lowercase().contains("password")
}

impl History for Discreet {
    fn save(&mut self, item: HistoryItem) -> Result<HistoryItem> {
        if is_secret(&item.command_line) { Ok(item) } else { self.inner.save(item) }
    }

    fn load(&self, id: HistoryItemId) -> Result<HistoryItem> {
        self.inner.load(id)
    }

    fn count(&self, query: SearchQuery) -> Result<i64> {
        self.inner.count(query)
    }

    fn search(&self, query: SearchQuery) -> Result<Vec<HistoryItem>> {
        self.inner.search(query)
    }

    fn update(&mut self, id: HistoryItemId, updater: &dyn Fn(HistoryItem) -> HistoryItem) -> Result<()> {
        self.inner.update(id, updater)
    }

    fn clear(&mut self) -> Result<()> {
        self.inner.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> Result<()> {
        self.inner.delete(id)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.inner.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.inner.session()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept_and_the_file_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state/history");
        let mut history = Discreet::open(Some(file.clone())).unwrap();
        history.save(HistoryItem::from_command_line("select 1;")).unwrap();
        history.save(HistoryItem::from_command_line("ALTER ROLE a PASSWORD 'x';")).unwrap();
        history.sync().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "select 1;\n");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
