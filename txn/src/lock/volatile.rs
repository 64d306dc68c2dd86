//! Volatile locks: what statements lock until their transaction ends. They save aborts; correctness never depends on
//! them, because a commit validates again.
//!
//! Each key has holders and a queue ordered by age. A lock is granted when it is compatible with all holders and nobody
//! older waits before it. Wound-wait keeps it free of deadlock: a request may wait for older ones as long as it likes;
//! if it still waits for younger ones after a grace period, it *wounds* them: they lose all their locks in this range,
//! and their next request here is told to abort. The grace period lets a younger holder that is about to commit do so;
//! without it every older transaction that meets a busy row would cost a younger one its work.
//!
//! Invariant: among the holders of a key either one holds `Update`, alone, or all hold `Share`.
//! Invariant: an attempt is in the queue of at most one key per ticket, and in no queue of a key it holds in that mode.

use super::Ticket;
use crate::api::LockMode;
use crate::{Attempt, StartId};
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};

/// Wounded attempts remembered; the eldest are forgotten first (they fail at validation instead).
const MAX_WOUNDED: usize = 4096;

/// Who asks for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The attempt.
    pub attempt: Attempt,
    /// Its age.
    pub start: StartId,
}

/// What happened to a waiting request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// It has the lock.
    Granted(Ticket),
    /// Its attempt was wounded, or unlocked by its gateway.
    Wounded(Ticket),
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    owner: Owner,
    mode: LockMode,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    ticket: Ticket,
    owner: Owner,
    mode: LockMode,
}

#[derive(Debug, Default)]
struct Entry {
    holders: SmallVec<[Hold; 1]>,
    queue: Vec<Waiter>,
}

/// The volatile locks of a range.
#[derive(Debug, Default)]
pub struct LockTable {
    keys: BTreeMap<Vec<u8>, Entry>,
    /// Keys that an attempt holds or waits for.
    attempts: BTreeMap<Attempt, Vec<Vec<u8>>>,
    waiting: BTreeMap<Ticket, Vec<u8>>,
    wounded: VecDeque<Attempt>,
}

impl LockTable {
    /// Locks `key`, or queues under `ticket`. Returns whether the lock is held now.
    pub fn request(&mut self, key: &[u8], owner: Owner, mode: LockMode, ticket: Ticket) -> bool {
        if !self.keys.contains_key(key) {
            self.keys.insert(key.to_vec(), Entry::default());
        }
        let Some(entry) = self.keys.get_mut(key) else {
            return false;
        };
        if entry.holds(owner.attempt, mode) {
            return true;
        }
        if !entry.knows(owner.attempt) {
            self.attempts.entry(owner.attempt).or_default().push(key.to_vec());
        }
        let place = entry.queue.partition_point(|waiter| waiter.owner.start <= owner.start);
        entry.queue.insert(place, Waiter { ticket, owner, mode });
        entry.grant(&mut Vec::new());
        let granted = entry.holds(owner.attempt, mode);
        if !granted {
            self.waiting.insert(ticket, key.to_vec());
        }
        granted
    }

    /// Whether a request would have to wait.
    pub fn would_wait(&self, key: &[u8], owner: Owner, mode: LockMode) -> bool {
        self.keys.get(key).is_some_and(|entry| {
            !entry.holds(owner.attempt, mode)
                && (!entry.admits(owner.attempt, mode)
                    || entry.queue.first().is_some_and(|first| first.owner.start <= owner.start))
        })
    }

    /// Takes a waiting request out of its queue.
    pub fn cancel(&mut self, ticket: Ticket) -> Vec<Wake> {
        let mut wakes = Vec::new();
        let Some(key) = self.waiting.remove(&ticket) else {
            return wakes;
        };
        if let Some(entry) = self.keys.get_mut(&key) {
            entry.queue.retain(|waiter| waiter.ticket != ticket);
        }
        self.settle(&key, &mut wakes);
        wakes
    }

    /// The grace period of `ticket` is over: younger holders in its way lose their locks.
    pub fn wound(&mut self, ticket: Ticket) -> Vec<Wake> {
        let mut wakes = Vec::new();
        let entry = self.waiting.get(&ticket).and_then(|key| self.keys.get(key));
        let Some(entry) = entry else { return wakes };
        let Some(waiter) = entry.queue.iter().find(|waiter| waiter.ticket == ticket).copied() else {
            return wakes;
        };
        let victims: Vec<Attempt> = entry
            .holders
            .iter()
            .filter(|hold| hold.conflicts(waiter.owner.attempt, waiter.mode) && hold.owner.start > waiter.owner.start)
            .map(|hold| hold.owner.attempt)
            .collect();
        for victim in victims {
            self.remember_wounded(victim);
            self.drop_locks(victim, &mut wakes);
        }
        wakes
    }

