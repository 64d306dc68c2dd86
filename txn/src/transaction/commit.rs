//! The end of a transaction that wrote: cut by ranges, then the cheapest way to commit (`path`).
//!
//! ```text
//!   one range, one proposal    ONE          C := oracle ─► refresh reads elsewhere ─► CommitOne
//!                                               NeedHigherId: new C, again     no answer: Settle, then it is known
//!   several ranges             FAST         C := oracle ─► refresh reads elsewhere ─► PrepareFast to all
//!        pushed, moved ... ──►              NeedHigherId: a new attempt at a new C
//!                              THREE-PHASE  spill what is too large for a proposal ─► CanCommit ...
//! ```
//! When a range was split between cutting and committing, the attempt is made ABORTED and the same writes are cut again
//! as a new attempt. The client asks for all of them by one token ([`crate::token`]).
//!
//! Invariant: what is sent for one attempt differs in nothing but C.

use super::handle::Transaction;
use super::observer::End;
use super::options::{Committed, Isolation};
use super::path::{Load, PROPOSAL_BYTES, Past, Way, choose};
use crate::api::{Base, Prepare, RecordKey, RegisterState, Reply, Request, TxnMeta, Write};
use crate::coordinator::{Abort, Decision, Plan, unexpected};
use crate::error::{Error, Result, RetryReason};
use crate::oracle::CommitIds;
use crate::router::{Answer, Route};
use crate::service::Backoff;
use crate::trace::{CommitPath, Event, Phase, Recorder};
use crate::{Attempt, ReadSpan, TxnId};
use std::sync::Arc;
use std::time::Duration;

/// Size at which a chunk is full.
const CHUNK_BYTES: usize = 512 << 10;
/// Most bytes of one key and its value.
const MOST_WRITE_BYTES: usize = 8 << 20;
/// Bytes counted for every write in addition to key and value.
const WRITE_OVERHEAD: usize = 32;
/// Attempts of one commit before the transaction is run again.
pub(super) const MOST_ATTEMPTS: usize = 8;
/// IDs that a commit in one range is tried with.
const MOST_IDS: usize = 8;

/// What a transaction does in one range.
pub(super) struct Part {
    route: Arc<Route>,
    writes: Vec<Write>,
    reads: Vec<ReadSpan>,
    bytes: usize,
    /// See [`Prepare::token`].
    token: Option<Attempt>,
}

impl Part {
    pub(super) fn part_key(&self) -> Vec<u8> {
        self.writes.first().map(|write| write.key.clone()).unwrap_or_default()
    }

    fn prepare(self, meta: TxnMeta, commit_id: TxnId, foreign_reads: bool) -> (Arc<Route>, Prepare) {
        let part_key = self.part_key();
        let prepare = Prepare {
            meta,
            participants: vec![part_key.clone()],
            acceptors: vec![part_key.clone()],
            part_key,
            commit_id,
            writes: self.writes,
            reads: self.reads,
            foreign_reads,
            catalog_id: None,
            token: self.token,
            held: None,
        };
        (self.route, prepare)
    }
}

impl Transaction {
    /// Makes the writes durable and visible, all or none; ends the transaction either way.
    ///
    /// # Errors
    /// [`Error::Retry`]: nothing was committed, run the transaction again. [`Error::Unavailable`]: nothing was
    /// committed. [`Error::Ambiguous`]: the outcome is unknown. [`Error::ReadOnly`], [`Error::TooLarge`].
    pub async fn commit(&mut self) -> Result<Committed> {
        self.check_open()?;
        let recorder = Recorder::new(self.client.router().runtime());
        let result = if self.overlay.is_empty() {
            self.check_catalog().await.map(|()| (None, CommitPath::ReadOnly))
        } else {
            // On the heap, so that a transaction that only reads is small.
            Box::pin(self.commit_writes(&recorder)).await
        };
        self.finished = true;
        if let Some(watch) = &mut self.watch {
            watch.ends(match &result {
                Ok((commit_id, _)) => End::Committed(*commit_id),
                Err(Error::Ambiguous) => End::Unknown,
                Err(_) => End::Aborted,
            });
        }
        self.release().await;
        if let Ok((_, path)) = &result {
            self.client.committed(*path);
        }
        result.map(|(commit_id, path)| Committed { commit_id, path, trace: recorder.finish() })
    }

