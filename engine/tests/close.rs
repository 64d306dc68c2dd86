//! A closed database leaves nothing behind: no thread, no file handle, no lock. Alone in its process, to count threads.

use quorate::Database;
use std::path::{Path, PathBuf};

#[test]
fn close_leaves_no_thread_and_no_file_handle() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = entries("/proc/self/task").unwrap().len();
    runtime.block_on(async {
        for round in 0..2 {
            let db = Database::open(directory.path()).await.unwrap();
            db.execute("CREATE TABLE IF NOT EXISTS t (a INT PRIMARY KEY)", ()).await.unwrap();
            db.execute("INSERT INTO t VALUES ($1)", (round,)).await.unwrap();
            assert_eq!(db.query_one::<i32>("SELECT count(*) FROM t", ()).await.unwrap(), round + 1);
            db.close().await.unwrap();
            assert_eq!(handles_below(directory.path()).unwrap(), Vec::<PathBuf>::new());
        }
    });
    drop(runtime);
    assert_eq!(entries("/proc/self/task").unwrap().len(), before);
}

fn entries(directory: &str) -> std::io::Result<Vec<PathBuf>> {
    std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
}

/// Open files of this process in a directory.
fn handles_below(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let targets = entries("/proc/self/fd")?.into_iter().filter_map(|link| std::fs::read_link(link).ok());
    Ok(targets.filter(|target| target.starts_with(directory)).collect())
}
