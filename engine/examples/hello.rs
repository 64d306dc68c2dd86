//! A table, a row, a query: in memory, or in the directory given as argument.

use quorate::{Database, FromRow};

#[derive(Debug, FromRow)]
struct Account {
    id: i64,
    owner: String,
    balance: i64,
}

#[tokio::main]
async fn main() -> quorate::Result<()> {
    let db = match std::env::args().nth(1) {
        Some(directory) => Database::open(directory).await?,
        None => Database::in_memory().await?,
    };
    let create = "CREATE TABLE IF NOT EXISTS account
                  (id INT PRIMARY KEY, owner TEXT NOT NULL, balance INT NOT NULL)";
    db.execute(create, ()).await?;
    for (id, owner) in [(1, "Ann"), (2, "Bob")] {
        let insert = "INSERT INTO account VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        db.execute(insert, (id, owner, 100)).await?;
    }

    let (from, to, amount) = (1, 2, 10);
    let left: i64 = db
        .transaction(async |tx| {
            tx.execute("UPDATE account SET balance = balance - $2 WHERE id = $1", (from, amount)).await?;
            tx.execute("UPDATE account SET balance = balance + $2 WHERE id = $1", (to, amount)).await?;
            tx.query_one("SELECT balance FROM account WHERE id = $1", (from,)).await
        })
        .await?;
    println!("balance left: {left}");

    let mut rows = db.query::<Account>("SELECT * FROM account ORDER BY id", ()).await?;
    while let Some(account) = rows.next().await? {
        println!("{} {:<8} {:>8}", account.id, account.owner, account.balance);
    }
    db.close().await
}
