//! What a node knows of one peer, and the task that keeps a connection to it.
//!
//! ```text
//!             link lost, or none yet                             attempt failed
//!   linked ───────────────────────────► dial every address ───────────────────────► back off (or until a call asks)
//!      ▲                                     │                          ▲                        │
//!      └─────────────────────────────────────┘                          └────────────────────────┘
//! ```
//!
//! The node with the higher id holds back a little, so that one of two connections is made in the common case.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use quinn::ConnectionError;
use rand::RngExt;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::lane::{Hello, Lane, read_hello, write_hello};
use super::link::{CloseCode, Ends, Link};
use crate::endpoint::is_certificate_error;
use crate::frame::MAX_FRAME;
use crate::stream::{FrameReader, StreamError};
use crate::transport::{Class, NetError, PeerId};

const DIAL_TIMEOUT: Duration = Duration::from_millis(1500);
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_LAST: Duration = Duration::from_secs(1);
/// Between two attempts, however many calls ask.
const BACKOFF_LEAST: Duration = Duration::from_millis(20);
/// How long the higher id lets the lower one dial first.
const COURTESY: Duration = Duration::from_millis(20);

/// A peer.
pub(super) struct Peer {
    pub(super) id: PeerId,
    /// Where it listens; empty for a peer that we know only because it has dialled. Held for a copy only.
    pub(super) addresses: Mutex<Vec<SocketAddr>>,
    state: watch::Sender<State>,
    /// Rung by calls that wait for a connection.
    hurry: Notify,
    dialling: AtomicBool,
    pub(super) gone: CancellationToken,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    failures: u64,
    /// Why the last attempt was refused, if it was.
    refusal: Option<String>,
}

/// What became of a link that was offered to a peer.
pub(super) enum Installed {
    /// It is used, and there was no other one.
    First,
    /// It is used, because the peer has restarted; the former link is of no use.
    Restarted(Arc<Link>),
    /// One of two connections is to run dry.
    Surplus(Arc<Link>),
}

impl Peer {
    pub(super) fn new(id: PeerId, gone: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            id,
            addresses: Mutex::default(),
            state: watch::Sender::default(),
            hurry: Notify::new(),
            dialling: AtomicBool::new(false),
            gone,
        })
    }

    /// The link in use.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.state.borrow().link.clone().filter(|link| link.is_open())
    }

    /// Decides between a new link and the one in use.
    pub(super) fn install(&self, link: &Arc<Link>) -> Installed {
        let mut installed = Installed::First;
        self.state.send_modify(|state| {
            let former = state.link.take().filter(|former| former.is_open());
            let keep = former.as_ref().is_some_and(|former| {
                former.ends.incarnation == link.ends.incarnation && former.ends.dialler < link.ends.dialler
            });
            if keep {
                installed = Installed::Surplus(link.clone());
                state.link = former;
                return;
            }
            installed = match former {
                None => Installed::First,
                Some(former) if former.ends.incarnation != link.ends.incarnation => Installed::Restarted(former),
                Some(former) => Installed::Surplus(former),
            };
            *state = State { link: Some(link.clone()), failures: state.failures, refusal: None };
        });
        installed
    }

    /// Notes that a link has closed; whether it was the one in use.
    pub(super) fn uninstall(&self, link: &Arc<Link>) -> bool {
        self.state.send_if_modified(|state| {
            let current = state.link.as_ref().is_some_and(|current| Arc::ptr_eq(current, link));
            if current {
                state.link = None;
            }
            current
        })
    }

    /// Waits for a link, at most until the next attempt has failed.
    pub(super) async fn connected(&self) -> Result<Arc<Link>, NetError> {
        let mut states = self.state.subscribe();
        let failures = states.borrow().failures;
        self.hurry.notify_one();
        loop {
            {
                let state = states.borrow_and_update();
                if let Some(link) = state.link.as_ref().filter(|link| link.is_open()) {
                    return Ok(link.clone());
                }
                if state.failures > failures {
                    let refused = state.refusal.clone().map(NetError::Refused);
                    return Err(refused.unwrap_or(NetError::Unreachable { peer: self.id }));
                }
            }
            if self.addresses.lock().is_empty() || states.changed().await.is_err() {
                return Err(NetError::Unreachable { peer: self.id });
            }
        }
    }

    /// Starts the dial task, once.
    pub(super) fn keep_connected(self: &Arc<Self>, core: &Arc<Core>) {
        if !self.dialling.swap(true, Ordering::AcqRel) {
            let (core, peer) = (core.clone(), self.clone());
            let gone = self.gone.clone();
            core.clone().spawn(async move {
                if gone.run_until_cancelled(dial_for_ever(&core, &peer)).await.is_none() {
                    tracing::trace!(peer = %peer.id, "stopped dialling");
                }
            });
        }
    }

    /// Notes a failed attempt; warns when it was refused for a new reason.
    fn failed(&self, failure: DialFailure) {
        let DialFailure { address, reason, refused } = failure;
        self.state.send_modify(|state| {
            state.failures += 1;
            let refusal = refused.then_some(reason);
            if let Some(reason) = refusal.as_ref().filter(|_| state.refusal != refusal) {
                tracing::warn!(peer = %self.id, %address, %reason, "cannot connect to a node");
            }
            state.refusal = refusal;
        });
    }

    async fn until_unlinked(&self) {
        let mut states = self.state.subscribe();
        let unlinked = states.wait_for(|state| state.link.is_none()).await.is_ok();
        assert!(unlinked, "the sender of the states lives as long as self");
    }
}

