//! Reads at an ID, and refreshes of earlier reads.

use super::admit::{Block, Reading};
use super::service::{Halt, Participant};
use super::state::State;
use super::wait::Waiting;
use crate::api::{Blob, Read, ReadResult, Reply, TxnMeta};
use crate::lock::Change;
use crate::mvcc::{self, Limits};
use crate::{Attempt, ReadSpan, TxnId};
use quorate_storage::Error;
use quorate_storage::mutation::planted;
use quorate_storage::store::ReplicaView;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of keys and values after which a scan stops, so that a reply stays a small message.
const SCAN_BYTES: usize = 1 << 20;
/// Reads the newest state, whatever its ID.
pub(super) const NEWEST: TxnId = TxnId(u64::MAX);

/// A [`crate::api::Request::Refresh`].
pub(super) struct Refresh<'a> {
    pub meta: TxnMeta,
    pub spans: &'a [ReadSpan],
    pub from: TxnId,
    pub to: TxnId,
    pub prepared: bool,
}

impl Participant {
    /// Reads at `meta.read_id`.
    pub(super) async fn read(
        self: &Arc<Self>,
        view: &ReplicaView,
        meta: TxnMeta,
        reads: &[Read],
    ) -> Result<Reply, Halt> {
        let at = meta.read_id;
        let skipped = BTreeSet::new();
        let reading = Reading { attempt: meta.attempt, reads, at, settled: at, skipped: &skipped };
        self.may_promise(view, at).await?;
        let passes = planted("lease-kept-over-split") && at.0 <= self.lease.bound();
        self.admit(view, meta.attempt, |state| {
            let frozen = passes && std::mem::take(&mut state.frozen);
            let admitted = state.admit_read(&reading);
            state.frozen |= frozen;
            admitted
        })
        .await?;
        let (results, _) = self.evaluate_reads(reads, at).map_err(|error| self.failed(error))?;
        self.still_whole(at)?;
        self.current(view.descriptor.generation)?;
        Ok(Reply::Rows { results, newest: None, drawn: None })
    }

    /// What was just read without a latch, as of `at`, was all there: collecting begins after this floor has risen.
    pub(super) fn still_whole(&self, at: TxnId) -> Result<(), Halt> {
        let floor = TxnId(self.collected.load(Ordering::Acquire));
        if at < floor && !planted("history-unfenced") { Err(Box::new(Reply::TooOld { floor })) } else { Ok(()) }
    }

    /// Runs `admission`, for an attempt, under the mutex until it is not told to wait.
    pub(super) async fn admit<T>(
        &self,
        view: &ReplicaView,
        attempt: Attempt,
        mut admission: impl FnMut(&mut State) -> Result<T, Block>,
    ) -> Result<T, Halt> {
        loop {
            let waiting = {
                let mut state = self.state.lock();
                let admitted = admission(&mut state);
                if admitted.is_err() {
                    // What is in the way may be an intent that has been decided.
                    self.convoy.leave();
                }
                match admitted {
                    Ok(admitted) => return Ok(admitted),
                    Err(Block::Busy(key) | Block::Intent(key)) => Waiting::new(self, state.wait_on(key, Some(attempt))),
                    Err(Block::Wounded) => return Err(Box::new(Reply::Wounded)),
                    Err(Block::TooOld(floor)) => return Err(Box::new(Reply::TooOld { floor })),
                    Err(Block::Forgotten) => return Err(Box::new(Reply::Forgotten)),
                    Err(Block::NeedHigherId(above)) => return Err(Box::new(Reply::NeedHigherId { above })),
                    Err(Block::Held(key, newest)) => {
                        return Err(Box::new(Reply::WriteConflict { key, newest }));
                    }
                }
            };
            waiting.woken().await?;
            self.current(view.descriptor.generation)?;
        }
    }

