//! tokio-postgres: the extended protocol with binary values, simple queries, errors, cancelling.

use super::*;
use tokio_postgres::types::Type;

#[tokio::test]
async fn values_cross_in_binary_and_text() {
    let server = Server::start().await;
    let client = server.connect().await;
    let create =
        "CREATE TABLE v (a INT PRIMARY KEY, b BIGINT, c SMALLINT, d DOUBLE PRECISION, e TEXT, f BOOL, g BYTEA)";
    client.batch_execute(create).await.unwrap();
    let insert = client.prepare("INSERT INTO v VALUES ($1, $2, $3, $4, $5, $6, $7)").await.unwrap();
    let types = [Type::INT4, Type::INT8, Type::INT2, Type::FLOAT8, Type::TEXT, Type::BOOL, Type::BYTEA];
    assert_eq!(insert.params(), types);
    let bytes: &[u8] = &[0, 255];
    let changed =
        client.execute(&insert, &[&1, &(1i64 << 40), &-3i16, &0.5f64, &"Grüße", &true, &bytes]).await.unwrap();
    assert_eq!(changed, 1);
    let none: Option<&str> = None;
    client.execute("INSERT INTO v (a, e) VALUES ($1, $2)", &[&2, &none]).await.unwrap();

    let row = client.query_one("SELECT * FROM v WHERE a = $1", &[&1]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i64>("b"), row.get::<_, i16>("c")), (1, 1 << 40, -3));
    assert_eq!((row.get::<_, f64>("d"), row.get::<_, &str>("e")), (0.5, "Grüße"));
    assert_eq!((row.get::<_, bool>("f"), row.get::<_, &[u8]>("g")), (true, bytes));
    let row = client.query_one("SELECT e FROM v WHERE a = $1", &[&2]).await.unwrap();
    assert_eq!(row.get::<_, Option<&str>>(0), None);

    let messages = client.simple_query("SELECT b, d, f, g FROM v ORDER BY a; UPDATE v SET c = 1").await.unwrap();
    let rows: Vec<_> = messages.iter().filter_map(row_of).collect();
    let first = ["1099511627776", "0.5", "t", "\\x00ff"].map(Some);
    assert_eq!(
        rows.iter().map(|row| (0..4).map(|at| row.get(at)).collect()).collect::<Vec<Vec<_>>>(),
        [first, [None; 4]]
    );
    assert!(matches!(messages.last(), Some(SimpleQueryMessage::CommandComplete(2))));
    server.stop().await;
}

fn row_of(message: &SimpleQueryMessage) -> Option<&tokio_postgres::SimpleQueryRow> {
    match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }
}

#[tokio::test]
async fn errors_carry_their_fields() {
    let server = Server::start().await;
    let client = server.connect().await;
    client
        .batch_execute("CREATE TABLE t (a INT PRIMARY KEY, b INT NOT NULL); INSERT INTO t VALUES (1, 1)")
        .await
        .unwrap();
    let error = client.execute("INSERT INTO t VALUES ($1, $2)", &[&1, &2]).await.unwrap_err();
    let unique = error.as_db_error().unwrap();
    assert_eq!(unique.message(), "duplicate key value violates unique constraint \"t_pkey\"");
    assert_eq!((unique.severity(), unique.code().code()), ("ERROR", "23505"));
    assert_eq!(unique.detail(), Some("Key (a)=(1) already exists."));
    assert_eq!((unique.schema(), unique.table(), unique.constraint()), (Some("public"), Some("t"), Some("t_pkey")));

    let error = client.simple_query("SELECT 'é', nope FROM t").await.unwrap_err();
    let unknown = error.as_db_error().unwrap();
    assert_eq!(told(&error), pair("42703", "column \"nope\" does not exist"));
    assert_eq!(unknown.position(), Some(&tokio_postgres::error::ErrorPosition::Original(13)));
    server.stop().await;
}

