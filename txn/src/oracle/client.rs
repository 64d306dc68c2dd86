//! A gateway's way to the oracle: one request at a time, answered for everybody who waits.
//!
//! ```text
//!   callers   a b c ........ d e f g ..........
//!   requests  [a]────────►  [b c d]──────►  [e f g] ...     one outstanding; the next takes all who came meanwhile
//! ```
//! Invariant: a caller's answer is produced after the caller asked: it never joins a request that is under way.

use super::machine::{Allocation, Ask};
use super::service::OracleService;
use crate::TxnId;
use crate::error::{Error, Result};
use crate::participant::Ids;
use crate::service::{Caller, Peers};
use async_trait::async_trait;
use parking_lot::Mutex;
use quorate_storage::{NodeId, ORACLE_RANGE};
use std::sync::Arc;
use tokio::sync::oneshot;

/// An S, with the catalog ID as of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The largest ID handed out.
    pub read_id: TxnId,
    /// The newest change of the catalog at or below it.
    pub catalog_id: TxnId,
}

/// A commit ID, with the catalog ID as of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitIds {
    /// The ID.
    pub commit_id: TxnId,
    /// The newest change of the catalog at or below it.
    pub catalog_id: TxnId,
}

/// Asks the oracle. Cheap to clone; one per node.
#[derive(Clone, Debug)]
pub struct OracleClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    caller: Caller<OracleService>,
    /// Who waits. Held for a few instructions.
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<(Want, oneshot::Sender<Result<Allocation>>)>,
    running: bool,
}

#[derive(Clone, Copy, Debug)]
struct Want {
    commit: bool,
    confirm: bool,
}

impl OracleClient {
    /// Asks the oracle of this node, or whichever node leads r2.
    pub(crate) fn new(node: NodeId, service: OracleService, peers: Peers) -> OracleClient {
        let caller = Caller::new(node, Arc::new(service), peers);
        OracleClient { shared: Arc::new(Shared { caller, queue: Mutex::default() }) }
    }

    /// The oracle of this node, to serve requests of others.
    pub fn service(&self) -> &Arc<OracleService> {
        self.shared.caller.service()
    }

    /// A fresh S: every transaction acknowledged before this call has an ID at or below it.
    pub async fn read_id(&self) -> Result<Reading> {
        let got = self.batched(Want { commit: false, confirm: true }).await?;
        Ok(Reading { read_id: got.read_id, catalog_id: got.catalog_id })
    }

    /// The largest ID that had been handed out at a time in the past (microseconds since 1970); `None` if that is longer ago
    /// than the oracle remembers. Now for a time to come.
    pub async fn read_id_at(&self, time: u64) -> Result<Option<TxnId>> {
        let ask = Ask { as_of: Some(time), confirm: true, ..Ask::default() };
        let id = self.shared.caller.ask(&ask).await?.read_id;
        Ok((id > TxnId(0)).then_some(id))
    }

    /// A commit ID above `above`: the S of the transaction, which was confirmed, or what its commit ID was refused for.
    pub async fn commit_id(&self, above: TxnId) -> Result<CommitIds> {
        let got = self.batched(Want { commit: true, confirm: false }).await?;
        if got.first_commit > above {
            return Ok(CommitIds { commit_id: got.first_commit, catalog_id: got.catalog_id });
        }
        // A deposed oracle gave it; or this one, if `above` was.
        let fresh = self.fresh_commit_id().await?;
        if fresh.commit_id > above {
            return Ok(fresh);
        }
        self.advance_to(above).await?;
        self.fresh_commit_id().await
    }

    /// A commit ID above every ID handed out before this call.
    pub async fn fresh_commit_id(&self) -> Result<CommitIds> {
        let got = self.batched(Want { commit: true, confirm: true }).await?;
        Ok(CommitIds { commit_id: got.first_commit, catalog_id: got.catalog_id })
    }

    /// A commit ID above `above` for a change of the catalog, told to everybody who asks later.
    pub async fn catalog_commit_id(&self, above: TxnId) -> Result<CommitIds> {
        let ask = Ask { catalog: true, confirm: true, ..Ask::default() };
        let mut got = self.shared.caller.ask(&ask).await?;
        if got.first_commit <= above {
            self.advance_to(above).await?;
            got = self.shared.caller.ask(&ask).await?;
        }
        Ok(CommitIds { commit_id: got.first_commit, catalog_id: got.catalog_id })
    }

