//! Every register of every replica, the moment it changes.
//!
//! ```text
//!   one change    the same change of a register (its seq) is the same on every replica, and after every crash
//!   finality      a decided register never changes again
//!   one outcome   all registers of an attempt that are decided agree, on the commit ID too
//!   decisions     three-phase: COMMIT only after a quorum of acceptors accepted it at one ballot;
//!                 ABORT only after a quorum accepted that, or while a participant has not voted yes
//!                 FAST: COMMIT only after every participant voted for that ID, and never a vote of the last one
//!                 after ABORT
//! ```

use super::MOST;
use quorate_storage::keys::unescape_terminated;
use quorate_storage::{Keyspace, Op};
use quorate_txn::api::{RecordKey, RegisterState};
use quorate_txn::commit::{Core, quorum};
use quorate_txn::record::{self, Header, Plan, attempt_of_key};
use quorate_txn::{Attempt, Ballot, TxnId};
use std::collections::{BTreeMap, BTreeSet};

/// All attempts.
#[derive(Debug, Default)]
pub(super) struct Registers {
    attempts: BTreeMap<Attempt, Seen>,
    findings: Vec<String>,
}

/// What was seen of an attempt.
#[derive(Debug, Default)]
struct Seen {
    /// Changes of each register, by the engine key of its header.
    registers: BTreeMap<Vec<u8>, BTreeMap<u64, Core>>,
    participants: BTreeSet<Vec<u8>>,
    acceptors: BTreeSet<Vec<u8>>,
    /// The commit ID of the first vote on path FAST.
    fast: Option<TxnId>,
    outcome: Option<Core>,
}

fn puts(ops: &[Op]) -> impl Iterator<Item = (&[u8], &[u8])> {
    ops.iter().filter_map(|op| match op {
        Op::Put { keyspace: Keyspace::Record, key, value } => Some((key.as_slice(), value.as_ref())),
        _ => None,
    })
}

impl Registers {
    /// A batch is about to be written; which registers it changes as no replica did before, in words.
    pub(super) fn writes(&mut self, ops: &[Op]) -> Vec<String> {
        // Plans first: a header may come before its plan in one batch.
        for (key, value) in puts(ops) {
            self.plan(key, value);
        }
        puts(ops).filter_map(|(key, value)| self.header(key, value)).collect()
    }

    /// Whether each register of an attempt has been decided.
    pub(super) fn are_all_decided(&self, attempt: Attempt) -> bool {
        let Some(seen) = self.attempts.get(&attempt) else { return true };
        let decided = |key| {
            let last = seen.registers.get(key).and_then(|register| register.values().next_back());
            last.is_some_and(|core: &Core| core.state.is_decided())
        };
        seen.participants.iter().all(decided)
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.findings)
    }

    fn plan(&mut self, key: &[u8], value: &[u8]) {
        let Some((&record::PLAN, header_key)) = key.split_last() else { return };
        let (Some(attempt), Ok(plan)) = (attempt_of_key(header_key), Plan::decode(value)) else { return };
        let header_key = |part_key| record::header_key(&RecordKey { part_key, attempt });
        let seen = self.attempts.entry(attempt).or_default();
        seen.participants.extend(plan.participants.into_iter().map(header_key));
        seen.acceptors.extend(plan.acceptors.into_iter().map(header_key));
    }

    fn header(&mut self, key: &[u8], value: &[u8]) -> Option<String> {
        let attempt = attempt_of_key(key)?;
        let Ok(header) = Header::decode(value) else {
            self.findings.push(format!("a register of attempt {attempt} that cannot be read"));
            return None;
        };
        let seen = self.attempts.entry(attempt).or_default();
        let known = seen.registers.get(key).map_or(0, BTreeMap::len);
        let found = seen.change(key, &header);
        let changed = seen.registers.get(key).map_or(0, BTreeMap::len) > known;
        let room = MOST.saturating_sub(self.findings.len());
        self.findings.extend(found.into_iter().take(room).map(|found| format!("attempt {attempt}: {found}")));
        let part_key = unescape_terminated(key).map(|(part_key, _)| part_key).unwrap_or_default();
        changed.then(|| format!("{attempt} at {}: {:?}", part_key.escape_ascii(), header.core))
    }
}

