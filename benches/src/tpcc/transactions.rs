//! The five transactions (clauses 2.4 to 2.8): inputs drawn once, so that a retry repeats the same work.

use super::random::Random;
use super::statements::{self as sql, stock_of};
use crate::target::{Cell, Connection, Decimal, Isolation, Param, Row, Statement, TargetError};

/// Which transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Clause 2.4.
    NewOrder,
    /// Clause 2.5.
    Payment,
    /// Clause 2.6.
    OrderStatus,
    /// Clause 2.7.
    Delivery,
    /// Clause 2.8.
    StockLevel,
}

impl Kind {
    /// All five, in the order of reports.
    pub const ALL: [Kind; 5] = [Kind::NewOrder, Kind::Payment, Kind::OrderStatus, Kind::Delivery, Kind::StockLevel];

    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::NewOrder => "new-order",
            Kind::Payment => "payment",
            Kind::OrderStatus => "order-status",
            Kind::Delivery => "delivery",
            Kind::StockLevel => "stock-level",
        }
    }

    /// Limit on the 90th percentile, seconds (clause 5.2.5.3).
    pub fn limit_seconds(self) -> f64 {
        if self == Kind::StockLevel { 20.0 } else { 5.0 }
    }

    /// Least share of the mix in percent (clause 5.2.3); new-order has none.
    pub fn minimum_percent(self) -> f64 {
        match self {
            Kind::NewOrder => 0.0,
            Kind::Payment => 43.0,
            _ => 4.0,
        }
    }

    /// Keying time and mean think time in seconds (clause 5.2.5.7).
    pub fn pace_seconds(self) -> (f64, f64) {
        match self {
            Kind::NewOrder => (18.0, 12.0),
            Kind::Payment => (3.0, 12.0),
            Kind::OrderStatus => (2.0, 10.0),
            Kind::Delivery | Kind::StockLevel => (2.0, 5.0),
        }
    }
}

/// How one execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Committed; districts that a delivery served.
    Committed {
        /// Orders delivered.
        delivered: u32,
    },
    /// Rolled back as clause 2.4.1.4 wants it.
    RolledBack,
}

/// Input of one transaction.
#[derive(Debug, Clone)]
pub enum Input {
    /// Clause 2.4.1.
    NewOrder { w: i64, d: i64, c: i64, lines: Vec<Line>, rollback: bool },
    /// Clause 2.5.1.
    Payment { w: i64, d: i64, c_w: i64, c_d: i64, customer: Customer, cents: i64 },
    /// Clause 2.6.1.
    OrderStatus { w: i64, d: i64, customer: Customer },
    /// Clause 2.7.1.
    Delivery { w: i64, carrier: i64 },
    /// Clause 2.8.1.
    StockLevel { w: i64, d: i64, threshold: i64 },
}

/// How a customer is named.
#[derive(Debug, Clone)]
pub enum Customer {
    /// By number.
    Id(i64),
    /// By last name.
    Name(String),
}

/// One line of an order.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    item: i64,
    supplier: i64,
    quantity: i64,
}

impl Input {
    /// Draws the input of a transaction for a terminal of warehouse `w`.
    pub fn draw(kind: Kind, w: i64, warehouses: i64, random: &mut Random) -> Input {
        let d = random.uniform(1, 10);
        match kind {
            Kind::NewOrder => {
                let count = random.uniform(5, 15);
                let lines = (0..count).map(|_| Line::draw(w, warehouses, random)).collect();
                Input::NewOrder { w, d, c: random.customer(), lines, rollback: random.percent(1) }
            }
            Kind::Payment => {
                let remote = warehouses > 1 && random.percent(15);
                let (c_w, c_d) = if remote { (other(w, warehouses, random), random.uniform(1, 10)) } else { (w, d) };
                let customer = Customer::draw(random);
                Input::Payment { w, d, c_w, c_d, customer, cents: random.uniform(100, 500_000) }
            }
            Kind::OrderStatus => Input::OrderStatus { w, d, customer: Customer::draw(random) },
            Kind::Delivery => Input::Delivery { w, carrier: random.uniform(1, 10) },
            Kind::StockLevel => Input::StockLevel { w, d, threshold: random.uniform(10, 20) },
        }
    }
}

impl Customer {
    fn draw(random: &mut Random) -> Customer {
        if random.percent(60) { Customer::Name(random.last_name()) } else { Customer::Id(random.customer()) }
    }
}

impl Line {
    fn draw(w: i64, warehouses: i64, random: &mut Random) -> Line {
        let remote = warehouses > 1 && random.percent(1);
        let supplier = if remote { other(w, warehouses, random) } else { w };
        Line { item: random.item(), supplier, quantity: random.uniform(1, 10) }
    }
}

