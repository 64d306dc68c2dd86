//! TPC-C in small: one warehouse with two districts; orders, payments and deliveries; the conditions between the tables.
//!
//! The full benchmark loads half a million rows for a warehouse. This one keeps its shape: a counter per district that
//! every order takes, orders with lines, stock that orders use up, money that adds up on three levels.

use super::{Client, Workload, split_at};
use quorate_bench::target::{Cell, Isolation, Target, TargetError};
use rand::RngExt;

const WAREHOUSES: i64 = 2;
const DISTRICTS: i64 = 2;
const CUSTOMERS: i64 = 4;
const ITEMS: i64 = 10;

/// The workload.
#[derive(Default)]
pub struct Tpcc;

const TABLES: [&str; 7] = [
    "CREATE TABLE warehouse (w INT PRIMARY KEY, ytd BIGINT NOT NULL)",
    "CREATE TABLE district (w INT, d INT, ytd BIGINT NOT NULL, next_o INT NOT NULL, PRIMARY KEY (w, d))",
    "CREATE TABLE customer (w INT, d INT, c INT, balance BIGINT NOT NULL, payments BIGINT NOT NULL, PRIMARY KEY (w, d, c))",
    "CREATE TABLE orders (w INT, d INT, o INT, c INT NOT NULL, lines INT NOT NULL, delivered INT, PRIMARY KEY (w, d, o))",
    "CREATE TABLE new_order (w INT, d INT, o INT, PRIMARY KEY (w, d, o))",
    "CREATE TABLE line (w INT, d INT, o INT, n INT, item INT NOT NULL, supply INT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (w, d, o, n))",
    "CREATE TABLE stock (w INT, item INT, ordered BIGINT NOT NULL, PRIMARY KEY (w, item))",
];

/// Each query finds rows that must not be there.
const CONDITIONS: [(&str, &str); 7] = [
    (
        "warehouse.ytd = sum(district.ytd)",
        "SELECT warehouse.w FROM warehouse JOIN (SELECT w, sum(ytd) AS total FROM district GROUP BY w) AS sums \
         ON sums.w = warehouse.w WHERE warehouse.ytd <> sums.total",
    ),
    (
        "district.next_o - 1 = max(orders.o)",
        "SELECT district.w FROM district JOIN (SELECT w, d, max(o) AS newest FROM orders GROUP BY w, d) AS tops \
         ON tops.w = district.w AND tops.d = district.d WHERE district.next_o - 1 <> tops.newest",
    ),
    ("no gap between orders", "SELECT w, d FROM orders GROUP BY w, d HAVING count(*) <> max(o) - min(o) + 1"),
    (
        "orders.lines = count(line)",
        "SELECT orders.o FROM orders LEFT JOIN (SELECT w, d, o, count(*) AS many FROM line GROUP BY w, d, o) AS counts \
         ON counts.w = orders.w AND counts.d = orders.d AND counts.o = orders.o \
         WHERE coalesce(counts.many, 0) <> orders.lines",
    ),
    (
        "an order is new or delivered",
        "SELECT orders.o FROM orders LEFT JOIN new_order ON new_order.w = orders.w AND new_order.d = orders.d \
         AND new_order.o = orders.o WHERE (new_order.o IS NULL) <> (orders.delivered IS NOT NULL)",
    ),
    (
        "stock.ordered = count(line)",
        "SELECT stock.item FROM stock LEFT JOIN (SELECT supply, item, count(*) AS many FROM line \
         GROUP BY supply, item) AS counts ON counts.supply = stock.w AND counts.item = stock.item \
         WHERE coalesce(counts.many, 0) <> stock.ordered",
    ),
    (
        "warehouse.ytd = sum(customer.payments)",
        "SELECT warehouse.w FROM warehouse JOIN (SELECT w, sum(payments) AS total FROM customer GROUP BY w) AS sums \
         ON sums.w = warehouse.w WHERE warehouse.ytd <> sums.total",
    ),
];

#[async_trait::async_trait]
impl Workload for Tpcc {
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError> {
        let mut connection = target.connect(0).await?;
        for table in TABLES {
            connection.batch(table).await?;
        }
        for w in 1..=WAREHOUSES {
            connection.batch(&format!("INSERT INTO warehouse VALUES ({w}, 0)")).await?;
            let stock: Vec<String> = (1..=ITEMS).map(|item| format!("({w}, {item}, 0)")).collect();
            connection.batch(&format!("INSERT INTO stock VALUES {}", stock.join(","))).await?;
            for d in 1..=DISTRICTS {
                connection.batch(&format!("INSERT INTO district VALUES ({w}, {d}, 0, 1)")).await?;
                let customers: Vec<String> = (1..=CUSTOMERS).map(|c| format!("({w}, {d}, {c}, 0, 0)")).collect();
                connection.batch(&format!("INSERT INTO customer VALUES {}", customers.join(","))).await?;
            }
        }
        for table in ["stock", "orders", "district"] {
            split_at(target, 0, table, 2).await;
        }
        Ok(())
    }