impl Seen {
    fn change(&mut self, key: &[u8], header: &Header) -> Vec<String> {
        let (seq, core) = (header.seq, header.core);
        let mut found = Vec::new();
        let register = self.registers.entry(key.to_vec()).or_default();
        match register.get(&seq) {
            Some(known) if *known == core => return found,
            Some(known) => found.push(format!("change {seq} is {known:?} on one replica and {core:?} on another")),
            None => {}
        }
        if let Some((_, before)) = register.range(..seq).next_back().filter(|(_, before)| before.state.is_decided()) {
            found.push(format!("a register that was {before:?} became {core:?}"));
        }
        register.insert(seq, core);
        if core.is_fast() {
            found.extend(self.fast_vote(core.commit_id));
        }
        if !core.state.is_decided() {
            return found;
        }
        match self.outcome {
            Some(known) if (known.state, known.commit_id) != (core.state, core.commit_id) => {
                found.push(format!("one register is {known:?}, another {core:?}"));
            }
            Some(_) => {}
            None => {
                self.outcome = Some(core);
                found.extend(self.unfounded(core));
            }
        }
        found
    }

    /// Why a vote on path FAST was not to be.
    fn fast_vote(&mut self, commit_id: TxnId) -> Option<String> {
        let first = *self.fast.get_or_insert(commit_id);
        if first != commit_id {
            return Some(format!("votes for a commit at {first} and at {commit_id}"));
        }
        let aborted = self.outcome.is_some_and(|outcome| outcome.state == RegisterState::Aborted);
        (aborted && self.all_voted()).then(|| "all participants voted for what was aborted".to_owned())
    }

    fn all_voted(&self) -> bool {
        let yes = |key| self.registers.get(key).is_some_and(|register| register.values().any(|core| voted(core.state)));
        self.participants.iter().chain(&self.acceptors).all(yes)
    }

    /// Why an outcome was not to be told yet.
    fn unfounded(&self, outcome: Core) -> Option<String> {
        if let Some(commit_id) = self.fast {
            let fine = match outcome.state {
                RegisterState::Committed => outcome.commit_id == commit_id && self.all_voted(),
                _ => !self.all_voted(),
            };
            return (!fine).then(|| format!("decided as {outcome:?} against the votes"));
        }
        if self.acceptors.is_empty() {
            // Decided by its only register.
            return None;
        }
        let (state, commit_id) = match outcome.state {
            RegisterState::Committed => (RegisterState::PreCommit, outcome.commit_id),
            _ => (RegisterState::PreAbort, TxnId(0)),
        };
        let mut accepting: BTreeMap<Ballot, BTreeSet<&[u8]>> = BTreeMap::new();
        for (key, register) in self.registers.iter().filter(|(key, _)| self.acceptors.contains(*key)) {
            for core in register.values().filter(|core| core.state == state && core.commit_id == commit_id) {
                accepting.entry(core.accepted).or_default().insert(key);
            }
        }
        let most = accepting.values().map(BTreeSet::len).max().unwrap_or(0);
        let refused = || !self.all_voted();
        let aborted = outcome.state == RegisterState::Aborted;
        (most < quorum(self.acceptors.len()) && !(aborted && refused())).then(|| {
            format!("decided as {outcome:?}, accepted by {most} of {} acceptors at one ballot", self.acceptors.len())
        })
    }
}

/// Whether a register in this state has voted yes.
fn voted(state: RegisterState) -> bool {
    matches!(state, RegisterState::Prepared | RegisterState::PreCommit | RegisterState::PreAbort)
}

#[cfg(test)]
mod tests {
    use super::*;
    use RegisterState::{Aborted, Committed, PreAbort, PreCommit, Prepared};

    const ATTEMPT: Attempt = Attempt { gateway: 1, incarnation: 2, counter: 3, birth: TxnId(1) };

    fn record(part: u8) -> RecordKey {
        RecordKey { part_key: vec![part], attempt: ATTEMPT }
    }

    fn put(key: Vec<u8>, value: Vec<u8>) -> Op {
        Op::Put { keyspace: Keyspace::Record, key, value }
    }

    fn header(part: u8, seq: u64, state: RegisterState, round: u64) -> Op {
        let ballot = Ballot { round, terminator: (0, 0) };
        let commit_id = if matches!(state, PreCommit | Committed) { TxnId(70) } else { TxnId(0) };
        let accepted = if matches!(state, PreCommit | PreAbort) { ballot } else { Ballot::default() };
        let core = Core { state, promised: ballot, accepted, commit_id, ..Core::default() };
        put(record::header_key(&record(part)), Header::decided(seq, core).encode())
    }

