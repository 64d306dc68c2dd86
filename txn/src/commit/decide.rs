//! What recovery concludes from the registers it could read.

use crate::api::{Register, RegisterState};
use crate::{Ballot, TxnId};
use quorate_storage::mutation::planted;
use std::collections::BTreeMap;

/// Acceptors at most; more would only add messages.
const MAX_ACCEPTORS: usize = 5;

/// What a proposal proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Commit at this ID.
    Commit(TxnId),
    /// Abort.
    Abort,
}

/// Registers as answered to one terminator's `Inquire(ballot)`.
#[derive(Clone, Copy, Debug)]
pub struct Survey<'a> {
    /// Part keys of all participants.
    pub participants: &'a [Vec<u8>],
    /// Part keys of the acceptors.
    pub acceptors: &'a [Vec<u8>],
    /// The terminator's ballot.
    pub ballot: Ballot,
    /// Registers by part key; those that could not be reached are missing.
    pub replies: &'a BTreeMap<Vec<u8>, Register>,
    /// What the record of an attempt that is held says it shall become, if it says so.
    pub word: Option<Value>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It has been decided: tell everybody.
    Finish(Value),
    /// Propose this to the acceptors at the survey's ballot.
    Propose(Value),
    /// Nobody has proposed and everybody voted yes: take a fresh ID, refresh the recorded reads there, and propose a
    /// commit if all hold, else an abort.
    ProposeIfReadsHold,
    /// No quorum promised the ballot, or (path FAST) not everybody answered, or its client has the word: ask again later.
    Wait,
}

/// How many of `acceptors` are a quorum.
pub fn quorum(acceptors: usize) -> usize {
    acceptors / 2 + 1
}

/// Whether so many participants need an arbiter, to be an odd number of acceptors together: then the decision is made
/// without any one of two, or any two of four.
pub fn wants_arbiter(participants: usize) -> bool {
    participants.is_multiple_of(2) && participants < MAX_ACCEPTORS
}

/// The acceptors: `participants` and the arbiter, if they want one and there is one; else the largest odd number of
/// participants up to five, or both when there are two.
pub fn choose_acceptors(participants: &[Vec<u8>], arbiter: Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let count = match participants.len() {
        all if wants_arbiter(all) && arbiter.is_some() => all,
        2 => 2,
        odd if odd % 2 == 1 => odd.min(MAX_ACCEPTORS),
        even => even.saturating_sub(1).min(MAX_ACCEPTORS),
    };
    let arbiter = arbiter.filter(|_| wants_arbiter(participants.len()));
    participants[..count].iter().cloned().chain(arbiter).collect()
}

impl Survey<'_> {
    /// The rule of recovery.
    pub fn decide(&self) -> Decision {
        if let Some(value) = self.outcome() {
            return Decision::Finish(value);
        }
        if let Some(commit_id) = self.fast() {
            let decided = self.unanimous() || planted("fast-decided-without-all");
            return if decided { Decision::Finish(Value::Commit(commit_id)) } else { Decision::Wait };
        }
        let promised: Vec<&Register> =
            self.acceptor_replies().filter(|register| register.promised == self.ballot).collect();
        if promised.len() < quorum(self.acceptors.len()) && !planted("decided-without-quorum") {
            return Decision::Wait;
        }
        let proposed = promised.iter().filter(|register| proposal(register).is_some());
        match proposed.max_by_key(|register| register.accepted).and_then(|register| proposal(register)) {
            Some(value) => Decision::Propose(value),
            None if self.is_held() => self.word.map_or(Decision::Wait, Decision::Propose),
            None if self.all_prepared_without_foreign_reads() => Decision::ProposeIfReadsHold,
            None => Decision::Propose(Value::Abort),
        }
    }

    /// Whether a quorum accepted `value` at the survey's ballot (the replies being answers to that proposal).
    pub fn accepted(&self, value: Value) -> bool {
        let accepting = |register: &&Register| register.accepted == self.ballot && proposal(register) == Some(value);
        self.acceptor_replies().filter(accepting).count() >= quorum(self.acceptors.len())
            || planted("decided-without-quorum")
    }

    /// The outcome, if some register knows it.
    pub fn outcome(&self) -> Option<Value> {
        self.replies.values().find_map(|register| match register.state {
            RegisterState::Committed => Some(Value::Commit(register.commit_id)),
            RegisterState::Aborted => Some(Value::Abort),
            _ => None,
        })
    }

    /// The commit ID that the attempt was prepared for, if it is on path FAST.
    fn fast(&self) -> Option<TxnId> {
        self.replies.values().find(|register| register.is_fast()).map(|register| register.commit_id)
    }

    /// Whether every participant has voted for a commit at one ID, which is then the outcome.
    pub fn unanimous(&self) -> bool {
        self.participants.iter().all(|part_key| self.replies.get(part_key).is_some_and(Register::is_fast))
    }

    /// Whether the outcome is the word of the record that holds the attempt, and nobody else's.
    fn is_held(&self) -> bool {
        let held = self.word.is_some() || self.replies.values().any(|register| register.held);
        held && !planted("held-terminated")
    }

    fn acceptor_replies(&self) -> impl Iterator<Item = &Register> {
        self.acceptors.iter().filter_map(|part_key| self.replies.get(part_key))
    }

    /// An arbiter that has not voted may still refuse, and then nobody else's vote counts.
    fn all_prepared_without_foreign_reads(&self) -> bool {
        let arbiters = self.acceptors.iter().filter(|_| !planted("arbiter-unasked"));
        self.participants.iter().chain(arbiters).all(|part_key| {
            let register = self.replies.get(part_key);
            register.is_some_and(|register| register.state == RegisterState::Prepared && !register.foreign_reads)
        })
    }
}

