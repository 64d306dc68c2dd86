//! A transaction as its session holds it: identity, buffered writes, savepoints, statements, its end.

use super::client::Client;
use super::observer::Watch;
use super::options::{CommitProtocol, Isolation, Mark, TxnOptions};
use super::overlay::Overlay;
use super::reads::ReadSet;
use crate::api::{Base, Request, TxnMeta};
use crate::error::{Error, Result, RetryReason};
use crate::oracle::{CommitIds, Reading};
use crate::router::Router;
use crate::{Attempt, Columns, CommitToken, StartId, TxnId};
use bytes::Bytes;
use quorate_storage::mutation::planted;
use quorate_storage::{RangeId, Span};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One attempt of a transaction. Dropping it without commit rolls it back.
#[derive(Debug)]
pub struct Transaction {
    pub(super) client: Client,
    pub(super) options: TxnOptions,
    pub(super) attempt: Attempt,
    /// The first attempt, under which the gateway counts the transaction as open, and which its commit token names.
    pub(super) first: Attempt,
    pub(super) start: StartId,
    pub(super) read_id: TxnId,
    pub(super) catalog_id: TxnId,
    pub(super) changes_catalog: bool,
    /// A commit ID that was drawn when the transaction began, or while it waited for a lock; until it is used.
    pub(super) drawn: Option<CommitIds>,
    /// Whether S was moved without a look at the newest change of the catalog.
    pub(super) catalog_assumed: bool,
    pub(super) lock_timeout: Option<Duration>,
    pub(super) protocol: CommitProtocol,
    pub(super) overlay: Overlay,
    /// Everything read (SERIALIZABLE only).
    pub(super) reads: ReadSet,
    /// What must stay valid below SERIALIZABLE, and since when.
    pub(super) promised: ReadSet,
    pub(super) promised_from: TxnId,
    /// Whether anything was read at S, at any level.
    pub(super) has_read: bool,
    /// Ranges that may hold volatile locks of this attempt, each with the least key that asked for one: over splits it
    /// stays with them longest, and a split drops the locks of the range.
    pub(super) locked: BTreeMap<RangeId, Vec<u8>>,
    /// Whether it is counted among those with locks.
    pub(super) is_locking: bool,
    pub(super) finished: bool,
    /// What an observer is told at the end.
    pub(super) watch: Option<Box<Watch>>,
}

impl Transaction {
    pub(super) fn new(
        client: Client,
        options: TxnOptions,
        attempt: Attempt,
        start: StartId,
        reading: Reading,
        watch: Option<Box<Watch>>,
    ) -> Transaction {
        Transaction {
            client,
            options,
            attempt,
            first: attempt,
            start,
            read_id: reading.read_id,
            catalog_id: reading.catalog_id,
            changes_catalog: false,
            drawn: None,
            catalog_assumed: false,
            lock_timeout: None,
            protocol: CommitProtocol::Auto,
            overlay: Overlay::default(),
            reads: ReadSet::default(),
            promised: ReadSet::default(),
            promised_from: reading.read_id,
            has_read: false,
            locked: BTreeMap::new(),
            is_locking: false,
            finished: false,
            watch,
        }
    }

    /// S: what the transaction sees.
    pub fn read_id(&self) -> TxnId {
        self.read_id
    }

    /// Age; give it to [`TxnOptions::start`] when running the transaction again.
    pub fn start_id(&self) -> StartId {
        self.start
    }

    /// Names this attempt to commit.
    pub fn attempt(&self) -> Attempt {
        self.attempt
    }

    /// By what the outcome of its commit can be found out ([`Client::status`]), from anywhere; `None` if it writes nothing.
    /// Ask for it when all writes are done, right before the commit.
    pub fn token(&self) -> Option<CommitToken> {
        let (anchor, _) = self.overlay.iter().next().filter(|_| !self.options.read_only)?;
        Some(CommitToken { first: self.first, anchor: anchor.to_vec() })
    }

    /// Isolation level.
    pub fn isolation(&self) -> Isolation {
        self.options.isolation
    }

    /// The newest commit ID of a change of the catalog as of S: a cached catalog older than this is stale.
    pub fn catalog_id(&self) -> TxnId {
        self.catalog_id
    }

    /// Whether anything has been written.
    pub fn has_writes(&self) -> bool {
        !self.overlay.is_empty()
    }

    /// Tells what the transaction is at, to be shown to people: a statement of a session.
    pub fn works_on(&mut self, session: i32, statement: Arc<str>) {
        self.client.open().works_on(self.first, session, statement);
    }

    /// Goes on as another attempt.
    pub(super) fn become_attempt(&mut self, attempt: Attempt) {
        if attempt != self.attempt {
            self.attempt = attempt;
            self.client.open().goes_on(self.first, attempt);
        }
    }

    /// How long a read may wait before [`Error::LockNotAvailable`]; by default for ever.
    pub fn set_lock_timeout(&mut self, limit: Option<Duration>) {
        self.lock_timeout = limit;
    }

    /// How the transaction is to be committed.
    pub fn set_commit_protocol(&mut self, protocol: CommitProtocol) {
        self.protocol = protocol;
    }

