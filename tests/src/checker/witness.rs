//! The ID-order witness: every transaction of a run, replayed in the order of the IDs.
//!
//! The final state still holds every version, so nothing has to be simulated: the state at an ID is a lookup.
//!
//! ```text
//!   writes      the versions with ID C are exactly what the transaction that was committed at C wanted to write
//!   outcome     told committed: there, at that C.  told aborted: nowhere.  told nothing: what its record says
//!   reads       each answer is the state at its S; at SERIALIZABLE all answers are the state just below C
//!   real time   T1 told before T2 began: T2 reads at or above C1 and S1, and commits above C1
//! ```
//! This is linear in the history, so every run checks every transaction; but it trusts our IDs, so that it is always
//! paired with a checker that does not know them.

use crate::simulation::{State, Witness};
use bytes::Bytes;
use quorate::sql::row::RowCompare;
use quorate_txn::transaction::{End, Isolation, ObservedRead};
use quorate_txn::{Attempt, Columns, Compare, TxnId};
use std::collections::BTreeMap;

/// Findings of one kind beyond this many are left out.
const MOST: usize = 20;

/// Everything that contradicts the rules above, in words.
#[must_use]
pub fn check(transactions: &[Witness], state: &State) -> Vec<String> {
    let mut checker = Checker { state, by_id: state.by_id(), findings: Vec::new() };
    let ends: Vec<Option<End>> = transactions.iter().map(|witness| checker.resolve(witness)).collect();
    checker.writes(transactions, &ends);
    for (witness, end) in transactions.iter().zip(&ends) {
        checker.reads(witness, *end);
    }
    checker.real_time(transactions, &ends);
    checker.findings
}

struct Checker<'a> {
    state: &'a State,
    by_id: BTreeMap<TxnId, BTreeMap<&'a [u8], Option<&'a Bytes>>>,
    findings: Vec<String>,
}

fn name(witness: &Witness) -> String {
    match witness.seen.attempts.last() {
        Some(attempt) => format!("transaction {attempt}"),
        None => format!("the reader that began at {}", witness.seen.began),
    }
}

