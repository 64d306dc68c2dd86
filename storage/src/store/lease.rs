//! Leases measured in IDs: a bound up to which a leader may promise reads without asking anybody.
//!
//! ```text
//!   leader      E, ahead of the IDs in use ──Heartbeat{grant: E}──►  voter      g := max(g, E), durable below G
//!               bound := what a quorum has granted  ◄──HeartbeatReply{granted: g}──
//!   candidate   voted := the greatest g of its votes  ◄──VoteReply{granted: g}──
//! ```
//! Whoever is elected later has asked one of the voters who granted, after it did: once a replica has voted, it takes
//! nothing of an earlier term. So `voted` is at least the bound of every earlier leader, and the participant makes it
//! the floor of its writes, in the log. Reads at or below its bound stay right even at a leader that is deposed and does
//! not know it. No clock takes part.
//!
//! What every voter says is kept for each of them and counted by the membership that is applied then. That is why an
//! answer that was under way during a change may count after it: it is about the voter, not about a quorum of before.
//! What the model calls a grant over a change is a quorum that was counted before, and does not exist here.
//!
//! From the proposal of a split or of a change of members until this leader has applied it there is no bound: others
//! may have applied it before, and be elected by voters who granted nothing. What was promised before the proposal is
//! safe: its ID was handed out before, and every leader begins with a fresh one. For the same reason a leader changes no
//! members before `voted` is in its log.
//!
//! G is one number for the whole store, in the log. It is raised far ahead of what is granted, in a batch that is
//! written anyway if there is one; a bound above it is acknowledged after that. A restarted store takes every range to
//! have granted G: floors get too high by that, and the oracle skips some IDs.
//!
//! A leader asks in its heartbeats, for what the reads of a few of them are likely to need, and only if it is read. A
//! lone voter asks for nothing: nobody else can be elected.
//!
//! Invariant: a bound that was acknowledged is told with every later vote of this replica.
//! Invariant: there is no bound while a split or a change of members is proposed and not applied.