    async fn step(&self, client: &mut Client) {
        let kind = client.rng.random_range(0..10);
        let done = match client.begin(Isolation::Serializable).await {
            Ok(()) => match kind {
                0..5 => new_order(client).await,
                5..8 => payment(client).await,
                _ => delivery(client).await,
            },
            Err(error) => Err(error),
        };
        client.end(done).await;
    }

    async fn split(&self, target: &dyn Target, node: usize, at: u64) {
        let tables = ["warehouse", "district", "customer", "orders", "new_order", "line", "stock"];
        let table = tables.get(usize::try_from(at).unwrap_or(0) % tables.len()).copied().unwrap_or("line");
        split_at(target, node, table, 2).await;
    }

    fn query(&self) -> &'static str {
        "SELECT * FROM warehouse"
    }

    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError> {
        let mut connection = target.connect(0).await?;
        let mut found = Vec::new();
        for (name, sql) in CONDITIONS {
            let rows = connection.query(sql).await?;
            if !rows.is_empty() {
                found.push(format!("{name} does not hold: {rows:?}"));
            }
        }
        Ok(found)
    }
}

fn draw(client: &mut Client) -> (i64, i64, i64) {
    let rng = &mut client.rng;
    (rng.random_range(1..=WAREHOUSES), rng.random_range(1..=DISTRICTS), rng.random_range(1..=CUSTOMERS))
}

async fn new_order(client: &mut Client) -> Result<(), TargetError> {
    let (w, d, c) = draw(client);
    let sql = format!("UPDATE district SET next_o = next_o + 1 WHERE w = {w} AND d = {d} RETURNING next_o - 1");
    let o = client.query(&sql).await?[0][0].int();
    let lines = client.rng.random_range(1..4);
    client.query(&format!("INSERT INTO orders VALUES ({w}, {d}, {o}, {c}, {lines}, NULL)")).await?;
    client.query(&format!("INSERT INTO new_order VALUES ({w}, {d}, {o})")).await?;
    for n in 1..=lines {
        let item = client.rng.random_range(1..=ITEMS);
        let supply = if client.rng.random_bool(0.2) { 3 - w } else { w };
        let amount = client.rng.random_range(1..100);
        let sql = format!("UPDATE stock SET ordered = ordered + 1 WHERE w = {supply} AND item = {item}");
        client.query(&sql).await?;
        client.query(&format!("INSERT INTO line VALUES ({w}, {d}, {o}, {n}, {item}, {supply}, {amount})")).await?;
    }
    Ok(())
}

async fn payment(client: &mut Client) -> Result<(), TargetError> {
    let (w, d, c) = draw(client);
    let amount = client.rng.random_range(1..100);
    client.query(&format!("UPDATE warehouse SET ytd = ytd + {amount} WHERE w = {w}")).await?;
    client.query(&format!("UPDATE district SET ytd = ytd + {amount} WHERE w = {w} AND d = {d}")).await?;
    let sql = format!(
        "UPDATE customer SET balance = balance - {amount}, payments = payments + {amount} \
         WHERE w = {w} AND d = {d} AND c = {c}"
    );
    client.query(&sql).await?;
    Ok(())
}

async fn delivery(client: &mut Client) -> Result<(), TargetError> {
    let (w, d, _) = draw(client);
    let rows = client.query(&format!("SELECT min(o) FROM new_order WHERE w = {w} AND d = {d}")).await?;
    let Some(o) = rows.first().map(|row| &row[0]).filter(|cell| **cell != Cell::Null).map(|cell| cell.int()) else {
        return Ok(());
    };
    client.query(&format!("DELETE FROM new_order WHERE w = {w} AND d = {d} AND o = {o}")).await?;
    let sql = format!("UPDATE orders SET delivered = 1 WHERE w = {w} AND d = {d} AND o = {o} RETURNING c");
    let c = client.query(&sql).await?[0][0].int();
    let sql = format!("SELECT sum(amount) FROM line WHERE w = {w} AND d = {d} AND o = {o}");
    let amount = client.query(&sql).await?[0][0].int();
    let sql = format!("UPDATE customer SET balance = balance + {amount} WHERE w = {w} AND d = {d} AND c = {c}");
    client.query(&sql).await?;
    Ok(())
}
