//! Lists that grow: every transaction appends to some and reads others. Judged by cycles between transactions.

use super::{Client, Outcome, Workload, split_at};
use crate::checker::list_append::{self, Step, Txn};
use parking_lot::Mutex;
use quorate_bench::target::{Isolation, Target, TargetError};
use rand::RngExt;

const KEYS: i64 = 8;

/// The workload.
#[derive(Default)]
pub struct Append {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    history: Vec<Txn>,
}

#[async_trait::async_trait]
impl Workload for Append {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        let mut connection = target.connect(0).await?;
        connection.batch("CREATE TABLE list (key INT PRIMARY KEY, items TEXT NOT NULL)").await?;
        split_at(target, 0, "list", KEYS / 2).await;
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        let mut steps: Vec<Step> = (0..client.rng.random_range(1..5)).map(|_| self.draw(client)).collect();
        let begin = client.now();
        let done = match client.begin(Isolation::Serializable).await {
            Ok(()) => play(client, &mut steps).await,
            Err(error) => Err(error),
        };
        let (_, outcome) = client.end(done).await;
        let outcome = match outcome {
            Outcome::Committed => list_append::Outcome::Committed,
            Outcome::Aborted => list_append::Outcome::Aborted,
            Outcome::Unknown => list_append::Outcome::Unknown,
        };
        let txn = Txn { process: client.process, begin, end: client.now(), outcome, steps };
        self.state.lock().history.push(txn);
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        split_at(target, node, "list", 1 + i64::try_from(at).unwrap_or(0) % KEYS).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM list"
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        // One more transaction, which sees all lists as they are in the end.
        let rows = target.connect(0).await?.query("SELECT key, items FROM list ORDER BY key").await?;
        let steps = rows.iter().map(|row| Step::Read { key: key(row[0].int()), list: items(row[1].text()) });
        let steps: Vec<Step> = steps.collect();
        let mut state = self.state.lock();
        let end = state.history.iter().map(|txn| txn.end).max().unwrap_or(0) + 1;
        let outcome = list_append::Outcome::Committed;
        state.history.push(Txn { process: u64::MAX, begin: end, end: end + 1, outcome, steps });
        let found = list_append::check(&state.history);
        Ok(found.iter().map(ToString::to_string).collect())
    }
}

impl Append {
    fn draw(&self, client: &mut Client) -> Step {
        let key = client.rng.random_range(0..KEYS.unsigned_abs());
        if client.rng.random_bool(0.5) {
            return Step::Read { key, list: Vec::new() };
        }
        let mut state = self.state.lock();
        state.next += 1;
        Step::Append { key, value: state.next }
    }
}

/// Carries the steps out. Steps that were not carried out are taken away, so that the history holds what was done.
async fn play(client: &mut Client, steps: &mut Vec<Step>) -> Result<(), TargetError> {
    for at in 0..steps.len() {
        let sql = match &steps[at] {
            Step::Read { key, .. } => format!("SELECT items FROM list WHERE key = {key}"),
            Step::Append { key, value } => format!(
                "INSERT INTO list VALUES ({key}, '{value}') \
                 ON CONFLICT (key) DO UPDATE SET items = list.items || ' ' || excluded.items"
            ),
        };
        let rows = match client.query(&sql).await {
            Ok(rows) => rows,
            Err(error) => {
                let reached = if matches!(steps[at], Step::Append { .. }) { at + 1 } else { at };
                steps.truncate(reached);
                return Err(error);
            }
        };
        if let Step::Read { list, .. } = &mut steps[at] {
            *list = rows.first().map(|row| items(row[0].text())).unwrap_or_default();
        }
    }
    Ok(())
}

fn key(key: i64) -> u64 {
    key.unsigned_abs()
}

fn items(text: &str) -> Vec<u64> {
    text.split(' ').filter_map(|item| item.parse().ok()).collect()
}
