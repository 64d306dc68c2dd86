//! What a store may be told.

/// Settings of a [`super::Store`]. A tick is whatever the node makes it.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Decides the election timeouts, so that a run can be replayed.
    pub seed: u64,
    /// Ticks between two heartbeats of a leader.
    pub heartbeat_ticks: usize,
    /// Ticks without a leader before an election; each timeout lies in `[election_ticks, 2 * election_ticks)`.
    pub election_ticks: usize,
    /// Bytes of entries in one append message.
    pub max_message_bytes: u64,
    /// Append messages under way to one follower.
    pub max_inflight: usize,
    /// Bytes of proposals that a leader holds before they are raft-committed; more are refused.
    pub max_uncommitted_bytes: u64,
    /// Bytes appended to the log, of all groups, between two checkpoints.
    pub checkpoint_bytes: u64,
    /// Entries that a follower keeps behind its applied index, for the case that it has to lead.
    pub keep_entries: u64,
    /// How many entries a live follower may be behind before the leader stops keeping the log for it.
    pub follower_budget: u64,
    /// Events that wait in the channel before senders block.
    pub queue: usize,
    /// Whether leaders ask for bounds of reads; if not, every new ID that is read costs a round. Voters grant in any case.
    pub leases: bool,
}

impl Default for StoreSettings {
    fn default() -> StoreSettings {
        StoreSettings {
            seed: 0,
            heartbeat_ticks: 2,
            election_ticks: 20,
            max_message_bytes: 1 << 20,
            max_inflight: 64,
            max_uncommitted_bytes: 64 << 20,
            checkpoint_bytes: 64 << 20,
            keep_entries: 1024,
            follower_budget: 100_000,
            queue: 8192,
            leases: true,
        }
    }
}

impl StoreSettings {
    /// The first contradiction among the settings, as a sentence; `None` if there is none.
    pub fn check(&self) -> Option<&'static str> {
        if self.heartbeat_ticks == 0 {
            return Some("heartbeat_ticks must be at least 1");
        }
        if self.election_ticks <= self.heartbeat_ticks {
            return Some("election_ticks must exceed heartbeat_ticks");
        }
        if self.max_inflight == 0 || self.queue == 0 {
            return Some("max_inflight and queue must be at least 1");
        }
        if self.max_uncommitted_bytes < self.max_message_bytes {
            return Some("max_uncommitted_bytes must be at least max_message_bytes");
        }
        None
    }
}