    /// Whether the attempt has lost locks to an older one.
    pub fn is_wounded(&self, attempt: Attempt) -> bool {
        !self.wounded.is_empty() && self.wounded.contains(&attempt)
    }

    /// The attempt has ended: its locks are free, its waiting requests are woken as wounded.
    pub fn release(&mut self, attempt: Attempt) -> Vec<Wake> {
        let mut wakes = Vec::new();
        self.wounded.retain(|wounded| *wounded != attempt);
        self.drop_locks(attempt, &mut wakes);
        wakes
    }

    /// Whether somebody waits for a lock that the attempt holds.
    pub fn is_awaited(&self, attempt: Attempt) -> bool {
        let keys = self.attempts.get(&attempt).into_iter().flatten();
        keys.filter_map(|key| self.keys.get(key)).any(|entry| !entry.queue.is_empty())
    }

    /// Who holds and who waits for what, by key: holders first, then the queue in its order.
    pub fn list(&self) -> impl Iterator<Item = (&[u8], LockMode, Attempt, bool)> {
        self.keys.iter().flat_map(|(key, entry)| {
            let holders = entry.holders.iter().map(move |hold| (key.as_slice(), hold.mode, hold.owner.attempt, true));
            let queue = entry.queue.iter().map(move |waits| (key.as_slice(), waits.mode, waits.owner.attempt, false));
            holders.chain(queue)
        })
    }

    /// Attempts that hold or wait for locks.
    pub fn attempts(&self) -> impl Iterator<Item = Attempt> {
        self.attempts.keys().copied()
    }

    /// Whether nobody holds or waits for anything.
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    fn remember_wounded(&mut self, attempt: Attempt) {
        if self.wounded.len() == MAX_WOUNDED {
            self.wounded.pop_front();
        }
        self.wounded.push_back(attempt);
    }

    fn drop_locks(&mut self, attempt: Attempt, wakes: &mut Vec<Wake>) {
        for key in self.attempts.remove(&attempt).unwrap_or_default() {
            let Some(entry) = self.keys.get_mut(&key) else { continue };
            entry.holders.retain(|hold| hold.owner.attempt != attempt);
            entry.queue.retain(|waiter| {
                let stays = waiter.owner.attempt != attempt;
                if !stays {
                    self.waiting.remove(&waiter.ticket);
                    wakes.push(Wake::Wounded(waiter.ticket));
                }
                stays
            });
            self.settle(&key, wakes);
        }
    }

    /// Grants what can be granted at `key` and forgets it if nobody is left.
    fn settle(&mut self, key: &[u8], wakes: &mut Vec<Wake>) {
        let Some(entry) = self.keys.get_mut(key) else { return };
        let first = wakes.len();
        entry.grant(wakes);
        for wake in &wakes[first..] {
            if let Wake::Granted(ticket) = wake {
                self.waiting.remove(ticket);
            }
        }
        if entry.holders.is_empty() && entry.queue.is_empty() {
            self.keys.remove(key);
        }
    }
}

impl Hold {
    fn conflicts(&self, attempt: Attempt, mode: LockMode) -> bool {
        self.owner.attempt != attempt && (self.mode == LockMode::Update || mode == LockMode::Update)
    }
}

impl Entry {
    fn holds(&self, attempt: Attempt, mode: LockMode) -> bool {
        self.holders
            .iter()
            .any(|hold| hold.owner.attempt == attempt && (hold.mode == LockMode::Update || mode == LockMode::Share))
    }

    fn knows(&self, attempt: Attempt) -> bool {
        self.holders.iter().any(|hold| hold.owner.attempt == attempt)
            || self.queue.iter().any(|waiter| waiter.owner.attempt == attempt)
    }

    fn admits(&self, attempt: Attempt, mode: LockMode) -> bool {
        !self.holders.iter().any(|hold| hold.conflicts(attempt, mode))
    }

