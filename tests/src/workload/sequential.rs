//! Comments: one client inserts numbers in order, into different ranges, each after the last was told. Whoever sees a
//! number sees all before it.

use super::{Client, Outcome, Workload, split_at};
use parking_lot::Mutex;
use quorate_bench::target::{Target, TargetError};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};

const PARTS: i64 = 4;

/// The workload.
#[derive(Default)]
pub struct Sequential {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Numbers told, per writing client, in the order in which they were told.
    told: BTreeMap<u64, Vec<i64>>,
    next: i64,
    found: Vec<String>,
}

#[async_trait::async_trait]
impl Workload for Sequential {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        let sql = "CREATE TABLE comment (part INT, id BIGINT, PRIMARY KEY (part, id))";
        target.connect(0).await?.batch(sql).await?;
        for part in 1..PARTS {
            split_at(target, 0, "comment", part).await;
        }
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        if client.process.is_multiple_of(2) {
            let id = {
                let mut state = self.state.lock();
                state.next += 1;
                state.next
            };
            let (_, outcome) = client.single(&format!("INSERT INTO comment VALUES ({}, {id})", id % PARTS)).await;
            if outcome == Outcome::Committed {
                self.state.lock().told.entry(client.process).or_default().push(id);
            }
            return;
        }
        let reverse = if client.rng.random_bool(0.5) { " ORDER BY part DESC" } else { "" };
        let (rows, _) = client.single(&format!("SELECT id FROM comment{reverse}")).await;
        let Some(rows) = rows else { return };
        let seen: BTreeSet<i64> = rows.iter().map(|row| row[0].int()).collect();
        let mut state = self.state.lock();
        let mut found = Vec::new();
        for told in state.told.values() {
            let Some(last) = told.iter().rposition(|id| seen.contains(id)) else { continue };
            let missing: Vec<_> = told[..last].iter().filter(|id| !seen.contains(id)).collect();
            if !missing.is_empty() {
                found.push(format!("client {} saw {} but not {missing:?}", client.process, told[last]));
            }
        }
        state.found.extend(found);
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        split_at(target, node, "comment", i64::try_from(at).unwrap_or(0) % PARTS).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM comment"
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        let rows = target.connect(0).await?.query("SELECT id FROM comment").await?;
        let held: BTreeSet<i64> = rows.iter().map(|row| row[0].int()).collect();
        let state = self.state.lock();
        let mut found = state.found.clone();
        let lost: Vec<_> = state.told.values().flatten().filter(|id| !held.contains(id)).collect();
        if !lost.is_empty() {
            found.push(format!("comments told and lost: {lost:?}"));
        }
        Ok(found)
    }
}
