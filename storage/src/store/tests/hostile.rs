//! Messages that no correct peer sends: nothing panics, nothing is lost.

use super::world::*;
use crate::store::event::Event;
use crate::store::{RaftBody, RaftEntry, RaftMessage};
use crate::{NodeId, RangeId, ReplicaId};

const NUMBERS: [u64; 12] = [0, 1, 5, 6, 9, 10, 11, 12, 40, 1 << 40, (1 << 62) - 1, u64::MAX];

fn number(world: &mut World) -> u64 {
    NUMBERS[world.random(NUMBERS.len() as u64) as usize]
}

fn body(world: &mut World) -> RaftBody {
    let mut n = || number(world);
    let (a, b, c, d, e) = (n(), n(), n(), n(), n());
    let entries = (0..world.random(4))
        .map(|i| RaftEntry {
            index: if world.random(3) > 0 { a.wrapping_add(1 + i) } else { number(world) },
            term: if world.random(3) > 0 { b } else { number(world) },
            change: world.random(4) == 0,
            data: vec![7; world.random(9) as usize].into(),
        })
        .collect();
    let (yes, no) = (world.random(2) == 0, world.random(2) == 0);
    match world.random(10) {
        0 | 1 => RaftBody::Append { index: a, log_term: b, commit: c, entries },
        2 => RaftBody::AppendReply { index: a, commit: b, reject: yes.then_some((c, d)) },
        3 => RaftBody::Vote { pre: yes, index: a, log_term: b, commit: c, commit_term: d, transfer: no },
        4 => RaftBody::VoteReply { pre: yes, reject: no, commit: a, commit_term: b, granted: c },
        5 => RaftBody::Heartbeat { commit: a, round: yes.then_some(b), grant: c },
        6 => RaftBody::HeartbeatReply { commit: a, round: yes.then_some(b), granted: c },
        7 => RaftBody::TimeoutNow,
        8 => RaftBody::AskMembership { node: NodeId(a) },
        _ => RaftBody::Gone { descriptor: crate::RangeDescriptor { generation: e, ..descriptor(&[1, 2, 3]) } },
    }
}

#[test]
fn nonsense_is_dropped() {
    for seed in 0..200 {
        let mut world = World::new(3, &[1, 2, 3], crate::store::StoreSettings { seed, ..settings() });
        if seed % 2 == 0 {
            world.write(R, vec![put("a", "1")]);
        }
        for _ in 0..60 {
            let node = NodeId(1 + world.random(3));
            let range = if world.random(4) > 0 { R } else { RangeId(50 + world.random(2)) };
            let (to, from) = (ReplicaId(world.random(5)), ReplicaId(world.random(5)));
            let term = number(&mut world);
            // Entries that such a peer might get committed would not decode: they may stop a store, not panic it.
            let message = RaftMessage { range, to, from, term, body: body(&mut world) };
            let mut effects = crate::store::Effects::default();
            let sender = NodeId(1 + world.random(3));
            let node = world.nodes.get_mut(&node).unwrap();
            node.store.handle(Event::Messages { from: sender, messages: vec![message] });
            if let Ok(tasks) = node.store.process(&mut effects)
                && let Ok(results) = node.applier.apply(tasks)
            {
                node.store.on_results(results);
            }
        }
    }
}

#[test]
fn a_replica_without_data_takes_no_entries() {
    let mut world = World::new(2, &[1], settings());
    let entry = RaftEntry { index: 1, term: 6, change: false, data: bytes::Bytes::new() };
    let append = RaftBody::Append { index: 0, log_term: 0, commit: 1, entries: vec![entry] };
    let message = RaftMessage { range: R, to: ReplicaId(2), from: ReplicaId(1), term: 6, body: append };
    world.give(NodeId(2), vec![Event::Messages { from: NodeId(1), messages: vec![message] }]);
    world.settle();
    let peer = &world.nodes[&NodeId(2)].store.peers[&R];
    assert_eq!((peer.replica, peer.node.raft.raft_log.last_index()), (ReplicaId(2), 0));
}