    /// Makes every ID handed out later larger than `above`.
    pub async fn advance_to(&self, above: TxnId) -> Result<()> {
        let ask = Ask { above: Some(above), confirm: true, ..Ask::default() };
        self.shared.caller.ask(&ask).await.map(drop)
    }

    async fn batched(&self, want: Want) -> Result<Allocation> {
        let alone = Ask { commits: u32::from(want.commit), confirm: want.confirm, ..Ask::default() };
        if let Some(allocation) = self.service().serve_now(&alone) {
            return Ok(allocation);
        }
        let answer = self.enqueue(want);
        answer.await.unwrap_or(Err(Error::Unavailable(Some(ORACLE_RANGE))))
    }

    fn enqueue(&self, want: Want) -> oneshot::Receiver<Result<Allocation>> {
        let (sender, answer) = oneshot::channel();
        let mut queue = self.shared.queue.lock();
        if self.shared.caller.tasks().is_closed() {
            return answer;
        }
        queue.waiting.push((want, sender));
        let start = !queue.running;
        queue.running = true;
        drop(queue);
        if start {
            let abandoned = Abandoned(self.clone());
            self.shared.caller.tasks().spawn(async move { abandoned.0.drain().await });
        }
        answer
    }

    /// Sends requests until nobody waits.
    async fn drain(&self) {
        loop {
            let batch = {
                let mut queue = self.shared.queue.lock();
                if queue.waiting.is_empty() {
                    queue.running = false;
                    return;
                }
                std::mem::take(&mut queue.waiting)
            };
            let commits = batch.iter().filter(|(want, _)| want.commit).count();
            let ask = Ask {
                commits: u32::try_from(commits).unwrap_or(u32::MAX),
                confirm: batch.iter().any(|(want, _)| want.confirm),
                ..Ask::default()
            };
            fan_out(batch, self.shared.caller.ask(&ask).await);
            // Who was just answered often asks again at once: one round for all of them, not one for the first.
            tokio::task::yield_now().await;
        }
    }
}

/// Lets go of whoever still waits when the node closes under a request; after a finished drain nobody does.
struct Abandoned(OracleClient);

impl Drop for Abandoned {
    fn drop(&mut self) {
        let mut queue = self.0.shared.queue.lock();
        if self.0.shared.caller.tasks().is_closed() {
            queue.waiting.clear();
        }
    }
}

#[async_trait]
impl Ids for OracleClient {
    async fn newest_id(&self) -> Option<TxnId> {
        self.read_id().await.ok().map(|reading| reading.read_id)
    }

    async fn commit_ids(&self, above: TxnId) -> Option<CommitIds> {
        self.commit_id(above).await.ok()
    }

    async fn advance_to(&self, above: TxnId) -> bool {
        OracleClient::advance_to(self, above).await.is_ok()
    }
}

/// Gives every waiting caller its share; one that has gone leaves its ID unused.
fn fan_out(batch: Vec<(Want, oneshot::Sender<Result<Allocation>>)>, answer: Result<Allocation>) {
    let mut used = 0;
    for (want, sender) in batch {
        let share = answer.clone().map(|all| Allocation { first_commit: TxnId(all.first_commit.0 + used), ..all });
        used += u64::from(want.commit);
        if sender.send(share).is_err() {
            tracing::trace!("a caller of the oracle has gone");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_commit_of_a_batch_gets_its_own_id() {
        let wants = [(false, true), (true, false), (true, true), (false, true), (true, false)];
        let (batch, answers): (Vec<_>, Vec<_>) = wants
            .into_iter()
            .map(|(commit, confirm)| {
                let (sender, answer) = oneshot::channel();
                ((Want { commit, confirm }, sender), answer)
            })
            .unzip();
        let all = Allocation { read_id: TxnId(9), first_commit: TxnId(10), catalog_id: TxnId(3) };
        fan_out(batch, Ok(all));
        let got: Vec<_> = answers.into_iter().map(|mut answer| answer.try_recv().unwrap().unwrap()).collect();
        let commits: Vec<_> =
            got.iter().zip(wants).filter(|(_, want)| want.0).map(|(got, _)| got.first_commit.0).collect();
        assert_eq!(commits, [10, 11, 12]);
        assert!(got.iter().all(|got| got.read_id == TxnId(9)));
    }
}
