//! The lines of a database, and what they are made from.

use super::line::Line;
use crate::error::{Error, ErrorKind, Result};
use crate::node::Node;
use crate::session::{Gateway, Session, StartupParams};
use parking_lot::Mutex;
use quorate_net::runtime::Runtime;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// Lines that are kept while nobody uses them.
const KEEP_LINES: usize = 64;
/// Sessions of listeners count from 1, those of the embedded API from here.
const FIRST_PROCESS: i32 = 1 << 30;

/// What all clones of a [`super::Database`] share.
pub(super) struct Pool {
    pub(super) runtime: Runtime,
    user: String,
    database: String,
    last_process: AtomicI32,
    /// Held for moments only.
    state: Mutex<State>,
}

struct State {
    /// Gone once the database is closed.
    gateway: Option<Arc<Gateway>>,
    /// The node, if it belongs to this database.
    node: Option<Node>,
    idle: Vec<Arc<Line>>,
}

impl Pool {
    /// `owned`: the node stops with the database.
    pub(super) fn new(node: &Node, owned: bool, user: String, database: String) -> Pool {
        let gateway = node.gateway();
        let runtime = gateway.runtime.clone();
        let node = owned.then(|| node.clone());
        let state = Mutex::new(State { gateway: Some(gateway), node, idle: Vec::new() });
        Pool { runtime, user, database, last_process: AtomicI32::new(FIRST_PROCESS), state }
    }

    /// A clean line, used before or new.
    pub(super) async fn take(&self) -> Result<Arc<Line>> {
        let gateway = {
            let mut state = self.state.lock();
            if let Some(line) = state.idle.pop() {
                return Ok(line);
            }
            state.gateway.clone().ok_or_else(closed)?
        };
        let process_id = self.last_process.fetch_add(1, Ordering::Relaxed);
        let params = StartupParams {
            user: self.user.clone(),
            database: self.database.clone(),
            settings: vec![("application_name".to_owned(), "quorate".to_owned())],
            process_id,
        };
        let mut session = Session::new(gateway, params);
        session.start().await?;
        Ok(Arc::new(Line::new(session)))
    }

    /// What sessions of this database are made from.
    pub(super) fn gateway(&self) -> Result<Arc<Gateway>> {
        self.state.lock().gateway.clone().ok_or_else(closed)
    }

    /// Takes a line back, if it is clean; otherwise lets go of it, which rolls back what it did.
    pub(super) fn give_back(&self, line: Arc<Line>) {
        if Arc::strong_count(&line) > 1 || !line.is_clean() {
            return;
        }
        let mut state = self.state.lock();
        if state.gateway.is_some() && state.idle.len() < KEEP_LINES {
            state.idle.push(line);
        }
    }

    /// Lets go of everything, and stops the node if it belongs to the database. The second time nothing happens.
    pub(super) async fn close(&self) -> Result<()> {
        let (node, gateway, idle) = {
            let mut state = self.state.lock();
            (state.node.take(), state.gateway.take(), std::mem::take(&mut state.idle))
        };
        drop(idle);
        drop(gateway);
        match node {
            Some(node) => node.shutdown().await,
            None => Ok(()),
        }
    }

    /// The node that the database owns.
    pub(super) fn node(&self) -> Option<Node> {
        self.state.lock().node.clone()
    }
}

fn closed() -> Error {
    Error::of_kind(ErrorKind::Closed, "the database is closed")
}
