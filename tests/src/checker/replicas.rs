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
    let states = world.states();
    let mut ranges: BTreeMap<RangeId, Vec<(usize, ReplicaView)>> = BTreeMap::new();
    for at in 0..world.len() {
        let Some((node, _)) = world.running(at) else { return Err(format!("n{} is down", at + 1)) };
        for view in node.store().all_views() {
            ranges.entry(view.descriptor.id).or_default().push((at, view));
        }
    }
    for (range, replicas) in &ranges {
        compare(*range, replicas, &states)?;
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