    async fn commit_writes(&mut self, recorder: &Recorder) -> Result<(Option<TxnId>, CommitPath)> {
        if self.options.read_only {
            return Err(Error::ReadOnly);
        }
        let mut past = Past { above: self.read_id, ..Past::default() };
        for _ in 0..MOST_ATTEMPTS {
            self.observe_attempt();
            let (parts, outside) = self.cut().await?;
            let participants = parts.len();
            let way = self.way(&parts, past);
            let path = match way {
                Way::One => CommitPath::One,
                Way::Fast => CommitPath::Fast { participants },
                Way::ThreePhase(reason) => CommitPath::ThreePhase { participants, reason },
            };
            recorder.note(recorder.now(), Event::Attempt { attempt: self.attempt, path });
            let decision = match way {
                Way::One => self.commit_one(parts, outside, (past.above, recorder)).await?,
                Way::Fast => self.commit_fast(parts, outside, (past.above, recorder)).await?,
                Way::ThreePhase(_) => self.commit_many(parts, outside, recorder).await?,
            };
            match decision {
                Decision::Committed(commit_id) => return Ok((Some(commit_id), path)),
                Decision::Aborted(Abort::Conflict(reason)) => return Err(Error::Retry(reason)),
                Decision::Aborted(Abort::TooOld { floor }) => {
                    return Err(Error::TooOld { read_id: self.read_id, floor });
                }
                Decision::Aborted(Abort::Moved) => past.moved = true,
                Decision::Aborted(Abort::Pushed { above }) => past.pushed(way == Way::One, above),
            }
            self.release().await;
            self.become_attempt(self.client.next_attempt(self.attempt.birth));
        }
        Err(Error::Retry(RetryReason::Aborted))
    }

    /// Tells the observer, if there is one, what this attempt is about to write.
    pub(super) fn observe_attempt(&mut self) {
        if let Some(watch) = &mut self.watch {
            let writes = self.overlay.iter().map(|(key, write)| (key.to_vec(), write.value.clone()));
            watch.commits(self.attempt, writes);
        }
    }

    fn way(&self, parts: &[Part], past: Past) -> Way {
        let load = |part: &Part| Load { range: part.route.descriptor.id, keys: part.writes.len(), bytes: part.bytes };
        let loads: Vec<Load> = parts.iter().map(load).collect();
        let suspicion = |at: usize| self.client.router().suspicion(&parts[at].route);
        choose(&loads, past, self.protocol, self.changes_catalog, suspicion)
    }

    /// Writes and reads by range; reads in ranges without writes apart.
    pub(super) async fn cut(&mut self) -> Result<(Vec<Part>, Vec<ReadSpan>)> {
        let serializable = self.options.isolation == Isolation::Serializable;
        self.reads.settle();
        let mut parts: Vec<Part> = Vec::new();
        for (key, write) in self.overlay.iter() {
            let size = key.len() + write.value.as_ref().map_or(0, |value| value.len());
            if size > MOST_WRITE_BYTES {
                return Err(Error::TooLarge { size, limit: MOST_WRITE_BYTES });
            }
            if !parts.last().is_some_and(|part| part.route.descriptor.span.contains(key)) {
                let route = self.client.router().locate(key).await?;
                // The first part is that of the anchor.
                let token = Some(self.first).filter(|first| parts.is_empty() && *first != self.attempt);
                parts.push(Part { route, writes: Vec::new(), reads: Vec::new(), bytes: 0, token });
            }
            let read_before = serializable && self.reads.was_read(key);
            let base = if read_before { Base::NotAfter(self.read_id) } else { write.base };
            let value = write.value.as_ref().map(|value| value.to_vec());
            if let Some(part) = parts.last_mut() {
                part.bytes += size + WRITE_OVERHEAD;
                part.writes.push(Write { key: key.to_vec(), value, base });
            }
        }
        let reads = if serializable {
            self.reads.spans(|key| self.overlay.get(key).is_some())
        } else {
            self.promised.spans(|_| false)
        };
        let mut outside = Vec::new();
        for (route, span) in self.client.router().cut(reads).await? {
            match parts.iter_mut().find(|part| part.route.descriptor.id == route.descriptor.id) {
                Some(part) => part.reads.push(span),
                None => outside.push(span),
            }
        }
        Ok((parts, outside))
    }

