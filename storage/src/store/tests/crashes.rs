//! Crashes at random moments, with loss of engine batches that were not persisted, of messages, and of leaders.

use super::world::*;
use crate::store::StoreSettings;
use crate::store::event::Event;
use crate::{Command, Expect, Guard, Keyspace, NodeId, Outcome, RangeId};
use std::collections::BTreeMap;
use tokio::sync::oneshot::Receiver;

struct Run {
    world: World,
    /// Proposals without an answer, with the key that each writes once.
    open: Vec<(String, Receiver<Outcome>)>,
    applied: BTreeMap<String, u64>,
    next: u64,
}

impl Run {
    fn new(seed: u64) -> Run {
        let settings = StoreSettings { seed, checkpoint_bytes: 4 << 10, follower_budget: 30, ..settings() };
        Run { world: World::new(3, &[1, 2, 3], settings), open: Vec::new(), applied: BTreeMap::new(), next: 0 }
    }

    fn any_node(&mut self) -> NodeId {
        NodeId(1 + self.world.random(3))
    }

    fn step(&mut self) {
        match self.world.random(100) {
            0..5 => self.propose(),
            5..75 => {
                self.world.deliver();
            }
            75..88 => {
                let node = self.any_node();
                self.world.node(node.0).apply_one();
                self.world.give(node, vec![]);
            }
            88..95 => {
                let node = self.any_node();
                self.world.give(node, vec![Event::Tick]);
            }
            95..97 => {
                self.world.lose_first();
            }
            97 if self.world.random(6) == 0 => {
                let keep = self.world.random(6) as usize;
                let node = self.any_node();
                self.world.crash(node, keep);
            }
            _ => {
                let len = self.world.queue.len();
                if len > 1 {
                    let at = self.world.random(len as u64) as usize;
                    self.world.queue.swap(0, at);
                }
            }
        }
        self.collect();
    }

    fn propose(&mut self) {
        let Some(leader) = self.world.leader(R) else { return };
        let name = format!("k{}", self.next);
        self.next += 1;
        let guards = vec![Guard { keyspace: Keyspace::Data, key: key(&name), expect: Expect::Absent }];
        let command = Command { guards, ..self.world.command(leader, R, vec![put(&name, &name)]) };
        let answer = self.world.start(leader, R, command);
        self.open.push((name, answer));
    }

    fn collect(&mut self) {
        let applied = &mut self.applied;
        self.open.retain_mut(|(name, answer)| match answer.try_recv() {
            Ok(Outcome::Applied { index }) => {
                assert_eq!(applied.insert(name.clone(), index), None);
                false
            }
            Ok(Outcome::GuardFailed { .. }) => panic!("{name} was applied twice"),
            Ok(_) | Err(tokio::sync::oneshot::error::TryRecvError::Closed) => false,
            Err(tokio::sync::oneshot::error::TryRecvError::Empty) => true,
        });
    }
}

#[test]
fn what_was_answered_survives_any_crash() {
    let mut total = 0;
    for seed in 0..60 {
        let mut run = Run::new(seed);
        for _ in 0..6000 {
            run.step();
        }
        run.world.write(R, vec![put("end", "end")]);
        run.world.assert_equal(R, 3);
        run.collect();
        let leader = run.world.elect(R);
        for name in run.applied.keys() {
            assert_eq!(run.world.value(leader, name).as_ref(), Some(name), "seed {seed} lost an answered write");
        }
        total += run.applied.len();
    }
    assert!(total > 60 * 30, "only {total} writes in all runs");
}

#[test]
fn a_split_survives_any_crash() {
    let right = RangeId(9);
    for seed in 0..40 {
        let mut run = Run::new(seed);
        run.world.write(R, vec![put("a", "1"), put("x", "1")]);
        let leader = run.world.elect(R);
        let admin = Some(crate::range::Admin::Split { key: key("m"), right });
        let command = Command { admin, ..run.world.command(leader, R, vec![]) };
        let _answer = run.world.start(leader, R, command);
        for _ in 0..150 {
            match run.world.random(10) {
                0..6 => {
                    run.world.deliver();
                }
                6..8 => {
                    let node = run.any_node();
                    run.world.node(node.0).apply_one();
                    run.world.give(node, vec![]);
                }
                8 => {
                    let node = run.any_node();
                    run.world.give(node, vec![Event::Tick]);
                }
                _ => {
                    let keep = run.world.random(4) as usize;
                    let node = run.any_node();
                    run.world.crash(node, keep);
                }
            }
        }
        run.world.settle();
        if run.world.nodes.values().all(|node| node.handle.view(R).unwrap().descriptor.generation == 1) {
            let outcome = run.world.split("m", right);
            assert!(matches!(outcome, Outcome::Applied { .. } | Outcome::GenerationMismatch(_)), "{outcome:?}");
        }
        run.world.write(R, vec![put("b", "2")]);
        run.world.write(right, vec![put("y", "2")]);
        run.world.assert_equal(R, 3);
        run.world.assert_equal(right, 3);
    }
}