impl Checker<'_> {
    fn found(&mut self, finding: String) {
        if self.findings.len() < MOST {
            self.findings.push(finding);
        }
    }

    /// How a transaction really ended; `None`: nobody will ever know, because nothing of it is left anywhere.
    fn resolve(&mut self, witness: &Witness) -> Option<End> {
        let mut committed: Vec<(Attempt, TxnId)> = Vec::new();
        for attempt in &witness.seen.attempts {
            let decisions = self.state.decisions(*attempt);
            if decisions.len() > 1 {
                self.found(format!("attempt {attempt} has several outcomes: {decisions:?}"));
            }
            committed.extend(decisions.iter().filter_map(|decision| Some((*attempt, (*decision)?))));
        }
        if committed.len() > 1 {
            self.found(format!("{} was committed more than once: {committed:?}", name(witness)));
        }
        let really = committed.first().map(|(_, id)| *id);
        match (witness.seen.end, really) {
            (End::Committed(Some(told)), Some(id)) if told != id => {
                self.found(format!("{} was told that it was committed at {told}, but it was at {id}", name(witness)));
            }
            (End::Committed(Some(told)), None) => {
                self.found(format!("{} was told that it was committed at {told}, but it was not", name(witness)));
            }
            (End::Aborted, Some(id)) => {
                self.found(format!("{} was told that it was aborted, but it was committed at {id}", name(witness)));
            }
            _ => {}
        }
        match (witness.seen.end, really) {
            (_, Some(id)) => Some(End::Committed(Some(id))),
            (End::Unknown, None) => Some(End::Aborted),
            (end, None) => Some(end),
        }
    }

    /// Every version belongs to a transaction, and every committed transaction left all its versions.
    fn writes(&mut self, transactions: &[Witness], ends: &[Option<End>]) {
        let mut explained: BTreeMap<TxnId, usize> = BTreeMap::new();
        for (at, (witness, end)) in transactions.iter().zip(ends).enumerate() {
            let Some(End::Committed(Some(id))) = end else { continue };
            if let Some(other) = explained.insert(*id, at) {
                let (one, two) = (name(&transactions[other]), name(witness));
                self.found(format!("{one} and {two} were both committed at {id}"));
            }
            let wanted: BTreeMap<&[u8], Option<&Bytes>> =
                witness.seen.writes.iter().map(|(key, value)| (key.as_slice(), value.as_ref())).collect();
            let there = self.by_id.get(id).cloned().unwrap_or_default();
            for (key, value) in &wanted {
                match there.get(key) {
                    Some(found) if found == value => {}
                    // The deletion of nothing leaves nothing.
                    None if value.is_none() => {}
                    found => {
                        let key = key.escape_ascii();
                        self.found(format!("{} at {id} wrote {value:?} to {key}; there is {found:?}", name(witness)));
                    }
                }
            }
            for key in there.keys().filter(|key| !wanted.contains_key(*key)) {
                self.found(format!("{} at {id} did not write {}", name(witness), key.escape_ascii()));
            }
        }
        let strays: Vec<TxnId> = self.by_id.keys().copied().filter(|id| !explained.contains_key(id)).collect();
        for id in strays {
            let keys: Vec<String> = self.by_id[&id].keys().map(|key| key.escape_ascii().to_string()).collect();
            self.found(format!("versions at {id} belong to no committed transaction: {keys:?}"));
        }
    }

    fn reads(&mut self, witness: &Witness, end: Option<End>) {
        let reads = &witness.seen.reads;
        for read in reads {
            self.read(witness, read, read.read_id, None);
        }
        if witness.seen.isolation != Isolation::Serializable {
            return;
        }
        let at = match end {
            Some(End::Committed(Some(id))) => Some(TxnId(id.0 - 1)),
            Some(End::Committed(None)) => reads.iter().map(|read| read.read_id).max(),
            _ => None,
        };
        if let Some(at) = at {
            for read in reads.iter().filter(|read| read.read_id != at) {
                self.read(witness, read, at, Some(&read.columns));
            }
        }
    }

    /// Whether a read is the state at `at`: at its S wholly, at its commit in the columns that were used.
    fn read(&mut self, witness: &Witness, read: &ObservedRead, at: TxnId, used: Option<&Columns>) {
        let when = if used.is_some() { "its commit" } else { "S" };
        let columns = used.and_then(Option::as_deref);
        let equal = |one: (&[u8], &Bytes), other: (&[u8], &Bytes)| {
            one.0 == other.0
                && (one.1 == other.1 || columns.is_some_and(|columns| RowCompare.same(one.1, other.1, columns)))
        };
        let should: Vec<(&[u8], &Bytes)> = self.state.at(&read.span, at).collect();
        let is = || read.pairs.iter().map(|(key, value)| (key.as_slice(), value));
        // A scan downwards gives the same pairs the other way round.
        let same = should.len() == read.pairs.len()
            && (should.iter().copied().zip(is()).all(|(one, other)| equal(one, other))
                || should.iter().rev().copied().zip(is()).all(|(one, other)| equal(one, other)));
        if !same {
            let (start, end) = (read.span.start.escape_ascii(), read.span.end.escape_ascii());
            let pairs: Vec<(&[u8], &Bytes)> = read.pairs.iter().map(|(key, value)| (key.as_slice(), value)).collect();
            let difference = difference(&pairs, &should);
            self.found(format!(
                "{} read {start}..{end} at {}: not the state at {when} ({at}): {difference}",
                name(witness),
                read.read_id
            ));
        }
    }

    fn real_time(&mut self, transactions: &[Witness], ends: &[Option<End>]) {
        // (moment, whether it ends, transaction)
        let mut moments: Vec<(u64, bool, usize)> = Vec::with_capacity(transactions.len() * 2);
        for (at, witness) in transactions.iter().enumerate() {
            moments.push((witness.seen.began, false, at));
            moments.push((witness.ended, true, at));
        }
        moments.sort_unstable();
        let mut newest = (TxnId(0), String::new());
        let mut floors: BTreeMap<usize, (TxnId, String)> = BTreeMap::new();
        for (_, ends_now, at) in moments {
            let witness = &transactions[at];
            if witness.seen.in_past {
                floors.remove(&at);
                continue;
            }
            let first = witness.seen.reads.first().map(|read| read.read_id);
            if !ends_now {
                floors.insert(at, newest.clone());
                continue;
            }
            let Some((floor, of)) = floors.remove(&at) else { continue };
            let commit = match ends[at] {
                Some(End::Committed(id)) => id,
                _ => None,
            };
            if let Some(read_id) = first.filter(|read_id| *read_id < floor) {
                self.found(format!("{} read at {read_id}, below {floor} of {of}, which had ended", name(witness)));
            }
            if let Some(id) = commit.filter(|id| *id <= floor) {
                self.found(format!(
                    "{} was committed at {id}, not above {floor} of {of}, which had ended",
                    name(witness)
                ));
            }
            // What a client was told becomes the floor of all who begin later.
            let told = match witness.seen.end {
                End::Committed(id) => id.max(witness.seen.reads.iter().map(|read| read.read_id).max()),
                End::Aborted | End::Unknown => None,
            };
            if let Some(told) = told.filter(|told| *told > newest.0) {
                newest = (told, name(witness));
            }
        }
    }
}

