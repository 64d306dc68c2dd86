//! A transaction that is held under a name: prepared by one session, ended by any other, on any node.
//!
//! ```text
//!   hold      record := Preparing ─► CanCommit, reads hold at C ─► record := Prepared(C)          the client is told
//!   commit    record := Committing(C) ─► registers, DoCommit ─► all acknowledged: no record        told after the first
//!   roll back no record ─► registers, DoAbort                                                      told after the first
//! ```
//! Its acceptors are participants only: the decision lies in the record, so that an arbiter would decide nothing.
//!
//! Each change of the record is a transaction of its own, so that a commit, a roll-back and recovery exclude each other
//! ([`crate::held`]). Volatile locks go as at a commit; intents keep the rows that were written.
//!
//! Who prepares, commits or rolls back may die at any step. The participants then ask for the word of the record, and a
//! record that no participant asks about (nobody was prepared, or all have ended) is cleared away by [`Client::look_after_held`].
//!
//! Invariant: [`Hold::Prepared`] is told only when the record says so.
//! Invariant: an error other than [`Error::Ambiguous`] means that the attempt is not and will never be prepared.

use super::client::{Client, Shared};
use super::commit::{MOST_ATTEMPTS, Part};
use super::handle::Transaction;
use super::observer::End;
use super::options::{Scan, TxnOptions};
use crate::api::{LockMode, LockWait, RecordKey};
use crate::commit::{Value, choose_acceptors};
use crate::coordinator::{Abort, Coordinator};
use crate::error::{Error, Result, RetryReason};
use crate::held::{Held, Stage, Word, word};
use crate::participant::{Ended, Resolver};
use crate::record::Plan;
use crate::service::Backoff;
use crate::trace::Recorder;
use crate::{Attempt, ReadSpan, TxnId};
use async_trait::async_trait;
use quorate_storage::Span;
use quorate_storage::mutation::planted;
use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;
use tokio::sync::oneshot;

/// Tries to change a record before its conflicts are told.
const MOST_CHANGES: usize = 100;
/// How long a client waits for the participants once its word is written. It decides nothing but when the client is told.
const TELLING: Duration = Duration::from_secs(2);
/// How often records are looked through for what its gateway left behind.
const SWEEP: Duration = Duration::from_secs(10);

/// What became of a transaction that was to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is prepared, and can be committed at this ID.
    Prepared(TxnId),
    /// The name is in use; nothing is left of the transaction.
    NameTaken,
}

/// What became of the word on a transaction that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is done, for good; a participant that could not be reached learns it later.
    Done,
    /// No such attempt is prepared under the name.
    Unknown,
    /// It is being committed and cannot be rolled back.
    Committing,
}

/// What becomes of a record.
enum Change {
    Keep,
    Put(Held),
    Delete,
}

impl Transaction {
    /// Holds the transaction under the record `name` instead of committing it: prepared, it survives this session and this
    /// node until [`Client::end_held`]. Ends the transaction for its session either way.
    ///
    /// # Errors
    /// As [`Transaction::commit`]; [`Error::Ambiguous`]: it may be prepared, its record tells.
    pub async fn hold(&mut self, name: &[u8], about: Vec<u8>) -> Result<Hold> {
        self.check_open()?;
        let result = self.hold_writes(name, about).await;
        self.finished = true;
        if let Some(watch) = &mut self.watch {
            watch.ends(match &result {
                Ok(Hold::Prepared(_)) | Err(Error::Ambiguous) => End::Unknown,
                Ok(Hold::NameTaken) | Err(_) => End::Aborted,
            });
        }
        self.release().await;
        result
    }

