//! The whole cluster under virtual time: a fixed set of seeds, every workload, every kind of fault.
//!
//! More seeds: `cargo run --release -p quorate-tests --bin simulate -- --help`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use quorate_tests::simulation::fault::Kind;
use quorate_tests::simulation::{MUTATIONS, Plan, Report, run};
use quorate_tests::workload;

/// How many seeds are tried for a planted bug, beginning with the one that is pinned.
const NEARBY: u64 = 40;

fn plan(seed: u64, kinds: &[Kind]) -> Plan {
    let at = usize::try_from(seed).unwrap() % workload::NAMES.len();
    Plan::of(seed, workload::NAMES[at], 5, 200, kinds)
}

fn check(plan: &Plan) -> Report {
    let report = run(plan).unwrap();
    assert!(report.violations.is_empty(), "seed {} {}: {:#?}", plan.seed, plan.workload, report.violations);
    assert!(report.transactions[0] > 50, "seed {} committed {:?}", plan.seed, report.transactions);
    report
}

fn check_all(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        check(&plan(seed, &Kind::ALL));
    }
}

#[test]
fn a_seed_decides_everything_that_happens() {
    for seed in 0..20 {
        let plan = plan(seed, &Kind::ALL);
        let (one, two) = (check(&plan), check(&plan));
        assert_eq!(one.hash, two.hash, "seed {seed}");
        assert_eq!(one.messages, two.messages, "seed {seed}");
    }
    let told = check(&Plan { tells: true, ..plan(0, &Kind::ALL) });
    assert_eq!(told.hash, check(&plan(0, &Kind::ALL)).hash, "a story changes nothing");
    assert!(told.story.iter().any(|line| line.contains("register")), "it tells what registers held");
    assert_ne!(check(&plan(0, &[])).hash, check(&plan(10, &[])).hash);
}

#[test]
fn nothing_is_violated_first_half() {
    check_all(0..100);
}

#[test]
fn nothing_is_violated_second_half() {
    check_all(100..200);
}

/// The seed that is pinned found it when it was pinned; any change of the schedule may move it a little.
#[test]
fn planted_bugs_are_found() {
    for mutation in MUTATIONS {
        let Some(pinned) = mutation.seed else { continue };
        let plan = |seed| Plan::of(seed, mutation.workload, 5, 300, &Kind::ALL);
        let finds = |seed: &u64| {
            let planted = Plan { mutation: mutation.name, ..plan(*seed) };
            !run(&planted).unwrap().violations.is_empty()
        };
        let found = (pinned..pinned + NEARBY).find(finds);
        let Some(seed) = found else {
            panic!("nobody noticed that {} ({}): pin another seed", mutation.what, mutation.name);
        };
        check(&plan(seed));
    }
}

/// A request for locks that arrived twice locked for a transaction that was over, for ever.
#[test]
fn a_late_lock_request_locks_nothing_for_ever() {
    check(&Plan::of(2, "counter", 5, 300, &Kind::FIRST));
}

/// The store's apply loop had failed, and the node did not notice.
#[test]
fn a_failed_applier_stops_its_node() {
    check(&Plan::of(19, "tpcc", 5, 300, &Kind::FIRST));
}

/// A crash undid a split, and an image of the left side took the place of the log that would have split again.
#[test]
fn a_split_is_not_undone_under_an_image() {
    check(&Plan::of(184, "skew", 5, 300, &Kind::FIRST));
}

/// A split whose answer was lost found, at its second try, that its key already began a range, and tried for ever.
#[test]
fn a_split_that_was_made_is_not_tried_for_ever() {
    check(&Plan::of(35, "sequential", 5, 300, &Kind::FIRST));
}

/// A replica voted before the split that gave it its data; the leader took it for empty, and heard nothing of its images.
/// Then two nodes passed a leader back and forth, each believing the other to lead nothing.
#[test]
fn a_replica_that_voted_before_its_split_is_found_out() {
    check(&Plan::of(1761, "set", 5, 300, &Kind::FIRST));
    check(&Plan::of(1120, "bank", 5, 300, &Kind::FIRST));
}