    /// Who asks at commit: `read_id` is where the reads to be validated are valid.
    fn commit_meta(&self) -> TxnMeta {
        let serializable = self.options.isolation == Isolation::Serializable;
        TxnMeta { read_id: if serializable { self.read_id } else { self.promised_from }, ..self.meta() }
    }

    /// Path ONE.
    async fn commit_one(
        &mut self,
        parts: Vec<Part>,
        outside: Vec<ReadSpan>,
        (above, recorder): (TxnId, &Recorder),
    ) -> Result<Decision> {
        let meta = self.commit_meta();
        let Some(part) = parts.into_iter().next() else {
            return Ok(Decision::Aborted(Abort::Moved));
        };
        let range = part.route.descriptor.id;
        let (route, mut prepare) = part.prepare(meta, TxnId(0), !outside.is_empty());
        prepare.catalog_id = (outside.is_empty() && !self.changes_catalog).then_some(self.catalog_id);
        prepare.commit_id = above;
        let mut in_doubt = false;
        let result = self.push_one(&route, &mut prepare, &outside, (&mut in_doubt, recorder)).await;
        if matches!(result, Ok(Decision::Committed(_))) {
            self.locked.remove(&range);
        } else if in_doubt {
            let record = RecordKey { part_key: prepare.part_key, attempt: self.attempt };
            if let Some(commit_id) = self.client.coordinator().settle(record).await? {
                return Ok(Decision::Committed(commit_id));
            }
        }
        result
    }

    /// Sends the commit with ever new IDs, above that of `prepare`, until it is taken or refused for good. `in_doubt`: a
    /// copy that was not answered may still be taken.
    async fn push_one(
        &mut self,
        route: &Arc<Route>,
        prepare: &mut Prepare,
        outside: &[ReadSpan],
        (in_doubt, recorder): (&mut bool, &Recorder),
    ) -> Result<Decision> {
        let conflict = |reason| Ok(Decision::Aborted(Abort::Conflict(reason)));
        let mut backoff =
            Backoff::new(self.client.router().runtime(), Duration::from_micros(200), Duration::from_millis(5));
        for pushes in 0..MOST_IDS {
            if pushes > 2 {
                backoff.wait().await;
            }
            let ids = self.commit_ids(prepare.commit_id, recorder).await?;
            if ids.catalog_id > self.catalog_id && !self.changes_catalog {
                return conflict(RetryReason::ReadConflict);
            }
            prepare.commit_id = ids.commit_id;
            if !self.refresh_outside(prepare.meta, outside, ids.commit_id, recorder).await? {
                return conflict(RetryReason::ReadConflict);
            }
            let at = recorder.now();
            let delivery = self.client.router().send(route, || Request::CommitOne(prepare.clone())).await;
            let part = (route.descriptor.id, prepare.part_key.as_slice());
            recorder.answered(at, Phase::CommitOne, part, &delivery);
            *in_doubt |= delivery.in_doubt;
            match delivery.answer {
                Answer::Reply(Reply::Committed { commit_id, .. }) => {
                    recorder.round();
                    return Ok(Decision::Committed(commit_id));
                }
                Answer::Reply(Reply::NeedHigherId { above }) => {
                    prepare.commit_id = prepare.commit_id.max(above);
                }
                Answer::Reply(Reply::ReadInvalid { .. }) => return conflict(RetryReason::ReadConflict),
                Answer::Reply(Reply::WriteConflict { newest, .. }) => {
                    return conflict(RetryReason::WriteConflict { newest });
                }
                Answer::Reply(Reply::Wounded) => return conflict(RetryReason::Wounded),
                Answer::Reply(Reply::Aborted) => return conflict(RetryReason::Aborted),
                Answer::Reply(Reply::TooOld { floor }) => return Ok(Decision::Aborted(Abort::TooOld { floor })),
                Answer::Reply(Reply::Forgotten) => {
                    *in_doubt = true;
                    return conflict(RetryReason::Aborted);
                }
                Answer::Reply(other) => {
                    *in_doubt = true;
                    return Err(unexpected(&other));
                }
                Answer::Moved => return Ok(Decision::Aborted(Abort::Moved)),
                Answer::Unavailable => return Err(Error::Unavailable(Some(route.descriptor.id))),
            }
        }
        Ok(Decision::Aborted(Abort::Pushed { above: prepare.commit_id }))
    }

