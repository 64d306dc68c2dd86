//! Counters that are incremented by single statements.

use super::{Client, Outcome, Workload, split_at};
use parking_lot::Mutex;
use quorate_bench::target::{Target, TargetError};
use rand::RngExt;
use std::collections::BTreeMap;

const COUNTERS: i64 = 4;

/// The workload.
#[derive(Default)]
pub struct Counter {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Increments told, and those that nobody was told of.
    counts: BTreeMap<i64, [i64; 2]>,
    found: Vec<String>,
}

#[async_trait::async_trait]
impl Workload for Counter {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        let mut connection = target.connect(0).await?;
        connection.batch("CREATE TABLE counter (id INT PRIMARY KEY, value BIGINT NOT NULL)").await?;
        let rows: Vec<String> = (0..COUNTERS).map(|id| format!("({id}, 0)")).collect();
        connection.batch(&format!("INSERT INTO counter VALUES {}", rows.join(","))).await?;
        split_at(target, 0, "counter", COUNTERS / 2).await;
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        let id = client.rng.random_range(0..COUNTERS);
        if client.rng.random_bool(0.2) {
            return self.read(client, id).await;
        }
        let (_, outcome) = client.single(&format!("UPDATE counter SET value = value + 1 WHERE id = {id}")).await;
        let mut state = self.state.lock();
        let counts = state.counts.entry(id).or_default();
        match outcome {
            Outcome::Committed => counts[0] += 1,
            Outcome::Unknown => counts[1] += 1,
            Outcome::Aborted => {}
        }
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        split_at(target, node, "counter", 1 + i64::try_from(at).unwrap_or(0) % COUNTERS).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM counter"
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        let rows = target.connect(0).await?.query("SELECT id, value FROM counter ORDER BY id").await?;
        let state = self.state.lock();
        let mut found = state.found.clone();
        for row in &rows {
            let (id, value) = (row[0].int(), row[1].int());
            let [told, unknown] = state.counts.get(&id).copied().unwrap_or_default();
            if !(told..=told + unknown).contains(&value) {
                found.push(format!("counter {id} is {value}; {told} increments were told, {unknown} are unknown"));
            }
        }
        Ok(found)
    }
}

impl Counter {
    async fn read(&self, client: &mut Client, id: i64) {
        let told = self.state.lock().counts.get(&id).map_or(0, |counts| counts[0]);
        let (rows, _) = client.single(&format!("SELECT value FROM counter WHERE id = {id}")).await;
        let Some(value) = rows.and_then(|rows| Some(rows.first()?[0].int())) else { return };
        if value < told {
            let found = format!("client {} read {value} from counter {id} after {told} increments", client.process);
            self.state.lock().found.push(found);
        }
    }
}
