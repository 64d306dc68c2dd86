//! Reads a large result row by row, and stops early: dropping the rows cancels the query.

use futures::TryStreamExt;
use quorate::Database;

#[tokio::main]
async fn main() -> quorate::Result<()> {
    let db = Database::in_memory().await?;
    db.execute("CREATE TABLE number (n BIGINT PRIMARY KEY, square BIGINT NOT NULL)", ()).await?;
    db.execute("INSERT INTO number SELECT n, n * n FROM generate_series(1, 10000) AS n", ()).await?;

    let mut rows = db.query::<(i64, i64)>("SELECT n, square FROM number ORDER BY n", ()).await?;
    while let Some((n, square)) = rows.next().await? {
        if square > 1_000_000 {
            println!("{n} is the first whose square exceeds a million");
            break;
        }
    }
    drop(rows);

    let rows = db.query::<i64>("SELECT square FROM number", ()).await?;
    let sum = rows.into_stream().try_fold(0i64, |sum, square| async move { Ok(sum + square) }).await?;
    println!("sum of squares: {sum}");
    assert_eq!(sum, 10_000 * 10_001 * 20_001 / 6);
    db.close().await
}