    /// Path FAST.
    async fn commit_fast(
        &mut self,
        parts: Vec<Part>,
        outside: Vec<ReadSpan>,
        (above, recorder): (TxnId, &Recorder),
    ) -> Result<Decision> {
        let meta = self.commit_meta();
        let ids = self.commit_ids(above, recorder).await?;
        let conflict = || Ok(Decision::Aborted(Abort::Conflict(RetryReason::ReadConflict)));
        if ids.catalog_id > self.catalog_id || !self.refresh_outside(meta, &outside, ids.commit_id, recorder).await? {
            return conflict();
        }
        let ranges: Vec<_> = parts.iter().map(|part| part.route.descriptor.id).collect();
        let prepares = parts.into_iter().map(|part| part.prepare(meta, ids.commit_id, !outside.is_empty())).collect();
        let decision = self.client.coordinator().commit_fast(self.attempt, prepares, ids.commit_id, recorder).await?;
        if matches!(decision, Decision::Committed(_)) {
            self.locked.retain(|range, _| !ranges.contains(range));
        }
        Ok(decision)
    }

    /// A commit ID above `above`: the one that was drawn early, if it is.
    async fn commit_ids(&mut self, above: TxnId, recorder: &Recorder) -> Result<CommitIds> {
        let drawn = self.drawn.take().filter(|drawn| drawn.commit_id > above && !self.changes_catalog);
        let (oracle, at) = (self.client.oracle(), recorder.now());
        let ids = match drawn {
            Some(drawn) => drawn,
            None if self.changes_catalog => oracle.catalog_commit_id(above).await?,
            None => oracle.commit_id(above).await?,
        };
        recorder.note(at, Event::CommitId(ids.commit_id));
        Ok(ids)
    }

    /// Nothing was written, so nobody has compared the catalog with that of the ID at which rows were locked.
    pub(super) async fn check_catalog(&self) -> Result<()> {
        if self.catalog_assumed && self.client.oracle().read_id().await?.catalog_id > self.catalog_id {
            return Err(Error::Retry(RetryReason::ReadConflict));
        }
        Ok(())
    }

    async fn refresh_outside(
        &self,
        meta: TxnMeta,
        outside: &[ReadSpan],
        to: TxnId,
        recorder: &Recorder,
    ) -> Result<bool> {
        if outside.is_empty() {
            return Ok(true);
        }
        let at = recorder.now();
        let valid = self.client.coordinator().refresh(meta, outside.to_vec(), meta.read_id, to, false).await?;
        recorder.note(at, Event::Refreshed { spans: outside.len(), valid });
        Ok(valid)
    }

    /// Three-phase commit.
    async fn commit_many(&mut self, parts: Vec<Part>, outside: Vec<ReadSpan>, recorder: &Recorder) -> Result<Decision> {
        let ranges: Vec<_> = parts.iter().map(|part| part.route.descriptor.id).collect();
        let plan = match self.lay(parts, outside, None, recorder).await? {
            Ok(plan) => plan.drawn(self.drawn.take()),
            Err(abort) => return Ok(Decision::Aborted(abort)),
        };
        let decision = self.client.coordinator().commit(plan, recorder).await?;
        if matches!(decision, Decision::Committed(_)) {
            self.locked.retain(|range, _| !ranges.contains(range));
        }
        Ok(decision)
    }

