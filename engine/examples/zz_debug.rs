use quorate::{Node, Result};
use std::time::Duration;
#[tokio::main]
async fn main() -> Result<()> {
    let first = Node::in_memory().start().await?;
    println!("first");
    let mut others = Vec::new();
    for _ in 0..2 {
        let token = first.create_join_token().await?;
        println!("token");
        others.push(Node::in_memory().join(token.to_string()).start().await?);
        println!("joined");
    }
    let db = first.db();
    db.execute("CREATE TABLE visit (id INT PRIMARY KEY, place TEXT NOT NULL)", ()).await?;
    println!("created");
    let all = quorate_storage::Span::new([1u8], [255u8]);
    for _ in 0..10 {
        match tokio::time::timeout(Duration::from_secs(3), first.gateway().cluster.ranges(&all)).await {
            Ok(r) => println!("{r:?}"),
            Err(_) => println!("timeout"),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
