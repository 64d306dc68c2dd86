//! Which way a commit takes: the cheapest that is safe and likely to end soon.
//!
//! ```text
//!   ONE    all writes lie in one range and fit into one proposal
//!   FAST   2 to 16 ranges, each with at most 1,024 keys and 256 KiB, and none of the reasons below
//!   3PC    otherwise
//! ```
//! One-round commit has one weakness: if its coordinator dies, every participant must be asked before anybody knows the
//! outcome. [`crate::Reason`] lists what makes that likely to matter, or impossible. Two things that might be expected there are
//! not: reads in ranges that cannot be reached make either way fail, and ranges that move are followed by the refresh.

use super::options::CommitProtocol;
use crate::TxnId;
use crate::router::Suspicion;
use crate::trace::Reason;
use quorate_storage::RangeId;

/// Ranges on path FAST at most.
const MOST_FAST: usize = 16;
/// Keys of one participant on path FAST at most.
const MOST_FAST_KEYS: usize = 1024;
/// Bytes of one participant's writes on path FAST at most.
const MOST_FAST_BYTES: usize = 256 << 10;
/// Writes of one range beyond this many bytes go down in chunks before the votes.
pub(super) const PROPOSAL_BYTES: usize = 1 << 20;
/// Refusals of a commit ID after which locks are taken before the ID is chosen.
const MOST_PUSHES: usize = 2;

/// What a commit does in one range, in numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub range: RangeId,
    pub keys: usize,
    pub bytes: usize,
}

/// What happened to earlier attempts of the same commit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    /// Attempts that were refused for their commit ID.
    pub pushes: usize,
    /// Whether one met a range that had been split or moved.
    pub moved: bool,
    /// The next commit ID must be above it.
    pub above: TxnId,
}

impl Past {
    /// Another attempt was refused, and would be up to this ID; `for_good` if it had tried several IDs.
    pub fn pushed(&mut self, for_good: bool, above: TxnId) {
        self.above = self.above.max(above);
        self.pushes += if for_good { MOST_PUSHES } else { 1 };
    }
}

/// A way to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    One,
    Fast,
    ThreePhase(Reason),
}

/// The way for a commit of these loads, one per range. `suspicion` is asked only if it matters.
pub(super) fn choose(
    loads: &[Load],
    past: Past,
    protocol: CommitProtocol,
    changes_catalog: bool,
    suspicion: impl Fn(usize) -> Option<Suspicion>,
) -> Way {
    let several = loads.len() > 1;
    let large = loads.iter().any(|load| load.bytes > PROPOSAL_BYTES);
    let pushed = past.pushes >= MOST_PUSHES;
    if !several && !large && (!pushed || protocol == CommitProtocol::OneRound) {
        return Way::One;
    }
    if several && protocol == CommitProtocol::ThreePhase {
        return Way::ThreePhase(Reason::Requested);
    }
    if changes_catalog && several {
        return Way::ThreePhase(Reason::Catalog);
    }
    let fits = |load: &Load| load.keys <= MOST_FAST_KEYS && load.bytes <= MOST_FAST_BYTES;
    if large || loads.len() > MOST_FAST || (several && !loads.iter().all(fits)) {
        return Way::ThreePhase(Reason::Size);
    }
    if protocol == CommitProtocol::OneRound {
        return Way::Fast;
    }
    if pushed {
        return Way::ThreePhase(Reason::Pushed);
    }
    if past.moved {
        return Way::ThreePhase(Reason::Moved);
    }
    let suspicious =
        loads.iter().enumerate().find_map(|(at, load)| Some(Reason::Suspicious(load.range, suspicion(at)?)));
    suspicious.map_or(Way::Fast, Way::ThreePhase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use CommitProtocol::{Auto, OneRound, ThreePhase};

    const SMALL: Load = Load { range: RangeId(4), keys: 3, bytes: 300 };

    fn way(loads: &[Load], past: Past, protocol: CommitProtocol) -> Way {
        choose(loads, past, protocol, false, |_| None)
    }

    #[test]
    fn the_cheapest_way_that_fits() {
        let fresh = Past::default();
        assert_eq!(way(&[SMALL], fresh, Auto), Way::One);
        assert_eq!(way(&[SMALL; 2], fresh, Auto), Way::Fast);
        assert_eq!(way(&[SMALL; 16], fresh, Auto), Way::Fast);
        assert_eq!(way(&[SMALL; 17], fresh, Auto), Way::ThreePhase(Reason::Size));
        let keys = Load { keys: MOST_FAST_KEYS + 1, ..SMALL };
        let bytes = Load { bytes: MOST_FAST_BYTES + 1, ..SMALL };
        let chunks = Load { bytes: PROPOSAL_BYTES + 1, ..SMALL };
        for large in [keys, bytes, chunks] {
            assert_eq!(way(&[SMALL, large], fresh, Auto), Way::ThreePhase(Reason::Size));
        }
        assert_eq!(way(&[bytes], fresh, Auto), Way::One, "it fits into a proposal");
        assert_eq!(way(&[chunks], fresh, Auto), Way::ThreePhase(Reason::Size));
    }

    #[test]
    fn reasons_for_three_phases() {
        let pushed = Past { pushes: 2, ..Past::default() };
        let moved = Past { pushes: 1, moved: true, ..Past::default() };
        assert_eq!(way(&[SMALL; 2], Past { pushes: 1, ..Past::default() }, Auto), Way::Fast);
        assert_eq!(way(&[SMALL; 2], pushed, Auto), Way::ThreePhase(Reason::Pushed));
        assert_eq!(way(&[SMALL], pushed, Auto), Way::ThreePhase(Reason::Pushed));
        assert_eq!(way(&[SMALL; 2], moved, Auto), Way::ThreePhase(Reason::Moved));
        assert_eq!(way(&[SMALL], moved, Auto), Way::One);
        assert_eq!(way(&[SMALL; 2], Past::default(), ThreePhase), Way::ThreePhase(Reason::Requested));
        assert_eq!(way(&[SMALL], Past::default(), ThreePhase), Way::One, "one group decides it anyway");
        let catalog = choose(&[SMALL; 2], Past::default(), OneRound, true, |_| None);
        assert_eq!(catalog, Way::ThreePhase(Reason::Catalog));
        let suspect = |at| (at == 1).then_some(Suspicion::Far);
        let other = Load { range: RangeId(9), ..SMALL };
        let far = choose(&[SMALL, other], Past::default(), Auto, false, suspect);
        assert_eq!(far, Way::ThreePhase(Reason::Suspicious(RangeId(9), Suspicion::Far)));
    }

    #[test]
    fn one_round_yields_only_to_what_cannot_be() {
        let past = Past { pushes: 9, moved: true, ..Past::default() };
        assert_eq!(choose(&[SMALL; 2], past, OneRound, false, |_| Some(Suspicion::Far)), Way::Fast);
        assert_eq!(way(&[SMALL], past, OneRound), Way::One);
        assert_eq!(way(&[SMALL; 17], past, OneRound), Way::ThreePhase(Reason::Size));
    }
}
