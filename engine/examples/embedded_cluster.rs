//! Three members of a cluster in one process; one is killed, and the other two go on.

use quorate::{Node, Result, TxOptions};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<()> {
    let first = Node::in_memory().start().await?;
    let mut others = Vec::new();
    for _ in 0..2 {
        let token = first.create_join_token().await?;
        others.push(Node::in_memory().join(token.to_string()).start().await?);
    }

    let db = first.db();
    db.execute("CREATE TABLE visit (id INT PRIMARY KEY, place TEXT NOT NULL)", ()).await?;
    db.execute("INSERT INTO visit VALUES (1, 'before')", ()).await?;
    first.wait_for_replicas(3).await?;
    println!("three nodes; killing node {}", others[1].id());
    others[1].kill().await;

    let options = TxOptions::default().deadline(Duration::from_secs(60));
    let survivor = others[0].db();
    survivor
        .transaction_with(options, async |tx| tx.execute("INSERT INTO visit VALUES (2, 'after')", ()).await)
        .await?;
    let places: Vec<String> = survivor.query_all("SELECT place FROM visit ORDER BY id", ()).await?;
    println!("places: {places:?}");
    assert_eq!(places, ["before", "after"]);
    others[0].shutdown().await?;
    first.kill().await;
    Ok(())
}
