//! The same value from everywhere: a unique column lets one row have it.

use super::{Client, Outcome, Workload, anywhere, split_at};
use parking_lot::Mutex;
use quorate_bench::target::{Isolation, Target, TargetError};
use rand::RngExt;
use std::collections::BTreeMap;

/// The workload.
#[derive(Default)]
pub struct Unique {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rounds: i64,
    /// Who was told that its row took a name.
    told: BTreeMap<i64, Vec<i64>>,
}

#[async_trait::async_trait]
impl Workload for Unique {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        let sql = "CREATE TABLE member (id BIGINT PRIMARY KEY, name INT NOT NULL UNIQUE)";
        target.connect(0).await?.batch(sql).await?;
        split_at(target, 0, "member", 500_000).await;
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        let name = {
            let mut state = self.state.lock();
            state.rounds += 1;
            // Several clients at a time want the same one.
            state.rounds / 4
        };
        let id = client.rng.random_range(0..1_000_000);
        let level = [Isolation::Serializable, Isolation::RepeatableRead, Isolation::ReadCommitted];
        let level = level[client.rng.random_range(0..3)];
        let done = match client.begin(level).await {
            Ok(()) => client.query(&format!("INSERT INTO member VALUES ({id}, {name})")).await,
            Err(error) => Err(error),
        };
        if client.end(done).await.1 == Outcome::Committed {
            self.state.lock().told.entry(name).or_default().push(id);
        }
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        split_at(target, node, "member", anywhere(at)).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM member"
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        let mut found = Vec::new();
        let mut connection = target.connect(0).await?;
        let twice = connection.query("SELECT name, count(*) FROM member GROUP BY name HAVING count(*) > 1").await?;
        found.extend(twice.iter().map(|row| format!("{} rows have name {}", row[1].int(), row[0].int())));
        let rows = connection.query("SELECT id, name FROM member").await?;
        let held: BTreeMap<i64, i64> = rows.iter().map(|row| (row[1].int(), row[0].int())).collect();
        for (name, ids) in &self.state.lock().told {
            if ids.len() > 1 {
                found.push(format!("name {name} was given to {ids:?}"));
            }
            if ids.first() != held.get(name) {
                found.push(format!("name {name} was given to {ids:?}; {:?} has it", held.get(name)));
            }
        }
        Ok(found)
    }
}
