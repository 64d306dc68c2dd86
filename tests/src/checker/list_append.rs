//! Lists that only grow, judged by cycles between transactions, after Elle (Kingsbury and Alvaro, VLDB 2020) and Adya's
//! classes of phenomena.
//!
//! ```text
//!   ww        appended next to it            G0         a cycle of ww
//!   wr        read what it appended last     G1c        a cycle of ww and wr
//!   rw        read before it appended        G-single   exactly one rw        (read skew, lost update)
//!   process   next in the same session       G2         more than one rw      (write skew, phantoms)
//!   real time ended before it began          ...-process, ...-realtime: only with those edges
//! ```
//! Values are unique, and a read shows the whole list: the longest read of a key therefore tells the order of all
//! versions of it, and who wrote each. What does not even fit such an order is told by itself: values read of aborted
//! transactions (G1a) or of the middle of one (G1b), lists that contradict each other, and transactions that do not see
//! themselves. A transaction of unknown outcome counts as committed as soon as somebody saw any value of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read a list.
    Read {
        /// Which.
        key: u64,
        /// What it held.
        list: Vec<u64>,
    },
    /// Appended a value that nobody else ever appends.
    Append {
        /// To which list.
        key: u64,
        /// What.
        value: u64,
    },
}

/// What its client was told in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is committed.
    Committed,
    /// It is not.
    Aborted,
    /// Nothing.
    Unknown,
}

/// A transaction as its client saw it.
#[derive(Clone, Debug)]
pub struct Txn {
    /// The session.
    pub process: u64,
    /// When it began.
    pub begin: u64,
    /// When its client was told.
    pub end: u64,
    /// What it was told.
    pub outcome: Outcome,
    /// What it did, in order.
    pub steps: Vec<Step>,
}

/// A contradiction: its class, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// `G0`, `G1a`, `G2-realtime`, ...
    pub class: String,
    /// The transactions, by their place in the history, and what binds them.
    pub story: String,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.story)
    }
}

/// Whether a history is strictly serializable; if not, why: of each class of cycles the shortest that was found.
///
/// ```
/// use quorate_tests::checker::list_append::{Outcome, Step, Txn, check};
/// let txn = |process, step| Txn { process, begin: process, end: process, outcome: Outcome::Committed, steps: vec![step] };
/// let wrote = txn(1, Step::Append { key: 1, value: 7 });
/// let stale = txn(2, Step::Read { key: 1, list: vec![] });
/// assert_eq!(check(&[wrote, stale])[0].class, "G-single-realtime");
/// ```
#[must_use]
pub fn check(history: &[Txn]) -> Vec<Anomaly> {
    let mut found = Vec::new();
    let versions = Versions::of(history, &mut found);
    let graph = Graph::of(history, &versions);
    graph.cycles(&mut found);
    found
}

fn anomaly(class: &str, story: String) -> Anomaly {
    Anomaly { class: class.to_owned(), story }
}

/// Who wrote what, and in which order.
struct Versions {
    /// Which transactions count as committed.
    happened: Vec<bool>,
    /// By value: the transaction that appended it, and to which list.
    writers: BTreeMap<u64, (usize, u64)>,
    /// By key: the longest list that was read.
    orders: BTreeMap<u64, Vec<u64>>,
}

impl Versions {
    fn of(history: &[Txn], found: &mut Vec<Anomaly>) -> Versions {
        let mut versions = Versions { happened: Vec::new(), writers: BTreeMap::new(), orders: BTreeMap::new() };
        for (at, txn) in history.iter().enumerate() {
            for step in &txn.steps {
                if let Step::Append { key, value } = step {
                    let before = versions.writers.insert(*value, (at, *key));
                    assert!(before.is_none(), "value {value} is appended twice: the history cannot be judged");
                }
            }
        }
        versions.settle(history);
        for (at, txn) in history.iter().enumerate() {
            if versions.happened[at] {
                versions.judge_reads(history, at, found);
                judge_itself(at, txn, found);
            }
        }
        versions
    }