    fn grant(&mut self, wakes: &mut Vec<Wake>) {
        while let Some(&first) = self.queue.first() {
            if !self.admits(first.owner.attempt, first.mode) {
                return;
            }
            self.queue.remove(0);
            match self.holders.iter_mut().find(|hold| hold.owner.attempt == first.owner.attempt) {
                Some(hold) if first.mode == LockMode::Update => hold.mode = LockMode::Update,
                Some(_) => {}
                None => self.holders.push(Hold { owner: first.owner, mode: first.mode }),
            }
            wakes.push(Wake::Granted(first.ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TxnId;
    use LockMode::{Share, Update};

    /// The transaction of this age (smaller is older).
    fn txn(age: u64) -> Owner {
        let attempt = Attempt { gateway: 1, incarnation: 1, counter: age, birth: TxnId(1) };
        Owner { attempt, start: StartId { read_id: TxnId(age), first: attempt } }
    }

    #[test]
    fn a_queue_is_served_by_age() {
        let mut locks = LockTable::default();
        assert!(locks.request(b"k", txn(1), Update, Ticket(1)));
        assert!(!locks.request(b"k", txn(3), Update, Ticket(3)));
        assert!(!locks.request(b"k", txn(2), Update, Ticket(2)));
        assert_eq!(locks.release(txn(1).attempt), [Wake::Granted(Ticket(2))]);
        assert_eq!(locks.release(txn(2).attempt), [Wake::Granted(Ticket(3))]);
        assert_eq!(locks.release(txn(3).attempt), []);
        assert!(locks.is_empty() && locks.keys.is_empty() && locks.waiting.is_empty());
    }

    #[test]
    fn sharers_enter_together_and_do_not_overtake_an_older_updater() {
        let mut locks = LockTable::default();
        assert!(locks.request(b"k", txn(2), Share, Ticket(2)));
        assert!(locks.request(b"k", txn(4), Share, Ticket(4)));
        assert!(!locks.request(b"k", txn(3), Update, Ticket(3)));
        assert!(!locks.request(b"k", txn(5), Share, Ticket(5)), "behind the older updater");
        assert!(locks.request(b"k", txn(1), Share, Ticket(1)), "older than the updater");
        for sharer in [1, 2] {
            assert_eq!(locks.release(txn(sharer).attempt), []);
        }
        assert_eq!(locks.release(txn(4).attempt), [Wake::Granted(Ticket(3))]);
        assert_eq!(locks.release(txn(3).attempt), [Wake::Granted(Ticket(5))]);
    }

    #[test]
    fn an_older_waiter_wounds_younger_holders_only() {
        let mut locks = LockTable::default();
        assert!(locks.request(b"a", txn(1), Share, Ticket(1)));
        assert!(locks.request(b"a", txn(3), Share, Ticket(3)));
        assert!(locks.request(b"b", txn(3), Update, Ticket(4)));
        assert!(!locks.request(b"b", txn(4), Update, Ticket(5)));
        assert!(!locks.request(b"a", txn(2), Update, Ticket(2)));
        assert_eq!(locks.wound(Ticket(2)), [Wake::Granted(Ticket(5))], "3 loses its other locks too");
        assert!(locks.is_wounded(txn(3).attempt));
        assert!(!locks.is_wounded(txn(1).attempt), "older");
        assert_eq!(locks.release(txn(1).attempt), [Wake::Granted(Ticket(2))]);
    }

    #[test]
    fn two_sharers_that_upgrade_do_not_wait_for_each_other_for_ever() {
        let mut locks = LockTable::default();
        assert!(locks.request(b"k", txn(1), Share, Ticket(1)));
        assert!(locks.request(b"k", txn(2), Share, Ticket(2)));
        assert!(!locks.request(b"k", txn(2), Update, Ticket(3)));
        assert!(!locks.request(b"k", txn(1), Update, Ticket(4)));
        assert_eq!(locks.wound(Ticket(3)), []);
        assert_eq!(locks.wound(Ticket(4)), [Wake::Wounded(Ticket(3)), Wake::Granted(Ticket(4))]);
    }

    #[test]
    fn a_cancelled_waiter_makes_way() {
        let mut locks = LockTable::default();
        assert!(locks.request(b"k", txn(3), Share, Ticket(3)));
        assert!(!locks.request(b"k", txn(1), Update, Ticket(1)));
        assert!(!locks.request(b"k", txn(2), Share, Ticket(2)));
        assert!(locks.would_wait(b"k", txn(4), Share));
        assert_eq!(locks.cancel(Ticket(1)), [Wake::Granted(Ticket(2))]);
        assert!(!locks.would_wait(b"k", txn(4), Share));
        assert_eq!(locks.wound(Ticket(1)), []);
    }
}
