//! Records survive their encoding, and no bytes make the decoders panic.

use super::*;
use proptest::prelude::*;

fn attempt() -> Attempt {
    Attempt { gateway: 1, incarnation: 2, counter: 3, birth: TxnId(1) }
}

#[test]
fn a_decided_header_is_seventeen_bytes() {
    let core = Core { state: RegisterState::Committed, commit_id: TxnId(258), ..Core::default() };
    let header = Header::decided(1, core);
    assert_eq!(header.encode(), [0, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(Header::decode(&header.encode()).unwrap(), header);
}

#[test]
fn an_undecided_header_keeps_everything() {
    let ballot = |round| Ballot { round, terminator: (7, 8) };
    let core = Core {
        state: RegisterState::PreCommit,
        promised: ballot(4),
        accepted: ballot(3),
        commit_id: TxnId(9),
        min_c: TxnId(8),
    };
    let start = StartId { read_id: TxnId(5), first: attempt() };
    let header = Header { seq: 3, core, start, read_id: TxnId(6) };
    assert_eq!(Header::decode(&header.encode()).unwrap(), header);
    assert_eq!(Header::guard(Some(&header)), Expect::StartsWith(vec![0, 0, 0, 0, 0, 0, 0, 3]));
}

#[test]
fn satellites_sort_behind_their_header_and_before_the_next_attempt() {
    let record = RecordKey { part_key: vec![0x10, 0], attempt: attempt() };
    let next = RecordKey { attempt: Attempt { counter: 4, ..attempt() }, ..record.clone() };
    let keys = [header_key(&record), plan_key(&record), token_key(&record), header_key(&next)];
    assert!(keys.is_sorted());
}

proptest! {
    #[test]
    fn intents_round_trip(part_key: Vec<u8>, value: Option<Vec<u8>>) {
        let bytes = Intent::encode(attempt(), &part_key, value.as_deref());
        prop_assert_eq!(Intent::decode(&bytes).unwrap(), Intent { attempt: attempt(), part_key, value });
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes: Vec<u8>) {
        if let Ok(intent) = Intent::decode(&bytes) {
            prop_assert_eq!(Intent::encode(intent.attempt, &intent.part_key, intent.value.as_deref()), bytes.clone());
        }
        if let Ok(token) = TokenState::decode(&bytes) {
            prop_assert_eq!(token.encode(), bytes.clone());
        }
        if let Ok(header) = Header::decode(&bytes) {
            prop_assert_eq!(header.encode(), bytes);
        }
    }
}
