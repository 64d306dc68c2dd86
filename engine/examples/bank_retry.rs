//! Many tasks move money between few accounts. Conflicts are retried by the library; the sum never changes.

use quorate::{Database, TxOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const ACCOUNTS: i32 = 4;
const TASKS: i32 = 16;
const TRANSFERS: i32 = 25;

#[tokio::main]
async fn main() -> quorate::Result<()> {
    let db = Database::in_memory().await?;
    db.execute("CREATE TABLE account (id INT PRIMARY KEY, balance INT NOT NULL)", ()).await?;
    db.execute("INSERT INTO account SELECT n, 1000 FROM generate_series(0, $1) AS n", (ACCOUNTS - 1,)).await?;

    let retries = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(work(db.clone(), task, retries.clone()))).collect();
    for task in tasks {
        task.await.map_err(quorate::Error::user)??;
    }

    let sum: i64 = db.query_one("SELECT sum(balance) FROM account", ()).await?;
    println!("{} transfers, {} retries, sum {sum}", TASKS * TRANSFERS, retries.load(Ordering::Relaxed));
    assert_eq!(sum, i64::from(ACCOUNTS) * 1000);
    db.close().await
}

async fn work(db: Database, task: i32, retries: Arc<AtomicU32>) -> quorate::Result<()> {
    for round in 0..TRANSFERS {
        let (from, to) = ((task + round) % ACCOUNTS, (task * 3 + round * 2 + 1) % ACCOUNTS);
        let counter = retries.clone();
        let count = move |_: &quorate::Error, _: u32| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        db.transaction_with(TxOptions::default().on_retry(count), async |tx| {
            let balance: i64 = tx.query_one("SELECT balance FROM account WHERE id = $1", (from,)).await?;
            if balance > 0 && from != to {
                tx.execute("UPDATE account SET balance = balance - 1 WHERE id = $1", (from,)).await?;
                tx.execute("UPDATE account SET balance = balance + 1 WHERE id = $1", (to,)).await?;
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}
