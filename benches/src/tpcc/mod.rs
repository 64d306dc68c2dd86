//! TPC-C (revision 5.11) in its functional part: load, run, check. Unaudited; not a TPC result.
//!
//! ```text
//!   load ──► run: terminals (async tasks) ──► statistics per transaction type ──► report
//!              each: draw input, run, retry 40001/40P01 with the same input        ▲
//!            check: the twelve consistency conditions in one transaction ──────────┘
//! ```
//!
//! Latency is measured from the send of BEGIN to the acknowledged COMMIT, retries included. Without pacing the loop is
//! closed: queueing delay is not visible, and the figure is called NOPM, never tpmC.

mod check;
mod load;
mod random;
mod report;
mod run;
mod schema;
mod statements;
mod transactions;

pub use check::{Condition, Counted, check};
pub use load::{Progress, load};
pub use report::{Report, TypeReport};
pub use run::{Live, LiveType, Results, run};
pub use schema::TABLES;
pub use transactions::Kind;

use crate::target::Isolation;
use std::time::Duration;

/// Keying and think times.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Pace {
    /// Closed loop.
    #[default]
    None,
    /// Times of the specification multiplied by this factor (1.0: the specification's).
    Factor(f64),
}

/// What to load, run and check.
#[derive(Debug, Clone)]
pub struct Options {
    /// Scale; one warehouse is about 100 MB of rows.
    pub warehouses: i64,
    /// Terminals; spread over the warehouses in turn.
    pub clients: usize,
    /// Measured time.
    pub duration: Duration,
    /// Time before the measurement begins.
    pub ramp: Duration,
    /// Isolation level of every transaction.
    pub isolation: Isolation,
    /// Pacing.
    pub pace: Pace,
    /// Repeats inputs, not interleavings.
    pub seed: u64,
    /// Connections that load.
    pub load_threads: usize,
    /// Whether to add the foreign keys.
    pub foreign_keys: bool,
    /// Most retries of one transaction before it counts as failed.
    pub retry_budget: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            warehouses: 1,
            clients: 8,
            duration: Duration::from_secs(20),
            ramp: Duration::from_secs(2),
            isolation: Isolation::Serializable,
            pace: Pace::None,
            seed: 1,
            load_threads: 4,
            foreign_keys: false,
            retry_budget: 100,
        }
    }
}