    /// Unknown transactions happened if somebody saw them who happened.
    fn settle(&mut self, history: &[Txn]) {
        self.happened = history.iter().map(|txn| txn.outcome == Outcome::Committed).collect();
        let mut changed = true;
        while changed {
            changed = false;
            for (at, txn) in history.iter().enumerate() {
                if !self.happened[at] {
                    continue;
                }
                for value in reads(txn).flat_map(|(_, list)| list) {
                    let Some((writer, _)) = self.writers.get(value) else { continue };
                    if !self.happened[*writer] && history[*writer].outcome == Outcome::Unknown {
                        self.happened[*writer] = true;
                        changed = true;
                    }
                }
            }
        }
    }

    fn judge_reads(&mut self, history: &[Txn], at: usize, found: &mut Vec<Anomaly>) {
        for (key, list) in reads(&history[at]) {
            let distinct: BTreeSet<&u64> = list.iter().collect();
            if distinct.len() < list.len() {
                found.push(anomaly("duplicate", format!("T{at} read list {key} as {list:?}")));
            }
            for value in list {
                match self.writers.get(value) {
                    Some((_, list)) if list != key => {
                        found.push(anomaly("misplaced", format!("T{at} read {value} of list {list} in list {key}")));
                    }
                    Some((writer, _)) if !self.happened[*writer] && *writer != at => {
                        found.push(anomaly("G1a", format!("T{at} read {value} of T{writer}, which was aborted")));
                    }
                    Some(_) => {}
                    None => found.push(anomaly("garbage", format!("T{at} read {value}, which nobody appended"))),
                }
            }
            self.judge_middle(history, at, *key, list, found);
            let order = self.orders.entry(*key).or_default();
            let common = order.len().min(list.len());
            if order[..common] != list[..common] {
                let story = format!("T{at} read list {key} as {list:?}, somebody else as {order:?}");
                found.push(anomaly("incompatible order", story));
            } else if list.len() > order.len() {
                order.clone_from(list);
            }
        }
    }

    /// Whether the list ends in the middle of another transaction.
    fn judge_middle(&self, history: &[Txn], at: usize, key: u64, list: &[u64], found: &mut Vec<Anomaly>) {
        let Some((last, (writer, _))) = list.last().and_then(|last| Some((last, self.writers.get(last)?))) else {
            return;
        };
        let finally = appends(&history[*writer]).filter(|(to, _)| *to == key).last();
        if *writer != at && finally.is_some_and(|(_, value)| value != *last) {
            found.push(anomaly("G1b", format!("T{at} read list {key} up to {last}, in the middle of T{writer}")));
        }
    }
}

/// A transaction sees its own appends, and nothing new of others.
fn judge_itself(at: usize, txn: &Txn, found: &mut Vec<Anomaly>) {
    let mut known: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut own: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for step in &txn.steps {
        match step {
            Step::Append { key, value } => {
                own.entry(*key).or_default().push(*value);
                if let Some(list) = known.get_mut(key) {
                    list.push(*value);
                }
            }
            Step::Read { key, list } => {
                let own = own.get(key).map_or(&[][..], Vec::as_slice);
                let expected = known.get(key).map_or(list.ends_with(own), |known| known == list);
                if !expected {
                    found.push(anomaly("internal", format!("T{at} read list {key} as {list:?} against its own steps")));
                }
                known.insert(*key, list.clone());
            }
        }
    }
}

fn reads(txn: &Txn) -> impl Iterator<Item = (&u64, &Vec<u64>)> {
    txn.steps.iter().filter_map(|step| match step {
        Step::Read { key, list } => Some((key, list)),
        Step::Append { .. } => None,
    })
}

fn appends(txn: &Txn) -> impl Iterator<Item = (u64, u64)> {
    txn.steps.iter().filter_map(|step| match step {
        Step::Append { key, value } => Some((*key, *value)),
        Step::Read { .. } => None,
    })
}

/// What binds two transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Ww,
    Wr,
    Rw,
    Process,
    RealTime,
}

impl Edge {
    fn name(self) -> &'static str {
        match self {
            Edge::Ww => "ww",
            Edge::Wr => "wr",
            Edge::Rw => "rw",
            Edge::Process => "process",
            Edge::RealTime => "real time",
        }
    }
}

/// Which transaction must come before which.
struct Graph {
    /// By transaction: the later ones, and why.
    edges: Vec<BTreeSet<(usize, Edge)>>,
}

impl Graph {
    fn of(history: &[Txn], versions: &Versions) -> Graph {
        let mut graph = Graph { edges: vec![BTreeSet::new(); history.len()] };
        graph.add_versions(history, versions);
        graph.add_time(history, versions);
        graph
    }

