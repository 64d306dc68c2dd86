//! The embedded API from end to end, on nodes in memory.

use crate::{Database, Error, ErrorKind, FromRow, Isolation, Row, SqlState, TxOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug, PartialEq, FromRow)]
struct Account {
    id: i64,
    owner: String,
    balance: Option<i64>,
}

async fn accounts() -> Database {
    let db = Database::in_memory().await.unwrap();
    db.execute("CREATE TABLE account (id INT PRIMARY KEY, owner TEXT NOT NULL, balance INT)", ()).await.unwrap();
    let insert = "INSERT INTO account VALUES ($1, $2, $3)";
    assert_eq!(db.execute(insert, (1, "Ann", 100)).await.unwrap(), 1);
    assert_eq!(db.execute(insert, (2, "Bob", None::<i32>)).await.unwrap(), 1);
    db
}

#[tokio::test]
async fn rows_become_structs_tuples_and_scalars() {
    let db = accounts().await;
    let all: Vec<Account> = db.query_all("SELECT * FROM account ORDER BY id", ()).await.unwrap();
    let ann = Account { id: 1, owner: "Ann".to_owned(), balance: Some(100) };
    assert_eq!(all, [ann, Account { id: 2, owner: "Bob".to_owned(), balance: None }]);
    let (owner, id): (String, i16) = db.query_one("SELECT owner, id FROM account WHERE id = $1", (2,)).await.unwrap();
    assert_eq!((owner.as_str(), id), ("Bob", 2));
    let none: Option<i64> = db.query_opt("SELECT id FROM account WHERE id = $1", [9]).await.unwrap();
    assert_eq!(none, None);
    let row: Row = db.query_one("SELECT id AS x, owner FROM account WHERE owner = $1", ("Ann",)).await.unwrap();
    assert_eq!((row.get::<i32>("x").unwrap(), row.get::<String>(1).unwrap()), (1, "Ann".to_owned()));
    db.close().await.unwrap();
}

#[tokio::test]
async fn wrong_numbers_of_rows_are_told() {
    let db = accounts().await;
    let kind = |outcome: Result<i64, Error>| outcome.unwrap_err().kind();
    assert_eq!(kind(db.query_one("SELECT id FROM account WHERE id = 9", ()).await), ErrorKind::NoRows);
    assert_eq!(kind(db.query_one("SELECT id FROM account", ()).await), ErrorKind::TooManyRows);
    assert_eq!(kind(db.query_one("SELECT owner FROM account WHERE id = 1", ()).await), ErrorKind::Decode);
    assert_eq!(kind(db.query_one("SELECT id FROM account WHERE id = $1", ()).await), ErrorKind::Params);
    db.close().await.unwrap();
}

#[tokio::test]
async fn streams_can_be_left_early() {
    let db = Database::in_memory().await.unwrap();
    db.execute("CREATE TABLE n (n INT PRIMARY KEY)", ()).await.unwrap();
    db.execute("INSERT INTO n SELECT n FROM generate_series(1, 2000) AS n", ()).await.unwrap();
    let mut rows = db.query::<i32>("SELECT n FROM n ORDER BY n", ()).await.unwrap();
    assert_eq!(rows.next().await.unwrap(), Some(1));
    drop(rows);
    let mut rows = db.query::<i64>("SELECT n FROM n ORDER BY n", ()).await.unwrap();
    let mut sum = 0;
    while let Some(n) = rows.next().await.unwrap() {
        sum += n;
    }
    assert_eq!((sum, rows.next().await.unwrap()), (2_001_000, None));

    let tx = db.begin().await.unwrap();
    let mut rows = tx.query::<i32>("SELECT n FROM n ORDER BY n", ()).await.unwrap();
    assert_eq!(rows.next().await.unwrap(), Some(1));
    tx.execute("DELETE FROM n WHERE n = 2", ()).await.unwrap();
    drop(rows);
    assert_eq!(tx.query_one::<i64>("SELECT count(*) FROM n", ()).await.unwrap(), 1999);
    tx.rollback().await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test]
async fn transactions_commit_or_leave_nothing() {
    let db = accounts().await;
    let balance = async || db.query_one::<i64>("SELECT balance FROM account WHERE id = 1", ()).await.unwrap();
    let tx = db.begin().await.unwrap();
    tx.execute("UPDATE account SET balance = 7 WHERE id = 1", ()).await.unwrap();
    assert_eq!(balance().await, 100);
    tx.commit().await.unwrap();
    assert_eq!(balance().await, 7);
    let tx = db.begin().await.unwrap();
    tx.execute("UPDATE account SET balance = 8 WHERE id = 1", ()).await.unwrap();
    drop(tx);
    db.execute("UPDATE account SET balance = balance + 1 WHERE id = 1", ()).await.unwrap();
    assert_eq!(balance().await, 8);
    db.close().await.unwrap();
}

