//! A node whose disk gives back other bytes than were written.

use super::{MemoryStorage, Node, NodeOptions, Storage};
use crate::error::{Error, SqlState};
use crate::session::{ExecuteMode, Session, StartupParams};
use quorate_storage::keys::USER_PREFIX;
use quorate_storage::{Engine, Keyspace, Op, Span};
use std::sync::Arc;

async fn execute(session: &mut Session, sql: &str) -> Result<(), Error> {
    let prepared = session.prepare(sql, &[]).await?;
    session.execute(&prepared, Vec::new(), ExecuteMode::Autocommit).await.map(|_| ())
}

#[tokio::test]
async fn damaged_data_stops_the_node_and_is_told() {
    let memory = Arc::new(MemoryStorage::default());
    let options = NodeOptions { storage: Storage::Held(memory.clone()), ..NodeOptions::memory() };
    let node = Node::start(options).await.unwrap();
    let params =
        StartupParams { user: "postgres".into(), database: "postgres".into(), settings: Vec::new(), process_id: 1 };
    let mut session = Session::new(node.gateway(), params);
    session.start().await.unwrap();
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