fn other(w: i64, warehouses: i64, random: &mut Random) -> i64 {
    let other = random.uniform(1, warehouses - 1);
    if other >= w { other + 1 } else { other }
}

/// One attempt of one transaction, from BEGIN to COMMIT.
pub struct Run<'a> {
    /// The session.
    pub connection: &'a mut dyn Connection,
    /// Isolation level of its transactions.
    pub isolation: Isolation,
    /// Now, microseconds since 2000-01-01.
    pub now: i64,
}

use Param::{Int, Text, Time};

impl Run<'_> {
    /// Runs `input` once. After an error the caller rolls back.
    pub async fn run(&mut self, input: &Input) -> Result<Done, TargetError> {
        self.connection.batch(self.isolation.begin()).await?;
        let done = match input {
            Input::NewOrder { w, d, c, lines, rollback } => self.new_order(*w, *d, *c, lines, *rollback).await?,
            Input::Payment { w, d, c_w, c_d, customer, cents } => {
                self.payment((*w, *d), (*c_w, *c_d), customer, *cents).await?
            }
            Input::OrderStatus { w, d, customer } => self.order_status(*w, *d, customer).await?,
            Input::Delivery { w, carrier } => self.delivery(*w, *carrier).await?,
            Input::StockLevel { w, d, threshold } => self.stock_level(*w, *d, *threshold).await?,
        };
        let end = if done == Done::RolledBack { "ROLLBACK" } else { "COMMIT" };
        self.connection.batch(end).await?;
        Ok(done)
    }

    async fn one(&mut self, statement: &'static Statement, params: &[Param]) -> Result<Row, TargetError> {
        let mut rows = self.connection.run(statement, params).await?;
        if rows.is_empty() {
            return Err(TargetError::new("02000", format!("no row for {} {params:?}", statement.sql)));
        }
        Ok(rows.swap_remove(0))
    }

    async fn new_order(&mut self, w: i64, d: i64, c: i64, lines: &[Line], rollback: bool) -> Result<Done, TargetError> {
        let warehouse = self.one(&sql::WAREHOUSE_TAX, &[Int(w)]).await?;
        let district = self.one(&sql::DISTRICT_NEXT, &[Int(w), Int(d)]).await?;
        let o = district[1].int();
        self.connection.run(&sql::DISTRICT_ADVANCE, &[Int(w), Int(d), Int(o + 1)]).await?;
        let customer = self.one(&sql::CUSTOMER_DISCOUNT, &[Int(w), Int(d), Int(c)]).await?;
        let local = i64::from(lines.iter().all(|line| line.supplier == w));
        let order = [Int(o), Int(d), Int(w), Int(c), Time(self.now), Int(lines.len() as i64), Int(local)];
        self.connection.run(&sql::INSERT_ORDER, &order).await?;
        self.connection.run(&sql::INSERT_NEW_ORDER, &[Int(o), Int(d), Int(w)]).await?;
        let mut total = 0.0;
        for (at, line) in lines.iter().enumerate() {
            // An unused item number in the last line makes the transaction roll back (clause 2.4.1.5).
            let unused = rollback && at + 1 == lines.len();
            let item = if unused { 100_001 } else { line.item };
            let Some(found) = self.connection.run(&sql::ITEM, &[Int(item)]).await?.into_iter().next() else {
                return Ok(Done::RolledBack);
            };
            total += self.order_line(w, d, o, at as i64 + 1, line, found[0].float()).await?;
        }
        let (taxes, discount) = (warehouse[0].float() + district[0].float(), customer[0].float());
        std::hint::black_box(total * (1.0 - discount) * (1.0 + taxes));
        Ok(Done::Committed { delivered: 0 })
    }

    /// One line: stock taken, line written. Returns its amount.
    async fn order_line(
        &mut self,
        w: i64,
        d: i64,
        o: i64,
        number: i64,
        line: &Line,
        price: f64,
    ) -> Result<f64, TargetError> {
        let stock = self.one(stock_of(d), &[Int(line.item), Int(line.supplier)]).await?;
        let left = stock[0].int() - line.quantity;
        let left = if left >= 10 { left } else { left + 91 };
        let remote = i64::from(line.supplier != w);
        let update = [Int(line.item), Int(line.supplier), Int(left), Int(line.quantity), Int(remote)];
        self.connection.run(&sql::STOCK_UPDATE, &update).await?;
        let cents = (price * 100.0).round() as i64 * line.quantity;
        let row = [
            Int(o),
            Int(d),
            Int(w),
            Int(number),
            Int(line.item),
            Int(line.supplier),
            Int(line.quantity),
            Param::Decimal(Decimal::cents(cents)),
            Text(stock[2].text().to_owned()),
        ];
        self.connection.run(&sql::INSERT_ORDER_LINE, &row).await?;
        Ok(cents as f64 / 100.0)
    }

    /// The customer's number; of several with the name the middle one by first name (clause 2.5.2.2).
    async fn customer(&mut self, w: i64, d: i64, customer: &Customer) -> Result<i64, TargetError> {
        let name = match customer {
            Customer::Id(id) => return Ok(*id),
            Customer::Name(name) => name,
        };
        let rows = self.connection.run(&sql::CUSTOMERS_BY_NAME, &[Int(w), Int(d), Text(name.clone())]).await?;
        match rows.len() {
            0 => Err(TargetError::new("02000", format!("no customer {name} in district {d} of warehouse {w}"))),
            count => Ok(rows[count.div_ceil(2) - 1][0].int()),
        }
    }

    async fn payment(
        &mut self,
        (w, d): (i64, i64),
        (c_w, c_d): (i64, i64),
        customer: &Customer,
        cents: i64,
    ) -> Result<Done, TargetError> {
        let amount = Param::Decimal(Decimal::cents(cents));
        self.connection.run(&sql::WAREHOUSE_PAY, &[Int(w), amount.clone()]).await?;
        let warehouse = self.one(&sql::WAREHOUSE_ADDRESS, &[Int(w)]).await?;
        self.connection.run(&sql::DISTRICT_PAY, &[Int(w), Int(d), amount.clone()]).await?;
        let district = self.one(&sql::DISTRICT_ADDRESS, &[Int(w), Int(d)]).await?;
        let c = self.customer(c_w, c_d, customer).await?;
        let key = [Int(c_w), Int(c_d), Int(c)];
        let row = self.one(&sql::CUSTOMER_PAY_READ, &key).await?;
        let [a, b, e] = key.clone();
        if row[9].text() == "BC" {
            let data = self.one(&sql::CUSTOMER_DATA, &key).await?;
            let mut text = format!("{c} {c_d} {c_w} {d} {w} {} | {}", Decimal::cents(cents), data[0].text());
            text.truncate(500);
            self.connection.run(&sql::CUSTOMER_PAY_DATA, &[a, b, e, amount.clone(), Text(text)]).await?;
        } else {
            self.connection.run(&sql::CUSTOMER_PAY, &[a, b, e, amount.clone()]).await?;
        }
        let data = Text(format!("{}    {}", warehouse[5].text(), district[5].text()));
        let history = [Int(c_d), Int(c_w), Int(c), Int(d), Int(w), Time(self.now), amount, data];
        self.connection.run(&sql::INSERT_HISTORY, &history).await?;
        Ok(Done::Committed { delivered: 0 })
    }

    async fn order_status(&mut self, w: i64, d: i64, customer: &Customer) -> Result<Done, TargetError> {
        let c = self.customer(w, d, customer).await?;
        self.one(&sql::CUSTOMER_STATUS, &[Int(w), Int(d), Int(c)]).await?;
        let order = self.one(&sql::LAST_ORDER, &[Int(w), Int(d), Int(c)]).await?;
        self.connection.run(&sql::ORDER_LINES, &[Int(w), Int(d), Int(order[0].int())]).await?;
        Ok(Done::Committed { delivered: 0 })
    }

    async fn delivery(&mut self, w: i64, carrier: i64) -> Result<Done, TargetError> {
        let mut delivered = 0;
        for d in 1..=10 {
            let oldest = self.connection.run(&sql::OLDEST_NEW_ORDER, &[Int(w), Int(d)]).await?;
            let Some(o) = oldest.first().map(|row| row[0].int()) else { continue };
            let key = [Int(w), Int(d), Int(o)];
            self.connection.run(&sql::DELETE_NEW_ORDER, &key).await?;
            let c = self.one(&sql::ORDER_CUSTOMER, &key).await?[0].int();
            self.connection.run(&sql::ORDER_DELIVERED, &[Int(w), Int(d), Int(o), Int(carrier)]).await?;
            self.connection.run(&sql::LINES_DELIVERED, &[Int(w), Int(d), Int(o), Time(self.now)]).await?;
            let cents = match &self.one(&sql::ORDER_AMOUNT, &key).await?[0] {
                Cell::Null => 0,
                sum => (sum.float() * 100.0).round() as i64,
            };
            let amount = Param::Decimal(Decimal::cents(cents));
            self.connection.run(&sql::CUSTOMER_DELIVERED, &[Int(w), Int(d), Int(c), amount]).await?;
            delivered += 1;
        }
        Ok(Done::Committed { delivered })
    }

    async fn stock_level(&mut self, w: i64, d: i64, threshold: i64) -> Result<Done, TargetError> {
        let next = self.one(&sql::NEXT_ORDER, &[Int(w), Int(d)]).await?[0].int();
        self.one(&sql::LOW_STOCK, &[Int(w), Int(d), Int(next), Int(next - 20), Int(threshold)]).await?;
        Ok(Done::Committed { delivered: 0 })
    }
}
