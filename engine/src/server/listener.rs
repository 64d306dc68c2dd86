//! Accepts connections and gives each a task.
//!
//! Shutting down goes in steps: no new connections; sessions outside of a transaction are told 57P01 and end; the others may
//! finish within a grace period; then what runs is cancelled; then tasks that still live are dropped.

use super::connection::{Connection, farewell};
use super::ending::{Ending, Flow};
use super::input::Input;
use super::options::ServerOptions;
use super::output::Output;
use super::registry::Registry;
use super::startup::{Purpose, Wish, negotiate};
use crate::error::{Error, ErrorKind, Result};
use crate::session::{Gateway, Session, StartupParams};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use quorate_net::runtime::JoinHandle;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections beyond the bound of sessions that may wait to be refused, or carry cancel requests.
const SPARE_CONNECTIONS: usize = 64;
/// How long cancelled sessions have to tell their clients.
const FAREWELL: Duration = Duration::from_secs(1);
/// Pause after the system refused a connection (out of file handles, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener for PostgreSQL clients. Dropping it ends the connections; [`Listener::shutdown`] does so politely.
pub struct Listener {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

struct Shared {
    gateway: Arc<Gateway>,
    options: ServerOptions,
    registry: Arc<Registry>,
    sockets: Arc<Semaphore>,
    stop_accepting: CancellationToken,
    drop_connections: CancellationToken,
}

impl Listener {
    /// Listens on `address`, which must be a loopback address (port 0 takes a free port), for sessions of a node.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an address that others can reach; [`ErrorKind::Io`] if the port is taken.
    pub async fn bind(address: SocketAddr, gateway: Arc<Gateway>, options: ServerOptions) -> Result<Listener> {
        if !address.ip().is_loopback() {
            let message =
                format!("cannot listen on {address}: this release has no passwords, so SQL is for loopback only");
            let hint = "Listen on 127.0.0.1 and reach it from elsewhere through an SSH tunnel.";
            return Err(Error::of_kind(ErrorKind::Config, message).with_hint(hint));
        }
        let socket = TcpListener::bind(address).await.map_err(|error| bind_error(address, error))?;
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared {
            registry: Arc::new(Registry::new(options.max_connections)),
            sockets: Arc::new(Semaphore::new(options.max_connections.saturating_add(SPARE_CONNECTIONS))),
            gateway,
            options,
            stop_accepting: CancellationToken::new(),
            drop_connections: CancellationToken::new(),
        });
        let runtime = shared.gateway.runtime.clone();
        let task = runtime.spawn(accept_all(socket, shared.clone()));
        Ok(Listener { address, shared, task: Some(task) })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Sessions there now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.shared.registry.len()
    }

    /// Ends all connections; open transactions have `grace` to finish. No task is left when this returns.
    pub async fn shutdown(mut self, grace: Duration) {
        let Some(mut task) = self.task.take() else { return };
        let (shared, runtime) = (self.shared.clone(), self.shared.gateway.runtime.clone());
        shared.stop_accepting.cancel();
        shared.registry.drain();
        if runtime.timeout(grace, &mut task).await.is_some() {
            return;
        }
        shared.registry.cancel_all();
        if runtime.timeout(FAREWELL, &mut task).await.is_some() {
            return;
        }
        shared.drop_connections.cancel();
        if let Err(error) = task.await {
            tracing::error!(%error, "the SQL listener ended badly");
        }
    }
}

#[cfg(test)]
impl Listener {
    /// A seat without a connection.
    pub(super) fn place(&self) -> super::registry::Place {
        let place = self.shared.registry.enter(&self.shared.gateway.runtime);
        place.unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.stop_accepting.cancel();
        if self.task.is_some() {
            self.shared.drop_connections.cancel();
        }
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

fn bind_error(address: SocketAddr, error: std::io::Error) -> Error {
    let message = match error.kind() {
        std::io::ErrorKind::AddrInUse => format!("cannot listen on {address}: the port is taken"),
        _ => format!("cannot listen on {address}: {error}"),
    };
    let hint = "Choose another port, or stop the program that uses this one.";
    Error::of_kind(ErrorKind::Io, message).with_hint(hint).with_source(error)
}

/// Accepts until told to stop, then waits for the connections. Owns their tasks.
async fn accept_all(socket: TcpListener, shared: Arc<Shared>) {
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = shared.stop_accepting.cancelled() => break,
            Some(ended) = connections.next() => log_panic(ended),
            accepted = accept(&socket, &shared) => connections.extend(accepted),
        }
    }
    drop(socket);
    loop {
        tokio::select! {
            biased;
            ended = connections.next() => match ended {
                Some(ended) => log_panic(ended),
                None => return,
            },
            () = shared.drop_connections.cancelled() => break,
        }
    }
    connections.iter().for_each(JoinHandle::abort);
    while let Some(ended) = connections.next().await {
        log_panic(ended);
    }
}

fn log_panic(ended: std::result::Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a SQL connection panicked; its client was cut off");
    }
}

/// Accepts one connection and starts its task.
async fn accept(socket: &TcpListener, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let runtime = &shared.gateway.runtime;
    let permit = shared.sockets.clone().acquire_owned().await.ok()?;
    let stream = match socket.accept().await {
        Ok((stream, _)) => stream,
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            runtime.sleep(ACCEPT_PAUSE).await;
            return None;
        }
    };
    let shared = shared.clone();
    Some(runtime.spawn(async move {
        serve(stream, &shared).await;
        drop(permit);
    }))
}

async fn serve(stream: TcpStream, shared: &Shared) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let (read, write) = stream.into_split();
    let mut input = Input::new(read, shared.options.max_message_bytes);
    let mut output = Output::new(write);
    let patience = shared.options.startup_timeout;
    let purpose = match shared.gateway.runtime.timeout(patience, negotiate(&mut input, &mut output)).await {
        Some(purpose) => purpose,
        None => return tracing::debug!("a client did not say who it is in time"),
    };
    let opened = match purpose {
        Ok(Purpose::Session(wish)) => open(wish, input, &mut output, shared).await,
        Ok(Purpose::Cancel { process_id, secret }) => return shared.registry.cancel(process_id, secret),
        Err(ending) => Err(ending),
    };
    match opened {
        Ok(opened) => {
            let Opened { input, session, place } = opened;
            Connection::new(input, output, session, place.seat.clone()).serve().await;
        }
        Err(Ending::Gone) => {}
        Err(Ending::Fatal(error)) => {
            if farewell(&mut output, &error).await.is_err() {
                tracing::debug!(%error, "a refused client was gone");
            }
        }
    }
}

/// A connection whose session has started.
struct Opened {
    input: Input,
    session: Session,
    place: super::registry::Place,
}

async fn open(wish: Wish, input: Input, output: &mut Output, shared: &Shared) -> Flow<Opened> {
    let place = shared.registry.enter(&shared.gateway.runtime).map_err(Ending::Fatal)?;
    if wish.newer_minor || !wish.unsupported.is_empty() {
        output.negotiate(wish.unsupported)?;
    }
    let params = StartupParams {
        user: wish.user,
        database: wish.database,
        settings: wish.settings,
        process_id: place.seat.process_id,
    };
    let mut session = Session::new(shared.gateway.clone(), params);
    session.start().await.map_err(Ending::Fatal)?;
    place.seat.occupy(session.cancel_handle());
    output.authenticated(place.seat.process_id, place.seat.secret)?;
    Ok(Opened { input, session, place })
}
