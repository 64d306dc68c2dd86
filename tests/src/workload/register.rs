//! Single keys that are read, written, and written if they hold something. Judged by linearizability, key by key.

use super::{Client, Outcome, Workload, split_at};
use crate::checker::register::{self, Kind, Operation};
use parking_lot::Mutex;
use quorate_bench::target::{Target, TargetError};
use rand::RngExt;

const KEYS: i64 = 6;
const VALUES: i64 = 5;

/// The workload.
#[derive(Default)]
pub struct Registers {
    history: Mutex<Vec<Operation>>,
}

#[async_trait::async_trait]
impl Workload for Registers {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        let mut connection = target.connect(0).await?;
        connection.batch("CREATE TABLE register (key INT PRIMARY KEY, value INT NOT NULL)").await?;
        split_at(target, 0, "register", KEYS / 2).await;
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        let key = client.rng.random_range(0..KEYS);
        let (from, to) = (client.rng.random_range(0..VALUES), client.rng.random_range(0..VALUES));
        let (call, kind) = (client.now(), client.rng.random_range(0..3));
        let sql = match kind {
            0 => format!("SELECT value FROM register WHERE key = {key}"),
            1 => format!(
                "INSERT INTO register VALUES ({key}, {to}) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            ),
            _ => format!("UPDATE register SET value = {to} WHERE key = {key} AND value = {from} RETURNING key"),
        };
        let (rows, outcome) = client.single(&sql).await;
        let ret = (outcome == Outcome::Committed).then(|| client.now());
        let rows = rows.unwrap_or_default();
        let value = |value: i64| value.unsigned_abs();
        let kind = match kind {
            0 if ret.is_none() => return,
            0 => Kind::Read(rows.first().map(|row| value(row[0].int()))),
            1 => Kind::Write(value(to)),
            _ => Kind::Cas { from: value(from), to: value(to), ok: ret.map(|_| !rows.is_empty()) },
        };
        if outcome != Outcome::Aborted {
            let operation = Operation { process: client.process, key: value(key), call, ret, kind };
            self.history.lock().push(operation);
        }
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        split_at(target, node, "register", 1 + i64::try_from(at).unwrap_or(0) % KEYS).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM register"
    }

    async fn check(&self, _: &dyn Target) -> Result<Vec<String>, TargetError> {
        Ok(register::check(&self.history.lock()).iter().map(ToString::to_string).collect())
    }
}
