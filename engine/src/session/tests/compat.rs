//! Runs a file of recorded client queries and prints those that fail:
//! `COMPAT_QUERIES=FILE cargo test -p quorate --lib session::tests::compat -- --ignored --nocapture`.

use super::{Lines, connect, node};

/// Statements, each with the sample parameters of its comment put in for `$n`.
fn statements(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut current = String::new();
    for line in text.lines().filter(|line| !line.starts_with("-- ")) {
        let (code, params) = line.split_once("-- params: [").unwrap_or((line, ""));
        current.push_str(code);
        current.push('\n');
        if code.trim_end().ends_with(';') {
            let params: Vec<&str> = params.trim_end_matches(']').split(", ").collect();
            for (place, param) in params.iter().enumerate().rev() {
                current = current.replace(&format!("${}", place + 1), param);
            }
            out.push(std::mem::take(&mut current).trim().to_owned());
        }
    }
    out
}

#[tokio::test]
#[ignore = "needs a file that is not part of the project"]
async fn recorded_queries() {
    let path = std::env::var("COMPAT_QUERIES").unwrap();
    let node = node().await;
    let mut session = connect(node.gateway(), "postgres").await.unwrap();
    let schema = "CREATE TABLE customers (id serial PRIMARY KEY, name varchar(20) NOT NULL, email text UNIQUE,
        bal numeric(10,2) DEFAULT 0 CHECK (bal >= 0), created timestamptz DEFAULT now());
        CREATE TABLE knex_migrations_lock (index serial PRIMARY KEY, is_locked int);
        CREATE TABLE knex_migrations (id serial PRIMARY KEY, name varchar(255), batch int, migration_time timestamptz);
        CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers (id), total numeric);
        CREATE INDEX orders_customer ON orders (customer_id);
        CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
        CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
        CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
        CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))";
    session.simple(schema, &mut Lines::default()).await.unwrap();
    let (mut failed, mut total) = (0, 0);
    for sql in statements(&std::fs::read_to_string(path).unwrap()) {
        if sql.starts_with("drop table if exists pgbench") {
            continue;
        }
        total += 1;
        let mut out = Lines::default();
        if let Err(error) = session.simple(&sql, &mut out).await {
            failed += 1;
            let start: String = sql.chars().take(3_000).collect();
            println!("---- {error}\n{start}\n     position {:?} hint {:?}", error.char_position(&sql), error.hint());
        }
        session.simple("ROLLBACK", &mut Lines::default()).await.unwrap();
    }
    println!("{failed} of {total} failed");
    session.end().await;
    node.shutdown().await.unwrap();
}
