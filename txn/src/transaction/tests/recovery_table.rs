//! What recovery decides, case by case: how far the coordinator had come, and who can be reached.
//!
//! ```text
//!   P  PREPARED     C  PRECOMMIT     A  PREABORT     D  COMMITTED     N  ABORTED     -  has not heard of the attempt
//! ```
//! One letter for each of three participants, all of them acceptors, each a group on a node of its own. The columns: all can
//! be reached, the last one cannot, only the first one can.

use super::world::{World, key, vote};
use crate::api::{RecordKey, RegisterState, Reply, Request};
use crate::{Attempt, Ballot};
use std::fmt::Write as _;
use std::time::Duration;

/// The ballot of a recoverer that came before and died.
const EARLIER: Ballot = Ballot { round: 1, terminator: (7, 7) };

struct Left {
    attempt: Attempt,
    participants: Vec<Vec<u8>>,
}

impl Left {
    fn record(&self, at: usize) -> RecordKey {
        RecordKey { part_key: self.participants[at].clone(), attempt: self.attempt }
    }
}

/// Brings the registers to where the letters say. `fast`: the votes carry a commit ID.
async fn leave(world: &World, letters: &str, fast: bool) -> Left {
    let (client, txn) = (&world.clients[0], world.begin().await);
    let participants: Vec<Vec<u8>> = (0..3).map(|range| key(range, "k")).collect();
    let left = Left { attempt: txn.attempt(), participants };
    let commit_id = client.oracle().fresh_commit_id().await.unwrap().commit_id;
    for (at, letter) in letters.chars().enumerate() {
        let record = left.record(at);
        let part_key = record.part_key.clone();
        let vote = vote(&txn, &left.participants, at, fast.then_some(commit_id));
        let ballot = Ballot::default();
        let then = match letter {
            'P' | '-' => None,
            'C' => Some(Request::PreCommit { record, ballot, commit_id }),
            'A' => Some(Request::PreAbort { record, ballot: EARLIER }),
            'D' => Some(Request::DoCommit { record, commit_id }),
            'N' => Some(Request::DoAbort { record }),
            other => panic!("no state: {other}"),
        };
        let vote = (letter != '-' && letter != 'N').then_some(vote);
        for request in vote.into_iter().chain(then) {
            let reply = client.router().send_to_key(&part_key, || request.clone()).await;
            assert!(matches!(reply, Ok(Reply::Register(_))), "{letters} {at}: {reply:?}");
        }
    }
    left
}

