//! A gateway's way to the oracle: few requests at a time, each answered for everybody who waited when it left.
//!
//! ```text
//!   callers   a  b c d e  ....  f g h i j k l
//!   requests  [a]─────────►     [f g h i]──────►            one leaves when none is under way,
//!                [b c d e]─────────►     [j k l ...]──►     or when as many wait as are under way, if those are few
//! ```
//! So a caller among few waits for nobody else's round, and many share one. Those who want a commit ID that nobody needs to
//! confirm go apart: their answer costs the oracle no round among its replicas. So do single statements that write, which
//! are few beside those that read: they do not wait until all of these were answered.
//!
//! Invariant: a caller's answer is produced after the caller asked: it never joins a request that is under way.

use super::machine::{Allocation, Ask};
use super::service::OracleService;
use crate::TxnId;
use crate::error::{Error, Result};
use crate::participant::Ids;
use crate::service::{Caller, Peers};
use async_trait::async_trait;
use bincode::{Decode, Encode};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
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
    /// Who waits for S alone. Held, as the others, for a few instructions.
    reads: Mutex<Queue>,
    /// Who waits for S and a commit ID.
    writes: Mutex<Queue>,
    /// Who waits for a commit ID that nobody confirms.
    commits: Mutex<Queue>,
}

impl Shared {
    fn queue(&self, want: Want) -> &Mutex<Queue> {
        match want {
            Want { confirm: false, .. } => &self.commits,
            Want { commit: true, .. } => &self.writes,
            Want { commit: false, .. } => &self.reads,
        }
    }
}

/// Requests of a queue under way at once, at most.
const MOST_REQUESTS: usize = 4;
/// With more callers under way it is processors that are scarce, and one request for all costs least.
const FEW: usize = 8;

type Waiting = (Want, oneshot::Sender<Result<Allocation>>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// A request is about to leave, with everybody who waits by then.
    leaving: bool,
    /// Requests under way.
    requests: usize,
    /// Callers that they will answer.
    asking: usize,
}

impl Queue {
    const NEW: Queue = Queue { waiting: Vec::new(), leaving: false, requests: 0, asking: 0 };

    /// Whether a request shall leave for those who wait; if so, one is about to.
    fn leaves(&mut self) -> bool {
        let worth = self.asking <= FEW && self.waiting.len() >= self.asking.max(1);
        let leaves = worth && self.requests < MOST_REQUESTS && !self.leaving;
        self.leaving |= leaves;
        leaves
    }

    /// Everybody who waits, for the request that leaves now.
    fn take(&mut self) -> Vec<Waiting> {
        self.leaving = false;
        self.requests += 1;
        self.asking += self.waiting.len();
        std::mem::take(&mut self.waiting)
    }

    /// A request for so many callers was answered.
    fn returned(&mut self, asked: usize) {
        self.requests -= 1;
        self.asking -= asked;
    }
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
        let [reads, writes, commits] = [const { Mutex::new(Queue::NEW) }; 3];
        OracleClient { shared: Arc::new(Shared { caller, reads, writes, commits }) }
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

    /// A fresh S, and a commit ID above it.
    pub async fn read_and_commit_id(&self) -> Result<(Reading, CommitIds)> {
        let Allocation { read_id, first_commit, catalog_id, .. } =
            self.batched(Want { commit: true, confirm: true }).await?;
        Ok((Reading { read_id, catalog_id }, CommitIds { commit_id: first_commit, catalog_id }))
    }

    /// The largest ID that had been handed out at a time in the past (microseconds since 1970); `None` if that is longer ago
    /// than the oracle remembers. Now for a time to come.
    pub async fn read_id_at(&self, time: u64) -> Result<Option<TxnId>> {
        let ask = Ask { as_of: Some(time), confirm: true, ..Ask::default() };
        let id = self.ask(ask).await?.read_id;
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
        self.read_and_commit_id().await.map(|(_, ids)| ids)
    }

    /// A commit ID above `above` for a change of the catalog, told to everybody who asks later.
    pub async fn catalog_commit_id(&self, above: TxnId) -> Result<CommitIds> {
        let ask = Ask { catalog: true, confirm: true, ..Ask::default() };
        let mut got = self.ask(ask).await?;
        if got.first_commit <= above {
            self.advance_to(above).await?;
            got = self.ask(ask).await?;
        }
        Ok(CommitIds { commit_id: got.first_commit, catalog_id: got.catalog_id })
    }

