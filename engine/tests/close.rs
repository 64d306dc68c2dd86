//! A closed database leaves nothing behind: no thread, no file handle, no lock. Alone in its process, to count threads.

use quorate::Database;
use std::path::Path;

#[test]
fn close_leaves_no_thread_and_no_file_handle() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = entries("/proc/self/task").len();
    runtime.block_on(async {
        for round in 0..2 {
            let db = Database::open(directory.path()).await.unwrap();
            db.execute("CREATE TABLE IF NOT EXISTS t (a INT PRIMARY KEY)", ()).await.unwrap();
            db.execute("INSERT INTO t VALUES ($1)", (round,)).await.unwrap();
            assert_eq!(db.query_one::<i32>("SELECT count(*) FROM t", ()).await.unwrap(), round + 1);
            db.close().await.unwrap();
            assert_eq!(handles_below(directory.path()), Vec::<String>::new());
        }
    });
    drop(runtime);
    assert_eq!(entries("/proc/self/task").len(), before);
}

fn entries(directory: &str) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Open files of this process in a directory.
fn handles_below(directory: &Path) -> Vec<String> {
    let targets = entries("/proc/self/fd").into_iter().filter_map(|link| std::fs::read_link(link).ok());
    targets.filter(|target| target.starts_with(directory)).map(|target| target.display().to_string()).collect()
}
