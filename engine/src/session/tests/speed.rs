//! Rates, printed by hand: `cargo test --release -p quorate --lib session::tests::speed -- --ignored --nocapture`.

use super::{connect, node};
use crate::session::{ExecuteMode, Session};
use crate::sql::types::Value;

async fn batch(session: &mut Session, sql: &str) {
    let mut out = super::Lines::default();
    session.simple(sql, &mut out).await.unwrap();
}

#[tokio::test]
#[ignore = "measures; asserts nothing"]
async fn rates() {
    let node = node().await;
    let mut session = connect(node.gateway(), "postgres").await.unwrap();
    batch(&mut session, "CREATE TABLE t (id int PRIMARY KEY, a int, b text)").await;
    batch(&mut session, "INSERT INTO t SELECT i, i * 2, 'row ' || i FROM generate_series(1, 10000) AS i").await;
    let runtime = node.gateway().runtime.clone();
    for (name, sql) in [
        ("select by key", "SELECT a, b FROM t WHERE id = $1"),
        ("update by key", "UPDATE t SET a = a + 1 WHERE id = $1"),
    ] {
        let prepared = session.prepare(sql, &[Some(crate::sql::types::Type::Int4)]).await.unwrap();
        let begin = runtime.now();
        let mut count = 0u32;
        while runtime.now() - begin < std::time::Duration::from_secs(3) {
            let params = vec![Value::Int4((count % 10_000) as i32 + 1)];
            let mut execution = session.execute(&prepared, params, ExecuteMode::Autocommit).await.unwrap();
            session.fetch(&mut execution, 0).await.unwrap();
            count += 1;
        }
        println!("{name}: {:.0}/s", f64::from(count) / (runtime.now() - begin).as_secs_f64());
    }
    let begin = runtime.now();
    let mut count = 0u32;
    while runtime.now() - begin < std::time::Duration::from_secs(3) {
        batch(&mut session, &format!("SELECT a, b FROM t WHERE id = {}", count % 10_000 + 1)).await;
        count += 1;
    }
    println!("select by key, text: {:.0}/s", f64::from(count) / (runtime.now() - begin).as_secs_f64());
    session.end().await;
    node.shutdown().await.unwrap();
}
