//! A set that grows by single inserts, in one table cut into ranges.

use super::{Client, Outcome, Workload, anywhere, split_at};
use parking_lot::Mutex;
use quorate_bench::target::{Target, TargetError};
use rand::RngExt;
use std::collections::BTreeSet;

/// The workload.
#[derive(Default)]
pub struct Set {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: i64,
    told: BTreeSet<i64>,
    unknown: BTreeSet<i64>,
    found: Vec<String>,
}

#[async_trait::async_trait]
impl Workload for Set {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        target.connect(0).await?.batch("CREATE TABLE element (id BIGINT PRIMARY KEY)").await?;
        split_at(target, 0, "element", 500_000).await;
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        if client.rng.random_bool(0.1) {
            return self.read(client).await;
        }
        // Spread over the ranges, and unique.
        let next = {
            let mut state = self.state.lock();
            state.next += 1;
            state.next
        };
        let id = client.rng.random_range(0..1_000) * 1_000 + next % 1_000 + next / 1_000 * 1_000_000;
        let (_, outcome) = client.single(&format!("INSERT INTO element VALUES ({id})")).await;
        let mut state = self.state.lock();
        match outcome {
            Outcome::Committed => drop(state.told.insert(id)),
            Outcome::Unknown => drop(state.unknown.insert(id)),
            Outcome::Aborted => {}
        }
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        split_at(target, node, "element", anywhere(at)).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM element"
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        let rows = target.connect(0).await?.query("SELECT id FROM element").await?;
        let held: BTreeSet<i64> = rows.iter().map(|row| row[0].int()).collect();
        let state = self.state.lock();
        let mut found = state.found.clone();
        let lost: Vec<_> = state.told.difference(&held).collect();
        if !lost.is_empty() {
            found.push(format!("elements told and lost: {lost:?}"));
        }
        let ghosts: Vec<_> = held.iter().filter(|id| !state.told.contains(id) && !state.unknown.contains(id)).collect();
        if !ghosts.is_empty() {
            found.push(format!("elements refused and there: {ghosts:?}"));
        }
        Ok(found)
    }
}

impl Set {
    /// What was told before a read began is in what it returns.
    async fn read(&self, client: &mut Client) {
        let before = self.state.lock().told.clone();
        let (rows, _) = client.single("SELECT id FROM element").await;
        let Some(rows) = rows else { return };
        let seen: BTreeSet<i64> = rows.iter().map(|row| row[0].int()).collect();
        let missing: Vec<_> = before.difference(&seen).copied().collect();
        if !missing.is_empty() {
            let found = format!("client {} does not see {missing:?} at {} us", client.process, client.now());
            self.state.lock().found.push(found);
        }
    }
}
