//! Nodes whose disks give back other bytes than were written.

use super::{MemoryStorage, Node, NodeOptions, Storage};
use crate::error::{Error, SqlState};
use crate::session::{ExecuteMode, Session, StartupParams};
use quorate_storage::keys::USER_PREFIX;
use quorate_storage::{Engine, Keyspace, Op, Span};
use std::path::PathBuf;
use std::sync::Arc;

async fn execute(session: &mut Session, sql: &str) -> Result<(), Error> {
    let prepared = session.prepare(sql, &[]).await?;
    session.execute(&prepared, Vec::new(), ExecuteMode::Autocommit).await.map(|_| ())
}

async fn connect(node: &Node) -> Session {
    let params =
        StartupParams { user: "postgres".into(), database: "postgres".into(), settings: Vec::new(), process_id: 1 };
    let mut session = Session::new(node.gateway(), params);
    session.start().await.unwrap();
    session
}

/// The only file of `directory` with this extension.
fn only_file(directory: PathBuf, extension: &str) -> PathBuf {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found = entries.filter(|path| path.extension().is_some_and(|end| end == extension));
    let file = found.next().unwrap();
    assert_eq!(found.next(), None);
    file
}

#[tokio::test]
async fn a_directory_that_is_refused_is_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let options = NodeOptions { storage: Storage::Directory(dir.path().into()), ..NodeOptions::memory() };
    let node = Node::start(options.clone()).await.unwrap();
    let mut session = connect(&node).await;
    execute(&mut session, "CREATE TABLE t (a int PRIMARY KEY)").await.unwrap();
    execute(&mut session, "INSERT INTO t SELECT * FROM generate_series(1, 1000)").await.unwrap();
    drop(session);
    node.shutdown().await.unwrap();
    drop(node);

    // The engine's library cuts what a crash left at the end of its journal; the log is refused after that.
    let journal = only_file(dir.path().join("engine"), "jnl");
    let mut torn = std::fs::read(&journal).unwrap();
    torn.extend([1; 7]);
    std::fs::write(&journal, &torn).unwrap();
    let log = only_file(dir.path().join("log"), "raftlog");
    let mut damaged = std::fs::read(&log).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&log, &damaged).unwrap();

    let error = Node::start(options).await.map(|_| ()).unwrap_err();
    assert!(error.is(SqlState::DATA_CORRUPTED), "{error:?}");
    assert!(std::fs::read(&journal).unwrap() == torn, "the journal was cut");
    assert!(std::fs::read(&log).unwrap() == damaged);
}

#[tokio::test]
async fn damaged_data_stops_the_node_and_is_told() {
    let memory = Arc::new(MemoryStorage::default());
    let options = NodeOptions { storage: Storage::Held(memory.clone()), ..NodeOptions::memory() };
    let node = Node::start(options).await.unwrap();
    let mut session = connect(&node).await;
    execute(&mut session, "CREATE TABLE t (a int PRIMARY KEY, b text)").await.unwrap();
    execute(&mut session, "INSERT INTO t VALUES (1, 'one')").await.unwrap();

    let engine = memory.parts().0;
    let rows = Span::new([USER_PREFIX], [0xff]);
    let keys: Vec<_> = engine.scan(Keyspace::Data, &rows).map(|pair| pair.unwrap().0.to_vec()).collect();
    let damage = |key| Op::Put { keyspace: Keyspace::Data, key, value: vec![1, 2, 3] };
    engine.write(keys.into_iter().map(damage).collect()).unwrap();

    let error = execute(&mut session, "SELECT * FROM t").await.unwrap_err();
    assert!(error.is(SqlState::DATA_CORRUPTED), "{error:?}");
    assert!(node.failed().await.is(SqlState::DATA_CORRUPTED));
    let later = execute(&mut session, "SELECT * FROM t").await.unwrap_err();
    assert!(later.is(SqlState::DATA_CORRUPTED), "{later:?}");
    assert!(node.shutdown().await.unwrap_err().is(SqlState::DATA_CORRUPTED));
}

#[tokio::test]
async fn a_retention_that_open_transactions_cannot_live_with_is_refused() {
    for seconds in [0, 19, 100 * 24 * 3600, u64::MAX] {
        let options = NodeOptions { retention: std::time::Duration::from_secs(seconds), ..NodeOptions::memory() };
        let error = Node::start(options).await.unwrap_err();
        assert!(error.to_string().contains("retention"), "{error}");
    }
}