fn proposal(register: &Register) -> Option<Value> {
    match register.state {
        RegisterState::PreCommit => Some(Value::Commit(register.commit_id)),
        RegisterState::PreAbort => Some(Value::Abort),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RegisterState::{Aborted, Committed, PreAbort, PreCommit, Prepared};

    const BALLOT: Ballot = Ballot { round: 9, terminator: (1, 1) };

    fn register(state: RegisterState, accepted: u64) -> Register {
        Register {
            state,
            promised: BALLOT,
            accepted: Ballot { round: accepted, terminator: (0, 0) },
            commit_id: if matches!(state, PreCommit | Committed) { TxnId(70) } else { TxnId(0) },
            min_c: TxnId(0),
            participants: Vec::new(),
            acceptors: Vec::new(),
            foreign_reads: false,
            held: false,
            reads: Vec::new(),
            read_id: TxnId(0),
            start: crate::StartId::default(),
            index: 0,
        }
    }

    /// Decides for three participants, all acceptors; `None` could not be reached.
    fn decide(replies: [Option<Register>; 3]) -> Decision {
        told(replies, None)
    }

    /// The same with the word of the attempt's record.
    fn told(replies: [Option<Register>; 3], word: Option<Value>) -> Decision {
        let parts: Vec<Vec<u8>> = (0..3).map(|n| vec![n]).collect();
        let replies = parts.iter().cloned().zip(replies).filter_map(|(part, reply)| Some((part, reply?))).collect();
        Survey { participants: &parts, acceptors: &parts, ballot: BALLOT, replies: &replies, word }.decide()
    }

    fn is(state: RegisterState) -> Option<Register> {
        Some(register(state, 0))
    }

    #[test]
    fn everybody_reachable() {
        assert_eq!(decide([is(Prepared), is(Prepared), is(Prepared)]), Decision::ProposeIfReadsHold);
        assert_eq!(decide([is(PreCommit), is(Prepared), is(Prepared)]), Decision::Propose(Value::Commit(TxnId(70))));
        assert_eq!(decide([is(Prepared), is(Prepared), is(Aborted)]), Decision::Finish(Value::Abort));
        assert_eq!(decide([is(PreCommit), is(PreCommit), is(Committed)]), Decision::Finish(Value::Commit(TxnId(70))));
        let foreign = Some(Register { foreign_reads: true, ..register(Prepared, 0) });
        assert_eq!(decide([is(Prepared), foreign, is(Prepared)]), Decision::Propose(Value::Abort));
    }

    #[test]
    fn what_is_held_waits_for_the_word_of_its_record() {
        let held = |state| Some(Register { held: true, ..register(state, 0) });
        let (commit, other) = (Value::Commit(TxnId(70)), Value::Commit(TxnId(71)));
        let voted = || [held(Prepared), held(Prepared), held(Prepared)];
        assert_eq!(decide(voted()), Decision::Wait);
        assert_eq!(decide([held(Prepared), held(Prepared), None]), Decision::Wait);
        assert_eq!(told(voted(), Some(commit)), Decision::Propose(commit));
        assert_eq!(told(voted(), Some(Value::Abort)), Decision::Propose(Value::Abort));
        assert_eq!(told([held(PreCommit), held(Prepared), None], Some(other)), Decision::Propose(commit), "as ever");
        assert_eq!(told([held(Prepared), held(Aborted), None], Some(commit)), Decision::Finish(Value::Abort));
        assert_eq!(told([held(Prepared), None, None], Some(commit)), Decision::Wait, "no quorum");
    }

    #[test]
    fn a_quorum_reachable() {
        assert_eq!(decide([is(Prepared), is(Prepared), None]), Decision::Propose(Value::Abort));
        assert_eq!(decide([is(Prepared), is(PreCommit), None]), Decision::Propose(Value::Commit(TxnId(70))));
        assert_eq!(decide([is(PreAbort), None, is(Prepared)]), Decision::Propose(Value::Abort));
    }

    #[test]
    fn less_than_a_quorum_reachable() {
        assert_eq!(decide([is(PreCommit), None, None]), Decision::Wait);
        assert_eq!(decide([is(Committed), None, None]), Decision::Finish(Value::Commit(TxnId(70))));
        let fenced = Some(Register { promised: Ballot { round: 10, terminator: (2, 2) }, ..register(Prepared, 0) });
        assert_eq!(decide([is(Prepared), fenced.clone(), fenced]), Decision::Wait, "a higher ballot took over");
    }

    #[test]
    fn the_highest_accepted_ballot_wins() {
        let later_abort = Some(register(PreAbort, 3));
        assert_eq!(decide([is(PreCommit), later_abort.clone(), is(Prepared)]), Decision::Propose(Value::Abort));
        let latest_commit = Some(register(PreCommit, 4));
        assert_eq!(decide([latest_commit, later_abort, None]), Decision::Propose(Value::Commit(TxnId(70))));
    }

    #[test]
    fn fast_needs_every_participant() {
        let vote = || Some(Register { commit_id: TxnId(40), ..register(Prepared, 0) });
        assert_eq!(decide([vote(), vote(), vote()]), Decision::Finish(Value::Commit(TxnId(40))));
        assert_eq!(decide([vote(), vote(), None]), Decision::Wait, "the third may have refused");
        assert_eq!(decide([vote(), None, is(Aborted)]), Decision::Finish(Value::Abort));
        let told = Some(Register { commit_id: TxnId(40), ..register(Committed, 0) });
        assert_eq!(decide([vote(), None, told]), Decision::Finish(Value::Commit(TxnId(40))));
    }

    #[test]
    fn acceptors_are_odd_except_for_two() {
        let parts: Vec<Vec<u8>> = (0..8).map(|n| vec![n]).collect();
        let counts = [1, 2, 3, 4, 5, 6, 8].map(|n| choose_acceptors(&parts[..n], None).len());
        assert_eq!(counts, [1, 2, 3, 3, 5, 5, 5]);
        let arbiter = || Some(vec![99]);
        let counts = [1, 2, 3, 4, 5, 6, 8].map(|n| choose_acceptors(&parts[..n], arbiter()).len());
        assert_eq!(counts, [1, 3, 3, 5, 5, 5, 5]);
    }

    #[test]
    fn an_arbiter_makes_up_for_one_of_two_but_its_vote_is_needed_too() {
        let parts = vec![vec![1], vec![2]];
        let acceptors = choose_acceptors(&parts, Some(vec![3]));
        let decide = |replies: [Option<Register>; 3]| {
            let replies = acceptors.iter().cloned().zip(replies).filter_map(|(at, reply)| Some((at, reply?))).collect();
            Survey { participants: &parts, acceptors: &acceptors, ballot: BALLOT, replies: &replies, word: None }
                .decide()
        };
        assert_eq!(decide([is(Prepared), None, is(PreCommit)]), Decision::Propose(Value::Commit(TxnId(70))));
        assert_eq!(decide([is(Prepared), None, is(Prepared)]), Decision::Propose(Value::Abort));
        assert_eq!(decide([is(Prepared), None, None]), Decision::Wait);
        assert_eq!(decide([is(Prepared), is(Prepared), None]), Decision::Propose(Value::Abort), "it may have refused");
        assert_eq!(decide([is(Prepared), is(Prepared), is(Prepared)]), Decision::ProposeIfReadsHold);
    }
}
