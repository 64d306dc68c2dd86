//! The real engine and log, reopened.

use super::world::{R, descriptor, put};
use crate::engine::{DiskEngine, Engine};
use crate::log::DiskLog;
use crate::store::driver::step;
use crate::store::event::Event;
use crate::store::{Opened, Store, StoreSettings};
use crate::{Command, Keyspace, NodeId, Outcome};
use std::path::Path;
use std::sync::Arc;

fn open(dir: &Path) -> (Opened, Arc<DiskEngine>) {
    let engine = Arc::new(DiskEngine::open(&dir.join("engine"), &Default::default()).unwrap());
    let log = Arc::new(DiskLog::open(&dir.join("log"), &Default::default()).unwrap());
    (Store::open(NodeId(1), engine.clone(), log, StoreSettings::default()).unwrap(), engine)
}

#[test]
fn a_range_on_disk_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let (Opened { mut store, mut applier, handle, .. }, engine) = open(dir.path());
        if round == 0 {
            store.bootstrap(&[descriptor(&[1])]).unwrap();
        }
        step(&mut store, &mut applier, vec![]).unwrap();
        let view = handle.view(R).unwrap();
        let found = engine.scan(Keyspace::Data, &view.descriptor.span).count();
        assert_eq!(found, round * 10);
        for n in 0..10 {
            let ops = vec![put(&format!("{round}-{n}"), "v")];
            let command = Command { generation: 1, term: view.term, guards: vec![], ops, admin: None };
            let (reply, mut answer) = tokio::sync::oneshot::channel();
            step(&mut store, &mut applier, vec![Event::Propose { range: R, command, reply }]).unwrap();
            assert!(matches!(answer.try_recv(), Ok(Outcome::Applied { .. })));
        }
    }
}
