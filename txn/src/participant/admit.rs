//! Admission: whether a request may go on now, decided under one hold of the mutex.

use super::state::{RAISING, State, WHOLE_RANGE};
use crate::api::{Base, Prepare, Read, TxnMeta};
use crate::lock::{Change, Holder, Latch};
use crate::{Attempt, ReadSpan, TxnId};
use quorate_storage::Span;
use quorate_storage::mutation::planted;
use std::collections::BTreeSet;

/// Why a request may not go on.
#[derive(Debug)]
pub(super) enum Block {
    /// Until something happens to this key (a latch, or the whole range).
    Busy(Vec<u8>),
    /// Until the intent on this key is resolved.
    Intent(Vec<u8>),
    /// An older transaction took its locks.
    Wounded,
    /// A greater ID has been promised to readers, or lies below the floor.
    NeedHigherId(TxnId),
    /// What it needs to see below this ID is collected.
    TooOld(TxnId),
    /// Its attempt is as old as those whose records are collected.
    Forgotten,
    /// An attempt holds this key that must not be waited for; its commit ID will be at least this.
    Held(Vec<u8>, TxnId),
}

/// For whose intents a request may wait. Among attempts that hold intents somewhere, waiting goes one way only, so that
/// they never wait for each other: FAST for smaller commit IDs, three-phase commit for older attempts and for all that
/// have a commit ID. A FAST attempt never waits for one that has no commit ID yet, so no circle leads over both.
#[derive(Clone, Copy, Debug)]
enum Patience<'a> {
    /// It holds no intents itself: for everybody's.
    Unprepared,
    /// It is, or wants to be, prepared by three-phase commit.
    Older(&'a TxnMeta),
    /// It is being prepared on path FAST at this commit ID.
    Below(TxnId),
}

/// A read that asks for admission.
pub(super) struct Reading<'a> {
    pub attempt: Attempt,
    pub reads: &'a [Read],
    /// The ID to promise.
    pub at: TxnId,
    /// Writes that may become visible at or below it must be over.
    pub settled: TxnId,
    /// Keys that are left out.
    pub skipped: &'a BTreeSet<Vec<u8>>,
}

impl State {
    /// Enters reads into the read cache unless a write in their way is under way.
    pub fn admit_read(&mut self, reading: &Reading<'_>) -> Result<(), Block> {
        self.not_frozen()?;
        self.has_history(reading.at)?;
        if self.locks.is_wounded(reading.attempt) {
            return Err(Block::Wounded);
        }
        for read in reading.reads {
            match read {
                Read::Get { key } => self.key_settled(reading, key)?,
                Read::Scan { span, .. } => self.span_settled(reading, span)?,
            }
        }
        self.saw(reading.at);
        for read in reading.reads.iter().filter(|_| !planted("promise-forgotten")) {
            match read {
                Read::Get { key } => self.cache.promise_key(key, reading.at, reading.attempt),
                Read::Scan { span, .. } => self.cache.promise_span(span, reading.at, reading.attempt),
            }
        }
        Ok(())
    }

    fn key_settled(&self, reading: &Reading<'_>, key: &[u8]) -> Result<(), Block> {
        if !planted("latches-unseen") && self.latches.blocks_key(key, reading.settled) {
            return Err(Block::Busy(key.to_vec()));
        }
        let blocked = self.intents.blocks_key(key, reading.settled, reading.attempt);
        if blocked && !reading.skipped.contains(key) {
            return Err(Block::Intent(key.to_vec()));
        }
        Ok(())
    }

    fn span_settled(&self, reading: &Reading<'_>, span: &Span) -> Result<(), Block> {
        if let Some(key) = self.latches.blocks_span(span, reading.settled, reading.attempt) {
            return Err(Block::Busy(key.to_vec()));
        }
        let mut blocking = self.intents.blocks_span(span, reading.settled, reading.attempt);
        match blocking.find(|(key, _)| !reading.skipped.contains(*key)) {
            Some((key, _)) => Err(Block::Intent(key.to_vec())),
            None => Ok(()),
        }
    }

