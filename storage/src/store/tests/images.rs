//! Images: to a replica that is too far behind, torn ones, ones that crash half-way; checkpoints and truncation.

use super::world::*;
use crate::engine::{Engine, MemoryEngine};
use crate::log::{LogStore, MemoryLog};
use crate::range::image::{ImageError, ImageReader, ImageWriter};
use crate::range::local;
use crate::store::{Store, StoreSettings};
use crate::{Error, NodeId, Op, Role, Span};
use std::sync::Arc;

fn small_checkpoints() -> StoreSettings {
    StoreSettings { checkpoint_bytes: 16 << 10, follower_budget: 20, ..settings() }
}

fn fill(world: &mut World, from: u64, count: u64) {
    for n in from..from + count {
        world.write(R, vec![put(&format!("k{n:04}"), &"v".repeat(100))]);
    }
}

#[test]
fn a_follower_that_is_too_far_behind_gets_an_image() {
    let mut world = World::new(3, &[1, 2, 3], small_checkpoints());
    fill(&mut world, 0, 10);
    let leader = world.elect(R);
    let late = world.nodes.keys().copied().find(|id| *id != leader).unwrap();
    world.cut.insert(late);
    fill(&mut world, 10, 600);
    world.write(R, vec![Op::Delete { keyspace: crate::Keyspace::Data, key: key("k0003") }]);
    let first = world.nodes[&leader].log.bounds(R).unwrap().unwrap().0;
    let held = world.nodes[&late].log.bounds(R).unwrap().unwrap().1;
    assert!(first > held + 1, "the log was not truncated: it begins at {first}, the follower ends at {held}");
    world.cut.clear();
    world.tick(10);
    let initial = local::load(world.nodes[&late].engine.as_ref(), R).unwrap().initial;
    assert!(initial.index > held, "no image was installed");
    let (view, leading) = (world.nodes[&late].handle.view(R).unwrap(), world.nodes[&leader].handle.view(R).unwrap());
    assert_eq!((view.term, view.role), (leading.term, Role::Follower(Some(leader))), "it knows whom it follows");
    fill(&mut world, 1000, 5);
    world.assert_equal(R, 3);
    world.crash(late, 0);
    fill(&mut world, 1010, 5);
    world.assert_equal(R, 3);
}

#[test]
fn an_image_that_was_cut_short_is_cleared_and_sent_again() {
    let mut world = World::new(3, &[1, 2, 3], small_checkpoints());
    fill(&mut world, 0, 20);
    let leader = world.elect(R);
    let late = world.nodes.keys().copied().find(|id| *id != leader).unwrap();
    let engine = world.nodes[&late].engine.clone();
    let mut ops = vec![local::put_unfinished(R, &descriptor(&[1]).span), put("half", "written")];
    ops.extend(local::delete_state(engine.as_ref(), R).unwrap());
    engine.write(ops).unwrap();
    world.crash(late, usize::MAX);
    assert_eq!(world.nodes[&late].data(&descriptor(&[1]).span), []);
    assert!(world.nodes[&late].handle.view(R).is_none());
    world.cut.insert(late);
    fill(&mut world, 20, 600);
    world.cut.clear();
    world.tick(20);
    world.assert_equal(R, 3);
}

#[test]
fn image_chunks_are_checked() {
    let mut world = World::new(1, &[1], settings());
    for n in 0..8 {
        world.write(R, vec![put(&format!("k{n}"), &"v".repeat(100 << 10))]);
    }
    world.change(&[crate::range::ReplicaChange::AddLearner(NodeId(7))]);
    let (from, to) = (crate::ReplicaId(1), crate::ReplicaId(2));
    let view = world.node(1).engine.view();
    let mut reader = ImageReader::open(view, R, from, to, 6).unwrap().unwrap();
    let chunks: Vec<Vec<u8>> = std::iter::from_fn(|| reader.next_chunk().unwrap()).collect();
    assert_eq!(chunks.len(), 2 + 3, "header, three chunks of pairs, end");

    let mut writer = ImageWriter::new(4 << 20);
    let image = chunks.iter().filter_map(|chunk| writer.push(chunk).unwrap()).next().unwrap();
    assert_eq!(image.batches.iter().map(Vec::len).sum::<usize>(), 8);

    for at in [0, 5, 9, chunks[1].len() - 1] {
        let mut torn = chunks[1].clone();
        torn[at] ^= 1;
        let mut writer = ImageWriter::new(4 << 20);
        writer.push(&chunks[0]).unwrap();
        assert!(matches!(writer.push(&torn), Err(ImageError::Torn)), "flipped byte {at}");
    }
    let mut writer = ImageWriter::new(4 << 20);
    writer.push(&chunks[0]).unwrap();
    assert!(matches!(writer.push(&chunks[2]), Err(ImageError::Order { expected: 1, found: 2 })));
    let mut writer = ImageWriter::new(100 << 10);
    writer.push(&chunks[0]).unwrap();
    assert!(matches!(writer.push(&chunks[1]), Err(ImageError::TooLarge(_))));
    let other = ImageReader::open(world.node(1).engine.view(), R, from, crate::ReplicaId(9), 6).unwrap();
    assert!(other.is_none(), "an image for a replica that is no member");
}

#[test]
fn engine_and_log_that_do_not_belong_together_are_refused() {
    let mut world = World::new(1, &[1], StoreSettings { checkpoint_bytes: 16 << 10, ..settings() });
    fill(&mut world, 0, 300);
    let node = world.nodes.remove(&NodeId(1)).unwrap();
    let open = |engine: MemoryEngine, log: MemoryLog| {
        Store::open(NodeId(1), Arc::new(engine), Arc::new(log), settings()).map(|_| ())
    };
    assert!(open(node.engine.crash(0), node.log.crash()).is_ok());

    let old = MemoryEngine::with_crashes();
    let mut ops: Vec<Op> = Vec::new();
    for pair in node.engine.scan(crate::Keyspace::Local, &Span::new([0], [0xff])) {
        let (key, value) = pair.unwrap();
        ops.push(Op::Put { keyspace: crate::Keyspace::Local, key: key.to_vec(), value: value.to_vec() });
    }
    ops.push(local::put_applied(R, local::Position { index: 20, term: 6 }));
    old.write(ops).unwrap();
    let Err(Error::Damaged(text)) = open(old, node.log.crash()) else { panic!("a gap was accepted") };
    assert!(text.contains("lies before the log's first index"), "{text}");

    let Err(Error::Damaged(text)) = open(node.engine.crash(usize::MAX), MemoryLog::new()) else {
        panic!("a lost log was accepted")
    };
    assert!(text.contains("the log has lost its vote"), "{text}");
}
