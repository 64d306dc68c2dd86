//! Transfers that are prepared by one client and ended by another, later, on any node. The sum never changes; what was
//! told to be committed is there, what was told to be rolled back is not.
//!
//! A transfer waits for longer than silence lasts before anybody recovers, so nobody but its client ends it.

use super::{Client, Outcome, Workload, split_at};
use parking_lot::Mutex;
use quorate_bench::bank;
use quorate_bench::target::{Isolation, Target, TargetError};
use rand::RngExt;
use std::collections::BTreeSet;
use std::time::Duration;

const ACCOUNTS: i64 = 24;
const OPENING: i64 = 1_000;
/// How long a transfer stays prepared at least, in microseconds.
const HELD: u64 = 3_000_000;
/// Prepared transfers at most: the others' rows are free.
const MOST: usize = 3;
/// Looks at what clients have left open, in the end.
const ROUNDS: usize = 30;

/// The workload.
#[derive(Default)]
pub struct Prepared {
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    next: i64,
    open: Vec<Open>,
    told: BTreeSet<i64>,
    unknown: BTreeSet<i64>,
    wrong: Vec<String>,
}

/// A transfer that is prepared, as far as is known.
struct Open {
    id: i64,
    since: u64,
    commit: bool,
    /// Its client was told that it is prepared, and nobody has tried to end it.
    sure: bool,
}

#[async_trait::async_trait]
impl Workload for Prepared {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        bank::load(target, ACCOUNTS, OPENING).await?;
        split_at(target, 0, "account", ACCOUNTS / 3).await;
        split_at(target, 0, "account", ACCOUNTS / 2).await;
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        // A row that is prepared makes others wait until some client comes and ends that.
        let limited = client.query("SET statement_timeout = '2s'").await;
        if let Err(error) = limited {
            client.failed(&error).await;
            return;
        }
        match self.due(client.now()) {
            Some(open) => self.end(client, open).await,
            None if self.ledger.lock().open.len() < MOST && client.rng.random_bool(0.3) => self.prepare(client).await,
            None if client.rng.random_bool(0.2) => self.look(client).await,
            None => self.transfer(client).await,
        }
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        split_at(target, node, "account", 2 + i64::try_from(at).unwrap_or(0) % ACCOUNTS).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM account"
    }

    async fn wind_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        let mut connection = target.connect(0).await?;
        for _ in 0..ROUNDS {
            let open = std::mem::take(&mut self.ledger.lock().open);
            for open in open {
                let ended = connection.query(&ending(&open)).await.map(drop);
                self.ended(open, ended);
            }
            // Some were still on their way when somebody said what shall become of them.
            let left = connection.query("SELECT gid FROM pg_prepared_xacts").await?;
            for row in &left {
                connection.batch(&format!("ROLLBACK PREPARED '{}'", row[0].text())).await?;
            }
            if left.is_empty() && self.ledger.lock().open.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        self.wind_up(target).await?;
        let left = target.connect(0).await?.query("SELECT gid FROM pg_prepared_xacts").await?;
        let audit = bank::audit(target, OPENING).await?;
        let ledger = self.ledger.lock();
        let mut found = ledger.wrong.clone();
        if !left.is_empty() || !ledger.open.is_empty() {
            found.push(format!("still prepared: {left:?}; not ended: {}", ledger.open.len()));
        }
        if audit.total != ACCOUNTS * OPENING || audit.wrong != 0 {
            found.push(format!("the sum is {}, {} accounts are wrong", audit.total, audit.wrong));
        }
        let there: BTreeSet<i64> = audit.transfers.into_iter().collect();
        let lost: Vec<_> = ledger.told.difference(&there).collect();
        let known: BTreeSet<i64> = ledger.told.union(&ledger.unknown).copied().collect();
        let ghosts: Vec<_> = there.difference(&known).collect();
        if !lost.is_empty() || !ghosts.is_empty() {
            found.push(format!("transfers told and lost: {lost:?}; refused and there: {ghosts:?}"));
        }
        Ok(found)
    }
}