    /// Reads from the engine as of `at`. Returns also the greatest ID of the newest versions visited.
    pub(super) fn evaluate_reads(&self, reads: &[Read], at: TxnId) -> Result<(Vec<ReadResult>, TxnId), Error> {
        let mut results = Vec::with_capacity(reads.len());
        let mut greatest = TxnId(0);
        for read in reads {
            let (result, newest) = self.evaluate_read(read, at)?;
            greatest = greatest.max(newest);
            results.push(result);
        }
        Ok((results, greatest))
    }

    fn evaluate_read(&self, read: &Read, at: TxnId) -> Result<(ReadResult, TxnId), Error> {
        let engine = self.engine.as_ref();
        match read {
            Read::Get { key } if at == NEWEST => {
                let version = mvcc::newest(engine, key)?;
                let id = version.as_ref().map_or(TxnId(0), |version| version.id);
                Ok((ReadResult::Value(version.and_then(|version| version.value).map(Blob)), id))
            }
            Read::Get { key } => Ok((ReadResult::Value(mvcc::read_at(engine, key, at)?.map(Blob)), TxnId(0))),
            Read::Scan { span, limit, reverse } => {
                let pairs = usize::try_from(*limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
                let scanned = mvcc::scan_at(engine, span, at, *reverse, Limits { pairs, bytes: SCAN_BYTES })?;
                let pairs = scanned.pairs.into_iter().map(|(key, value)| (Blob(key), Blob(value))).collect();
                Ok((ReadResult::Pairs { pairs, resume: scanned.resume }, scanned.greatest))
            }
        }
    }

    /// Whether what was read at `from` is still right at `to`, and stays so.
    pub(super) async fn refresh(self: &Arc<Self>, view: &ReplicaView, refresh: Refresh<'_>) -> Result<Reply, Halt> {
        let Refresh { meta, spans, from, to, prepared } = refresh;
        self.may_promise(view, to).await?;
        let changes =
            self.admit(view, meta.attempt, |state| state.admit_refresh(&meta, spans, (from, to), prepared)).await;
        let changes = changes.map_err(|halt| match *halt {
            Reply::WriteConflict { key, .. } => Box::new(Reply::ReadInvalid { key }),
            _ => halt,
        })?;
        self.unchanged(spans, changes, (from, to))?;
        self.still_whole(from)?;
        self.current(view.descriptor.generation)?;
        Ok(Reply::Ok)
    }

    /// No span has a version in `(from, to]`; asks the engine where the recent writes do not know.
    pub(super) fn unchanged(
        &self,
        spans: &[ReadSpan],
        changes: Vec<Change>,
        interval: (TxnId, TxnId),
    ) -> Result<(), Halt> {
        let engine = self.engine.as_ref();
        for (ReadSpan { span, columns }, change) in spans.iter().zip(changes).filter(|_| !planted("refresh-unchecked"))
        {
            let changed = match (change, columns) {
                (Change::No, _) => Ok(None),
                (Change::Yes(key), None) => Ok(Some(key)),
                (Change::Unknown, None) => mvcc::changed_in(engine, span, interval, &|_, _| false),
                (_, Some(columns)) => {
                    let same = |one: &[u8], other: &[u8]| {
                        self.compare().same(one, other, columns) || planted("columns-unseen")
                    };
                    mvcc::changed_in(engine, span, interval, &same)
                }
            };
            let changed = changed.map_err(|error| self.failed(error))?;
            if let Some(key) = changed.filter(|key| !self.passes_for_unchanged(key)) {
                return Err(Box::new(Reply::ReadInvalid { key }));
            }
        }
        Ok(())
    }

    /// Always false, unless the bug is planted that overlooks deletions.
    fn passes_for_unchanged(&self, key: &[u8]) -> bool {
        let newest = || mvcc::newest(self.engine.as_ref(), key);
        planted("deletions-unseen") && matches!(newest(), Ok(Some(version)) if version.value.is_none())
    }
}