    /// Makes every ID handed out later larger than `above`.
    pub async fn advance_to(&self, above: TxnId) -> Result<()> {
        let ask = Ask { above: Some(above), confirm: true, ..Ask::default() };
        self.ask(ask).await.map(drop)
    }

    /// Asks, and confirms what the oracle leaves to this node to confirm.
    async fn ask(&self, ask: Ask) -> Result<Allocation> {
        let caller = &self.shared.caller;
        let asker = Some(caller.node()).filter(|_| ask.confirm);
        let given = caller.ask(&Ask { asker, ..ask }).await?;
        match given.witness {
            Some(witness) if !witness.confirms(caller.node(), caller.store()) => caller.ask(&ask).await,
            _ => Ok(given),
        }
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
        let mut queue = self.shared.queue(want).lock();
        if self.shared.caller.tasks().is_closed() {
            return answer;
        }
        queue.waiting.push((want, sender));
        let leaves = queue.leaves();
        drop(queue);
        if leaves {
            let abandoned = Abandoned(self.clone());
            self.shared.caller.tasks().spawn(async move { abandoned.0.drain(want).await });
        }
        answer
    }

    /// Sends requests as long as one may leave.
    async fn drain(&self, want: Want) {
        let queue = self.shared.queue(want);
        loop {
            let batch = queue.lock().take();
            let asked = batch.len();
            let commits = if want.commit { u32::try_from(asked).unwrap_or(u32::MAX) } else { 0 };
            let ask = Ask { commits, confirm: want.confirm, ..Ask::default() };
            fan_out(batch, self.ask(ask).await);
            // Who was just answered often asks again at once: one round for all of them, not one for the first.
            tokio::task::yield_now().await;
            let mut queue = queue.lock();
            queue.returned(asked);
            if !queue.leaves() {
                return;
            }
        }
    }
}

/// Lets go of whoever still waits when the node closes under a request; after a finished drain nobody does.
struct Abandoned(OracleClient);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if self.0.shared.caller.tasks().is_closed() {
            for queue in [&self.0.shared.reads, &self.0.shared.writes, &self.0.shared.commits] {
                queue.lock().waiting.clear();
            }
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
fn fan_out(batch: Vec<Waiting>, answer: Result<Allocation>) {
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
    fn a_request_leaves_for_the_first_and_for_as_many_as_are_under_way() {
        let mut queue = Queue::default();
        let come = |queue: &mut Queue| {
            queue.waiting.push((Want { commit: false, confirm: true }, oneshot::channel().0));
            queue.leaves()
        };
        assert!(come(&mut queue), "the first asks at once");
        assert!(!come(&mut queue), "and takes along who comes before it has left");
        assert_eq!(queue.take().len(), 2);
        assert!(!come(&mut queue), "two are under way");
        assert!(come(&mut queue), "as many wait");
        assert_eq!(queue.take().len(), 2);
        assert_eq!([come(&mut queue), come(&mut queue), come(&mut queue)], [false; 3], "four are under way");
        queue.returned(2);
        assert!(queue.leaves(), "two are left, and three wait");
        assert_eq!(queue.take().len(), 3);
        queue.returned(2);
        queue.returned(3);
        assert!(!queue.leaves(), "nobody waits");
        queue.requests = 1;
        queue.asking = FEW + 1;
        assert!((0..2 * FEW).all(|_| !come(&mut queue)), "many are under way");
        queue.asking = 1;
        queue.requests = MOST_REQUESTS;
        assert!(!come(&mut queue), "enough requests are under way");
    }

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
        let all = Allocation { read_id: TxnId(9), first_commit: TxnId(10), catalog_id: TxnId(3), witness: None };
        fan_out(batch, Ok(all));
        let got: Vec<_> = answers.into_iter().map(|mut answer| answer.try_recv().unwrap().unwrap()).collect();
        let commits: Vec<_> =
            got.iter().zip(wants).filter(|(_, want)| want.0).map(|(got, _)| got.first_commit.0).collect();
        assert_eq!(commits, [10, 11, 12]);
        assert!(got.iter().all(|got| got.read_id == TxnId(9)));
    }
}