fn ending(open: &Open) -> String {
    format!("{} PREPARED 't{}'", if open.commit { "COMMIT" } else { "ROLLBACK" }, open.id)
}

impl Prepared {
    fn next_id(&self) -> i64 {
        let mut ledger = self.ledger.lock();
        ledger.next += 1;
        ledger.next
    }

    fn due(&self, now: u64) -> Option<Open> {
        let open = &mut self.ledger.lock().open;
        let at = open.iter().position(|open| now.saturating_sub(open.since) >= HELD)?;
        Some(open.swap_remove(at))
    }

    async fn prepare(&self, client: &mut Client) {
        let id = self.next_id();
        let done = write(client, id).await;
        let (told, outcome) = match done {
            Ok(()) => client.single(&format!("PREPARE TRANSACTION 't{id}'")).await,
            Err(error) => {
                client.failed(&error).await;
                return;
            }
        };
        if outcome != Outcome::Aborted {
            let (since, commit) = (client.now(), client.rng.random_bool(0.6));
            self.ledger.lock().open.push(Open { id, since, commit, sure: told.is_some() });
        }
    }

    async fn end(&self, client: &mut Client, open: Open) {
        let ended = client.query(&ending(&open)).await.map(drop);
        if let Err(error) = &ended {
            client.failed(error).await;
        }
        self.ended(open, ended);
    }

    /// Notes what came of a try to end a transfer.
    fn ended(&self, open: Open, ended: Result<(), TargetError>) {
        let mut ledger = self.ledger.lock();
        match ended {
            Ok(()) if open.commit => drop(ledger.told.insert(open.id)),
            Ok(()) => {}
            Err(error) if error.sqlstate == "42704" => {
                if open.sure {
                    ledger.wrong.push(format!("transfer {} was prepared, and then it was not: {error}", open.id));
                }
                if open.commit {
                    ledger.unknown.insert(open.id);
                }
            }
            // Perhaps it is ended, and perhaps not: the same word again, later.
            Err(error) => {
                let sure = open.sure && error.sqlstate == "58C00";
                ledger.open.push(Open { sure, ..open });
            }
        }
    }

    async fn transfer(&self, client: &mut Client) {
        let id = self.next_id();
        let done = write(client, id).await;
        let (_, outcome) = client.end(done).await;
        let mut ledger = self.ledger.lock();
        match outcome {
            Outcome::Committed => drop(ledger.told.insert(id)),
            Outcome::Unknown => drop(ledger.unknown.insert(id)),
            Outcome::Aborted => {}
        }
    }

    async fn look(&self, client: &mut Client) {
        let sum = client.single("SELECT sum(balance) FROM account").await.0.map(|rows| rows[0][0].int());
        if let Some(sum) = sum.filter(|sum| *sum != ACCOUNTS * OPENING) {
            let found = format!("client {} saw a sum of {sum} at {} us", client.process, client.now());
            self.ledger.lock().wrong.push(found);
        }
    }
}

/// A transfer between two accounts, in a transaction that stays open.
async fn write(client: &mut Client, id: i64) -> Result<(), TargetError> {
    let from = client.rng.random_range(1..=ACCOUNTS);
    let to = (from + client.rng.random_range(1..ACCOUNTS) - 1) % ACCOUNTS + 1;
    let amount = client.rng.random_range(1..10);
    client.begin(Isolation::Serializable).await?;
    client.query(&format!("UPDATE account SET balance = balance - {amount} WHERE id = {from}")).await?;
    client.query(&format!("UPDATE account SET balance = balance + {amount} WHERE id = {to}")).await?;
    client.query(&format!("INSERT INTO transfer VALUES ({id}, {from}, {to}, {amount})")).await?;
    Ok(())
}