    /// Three participants vote yes.
    fn voted_all() -> Registers {
        let mut seen = Registers::default();
        let parts: Vec<Vec<u8>> = (0..3).map(|part| vec![part]).collect();
        for part in 0..3 {
            let plan = Plan { participants: parts.clone(), acceptors: parts.clone(), ..Plan::default() };
            seen.writes(&[header(part, 1, Prepared, 0), put(record::plan_key(&record(part)), plan.encode())]);
        }
        seen
    }

    fn after(ops: &[Op]) -> Vec<String> {
        let mut seen = voted_all();
        for op in ops {
            seen.writes(std::slice::from_ref(op));
        }
        seen.take()
    }

    #[track_caller]
    fn finds(ops: &[Op], what: &str) {
        let found = after(ops);
        assert!(found.iter().any(|finding| finding.contains(what)), "not {what:?}: {found:?}");
    }

    #[test]
    fn good_decisions_pass() {
        let commit = [header(0, 2, PreCommit, 4), header(1, 2, PreCommit, 4), header(2, 2, Committed, 0)];
        assert_eq!(after(&commit), Vec::<String>::new());
        let again = [commit.as_slice(), &commit].concat();
        assert_eq!(after(&again), Vec::<String>::new(), "replicas and restarts repeat what was");
        let abort = [header(0, 2, PreAbort, 4), header(1, 2, PreAbort, 4), header(2, 2, Aborted, 0)];
        assert_eq!(after(&abort), Vec::<String>::new());
        let mut refused = Registers::default();
        refused.writes(&[header(0, 1, Aborted, 0)]);
        assert_eq!(refused.take(), Vec::<String>::new());
    }

    #[test]
    fn decisions_without_a_quorum_are_found() {
        finds(&[header(0, 2, PreCommit, 4), header(2, 2, Committed, 0)], "accepted by 1 of 3");
        finds(&[header(0, 2, PreCommit, 4), header(1, 2, PreCommit, 5), header(2, 2, Committed, 0)], "accepted by 1");
        finds(&[header(0, 2, PreAbort, 4), header(1, 2, PreCommit, 4), header(2, 2, Aborted, 0)], "accepted by 1");
        finds(&[header(2, 2, Aborted, 0)], "accepted by 0");
    }

    /// A vote of one of two participants on path FAST.
    fn fast(part: u8, commit_id: u64) -> [Op; 2] {
        let participants = vec![vec![0], vec![1]];
        let core = Core { state: Prepared, commit_id: TxnId(commit_id), ..Core::default() };
        let vote = put(record::header_key(&record(part)), Header::decided(1, core).encode());
        let plan = Plan { participants, ..Plan::default() };
        [vote, put(record::plan_key(&record(part)), plan.encode())]
    }

    fn fast_history(steps: &[&[Op]]) -> Vec<String> {
        let mut seen = Registers::default();
        for ops in steps {
            seen.writes(ops);
        }
        seen.take()
    }

    #[test]
    fn one_round_is_decided_by_all() {
        let none = Vec::<String>::new();
        let (first, second) = (fast(0, 70), fast(1, 70));
        let (committed, aborted) = ([header(0, 2, Committed, 0)], [header(0, 2, Aborted, 0)]);
        let refused = [header(1, 1, Aborted, 0)];
        assert_eq!(fast_history(&[&first, &second, &committed]), none);
        assert_eq!(fast_history(&[&first, &refused, &aborted]), none);
        assert_eq!(fast_history(&[&first, &aborted]), none, "the other one can never vote");
        for bad in [
            fast_history(&[&first, &committed]),
            fast_history(&[&first, &second, &aborted]),
            fast_history(&[&first, &aborted, &second]),
            fast_history(&[&first, &fast(1, 71)]),
        ] {
            assert_eq!(bad.len(), 1, "{bad:?}");
        }
    }

    #[test]
    fn registers_that_change_their_minds_are_found() {
        let commit = [header(0, 2, PreCommit, 4), header(1, 2, PreCommit, 4), header(2, 2, Committed, 0)];
        let with = |op| [commit.as_slice(), &[op]].concat();
        finds(&with(header(2, 3, Aborted, 0)), "a register that was");
        finds(&with(header(0, 3, Aborted, 0)), "another");
        finds(&with(header(1, 2, PreAbort, 4)), "on one replica");
    }
}
