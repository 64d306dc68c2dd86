//! Reads of a transaction: from the overlay, or from the leaseholders at S.

use super::handle::Transaction;
use super::options::{Isolation, Page, Scan};
use crate::Columns;
use crate::TxnId;
use crate::api::{Blob, LockMode, LockWait, Read, ReadResult, Reply, Request};
use crate::coordinator::unexpected;
use crate::error::{Error, Result, RetryReason};
use crate::oracle::CommitIds;
use crate::router::{Answer, Route};
use bytes::Bytes;
use futures::future::try_join_all;
use quorate_storage::{RangeId, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A volatile lock wanted on what is read.
type Lock = Option<(LockMode, LockWait)>;

/// What a range answered to reads.
struct Rows {
    results: Vec<ReadResult>,
    newest: Option<TxnId>,
    drawn: Option<CommitIds>,
}

impl Transaction {
    /// The value of `key`, as of S and own writes.
    ///
    /// # Errors
    /// See [`Error`]; after [`Error::Retry`] the transaction must be rolled back.
    pub async fn get(&mut self, key: &[u8], lock: Lock) -> Result<Option<Bytes>> {
        self.get_columns(key, lock, &None).await
    }

    /// As [`Transaction::get`]; the transaction will not be disturbed by changes of other columns than these.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub async fn get_columns(&mut self, key: &[u8], lock: Lock, columns: &Columns) -> Result<Option<Bytes>> {
        self.check_open()?;
        if let Some(write) = self.overlay.get(key) {
            return Ok(write.value.clone());
        }
        loop {
            let route = self.client.router().locate(key).await?;
            let make = || vec![Read::Get { key: key.to_vec() }];
            let Some(rows) = self.read_range(&route, key, &make, lock).await? else { continue };
            self.drawn = rows.drawn.or(self.drawn);
            if let Some(newest) = rows.newest
                && !self.overtaken(newest, true).await?
            {
                continue;
            }
            let Some(ReadResult::Value(value)) = rows.results.into_iter().next() else { return Err(misfit(None)) };
            let value = value.map(Bytes::from);
            self.note_point(key, value.as_ref(), lock, columns);
            return Ok(value);
        }
    }

    /// The values of `keys`, in their order: one request per range, all at once. With [`LockWait::SkipLocked`] a locked
    /// row shows as absent.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub async fn get_many(&mut self, keys: Vec<Vec<u8>>, lock: Lock) -> Result<Vec<Option<Bytes>>> {
        self.get_many_columns(keys, lock, &None).await
    }

    /// As [`Transaction::get_many`]; the transaction will not be disturbed by changes of other columns than these.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub async fn get_many_columns(
        &mut self,
        keys: Vec<Vec<u8>>,
        lock: Lock,
        columns: &Columns,
    ) -> Result<Vec<Option<Bytes>>> {
        self.check_open()?;
        let mut values: Vec<Option<Bytes>> = vec![None; keys.len()];
        let mut missing = Vec::with_capacity(keys.len());
        for (at, key) in keys.iter().enumerate() {
            match self.overlay.get(key) {
                Some(write) => values[at].clone_from(&write.value),
                None => missing.push(at),
            }
        }
        while !missing.is_empty() {
            let (found, moved) = self.get_from_ranges(&keys, &missing, lock).await?;
            self.drawn = found.iter().find_map(|(_, rows)| rows.drawn).or(self.drawn);
            if let Some(newest) = found.iter().filter_map(|(_, rows)| rows.newest).max()
                && !self.overtaken(newest, found.len() == 1).await?
            {
                continue;
            }
            missing = moved;
            for (asked, rows) in found {
                for (at, result) in asked.into_iter().zip(rows.results) {
                    let ReadResult::Value(value) = result else { return Err(misfit(Some(&result))) };
                    values[at] = value.map(Bytes::from);
                    self.note_point(&keys[at], values[at].as_ref(), lock, columns);
                }
            }
        }
        Ok(values)
    }

    /// Asks each range for its part of the keys at `wanted`; also returns those whose range has moved.
    async fn get_from_ranges(
        &mut self,
        keys: &[Vec<u8>],
        wanted: &[usize],
        lock: Lock,
    ) -> Result<(Vec<(Vec<usize>, Rows)>, Vec<usize>)> {
        let mut by_range: BTreeMap<RangeId, (Arc<Route>, Vec<usize>)> = BTreeMap::new();
        for &at in wanted {
            let route = self.client.router().locate(&keys[at]).await?;
            by_range.entry(route.descriptor.id).or_insert_with(|| (route, Vec::new())).1.push(at);
        }
        for (range, (_, asked)) in &by_range {
            self.note_lock(*range, &keys[asked[0]], lock);
        }
        let this = &*self;
        let reads = by_range.into_values().map(|(route, asked)| async move {
            let make = || asked.iter().map(|&at| Read::Get { key: keys[at].clone() }).collect();
            let rows = this.send_read(&route, &make, lock).await?;
            Ok::<_, Error>((asked, rows))
        });
        let (mut found, mut moved) = (Vec::new(), Vec::new());
        for (asked, rows) in try_join_all(reads).await? {
            match rows {
                Some(rows) => found.push((asked, rows)),
                None => moved.extend(asked),
            }
        }
        Ok((found, moved))
    }

    /// The first pairs of a span, as of S and own writes; see [`Page::resume`] for the rest.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub async fn scan(&mut self, scan: Scan) -> Result<Page> {
        self.scan_columns(scan, &None).await
    }

    /// As [`Transaction::scan`]; the transaction will not be disturbed by changes of other columns than these.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    pub async fn scan_columns(&mut self, scan: Scan, columns: &Columns) -> Result<Page> {
        self.check_open()?;
        let mut rest = scan.span.clone();
        let mut pairs: Vec<(Bytes, Bytes)> = Vec::new();
        let limit = scan.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        if limit == Some(0) {
            return Ok(Page { pairs, resume: (rest.start < rest.end).then_some(rest) });
        }
        while rest.start < rest.end {
            let left = limit.map(|limit| limit - pairs.len());
            let Some((covered, stored)) = self.scan_range(&rest, left, (&scan, columns)).await? else { continue };
            let mut merged = self.overlay.merge(&covered, scan.reverse, stored);
            rest = behind(rest, &covered, scan.reverse);
            if let Some(left) = left
                && merged.len() >= left
            {
                if merged.len() > left {
                    merged.truncate(left);
                    rest = after_last(&scan, &merged);
                }
                pairs.append(&mut merged);
                break;
            }
            pairs.append(&mut merged);
            if limit.is_none() && !pairs.is_empty() {
                break;
            }
        }
        Ok(Page { pairs, resume: (rest.start < rest.end).then_some(rest) })
    }

    /// Scans the first range of `rest`: what part of it was covered, and the stored pairs there. `None`: the range has
    /// moved, or S has; come again.
    async fn scan_range(
        &mut self,
        rest: &Span,
        left: Option<usize>,
        (scan, columns): (&Scan, &Columns),
    ) -> Result<Option<(Span, Vec<(Blob, Blob)>)>> {
        let router = self.client.router();
        let route =
            if scan.reverse { router.locate_below(&rest.end).await? } else { router.locate(&rest.start).await? };
        let Some(part) = rest.intersect(&route.descriptor.span) else { return Ok(None) };
        let limit = left.map_or(0, |left| left.saturating_add(self.overlay.deletes_in(&part)) as u64);
        let make = || vec![Read::Scan { span: part.clone(), limit, reverse: scan.reverse }];
        let Some(rows) = self.read_range(&route, &part.start, &make, scan.lock).await? else { return Ok(None) };
        self.drawn = rows.drawn.or(self.drawn);
        if let Some(newest) = rows.newest
            && !self.overtaken(newest, true).await?
        {
            return Ok(None);
        }
        match rows.results.into_iter().next() {
            Some(ReadResult::Pairs { pairs, resume }) => {
                let covered = resume.map_or_else(|| part.clone(), |resume| before(&part, &resume, scan.reverse));
                self.note_span(&covered, &pairs, scan.lock, columns);
                Ok(Some((covered, pairs)))
            }
            other => Err(misfit(other.as_ref())),
        }
    }

    /// Reads in one range; `None` if it has moved.
    async fn read_range(
        &mut self,
        route: &Arc<Route>,
        key: &[u8],
        make: &(dyn Fn() -> Vec<Read> + Sync),
        lock: Lock,
    ) -> Result<Option<Rows>> {
        self.note_lock(route.descriptor.id, key, lock);
        self.send_read(route, make, lock).await
    }

    async fn send_read(
        &self,
        route: &Arc<Route>,
        make: &(dyn Fn() -> Vec<Read> + Sync),
        lock: Lock,
    ) -> Result<Option<Rows>> {
        let meta = self.meta();
        let router = self.client.router();
        let request = || Request::Read { meta, reads: make(), lock };
        let delivery = match self.lock_timeout {
            None => router.send(route, request).await,
            Some(limit) => match router.runtime().timeout(limit, router.send(route, request)).await {
                Some(delivery) => delivery,
                None => return Err(Error::LockNotAvailable { key: Vec::new() }),
            },
        };
        match delivery.answer {
            Answer::Reply(Reply::Rows { results, newest, drawn }) => Ok(Some(Rows { results, newest, drawn })),
            Answer::Reply(Reply::Wounded) => Err(Error::Retry(RetryReason::Wounded)),
            Answer::Reply(Reply::Aborted) => Err(Error::Retry(RetryReason::Aborted)),
            Answer::Reply(Reply::TooOld { floor }) => Err(Error::TooOld { read_id: self.read_id, floor }),
            Answer::Reply(Reply::LockNotAvailable { key }) => Err(Error::LockNotAvailable { key }),
            Answer::Reply(other) => Err(unexpected(&other)),
            Answer::Moved => Ok(None),
            Answer::Unavailable => Err(Error::Unavailable(Some(route.descriptor.id))),
        }
    }

    fn note_lock(&mut self, range: RangeId, key: &[u8], lock: Lock) {
        if lock.is_none() {
            return;
        }
        if !self.is_locking {
            self.become_attempt(self.client.begin_locking(self.attempt));
            self.is_locking = true;
        }
        match self.locked.get_mut(&range) {
            Some(least) if least.as_slice() <= key => {}
            Some(least) => *least = key.to_vec(),
            None => {
                self.locked.insert(range, key.to_vec());
            }
        }
    }

    fn note_point(&mut self, key: &[u8], value: Option<&Bytes>, lock: Lock, columns: &Columns) {
        self.has_read = true;
        if let Some(watch) = self.watch.as_mut().filter(|_| shows_all(lock)) {
            let pairs = value.map(|value| (key.to_vec(), value.clone()));
            watch.read(self.read_id, Span::point(key), pairs.into_iter().collect(), columns.clone());
        }
        if self.notes_reads() {
            self.reads.add_point(key.to_vec(), columns);
        }
    }

    fn note_span(&mut self, span: &Span, pairs: &[(Blob, Blob)], lock: Lock, columns: &Columns) {
        self.has_read = true;
        if let Some(watch) = self.watch.as_mut().filter(|_| shows_all(lock)) {
            let pairs = pairs.iter().map(|(key, value)| (key.to_vec(), Bytes::copy_from_slice(value)));
            watch.read(self.read_id, span.clone(), pairs.collect(), columns.clone());
        }
        if self.notes_reads() {
            self.reads.add_span(span.clone(), columns);
        }
    }

    /// A transaction that cannot write never has to prove its reads at another ID.
    fn notes_reads(&self) -> bool {
        self.options.isolation == Isolation::Serializable && !self.options.read_only
    }
}

