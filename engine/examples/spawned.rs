//! Everything works inside spawned tasks, as the handlers of a web server are: borrowed locals, inferred types, streams.

use quorate::{Database, Error, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let db = Database::in_memory().await?;
    db.execute("CREATE TABLE hit (path TEXT PRIMARY KEY, count INT NOT NULL)", ()).await?;
    let paths = ["/", "/about", "/", "/", "/about"];
    let handlers: Vec<_> = paths.map(|path| tokio::spawn(handle(db.clone(), path.to_owned()))).into();
    for handler in handlers {
        println!("{}", handler.await.map_err(Error::user)??);
    }
    let total: i64 = db.query_one("SELECT sum(count) FROM hit", ()).await?;
    assert_eq!(total, 5);
    db.close().await
}

async fn handle(db: Database, path: String) -> Result<String> {
    let count: i64 = db
        .transaction(async |tx| {
            let upsert = "INSERT INTO hit VALUES ($1, 1) ON CONFLICT (path) DO UPDATE SET count = hit.count + 1";
            tx.execute(upsert, (&path,)).await?;
            tx.query_one("SELECT count FROM hit WHERE path = $1", (&path,)).await
        })
        .await?;
    let mut rows = db.query::<(String, i64)>("SELECT path, count FROM hit ORDER BY path", ()).await?;
    let mut seen = 0;
    while rows.next().await?.is_some() {
        seen += 1;
    }
    Ok(format!("{path}: hit {count}; {seen} paths known"))
}
