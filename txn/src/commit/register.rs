//! The register of one participant: state and message in, new state out.

use crate::api::RegisterState;
use crate::{Ballot, TxnId};
use quorate_storage::mutation::planted;

/// The changing part of a register; the default is NONE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Core {
    /// Where it stands.
    pub state: RegisterState,
    /// Highest ballot promised: lower proposals are refused.
    pub promised: Ballot,
    /// Ballot of the accepted proposal, if the state is PRECOMMIT or PREABORT.
    pub accepted: Ballot,
    /// Commit ID of the accepted proposal, or the final one; of a FAST vote, the one it is for.
    pub commit_id: TxnId,
    /// Lower bound of the commit ID.
    pub min_c: TxnId,
}

impl Core {
    /// Whether this is a vote on path FAST.
    pub fn is_fast(&self) -> bool {
        self.state == RegisterState::Prepared && self.commit_id > TxnId(0)
    }
}

/// What is asked of a register (CanCommit and PrepareFast, which carry data, apart).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Fence lower ballots.
    Inquire {
        /// The fence.
        ballot: Ballot,
    },
    /// Accept a commit.
    PreCommit {
        /// Whose proposal.
        ballot: Ballot,
        /// At which ID.
        commit_id: TxnId,
    },
    /// Accept an abort.
    PreAbort {
        /// Whose proposal.
        ballot: Ballot,
    },
    /// It is decided: commit.
    DoCommit {
        /// At which ID.
        commit_id: TxnId,
    },
    /// It is decided: abort.
    DoAbort,
    /// Decide a one-range attempt.
    Settle,
}

/// What a message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing; the answer is the register as it is.
    Keep,
    /// The register becomes this.
    Become(Core),
    /// The sender and this register contradict each other: nothing may be written.
    Corrupt,
}

/// The register after `message`.
pub fn step(now: Core, message: Message) -> Step {
    match message {
        Message::Inquire { .. } | Message::PreCommit { .. } | Message::PreAbort { .. } if now.is_fast() => Step::Keep,
        Message::Inquire { ballot } => inquire(now, ballot),
        Message::PreCommit { commit_id, .. } if is_open(now.state) && commit_id < now.min_c => Step::Corrupt,
        Message::PreCommit { ballot, commit_id } => propose(now, ballot, RegisterState::PreCommit, commit_id),
        Message::PreAbort { ballot } => propose(now, ballot, RegisterState::PreAbort, TxnId(0)),
        Message::DoCommit { commit_id } => commit(now, commit_id),
        Message::DoAbort => match now.state {
            RegisterState::Committed | RegisterState::Aborted => Step::Keep,
            _ => aborted(now),
        },
        Message::Settle => match now.state {
            RegisterState::None | RegisterState::Pending => aborted(now),
            _ => Step::Keep,
        },
    }
}

/// Voted yes and not decided.
fn is_open(state: RegisterState) -> bool {
    matches!(state, RegisterState::Prepared | RegisterState::PreCommit | RegisterState::PreAbort)
}

fn inquire(now: Core, ballot: Ballot) -> Step {
    match now.state {
        RegisterState::None | RegisterState::Pending => aborted(now),
        state if is_open(state) && ballot > now.promised => Step::Become(Core { promised: ballot, ..now }),
        _ => Step::Keep,
    }
}

fn propose(now: Core, ballot: Ballot, state: RegisterState, commit_id: TxnId) -> Step {
    let used = now.state != RegisterState::Prepared && ballot <= now.accepted;
    if !is_open(now.state) || (ballot < now.promised && !planted("fence-ignored")) || used {
        return Step::Keep;
    }
    Step::Become(Core { state, promised: ballot, accepted: ballot, commit_id, min_c: now.min_c })
}

fn commit(now: Core, commit_id: TxnId) -> Step {
    match now.state {
        RegisterState::Committed if now.commit_id == commit_id => Step::Keep,
        RegisterState::Prepared if now.is_fast() && now.commit_id != commit_id => Step::Corrupt,
        state if is_open(state) && commit_id >= now.min_c => {
            Step::Become(Core { state: RegisterState::Committed, commit_id, ..now })
        }
        _ => Step::Corrupt,
    }
}

fn aborted(now: Core) -> Step {
    Step::Become(Core { state: RegisterState::Aborted, commit_id: TxnId(0), ..now })
}

#[cfg(test)]
mod tests {
    use super::*;
    use RegisterState::{Aborted, Committed, None, Pending, PreAbort, PreCommit, Prepared};

    fn ballot(round: u64) -> Ballot {
        Ballot { round, terminator: (0, round) }
    }

    fn core(state: RegisterState) -> Core {
        let commit_id = if matches!(state, PreCommit | Committed) { TxnId(20) } else { TxnId(0) };
        Core { state, promised: ballot(2), accepted: ballot(1), commit_id, min_c: TxnId(10) }
    }