#[tokio::test]
async fn a_failed_block_waits_for_its_end() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.batch_execute("CREATE TABLE t (a INT PRIMARY KEY)").await.unwrap();
    let tx = client.transaction().await.unwrap();
    tx.execute("INSERT INTO t VALUES (1)", &[]).await.unwrap();
    assert_eq!(told(&tx.execute("SELECT 1 / 0", &[]).await.unwrap_err()).0, "22012");
    let aborted = "current transaction is aborted, commands ignored until end of transaction block";
    assert_eq!(told(&tx.query("SELECT 1", &[]).await.unwrap_err()), pair("25P02", aborted));
    tx.rollback().await.unwrap();
    let row = client.query_one("SELECT count(*) FROM t", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    client.batch_execute("ROLLBACK").await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn an_error_rolls_a_text_back() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t (a INT PRIMARY KEY)").await.unwrap();
    let text = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)";
    assert_eq!(told(&client.batch_execute(text).await.unwrap_err()).0, "23505");
    assert_eq!(client.query("SELECT a FROM t", &[]).await.unwrap().len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn portals_suspend_and_resume() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let tx = client.transaction().await.unwrap();
    let portal = tx.bind("SELECT n FROM generate_series(1, 25) AS n", &[]).await.unwrap();
    let mut sizes = Vec::new();
    let mut last = 0;
    for _ in 0..3 {
        let rows = tx.query_portal(&portal, 10).await.unwrap();
        sizes.push(rows.len());
        last = rows.last().map_or(0, |row| row.get::<_, i32>(0));
    }
    assert_eq!((sizes, last), (vec![10, 10, 5], 25));
    tx.commit().await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_connection_cancels() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1)").await.unwrap();
    let blocker = server.connect().await;
    blocker.batch_execute("BEGIN; UPDATE t SET a = 1").await.unwrap();
    let token = client.cancel_token();
    let (outcome, ()) = tokio::join!(client.batch_execute("UPDATE t SET a = 1"), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        token.cancel_query(NoTls).await.unwrap();
    });
    assert_eq!(told(&outcome.unwrap_err()), pair("57014", "canceling statement due to user request"));
    client.batch_execute("SELECT 1").await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn roles_and_databases_must_exist() {
    let server = Server::start().await;
    let refused = |config: &str| {
        let config = format!("host=127.0.0.1 port={} {config}", server.port());
        async move { told(&tokio_postgres::connect(&config, NoTls).await.err().unwrap()) }
    };
    assert_eq!(refused("user=nobody dbname=postgres").await, pair("28000", "role \"nobody\" does not exist"));
    assert_eq!(refused("user=root dbname=nope").await, pair("3D000", "database \"nope\" does not exist"));
    server.stop().await;
}

#[tokio::test]
async fn the_bound_of_sessions_holds() {
    let server = Server::with(ServerOptions::default().with_max_connections(1)).await;
    let client = server.connect().await;
    let refused = server.try_connect().await.err().unwrap();
    assert_eq!(told(&refused), pair("53300", "sorry, too many clients already"));
    drop(client);
    while server.listener.sessions() > 0 {
        tokio::task::yield_now().await;
    }
    server.connect().await;
    server.stop().await;
}

#[tokio::test]
async fn shutdown_says_goodbye() {
    let server = Server::start().await;
    let client = server.connect().await;
    let Server { node, listener } = server;
    listener.shutdown(Duration::from_secs(5)).await;
    assert!(client.batch_execute("SELECT 1").await.is_err());
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_is_left_alone_ends_with_its_connection() {
    let server = Server::start().await;
    let client = server.connect().await;
    client.batch_execute("CREATE TABLE t (a INT PRIMARY KEY); INSERT INTO t VALUES (1)").await.unwrap();
    client.batch_execute("SET idle_in_transaction_session_timeout = '50ms'").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    client.batch_execute("BEGIN; SELECT a FROM t FOR UPDATE").await.unwrap();
    let other = server.connect().await;
    // The lock goes with the connection.
    let locked = other.query("SELECT a FROM t FOR UPDATE", &[]).await.unwrap();
    assert_eq!(locked.len(), 1);
    let error = client.batch_execute("COMMIT").await.unwrap_err();
    assert!(error.is_closed() || error.code().is_some_and(|code| code.code() == "25P03"), "{error:?}");
    server.stop().await;
}
