//! `statement_timeout` and rows that come in pieces.

use super::{connect, node};
use crate::error::{Error, SqlState};
use crate::session::{ExecuteMode, Fetch, Session};

/// Fetches a result that is longer than anybody waits for, batch by batch, until an error ends it.
async fn endless(session: &mut Session) -> Error {
    let prepared = session.prepare("SELECT * FROM generate_series(1, 1000000000)", &[]).await.unwrap();
    let mut execution = session.execute(&prepared, Vec::new(), ExecuteMode::Autocommit).await.unwrap();
    loop {
        match session.fetch(&mut execution, 0).await {
            Ok(Fetch { done, .. }) => assert!(!done),
            Err(error) => return error,
        }
    }
}

#[tokio::test]
async fn a_timeout_covers_all_rows_of_a_statement() {
    let node = node().await;
    let mut session = connect(node.gateway(), "postgres").await.unwrap();
    let set = session.prepare("SET statement_timeout = 50", &[]).await.unwrap();
    session.execute(&set, Vec::new(), ExecuteMode::Autocommit).await.unwrap();
    let error = endless(&mut session).await;
    assert!(error.is(SqlState::QUERY_CANCELED), "{error:?}");
    assert_eq!(error.message(), "canceling statement due to statement timeout");
    node.shutdown().await.unwrap();
}