async fn dial_for_ever(core: &Arc<Core>, peer: &Arc<Peer>) {
    let mut rng = core.runtime.rng(peer.id.0);
    let mut backoff = BACKOFF_FIRST;
    loop {
        peer.until_unlinked().await;
        if core.id > peer.id {
            core.runtime.sleep(COURTESY).await;
            if peer.link().is_some() {
                continue;
            }
        }
        match dial_all(core, peer).await {
            Ok(()) => backoff = BACKOFF_FIRST,
            Err(failure) => {
                peer.failed(failure);
                core.runtime.sleep(BACKOFF_LEAST).await;
                let pause = backoff.mul_f64(rng.random_range(0.5..1.0));
                if core.runtime.timeout(pause, peer.hurry.notified()).await.is_none() {
                    backoff = (backoff * 2).min(BACKOFF_LAST);
                }
            }
        }
    }
}

struct DialFailure {
    address: SocketAddr,
    reason: String,
    refused: bool,
}

async fn dial_all(core: &Arc<Core>, peer: &Arc<Peer>) -> Result<(), DialFailure> {
    let addresses = peer.addresses.lock().clone();
    let mut last = None;
    for address in addresses {
        let outcome = core.runtime.timeout(DIAL_TIMEOUT, dial(core, peer.id, address)).await;
        let error = match outcome {
            Some(Ok((link, raft, request))) => {
                core.install(&link, raft, request);
                return Ok(());
            }
            Some(Err(error)) => error,
            None => DialError { reason: "no answer".to_owned(), refused: false },
        };
        tracing::debug!(peer = %peer.id, %address, reason = %error.reason, "an attempt to connect failed");
        last = Some(DialFailure { address, reason: error.reason, refused: error.refused });
    }
    Err(last.unwrap_or(DialFailure { address: core.local, reason: "no address".to_owned(), refused: false }))
}

/// Why one attempt failed, and whether the other end said no.
struct DialError {
    reason: String,
    refused: bool,
}

impl From<ConnectionError> for DialError {
    fn from(error: ConnectionError) -> Self {
        let refused = is_certificate_error(&error)
            || matches!(&error, ConnectionError::ApplicationClosed(close) if CloseCode::is_refusal(close.error_code.into()));
        Self { reason: error.to_string(), refused }
    }
}

impl From<StreamError> for DialError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Gone(quinn::ReadError::ConnectionLost(error)) => error.into(),
            error => Self { refused: !matches!(error, StreamError::Gone(_)), reason: error.to_string() },
        }
    }
}

impl From<quinn::WriteError> for DialError {
    fn from(error: quinn::WriteError) -> Self {
        match error {
            quinn::WriteError::ConnectionLost(error) => error.into(),
            error => Self { refused: false, reason: error.to_string() },
        }
    }
}

async fn dial(core: &Core, peer: PeerId, address: SocketAddr) -> Result<(Arc<Link>, Lane, Lane), DialError> {
    let connecting = core.connect(peer, address).map_err(|reason| DialError { reason, refused: false })?;
    let connection = connecting.await?;
    let shown = core.peer_of(&connection);
    if shown.as_ref().ok() != Some(&peer) {
        connection.close((CloseCode::Identity as u32).into(), b"another node was expected here");
        let reason = shown.map_or_else(|reason| reason, |other| format!("node {other} listens there"));
        return Err(DialError { reason, refused: true });
    }
    let mut raft = open_lane(&connection, Class::Raft, core.incarnation).await?;
    let request = open_lane(&connection, Class::Request, core.incarnation).await?;
    let hello = read_hello(&mut raft.reader).await?;
    let ends = Ends { peer, dialler: core.id, incarnation: hello.incarnation };
    Ok((Link::new(ends, connection), raft, request))
}

async fn open_lane(connection: &quinn::Connection, class: Class, incarnation: u64) -> Result<Lane, DialError> {
    let (mut send, recv) = connection.open_bi().await?;
    write_hello(&mut send, Hello::new(class, incarnation)).await?;
    Ok(Lane { send, reader: FrameReader::new(recv, MAX_FRAME) })
}