    fn add(&mut self, from: usize, to: usize, edge: Edge) {
        if from != to {
            self.edges[from].insert((to, edge));
        }
    }

    fn add_versions(&mut self, history: &[Txn], versions: &Versions) {
        let writer = |value: &u64| versions.writers.get(value).map(|(writer, _)| *writer);
        for order in versions.orders.values() {
            for pair in order.windows(2) {
                if let (Some(one), Some(next)) = (writer(&pair[0]), writer(&pair[1])) {
                    self.add(one, next, Edge::Ww);
                }
            }
        }
        // Values that nobody read come after every list that was read.
        let mut unread: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        let read: BTreeSet<&u64> = versions.orders.values().flatten().collect();
        for (at, txn) in history.iter().enumerate().filter(|(at, _)| versions.happened[*at]) {
            for (key, _) in appends(txn).filter(|(_, value)| !read.contains(value)) {
                unread.entry(key).or_default().push(at);
                let last = versions.orders.get(&key).and_then(|order| order.last()).and_then(writer);
                if let Some(last) = last {
                    self.add(last, at, Edge::Ww);
                }
            }
        }
        for (at, txn) in history.iter().enumerate().filter(|(at, _)| versions.happened[*at]) {
            for (key, list) in reads(txn) {
                if let Some(seen) = list.last().and_then(writer) {
                    self.add(seen, at, Edge::Wr);
                }
                match versions.orders.get(key).and_then(|order| order.get(list.len())) {
                    Some(next) => {
                        if let Some(next) = writer(next) {
                            self.add(at, next, Edge::Rw);
                        }
                    }
                    None => unread.get(key).into_iter().flatten().for_each(|next| self.add(at, *next, Edge::Rw)),
                }
            }
        }
    }

    /// Sessions, and the transitive reduction of "ended before it began".
    fn add_time(&mut self, history: &[Txn], versions: &Versions) {
        let mut last: BTreeMap<u64, usize> = BTreeMap::new();
        let mut events: Vec<(u64, bool, usize)> = Vec::new();
        let mut order: Vec<usize> = (0..history.len()).filter(|at| versions.happened[*at]).collect();
        order.sort_by_key(|at| (history[*at].begin, history[*at].end));
        for at in order {
            events.push((history[at].begin, false, at));
            if let Some(before) = last.remove(&history[at].process) {
                self.add(before, at, Edge::Process);
            }
            // One of unknown outcome may happen at any time from its beginning on.
            if history[at].outcome == Outcome::Committed {
                events.push((history[at].end, true, at));
                last.insert(history[at].process, at);
            }
        }
        // At one time, beginnings come before ends: transactions that touch are concurrent.
        events.sort_unstable();
        let mut frontier: Vec<usize> = Vec::new();
        for (_, ends, at) in events {
            if ends {
                frontier.retain(|before| history[*before].end >= history[at].begin);
                frontier.push(at);
            } else {
                frontier.iter().for_each(|before| self.add(*before, at, Edge::RealTime));
            }
        }
    }

    /// Of each class the shortest cycle, with as few kinds of edges as will do.
    fn cycles(&self, found: &mut Vec<Anomaly>) {
        let extras: [(&str, &[Edge]); 3] =
            [("", &[]), ("-process", &[Edge::Process]), ("-realtime", &[Edge::Process, Edge::RealTime])];
        let mut named = BTreeSet::new();
        for (suffix, extra) in extras {
            let with = |edges: &[Edge]| [edges, extra].concat();
            let (ww, wr) = (with(&[Edge::Ww]), with(&[Edge::Ww, Edge::Wr]));
            let all = with(&[Edge::Ww, Edge::Wr, Edge::Rw]);
            let classes =
                [("G0", Edge::Ww, &ww), ("G1c", Edge::Wr, &wr), ("G-single", Edge::Rw, &wr), ("G2", Edge::Rw, &all)];
            for (class, first, back) in classes {
                // A cycle of G2 that has only one rw is told as G-single already.
                let known = named.contains(class) || class == "G2" && named.contains("G-single");
                if known {
                    continue;
                }
                if let Some(cycle) = self.shortest(first, back) {
                    named.insert(class);
                    found.push(anomaly(&format!("{class}{suffix}"), cycle));
                }
            }
        }
    }

