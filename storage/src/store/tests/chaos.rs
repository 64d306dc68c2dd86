//! Everything at once: members that come and go, splits, images, transfers, crashes (also half-way through an image),
//! cut nodes, lost and reordered messages. Then the world heals, and every answered write must be there.

use super::world::*;
use crate::engine::Engine;
use crate::range::{Admin, MemberChange, ReplicaChange, local};
use crate::store::StoreSettings;
use crate::store::event::{ApplyTask, ChangeOutcome, Event};
use crate::{Command, Expect, Guard, Keyspace, NodeId, Outcome, RangeId, ReplicaRole};
use std::collections::BTreeMap;
use tokio::sync::oneshot::{Receiver, channel};

const NODES: u64 = 5;
const RIGHT: RangeId = RangeId(9);

struct Chaos {
    world: World,
    /// Proposals without an answer, with the key that each writes once.
    open: Vec<(String, Receiver<Outcome>)>,
    changes: Vec<Receiver<ChangeOutcome>>,
    applied: BTreeMap<String, RangeId>,
    next: u64,
}

impl Chaos {
    fn new(seed: u64) -> Chaos {
        let settings =
            StoreSettings { seed, checkpoint_bytes: 3 << 10, follower_budget: 10, election_ticks: 6, ..settings() };
        let world = World::new(NODES, &[1, 2, 3], settings);
        Chaos { world, open: Vec::new(), changes: Vec::new(), applied: BTreeMap::new(), next: 0 }
    }

    fn any_node(&mut self) -> NodeId {
        NodeId(1 + self.world.random(NODES))
    }

    fn any_range(&mut self) -> RangeId {
        if self.world.random(2) == 0 { R } else { RIGHT }
    }

    fn step(&mut self) {
        match self.world.random(1000) {
            0..60 => self.propose(),
            60..700 => drop(self.world.deliver()),
            700..850 => self.apply(),
            850..960 => {
                let node = self.any_node();
                self.world.give(node, vec![Event::Tick]);
            }
            960..970 => self.world.lose_first(),
            970..980 => {
                let len = self.world.queue.len() as u64;
                if len > 1 {
                    let at = self.world.random(len) as usize;
                    self.world.queue.swap(0, at);
                }
            }
            980..990 => self.change(),
            990..992 => self.transfer(),
            992 => self.split(),
            993 => self.crash(),
            994..996 => {
                let node = self.any_node();
                self.world.cut.insert(node);
            }
            _ => self.world.cut.clear(),
        }
        self.collect();
    }

    fn propose(&mut self) {
        let range = self.any_range();
        let Some(leader) = self.world.leader(range) else { return };
        let name = format!("{}{}", if range == R { 'a' } else { 'x' }, self.next);
        let span = self.world.nodes[&leader].handle.view(range).unwrap().descriptor.span.clone();
        if !span.contains(&key(&name)) {
            return;
        }
        self.next += 1;
        let guards = vec![Guard { keyspace: Keyspace::Data, key: key(&name), expect: Expect::Absent }];
        let command = Command { guards, ..self.world.command(leader, range, vec![put(&name, &name)]) };
        let answer = self.world.start(leader, range, command);
        self.open.push((name, answer));
    }

    fn apply(&mut self) {
        let node = self.any_node();
        self.world.node(node.0).apply_one();
        self.world.give(node, vec![]);
    }

    fn split(&mut self) {
        let Some(leader) = self.world.leader(R) else { return };
        let admin = Some(Admin::Split { key: key("m"), right: RIGHT });
        let command = Command { admin, ..self.world.command(leader, R, vec![]) };
        drop(self.world.start(leader, R, command));
    }

    fn transfer(&mut self) {
        let range = self.any_range();
        let to = self.any_node();
        if let Some(leader) = self.world.leader(range) {
            self.world.give(leader, vec![Event::TransferLeader { range, to }]);
        }
    }

