//! Prepared transactions of several databases, and of sessions that are gone.

use super::{Lines, connect, node};
use crate::error::{Error, SqlState};
use crate::session::Session;

async fn run(session: &mut Session, sql: &str) -> Result<String, Error> {
    let mut out = Lines::default();
    session.simple(sql, &mut out).await.map(|_| out.text)
}

#[tokio::test]
async fn a_database_finishes_its_own_and_those_of_databases_that_are_gone() {
    let node = node().await;
    let mut session = connect(node.gateway(), "postgres").await.unwrap();
    run(&mut session, "CREATE DATABASE other").await.unwrap();
    let mut other = connect(node.gateway(), "other").await.unwrap();
    run(&mut other, "CREATE TABLE t (id int PRIMARY KEY)").await.unwrap();
    for (id, gid) in [(1, "a"), (2, "b")] {
        let prepare = format!("BEGIN; INSERT INTO t VALUES ({id}); PREPARE TRANSACTION '{gid}'");
        run(&mut other, &prepare).await.unwrap();
    }
    let error = run(&mut session, "COMMIT PREPARED 'a'").await.unwrap_err();
    assert!(error.is(SqlState::FEATURE_NOT_SUPPORTED), "{error:?}");
    assert_eq!(error.message(), "prepared transaction belongs to another database");
    run(&mut other, "COMMIT PREPARED 'a'").await.unwrap();
    drop(other);
    run(&mut session, "DROP DATABASE other").await.unwrap();
    assert_eq!(run(&mut session, "ROLLBACK PREPARED 'b'").await.unwrap(), "ROLLBACK PREPARED\n");
    session.end().await;
    node.shutdown().await.unwrap();
}
