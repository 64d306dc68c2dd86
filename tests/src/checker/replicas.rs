//! Replica equality: every replica of a range holds the same bytes at the same applied index.

use crate::simulation::World;
use quorate_storage::engine::MemoryEngine;
use quorate_storage::store::ReplicaView;
use quorate_storage::{Engine, Keyspace, RangeId, Role, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Compares all replicas of a world at rest.
///
/// # Errors
/// What is not equal, or not there yet: a range without a leader, a replica behind.
pub fn check(world: &World) -> Result<(), String> {
    let mut views = Vec::with_capacity(world.len());
    for at in 0..world.len() {
        let Some((node, _)) = world.running(at) else { return Err(format!("n{} is down", at + 1)) };
        views.push(node.store().all_views());
    }
    compare_all(views, &world.states())
}

/// `views` and `states` by node.
fn compare_all(views: Vec<Vec<ReplicaView>>, states: &[Arc<MemoryEngine>]) -> Result<(), String> {
    let mut ranges: BTreeMap<RangeId, Vec<(usize, ReplicaView)>> = BTreeMap::new();
    for (at, view) in
        views.into_iter().enumerate().flat_map(|(at, views)| views.into_iter().map(move |view| (at, view)))
    {
        ranges.entry(view.descriptor.id).or_default().push((at, view));
    }
    for (range, replicas) in &ranges {
        compare(*range, replicas, states)?;
    }
    covered(&ranges)
}

fn compare(range: RangeId, replicas: &[(usize, ReplicaView)], states: &[Arc<MemoryEngine>]) -> Result<(), String> {
    let leading = replicas.iter().find(|(_, view)| view.role == Role::Leader);
    let Some((leader, led)) = leading else { return Err(format!("nobody leads {range}")) };
    if replicas.len() != led.descriptor.replicas.len() {
        return Err(format!("{range} has {} replicas, not those of {:?}", replicas.len(), led.descriptor));
    }
    let span = &led.descriptor.span;
    let whole = content(&states[*leader], span)?;
    for (at, view) in replicas {
        if view.applied != led.applied || view.descriptor != led.descriptor {
            return Err(format!(
                "{range} is at {} on n{}, at {} on n{}",
                view.applied,
                at + 1,
                led.applied,
                leader + 1
            ));
        }
        if content(&states[*at], span)? != whole {
            return Err(format!("the replicas of {range} on n{} and n{} differ", at + 1, leader + 1));
        }
    }
    Ok(())
}

/// For each key there is exactly one range: the spans touch and do not overlap.
fn covered(ranges: &BTreeMap<RangeId, Vec<(usize, ReplicaView)>>) -> Result<(), String> {
    let mut spans: Vec<&Span> = ranges.values().map(|replicas| &replicas[0].1.descriptor.span).collect();
    spans.sort_unstable();
    match spans.windows(2).find(|pair| pair[0].end != pair[1].start) {
        Some(pair) => Err(format!("ranges do not touch: {:?} and {:?}", pair[0], pair[1])),
        None => Ok(()),
    }
}

type Content = Vec<(Keyspace, bytes::Bytes, bytes::Bytes)>;

fn content(engine: &MemoryEngine, span: &Span) -> Result<Content, String> {
    let mut content = Vec::new();
    for keyspace in Keyspace::BY_KEY {
        for pair in engine.scan(keyspace, &span.in_keyspace(keyspace)) {
            let (key, value) = pair.map_err(|error| error.to_string())?;
            content.push((keyspace, key, value));
        }
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_storage::range::{RangeDescriptor, ReplicaDescriptor, ReplicaRole};
    use quorate_storage::{NodeId, Op, ReplicaId};

    fn view(range: u64, span: [&str; 2], at: u64, applied: u64) -> ReplicaView {
        let replica =
            |node| ReplicaDescriptor { node: NodeId(node), replica: ReplicaId(node), role: ReplicaRole::Voter };
        let descriptor = RangeDescriptor {
            id: RangeId(range),
            span: Span::new(span[0], span[1]),
            generation: 1,
            conf_ver: 1,
            replicas: vec![replica(1), replica(2)],
            next_replica: ReplicaId(3),
        };
        let role = if at == 0 { Role::Leader } else { Role::Follower(Some(NodeId(1))) };
        ReplicaView { descriptor: Arc::new(descriptor), term: 6, role, applied }
    }

    fn states(values: [&str; 2]) -> Vec<Arc<MemoryEngine>> {
        let state = |value: &str| {
            let engine = MemoryEngine::new();
            let value = value.as_bytes().to_vec();
            engine.write(vec![Op::Put { keyspace: Keyspace::Data, key: b"k".to_vec(), value }]).unwrap();
            Arc::new(engine)
        };
        values.map(state).into()
    }

    fn both(applied: [u64; 2]) -> Vec<Vec<ReplicaView>> {
        (0..2).map(|at| vec![view(4, ["a", "z"], at as u64, applied[at])]).collect()
    }

    #[test]
    fn equal_replicas_pass() {
        compare_all(both([7, 7]), &states(["same", "same"])).unwrap();
    }

    #[test]
    fn what_differs_is_found() {
        let differ = compare_all(both([7, 7]), &states(["one", "other"])).unwrap_err();
        assert!(differ.contains("differ"), "{differ}");
        let behind = compare_all(both([7, 6]), &states(["same", "same"])).unwrap_err();
        assert!(behind.contains("is at 6 on n2"), "{behind}");
        let mut missing = both([7, 7]);
        missing[1].clear();
        let missing = compare_all(missing, &states(["same", "same"])).unwrap_err();
        assert!(missing.contains("has 1 replicas"), "{missing}");
        let mut leaderless = both([7, 7]);
        leaderless[0].clear();
        let leaderless = compare_all(leaderless, &states(["same", "same"])).unwrap_err();
        assert!(leaderless.contains("nobody leads"), "{leaderless}");
    }

    #[test]
    fn keys_of_no_range_and_of_two_are_found() {
        for right in [["n", "z"], ["l", "z"]] {
            let views = (0..2).map(|at| vec![view(4, ["a", "m"], at, 7), view(5, right, at, 7)]).collect();
            let found = compare_all(views, &states(["same", "same"])).unwrap_err();
            assert!(found.contains("do not touch"), "{found}");
        }
    }
}
