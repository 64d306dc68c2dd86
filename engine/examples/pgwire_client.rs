//! A node that listens for PostgreSQL clients, and such a client.

use quorate::server::{Listener, ServerOptions};
use quorate::{Error, Node};
use std::time::Duration;
use tokio_postgres::NoTls;

#[tokio::main]
async fn main() -> quorate::Result<()> {
    let node = Node::in_memory().start().await?;
    let any_port = ([127, 0, 0, 1], 0).into();
    let listener = Listener::bind(any_port, node.gateway(), ServerOptions::default()).await?;
    println!("psql -h 127.0.0.1 -p {} -U root postgres", listener.local_addr().port());

    let config = format!("host=127.0.0.1 port={} user=root dbname=postgres", listener.local_addr().port());
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.map_err(Error::user)?;
    let connection = tokio::spawn(connection);
    client.batch_execute("CREATE TABLE t (a INT PRIMARY KEY, b TEXT)").await.map_err(Error::user)?;
    client.execute("INSERT INTO t VALUES ($1, $2)", &[&1, &"one"]).await.map_err(Error::user)?;
    let row = client.query_one("SELECT b FROM t WHERE a = $1", &[&1]).await.map_err(Error::user)?;
    println!("t says: {}", row.get::<_, &str>(0));

    drop(client);
    connection.await.map_err(Error::user)?.map_err(Error::user)?;
    listener.shutdown(Duration::from_secs(1)).await;
    node.shutdown().await
}
