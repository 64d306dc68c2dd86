//! Ends an attempt whose coordinator is silent: anybody may, and several may at once.
//!
//! ```text
//!   ballot b := above all seen ─► Inquire(b) at every register ─► Survey decides
//!        ▲                            finish ◄── known            │ value v
//!        └──── back-off ◄── refused ◄── PreCommit(b, C) / PreAbort(b) at the acceptors ── quorum ─► finish
//! ```

use super::outcome::{Coordinator, Heard, register};
use crate::api::{RecordKey, Register, RegisterState, Request, TxnMeta};
use crate::commit::{Decision, Survey, Value};
use crate::error::Error;
use crate::service::{Backoff, PATIENCE};
use crate::{Attempt, Ballot, StartId, TxnId};
use futures::stream::{FuturesUnordered, StreamExt};
use quorate_storage::mutation::planted;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long one round waits for a register.
const ASKING: Duration = Duration::from_secs(2);
/// How long it waits for the others once it could go on.
const STRAGGLING: Duration = Duration::from_millis(200);

impl Coordinator {
    /// Drives the attempt to its outcome and tells it to the participants; `None` if the deciding quorum could not be
    /// reached for a while. The lists may be incomplete (one part key is enough): registers name the others.
    pub async fn terminate(&self, attempt: Attempt, participants: &[Vec<u8>], acceptors: &[Vec<u8>]) -> Option<Value> {
        let (value, participants) = self.drive(attempt, (participants, acceptors), None).await?;
        tracing::info!(%attempt, outcome = ?value, "ended an attempt without its coordinator");
        self.spread(attempt, participants, commit_id_of(value));
        Some(value)
    }

    /// Drives the attempt to its outcome; also names the participants, whom nobody has told. `word`: what the record of
    /// an attempt that is held says.
    pub(super) async fn drive(
        &self,
        attempt: Attempt,
        (participants, acceptors): (&[Vec<u8>], &[Vec<u8>]),
        word: Option<Value>,
    ) -> Option<(Value, Vec<Vec<u8>>)> {
        let start = self.runtime().now();
        let mut backoff = Backoff::new(self.runtime(), Duration::from_millis(20), Duration::from_secs(1));
        let mut round = Round {
            attempt,
            participants: participants.to_vec(),
            acceptors: acceptors.to_vec(),
            ballot: Ballot::default(),
            highest: 0,
            registers: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            word,
        };
        while self.runtime().now() - start < PATIENCE && !self.router.tasks().is_closed() {
            if let Some(value) = self.run(&mut round).await {
                return Some((value, round.members()));
            }
            backoff.wait().await;
        }
        None
    }

    /// One round under a ballot of its own.
    async fn run(&self, round: &mut Round) -> Option<Value> {
        let terminator = (self.runtime().random_u64(), self.runtime().random_u64());
        round.ballot = Ballot { round: round.highest + 1, terminator };
        let ballot = round.ballot;
        let inquire = |record| Request::Inquire { record, ballot };
        let members = round.members();
        self.ask(round, members, inquire, |survey| survey.decide() != Decision::Wait).await;
        if round.learn_members() {
            let members = round.members();
            self.ask(round, members, inquire, |survey| survey.decide() != Decision::Wait).await;
        }
        if round.is_over() {
            return round.word;
        }
        let value = match round.survey().decide() {
            Decision::Finish(value) => return Some(value),
            Decision::Wait => return None,
            Decision::Propose(value) => value,
            Decision::ProposeIfReadsHold => self.fresh_value(round).await?,
        };
        let propose = |record| match value {
            Value::Commit(commit_id) => Request::PreCommit { record, ballot, commit_id },
            Value::Abort => Request::PreAbort { record, ballot },
        };
        let acceptors = round.acceptors.clone();
        self.ask(round, acceptors, propose, |survey| survey.outcome().is_some() || survey.accepted(value)).await;
        let survey = round.survey();
        survey.outcome().or_else(|| survey.accepted(value).then_some(value))
    }

    /// Everybody is prepared: commit at a fresh ID if all reads hold there. `None` if that cannot be found out now.
    async fn fresh_value(&self, round: &Round) -> Option<Value> {
        let commit_id = self.oracle.fresh_commit_id().await.ok()?.commit_id;
        for register in round.registers.values() {
            let meta =
                TxnMeta { attempt: round.attempt, start: age(round.attempt, register), read_id: register.read_id };
            let reads = register.reads.clone();
            match self.refresh(meta, reads, register.read_id, commit_id, true).await {
                Ok(true) => {}
                Ok(false) | Err(Error::TooOld { .. }) => return Some(Value::Abort),
                Err(_) => return None,
            }
        }
        Some(Value::Commit(commit_id))
    }