    /// The plan of an attempt, after the intents that do not fit into a proposal were laid. One that the record `held`
    /// decides needs no arbiter.
    pub(super) async fn lay(
        &self,
        parts: Vec<Part>,
        outside: Vec<ReadSpan>,
        held: Option<&[u8]>,
        recorder: &Recorder,
    ) -> Result<Result<Plan, Abort>> {
        let meta = self.commit_meta();
        let foreign_reads = self.changes_catalog || !outside.is_empty();
        let part_keys: Vec<_> = parts.iter().map(Part::part_key).collect();
        let mut prepares = Vec::with_capacity(parts.len());
        for part in parts {
            let large = part.bytes > PROPOSAL_BYTES;
            let (route, mut prepare) = part.prepare(meta, TxnId(0), foreign_reads);
            if large && let Err(abort) = self.spill(&route, &mut prepare, recorder).await? {
                self.client.coordinator().spread(self.attempt, part_keys, None);
                return Ok(Err(abort));
            }
            prepares.push((route, prepare));
        }
        let coordinator = self.client.coordinator();
        let arbiter = if held.is_none() { coordinator.arbiter(meta, &prepares).await } else { None };
        let plan = Plan::new(meta, (prepares, arbiter), outside, self.catalog_id, self.changes_catalog);
        Ok(Ok(match held {
            Some(name) => plan.held(name),
            None => plan,
        }))
    }

    /// Lays intents in chunks; the last chunk stays for CanCommit.
    async fn spill(&self, route: &Arc<Route>, prepare: &mut Prepare, recorder: &Recorder) -> Result<Result<(), Abort>> {
        let mut chunks = chunks(std::mem::take(&mut prepare.writes));
        prepare.writes = chunks.pop().unwrap_or_default();
        for writes in chunks {
            let chunk = Prepare { writes, reads: Vec::new(), ..prepare.clone() };
            let conflict = |reason| Ok(Err(Abort::Conflict(reason)));
            let at = recorder.now();
            let delivery = self.client.router().send(route, || Request::Spill(chunk.clone())).await;
            recorder.answered(at, Phase::Spill, (route.descriptor.id, &prepare.part_key), &delivery);
            recorder.round();
            match delivery.answer {
                Answer::Reply(Reply::Ok) => {}
                Answer::Reply(Reply::Register(register)) if register.state == RegisterState::Pending => {}
                Answer::Reply(Reply::WriteConflict { newest, .. }) => {
                    return conflict(RetryReason::WriteConflict { newest });
                }
                Answer::Reply(Reply::ReadInvalid { .. }) => return conflict(RetryReason::ReadConflict),
                Answer::Reply(Reply::Wounded) => return conflict(RetryReason::Wounded),
                Answer::Reply(Reply::TooOld { floor }) => return Ok(Err(Abort::TooOld { floor })),
                // A chunk alone commits nothing.
                Answer::Reply(Reply::Aborted | Reply::Register(_) | Reply::Forgotten) => {
                    return conflict(RetryReason::Aborted);
                }
                Answer::Reply(other) => return Err(unexpected(&other)),
                Answer::Moved => return Ok(Err(Abort::Moved)),
                Answer::Unavailable => return Err(Error::Unavailable(Some(route.descriptor.id))),
            }
        }
        Ok(Ok(()))
    }
}

/// Cuts writes into chunks of about [`CHUNK_BYTES`], in order.
fn chunks(writes: Vec<Write>) -> Vec<Vec<Write>> {
    let mut chunks: Vec<Vec<Write>> = Vec::new();
    let mut room = 0;
    for write in writes {
        let size = write.key.len() + write.value.as_ref().map_or(0, Vec::len) + WRITE_OVERHEAD;
        match chunks.last_mut() {
            Some(chunk) if size <= room => {
                room -= size;
                chunk.push(write);
            }
            _ => {
                room = CHUNK_BYTES.saturating_sub(size);
                chunks.push(vec![write]);
            }
        }
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_full_but_not_overfull_and_keep_the_order() {
        let write = |key: u8, size: usize| Write { key: vec![key], value: Some(vec![0; size]), base: Base::Any };
        let third = CHUNK_BYTES / 3;
        let sizes = [third, third, third, 2 * CHUNK_BYTES, 1, 1];
        let writes = sizes.iter().enumerate().map(|(key, size)| write(key as u8, *size)).collect();
        let keys: Vec<Vec<u8>> =
            chunks(writes).iter().map(|chunk| chunk.iter().map(|write| write.key[0]).collect()).collect();
        assert_eq!(keys, [vec![0, 1], vec![2], vec![3], vec![4, 5]]);
        assert!(chunks(Vec::new()).is_empty());
    }
}