    async fn hold_writes(&mut self, name: &[u8], about: Vec<u8>) -> Result<Hold> {
        if self.changes_catalog {
            return Err(Error::Stopped("a change of the catalog cannot be held".into()));
        }
        let record = |attempt, stage, participants: Vec<Vec<u8>>| {
            let acceptors = choose_acceptors(&participants, None);
            Held { attempt, stage, participants, acceptors, about: about.clone() }
        };
        if self.overlay.is_empty() {
            self.check_catalog().await?;
            let commit_id = self.client.oracle().fresh_commit_id().await?.commit_id;
            let held = record(self.attempt, Stage::Prepared(commit_id), Vec::new());
            let fresh = self.client.insert_held(name, &held).await?;
            return Ok(if fresh { Hold::Prepared(commit_id) } else { Hold::NameTaken });
        }
        if self.options.read_only {
            return Err(Error::ReadOnly);
        }
        for _ in 0..MOST_ATTEMPTS {
            self.observe_attempt();
            let (parts, outside) = self.cut().await?;
            let held = record(self.attempt, Stage::Preparing, parts.iter().map(Part::part_key).collect());
            match self.client.insert_held(name, &held).await {
                Ok(true) => {}
                Ok(false) => return Ok(Hold::NameTaken),
                // Nobody has been asked to prepare, so nothing of it can be committed.
                Err(Error::Ambiguous) => return Err(Error::Unavailable(None)),
                Err(error) => return Err(error),
            }
            match self.hold_attempt(name, &held, parts, outside).await? {
                Ok(commit_id) => return Ok(Hold::Prepared(commit_id)),
                Err(Abort::Conflict(reason)) => return Err(Error::Retry(reason)),
                Err(Abort::TooOld { floor }) => return Err(Error::TooOld { read_id: self.read_id, floor }),
                // The next commit ID is drawn after the next votes, so it is above whatever was met here.
                Err(Abort::Moved | Abort::Pushed { .. }) => {}
            }
            self.release().await;
            self.become_attempt(self.client.next_attempt(self.attempt.birth));
        }
        Err(Error::Retry(RetryReason::Aborted))
    }