fn difference(is: &[(&[u8], &Bytes)], should: &[(&[u8], &Bytes)]) -> String {
    let show = |pair: &(&[u8], &Bytes)| format!("{}={}", pair.0.escape_ascii(), pair.1.escape_ascii());
    let extra: Vec<String> = is.iter().filter(|pair| !should.contains(pair)).take(3).map(show).collect();
    let missing: Vec<String> = should.iter().filter(|pair| !is.contains(pair)).take(3).map(show).collect();
    format!("it has {extra:?}, and should have {missing:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_storage::Span;
    use quorate_txn::transaction::Observed;

    fn attempt(counter: u64) -> Attempt {
        Attempt { gateway: 1, incarnation: 1, counter, birth: TxnId(1) }
    }

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    /// A transaction between two moments, with one attempt that has `counter`.
    fn transaction(counter: u64, [began, ended]: [u64; 2], end: End) -> Witness {
        let seen = Observed {
            began,
            isolation: Isolation::Serializable,
            in_past: false,
            attempts: vec![attempt(counter)],
            reads: Vec::new(),
            writes: Vec::new(),
            end,
        };
        Witness { seen, ended }
    }

    fn committed(id: u64) -> End {
        End::Committed(Some(TxnId(id)))
    }

    impl Witness {
        fn writes(mut self, key: &str, value: Option<&str>) -> Witness {
            self.seen.writes.push((key.as_bytes().to_vec(), value.map(bytes)));
            self
        }

        /// Reads everything from `a` to `z` at an ID.
        fn reads(mut self, at: u64, pairs: &[(&str, &str)]) -> Witness {
            let pairs = pairs.iter().map(|(key, value)| (key.as_bytes().to_vec(), bytes(value))).collect();
            self.seen.reads.push(ObservedRead { read_id: TxnId(at), span: Span::new("a", "z"), pairs, columns: None });
            self
        }

        fn isolated(mut self, isolation: Isolation) -> Witness {
            self.seen.isolation = isolation;
            self
        }
    }

    /// `x` is 1 at 10, 2 at 20, gone at 30; attempts 1, 2 and 3 did it.
    fn state() -> State {
        State::by_hand(
            &[("x", 10, Some("1")), ("x", 20, Some("2")), ("x", 30, None)],
            &[(attempt(1), Some(10)), (attempt(2), Some(20)), (attempt(3), Some(30)), (attempt(4), None)],
        )
    }

    fn writers() -> Vec<Witness> {
        vec![
            transaction(1, [1, 2], committed(10)).writes("x", Some("1")),
            transaction(2, [3, 4], committed(20)).reads(10, &[("x", "1")]).writes("x", Some("2")),
            transaction(3, [5, 6], committed(30)).writes("x", None),
        ]
    }

    /// What is found when `more` ran beside the writers.
    fn with(more: Witness) -> Vec<String> {
        let mut transactions = writers();
        transactions.push(more);
        check(&transactions, &state())
    }

    #[track_caller]
    fn finds(found: &[String], what: &str) {
        assert!(found.iter().any(|finding| finding.contains(what)), "not {what:?}: {found:#?}");
    }

    #[test]
    fn a_good_history_passes() {
        assert_eq!(check(&writers(), &state()), Vec::<String>::new());
        let none = Vec::<String>::new();
        let reader = |at, pairs| transaction(9, [7, 8], End::Committed(None)).reads(at, pairs);
        assert_eq!(with(reader(30, &[])), none);
        assert_eq!(with(transaction(4, [7, 8], End::Aborted).writes("x", Some("9"))), none);
        assert_eq!(with(transaction(9, [7, 8], End::Unknown).writes("x", Some("9"))), none, "it was not committed");
        let early = transaction(9, [3, 8], End::Committed(None)).reads(10, &[("x", "1")]);
        assert_eq!(with(early), none, "it may read the past of its own time");
    }

    #[test]
    fn an_unknown_outcome_is_resolved() {
        let mut transactions = writers();
        transactions[1].seen.end = End::Unknown;
        assert_eq!(check(&transactions, &state()), Vec::<String>::new());
        transactions[1].seen.writes.clear();
        finds(&check(&transactions, &state()), "did not write x");
    }

    #[test]
    fn wrong_reads_are_found() {
        let reader = |at, pairs| transaction(9, [1, 8], End::Committed(None)).reads(at, pairs);
        finds(&with(reader(10, &[("x", "2")])), "not the state at S");
        finds(&with(reader(20, &[])), "should have [\"x=2\"]");
        finds(&with(reader(30, &[("x", "2")])), "it has [\"x=2\"]");
        let torn = reader(10, &[("x", "1")]).reads(20, &[("x", "2")]);
        finds(&with(torn.clone()), "not the state at its commit");
        assert_eq!(with(torn.isolated(Isolation::ReadCommitted)), Vec::<String>::new());
    }

    #[test]
    fn a_read_that_was_not_valid_at_commit_is_found() {
        let mut transactions = writers();
        transactions[2] = transaction(3, [3, 6], committed(30)).reads(10, &[("x", "1")]).writes("x", None);
        finds(&check(&transactions, &state()), "not the state at its commit");
    }

    #[test]
    fn wrong_outcomes_are_found() {
        let told = |counter, end| with(transaction(counter, [7, 8], end));
        finds(&told(9, committed(40)), "but it was not");
        finds(&told(2, committed(40)), "but it was at");
        finds(&told(2, End::Aborted), "was told that it was aborted");
        let state = State::by_hand(&[], &[(attempt(1), Some(10)), (attempt(1), None)]);
        finds(&check(&[transaction(1, [1, 2], committed(10))], &state), "several outcomes");
        let state = State::by_hand(&[], &[(attempt(1), Some(10)), (attempt(2), Some(10))]);
        let both = [transaction(1, [1, 9], committed(10)), transaction(2, [1, 9], committed(10))];
        finds(&check(&both, &state), "were both committed at");
    }

    #[test]
    fn lost_and_stray_writes_are_found() {
        let mut transactions = writers();
        let lost = transactions.pop();
        finds(&check(&transactions, &state()), "belong to no committed transaction");
        transactions.extend(lost.map(|lost| lost.writes("y", Some("1"))));
        finds(&check(&transactions, &state()), "wrote Some");
    }

    #[test]
    fn real_time_is_kept() {
        let stale = transaction(9, [7, 8], End::Committed(None)).reads(10, &[("x", "1")]);
        finds(&with(stale), "which had ended");
        let mut transactions = writers();
        transactions[0] = transaction(1, [7, 8], committed(10)).writes("x", Some("1"));
        finds(&check(&transactions, &state()), "not above");
    }
}
