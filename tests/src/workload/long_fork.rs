//! Writers of one key each, readers of all: any two readers must agree on which writes came first.

use super::{Client, Outcome, Workload, split_at};
use parking_lot::Mutex;
use quorate_bench::target::{Isolation, Target, TargetError};
use rand::RngExt;
use std::collections::BTreeMap;

/// Keys that one reader looks at.
const GROUP: i64 = 4;
/// Writes after which a new group is begun.
const PER_GROUP: i64 = 8;

/// The workload.
#[derive(Default)]
pub struct LongFork {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    writes: i64,
    /// What readers saw of a group: one bit per key.
    seen: BTreeMap<i64, Vec<u64>>,
}

#[async_trait::async_trait]
impl Workload for LongFork {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        target.connect(0).await?.batch("CREATE TABLE fork (part INT, id INT, PRIMARY KEY (part, id))").await?;
        for part in 1..GROUP {
            split_at(target, 0, "fork", part).await;
        }
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        let group = self.state.lock().writes / PER_GROUP;
        if client.rng.random_bool(0.4) {
            let part = client.rng.random_range(0..GROUP);
            self.state.lock().writes += 1;
            // Written once: a second writer of the key is refused.
            client.single(&format!("INSERT INTO fork VALUES ({part}, {group})")).await;
            return;
        }
        let done = match client.begin(Isolation::Serializable).await {
            Ok(()) => read(client, group).await,
            Err(error) => Err(error),
        };
        if let (Some(seen), Outcome::Committed) = client.end(done).await {
            self.state.lock().seen.entry(group).or_default().push(seen);
        }
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        split_at(target, node, "fork", i64::try_from(at).unwrap_or(0) % GROUP).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM fork"
    }

    async fn check(&self, _: &dyn Target) -> Result<Vec<String>, TargetError> {
        let mut found = Vec::new();
        for (group, seen) in &self.state.lock().seen {
            for (at, one) in seen.iter().enumerate() {
                if let Some(two) = seen[..at].iter().find(|two| *two & one != *one && *two & one != **two) {
                    found.push(format!("two readers of group {group} saw {one:04b} and {two:04b}: a long fork"));
                }
            }
        }
        Ok(found)
    }
}

/// Reads the keys one by one, in an order of its own.
async fn read(client: &mut Client, group: i64) -> Result<u64, TargetError> {
    let first = client.rng.random_range(0..GROUP);
    let mut seen = 0;
    for part in (0..GROUP).map(|step| (first + step) % GROUP) {
        let rows = client.query(&format!("SELECT id FROM fork WHERE part = {part} AND id = {group}")).await?;
        if !rows.is_empty() {
            seen |= 1 << part;
        }
    }
    Ok(seen)
}
