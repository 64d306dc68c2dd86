//! A bank: transfers between accounts in several ranges. The sum never changes, and every moment shows it.

use super::{Client, Outcome, Workload, split_at};
use parking_lot::Mutex;
use quorate_bench::bank;
use quorate_bench::target::{Isolation, Target, TargetError};
use rand::RngExt;
use std::collections::BTreeSet;

const ACCOUNTS: i64 = 12;
const OPENING: i64 = 1_000;

/// The workload.
#[derive(Default)]
pub struct Bank {
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    next: i64,
    told: BTreeSet<i64>,
    unknown: BTreeSet<i64>,
    wrong: Vec<String>,
}

#[async_trait::async_trait]
impl Workload for Bank {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        bank::load(target, ACCOUNTS, OPENING).await?;
        split_at(target, 0, "account", ACCOUNTS / 2).await;
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        if client.rng.random_bool(0.25) {
            self.look(client).await;
        } else {
            self.transfer(client).await;
        }
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        let table = if at.is_multiple_of(3) { "transfer" } else { "account" };
        split_at(target, node, table, 2 + i64::try_from(at).unwrap_or(0) % ACCOUNTS).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM account"
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        let audit = bank::audit(target, OPENING).await?;
        let ledger = self.ledger.lock();
        let mut found = ledger.wrong.clone();
        if audit.total != ACCOUNTS * OPENING {
            found.push(format!("the sum of all accounts is {}, not {}", audit.total, ACCOUNTS * OPENING));
        }
        if audit.wrong != 0 {
            found.push(format!("{} accounts are not what their transfers say", audit.wrong));
        }
        let held: BTreeSet<i64> = audit.transfers.into_iter().collect();
        let lost: Vec<_> = ledger.told.difference(&held).collect();
        if !lost.is_empty() {
            found.push(format!("transfers told and lost: {lost:?}"));
        }
        let known: BTreeSet<i64> = ledger.told.union(&ledger.unknown).copied().collect();
        let ghosts: Vec<_> = held.difference(&known).collect();
        if !ghosts.is_empty() {
            found.push(format!("transfers refused and there: {ghosts:?}"));
        }
        Ok(found)
    }
}

impl Bank {
    async fn transfer(&self, client: &mut Client) {
        let id = {
            let mut ledger = self.ledger.lock();
            ledger.next += 1;
            ledger.next
        };
        let from = client.rng.random_range(1..=ACCOUNTS);
        let to = (from + client.rng.random_range(1..ACCOUNTS) - 1) % ACCOUNTS + 1;
        let amount = client.rng.random_range(1..10);
        let isolation = Isolation::Serializable;
        let done = match client.begin(isolation).await {
            Ok(()) => transfer(client, id, from, to, amount).await,
            Err(error) => Err(error),
        };
        let (_, outcome) = client.end(done).await;
        let mut ledger = self.ledger.lock();
        match outcome {
            Outcome::Committed => drop(ledger.told.insert(id)),
            Outcome::Unknown => drop(ledger.unknown.insert(id)),
            Outcome::Aborted => {}
        }
    }

    /// Reads all balances, in one statement or in several.
    async fn look(&self, client: &mut Client) {
        let sum = if client.rng.random_bool(0.5) {
            client.single("SELECT sum(balance) FROM account").await.0.map(|rows| rows[0][0].int())
        } else {
            let done = match client.begin(Isolation::Serializable).await {
                Ok(()) => one_by_one(client).await,
                Err(error) => Err(error),
            };
            let (sum, outcome) = client.end(done).await;
            sum.filter(|_| outcome == Outcome::Committed)
        };
        if let Some(sum) = sum.filter(|sum| *sum != ACCOUNTS * OPENING) {
            let found = format!("client {} saw a sum of {sum} at {} us", client.process, client.now());
            self.ledger.lock().wrong.push(found);
        }
    }
}

async fn transfer(client: &mut Client, id: i64, from: i64, to: i64, amount: i64) -> Result<(), TargetError> {
    let lock = if client.rng.random_bool(0.5) { " FOR UPDATE" } else { "" };
    let mut balances = Vec::new();
    for account in [from, to] {
        let rows = client.query(&format!("SELECT balance FROM account WHERE id = {account}{lock}")).await?;
        balances.push(rows[0][0].int());
    }
    let (source, target) = (balances[0] - amount, balances[1] + amount);
    client.query(&format!("UPDATE account SET balance = {source} WHERE id = {from}")).await?;
    client.query(&format!("UPDATE account SET balance = {target} WHERE id = {to}")).await?;
    client.query(&format!("INSERT INTO transfer VALUES ({id}, {from}, {to}, {amount})")).await?;
    Ok(())
}

async fn one_by_one(client: &mut Client) -> Result<i64, TargetError> {
    let mut sum = 0;
    for account in 1..=ACCOUNTS {
        sum += client.query(&format!("SELECT balance FROM account WHERE id = {account}")).await?[0][0].int();
    }
    Ok(sum)
}