use super::StoreSettings;
use super::handle::Role;
use super::message::RaftBody;
use super::peer::{Peer, raft_last};
use super::validate::MAX_NUMBER;
use crate::mutation::planted;
use crate::{DIRECTORY_RANGE, ORACLE_RANGE, RangeId, ReplicaId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A bound is at least so far ahead of the greatest ID read.
const LEAST_AHEAD: u64 = 64;
/// And at most so far.
const MOST_AHEAD: u64 = 1 << 20;
/// How far G is raised beyond what is granted.
const RAISE: u64 = 1 << 20;

/// What the store and the participant of a range tell each other in one term of leadership.
#[derive(Debug, Default)]
pub struct Lease {
    term: u64,
    voted: u64,
    bound: AtomicU64,
    seen: AtomicU64,
    floor_kept: AtomicBool,
}

impl Lease {
    /// The term of the leadership.
    pub fn term(&self) -> u64 {
        self.term
    }

    /// The greatest bound that any earlier leader may have: no write of this term may be at or below it.
    pub fn voted(&self) -> u64 {
        self.voted
    }

    /// Reads at IDs up to here may be promised now; 0 if there is no bound. Whoever promises has been given the ID before
    /// it asks.
    pub fn bound(&self) -> u64 {
        self.bound.load(Ordering::SeqCst)
    }

    /// Something is read at this ID: the bound will be kept ahead of it.
    pub fn saw(&self, id: u64) {
        if id > self.seen.load(Ordering::Relaxed) {
            self.seen.fetch_max(id, Ordering::Relaxed);
        }
    }

    /// A floor that is not below [`Lease::voted`] has been applied: the members may change now.
    pub fn keep_floor(&self) {
        self.floor_kept.store(true, Ordering::Release);
    }

    /// Takes the bound away.
    pub(super) fn end(&self) {
        self.bound.store(0, Ordering::SeqCst);
    }
}

/// What a replica has granted, and as a leader is granted.
pub(super) struct Grants {
    /// The greatest bound that this replica has granted, to whomever.
    granted: u64,
    /// The greatest bound that was told with votes of this term.
    voted: (u64, u64),
    /// Of the current leadership, or of none.
    pub(super) lease: Arc<Lease>,
    /// The bound that is asked for; 0 for none.
    ask: u64,
    /// What each voter has said in this term.
    said: BTreeMap<ReplicaId, u64>,
    /// Index of the newest split or change of members that was proposed in this term.
    changing: u64,
    pace: Pace,
    heartbeat_ticks: usize,
    /// Whether bounds are asked for.
    asks: bool,
    /// Whether anybody reads this range by promises.
    promises: bool,
}

/// How fast the IDs grow at which the range is read.
#[derive(Default)]
struct Pace {
    ticks: usize,
    /// The greatest ID seen at the last heartbeat.
    last: u64,
    /// By how much it grew between the last heartbeats.
    steps: [u64; 2],
}

impl Pace {
    /// A heartbeat leaves; whether the range has been read at new IDs since the last one.
    fn beat(&mut self, seen: u64) -> bool {
        let step = seen.saturating_sub(self.last);
        let known = self.last > 0;
        self.last = self.last.max(seen);
        self.steps = [if known { step } else { 0 }, self.steps[0]];
        step > 0
    }

    /// How far ahead of the greatest ID the bound shall be: what two heartbeats need. Of the last steps the smaller one
    /// counts, because the oracle skips IDs now and then.
    fn ahead(&self) -> u64 {
        self.steps[0].min(self.steps[1]).saturating_mul(2).clamp(LEAST_AHEAD, MOST_AHEAD)
    }
}

impl Grants {
    /// Of a replica that may have granted as much as `restored` in an earlier life.
    pub(super) fn new(range: RangeId, restored: u64, settings: &StoreSettings) -> Grants {
        // Directory and oracle keep their state by raw commands, without a floor; their leaders confirm every round.
        let promises = range != DIRECTORY_RANGE && range != ORACLE_RANGE;
        Grants {
            granted: if promises { restored } else { 0 },
            voted: (0, 0),
            lease: Arc::default(),
            ask: 0,
            said: BTreeMap::new(),
            changing: 0,
            pace: Pace::default(),
            heartbeat_ticks: settings.heartbeat_ticks,
            asks: settings.leases,
            promises,
        }
    }

    /// The greatest bound that this replica has granted; G must not be below.
    pub(super) fn granted(&self) -> u64 {
        self.granted
    }

    /// Leads in this term from now on.
    pub(super) fn begin(&mut self, term: u64) {
        let (of, told) = self.voted;
        let voted = if of == term { told.max(self.granted) } else { self.granted };
        self.changing = 0;
        self.lease = Arc::new(Lease { term, voted, ..Lease::default() });
    }

    /// Leads no more, or may not read ahead for now.
    pub(super) fn end(&mut self) {
        self.lease.end();
        self.ask = 0;
        self.said.clear();
        self.pace = Pace { ticks: self.pace.ticks, ..Pace::default() };
    }

    /// Whether the log of this term's leader says as much as its votes did.
    pub(super) fn is_floor_kept(&self) -> bool {
        self.lease.voted == 0 || self.lease.floor_kept.load(Ordering::Acquire)
    }
}

/// What a message says about bounds, kept while raft-rs takes it in.
pub(super) enum Said {
    Nothing,
    Grant(u64),
    Granted(ReplicaId, u64),
    Voted(u64),
}

impl Said {
    pub(super) fn by(from: ReplicaId, body: &RaftBody) -> Said {
        match body {
            RaftBody::Heartbeat { grant, .. } => Said::Grant(*grant),
            RaftBody::HeartbeatReply { granted, .. } => Said::Granted(from, *granted),
            RaftBody::VoteReply { pre: false, granted, .. } => Said::Voted(*granted),
            _ => Said::Nothing,
        }
    }
}

impl Peer {
    /// Before raft-rs takes a message of `term` in: a vote may be the one that wins.
    pub(super) fn before_step(&mut self, term: u64, said: &Said) {
        let Said::Voted(granted) = *said else { return };
        if term == self.term() {
            let (of, told) = self.grants.voted;
            self.grants.voted = (term, if of == term { told.max(granted) } else { granted });
        }
    }

    /// After raft-rs took it in: what is of an earlier term counts for nothing.
    pub(super) fn after_step(&mut self, term: u64, said: &Said) {
        if term != self.term() || !self.grants.promises {
            return;
        }
        match *said {
            Said::Grant(bound) => self.grants.granted = self.grants.granted.max(bound),
            Said::Granted(from, bound) if self.grants.ask > 0 => {
                let told = self.grants.said.entry(from).or_default();
                *told = bound.max(*told);
            }
            Said::Granted(..) | Said::Voted(_) | Said::Nothing => {}
        }
    }

    /// Adds to a message of `term` what this replica has to say about bounds; `durable` is G.
    pub(super) fn speak(&self, term: u64, body: &mut RaftBody, durable: u64) {
        let grants = &self.grants;
        match body {
            RaftBody::Heartbeat { grant, .. } if self.lead.is_some_and(|lead| lead.term == term) => *grant = grants.ask,
            // Of an earlier term: it might tell that leader what was granted to a later one, after its vote.
            RaftBody::HeartbeatReply { granted, .. } if term == self.term() => *granted = grants.granted.min(durable),
            RaftBody::VoteReply { granted, .. } => *granted = grants.granted,
            _ => {}
        }
    }

    /// A tick of a leader.
    pub(super) fn tick_lease(&mut self) {
        self.grants.pace.ticks += 1;
        if self.grants.pace.ticks < self.grants.heartbeat_ticks {
            return;
        }
        self.grants.pace.ticks = 0;
        let seen = self.grants.lease.seen.load(Ordering::Relaxed);
        if self.grants.pace.beat(seen) {
            self.ask_for_bound();
        }
    }

    /// The next heartbeats ask for a bound ahead of what is read.
    pub(super) fn ask_for_bound(&mut self) {
        let seen = self.grants.lease.seen.load(Ordering::Relaxed);
        let wanted = self.grants.asks && self.grants.promises && seen > 0 && !self.votes_alone();
        if !wanted || self.role() != Role::Leader || self.is_changing() {
            return;
        }
        let grants = &mut self.grants;
        grants.ask = grants.ask.max(seen.saturating_add(grants.pace.ahead())).min(MAX_NUMBER - 1);
        grants.granted = grants.granted.max(grants.ask);
    }

    /// Publishes the bound that a quorum has granted; `durable` is G.
    pub(super) fn count_grants(&mut self, durable: u64) {
        let ask = self.grants.ask;
        if ask == 0 || self.grants.lease.bound.load(Ordering::Relaxed) >= ask {
            return;
        }
        let Some(descriptor) = &self.descriptor else { return };
        let said = |id: &u64| match ReplicaId(*id) {
            own if own == self.replica => self.grants.granted.min(durable),
            other => self.grants.said.get(&other).copied().unwrap_or(0),
        };
        let members = descriptor.conf_state();
        let new = by_majority(members.voters.iter().map(said).collect());
        let old = by_majority(members.voters_outgoing.iter().map(said).collect());
        let bound = ask.min(new.unwrap_or(0)).min(old.unwrap_or(u64::MAX));
        self.grants.lease.bound.fetch_max(bound, Ordering::SeqCst);
    }

    /// The entry that was appended last splits the range.
    pub(super) fn splits(&mut self) {
        if planted("lease-kept-over-split") {
            return;
        }
        self.grants.changing = raft_last(&self.node);
        self.grants.end();
    }

    /// Takes the bound away while the members change; raft-rs proposes to leave a joint configuration by itself.
    pub(super) fn watch_members(&mut self) {
        if self.changes_members() && self.grants.ask > 0 {
            self.grants.end();
        }
    }

    fn is_changing(&self) -> bool {
        self.applied() < self.grants.changing || self.changes_members()
    }

    fn changes_members(&self) -> bool {
        self.node.raft.has_pending_conf() && !planted("lease-kept-over-change")
    }
}

/// The greatest bound that a majority has granted, each of them or more; `None` if there are no voters.
fn by_majority(mut granted: Vec<u64>) -> Option<u64> {
    granted.sort_unstable_by(|one, other| other.cmp(one));
    granted.get(granted.len() / 2).copied()
}

impl super::Store {
    /// What G has to be before a bound of `granted` is acknowledged; `None` if it is high enough.
    pub(super) fn raise_granted(&self, granted: u64) -> Option<u64> {
        (granted > self.granted).then(|| granted.saturating_add(RAISE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_has_granted_what_its_least_voter_has() {
        let cases: [(&[u64], Option<u64>); 5] =
            [(&[], None), (&[7], Some(7)), (&[7, 3], Some(3)), (&[3, 9, 7], Some(7)), (&[1, 9, 8, 2], Some(2))];
        for (granted, bound) in cases {
            assert_eq!(by_majority(granted.to_vec()), bound, "{granted:?}");
        }
    }

    #[test]
    fn the_bound_keeps_ahead_of_a_steady_pace_and_ignores_one_jump() {
        let mut pace = Pace::default();
        assert_eq!((pace.beat(1_000_000), pace.ahead()), (true, LEAST_AHEAD), "the first ID tells no pace");
        let found: Vec<(bool, u64)> = [1_000_500, 1_001_100, 5_001_600, 5_002_100, 5_002_100]
            .into_iter()
            .map(|seen| (pace.beat(seen), pace.ahead()))
            .collect();
        assert_eq!(found, [(true, 64), (true, 1000), (true, 1200), (true, 1000), (false, 64)]);
        pace.steps = [u64::MAX; 2];
        assert_eq!(pace.ahead(), MOST_AHEAD);
    }
}
