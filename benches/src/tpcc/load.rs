//! The initial database (clause 4.3.3): multi-row inserts, warehouses in parallel.

use super::random::{Constants, Random, last_name};
use super::{Options, schema};
use crate::target::{Connection, Target, TargetError};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of SQL text per insert statement.
const STATEMENT_BYTES: usize = 192 << 10;
/// Rows of one warehouse over all tables but `item`.
const WAREHOUSE_ROWS: u64 = 1 + 100_000 + 10 * (1 + 3_000 + 3_000 + 3_000 + 900 + 30_000);
const ITEM_ROWS: u64 = 100_000;

/// Rows loaded so far, for progress displays.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Rows loaded, and rows to load.
    pub fn rows(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// Makes the tables and fills them; `options.load_threads` connections at once.
pub async fn load(target: Arc<dyn Target>, options: &Options, progress: Arc<Progress>) -> Result<(), TargetError> {
    progress.total.store(ITEM_ROWS + WAREHOUSE_ROWS * options.warehouses as u64, Ordering::Relaxed);
    let mut first = target.connect(0).await?;
    schema::create(first.as_mut()).await?;
    let constants = Constants::load(options.seed);
    let jobs = Arc::new(parts(options.warehouses));
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..options.load_threads.max(1) {
        let (target, jobs, next, progress) = (target.clone(), jobs.clone(), next.clone(), progress.clone());
        let seed = options.seed;
        workers.spawn(async move {
            let mut connection = target.connect(worker).await?;
            while let Some(part) = jobs.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                let random = Random::new(seed ^ part.seed(), constants);
                Loader { connection: connection.as_mut(), random, progress: &progress, text: String::new(), rows: 0 }
                    .part(*part)
                    .await?;
            }
            Ok::<(), TargetError>(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.map_err(|error| TargetError::new("XX000", error.to_string()))??;
    }
    if options.foreign_keys {
        schema::add_foreign_keys(first.as_mut()).await?;
    }
    Ok(())
}

/// A piece of the load that one connection does alone.
#[derive(Debug, Clone, Copy)]
enum Part {
    Items,
    Warehouse(i64),
    Stock(i64),
    District(i64, i64),
}

impl Part {
    fn seed(self) -> u64 {
        match self {
            Part::Items => 1 << 40,
            Part::Warehouse(w) => (2 << 40) + w as u64,
            Part::Stock(w) => (3 << 40) + w as u64,
            Part::District(w, d) => (4 << 40) + (w * 16 + d) as u64,
        }
    }
}

fn parts(warehouses: i64) -> Vec<Part> {
    let mut parts = vec![Part::Items];
    for w in 1..=warehouses {
        parts.extend([Part::Warehouse(w), Part::Stock(w)]);
        parts.extend((1..=10).map(|d| Part::District(w, d)));
    }
    parts
}

struct Loader<'a> {
    connection: &'a mut dyn Connection,
    random: Random,
    progress: &'a Progress,
    text: String,
    rows: u64,
}

impl Loader<'_> {
    async fn part(mut self, part: Part) -> Result<(), TargetError> {
        match part {
            Part::Items => self.items().await,
            Part::Warehouse(w) => self.warehouse(w).await,
            Part::Stock(w) => self.stock(w).await,
            Part::District(w, d) => {
                self.customers(w, d).await?;
                self.orders(w, d).await
            }
        }
    }

    /// Adds one row to the statement under way.
    fn add(&mut self, table: &str, row: std::fmt::Arguments<'_>) {
        if self.text.is_empty() {
            write!(self.text, "INSERT INTO {table} VALUES ").unwrap_or_default();
        } else {
            self.text.push(',');
        }
        self.text.write_fmt(row).unwrap_or_default();
        self.rows += 1;
    }

    /// Sends the statement if it is large enough.
    async fn send(&mut self) -> Result<(), TargetError> {
        if self.text.len() >= STATEMENT_BYTES { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), TargetError> {
        if self.rows > 0 {
            self.connection.batch(&self.text).await?;
            self.progress.done.fetch_add(self.rows, Ordering::Relaxed);
            self.text.clear();
            self.rows = 0;
        }
        Ok(())
    }

    async fn items(&mut self) -> Result<(), TargetError> {
        for i in 1..=100_000 {
            let (image, name) = (self.random.uniform(1, 10_000), self.random.text(14, 24));
            let (price, data) = (self.random.uniform(100, 10_000), self.random.data());
            let (whole, cents) = (price / 100, price % 100);
            self.add("item", format_args!("({i},{image},'{name}',{whole}.{cents:02},'{data}')"));
            self.send().await?;
        }
        self.flush().await
    }

    fn address(&mut self) -> String {
        let r = &mut self.random;
        let (s1, s2, city) = (r.text(10, 20), r.text(10, 20), r.text(10, 20));
        format!("'{s1}','{s2}','{city}','{}','{}'", r.text(2, 2), r.zip())
    }

    async fn warehouse(&mut self, w: i64) -> Result<(), TargetError> {
        let (name, address) = (self.random.text(6, 10), self.address());
        let tax = self.random.uniform(0, 2000);
        self.add("warehouse", format_args!("({w},'{name}',{address},0.{tax:04},300000.00)"));
        self.send().await?;
        self.flush().await?;
        for d in 1..=10 {
            let (name, address) = (self.random.text(6, 10), self.address());
            let tax = self.random.uniform(0, 2000);
            self.add("district", format_args!("({d},{w},'{name}',{address},0.{tax:04},30000.00,3001)"));
            self.send().await?;
        }
        self.flush().await
    }

    async fn stock(&mut self, w: i64) -> Result<(), TargetError> {
        for i in 1..=100_000 {
            let quantity = self.random.uniform(10, 100);
            let mut districts = String::with_capacity(280);
            for _ in 0..10 {
                write!(districts, "'{}',", self.random.text(24, 24)).unwrap_or_default();
            }
            let data = self.random.data();
            self.add("stock", format_args!("({i},{w},{quantity},{districts}0,0,0,'{data}')"));
            self.send().await?;
        }
        self.flush().await
    }

    async fn customers(&mut self, w: i64, d: i64) -> Result<(), TargetError> {
        for c in 1..=3000 {
            // The first thousand customers carry every last name once (clause 4.3.3.1).
            let last = if c <= 1000 { last_name(c - 1) } else { self.random.last_name() };
            let (first, address) = (self.random.text(8, 16), self.address());
            let (phone, discount) = (self.random.digits(16, 16), self.random.uniform(0, 5000));
            let credit = if self.random.percent(10) { "BC" } else { "GC" };
            let data = self.random.text(300, 500);
            self.add(
                "customer",
                format_args!(
                    "({c},{d},{w},'{first}','OE','{last}',{address},'{phone}',now(),'{credit}',50000.00,\
                     0.{discount:04},-10.00,10.00,1,0,'{data}')"
                ),
            );
            self.send().await?;
        }
        self.flush().await?;
        for c in 1..=3000 {
            let data = self.random.text(12, 24);
            self.add("history", format_args!("({c},{d},{w},{d},{w},now(),10.00,'{data}')"));
            self.send().await?;
        }
        self.flush().await
    }

    async fn orders(&mut self, w: i64, d: i64) -> Result<(), TargetError> {
        let mut customers: Vec<i64> = (1..=3000).collect();
        self.random.shuffle(&mut customers);
        let counts: Vec<i64> = (0..3000).map(|_| self.random.uniform(5, 15)).collect();
        for (at, (c, lines)) in customers.iter().zip(&counts).enumerate() {
            let o = at as i64 + 1;
            let carrier = if o < 2101 { self.random.uniform(1, 10).to_string() } else { "NULL".to_owned() };
            self.add("orders", format_args!("({o},{d},{w},{c},now(),{carrier},{lines},1)"));
            self.send().await?;
        }
        self.flush().await?;
        for o in 2101..=3000 {
            self.add("new_order", format_args!("({o},{d},{w})"));
            self.send().await?;
        }
        self.flush().await?;
        for (at, lines) in counts.iter().enumerate() {
            let o = at as i64 + 1;
            for number in 1..=*lines {
                let (item, info) = (self.random.uniform(1, 100_000), self.random.text(24, 24));
                let (when, cents) = if o < 2101 { ("now()", 0) } else { ("NULL", self.random.uniform(1, 999_999)) };
                let (whole, cents) = (cents / 100, cents % 100);
                self.add(
                    "order_line",
                    format_args!("({o},{d},{w},{number},{item},{w},{when},5,{whole}.{cents:02},'{info}')"),
                );
                self.send().await?;
            }
        }
        self.flush().await
    }
}