    /// Prepares the attempt of a record that says so, and makes the record say that it is.
    async fn hold_attempt(
        &self,
        name: &[u8],
        held: &Held,
        parts: Vec<Part>,
        outside: Vec<ReadSpan>,
    ) -> Result<Result<TxnId, Abort>> {
        let recorder = Recorder::new(self.client.router().runtime());
        let voted = match self.lay(parts, outside, Some(name), &recorder).await {
            Ok(Ok(plan)) => Ok(self.client.coordinator().prepare(&plan, &recorder).await),
            Ok(Err(abort)) => Ok(Err(abort)),
            Err(error) => Err(error),
        };
        let promoted = match voted {
            Ok(Ok(commit_id)) => self.client.promote_held(name, held.attempt, commit_id).await,
            _ => Ok(false),
        };
        match (promoted, voted) {
            (Ok(true), voted) => voted,
            (Ok(false), voted) => self.client.withdraw_held(name, held).await.and_then(|()| {
                // All had voted, but recovery took the record away.
                voted.map(|voted| voted.and(Err(Abort::Conflict(RetryReason::Aborted))))
            }),
            (Err(error), Ok(Ok(commit_id))) => {
                tracing::debug!(attempt = %held.attempt, %error, "whether it is held is unknown");
                match self.client.held(name).await {
                    Ok(Some(now)) if now.attempt == held.attempt && now.stage == Stage::Prepared(commit_id) => {
                        Ok(Ok(commit_id))
                    }
                    _ => Err(Error::Ambiguous),
                }
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn change_held<T>(&mut self, name: &[u8], decide: impl Fn(Option<Held>) -> (Change, T)) -> Result<T> {
        let stored = self.get(name, Some((LockMode::Update, LockWait::Wait))).await?;
        let held = stored.map(|stored| read_record(&stored)).transpose()?;
        let (change, said) = decide(held);
        match change {
            Change::Keep => {
                self.rollback().await;
                return Ok(said);
            }
            Change::Put(held) => self.put(name.to_vec(), held.encode()),
            Change::Delete => self.delete(name.to_vec()),
        }
        self.commit().await?;
        Ok(said)
    }
}

fn read_record(stored: &[u8]) -> Result<Held> {
    Held::decode(stored).map_err(|error| Error::Stopped(format!("the record of a prepared transaction: {error}")))
}

impl Client {
    /// The record `name`, as of now.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when its range cannot be reached.
    pub async fn held(&self, name: &[u8]) -> Result<Option<Held>> {
        let mut txn = self.begin(TxnOptions { read_only: true, ..TxnOptions::default() }).await?;
        let stored = txn.get(name, None).await?;
        stored.map(|stored| read_record(&stored)).transpose()
    }

    /// All records in `span`, with their names.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when their range cannot be reached.
    pub async fn all_held(&self, span: &Span) -> Result<Vec<(Vec<u8>, Held)>> {
        let mut txn = self.begin(TxnOptions { read_only: true, ..TxnOptions::default() }).await?;
        let (mut all, mut next) = (Vec::new(), Some(span.clone()));
        while let Some(span) = next {
            let page = txn.scan(Scan::all(span)).await?;
            for (name, stored) in &page.pairs {
                all.push((name.to_vec(), read_record(stored)?));
            }
            next = page.resume;
        }
        Ok(all)
    }

    /// Says what shall become of the attempt that is prepared under `name`, and tells its participants.
    ///
    /// # Errors
    /// [`Error::Ambiguous`] when it is not known whether the word was written: say it again. [`Error::Unavailable`] when
    /// it was not.
    pub async fn end_held(&self, name: &[u8], attempt: Attempt, commit: bool) -> Result<Finish> {
        let go = |held: Held, change, value| (change, Ok((held, value)));
        let said = self.change_held(name, |held| match held.filter(|held| held.attempt == attempt) {
            Some(held) => match held.stage {
                Stage::Prepared(commit_id) if commit => {
                    let committing = Held { stage: Stage::Committing(commit_id), ..held.clone() };
                    go(held, Change::Put(committing), Value::Commit(commit_id))
                }
                Stage::Prepared(_) => go(held, Change::Delete, Value::Abort),
                // Whoever began it may be gone.
                Stage::Committing(commit_id) if commit => go(held, Change::Keep, Value::Commit(commit_id)),
                Stage::Committing(_) => (Change::Keep, Err(Finish::Committing)),
                Stage::Preparing => (Change::Keep, Err(Finish::Unknown)),
            },
            None => (Change::Keep, Err(Finish::Unknown)),
        });
        match said.await? {
            Ok((held, value)) => {
                self.bring_behind(name, &held, value).await;
                Ok(Finish::Done)
            }
            Err(finish) => Ok(finish),
        }
    }

    /// Ends what was left behind among the records in `span`, while this node leads their range; for ever. The node runs
    /// it as a task. Only what has not moved from one look to the next is taken for left behind; the records then decide.
    pub async fn look_after_held(&self, span: Span) {
        let mut before: BTreeMap<Vec<u8>, (Attempt, Stage)> = BTreeMap::new();
        loop {
            self.router().runtime().sleep(SWEEP).await;
            // A range at rest stays at rest: nobody is asked while there is nothing.
            let any = self.shared.participants.holds_any(&span).unwrap_or(false);
            if !any || !self.leads(&span.start).await {
                before.clear();
                continue;
            }
            let Ok(all) = self.all_held(&span).await else { continue };
            let mut open = BTreeMap::new();
            for (name, held) in all {
                let now = (held.attempt, held.stage);
                if matches!(held.stage, Stage::Prepared(_)) {
                    continue;
                }
                if before.get(&name) == Some(&now) {
                    self.end_left_behind(&name, &held).await;
                }
                open.insert(name, now);
            }
            before = open;
        }
    }

    async fn leads(&self, key: &[u8]) -> bool {
        let here = self.router().locate(key).await;
        here.is_ok_and(|route| self.router().is_local(route.descriptor.id))
    }

    async fn end_left_behind(&self, name: &[u8], held: &Held) {
        match self.word_of(name, held.attempt).await {
            Ok(Word::Is(value)) => self.bring_behind(name, held, value).await,
            Ok(_) => {}
            Err(error) => tracing::debug!(attempt = %held.attempt, %error, "a record is looked at again later"),
        }
    }

    /// Writes a record, unless the name is in use.
    async fn insert_held(&self, name: &[u8], held: &Held) -> Result<bool> {
        self.change_held(name, |found| match found {
            Some(_) => (Change::Keep, false),
            None => (Change::Put(held.clone()), true),
        })
        .await
    }

    /// All have voted: the record says so, unless it was taken away.
    async fn promote_held(&self, name: &[u8], attempt: Attempt, commit_id: TxnId) -> Result<bool> {
        self.change_held(name, |found| match found {
            Some(held) if held.attempt == attempt && held.stage == Stage::Preparing => {
                (Change::Put(Held { stage: Stage::Prepared(commit_id), ..held }), true)
            }
            _ => (Change::Keep, false),
        })
        .await
    }

    /// The record of an attempt that was not promoted goes, and then whatever it has laid.
    async fn withdraw_held(&self, name: &[u8], held: &Held) -> Result<()> {
        self.drop_open(name, held.attempt).await.map_err(|error| {
            tracing::debug!(attempt = %held.attempt, %error, "the record of a failed attempt is left to recovery");
            Error::Unavailable(None)
        })?;
        self.spawn_bringing(name, held, Value::Abort);
        Ok(())
    }

    async fn drop_open(&self, name: &[u8], attempt: Attempt) -> Result<()> {
        self.change_held(name, |found| match found {
            Some(held) if held.attempt == attempt && held.stage == Stage::Preparing => (Change::Delete, ()),
            _ => (Change::Keep, ()),
        })
        .await
    }

    /// What the record says of the attempt; one that is neither prepared nor given up is given up.
    async fn word_of(&self, name: &[u8], attempt: Attempt) -> Result<Word> {
        loop {
            match word(self.held(name).await?.as_ref(), attempt) {
                Word::Open => self.drop_open(name, attempt).await?,
                said => return Ok(said),
            }
        }
    }

    /// Brings the attempt to `value`; its record goes when nobody has to ask it any more.
    async fn bring(&self, name: &[u8], attempt: Attempt, members: (&[Vec<u8>], &[Vec<u8>]), value: Value) {
        let all_know = self.coordinator().finish(attempt, members, value).await;
        if !all_know || value == Value::Abort {
            return;
        }
        let removed = self.change_held(name, |found| match found {
            Some(held) if held.attempt == attempt && matches!(held.stage, Stage::Committing(_)) => (Change::Delete, ()),
            _ => (Change::Keep, ()),
        });
        if let Err(error) = removed.await {
            tracing::debug!(%attempt, %error, "the record of a commit that is over goes later");
        }
    }

    fn spawn_bringing(&self, name: &[u8], held: &Held, value: Value) -> oneshot::Receiver<()> {
        let (client, name, held) = (self.clone(), name.to_vec(), held.clone());
        let (over, seen) = oneshot::channel();
        self.router().tasks().spawn(async move {
            client.bring(&name, held.attempt, (&held.participants, &held.acceptors), value).await;
            if over.send(()).is_err() {
                tracing::trace!(attempt = %held.attempt, "nobody waited for the end of what was held");
            }
        });
        seen
    }

    /// The same, waiting a while for it: the outcome is certain already.
    async fn bring_behind(&self, name: &[u8], held: &Held, value: Value) {
        let over = self.spawn_bringing(name, held, value);
        if self.router().runtime().timeout(TELLING, over).await.is_none() {
            tracing::debug!(attempt = %held.attempt, "not all participants know yet what became of what was held");
        }
    }

    async fn change_held<T>(&self, name: &[u8], decide: impl Fn(Option<Held>) -> (Change, T)) -> Result<T> {
        let mut options = TxnOptions::default();
        let mut backoff = Backoff::new(self.router().runtime(), Duration::from_millis(1), Duration::from_millis(100));
        for _ in 0..MOST_CHANGES {
            let mut txn = self.begin(options).await?;
            match txn.change_held(name, &decide).await {
                Err(Error::Retry(_)) => options.start = Some(txn.start_id()),
                other => return other,
            }
            backoff.wait().await;
        }
        Err(Error::Retry(RetryReason::Aborted))
    }
}

/// Recovery as the participants ask for it: of a silent coordinator's attempts, and of those that are held.
pub(super) struct Recovery {
    pub coordinator: Coordinator,
    /// Weak, because the client holds this.
    pub client: Weak<Shared>,
}

#[async_trait]
impl Resolver for Recovery {
    async fn terminate(&self, record: RecordKey, mut plan: Plan) -> Ended {
        let attempt = record.attempt;
        if let Some(name) = plan.held.as_ref().filter(|_| !planted("held-terminated")) {
            let Some(shared) = self.client.upgrade() else { return Ended::Perhaps };
            let client = Client { shared };
            match client.word_of(name, attempt).await {
                Ok(Word::Is(value)) => {
                    client.bring(name, attempt, (&plan.participants, &plan.acceptors), value).await;
                }
                Ok(_) => return Ended::Held,
                Err(error) => tracing::debug!(%attempt, %error, "what is held cannot be asked for now"),
            }
            return Ended::Perhaps;
        }
        if !plan.participants.contains(&record.part_key) && !plan.acceptors.contains(&record.part_key) {
            plan.participants.push(record.part_key);
        }
        if self.coordinator.terminate(attempt, &plan.participants, &plan.acceptors).await.is_none() {
            tracing::debug!(%attempt, "an attempt cannot be decided now");
        }
        Ended::Perhaps
    }

    async fn ended(&self, records: Vec<RecordKey>) -> Vec<bool> {
        self.coordinator.ask_ended(records).await
    }
}
