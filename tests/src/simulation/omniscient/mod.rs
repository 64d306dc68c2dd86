//! The observer that sees what no node sees: every batch before it is written, every message before it leaves.
//!
//! ```text
//!   batch   ─► registers     one attempt has one outcome, decided by a quorum, for ever          (finality, agreement)
//!           ─► replicas      a batch carries the position that covers it; commits lie above the
//!                            floor; for each key one range, the newest                           (atomicity, coverage)
//!           ─► collected     only garbage is deleted                                             (retention)
//!   message ─► spoken        acknowledged is durable; raft-committed is durable on a quorum;
//!                            removed replicas are silent; no ID is given out twice               (durability)
//! ```
//! The final state would show most of this as well, but not when and why, and a step that happens to do no harm would not
//! show at all. What reads were promised needs no observer: the witness compares every read with the final state.

mod collected;
mod registers;
mod replicas;
mod spoken;

use self::collected::Collected;
use self::registers::Registers;
use self::replicas::Replicas;
use super::State;
use super::trace::Trace;
use parking_lot::Mutex;
use quorate_storage::Op;
use quorate_storage::engine::MemoryEngine;
pub use spoken::Spoken;

/// Findings of one part beyond this many are left out.
const MOST: usize = 20;

/// Sees what is written to the engines of a world.
#[derive(Debug)]
pub struct Omniscient {
    trace: Trace,
    registers: Mutex<Registers>,
    replicas: Mutex<Replicas>,
    collected: Mutex<Collected>,
}

impl Omniscient {
    /// An observer that has seen nothing yet, and tells the story of every register.
    #[must_use]
    pub fn new(trace: Trace) -> Omniscient {
        Omniscient { trace, registers: Mutex::default(), replicas: Mutex::default(), collected: Mutex::default() }
    }

    /// Node `node` is about to write a batch.
    pub fn writes(&self, node: u64, ops: &[Op]) {
        for change in self.registers.lock().writes(ops) {
            self.trace.note(|| format!("n{node}        register {change}"));
        }
        let mut replicas = self.replicas.lock();
        replicas.writes(node, ops);
        self.collected.lock().writes(node, ops, &replicas, &self.registers.lock());
    }

    /// Adds what was collected to what the disks hold in the end.
    pub fn complete(&self, state: &mut State) {
        self.collected.lock().complete(state);
    }

    /// Node `node` has lost what its engine had not made durable; this is left.
    pub fn crashed(&self, node: u64, engine: &MemoryEngine) {
        self.replicas.lock().crashed(node, engine);
    }

    /// Everything that contradicts the rules above, in words.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        let mut findings = self.registers.lock().take();
        findings.extend(self.replicas.lock().take());
        findings.extend(self.collected.lock().take());
        findings
    }
}
