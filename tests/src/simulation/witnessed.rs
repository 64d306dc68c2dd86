//! Every transaction of every node of a world, in the order in which they ended.

use parking_lot::Mutex;
use quorate_txn::transaction::{Observed, Observer};

/// Collects transactions.
#[derive(Default)]
pub struct Witnessed {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Counts beginnings and ends: the order of real time.
    moments: u64,
    transactions: Vec<Witness>,
}

/// A transaction and when it ended.
#[derive(Clone, Debug)]
pub struct Witness {
    /// What was seen of it; `began` is on the same scale as `ended`.
    pub seen: Observed,
    /// When its client was told, or its task was dropped.
    pub ended: u64,
}

impl Observer for Witnessed {
    fn begins(&self) -> u64 {
        let mut state = self.state.lock();
        state.moments += 1;
        state.moments
    }

    fn ended(&self, seen: Observed) {
        let mut state = self.state.lock();
        state.moments += 1;
        let ended = state.moments;
        state.transactions.push(Witness { seen, ended });
    }
}

impl Witnessed {
    /// All transactions that have ended.
    #[must_use]
    pub fn take(&self) -> Vec<Witness> {
        std::mem::take(&mut self.state.lock().transactions)
    }

    /// How many have ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().transactions.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
