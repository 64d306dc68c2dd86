//! Write skew: two transactions that each look before they write, and must not both be right.
//!
//! ```text
//!   rows         on call: of two people at least one stays on duty
//!   predicates   a pair: one row in `red` or one in `blue`, if neither has one        (an empty range is read)
//!   deletions    a pair that has both: delete one if the other is there               (a deletion is overlooked)
//! ```

use super::{Client, Workload, anywhere, split_at};
use parking_lot::Mutex;
use quorate_bench::target::{Isolation, Target, TargetError};
use rand::RngExt;

const SHIFTS: i64 = 4;
const PAIRS: i64 = 4;

/// The workload.
#[derive(Default)]
pub struct Skew {
    found: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Workload for Skew {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        let mut connection = target.connect(0).await?;
        for table in ["red", "blue"] {
            let sql = format!("CREATE TABLE {table} (id BIGINT PRIMARY KEY, pair INT NOT NULL)");
            connection.batch(&sql).await?;
            connection.batch(&format!("CREATE INDEX {table}_pair ON {table} (pair)")).await?;
        }
        connection
            .batch("CREATE TABLE duty (shift INT, person INT, works INT NOT NULL, PRIMARY KEY (shift, person))")
            .await?;
        let rows: Vec<String> = (0..SHIFTS).map(|shift| format!("({shift}, 0, 1), ({shift}, 1, 1)")).collect();
        connection.batch(&format!("INSERT INTO duty VALUES {}", rows.join(","))).await?;
        split_at(target, 0, "duty", SHIFTS / 2).await;
        split_at(target, 0, "blue", 0).await;
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        let kind = client.rng.random_range(0..4);
        let done = match client.begin(Isolation::Serializable).await {
            Ok(()) => match kind {
                0 => on_call(client).await,
                1 => take(client).await,
                2 => give(client).await,
                _ => self.look(client).await,
            },
            Err(error) => Err(error),
        };
        client.end(done).await;
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        match at % 3 {
            0 => split_at(target, node, "duty", 1 + i64::try_from(at).unwrap_or(0) % SHIFTS).await,
            1 => split_at(target, node, "red", anywhere(at)).await,
            _ => split_at(target, node, "blue", anywhere(at)).await,
        }
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM duty"
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        let mut found = self.found.lock().clone();
        let mut connection = target.connect(0).await?;
        let idle = connection.query("SELECT shift, sum(works) FROM duty GROUP BY shift HAVING sum(works) < 1").await?;
        found.extend(idle.iter().map(|row| format!("nobody works on shift {}", row[0].int())));
        let both = "SELECT pair, count(*) FROM (SELECT pair FROM red UNION ALL SELECT pair FROM blue) AS all_rows \
                    GROUP BY pair HAVING count(*) > 1";
        let both = connection.query(both).await?;
        found.extend(both.iter().map(|row| format!("pair {} has {} rows", row[0].int(), row[1].int())));
        Ok(found)
    }
}

impl Skew {
    /// The rules hold at every moment, not only in the end.
    async fn look(&self, client: &mut Client) -> Result<(), TargetError> {
        let pair = client.rng.random_range(0..PAIRS);
        let red = client.query(&format!("SELECT count(*) FROM red WHERE pair = {pair}")).await?[0][0].int();
        let blue = client.query(&format!("SELECT count(*) FROM blue WHERE pair = {pair}")).await?[0][0].int();
        // Only a transaction that will be committed counts; a reader's always is, here.
        if red + blue > 1 {
            let found = format!("client {} saw pair {pair} with {red} red and {blue} blue", client.process);
            self.found.lock().push(found);
        }
        Ok(())
    }
}

/// Goes off duty if somebody else is on duty, else comes back.
async fn on_call(client: &mut Client) -> Result<(), TargetError> {
    let shift = client.rng.random_range(0..SHIFTS);
    let person = client.rng.random_range(0..2);
    let rows = client.query(&format!("SELECT person FROM duty WHERE shift = {shift} AND works = 1")).await?;
    let others = rows.iter().any(|row| row[0].int() != person);
    let works = i64::from(!others);
    client.query(&format!("UPDATE duty SET works = {works} WHERE shift = {shift} AND person = {person}")).await?;
    Ok(())
}

/// Takes the one row of a pair, if it is free.
async fn take(client: &mut Client) -> Result<(), TargetError> {
    let pair = client.rng.random_range(0..PAIRS);
    for table in ["red", "blue"] {
        if !client.query(&format!("SELECT id FROM {table} WHERE pair = {pair}")).await?.is_empty() {
            return Ok(());
        }
    }
    let table = if client.rng.random_bool(0.5) { "red" } else { "blue" };
    let id = client.rng.random_range(0..1_000_000);
    client.query(&format!("INSERT INTO {table} VALUES ({id}, {pair})")).await?;
    Ok(())
}

/// Gives a pair's row back, or swaps its colour.
async fn give(client: &mut Client) -> Result<(), TargetError> {
    let pair = client.rng.random_range(0..PAIRS);
    let swaps = client.rng.random_bool(0.5);
    for (table, other) in [("red", "blue"), ("blue", "red")] {
        let rows = client.query(&format!("DELETE FROM {table} WHERE pair = {pair} RETURNING id")).await?;
        if let (Some(row), true) = (rows.first(), swaps) {
            let id = row[0].int();
            client.query(&format!("INSERT INTO {other} VALUES ({id}, {pair})")).await?;
            return Ok(());
        }
    }
    Ok(())
}
