//! The bugs that can be planted ([`quorate_storage::mutation`]), and what finds each.

/// A bug, and what finds it.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// Its name in the code.
    pub name: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
    /// A workload that finds it.
    pub workload: &'static str,
    /// With which seed, on 5 nodes, with 300 transactions and all faults.
    pub seed: u64,
}

/// All of them.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "fsync-skipped",
        what: "log entries are acknowledged before they are durable",
        workload: "list-append",
        seed: 1,
    },
    Mutation { name: "split-unpersisted", what: "a crash undoes a split that was told", workload: "skew", seed: 550 },
    Mutation {
        name: "known-image-unanswered",
        what: "an image of what a replica has already is not answered",
        workload: "set",
        seed: 1761,
    },
    Mutation {
        name: "leads-unasked",
        what: "a leader is given to a node that leads more than it seems",
        workload: "set",
        seed: 1761,
    },
    Mutation {
        name: "floor-ignored",
        what: "a new leader forgets what its predecessor promised",
        workload: "skew",
        seed: 462,
    },
    Mutation { name: "oracle-unconfirmed", what: "an oracle answers that leads no more", workload: "bank", seed: 0 },
    Mutation {
        name: "read-unconfirmed",
        what: "a leader promises reads that leads no more",
        workload: "counter",
        seed: 175,
    },
    Mutation { name: "promise-forgotten", what: "reads leave no promise", workload: "list-append", seed: 1 },
    Mutation { name: "refresh-unchecked", what: "a refresh finds nothing changed", workload: "list-append", seed: 1 },
    Mutation { name: "intents-unseen", what: "reads pass prepared writes", workload: "list-append", seed: 1 },
    Mutation {
        name: "late-locks",
        what: "late requests lock for transactions that are over",
        workload: "list-append",
        seed: 1,
    },
];