    /// Buffers a write; `commit` refuses it in a read-only transaction.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        let base = self.base();
        self.overlay.write(key, Some(Bytes::from(value)), base);
    }

    /// Buffers a deletion.
    pub fn delete(&mut self, key: Vec<u8>) {
        let base = self.base();
        self.overlay.write(key, None, base);
    }

    /// What a write assumes of the version that it replaces. At SERIALIZABLE the read set tells at commit.
    fn base(&self) -> Base {
        match self.options.isolation {
            Isolation::Serializable => Base::Any,
            Isolation::Snapshot | Isolation::ReadCommitted => Base::NotAfter(self.read_id),
        }
    }

    /// What was read in `span` must still hold at the commit ID, below SERIALIZABLE too: foreign keys, unique checks,
    /// `FOR SHARE`.
    pub fn must_stay_valid(&mut self, span: Span, columns: &Columns) {
        if self.options.isolation == Isolation::Serializable {
            return;
        }
        if self.promised.is_empty() {
            self.promised_from = self.read_id;
        }
        self.promised.add_span(span, columns);
    }

    /// The transaction changes the catalog: its commit ID becomes the oracle's catalog ID.
    pub fn changes_catalog(&mut self) {
        self.changes_catalog = true;
    }

    /// Whether it changes the catalog.
    pub fn is_changing_catalog(&self) -> bool {
        self.changes_catalog
    }

    /// A position in the buffered writes: of a statement or savepoint.
    pub fn mark(&self) -> Mark {
        Mark(self.overlay.mark())
    }

    /// Undoes the writes since `mark`; locks and read set stay.
    pub fn rollback_to(&mut self, mark: Mark) {
        self.overlay.undo(mark.0);
    }

    /// READ COMMITTED: a new S for the next statement, or for the same one after [`Error::RestartStatement`]. At other
    /// levels nothing happens.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the oracle cannot be reached.
    pub async fn restart_statement(&mut self) -> Result<()> {
        self.check_open()?;
        if self.options.isolation == Isolation::ReadCommitted {
            let reading = self.client.oracle().read_id().await?;
            self.read_id = reading.read_id;
            self.catalog_id = reading.catalog_id;
        }
        Ok(())
    }

    /// Drops writes and volatile locks.
    pub async fn rollback(&mut self) {
        if !self.finished {
            self.finished = true;
            self.release().await;
        }
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if self.finished { Err(Error::Finished) } else { Ok(()) }
    }

    pub(super) fn meta(&self) -> TxnMeta {
        TxnMeta { attempt: self.attempt, start: self.start, read_id: self.read_id }
    }

    /// A lock was granted on the state at `newest`, above S: moves S up, if the isolation level and the reads allow it.
    /// `alone`: all that was read with the lock holds at `newest`. Returns whether it holds at the new S too; if not, the
    /// caller reads again.
    ///
    /// The first to read anything goes on at `newest`: an ID that was handed out, so nothing acknowledged before the
    /// transaction began is above it. Others go on at a fresh S, so that the rows which they lock next are not newer
    /// again.
    pub(super) async fn overtaken(&mut self, newest: TxnId, alone: bool) -> Result<bool> {
        match self.options.isolation {
            Isolation::ReadCommitted => return Err(Error::RestartStatement),
            Isolation::Snapshot if self.has_read || !self.overlay.is_empty() => {
                return Err(Error::Retry(RetryReason::WriteConflict { newest }));
            }
            Isolation::Serializable if self.options.read_only && self.has_read => {
                return Err(Error::Retry(RetryReason::ReadConflict));
            }
            Isolation::Snapshot | Isolation::Serializable => {}
        }
        if alone && (!self.has_read || planted("lock-unrefreshed")) {
            self.read_id = newest;
            self.catalog_assumed = true;
            return Ok(true);
        }
        let reading = self.client.oracle().read_id().await?;
        if reading.catalog_id > self.catalog_id {
            return Err(Error::Retry(RetryReason::ReadConflict));
        }
        let spans = self.reads.spans(|_| false);
        let coordinator = self.client.coordinator();
        if !coordinator.refresh(self.meta(), spans, self.read_id, reading.read_id, false).await? {
            return Err(Error::Retry(RetryReason::ReadConflict));
        }
        self.read_id = reading.read_id;
        Ok(false)
    }

    fn no_longer_locking(&mut self) {
        if std::mem::take(&mut self.is_locking) {
            self.client.end_locking(self.attempt);
        }
    }

    /// Drops volatile locks everywhere: here at once, elsewhere behind the caller's back.
    pub(super) async fn release(&mut self) {
        let attempt = self.attempt;
        self.no_longer_locking();
        for (range, key) in std::mem::take(&mut self.locked) {
            let router = Arc::clone(self.client.router());
            if router.is_local(range) {
                Box::pin(unlock(&router, key, attempt)).await;
            } else {
                let tasks = router.tasks().clone();
                tasks.spawn(async move { unlock(&router, key, attempt).await });
            }
        }
    }
}

async fn unlock(router: &Router, key: Vec<u8>, attempt: Attempt) {
    if let Err(error) = router.send_to_key(&key, || Request::Unlock { attempt }).await {
        tracing::debug!(%attempt, %error, "volatile locks are left to their range");
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.no_longer_locking();
        self.client.open().ended(self.first);
        if self.finished || self.locked.is_empty() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (router, attempt) = (Arc::clone(self.client.router()), self.attempt);
        let locked = std::mem::take(&mut self.locked);
        let tasks = router.tasks().clone();
        let unlocking = async move {
            for key in locked.into_values() {
                unlock(&router, key, attempt).await;
            }
        };
        tasks.spawn(unlocking);
    }
}