    /// The state after `message` in each state; `Err` is corruption.
    fn row(message: Message) -> [Result<RegisterState, ()>; 7] {
        [None, Pending, Prepared, PreCommit, PreAbort, Committed, Aborted].map(|state| {
            match step(core(state), message) {
                Step::Keep => Ok(state),
                Step::Become(core) => Ok(core.state),
                Step::Corrupt => Err(()),
            }
        })
    }

    #[test]
    fn rows_of_the_table() {
        let ok = |states: [RegisterState; 7]| states.map(Ok);
        let kept = [None, Pending, Prepared, PreCommit, PreAbort, Committed, Aborted];
        assert_eq!(
            row(Message::Inquire { ballot: ballot(3) }),
            ok([Aborted, Aborted, Prepared, PreCommit, PreAbort, Committed, Aborted])
        );
        assert_eq!(
            row(Message::PreCommit { ballot: ballot(2), commit_id: TxnId(30) }),
            ok([None, Pending, PreCommit, PreCommit, PreCommit, Committed, Aborted])
        );
        assert_eq!(
            row(Message::PreAbort { ballot: ballot(2) }),
            ok([None, Pending, PreAbort, PreAbort, PreAbort, Committed, Aborted])
        );
        assert_eq!(row(Message::PreCommit { ballot: ballot(1), commit_id: TxnId(30) }), ok(kept), "below the promise");
        assert_eq!(row(Message::PreAbort { ballot: ballot(1) }), ok(kept), "below the promise");
        assert_eq!(
            row(Message::DoCommit { commit_id: TxnId(20) }),
            [Err(()), Err(()), Ok(Committed), Ok(Committed), Ok(Committed), Ok(Committed), Err(())]
        );
        assert_eq!(row(Message::DoCommit { commit_id: TxnId(21) })[5], Err(()), "one attempt, one ID");
        assert_eq!(row(Message::DoAbort), ok([Aborted, Aborted, Aborted, Aborted, Aborted, Committed, Aborted]));
        assert_eq!(row(Message::Settle), ok([Aborted, Aborted, Prepared, PreCommit, PreAbort, Committed, Aborted]));
    }

    #[test]
    fn a_ballot_carries_one_value() {
        let prepared = Core { state: Prepared, ..Core::default() };
        let Step::Become(aborting) = step(prepared, Message::PreAbort { ballot: ballot(0) }) else { panic!("refused") };
        assert_eq!(step(aborting, Message::PreCommit { ballot: ballot(0), commit_id: TxnId(5) }), Step::Keep);
        let Step::Become(later) = step(aborting, Message::PreCommit { ballot: ballot(1), commit_id: TxnId(5) }) else {
            panic!("refused")
        };
        assert_eq!((later.state, later.accepted, later.commit_id), (PreCommit, ballot(1), TxnId(5)));
        assert_eq!(step(later, Message::PreCommit { ballot: ballot(1), commit_id: TxnId(6) }), Step::Keep);
    }

    #[test]
    fn a_fast_vote_waits_for_the_outcome_at_its_own_id() {
        let vote = Core { state: Prepared, commit_id: TxnId(20), min_c: TxnId(20), ..Core::default() };
        for message in [
            Message::Inquire { ballot: ballot(3) },
            Message::PreCommit { ballot: ballot(3), commit_id: TxnId(20) },
            Message::PreAbort { ballot: ballot(3) },
            Message::Settle,
        ] {
            assert_eq!(step(vote, message), Step::Keep, "{message:?}");
        }
        assert_eq!(step(vote, Message::DoCommit { commit_id: TxnId(21) }), Step::Corrupt);
        let Step::Become(done) = step(vote, Message::DoCommit { commit_id: TxnId(20) }) else { panic!("kept") };
        assert_eq!((done.state, done.commit_id), (Committed, TxnId(20)));
        let Step::Become(over) = step(vote, Message::DoAbort) else { panic!("kept") };
        assert_eq!((over.state, over.commit_id), (Aborted, TxnId(0)));
    }

    #[test]
    fn an_inquiry_raises_the_promise_and_keeps_the_value() {
        let Step::Become(after) = step(core(PreCommit), Message::Inquire { ballot: ballot(5) }) else { panic!("kept") };
        assert_eq!(after, Core { promised: ballot(5), ..core(PreCommit) });
        assert_eq!(step(after, Message::Inquire { ballot: ballot(4) }), Step::Keep);
    }

    #[test]
    fn a_commit_below_what_readers_have_passed_is_refused() {
        let low = TxnId(9);
        assert_eq!(step(core(Prepared), Message::PreCommit { ballot: ballot(2), commit_id: low }), Step::Corrupt);
        assert_eq!(step(core(Prepared), Message::DoCommit { commit_id: low }), Step::Corrupt);
    }
}