    fn change(&mut self) {
        let range = self.any_range();
        let Some(leader) = self.world.leader(range) else { return };
        let found = self.world.nodes[&leader].handle.view(range).unwrap().descriptor;
        let node = self.any_node();
        let step = match found.replica_on(node).map(|member| member.role) {
            None => ReplicaChange::AddLearner(node),
            Some(ReplicaRole::Learner) => ReplicaChange::Promote(node),
            Some(_) => ReplicaChange::Remove(node),
        };
        let voters = found.replicas.iter().filter(|member| member.role == ReplicaRole::Voter).count();
        let learner = found.replicas.iter().find(|member| member.role == ReplicaRole::Learner);
        let changes = match (step, learner) {
            (ReplicaChange::Remove(node), Some(learner)) => {
                vec![ReplicaChange::Promote(learner.node), ReplicaChange::Remove(node)]
            }
            (ReplicaChange::Remove(_), None) if voters <= 1 => return,
            _ => vec![step],
        };
        let (reply, answer) = channel();
        let change = MemberChange { conf_ver: found.conf_ver, changes };
        self.world.give(leader, vec![Event::ChangeReplicas { range, change, reply }]);
        self.changes.push(answer);
    }

    fn crash(&mut self) {
        let id = self.any_node();
        let mut keep = self.world.random(6) as usize;
        let node = self.world.node(id.0);
        if let Some(ApplyTask::Install { range, image, .. }) = node.tasks.front().and_then(|tasks| tasks.first()) {
            let old = local::load(node.engine.as_ref(), *range).unwrap().descriptor;
            let span = old.map_or(image.header.descriptor.span.clone(), |old| old.span);
            let mut ops = vec![local::put_unfinished(*range, &span)];
            ops.extend(local::delete_state(node.engine.as_ref(), *range).unwrap());
            node.engine.write(ops).unwrap();
            for batch in image.batches.iter().take(1) {
                node.engine.write(batch.clone()).unwrap();
            }
            keep = usize::MAX;
        }
        self.world.crash(id, keep);
    }

    fn collect(&mut self) {
        let applied = &mut self.applied;
        self.open.retain_mut(|(name, answer)| match answer.try_recv() {
            Ok(Outcome::Applied { .. }) => {
                let range = if name.starts_with('a') { R } else { RIGHT };
                assert_eq!(applied.insert(name.clone(), range), None);
                false
            }
            Ok(Outcome::GuardFailed { .. }) => panic!("{name} was applied twice"),
            Ok(_) | Err(tokio::sync::oneshot::error::TryRecvError::Closed) => false,
            Err(tokio::sync::oneshot::error::TryRecvError::Empty) => true,
        });
    }

    fn check(&mut self, seed: u64) {
        println!("seed {seed}");
        self.world.cut.clear();
        self.world.tick(100);
        self.world.write(R, vec![put("a-end", "end")]);
        let leader = self.world.elect(R);
        let left = self.world.nodes[&leader].handle.view(R).unwrap().descriptor;
        let split = left.generation > 1;
        if split {
            self.world.write(RIGHT, vec![put("x-end", "end")]);
        }
        self.world.tick(60);
        self.collect();
        for range in [R, RIGHT].into_iter().filter(|range| *range == R || split) {
            let leader = self.world.elect(range);
            let found = self.world.nodes[&leader].handle.view(range).unwrap().descriptor;
            assert!(!found.is_joint(), "seed {seed}: {found:?} stays joint");
            self.world.assert_equal(range, found.replicas.len());
        }
        for (name, range) in &self.applied {
            let holder = if *range == R || !split { R } else { RIGHT };
            let leader = self.world.leader(holder).unwrap();
            assert_eq!(self.world.value(leader, name).as_ref(), Some(name), "seed {seed} lost an answered write");
        }
    }
}

#[test]
fn answered_writes_survive_everything() {
    let mut total = 0;
    for seed in 0..100 {
        let mut run = Chaos::new(seed);
        for _ in 0..8000 {
            run.step();
        }
        run.check(seed);
        total += run.applied.len();
    }
    assert!(total > 100 * 50, "only {total} writes in all runs");
}