#[tokio::test]
async fn swallowed_errors_do_not_commit() {
    let db = accounts().await;
    let runs = AtomicU32::new(0);
    let error = db
        .transaction(async |tx| {
            runs.fetch_add(1, Ordering::Relaxed);
            tx.execute("UPDATE account SET balance = 0", ()).await?;
            let duplicate = tx.execute("INSERT INTO account VALUES (1, 'Eve', 1)", ()).await;
            assert!(duplicate.unwrap_err().is_unique_violation());
            Ok(())
        })
        .await
        .unwrap_err();
    assert_eq!((error.sqlstate(), runs.into_inner()), (Some(SqlState::IN_FAILED_SQL_TRANSACTION), 1));
    let sum: i64 = db.query_one("SELECT sum(balance) FROM account", ()).await.unwrap();
    assert_eq!(sum, 100);
    db.close().await.unwrap();
}

#[tokio::test]
async fn retryable_errors_run_the_closure_again_even_if_swallowed() {
    let db = accounts().await;
    for swallowed in [false, true] {
        let told = Arc::new(AtomicU32::new(0));
        let hook = told.clone();
        let options = TxOptions::default().on_retry(move |error, attempt| {
            assert!(error.is(SqlState::SERIALIZATION_FAILURE));
            hook.fetch_add(attempt, Ordering::Relaxed);
        });
        let attempts = db
            .transaction_with(options, async |tx| {
                if tx.attempt() < 3 {
                    let conflict = tx.note::<()>(Err(Error::new(SqlState::SERIALIZATION_FAILURE, "conflict")));
                    if !swallowed {
                        conflict?;
                    }
                }
                Ok(tx.attempt())
            })
            .await
            .unwrap();
        assert_eq!((attempts, told.load(Ordering::Relaxed)), (3, 1 + 2));
    }
    let options = TxOptions::default().max_attempts(2).isolation(Isolation::Snapshot);
    let error = db
        .transaction_with(options, async |_| Err::<(), _>(Error::new(SqlState::DEADLOCK_DETECTED, "deadlock detected")))
        .await
        .unwrap_err();
    assert_eq!((error.attempts(), error.is_retryable()), (2, true));
    db.close().await.unwrap();
}

