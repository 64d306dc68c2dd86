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
    /// Within how many seeds, whichever is the first, the workload finds it.
    pub within: u64,
}

/// All of them.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "fsync-skipped",
        what: "log entries are acknowledged before they are durable",
        workload: "list-append",
        seed: 1,
        within: 1_500,
    },
    Mutation {
        name: "split-unpersisted",
        what: "a crash undoes a split that was told",
        workload: "skew",
        seed: 550,
        within: 1_500,
    },
    Mutation {
        name: "known-image-unanswered",
        what: "an image of what a replica has already is not answered",
        workload: "set",
        seed: 1761,
        within: 1_500,
    },
    Mutation {
        name: "leads-unasked",
        what: "a leader is given to a node that leads more than it seems",
        workload: "set",
        seed: 1761,
        within: 1_500,
    },
    Mutation {
        name: "floor-ignored",
        what: "a new leader forgets what its predecessor promised",
        workload: "skew",
        seed: 462,
        within: 1_500,
    },
    Mutation {
        name: "oracle-unconfirmed",
        what: "an oracle answers that leads no more",
        workload: "bank",
        seed: 0,
        within: 1_500,
    },
    Mutation {
        name: "read-unconfirmed",
        what: "a leader promises reads that leads no more",
        workload: "counter",
        seed: 175,
        within: 1_500,
    },
    Mutation {
        name: "promise-forgotten",
        what: "reads leave no promise",
        workload: "list-append",
        seed: 1,
        within: 1_500,
    },
    Mutation {
        name: "refresh-unchecked",
        what: "a refresh finds nothing changed",
        workload: "list-append",
        seed: 1,
        within: 1_500,
    },
    Mutation {
        name: "intents-unseen",
        what: "reads pass prepared writes",
        workload: "list-append",
        seed: 1,
        within: 1_500,
    },
    Mutation {
        name: "late-locks",
        what: "late requests lock for transactions that are over",
        workload: "list-append",
        seed: 1,
        within: 1_500,
    },
    Mutation {
        name: "generation-unchecked",
        what: "commands are applied that were meant for the range before its split",
        workload: "tpcc",
        seed: 35,
        within: 1_500,
    },
    Mutation {
        name: "guards-unchecked",
        what: "a commit that arrives twice is applied twice",
        workload: "list-append",
        seed: 1429,
        within: 1_500,
    },
    Mutation {
        name: "applied-apart",
        what: "the applied index is written before the state, not with it",
        workload: "bank",
        seed: 0,
        within: 1_500,
    },
    Mutation {
        name: "checkpoint-unpersisted",
        what: "the log is truncated though the state is not durable",
        workload: "bank",
        seed: 0,
        within: 1_500,
    },
    Mutation {
        name: "fsync-failure-ignored",
        what: "a failed fsync is taken for a good one",
        workload: "list-append",
        seed: 217,
        within: 1_500,
    },
    Mutation {
        name: "decided-without-quorum",
        what: "recovery decides without a quorum",
        workload: "index",
        seed: 70,
        within: 1_500,
    },
    Mutation {
        name: "fence-ignored",
        what: "a register takes proposals below the ballot that it promised",
        workload: "skew",
        seed: 474,
        within: 1_500,
    },
    Mutation {
        name: "replay-refused",
        what: "a commit that arrives again is refused instead of answered with its outcome",
        workload: "index",
        seed: 106,
        within: 1_500,
    },
    Mutation {
        name: "base-unchecked",
        what: "a write does not ask whether its row has changed since it was read",
        workload: "unique",
        seed: 9,
        within: 1_500,
    },
    Mutation {
        name: "commit-unrefreshed",
        what: "a commit over several ranges does not ask whether its reads still hold",
        workload: "list-append",
        seed: 1,
        within: 1_500,
    },
    Mutation {
        name: "recovery-rejuvenates",
        what: "recovery acts under another age than the coordinator did, so that two of them wait for each other",
        workload: "list-append",
        seed: 102_877,
        within: 1_500,
    },
    Mutation {
        name: "latches-unseen",
        what: "reads pass writes under way",
        workload: "counter",
        seed: 4,
        within: 1_500,
    },
    Mutation {
        name: "intents-unloaded",
        what: "a new leader does not know the intents of its predecessor",
        workload: "bank",
        seed: 0,
        within: 1_500,
    },
    Mutation {
        name: "limit-unwritten",
        what: "a new oracle hands out IDs before it has reserved them",
        workload: "bank",
        seed: 0,
        within: 1_500,
    },
    Mutation {
        name: "deletions-unseen",
        what: "a refresh finds no rows that were deleted",
        workload: "index",
        seed: 10,
        within: 1_500,
    },
];