    /// Asks these members and keeps what they answer. Once that is `enough`, the others have a moment left: a range that
    /// cannot be reached must not keep those locked that can.
    async fn ask(
        &self,
        round: &mut Round,
        members: Vec<Vec<u8>>,
        make: impl Fn(RecordKey) -> Request,
        enough: impl Fn(&Survey<'_>) -> bool,
    ) {
        let attempt = round.attempt;
        let make = &make;
        let ask = |part_key| async move {
            let record = RecordKey { part_key, attempt };
            let register = self.ask_register(&record, make, None).await;
            (record.part_key, register)
        };
        let mut asked: FuturesUnordered<_> = members.into_iter().map(ask).collect();
        round.registers.clear();
        let mut forgotten = BTreeSet::new();
        let mut until = self.runtime().now() + ASKING;
        let mut had_enough = false;
        loop {
            let left = until.saturating_duration_since(self.runtime().now());
            let Some(Some((part_key, register))) = self.runtime().timeout(left, asked.next()).await else { break };
            match register {
                Some(Heard::Forgotten) => {
                    forgotten.insert(part_key);
                }
                Some(Heard::Register(register)) => {
                    round.registers.insert(part_key, register);
                }
                None => {}
            }
            if !had_enough && enough(&round.survey()) {
                had_enough = true;
                until = until.min(self.runtime().now() + STRAGGLING);
            }
        }
        round.conclude();
        round.forgotten.append(&mut forgotten);
        let highest = round.registers.values().map(|register| register.promised.round).max();
        round.highest = round.highest.max(highest.unwrap_or(0)).max(round.ballot.round);
    }
}

/// What a terminator knows.
struct Round {
    attempt: Attempt,
    participants: Vec<Vec<u8>>,
    acceptors: Vec<Vec<u8>>,
    ballot: Ballot,
    /// Highest round of a ballot seen.
    highest: u64,
    registers: BTreeMap<Vec<u8>, Register>,
    /// Members that have no record of the attempt and never will.
    forgotten: BTreeSet<Vec<u8>>,
    /// See [`Survey::word`].
    word: Option<Value>,
}

impl Round {
    fn members(&self) -> Vec<Vec<u8>> {
        let mut members = [self.participants.as_slice(), self.acceptors.as_slice()].concat();
        members.sort_unstable();
        members.dedup();
        members
    }

    /// A member that had forgotten the attempt before these registers were read, and one that holds it undecided: only
    /// ABORTED is forgotten that early, or there never was a record, and will not be. (The other way round it would
    /// prove nothing: while the second is asked, the attempt may be committed, and collected at the first.) An undecided
    /// register is answered under a confirmed leadership only, so that it is not read from before.
    fn conclude(&mut self) {
        let open = self.registers.values().any(|register| !register.state.is_decided());
        if open {
            let aborted = || register(RegisterState::Aborted, TxnId(0));
            self.registers.extend(self.forgotten.iter().map(|part_key| (part_key.clone(), aborted())));
        }
    }

    /// Takes the members that registers name; whether that added any.
    fn learn_members(&mut self) -> bool {
        let before = self.members().len();
        if let Some(register) = self.registers.values().find(|register| !register.participants.is_empty()) {
            self.participants.clone_from(&register.participants);
            self.acceptors.clone_from(&register.acceptors);
        }
        self.members().len() > before
    }

    fn survey(&self) -> Survey<'_> {
        Survey {
            participants: &self.participants,
            acceptors: &self.acceptors,
            ballot: self.ballot,
            replies: &self.registers,
            word: self.word,
        }
    }

    /// The record has the word, and no member has anything left that could be told.
    fn is_over(&self) -> bool {
        self.word.is_some() && self.members().iter().all(|part_key| self.forgotten.contains(part_key))
    }
}

/// The age that recovery acts under: that of the attempt, unless the bug is planted that makes it as young as its S.
fn age(attempt: Attempt, register: &Register) -> StartId {
    if planted("recovery-rejuvenates") {
        return StartId { read_id: register.read_id, first: attempt };
    }
    register.start
}

/// The commit ID of an outcome.
pub(super) fn commit_id_of(value: Value) -> Option<TxnId> {
    match value {
        Value::Commit(commit_id) => Some(commit_id),
        Value::Abort => None,
    }
}
