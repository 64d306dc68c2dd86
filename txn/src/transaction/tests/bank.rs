//! Money moves between accounts in several ranges; the sum never changes, whoever looks.

use super::world::{World, key};
use crate::{Client, Error, LockMode, LockWait, Scan, StartId, TxnOptions};
use quorate_storage::Span;
use std::time::Duration;

const ACCOUNTS: u64 = 12;
const START: i64 = 100;

fn account(number: u64) -> Vec<u8> {
    key((number % 3) as usize, &format!("{number:02}"))
}

fn amount(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes.try_into().unwrap())
}

/// Moves `sum`; whether it was committed, or what hindered it.
async fn transfer(client: &Client, from: u64, to: u64, sum: i64, lock: bool, start: Option<StartId>) -> Result<StartId, (Error, StartId)> {
    let mut txn = client.begin(TxnOptions { start, ..TxnOptions::default() }).await.unwrap();
    let start = txn.start_id();
    let lock = lock.then_some((LockMode::Update, LockWait::Wait));
    let moved = async {
        for (number, sum) in [(from, -sum), (to, sum)] {
            let old = amount(&txn.get(&account(number), lock).await?.unwrap());
            txn.put(account(number), (old + sum).to_be_bytes().to_vec());
        }
        txn.commit().await
    };
    let moved = moved.await;
    txn.rollback().await;
    moved.map(|_| start).map_err(|error| (error, start))
}

async fn total(client: &Client) -> i64 {
    let mut txn = client.begin(TxnOptions::default()).await.unwrap();
    let mut scan = Scan::all(Span::new([0x10], [0xff]));
    let mut sum = 0;
    loop {
        let page = txn.scan(scan.clone()).await.unwrap();
        sum += page.pairs.iter().map(|(_, value)| amount(value)).sum::<i64>();
        match page.resume {
            Some(rest) => scan.span = rest,
            None => return sum,
        }
    }
}

async fn teller(world_client: Client, mut numbers: impl FnMut() -> u64, rounds: usize, lock: bool) -> usize {
    let mut committed = 0;
    for _ in 0..rounds {
        let from = numbers() % ACCOUNTS;
        let to = (from + 1 + numbers() % (ACCOUNTS - 1)) % ACCOUNTS;
        let mut start = None;
        loop {
            match transfer(&world_client, from, to, 1 + (numbers() % 9) as i64, lock, start).await {
                Ok(_) => break,
                Err((Error::Retry(_), age)) => start = Some(age),
                Err((error, _)) => panic!("a transfer failed: {error}"),
            }
        }
        committed += 1;
    }
    committed
}

async fn run(seed: u64, nodes: u64, lock: bool) {
    let world = World::new(seed, nodes);
    let mut txn = world.begin().await;
    for number in 0..ACCOUNTS {
        txn.put(account(number), START.to_be_bytes().to_vec());
    }
    txn.commit().await.unwrap();
    let mut tellers = tokio::task::JoinSet::new();
    for (number, client) in world.clients.iter().cycle().take(6).enumerate() {
        let runtime = world.runtime.clone();
        let client = client.clone();
        tellers.spawn(async move {
            runtime.sleep(Duration::from_micros(number as u64 * 37)).await;
            let drawing = runtime.clone();
            teller(client, move || drawing.random_u64(), 15, lock).await
        });
    }
    while tellers.len() > 0 {
        assert_eq!(total(&world.clients[nodes as usize - 1]).await, START * ACCOUNTS as i64);
        world.runtime.sleep(Duration::from_millis(3)).await;
        while let Some(done) = tellers.try_join_next() {
            assert_eq!(done.unwrap(), 15);
        }
    }
    assert_eq!(total(&world.clients[0]).await, START * ACCOUNTS as i64);
}

#[tokio::test(start_paused = true)]
async fn sums_hold_on_one_node() {
    run(11, 1, false).await;
    run(12, 1, true).await;
}

#[tokio::test(start_paused = true)]
async fn sums_hold_on_three_nodes() {
    run(13, 3, false).await;
    run(14, 3, true).await;
}