    /// Promises `spans` at `to` to the attempt of `meta` unless a foreign write at or below it is under way. Returns
    /// what the recent writes say about each span since `from`.
    pub fn admit_refresh(
        &mut self,
        meta: &TxnMeta,
        spans: &[ReadSpan],
        interval: (TxnId, TxnId),
        prepared: bool,
    ) -> Result<Vec<Change>, Block> {
        let patience = if prepared { Patience::Older(meta) } else { Patience::Unprepared };
        self.promise_spans(meta, spans, interval, patience)
    }

    fn promise_spans(
        &mut self,
        meta: &TxnMeta,
        spans: &[ReadSpan],
        (from, to): (TxnId, TxnId),
        patience: Patience<'_>,
    ) -> Result<Vec<Change>, Block> {
        self.not_frozen()?;
        self.has_history(from)?;
        for ReadSpan { span, .. } in spans {
            if let Some(key) = self.latches.blocks_span(span, to, meta.attempt) {
                return Err(Block::Busy(key.to_vec()));
            }
            if let Some((key, holder)) = self.intents.blocks_span(span, to, meta.attempt).next() {
                return Err(intent_block(key, holder, patience));
            }
        }
        self.saw(to);
        let mut changes = Vec::with_capacity(spans.len());
        for ReadSpan { span, .. } in spans {
            self.cache.promise_span(span, to, meta.attempt);
            changes.push(self.recent.changed(span, from, to));
        }
        Ok(changes)
    }

    /// Latches a path-ONE commit: its record and keys, readable below its commit ID. Promises its reads there, and
    /// returns what the recent writes say about them since its S.
    pub fn admit_commit(&mut self, prepare: &Prepare, record: &[u8]) -> Result<Vec<Change>, Block> {
        self.admit_at(prepare, record, Patience::Unprepared)
    }

    /// The same for a vote on path FAST.
    pub fn admit_fast(&mut self, prepare: &Prepare, record: &[u8]) -> Result<Vec<Change>, Block> {
        self.admit_at(prepare, record, Patience::Below(prepare.commit_id))
    }

    fn admit_at(&mut self, prepare: &Prepare, record: &[u8], patience: Patience<'_>) -> Result<Vec<Change>, Block> {
        let (meta, at) = (&prepare.meta, prepare.commit_id);
        self.keys_free(prepare, record, patience)?;
        self.nothing_promised(prepare)?;
        let changes = self.promise_spans(meta, &prepare.reads, (meta.read_id, at), patience)?;
        self.latch(prepare, record, at);
        Ok(changes)
    }

    /// Nobody was promised that the keys of `prepare` stay as they are at its commit ID.
    fn nothing_promised(&self, prepare: &Prepare) -> Result<(), Block> {
        let (at, attempt) = (prepare.commit_id, prepare.meta.attempt);
        let promised = prepare.writes.iter().map(|write| self.cache.promised(&write.key));
        let above = promised.filter(|promise| !promise.allows(at, attempt)).map(|promise| promise.id).max();
        let floor = self.floor.max(self.raising.history);
        match above.max((at <= floor).then_some(floor)) {
            Some(above) => Err(Block::NeedHigherId(above)),
            None => Ok(()),
        }
    }

    /// Latches a path-ONE commit whose ID is too low, for one that is yet to be drawn: readers of what was handed out up
    /// to now pass, and the ID will be above them; later ones wait. Returns the greatest ID that may pass.
    pub fn admit_claim(&mut self, prepare: &Prepare, record: &[u8]) -> Result<TxnId, Block> {
        self.keys_free(prepare, record, Patience::Unprepared)?;
        let above = self.max_seen.max(self.floor).max(self.raising.history);
        self.latch(prepare, record, TxnId(above.0 + 1));
        Ok(above)
    }

    /// The ID was drawn: promises the reads there, as [`State::admit_commit`] does. It holds latches, so it must not wait:
    /// whatever it would wait for is in its way.
    pub fn admit_claimed(&mut self, prepare: &Prepare) -> Result<Vec<Change>, Block> {
        self.nothing_promised(prepare)?;
        let (meta, at) = (&prepare.meta, prepare.commit_id);
        let promised = self.promise_spans(meta, &prepare.reads, (meta.read_id, at), Patience::Unprepared);
        promised.map_err(|block| match block {
            Block::Busy(_) | Block::Intent(_) => Block::NeedHigherId(at),
            other => other,
        })
    }

