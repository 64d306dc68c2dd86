//! Money moves between accounts in several ranges; the sum never changes, whoever looks, whatever is cut off.

use super::world::{World, key};
use crate::{Client, Error, LockMode, LockWait, Scan, StartId, TxnOptions};
use quorate_storage::Span;
use std::time::Duration;

const ACCOUNTS: u64 = 12;
const START: i64 = 100;
const TELLERS: usize = 6;

fn account(number: u64) -> Vec<u8> {
    key((number % 3) as usize, &format!("{number:02}"))
}

fn amount(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes.try_into().unwrap())
}

/// One attempt to move `sum`; also its age, for the next one.
async fn transfer(client: &Client, move_it: Move, start: Option<StartId>) -> (Result<(), Error>, Option<StartId>) {
    let mut txn = match client.begin(TxnOptions { start, ..TxnOptions::default() }).await {
        Ok(txn) => txn,
        Err(error) => return (Err(error), start),
    };
    let Move { from, to, sum, lock } = move_it;
    let lock = lock.then_some((LockMode::Update, LockWait::Wait));
    let moved = async {
        for (number, sum) in [(from, -sum), (to, sum)] {
            let old = amount(&txn.get(&account(number), lock).await?.unwrap());
            txn.put(account(number), (old + sum).to_be_bytes().to_vec());
        }
        txn.commit().await.map(drop)
    };
    let moved = moved.await;
    txn.rollback().await;
    (moved, Some(txn.start_id()))
}

#[derive(Clone, Copy)]
struct Move {
    from: u64,
    to: u64,
    sum: i64,
    lock: bool,
}

async fn total(client: &Client) -> Result<i64, Error> {
    let mut txn = client.begin(TxnOptions::default()).await?;
    let mut scan = Scan::all(Span::new([0x10], [0xff]));
    let mut sum = 0;
    loop {
        let page = txn.scan(scan.clone()).await?;
        sum += page.pairs.iter().map(|(_, value)| amount(value)).sum::<i64>();
        match page.resume {
            Some(rest) => scan.span = rest,
            None => return Ok(sum),
        }
    }
}

/// Makes `rounds` transfers; how many have a known, good end.
async fn teller(client: Client, mut numbers: impl FnMut() -> u64, rounds: usize, lock: bool) -> usize {
    let mut committed = 0;
    for _ in 0..rounds {
        let from = numbers() % ACCOUNTS;
        let to = (from + 1 + numbers() % (ACCOUNTS - 1)) % ACCOUNTS;
        let sum = 1 + (numbers() % 9) as i64;
        let mut start = None;
        loop {
            let (moved, age) = transfer(&client, Move { from, to, sum, lock }, start).await;
            start = age;
            match moved {
                Ok(()) => break committed += 1,
                Err(Error::Retry(_) | Error::Unavailable(_)) => {}
                Err(Error::Ambiguous) => break,
                Err(error) => panic!("a transfer failed: {error}"),
            }
        }
    }
    committed
}

struct Bank {
    world: World,
    tellers: tokio::task::JoinSet<usize>,
}

impl Bank {
    async fn open(seed: u64, nodes: u64, rounds: usize, lock: bool) -> Bank {
        let world = World::new(seed, nodes).await;
        let mut txn = world.begin().await;
        for number in 0..ACCOUNTS {
            txn.put(account(number), START.to_be_bytes().to_vec());
        }
        txn.commit().await.unwrap();
        let mut tellers = tokio::task::JoinSet::new();
        for (number, client) in world.clients.iter().cycle().take(TELLERS).enumerate() {
            let (runtime, client) = (world.runtime.clone(), client.clone());
            tellers.spawn(async move {
                runtime.sleep(Duration::from_micros(number as u64 * 37)).await;
                let drawing = runtime.clone();
                teller(client, move || drawing.random_u64(), rounds, lock).await
            });
        }
        Bank { world, tellers }
    }

    /// Looks at the sum again and again until all tellers are done; how many transfers were acknowledged.
    async fn close(mut self) -> usize {
        let (mut committed, mut looks) = (0, 0);
        while !self.tellers.is_empty() {
            let clients = &self.world.clients;
            match total(&clients[looks % clients.len()]).await {
                Ok(sum) => assert_eq!(sum, START * ACCOUNTS as i64),
                Err(Error::Retry(_) | Error::Unavailable(_)) => {}
                Err(error) => panic!("a look at the sum failed: {error}"),
            }
            looks += 1;
            self.world.runtime.sleep(Duration::from_millis(3)).await;
            while let Some(done) = self.tellers.try_join_next() {
                committed += done.unwrap();
            }
        }
        self.world.hub.heal();
        assert_eq!(total(&self.world.clients[0]).await, Ok(START * ACCOUNTS as i64));
        committed
    }
}

#[tokio::test(start_paused = true)]
async fn sums_hold_on_one_node() {
    for (seed, lock) in [(11, false), (12, true)] {
        assert_eq!(Bank::open(seed, 1, 15, lock).await.close().await, TELLERS * 15);
    }
}

#[tokio::test(start_paused = true)]
async fn sums_hold_on_three_nodes() {
    for (seed, lock) in [(13, false), (14, true)] {
        assert_eq!(Bank::open(seed, 3, 15, lock).await.close().await, TELLERS * 15);
    }
}

#[tokio::test(start_paused = true)]
async fn sums_hold_while_nodes_are_cut_off_in_turn() {
    for seed in 30..34 {
        let bank = Bank::open(seed, 3, 150, seed % 2 == 0).await;
        let nemesis = bank.world.cut_off_in_turn();
        let committed = bank.close().await;
        nemesis.abort();
        assert!(committed > TELLERS * 75, "only {committed} transfers");
    }
}