/// Whether a read with this lock shows every row.
fn shows_all(lock: Lock) -> bool {
    !matches!(lock, Some((_, LockWait::SkipLocked)))
}

/// The part of `span` that a scan has covered when it goes on at `resume`.
fn before(span: &Span, resume: &Span, reverse: bool) -> Span {
    if reverse {
        Span::new(resume.end.clone(), span.end.clone())
    } else {
        Span::new(span.start.clone(), resume.start.clone())
    }
}

/// What is left of `rest` when its first part is done.
fn behind(rest: Span, done: &Span, reverse: bool) -> Span {
    if reverse { Span::new(rest.start, done.start.clone()) } else { Span::new(done.end.clone(), rest.end) }
}

/// What is left of the scan behind the last pair of `pairs`.
fn after_last(scan: &Scan, pairs: &[(Bytes, Bytes)]) -> Span {
    match pairs.last() {
        Some((last, _)) if scan.reverse => Span::new(scan.span.start.clone(), last.to_vec()),
        Some((last, _)) => Span { start: Span::point(last).end, end: scan.span.end.clone() },
        None => scan.span.clone(),
    }
}

fn misfit(result: Option<&ReadResult>) -> Error {
    Error::Stopped(format!("a range answered a read with {result:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_and_goes_on_in_both_directions() {
        let span = Span::new(*b"b", *b"y");
        assert_eq!(before(&span, &Span::new(*b"m", *b"y"), false), Span::new(*b"b", *b"m"));
        assert_eq!(before(&span, &Span::new(*b"b", *b"m"), true), Span::new(*b"m", *b"y"));
        assert_eq!(behind(span.clone(), &Span::new(*b"b", *b"m"), false), Span::new(*b"m", *b"y"));
        assert_eq!(behind(span.clone(), &Span::new(*b"m", *b"y"), true), Span::new(*b"b", *b"m"));
        let pairs = [(Bytes::from_static(b"c"), Bytes::new()), (Bytes::from_static(b"d"), Bytes::new())];
        let mut scan = Scan::all(span);
        assert_eq!(after_last(&scan, &pairs), Span::new(b"d\0".to_vec(), *b"y"));
        scan.reverse = true;
        assert_eq!(after_last(&scan, &pairs), Span::new(*b"b", *b"d"));
    }
}