/// What becomes of the attempt while only the first `reachable` participants can be reached.
async fn decided(seed: u64, letters: &str, fast: bool, reachable: usize) -> String {
    let world = World::with_all_ranges_apart(seed).await;
    let left = leave(&world, letters, fast).await;
    for at in reachable..3 {
        world.cut_off(at as u64 + 2);
    }
    world.runtime.sleep(Duration::from_secs(8)).await;
    let mut outcomes = Vec::new();
    for (at, letter) in letters.chars().enumerate().take(reachable) {
        // A register that has not heard of the attempt changes only if somebody inquires: this must not be it.
        let make = || Request::Settle { record: left.record(at) };
        if letter == '-' && outcomes.contains(&"wait") {
            continue;
        }
        outcomes.push(match world.clients[0].router().send_to_key(&left.participants[at], make).await {
            Ok(Reply::Committed { .. }) => "COMMIT",
            Ok(Reply::Aborted) => "ABORT",
            Ok(Reply::Register(register)) => match register.state {
                RegisterState::Committed => "COMMIT",
                RegisterState::Aborted => "ABORT",
                _ => "wait",
            },
            other => panic!("{letters}: {other:?}"),
        });
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{letters}, {reachable} reachable: {outcomes:?}");
    let while_cut = outcomes[0].to_owned();
    world.hub.heal();
    world.runtime.sleep(Duration::from_secs(8)).await;
    let mut values = Vec::new();
    for part_key in &left.participants {
        values.push(world.value(part_key).await.is_some());
    }
    assert!(values.iter().all(|value| *value == values[0]), "{letters}, healed: {values:?}");
    let healed = if values[0] { "COMMIT" } else { "ABORT" };
    assert!(while_cut == "wait" || while_cut == healed, "{letters}: {while_cut}, then {healed}");
    while_cut
}

async fn table(rows: &[(&str, &str)], fast: bool) -> String {
    let mut table = String::new();
    for (number, (letters, what)) in rows.iter().enumerate() {
        let mut columns = Vec::new();
        for reachable in [3, 2, 1] {
            columns.push(decided(70 + number as u64, letters, fast, reachable).await);
        }
        let [all, two, one] = &columns[..] else { panic!("three columns") };
        writeln!(table, "{letters}  {all:<7} {two:<7} {one:<7} {what}").unwrap();
    }
    table
}

#[tokio::test(start_paused = true)]
async fn three_phase_commit_is_decided_by_a_majority_whoever_died_when() {
    let rows = [
        ("P--", "1 CanCommit reached some"),
        ("PP-", "1 CanCommit reached some"),
        ("PPP", "2 all are prepared"),
        ("CPP", "3 PreCommit reached fewer than a quorum"),
        ("PPC", "3 and who has it may be out of reach"),
        ("CCP", "4 PreCommit reached a quorum: the client may know"),
        ("CPC", "4 and one of it may be out of reach"),
        ("DCC", "5 one has committed"),
        ("CCD", "5 and it may be out of reach"),
        ("NPP", "6 one has refused"),
        ("PPN", "6 and it may be out of reach"),
        ("APP", "7 an earlier recovery died after PreAbort reached fewer than a quorum"),
        ("ACP", "7 and its ballot is above the coordinator's"),
        ("PPA", "7 and who has it may be out of reach"),
        ("AAP", "8 PreAbort reached a quorum"),
    ];
    let expected = "\
P--  ABORT   ABORT   wait    1 CanCommit reached some
PP-  ABORT   ABORT   wait    1 CanCommit reached some
PPP  COMMIT  ABORT   wait    2 all are prepared
CPP  COMMIT  COMMIT  wait    3 PreCommit reached fewer than a quorum
PPC  COMMIT  ABORT   wait    3 and who has it may be out of reach
CCP  COMMIT  COMMIT  wait    4 PreCommit reached a quorum: the client may know
CPC  COMMIT  COMMIT  wait    4 and one of it may be out of reach
DCC  COMMIT  COMMIT  COMMIT  5 one has committed
CCD  COMMIT  COMMIT  wait    5 and it may be out of reach
NPP  ABORT   ABORT   ABORT   6 one has refused
PPN  ABORT   ABORT   wait    6 and it may be out of reach
APP  ABORT   ABORT   wait    7 an earlier recovery died after PreAbort reached fewer than a quorum
ACP  ABORT   ABORT   wait    7 and its ballot is above the coordinator's
PPA  ABORT   ABORT   wait    7 and who has it may be out of reach
AAP  ABORT   ABORT   wait    8 PreAbort reached a quorum
";
    assert_eq!(table(&rows, false).await, expected);
}

#[tokio::test(start_paused = true)]
async fn one_round_commit_is_decided_by_all_or_by_one_that_refused() {
    let rows = [
        ("PPP", "all have voted: the client may know"),
        ("PP-", "one has not heard of it"),
        ("-PP", "one has not heard of it"),
        ("PPN", "one has refused, and may be out of reach"),
        ("NPP", "one has refused"),
        ("DPP", "one has committed"),
        ("PPD", "one has committed, and may be out of reach"),
    ];
    let expected = "\
PPP  COMMIT  wait    wait    all have voted: the client may know
PP-  ABORT   wait    wait    one has not heard of it
-PP  ABORT   ABORT   ABORT   one has not heard of it
PPN  ABORT   wait    wait    one has refused, and may be out of reach
NPP  ABORT   ABORT   ABORT   one has refused
DPP  COMMIT  COMMIT  COMMIT  one has committed
PPD  COMMIT  wait    wait    one has committed, and may be out of reach
";
    assert_eq!(table(&rows, true).await, expected);
}