    /// Latches a prepare. Returns the lower bound of its commit ID: greater than every ID that a request here has
    /// carried, since the ID is drawn after the vote.
    pub fn admit_prepare(&mut self, prepare: &Prepare, record: &[u8]) -> Result<TxnId, Block> {
        self.keys_free(prepare, record, Patience::Older(&prepare.meta))?;
        self.saw(prepare.meta.read_id);
        let min_c = TxnId(self.max_seen.max(self.floor).0 + 1);
        self.latch(prepare, record, min_c);
        Ok(min_c)
    }

    /// Nobody else writes the keys of `prepare`.
    fn keys_free(&self, prepare: &Prepare, record: &[u8], patience: Patience<'_>) -> Result<(), Block> {
        self.not_frozen()?;
        if self.latches.is_held(record) {
            return Err(Block::Busy(record.to_vec()));
        }
        self.is_remembered(prepare.meta.attempt)?;
        if self.locks.is_wounded(prepare.meta.attempt) {
            return Err(Block::Wounded);
        }
        for write in &prepare.writes {
            if let Base::NotAfter(read_id) = write.base {
                self.has_history(read_id)?;
            }
            if self.latches.is_held(&write.key) {
                return Err(Block::Busy(write.key.clone()));
            }
            if let Some(holder) = self.intents.foreign(&write.key, prepare.meta.attempt) {
                return Err(intent_block(&write.key, holder, patience));
            }
        }
        Ok(())
    }

    fn latch(&mut self, prepare: &Prepare, record: &[u8], at: TxnId) {
        let latch = Latch { attempt: prepare.meta.attempt, at };
        self.latches.take(record.to_vec(), latch);
        for write in &prepare.writes {
            self.latches.take(write.key.clone(), latch);
        }
    }

    /// Latches a record alone.
    pub fn admit_record(&mut self, attempt: Attempt, record: &[u8]) -> Result<(), Block> {
        if self.latches.is_held(record) {
            return Err(Block::Busy(record.to_vec()));
        }
        // Nobody reads records through the tables: the ID is never looked at.
        self.latches.take(record.to_vec(), Latch { attempt, at: TxnId(0) });
        Ok(())
    }

    /// Whether all versions that a read at `at` sees are there, and stay until it is over.
    fn has_history(&self, at: TxnId) -> Result<(), Block> {
        if planted("history-unfenced") {
            return Ok(());
        }
        if at < self.floors.history {
            return Err(Block::TooOld(self.floors.history));
        }
        if at < self.raising.history { Err(Block::Busy(RAISING.to_vec())) } else { Ok(()) }
    }

    /// Whether a record of the attempt may be made, if there is none.
    pub fn is_remembered(&self, attempt: Attempt) -> Result<(), Block> {
        if planted("attempts-unfenced") {
            return Ok(());
        }
        if attempt.birth < self.floors.attempts {
            return Err(Block::Forgotten);
        }
        if attempt.birth < self.raising.attempts { Err(Block::Busy(RAISING.to_vec())) } else { Ok(()) }
    }

    fn not_frozen(&self) -> Result<(), Block> {
        if self.frozen { Err(Block::Busy(WHOLE_RANGE.to_vec())) } else { Ok(()) }
    }
}

/// What an intent means for a request.
fn intent_block(key: &[u8], holder: &Holder, patience: Patience<'_>) -> Block {
    let may_wait = match patience {
        Patience::Unprepared => true,
        // What is held may be so for days, and who is prepared must not be as long.
        Patience::Older(meta) => holder.commit_id.is_some() || (holder.start <= meta.start && !holder.held),
        Patience::Below(at) => holder.commit_id.is_some_and(|id| id < at),
    };
    if may_wait { Block::Intent(key.to_vec()) } else { Block::Held(key.to_vec(), holder.visible_from()) }
}