    /// The shortest cycle of an edge of one kind and a way back over others.
    fn shortest(&self, first: Edge, back: &[Edge]) -> Option<String> {
        let component = self.components(back, first);
        let mut best: Option<Vec<(usize, Edge)>> = None;
        for (from, edges) in self.edges.iter().enumerate() {
            for (to, _) in edges.iter().filter(|(to, edge)| *edge == first && component[from] == component[*to]) {
                let limit = best.as_ref().map_or(usize::MAX, Vec::len);
                if let Some(way) = self.way(*to, from, back, &component).filter(|way| way.len() + 1 < limit) {
                    best = Some([vec![(from, first)], way].concat());
                }
            }
        }
        let cycle = best?;
        let mut story = String::new();
        for (txn, edge) in &cycle {
            story.push_str(&format!("T{txn} ─{}─► ", edge.name()));
        }
        story.push_str(&format!("T{}", cycle[0].0));
        Some(story)
    }

    /// A shortest way, as nodes with the edges that leave them; inside one component.
    fn way(&self, from: usize, to: usize, over: &[Edge], component: &[usize]) -> Option<Vec<(usize, Edge)>> {
        let mut came: BTreeMap<usize, (usize, Edge)> = BTreeMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            if at == to {
                let mut way = Vec::new();
                let mut at = at;
                while at != from {
                    let (before, edge) = came[&at];
                    way.push((before, edge));
                    at = before;
                }
                way.reverse();
                return Some(way);
            }
            for (next, edge) in self.edges[at].iter().filter(|(_, edge)| over.contains(edge)) {
                if component[*next] == component[to] && *next != from && !came.contains_key(next) {
                    came.insert(*next, (at, *edge));
                    queue.push_back(*next);
                }
            }
        }
        None
    }

    /// Strongly connected components (Tarjan, without recursion): a number for each node.
    fn components(&self, over: &[Edge], first: Edge) -> Vec<usize> {
        const NONE: usize = usize::MAX;
        let count = self.edges.len();
        let next_of: Vec<Vec<usize>> = self
            .edges
            .iter()
            .map(|edges| {
                edges.iter().filter(|(_, edge)| *edge == first || over.contains(edge)).map(|(to, _)| *to).collect()
            })
            .collect();
        let (mut index, mut low, mut component) = (vec![NONE; count], vec![NONE; count], vec![NONE; count]);
        let (mut stack, mut next_index, mut next_component) = (Vec::new(), 0, 0);
        for root in 0..count {
            if index[root] != NONE {
                continue;
            }
            let mut calls = vec![(root, 0)];
            while let Some((at, edge)) = calls.pop() {
                if edge == 0 {
                    (index[at], low[at]) = (next_index, next_index);
                    next_index += 1;
                    stack.push(at);
                }
                if let Some(&to) = next_of[at].get(edge) {
                    calls.push((at, edge + 1));
                    if index[to] == NONE {
                        calls.push((to, 0));
                    } else if component[to] == NONE {
                        low[at] = low[at].min(index[to]);
                    }
                    continue;
                }
                if low[at] == index[at] {
                    while let Some(member) = stack.pop() {
                        component[member] = next_component;
                        if member == at {
                            break;
                        }
                    }
                    next_component += 1;
                }
                if let Some((parent, _)) = calls.last() {
                    low[*parent] = low[*parent].min(low[at]);
                }
            }
        }
        component
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: u64, list: &[u64]) -> Step {
        Step::Read { key, list: list.to_vec() }
    }

    fn append(key: u64, value: u64) -> Step {
        Step::Append { key, value }
    }

    /// Transactions of different sessions, all at the same time.
    fn concurrent(steps: &[&[Step]]) -> Vec<Txn> {
        let txn = |(process, steps): (usize, &&[Step])| Txn {
            process: process as u64,
            begin: 0,
            end: 100,
            outcome: Outcome::Committed,
            steps: steps.to_vec(),
        };
        steps.iter().enumerate().map(txn).collect()
    }

    /// The same, one after the other.
    fn sequential(steps: &[&[Step]]) -> Vec<Txn> {
        let mut history = concurrent(steps);
        for (at, txn) in history.iter_mut().enumerate() {
            (txn.begin, txn.end) = (10 * at as u64, 10 * at as u64 + 5);
        }
        history
    }

    fn classes(history: &[Txn]) -> Vec<String> {
        check(history).into_iter().map(|anomaly| anomaly.class).collect()
    }

    #[test]
    fn good_histories_pass() {
        let one_by_one = sequential(&[
            &[append(1, 1), append(2, 2)],
            &[read(1, &[1]), append(1, 3), read(1, &[1, 3])],
            &[read(1, &[1, 3]), read(2, &[2])],
        ]);
        assert_eq!(check(&one_by_one), []);
        // Two readers between which a writer fits.
        let overlapping = concurrent(&[&[append(1, 1)], &[read(1, &[])], &[read(1, &[1])]]);
        assert_eq!(check(&overlapping), []);
        let mut unknown = sequential(&[&[append(1, 1)], &[append(1, 2)], &[read(1, &[1])], &[read(1, &[1, 2])]]);
        unknown[1].outcome = Outcome::Unknown;
        assert_eq!(check(&unknown), [], "it may have happened late");
        unknown.pop();
        assert_eq!(check(&unknown), [], "or never");
        assert_eq!(check(&[]), []);
    }

    #[test]
    fn lists_that_no_order_explains_are_told_by_name() {
        let of = |steps: &[&[Step]]| classes(&concurrent(steps));
        assert_eq!(of(&[&[read(1, &[9])]]), ["garbage"]);
        assert_eq!(of(&[&[append(1, 1)], &[read(1, &[1, 1])]]), ["duplicate"]);
        assert_eq!(of(&[&[append(1, 1)], &[read(2, &[1])]]), ["misplaced"]);
        assert!(
            of(&[&[append(1, 1)], &[append(1, 2)], &[read(1, &[1, 2])], &[read(1, &[2])]])
                .contains(&"incompatible order".to_owned())
        );
        assert_eq!(of(&[&[append(1, 1), append(1, 2)], &[read(1, &[1])]])[0], "G1b");
        assert!(of(&[&[append(1, 1), read(1, &[])]]).contains(&"internal".to_owned()));
        let mut aborted = concurrent(&[&[append(1, 1)], &[read(1, &[1])]]);
        aborted[0].outcome = Outcome::Aborted;
        assert_eq!(classes(&aborted), ["G1a"]);
    }

    #[test]
    fn cycles_are_told_by_their_weakest_class() {
        let of = |steps: &[&[Step]]| classes(&concurrent(steps));
        let reader: &[Step] = &[read(1, &[1, 2]), read(2, &[3, 4])];
        assert_eq!(of(&[&[append(1, 1), append(2, 4)], &[append(1, 2), append(2, 3)], reader])[0], "G0");
        assert_eq!(of(&[&[append(1, 1), read(2, &[2])], &[append(2, 2), read(1, &[1])]]), ["G1c"]);
        let skewed_read: &[Step] = &[read(1, &[1]), read(2, &[])];
        assert_eq!(of(&[&[append(1, 1), append(2, 2)], skewed_read, &[read(2, &[2])]]), ["G-single"]);
        let lost_update = of(&[&[read(1, &[]), append(1, 1)], &[read(1, &[]), append(1, 2)], &[read(1, &[1, 2])]]);
        assert_eq!(lost_update, ["G-single"]);
        let write_skew =
            of(&[&[read(1, &[]), append(2, 2)], &[read(2, &[]), append(1, 1)], &[read(1, &[1]), read(2, &[2])]]);
        assert_eq!(write_skew, ["G2"]);
    }

    #[test]
    fn time_and_sessions_count() {
        let stale = sequential(&[&[append(1, 1)], &[read(1, &[])], &[read(1, &[1])]]);
        assert_eq!(classes(&stale), ["G-single-realtime"]);
        let mut session = concurrent(&[&[append(1, 1)], &[read(1, &[])], &[read(1, &[1])]]);
        session[1].process = session[0].process;
        session[1].begin = 1;
        assert_eq!(classes(&session), ["G-single-process"]);
        let backwards = sequential(&[&[append(1, 2)], &[append(1, 1)], &[read(1, &[1, 2])]]);
        assert_eq!(classes(&backwards), ["G0-realtime"]);
    }

    #[test]
    fn an_append_that_nobody_sees_is_lost() {
        let lost = sequential(&[&[append(1, 1)], &[append(1, 2)], &[read(1, &[1])]]);
        assert_eq!(classes(&lost), ["G-single-realtime"]);
    }
}