#[tokio::test]
async fn own_errors_pass_through() {
    let db = accounts().await;
    let error = db
        .transaction(async |tx| {
            tx.execute("DELETE FROM account", ()).await?;
            Err::<(), _>(Error::user(std::fmt::Error))
        })
        .await
        .unwrap_err();
    assert_eq!(error.downcast::<std::fmt::Error>().unwrap(), std::fmt::Error);
    assert_eq!(db.query_one::<i64>("SELECT count(*) FROM account", ()).await.unwrap(), 2);
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_tasks_add_up_on_one_row() {
    let db = accounts().await;
    let tasks: Vec<_> = (0..32).map(|_| tokio::spawn(add_ten(db.clone()))).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let balance: i64 = db.query_one("SELECT balance FROM account WHERE id = 1", ()).await.unwrap();
    assert_eq!(balance, 100 + 32 * 10);
    db.close().await.unwrap();
}

/// Adds ten times one; reads before it writes, so that conflicts hurt.
async fn add_ten(db: Database) -> Result<(), Error> {
    let id = 1;
    for _ in 0..10 {
        let options = TxOptions::default().deadline(std::time::Duration::from_secs(120));
        db.transaction_with(options, async |tx| {
            let balance: i64 = tx.query_one("SELECT balance FROM account WHERE id = $1", (id,)).await?;
            tx.execute("UPDATE account SET balance = $2 WHERE id = $1", (id, balance + 1)).await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn calls_share_no_session_but_those_of_a_session() {
    let db = accounts().await;
    let kind = |outcome: Result<u64, Error>| outcome.unwrap_err().sqlstate();
    assert_eq!(kind(db.execute("SET application_name = 'x'", ()).await), Some(SqlState::FEATURE_NOT_SUPPORTED));
    assert_eq!(kind(db.execute("BEGIN", ()).await), Some(SqlState::FEATURE_NOT_SUPPORTED));
    let name: String = db.query_one("SELECT current_setting('application_name')", ()).await.unwrap();
    assert_eq!(name, "quorate");

    let session = db.session().await.unwrap();
    session.batch("SET application_name = 'x'; BEGIN; UPDATE account SET balance = 1").await.unwrap();
    let name: String = session.query_one("SELECT current_setting('application_name')", ()).await.unwrap();
    assert_eq!(name, "x");
    session.execute("ROLLBACK", ()).await.unwrap();
    assert_eq!(session.query_one::<i64>("SELECT sum(balance) FROM account", ()).await.unwrap(), 100);
    db.close().await.unwrap();
}

#[tokio::test]
async fn statements_can_be_prepared() {
    let db = accounts().await;
    let by_id = db.prepare("SELECT owner FROM account WHERE id = $1").await.unwrap();
    assert_eq!((by_id.param_types().len(), &*by_id.columns()[0].name), (1, "owner"));
    assert_eq!(db.query_one::<String>(&by_id, (2,)).await.unwrap(), "Bob");
    let error = db.prepare("SELECT nope FROM account").await.unwrap_err();
    assert_eq!((error.sqlstate(), error.position()), (Some(SqlState::UNDEFINED_COLUMN), Some(7)));
    db.close().await.unwrap();
}

#[tokio::test]
async fn databases_are_independent_and_closable() {
    let (a, b) = (accounts().await, Database::in_memory().await.unwrap());
    let missing = b.query_all::<Row>("SELECT * FROM account", ()).await.unwrap_err();
    assert_eq!(missing.sqlstate(), Some(SqlState::UNDEFINED_TABLE));
    let clone = a.clone();
    a.close().await.unwrap();
    a.close().await.unwrap();
    assert_eq!(clone.execute("SELECT 1", ()).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(b.query_one::<i64>("SELECT 1", ()).await.unwrap(), 1);
    b.close().await.unwrap();
}

#[tokio::test]
async fn a_commit_tells_how_it_came_about() {
    let db = accounts().await;
    db.execute("ALTER TABLE account SPLIT AT VALUES (2)", ()).await.unwrap();
    let session = db.session().await.unwrap();
    let trace = "SHOW COMMIT TRACE FOR LAST TRANSACTION";
    // Both sides of the split are led then; a leader that begins refuses commit IDs that were drawn before.
    session.query_all::<i32>("SELECT id FROM account", ()).await.unwrap();
    session.execute("UPDATE account SET balance = 7", ()).await.unwrap();
    let rows: Vec<Row> = session.query_all(trace, ()).await.unwrap();
    let event = |row: &Row| row.get::<String>("event").unwrap();
    assert!(event(&rows[0]).ends_with("FAST: 2 ranges, one round"), "{rows:?}");
    let votes: Vec<&Row> = rows.iter().filter(|row| event(row) == "prepare: PREPARED").collect();
    let mut keys: Vec<String> = votes.iter().map(|row| row.get("key").unwrap()).collect();
    keys.sort();
    assert_eq!(keys, ["/account/account_pkey/1", "/account/account_pkey/2"]);
    assert!(votes.iter().all(|row| row.get::<i64>("raft_index").unwrap() > 0));
    assert!(event(rows.last().unwrap()).ends_with("; 1 Raft round, 0 messages"), "{rows:?}");

    session.execute("SET commit_protocol = 'three_phase'", ()).await.unwrap();
    let lines: Vec<String> =
        session.query_all("EXPLAIN (ANALYZE, TXN) UPDATE account SET balance = 8", ()).await.unwrap();
    assert!(lines.contains(&"Commit: 3PC: 2 ranges, because the session asked for it".to_owned()), "{lines:#?}");
    assert!(lines.iter().filter(|line| line.contains("can commit: PREPARED r")).count() == 3, "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("can commit: PREPARED r3 /arbiter/")), "{lines:#?}");
    assert!(lines.last().unwrap().contains("2 Raft rounds"), "{lines:#?}");
    let error = session.execute("SET commit_protocol = 'two_phase'", ()).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some(SqlState::INVALID_PARAMETER_VALUE));
    db.close().await.unwrap();
}

/// A token of a commit that was carried out, and one of a commit that never was.
pub(super) async fn tokens(db: &Database) -> [String; 2] {
    let client = db.pool.gateway().unwrap().client.clone();
    let mut tokens = Vec::new();
    for commits in [true, false] {
        let mut txn = client.begin(Default::default()).await.unwrap();
        txn.put(b"\x12key".to_vec(), Vec::new());
        tokens.push(txn.token().unwrap().to_string());
        if commits {
            txn.commit().await.unwrap();
        }
    }
    tokens.try_into().unwrap()
}

#[tokio::test]
async fn how_a_commit_ended_can_be_asked_by_its_token() {
    let db = accounts().await;
    let [committed, never] = tokens(&db).await;
    let status = "SELECT quorate.txn_status($1)";
    let answer: String = db.query_one(status, (committed.as_str(),)).await.unwrap();
    let id: u64 = answer.strip_prefix("committed(").and_then(|rest| rest.strip_suffix(')')).unwrap().parse().unwrap();
    assert!(id > 0);
    assert_eq!(db.query_one::<String>(status, (never.as_str(),)).await.unwrap(), "aborted");
    assert_eq!(db.query_one::<Option<String>>(status, (None::<String>,)).await.unwrap(), None);
    let read_only = db.session().await.unwrap();
    read_only.execute("BEGIN READ ONLY", ()).await.unwrap();
    assert_eq!(read_only.query_one::<String>(status, (never.as_str(),)).await.unwrap(), "aborted");
    let error = db.query_one::<String>(status, (&never[..60],)).await.unwrap_err();
    assert!(error.is(SqlState::INVALID_PARAMETER_VALUE), "{error:?}");
    assert!(error.detail().unwrap().contains("not complete") && error.hint().unwrap().contains("40003"), "{error:?}");
    db.close().await.unwrap();
}
