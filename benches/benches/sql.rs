//! SQL in process on one node in memory: parse and plan, with and without the plan cache, and point queries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use quorate::node::{Node, NodeOptions};
use quorate::session::{ExecuteMode, Session, StartupParams};
use quorate::sql::parser;
use quorate::sql::types::Value;
use std::hint::black_box;

const POINT: &str = "SELECT balance, owner FROM account WHERE id = $1";

async fn node_with_accounts() -> (Node, Session) {
    let node = Node::start(NodeOptions::memory()).await.expect("a node starts");
    let mut session = Session::new(node.gateway(), StartupParams::default());
    session.start().await.expect("a session starts");
    for sql in [
        "CREATE TABLE account (id INT PRIMARY KEY, owner TEXT NOT NULL, balance NUMERIC(12,2) NOT NULL)",
        "INSERT INTO account SELECT g, 'owner ' || g, g FROM generate_series(1, 10000) AS g",
    ] {
        run(&mut session, sql, Vec::new()).await;
    }
    (node, session)
}

async fn run(session: &mut Session, sql: &str, params: Vec<Value>) {
    let prepared = session.prepare(sql, &[]).await.expect("it is prepared");
    let mut execution = session.execute(&prepared, params, ExecuteMode::Autocommit).await.expect("it runs");
    while !session.fetch(&mut execution, usize::MAX).await.expect("rows come").done {}
    session.close(execution).await.expect("it closes");
}

fn sql(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (node, mut session) = runtime.block_on(node_with_accounts());
    c.bench_function("sql/parse", |b| b.iter(|| black_box(parser::parse(POINT))));
    c.bench_function("sql/prepare (plan cached)", |b| {
        b.iter(|| runtime.block_on(session.prepare(POINT, &[])).expect("it is prepared"));
    });
    let mut count = 0u64;
    c.bench_function("sql/prepare (plan new)", |b| {
        b.iter(|| {
            count += 1;
            let text = format!("SELECT balance, owner AS o{count} FROM account WHERE id = $1");
            runtime.block_on(session.prepare(&text, &[])).expect("it is prepared")
        });
    });
    let prepared = runtime.block_on(session.prepare(POINT, &[])).expect("it is prepared");
    let mut id = 0;
    c.bench_function("sql/point query, prepared, in process", |b| {
        b.iter(|| {
            id = id % 10_000 + 1;
            runtime.block_on(async {
                let params = vec![Value::Int4(id)];
                let mut execution = session.execute(&prepared, params, ExecuteMode::Autocommit).await.expect("it runs");
                let fetched = session.fetch(&mut execution, usize::MAX).await.expect("a row comes");
                session.close(execution).await.expect("it closes");
                assert_eq!(fetched.rows.len(), 1);
            });
        });
    });
    runtime.block_on(async {
        session.end().await;
        node.shutdown().await.expect("the node stops");
    });
}

criterion_group!(benches, sql);
criterion_main!(benches);
