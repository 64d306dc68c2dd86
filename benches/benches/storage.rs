//! The layers below SQL, one by one: engine, log, MVCC, frames.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use quorate_net::frame::{Batch, Decoder, FrameHeader};
use quorate_storage::engine::{DiskEngine, EngineSettings, MemoryEngine};
use quorate_storage::log::{DiskLog, GroupAppend, LogBatch, LogSettings};
use quorate_storage::{Engine, Keyspace, LogStore, Op, RangeId, Span};
use quorate_txn::{TxnId, mvcc};
use std::hint::black_box;
use std::sync::Arc;

const KEYS: u32 = 100_000;

fn key(at: u32) -> Vec<u8> {
    format!("key/{at:012}").into_bytes()
}

fn versions(id: u64, keys: std::ops::Range<u32>) -> Vec<Op> {
    let value = |at: u32| mvcc::encode_newest(TxnId(id), Some(format!("{at:0200}").as_bytes()));
    keys.map(|at| Op::Put { keyspace: Keyspace::Data, key: key(at), value: value(at) }).collect()
}

fn filled(engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
    for start in (0..KEYS).step_by(1000) {
        engine.write(versions(5, start..start + 1000)).expect("the engine takes the batch");
    }
    engine.persist().expect("the engine persists");
    engine
}

fn engines(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let disk = DiskEngine::open(&directory.path().join("engine"), &EngineSettings::default()).expect("it opens");
    for (name, engine) in [("disk", filled(Arc::new(disk))), ("memory", filled(Arc::new(MemoryEngine::new())))] {
        let mut group = c.benchmark_group(format!("engine/{name}"));
        let mut at = 0u32;
        let mut next = || {
            at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            at % KEYS
        };
        group.bench_function("get", |b| b.iter(|| black_box(engine.get(Keyspace::Data, &key(next())))));
        group.bench_function("scan 100", |b| {
            b.iter(|| {
                let span = Span::new(key(next()), key(KEYS));
                engine.scan(Keyspace::Data, &span).take(100).count()
            });
        });
        group.throughput(Throughput::Elements(10));
        group.bench_function("batch of 10", |b| {
            b.iter_batched(
                || versions(6, 0..10),
                |ops| engine.write(ops).expect("the engine takes the batch"),
                BatchSize::SmallInput,
            );
        });
        group.finish();
        c.bench_function(&format!("mvcc/{name} read"), |b| {
            b.iter(|| black_box(mvcc::read_at(engine.as_ref(), &key(next()), TxnId(9))));
        });
    }
}

fn log(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = DiskLog::open(&directory.path().join("log"), &LogSettings::default()).expect("it opens");
    let mut index = 0;
    c.bench_function("log/append 1 KiB with fsync", |b| {
        b.iter(|| {
            index += 1;
            let mut entry = raft_entry(index);
            entry.data = Bytes::from(vec![7u8; 1024]).to_vec().into();
            let mut append = GroupAppend::new(RangeId(4));
            append.entries.push(entry);
            log.append(LogBatch { groups: vec![append], ..LogBatch::default() }, true)
                .expect("the log takes the batch");
        });
    });
}

fn raft_entry(index: u64) -> quorate_storage::log::Entry {
    quorate_storage::log::Entry { index, term: 1, ..Default::default() }
}

fn frames(c: &mut Criterion) {
    let header = FrameHeader::default();
    c.bench_function("frame/encode and decode 256 B", |b| {
        b.iter(|| {
            let mut batch = Batch::default();
            batch.push(&header, Bytes::from_static(&[7; 256]));
            let mut decoder = Decoder::new(1 << 20);
            batch.take().into_iter().for_each(|piece| decoder.push(piece));
            black_box(decoder.next_frame())
        });
    });
}

criterion_group!(benches, engines, log, frames);
criterion_main!(benches);
