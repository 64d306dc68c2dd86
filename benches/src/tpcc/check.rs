//! The twelve consistency conditions (clause 3.3.2), each a query that counts violations, all in one transaction.

use crate::target::{Target, TargetError};

/// One condition and what was found.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Clause, `3.3.2.1` to `3.3.2.12`.
    pub clause: &'static str,
    /// What must hold.
    pub rule: &'static str,
    /// Rows that break it.
    pub violations: i64,
}

const CONDITIONS: [(&str, &str, &str); 12] = [
    (
        "3.3.2.1",
        "w_ytd = sum(d_ytd)",
        "SELECT count(*) FROM warehouse JOIN (SELECT d_w_id, sum(d_ytd) AS total FROM district GROUP BY d_w_id) d \
         ON d_w_id = w_id WHERE w_ytd <> total",
    ),
    (
        "3.3.2.2",
        "d_next_o_id - 1 = max(o_id) = max(no_o_id)",
        "SELECT count(*) FROM district \
         JOIN (SELECT o_w_id, o_d_id, max(o_id) AS newest FROM orders GROUP BY o_w_id, o_d_id) o \
         ON o_w_id = d_w_id AND o_d_id = d_id \
         LEFT JOIN (SELECT no_w_id, no_d_id, max(no_o_id) AS waiting FROM new_order GROUP BY no_w_id, no_d_id) n \
         ON no_w_id = d_w_id AND no_d_id = d_id \
         WHERE newest <> d_next_o_id - 1 OR (waiting IS NOT NULL AND waiting <> d_next_o_id - 1)",
    ),
    (
        "3.3.2.3",
        "new_order numbers have no gaps",
        "SELECT count(*) FROM (SELECT max(no_o_id) - min(no_o_id) + 1 AS width, count(*) AS held FROM new_order \
         GROUP BY no_w_id, no_d_id) n WHERE width <> held",
    ),
    (
        "3.3.2.4",
        "sum(o_ol_cnt) = number of order lines",
        "SELECT count(*) FROM (SELECT o_w_id, o_d_id, sum(o_ol_cnt) AS lines FROM orders GROUP BY o_w_id, o_d_id) o \
         JOIN (SELECT ol_w_id, ol_d_id, count(*) AS held FROM order_line GROUP BY ol_w_id, ol_d_id) l \
         ON ol_w_id = o_w_id AND ol_d_id = o_d_id WHERE lines <> held",
    ),
    (
        "3.3.2.5",
        "an order has no carrier exactly when it is in new_order",
        "SELECT count(*) FROM orders LEFT JOIN new_order \
         ON no_w_id = o_w_id AND no_d_id = o_d_id AND no_o_id = o_id \
         WHERE (o_carrier_id IS NULL) <> (no_o_id IS NOT NULL)",
    ),
    (
        "3.3.2.6",
        "o_ol_cnt = number of the order's lines",
        "SELECT count(*) FROM orders LEFT JOIN (SELECT ol_w_id, ol_d_id, ol_o_id, count(*) AS held FROM order_line \
         GROUP BY ol_w_id, ol_d_id, ol_o_id) l ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id \
         WHERE held IS NULL OR held <> o_ol_cnt",
    ),
    (
        "3.3.2.7",
        "a line is undelivered exactly when its order has no carrier",
        "SELECT count(*) FROM order_line JOIN orders ON o_w_id = ol_w_id AND o_d_id = ol_d_id AND o_id = ol_o_id \
         WHERE (ol_delivery_d IS NULL) <> (o_carrier_id IS NULL)",
    ),
    (
        "3.3.2.8",
        "w_ytd = sum(h_amount)",
        "SELECT count(*) FROM warehouse JOIN (SELECT h_w_id, sum(h_amount) AS total FROM history GROUP BY h_w_id) h \
         ON h_w_id = w_id WHERE w_ytd <> total",
    ),
    (
        "3.3.2.9",
        "d_ytd = sum(h_amount)",
        "SELECT count(*) FROM district JOIN (SELECT h_w_id, h_d_id, sum(h_amount) AS total FROM history \
         GROUP BY h_w_id, h_d_id) h ON h_w_id = d_w_id AND h_d_id = d_id WHERE d_ytd <> total",
    ),
    (
        "3.3.2.10",
        "c_balance = delivered amounts - payments",
        "SELECT count(*) FROM customer \
         LEFT JOIN (SELECT o_w_id, o_d_id, o_c_id, sum(ol_amount) AS delivered FROM orders \
         JOIN order_line ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id \
         WHERE ol_delivery_d IS NOT NULL GROUP BY o_w_id, o_d_id, o_c_id) o \
         ON o_w_id = c_w_id AND o_d_id = c_d_id AND o_c_id = c_id \
         LEFT JOIN (SELECT h_c_w_id, h_c_d_id, h_c_id, sum(h_amount) AS paid FROM history \
         GROUP BY h_c_w_id, h_c_d_id, h_c_id) h ON h_c_w_id = c_w_id AND h_c_d_id = c_d_id AND h_c_id = c_id \
         WHERE c_balance <> coalesce(delivered, 0) - coalesce(paid, 0)",
    ),
    (
        "3.3.2.11",
        "orders - new_orders = orders with a carrier (2100 per district + deliveries)",
        "SELECT count(*) FROM (SELECT o_w_id, o_d_id, count(*) AS held, count(o_carrier_id) AS carried FROM orders \
         GROUP BY o_w_id, o_d_id) o LEFT JOIN (SELECT no_w_id, no_d_id, count(*) AS waiting FROM new_order \
         GROUP BY no_w_id, no_d_id) n ON no_w_id = o_w_id AND no_d_id = o_d_id \
         WHERE held - coalesce(waiting, 0) <> carried OR carried < 2100",
    ),
    (
        "3.3.2.12",
        "c_balance + c_ytd_payment = delivered amounts",
        "SELECT count(*) FROM customer \
         LEFT JOIN (SELECT o_w_id, o_d_id, o_c_id, sum(ol_amount) AS delivered FROM orders \
         JOIN order_line ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id \
         WHERE ol_delivery_d IS NOT NULL GROUP BY o_w_id, o_d_id, o_c_id) o \
         ON o_w_id = c_w_id AND o_d_id = c_d_id AND o_c_id = c_id \
         WHERE c_balance + c_ytd_payment <> coalesce(delivered, 0)",
    ),
];

/// What the database itself says was done since the load.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// New orders: growth of `d_next_o_id` over all districts.
    pub new_orders: i64,
    /// Deliveries: orders that left `new_order`.
    pub deliveries: i64,
}

/// Checks every condition at one snapshot, and counts the work that is in the database.
pub async fn check(target: &dyn Target) -> Result<(Vec<Condition>, Counted), TargetError> {
    let mut connection = target.connect(0).await?;
    connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    let mut found = Vec::new();
    for (clause, rule, sql) in CONDITIONS {
        let rows = connection.query(sql).await?;
        let violations = rows.first().and_then(|row| row.first()).map_or(-1, crate::target::Cell::int);
        found.push(Condition { clause, rule, violations });
    }
    let counts = connection
        .query(
            "SELECT (SELECT sum(d_next_o_id - 3001) FROM district), \
             (SELECT count(*) FROM orders) - (SELECT count(*) FROM new_order) - 2100 * (SELECT count(*) FROM district)",
        )
        .await?;
    connection.batch("COMMIT").await?;
    let row = counts.first().ok_or_else(|| TargetError::new("02000", "no counts"))?;
    Ok((found, Counted { new_orders: row[0].int(), deliveries: row[1].int() }))
}
