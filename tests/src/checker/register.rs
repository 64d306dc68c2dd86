//! Linearizability of registers, key by key: the search of Wing, Gong and Lowe (crate `todc-utils`).
//!
//! Keys are judged alone, because linearizability is local: a history is linearizable if each object's part of it is.
//! An operation whose outcome nobody was told may have taken effect at any time after its call, or never; it is given
//! an answer at the very end, where it changes nothing that anybody sees.

use std::collections::BTreeMap;
use std::fmt;
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

/// What was asked, and what came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Read this; `None`: there is no such row.
    Read(Option<u64>),
    /// Wrote this.
    Write(u64),
    /// Wrote `to` if it held `from`.
    Cas {
        /// What it should hold.
        from: u64,
        /// What was to be written.
        to: u64,
        /// Whether it was; `None` if nobody was told.
        ok: Option<bool>,
    },
}

/// One operation of a client.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Whose.
    pub process: u64,
    /// Of which register.
    pub key: u64,
    /// When it was sent.
    pub call: u64,
    /// When its answer came; `None`: never.
    pub ret: Option<u64>,
    /// What it was.
    pub kind: Kind,
}

/// A register whose operations no order explains.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The register.
    pub key: u64,
    /// Its operations, by the time of their calls, until the first answer that cannot be explained.
    pub history: Vec<Operation>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "register {} is not linearizable; no order explains all of these:", self.key)?;
        for Operation { process, call, ret, kind, .. } in &self.history {
            let ret = ret.map_or_else(|| "never".to_owned(), |ret| ret.to_string());
            write!(f, "\n      {call}..{ret}  client {process}  {kind:?}")?;
        }
        Ok(())
    }
}

/// A register that holds nothing at first.
struct Register;

impl Specification for Register {
    type State = Option<u64>;
    type Operation = Kind;

    fn init() -> Option<u64> {
        None
    }

    fn apply(operation: &Kind, state: &Option<u64>) -> (bool, Option<u64>) {
        match *operation {
            Kind::Read(value) => (value == *state, *state),
            Kind::Write(value) => (true, Some(value)),
            Kind::Cas { from, to, ok } => {
                let fits = *state == Some(from);
                (ok.is_none_or(|ok| ok == fits), if fits { Some(to) } else { *state })
            }
        }
    }
}

/// The registers among these operations that are not linearizable.
///
/// ```
/// use quorate_tests::checker::register::{Kind, Operation, check};
/// let wrote = Operation { process: 1, key: 7, call: 0, ret: Some(1), kind: Kind::Write(5) };
/// let read = Operation { process: 2, key: 7, call: 2, ret: Some(3), kind: Kind::Read(None) };
/// assert_eq!(check(&[wrote, read])[0].key, 7);
/// ```
#[must_use]
pub fn check(operations: &[Operation]) -> Vec<Violation> {
    let mut keys: BTreeMap<u64, Vec<Operation>> = BTreeMap::new();
    for operation in operations {
        keys.entry(operation.key).or_default().push(*operation);
    }
    let bad = |(key, mut history): (u64, Vec<Operation>)| {
        history.sort_by_key(|operation| operation.call);
        if is_linearizable(&history) {
            return None;
        }
        let mut answers: Vec<u64> = history.iter().filter_map(|operation| operation.ret).collect();
        answers.sort_unstable();
        let beginnings = answers.into_iter().map(|time| until(&history, time));
        let shortest = beginnings.into_iter().find(|beginning| !is_linearizable(beginning));
        Some(Violation { key, history: shortest.unwrap_or(history) })
    };
    keys.into_iter().filter_map(bad).collect()
}

/// What was known at a time: later answers have not come yet.
fn until(history: &[Operation], time: u64) -> Vec<Operation> {
    let known = |operation: &Operation| match operation.kind {
        _ if operation.call > time => None,
        _ if operation.ret.is_some_and(|ret| ret <= time) => Some(*operation),
        Kind::Read(_) => None,
        Kind::Write(_) => Some(Operation { ret: None, ..*operation }),
        Kind::Cas { from, to, .. } => {
            Some(Operation { ret: None, kind: Kind::Cas { from, to, ok: None }, ..*operation })
        }
    };
    history.iter().filter_map(known).collect()
}

