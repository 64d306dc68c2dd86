//! Workloads: what clients do to a database while things go wrong, and what must hold afterwards.
//!
//! ```text
//!   bank         transfers between ranges             the sum, at every moment; told is there, refused is not
//!   list-append  lists read and appended to           no cycle between transactions, in real time too
//!   register     rows read, written, compared         linearizable, row by row
//!   set          single inserts                       nothing told is lost, nothing refused is there
//!   counter      increments                           the number of those that were told
//!   long-fork    writers of one key, readers of all   readers agree on an order
//!   skew         rows that exclude each other         G2 on rows, on empty ranges and on deletions
//!   sequential   inserts one after the other          whoever sees the later one sees the earlier one
//!   foreign-key  parents deleted, children inserted   no orphan
//!   unique       the same value from everywhere       one row each
//!   index        an indexed column that changes       the index says what the table says
//!   tpcc         a small warehouse                    TPC-C's own conditions
//!   prepared     transfers held by nobody             the sum; ended as somebody said, and by nobody else
//! ```
//! A workload talks SQL to a [`Target`], simulated or real. Everything that the check needs it keeps itself.

mod append;
mod bank;
mod clients;
mod counter;
mod foreign_key;
mod index;
mod long_fork;
mod prepared;
mod register;
mod sequential;
mod set;
mod skew;
mod tpcc;
mod unique;

pub use clients::{Client, Clients, Outcome, PROTOCOLS};

use quorate_bench::target::{Target, TargetError};
use std::sync::Arc;

/// The names of the workloads.
pub const NAMES: [&str; 13] = [
    "bank",
    "list-append",
    "register",
    "set",
    "counter",
    "long-fork",
    "skew",
    "sequential",
    "foreign-key",
    "unique",
    "index",
    "tpcc",
    "prepared",
];

/// What clients do, and what must hold.
#[async_trait::async_trait]
pub trait Workload: Send + Sync {
    /// Makes the tables and the first rows. Nothing goes wrong meanwhile.
    async fn set_up(&self, target: &dyn Target) -> Result<(), TargetError>;

    /// One transaction of a client.
    async fn step(&self, client: &mut Client);

    /// Splits a table somewhere; `at` is from 0 to 999. A split that fails is no finding.
    async fn split(&self, target: &dyn Target, node: usize, at: u64);

    /// A query that may be asked of any state, from the first on.
    fn query(&self) -> &'static str;

    /// Ends what clients have left open. They have stopped, and nothing goes wrong any more.
    async fn wind_up(&self, _target: &dyn Target) -> Result<(), TargetError> {
        Ok(())
    }

    /// What does not hold in the end, in words.
    async fn check(&self, target: &dyn Target) -> Result<Vec<String>, TargetError>;
}

/// A new workload of this name; the bank if there is none.
#[must_use]
pub fn named(name: &str) -> Arc<dyn Workload> {
    match name {
        "list-append" => Arc::new(append::Append::default()),
        "register" => Arc::new(register::Registers::default()),
        "set" => Arc::new(set::Set::default()),
        "counter" => Arc::new(counter::Counter::default()),
        "long-fork" => Arc::new(long_fork::LongFork::default()),
        "skew" => Arc::new(skew::Skew::default()),
        "sequential" => Arc::new(sequential::Sequential::default()),
        "foreign-key" => Arc::new(foreign_key::ForeignKey),
        "unique" => Arc::new(unique::Unique::default()),
        "index" => Arc::new(index::Index::default()),
        "prepared" => Arc::new(prepared::Prepared::default()),
        "tpcc" => Arc::new(tpcc::Tpcc),
        _ => Arc::new(bank::Bank::default()),
    }
}

/// Some value of a BIGINT key.
fn anywhere(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(0).wrapping_mul(1_000)
}

/// Runs one `ALTER TABLE ... SPLIT AT`, through any node.
async fn split_at(target: &dyn Target, node: usize, table: &str, value: i64) {
    if let Ok(mut connection) = target.connect(node).await {
        // Refused or not: a split is a fault here, nothing depends on it.
        drop(connection.batch(&format!("ALTER TABLE {table} SPLIT AT VALUES ({value})")).await);
    }
}
