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
    /// With which seed, on 5 nodes, with 300 transactions and all faults; `None` if only fresh ones are known to, see
    /// `within`.
    pub seed: Option<u64>,
    /// Within how many seeds, whichever is the first, the workload finds it; `None` if only that one seed is known to, or
    /// (without a seed) only one of an earlier release, or only the models. What has no seed was counted without leases.
    pub within: Option<u64>,
}

/// All of them.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "fsync-skipped",
        what: "log entries are acknowledged before they are durable",
        workload: "list-append",
        seed: Some(0),
        within: Some(200),
    },
    Mutation {
        name: "split-unpersisted",
        what: "a crash undoes a split that was told",
        workload: "skew",
        seed: None,
        within: Some(10_000),
    },
    Mutation {
        name: "known-image-unanswered",
        what: "an image of what a replica has already is not answered",
        workload: "set",
        seed: None,
        within: Some(20_000),
    },
    Mutation {
        name: "leads-unasked",
        what: "a leader is given to a node that leads more than it seems",
        workload: "set",
        seed: None,
        within: None,
    },
    Mutation {
        name: "floor-ignored",
        what: "a new leader forgets what its predecessor promised",
        workload: "skew",
        seed: Some(5),
        within: Some(200),
    },
    Mutation {
        name: "oracle-unconfirmed",
        what: "an oracle answers that leads no more",
        workload: "bank",
        seed: Some(5),
        within: Some(200),
    },
    Mutation {
        name: "witness-unasked",
        what: "an oracle answers that leads no more, and the replica that knows so is not asked",
        workload: "bank",
        seed: Some(5),
        within: Some(200),
    },
    Mutation {
        name: "token-open",
        what: "a client is told that its commit was aborted, while its gateway may try again",
        workload: "bank",
        seed: Some(12),
        within: Some(200),
    },
    Mutation {
        name: "read-unconfirmed",
        what: "a leader promises reads that leads no more",
        workload: "counter",
        seed: Some(2106),
        within: Some(2_000),
    },
    Mutation {
        name: "promise-forgotten",
        what: "reads leave no promise",
        workload: "list-append",
        seed: Some(2),
        within: Some(200),
    },
    Mutation {
        name: "refresh-unchecked",
        what: "a refresh finds nothing changed",
        workload: "list-append",
        seed: Some(0),
        within: Some(200),
    },
    Mutation {
        name: "intents-unseen",
        what: "reads pass prepared writes",
        workload: "list-append",
        seed: Some(0),
        within: Some(200),
    },
    Mutation {
        name: "late-locks",
        what: "late requests lock for transactions that are over",
        workload: "list-append",
        seed: Some(10),
        within: Some(200),
    },
    Mutation {
        name: "generation-unchecked",
        what: "commands are applied that were meant for the range before its split",
        workload: "tpcc",
        seed: Some(2202),
        within: Some(1_000),
    },
    Mutation {
        name: "guards-unchecked",
        what: "a commit that arrives twice is applied twice",
        workload: "list-append",
        seed: Some(2492),
        within: Some(4_000),
    },
    Mutation {
        name: "applied-apart",
        what: "the applied index is written before the state, not with it",
        workload: "bank",
        seed: Some(0),
        within: Some(200),
    },
    Mutation {
        name: "checkpoint-unpersisted",
        what: "the log is truncated though the state is not durable",
        workload: "bank",
        seed: Some(0),
        within: Some(200),
    },
    Mutation {
        name: "fsync-failure-ignored",
        what: "a failed fsync is taken for a good one",
        workload: "list-append",
        seed: Some(2424),
        within: Some(2_000),
    },
    Mutation {
        name: "decided-without-quorum",
        what: "recovery decides without a quorum",
        workload: "index",
        seed: Some(5),
        within: Some(200),
    },
    Mutation {
        name: "fence-ignored",
        what: "a register takes proposals below the ballot that it promised",
        workload: "skew",
        seed: None,
        within: Some(8_000),
    },
    Mutation {
        name: "replay-refused",
        what: "a commit that arrives again is refused instead of answered with its outcome",
        workload: "index",
        seed: None,
        within: Some(4_000),
    },
    Mutation {
        name: "base-unchecked",
        what: "a write does not ask whether its row has changed since it was read",
        workload: "unique",
        seed: Some(0),
        within: Some(200),
    },
    Mutation {
        name: "commit-unrefreshed",
        what: "a commit over several ranges does not ask whether its reads still hold",
        workload: "list-append",
        seed: Some(7),
        within: Some(200),
    },
    Mutation {
        name: "arbiter-unasked",
        what: "recovery commits before the arbiter has voted",
        workload: "bank",
        seed: Some(463),
        within: Some(1_000),
    },
    Mutation {
        name: "lock-unrefreshed",
        what: "a lock that is granted on a newer state moves S there, whatever was read before",
        workload: "skew",
        seed: Some(3),
        within: Some(200),
    },
    Mutation {
        name: "held-terminated",
        what: "silence ends a transaction that was prepared under a name",
        workload: "prepared",
        seed: Some(0),
        within: Some(200),
    },
    Mutation {
        name: "recovery-rejuvenates",
        what: "recovery acts under another age than the coordinator did, so that two of them wait for each other",
        workload: "list-append",
        seed: None,
        within: Some(4_000),
    },
    Mutation {
        name: "fast-aborted-unasked",
        what: "a coordinator of one-round commit that misses a vote aborts without asking the registers",
        workload: "bank",
        seed: Some(10),
        within: Some(200),
    },
    Mutation {
        name: "fast-decided-without-all",
        what: "recovery of one-round commit decides though a participant did not answer",
        workload: "list-append",
        seed: Some(10),
        within: Some(1_000),
    },
    Mutation {
        name: "columns-unseen",
        what: "a read is held to be valid whichever columns were changed",
        workload: "list-append",
        seed: Some(0),
        within: Some(200),
    },
    Mutation {
        name: "latches-unseen",
        what: "reads pass writes under way",
        workload: "counter",
        seed: Some(2),
        within: Some(200),
    },
    Mutation {
        name: "intents-unloaded",
        what: "a new leader does not know the intents of its predecessor",
        workload: "bank",
        seed: Some(0),
        within: Some(200),
    },
    Mutation {
        name: "limit-unwritten",
        what: "a new oracle hands out IDs before it has reserved them",
        workload: "bank",
        seed: Some(1),
        within: Some(200),
    },
    Mutation {
        name: "deletions-unseen",
        what: "a refresh finds no rows that were deleted",
        workload: "index",
        seed: Some(1),
        within: Some(200),
    },
    Mutation {
        name: "history-unfenced",
        what: "reads pass below what is collected",
        workload: "bank",
        seed: Some(11),
        within: Some(200),
    },
    Mutation {
        name: "attempts-unfenced",
        what: "records are made again for attempts that are forgotten",
        workload: "bank",
        seed: Some(2014),
        within: Some(1_000),
    },
    Mutation {
        name: "records-collected-unasked",
        what: "a commit is forgotten before all participants know it",
        workload: "bank",
        seed: Some(104),
        within: Some(2_000),
    },
    Mutation {
        name: "grant-ignored",
        what: "a new leader does not ask what its voters granted to others",
        workload: "counter",
        seed: None,
        within: Some(4_000),
    },
    // Not in the first thousand seeds: the restart of a voter, an election that it decides and reads of the leader that was
    // cut off must meet. The tests of the store find it.
    Mutation {
        name: "grant-unpersisted",
        what: "a voter that was restarted has forgotten what it granted",
        workload: "counter",
        seed: None,
        within: None,
    },
    // Not in the first hundreds: the leader must be deposed between the proposal of a split and its end. The model finds it.
    Mutation {
        name: "lease-kept-over-split",
        what: "a leader reads under its bound while a split is under way",
        workload: "skew",
        seed: None,
        within: None,
    },
    // No fault changes the members of a range. The model finds it, and the tests of the store.
    Mutation {
        name: "lease-kept-over-change",
        what: "a leader reads under its bound while the members change",
        workload: "counter",
        seed: None,
        within: None,
    },
];