fn is_linearizable(operations: &[Operation]) -> bool {
    // At one time, calls come before answers: operations that touch are concurrent.
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * operations.len());
    for (at, operation) in operations.iter().enumerate() {
        events.push((operation.call, false, at));
        events.push((operation.ret.unwrap_or(u64::MAX), true, at));
    }
    events.sort_unstable();
    let action = |(_, answered, at): (u64, bool, usize)| {
        let kind = operations[at].kind;
        (at, if answered { Action::Response(kind) } else { Action::Call(kind) })
    };
    events.is_empty()
        || WGLChecker::<Register>::is_linearizable(History::from_actions(events.into_iter().map(action).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(operations: &[(u64, Option<u64>, Kind)]) -> Vec<Operation> {
        let operation = |(at, (call, ret, kind)): (usize, &(u64, Option<u64>, Kind))| Operation {
            process: at as u64,
            key: 1,
            call: *call,
            ret: *ret,
            kind: *kind,
        };
        operations.iter().enumerate().map(operation).collect()
    }

    fn cas(from: u64, to: u64, ok: Option<bool>) -> Kind {
        Kind::Cas { from, to, ok }
    }

    #[test]
    fn good_histories_pass() {
        let good: [&[(u64, Option<u64>, Kind)]; 5] = [
            &[],
            // The read overlaps the write: both answers are good.
            &[(0, Some(9), Kind::Write(1)), (1, Some(2), Kind::Read(None)), (3, Some(4), Kind::Read(Some(1)))],
            &[(0, Some(1), Kind::Write(1)), (2, Some(3), cas(1, 2, Some(true))), (4, Some(5), cas(1, 3, Some(false)))],
            // Nobody was told, and it took effect late.
            &[
                (0, Some(1), Kind::Write(1)),
                (2, None, Kind::Write(2)),
                (3, Some(4), Kind::Read(Some(1))),
                (5, Some(6), Kind::Read(Some(2))),
            ],
            // Nobody was told, and it never took effect.
            &[(0, Some(1), Kind::Write(1)), (2, None, cas(1, 2, None)), (3, Some(4), Kind::Read(Some(1)))],
        ];
        for operations in good {
            assert!(check(&history(operations)).is_empty(), "{operations:?}");
        }
    }

    #[test]
    fn bad_histories_are_found() {
        let bad: [(&str, &[(u64, Option<u64>, Kind)]); 5] = [
            (
                "stale read",
                &[(0, Some(1), Kind::Write(1)), (2, Some(3), Kind::Write(2)), (4, Some(5), Kind::Read(Some(1)))],
            ),
            ("lost write", &[(0, Some(1), Kind::Write(1)), (2, Some(3), Kind::Read(None))]),
            (
                "there and gone",
                &[(0, None, Kind::Write(1)), (2, Some(3), Kind::Read(Some(1))), (4, Some(5), Kind::Read(None))],
            ),
            ("out of thin air", &[(0, Some(1), Kind::Read(Some(3)))]),
            (
                "two won",
                &[
                    (0, Some(1), Kind::Write(1)),
                    (2, Some(9), cas(1, 2, Some(true))),
                    (2, Some(9), cas(1, 3, Some(true))),
                ],
            ),
        ];
        for (name, operations) in bad {
            let found = check(&history(operations));
            assert_eq!(found.len(), 1, "{name}");
        }
    }

    #[test]
    fn a_violation_ends_where_it_shows() {
        let mut operations =
            history(&[(0, Some(1), Kind::Write(1)), (2, Some(3), Kind::Read(None)), (4, Some(5), Kind::Write(2))]);
        operations.push(Operation { process: 1, key: 2, call: 0, ret: Some(1), kind: Kind::Read(None) });
        let found = check(&operations);
        assert_eq!((found.len(), found[0].key, found[0].history.len()), (1, 1, 2));
        assert!(found[0].to_string().contains("2..3  client 1  Read(None)"), "{}", found[0]);
    }
}
