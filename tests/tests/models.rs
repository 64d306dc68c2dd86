//! The models of the commit protocol hold in every state within their bounds, and a rule left out is missed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use quorate_tests::models::fast::{self, Fast};
use quorate_tests::models::leases::{self, Change, Leases};
use quorate_tests::models::three_phase::{self, ThreePhase};
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;

/// Cores of a small machine.
const THREADS: usize = 2;

/// Visits every state: nothing is violated, and what should be possible is.
fn holds<M>(name: &str, model: M)
where
    M: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>,
    M: Send + Sync + 'static,
{
    let checker = model.checker().threads(THREADS).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{name}: {} states, depth {}", checker.unique_state_count(), checker.max_depth());
    for property in checker.model().properties() {
        match (property.expectation, checker.discovery(property.name)) {
            (Expectation::Sometimes, None) => panic!("{name}: never: {}", property.name),
            (Expectation::Sometimes, Some(_)) | (_, None) => {}
            (_, Some(path)) => panic!("{name}: not so: {}: {:#?}", property.name, path.into_vec()),
        }
    }
}

/// Finds a state in which `property` is violated, no sooner than after so many steps.
fn violates<M>(name: &str, property: &'static str, steps: usize, model: M)
where
    M: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>,
    M: Send + Sync + 'static,
{
    // Alone, a thread searches strictly by depth.
    let found = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = model.checker().threads(1).target_max_depth(steps + 2).finish_when(found).spawn_bfs().join();
    let path = checker.discovery(property).unwrap_or_else(|| panic!("{name} does not violate: {property}"));
    let actions = path.into_actions();
    println!("{name}: {} steps: {actions:?}", actions.len());
    assert_eq!(actions.len(), steps, "{name}");
}

mod three_phase_commit {
    use super::*;
    use three_phase::Mutant;

    const ONE_OUTCOME: &str = "one outcome";

    fn finds(model: &ThreePhase, mutants: &[(Mutant, usize)]) {
        for &(mutant, steps) in mutants {
            violates(&format!("{mutant:?}"), ONE_OUTCOME, steps, model.clone().without(mutant));
        }
    }

    #[test]
    fn holds_for_two_participants() {
        holds("two participants", ThreePhase::new(2, 2));
        holds("two participants, three terminators", ThreePhase::new(2, 3));
    }

    #[test]
    fn holds_for_two_participants_and_an_arbiter() {
        holds("two participants and an arbiter", ThreePhase::new(2, 2).arbitrated());
    }

    #[test]
    fn holds_for_three_participants() {
        holds("three participants", ThreePhase::new(3, 2));
    }

    #[test]
    fn holds_for_four_participants() {
        holds("four participants", ThreePhase::new(4, 2).keeping());
    }

    #[test]
    fn needs_its_quorums_ballots_and_fences() {
        let rules =
            [(Mutant::TimersDecide, 8), (Mutant::FenceIgnored, 13), (Mutant::NoQuorum, 9), (Mutant::BallotShared, 18)];
        finds(&ThreePhase::new(3, 2), &rules);
    }

    #[test]
    fn needs_the_vote_of_the_arbiter() {
        let model = ThreePhase::new(2, 2).arbitrated().without(Mutant::ArbiterUnasked);
        violates("ArbiterUnasked", "a commit is proposed after every vote", 7, model.clone());
        violates("ArbiterUnasked", ONE_OUTCOME, 10, model);
    }

    #[test]
    fn collects_commits_that_have_ended_and_never_makes_a_register_again() {
        finds(&ThreePhase::new(2, 2), &[(Mutant::CollectedUnasked, 12), (Mutant::Unfenced, 9)]);
    }

    #[test]
    fn takes_the_forgotten_for_aborted_only_before_an_undecided_register() {
        let rules = [(Mutant::ForgottenIsAborted, 12), (Mutant::OrderIgnored, 12), (Mutant::ForgottenTold, 13)];
        finds(&ThreePhase::new(2, 2), &rules);
        finds(&ThreePhase::new(3, 3).keeping(), &[(Mutant::NoneIsForgotten, 18)]);
    }
}

mod one_round {
    use super::*;
    use fast::Mutant;

    #[test]
    fn holds_for_one_attempt_and_two() {
        holds("two participants, one attempt", Fast::new(2, 1));
        holds("two participants, two attempts", Fast::new(2, 2));
        holds("three participants, one attempt", Fast::new(3, 1));
    }

    fn finds(attempts: usize, property: &'static str, mutants: &[(Mutant, usize)]) {
        for &(mutant, steps) in mutants {
            violates(&format!("{mutant:?}"), property, steps, Fast::new(2, attempts).without(mutant));
        }
    }

    #[test]
    fn is_decided_by_all_registers_together() {
        finds(1, "one outcome", &[(Mutant::AbortedUnasked, 4), (Mutant::DecidedWithoutAll, 5)]);
    }

    #[test]
    fn forgets_only_what_nobody_will_take_for_something_else() {
        let rules = [
            (Mutant::CollectedUnasked, 11),
            (Mutant::Unfenced, 5),
            (Mutant::ForgottenIsAborted, 11),
            (Mutant::OrderIgnored, 11),
            (Mutant::InquiredUnconfirmed, 12),
            (Mutant::ForgottenTooSoon, 7),
            (Mutant::ForgottenTold, 10),
            (Mutant::RefusedBelowFloor, 12),
        ];
        finds(1, "one outcome", &rules);
    }

    #[test]
    fn applies_a_transaction_once() {
        let rules = [(Mutant::Unfenced, 11), (Mutant::ForgottenTold, 13), (Mutant::RefusedUnconfirmed, 11)];
        finds(2, "applied once", &rules);
    }
}

mod id_leases {
    use super::*;
    use leases::Mutant;

    fn finds(change: Change, mutant: Mutant, steps: usize) {
        let model = Leases::new(change).without(mutant);
        violates(&format!("{mutant:?}"), "no read misses a write", steps, model);
    }

    #[test]
    fn hold_among_fixed_voters() {
        holds("fixed voters", Leases::new(Change::Nothing));
        finds(Change::Nothing, Mutant::GrantsIgnored, 7);
        finds(Change::Nothing, Mutant::NoFreshId, 6);
    }

    #[test]
    fn hold_over_a_split() {
        holds("split", Leases::new(Change::Split));
        finds(Change::Split, Mutant::FloorNotOverSplit, 12);
        finds(Change::Split, Mutant::BoundOverSplit, 12);
    }

    #[test]
    fn hold_when_voters_go() {
        holds("fewer voters", Leases::new(Change::Shrink));
        finds(Change::Shrink, Mutant::FloorNotInLog, 11);
    }

    #[test]
    fn hold_when_voters_come() {
        holds("more voters", Leases::new(Change::Grow));
        finds(Change::Grow, Mutant::BoundOverChange, 11);
        finds(Change::Grow, Mutant::GrantOverChange, 12);
    }
}
